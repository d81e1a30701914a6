//! The API as clients see it: kubectl, and a load that is cut off by kill -9.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{ListParams, PostParams};
use tokio::sync::Notify;

use crate::cluster::{Cluster, has_kubectl};

const CONFIG_MAP: &str =
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: NAME, labels: {made: here}}\ndata: {k: v}\n";

fn config_map(name: &str) -> String {
    CONFIG_MAP.replace("NAME", name)
}

#[test]
fn kubectl_creates_edits_pages_and_deletes() {
    if !has_kubectl(concat!(module_path!(), "::kubectl_creates_edits_pages_and_deletes")) {
        return;
    }
    let cluster = Cluster::start();
    let names: Vec<String> = (0..7).map(|n| format!("m{n}")).collect();
    let all = names.iter().map(|name| config_map(name)).collect::<Vec<_>>().join("---\n");
    assert_eq!(cluster.run_with("create -f -", &all).lines().count(), 7);
    let editor = [("KUBE_EDITOR", "sed -i s/v$/edited/")];
    let edited = cluster.kubectl(["edit", "configmap", "m0"]).envs(editor).output().expect("kubectl edits");
    assert!(edited.status.success(), "{}", String::from_utf8_lossy(&edited.stderr));
    assert_eq!(cluster.run("get configmap m0 -o jsonpath={.data.k}"), "edited");
    cluster.run("label configmap m1 tier=web");
    assert_eq!(cluster.run("get configmap -l tier=web -o name"), "configmap/m1\n");
    cluster.run("patch configmap m2 --type=json -p [{\"op\":\"add\",\"path\":\"/data/z\",\"value\":\"1\"}]");
    assert_eq!(cluster.run("get configmap m2 -o jsonpath={.data.z}"), "1");
    let paged = cluster.run("get configmaps -l made --chunk-size=2 -o name");
    assert_eq!(paged.lines().map(|line| &line["configmap/".len()..]).collect::<Vec<_>>(), names);
    let table = cluster.run("get configmap m3");
    assert_eq!(table.split_whitespace().take(5).collect::<Vec<_>>(), ["NAME", "DATA", "AGE", "m3", "1"]);
    cluster.run("delete configmap -l made");
    assert_eq!(cluster.run("get configmaps -l made -o name"), "");
    let missing = cluster.output("get configmap m0", "");
    assert_eq!(
        String::from_utf8_lossy(&missing.stderr),
        "Error from server (NotFound): configmaps \"m0\" not found\n"
    );
}

#[test]
fn kubectl_goes_on_after_kill_9() {
    if !has_kubectl(concat!(module_path!(), "::kubectl_goes_on_after_kill_9")) {
        return;
    }
    let mut cluster = Cluster::start();
    cluster.run_with("create -f -", &config_map("before"));
    let uid = cluster.run("get configmap before -o jsonpath={.metadata.uid}");
    for round in 0..3 {
        cluster.run_with("create -f -", &config_map(&format!("round-{round}")));
        cluster.kill();
        cluster.restart();
        assert_eq!(cluster.run("get configmap before -o jsonpath={.metadata.uid}"), uid);
        assert_eq!(cluster.run("get configmaps -l made -o name").lines().count(), round + 2);
    }
}

