//! A load client for the bench tables: `load KUBECONFIG api|bind`. It never retries.

#![expect(clippy::print_stdout, reason = "a bench prints its table")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

const IN_FLIGHT: usize = 64;
const PODS: usize = 5000;
const LISTS: usize = 20;
const COLLECTION: &str = "/api/v1/namespaces/default/pods";

/// Where the server is and how to speak to it.
#[derive(Clone)]
struct Target {
    address: String,
    tls: Arc<rustls::ClientConfig>,
}

impl Target {
    fn read(path: &str) -> Result<Self> {
        let config: Value = serde_json::from_str(&std::fs::read_to_string(path)?)?;
        let decode = |pointer: &str| -> Result<Vec<u8>> {
            Ok(STANDARD.decode(config.pointer(pointer).and_then(Value::as_str).context("no such entry")?)?)
        };
        let server =
            config.pointer("/clusters/0/cluster/server").and_then(Value::as_str).context("no server")?;
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(&decode(
            "/clusters/0/cluster/certificate-authority-data",
        )?)?)?;
        let certificate = CertificateDer::from_pem_slice(&decode("/users/0/user/client-certificate-data")?)?;
        let key = PrivateKeyDer::from_pem_slice(&decode("/users/0/user/client-key-data")?)?;
        let tls = rustls::ClientConfig::builder().with_root_certificates(roots);
        let tls = Arc::new(tls.with_client_auth_cert(vec![certificate], key)?);
        Ok(Self { address: server.trim_start_matches("https://").to_owned(), tls })
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>> {
        let stream = TcpStream::connect(&self.address).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from("localhost")?;
        let stream = TlsConnector::from(Arc::clone(&self.tls)).connect(name, stream).await?;
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(sender)
    }
}

async fn send(
    sender: &mut SendRequest<Full<Bytes>>,
    method: &str,
    path: &str,
    kind: &str,
    body: &str,
) -> Result<Bytes> {
    let request =
        Request::builder().method(method).uri(path).header("host", "localhost").header("content-type", kind);
    let response = sender.send_request(request.body(Full::new(Bytes::from(body.to_owned())))?).await?;
    let status = response.status();
    let bytes = response.into_body().collect().await?.to_bytes();
    if !status.is_success() {
        bail!("{method} {path}: {status}: {}", String::from_utf8_lossy(&bytes));
    }
    Ok(bytes)
}

/// A pod of about 2 KB as stored.
fn pod(n: usize) -> String {
    let container = json!({"name": "c", "image": "registry.local/team/service:1.2.3", "resources": {
        "requests": {"cpu": "1m", "memory": "1Mi"}, "limits": {"memory": "64Mi"}},
        "env": [{"name": "A", "value": "some value"}, {"name": "B", "value": "another value"}]});
    json!({"apiVersion": "v1", "kind": "Pod",
           "metadata": {"name": format!("p{n}"), "labels": {"app": "load", "tenth": (n % 10).to_string()}},
           "spec": {"containers": [container], "automountServiceAccountToken": false}})
    .to_string()
}

struct Row {
    method: &'static str,
    kind: &'static str,
    path: fn(usize) -> String,
    body: fn(usize) -> String,
}

/// Sends `count` requests, 64 in flight, one connection each; prints the rate and the latencies.
async fn row(target: &Target, name: &str, count: usize, row: &'static Row) -> Result<()> {
    let next = Arc::new(AtomicUsize::new(0));
    let start = Instant::now();
    let mut tasks = Vec::new();
    for _ in 0..IN_FLIGHT.min(count) {
        let (target, next) = (target.clone(), Arc::clone(&next));
        tasks.push(tokio::spawn(async move {
            let mut sender = target.connect().await?;
            let (mut taken, mut bytes) = (Vec::new(), 0);
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= count {
                    return anyhow::Ok((taken, bytes));
                }
                let (path, body) = ((row.path)(n), (row.body)(n));
                let begin = Instant::now();
                bytes += send(&mut sender, row.method, &path, row.kind, &body).await?.len();
                taken.push(begin.elapsed());
            }
        }));
    }
    let (mut taken, mut bytes) = (Vec::new(), 0);
    for task in tasks {
        let (times, size) = task.await??;
        taken.extend(times);
        bytes += size;
    }
    print(name, start.elapsed(), &mut taken, bytes);
    Ok(())
}

