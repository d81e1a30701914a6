//! Readiness, as service managers understand it: `READY=1` on the socket named by `NOTIFY_SOCKET`
//! (sd_notify(3)). `coracle up` is such a manager for one server.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

/// Tells the manager, if there is one, that the server is ready.
pub fn ready() {
    let Some(socket) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let sent = UnixDatagram::unbound().and_then(|datagram| datagram.send_to(b"READY=1", Path::new(&socket)));
    if let Err(error) = sent {
        tracing::warn!(%error, "the service manager cannot be told that the server is ready");
    }
}

/// The receiving end of a start.
pub struct Receiver {
    socket: UnixDatagram,
}

impl Receiver {
    /// Listens at `path`.
    pub fn bind(path: &Path) -> io::Result<Self> {
        let _ = std::fs::remove_file(path);
        Ok(Self { socket: UnixDatagram::bind(path)? })
    }

    /// Waits for readiness for at most `patience`; tells whether it came.
    pub fn wait(&self, patience: Duration) -> io::Result<bool> {
        self.socket.set_read_timeout(Some(patience))?;
        let mut message = [0; 64];
        match self.socket.recv(&mut message) {
            Ok(length) => Ok(message[..length].starts_with(b"READY=1")),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}
