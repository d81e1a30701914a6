//! kubeconfig files: the admin's own, and the context merged into the user's.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::pki::Pair;

/// A kubeconfig with one cluster, one user and the context `coracle`.
///
/// The text is JSON, which every YAML reader takes.
pub fn kubeconfig(server: &str, ca_pem: &str, client: &Pair) -> String {
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "coracle",
        "clusters": [{"name": "coracle", "cluster": cluster(server, ca_pem)}],
        "users": [{"name": "coracle-admin", "user": user(client)}],
        "contexts": [{"name": "coracle", "context": {"cluster": "coracle", "user": "coracle-admin"}}],
    });
    serde_json::to_string_pretty(&config).expect("a JSON tree always serialises")
}

fn cluster(server: &str, ca_pem: &str) -> Value {
    json!({"server": server, "certificate-authority-data": STANDARD.encode(ca_pem)})
}

fn user(client: &Pair) -> Value {
    json!({
        "client-certificate-data": STANDARD.encode(&client.cert),
        "client-key-data": STANDARD.encode(&client.key),
    })
}