#[test]
fn kubectl_watches_every_change_in_order() {
    if !has_kubectl(concat!(module_path!(), "::kubectl_watches_every_change_in_order")) {
        return;
    }
    let cluster = Cluster::start();
    cluster.run_with("create -f -", &config_map("w"));
    let mut watch = cluster
        .kubectl(["get", "configmap", "w", "--watch", "-o", "jsonpath={.data.k}{\"\\n\"}"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("kubectl watches");
    let mut lines = BufReader::new(watch.stdout.take().expect("it is piped")).lines();
    assert_eq!(lines.next().expect("a first state").expect("text"), "v");
    for n in 0..5 {
        let patch = format!("patch configmap w --type=merge -p {{\"data\":{{\"k\":\"{n}\"}}}}");
        cluster.run(&patch);
        assert_eq!(lines.next().expect("a change").expect("text"), n.to_string());
    }
    watch.kill().expect("kubectl ends");
    watch.wait().expect("kubectl ends");
}

/// Writers that never retry, a kill in their midst, and the count of what was acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_loses_no_acknowledged_write() {
    const WRITERS: usize = 16;
    const KILL_AFTER: usize = 400;
    let mut cluster = Cluster::start();
    let client = cluster.client().await;
    let (count, enough) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let api: Api<ConfigMap> = Api::namespaced(client.clone(), "default");
            let (count, enough) = (Arc::clone(&count), Arc::clone(&enough));
            tokio::spawn(async move {
                let mut acknowledged = Vec::new();
                for n in 0.. {
                    let name = format!("w{writer}-{n}");
                    let mut object = ConfigMap::default();
                    object.metadata.name = Some(name.clone());
                    if api.create(&PostParams::default(), &object).await.is_err() {
                        break;
                    }
                    acknowledged.push(name);
                    if count.fetch_add(1, Ordering::Relaxed) + 1 == KILL_AFTER {
                        enough.notify_one();
                    }
                }
                acknowledged
            })
        })
        .collect();
    enough.notified().await;
    cluster.kill();
    let mut acknowledged = BTreeSet::new();
    for writer in writers {
        acknowledged.extend(writer.await.expect("a writer ends"));
    }
    cluster.restart();
    let api: Api<ConfigMap> = Api::namespaced(cluster.client().await, "default");
    let found = api.list(&ListParams::default()).await.expect("the list is served");
    let found: BTreeSet<String> = found.into_iter().filter_map(|object| object.metadata.name).collect();
    let lost: Vec<_> = acknowledged.difference(&found).collect();
    assert!(acknowledged.len() >= KILL_AFTER && lost.is_empty(), "lost {lost:?} of {}", acknowledged.len());
}

/// The ports on which a process listens, from /proc.
fn listening_ports(pid: u32) -> BTreeSet<u16> {
    let files = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("the process lives").flatten();
    let links = files.filter_map(|file| std::fs::read_link(file.path()).ok());
    let inodes: BTreeSet<String> = links
        .filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let tables = ["tcp", "tcp6"]
        .map(|table| std::fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default());
    let rows =
        tables.iter().flat_map(|table| table.lines()).map(|line| line.split_whitespace().collect::<Vec<_>>());
    let listening = rows.filter(|row| row.len() > 9 && row[3] == "0A" && inodes.contains(row[9]));
    listening.filter_map(|row| u16::from_str_radix(row[1].rsplit(':').next()?, 16).ok()).collect()
}

#[test]
fn every_listening_socket_refuses_strangers() {
    let cluster = Cluster::start();
    let ports = listening_ports(cluster.pid());
    assert_eq!(ports, BTreeSet::from([cluster.port()]), "a socket that this test does not know");
    // Without TLS there is no answer at all.
    let mut plain = TcpStream::connect(("127.0.0.1", cluster.port())).expect("the port is open");
    plain.write_all(b"GET /api HTTP/1.1\r\nhost: x\r\n\r\n").expect("sent");
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP/1.1 2"), "{}", String::from_utf8_lossy(&answer));
    // With TLS and no credentials only health and the version answer.
    for (path, code) in [
        ("/api", "401"),
        ("/api/v1/secrets", "401"),
        ("/metrics", "401"),
        ("/openapi/v2", "401"),
        ("/livez", "200"),
        ("/version", "200"),
    ] {
        assert_eq!(status_without_credentials(&cluster, path), code, "{path}");
    }
}

fn status_without_credentials(cluster: &Cluster, path: &str) -> String {
    let url = format!("https://127.0.0.1:{}{path}", cluster.port());
    let curl = std::process::Command::new("curl")
        .args(["--silent", "--output", "/dev/null", "--write-out", "%{http_code}", "--cacert"])
        .arg(cluster.data_dir().join("pki/ca.crt"))
        .arg(url)
        .output()
        .expect("curl is installed by scripts/setup");
    String::from_utf8(curl.stdout).expect("digits")
}
