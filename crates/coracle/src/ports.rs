//! Who holds a port that we want.

use std::fs;
use std::io;
use std::path::Path;

use anyhow::anyhow;

/// The error of a failed bind, with the process that holds the port and the flag that chooses another.
pub fn explain(error: &io::Error, port: u16, flag: &str) -> anyhow::Error {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            let holder = holder(port).map_or_else(String::new, |holder| format!(" by {holder}"));
            anyhow!("port {port} is taken{holder}\nhint: stop it, or choose another port with {flag}")
        }
        io::ErrorKind::PermissionDenied => {
            anyhow!("port {port} needs root\nhint: run as root, or choose a port above 1023 with {flag}")
        }
        _ => anyhow!("cannot listen on port {port}: {error}"),
    }
}

/// `name (pid N)` of the process that listens on a TCP port, where /proc tells.
fn holder(port: u16) -> Option<String> {
    let inode = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .find_map(|table| listening_inode(&fs::read_to_string(table).ok()?, port))?;
    let processes = fs::read_dir("/proc").ok()?.flatten();
    let pid = processes
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .find(|pid| holds(*pid, &format!("socket:[{inode}]")))?;
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some(format!("{} (pid {pid})", name.trim()))
}

/// The socket inode that listens on `port`, in the format of `/proc/net/tcp` (proc(5)).
fn listening_inode(table: &str, port: u16) -> Option<u64> {
    const LISTEN: &str = "0A";
    let suffix = format!(":{port:04X}");
    let rows = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    let mut found = rows.filter(|row| row.len() > 9 && row[1].ends_with(&suffix) && row[3] == LISTEN);
    found.next()?[9].parse().ok()
}

fn holds(pid: u32, socket: &str) -> bool {
    let Ok(files) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    files.flatten().any(|file| fs::read_link(file.path()).is_ok_and(|target| target == Path::new(socket)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_listening_socket_is_found() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            0: 0100007F:192B 0100007F:1234 01 00000000:00000000 00:00000000 00000000     0        0 1 1 x\n\
            1: 00000000:192B 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 77 1 x\n";
        assert_eq!(listening_inode(table, 6443), Some(77));
        assert_eq!(listening_inode(table, 80), None);
    }

    #[test]
    fn the_holder_of_a_port_is_named() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(holder(port).unwrap().contains(&format!("pid {}", std::process::id())));
    }
}
