//! `up`, `down` and `status`, and what they say when something is in the way.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;

use crate::cluster::{Cluster, coracle, free_port};

fn run(args: &[&str], data_dir: &Path) -> Output {
    coracle().args(args).arg("--data-dir").arg(data_dir).output().expect("coracle runs")
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Takes a cluster down even when the test fails.
struct Down<'a>(&'a Path);

impl Drop for Down<'_> {
    fn drop(&mut self) {
        run(&["down", "--purge"], self.0);
    }
}

#[test]
fn up_twice_is_harmless_and_down_removes_everything() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let config = dir.path().join("config");
    let _down = Down(&data);
    assert!(text(&run(&["status"], &data)).contains("not running"));
    let port = free_port().to_string();
    let up = ["up", "--api-port", &port, "--kubeconfig", config.to_str().unwrap()];
    let first = run(&up, &data);
    assert!(first.status.success(), "{}", text(&first));
    let again = run(&up, &data);
    assert!(again.status.success() && text(&again).contains("already up"), "{}", text(&again));
    let status = run(&["status"], &data);
    assert!(status.status.success() && text(&status).contains(&port), "{}", text(&status));
    assert!(std::fs::read_to_string(&config).unwrap().contains("coracle"));
    for file in ["admin.kubeconfig", "pki/ca.key", "store/store.redb", "server.pid"] {
        let mode = std::fs::metadata(data.join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    let down = run(&["down", "--purge"], &data);
    assert!(down.status.success(), "{}", text(&down));
    assert!(!data.exists());
    assert!(text(&run(&["down"], &data)).contains("not running"));
}

#[test]
fn a_port_conflict_names_the_process_and_the_flag() {
    let dir = tempfile::tempdir().unwrap();
    let holder = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = holder.local_addr().unwrap().port().to_string();
    let data = dir.path().join("data");
    let _down = Down(&data);
    let output = run(&["up", "--no-kubeconfig", "--api-port", &port], &data);
    let said = text(&output);
    assert!(!output.status.success());
    assert!(said.contains(&format!("pid {}", std::process::id())) && said.contains("--api-port"), "{said}");
}

#[test]
fn a_second_server_on_the_same_data_is_refused() {
    let cluster = Cluster::start();
    let port = free_port().to_string();
    let second = run(&["server", "--api-port", &port], &cluster.data_dir());
    let said = text(&second);
    assert!(!second.status.success() && said.contains("in use"), "{said}");
}

#[test]
fn a_foreign_directory_is_never_purged() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("precious"), "x").unwrap();
    let output = run(&["down", "--purge"], dir.path());
    assert!(!output.status.success() && text(&output).contains("nothing was removed"), "{}", text(&output));
    assert!(dir.path().join("precious").exists());
}
