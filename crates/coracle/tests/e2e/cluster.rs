//! A server of its own for one test: started, killed, restarted, and always removed.

use std::ffi::OsStr;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use tempfile::TempDir;

/// How long a server may take to get ready on a busy machine.
const START_MAX: Duration = Duration::from_secs(60);

/// A server and its data directory.
pub struct Cluster {
    dir: TempDir,
    port: u16,
    server: Option<Child>,
}

/// A port that nobody listens on.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("it is bound").port()
}

/// The binary under test.
pub fn coracle() -> Command {
    Command::new(env!("CARGO_BIN_EXE_coracle"))
}

/// Whether `kubectl` is there; if not, the test is counted as skipped.
pub fn has_kubectl(test: &str) -> bool {
    let found =
        Command::new("kubectl").arg("version").arg("--client").output().is_ok_and(|o| o.status.success());
    if !found {
        skip(test, "kubectl is not on the PATH");
    }
    found
}

/// Reports a skipped test to `xtask test` (the contract is in CONTRIBUTING.md).
pub fn skip(test: &str, reason: &str) {
    let line = format!("CORACLE-SKIP: {test}: {reason}\n");
    match std::env::var_os("CORACLE_SKIP_LOG") {
        Some(path) => {
            let mut log =
                std::fs::OpenOptions::new().append(true).create(true).open(path).expect("the skip log opens");
            log.write_all(line.as_bytes()).expect("the skip log takes a line");
        }
        None => std::io::stderr().write_all(line.as_bytes()).expect("stderr takes a line"),
    }
}

impl Cluster {
    /// Starts a server on an empty data directory.
    pub fn start() -> Self {
        let dir = tempfile::Builder::new().prefix("coracle-e2e-").tempdir().expect("a temporary directory");
        let mut cluster = Self { dir, port: free_port(), server: None };
        cluster.restart();
        cluster
    }

    /// The data directory.
    pub fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// The API's port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The server's pid.
    pub fn pid(&self) -> u32 {
        self.server.as_ref().expect("the server runs").id()
    }

    /// Starts the server again and waits until it says that it is ready.
    pub fn restart(&mut self) {
        let socket = self.dir.path().join("notify");
        let _ = std::fs::remove_file(&socket);
        let ready = UnixDatagram::bind(&socket).expect("a socket");
        ready.set_read_timeout(Some(START_MAX)).expect("a timeout");
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.log()).expect("a log");
        let server = coracle()
            .arg("server")
            .arg("--data-dir")
            .arg(self.data_dir())
            .args(["--api-port", &self.port.to_string()])
            .env("NOTIFY_SOCKET", &socket)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the server starts");
        self.server = Some(server);
        let mut message = [0; 16];
        let log = || std::fs::read_to_string(self.log()).unwrap_or_default();
        assert!(ready.recv(&mut message).is_ok(), "the server is not ready:\n{}", log());
    }

    fn log(&self) -> PathBuf {
        self.dir.path().join("server.log")
    }

    /// Kills the server as a power failure would, without a word.
    pub fn kill(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.kill().expect("the server can be killed");
            server.wait().expect("the server ends");
        }
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig(&self) -> PathBuf {
        self.data_dir().join("admin.kubeconfig")
    }

    /// A `kubectl` for this cluster, with a cache of its own.
    pub fn kubectl<I: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = I>) -> Command {
        let mut command = Command::new("kubectl");
        command
            .env("KUBECONFIG", self.kubeconfig())
            .arg("--cache-dir")
            .arg(self.dir.path().join("cache"))
            .args(args);
        command
    }

    /// Runs kubectl; its output, which must be a success.
    pub fn run(&self, line: &str) -> String {
        let output = self.output(line, "");
        assert!(output.status.success(), "kubectl {line}:\n{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("kubectl prints UTF-8")
    }

    /// Runs kubectl with a standard input, whatever becomes of it.
    pub fn output(&self, line: &str, input: &str) -> Output {
        let mut child = self
            .kubectl(line.split_whitespace())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("kubectl starts");
        let mut stdin = child.stdin.take().expect("it is piped");
        // kubectl may end before it has read everything.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        child.wait_with_output().expect("kubectl ends")
    }

    /// Runs kubectl with a standard input; it must succeed.
    pub fn run_with(&self, line: &str, input: &str) -> String {
        let output = self.output(line, input);
        assert!(output.status.success(), "kubectl {line}:\n{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("kubectl prints UTF-8")
    }

    /// A client with the administrator's identity.
    pub async fn client(&self) -> kube::Client {
        let config = kube::config::Kubeconfig::read_from(self.kubeconfig()).expect("the kubeconfig is read");
        let options = kube::config::KubeConfigOptions::default();
        let config =
            kube::Config::from_custom_kubeconfig(config, &options).await.expect("it names a cluster");
        kube::Client::try_from(config).expect("a client")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.kill();
    }
}