fn print(name: &str, wall: Duration, taken: &mut [Duration], bytes: usize) {
    taken.sort_unstable();
    let at = |part: usize| taken[(taken.len() * part / 100).min(taken.len() - 1)].as_secs_f64() * 1e3;
    let rate = taken.len() as f64 / wall.as_secs_f64();
    let mean = bytes / taken.len();
    println!("{name:28} {rate:>9.0}/s   p50 {:>8.2} ms   p99 {:>8.2} ms   {mean} bytes each", at(50), at(99));
}

const JSON: &str = "application/json";
const MERGE: &str = "application/merge-patch+json";

fn one(n: usize) -> String {
    format!("{COLLECTION}/p{n}")
}

fn empty(_: usize) -> String {
    String::new()
}

static CREATE: Row = Row { method: "POST", kind: JSON, path: |_| COLLECTION.to_owned(), body: pod };
static GET: Row = Row { method: "GET", kind: JSON, path: one, body: empty };
static PATCH: Row = Row {
    method: "PATCH",
    kind: MERGE,
    path: one,
    body: |n| format!(r#"{{"metadata":{{"labels":{{"n":"{n}"}}}}}}"#),
};
static LIST: Row = Row { method: "GET", kind: JSON, path: |_| COLLECTION.to_owned(), body: empty };
static TENTH: Row =
    Row { method: "GET", kind: JSON, path: |_| format!("{COLLECTION}?labelSelector=tenth%3D3"), body: empty };
static DELETE: Row =
    Row { method: "DELETE", kind: JSON, path: |n| format!("{}?gracePeriodSeconds=0", one(n)), body: empty };

async fn api(target: &Target) -> Result<()> {
    row(target, "create pod", PODS, &CREATE).await?;
    row(target, "get pod", PODS, &GET).await?;
    row(target, "merge patch pod", PODS, &PATCH).await?;
    row(target, "list 5,000 pods", LISTS, &LIST).await?;
    row(target, "list a tenth by label", LISTS, &TENTH).await?;
    row(target, "delete pod", PODS, &DELETE).await
}

/// How many objects a list has left beyond one, by the server's own count.
async fn left(sender: &mut SendRequest<Full<Bytes>>, path: &str) -> Result<usize> {
    let list: Value = serde_json::from_slice(&send(sender, "GET", path, JSON, "").await?)?;
    Ok(list["items"].as_array().map_or(0, Vec::len))
}

async fn bind(target: &Target) -> Result<()> {
    let mut sender = target.connect().await?;
    while left(&mut sender, "/api/v1/nodes").await? < 1000 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let start = Instant::now();
    row(target, "create pod, being bound", PODS, &CREATE).await?;
    while left(&mut sender, &format!("{COLLECTION}?fieldSelector=spec.nodeName%3D&limit=1")).await? > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let rate = PODS as f64 / start.elapsed().as_secs_f64();
    println!("{:28} {rate:>9.0}/s   {PODS} pods on 1,000 hollow nodes", "created and bound");
    while left(&mut sender, &format!("{COLLECTION}?fieldSelector=status.phase%3DPending&limit=1")).await? > 0
    {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let rate = PODS as f64 / start.elapsed().as_secs_f64();
    println!("{:28} {rate:>9.0}/s   as their hollow kubelets say", "created to Running");
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().collect();
    let [_, kubeconfig, what] = args.as_slice() else { bail!("usage: load KUBECONFIG api|bind") };
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .ok()
        .context("a provider is there already")?;
    let target = Target::read(kubeconfig)?;
    match what.as_str() {
        "api" => api(&target).await,
        "bind" => bind(&target).await,
        other => bail!("no such bench: {other}"),
    }
}
