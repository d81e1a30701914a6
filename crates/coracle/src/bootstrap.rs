//! Objects that every cluster has from its first second.

use anyhow::{Result, bail};
use apiserver::ApiServer;
use apiserver::authn::Peer;
use apiserver::respond::full;
use http::{Request, StatusCode};
use serde_json::{Value, json};

/// Namespaces that always exist.
const NAMESPACES: [&str; 4] = ["default", "kube-system", "kube-public", "kube-node-lease"];

/// Creates what is missing; what exists is left as it is.
pub async fn run(server: &ApiServer, peer: &Peer) -> Result<()> {
    for name in NAMESPACES {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        ensure(server, peer, "/api/v1/namespaces", &namespace).await?;
    }
    Ok(())
}

async fn ensure(server: &ApiServer, peer: &Peer, path: &str, object: &Value) -> Result<()> {
    let request =
        Request::post(path).header("content-type", "application/json").body(full(object.to_string()))?;
    let response = server.handle(peer, request).await;
    match response.status() {
        StatusCode::CREATED | StatusCode::CONFLICT => Ok(()),
        other => bail!("{path} answered {other} to {object}"),
    }
}
