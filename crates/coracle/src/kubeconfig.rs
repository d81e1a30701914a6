//! kubeconfig files: the admin's own, and the context merged into the user's.

use std::fs;
use std::io;
use std::path::Path;

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::pki::{Pair, write_private};

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

/// Merges the context `coracle` of the admin's file into a user's kubeconfig, under the owner that file
/// or its directory has. Contexts, clusters and users of other names stay as they are.
///
/// # Errors
/// The user's file cannot be read as a kubeconfig, or has a cluster `coracle` that is not ours.
pub fn merge_into(path: &Path, admin: &Path) -> Result<()> {
    let ours: Value = read(admin)?.context("the server wrote no kubeconfig")?;
    let theirs = read(path)?.unwrap_or_else(|| json!({"apiVersion": "v1", "kind": "Config"}));
    let merged = merge(theirs, &ours).with_context(|| format!("{} was not changed", path.display()))?;
    let text = serde_saphyr::to_string(&merged)?;
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    }
    write_private(path, &text)?;
    give_to_sudo_user(path);
    Ok(())
}

fn read(path: &Path) -> Result<Option<Value>> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    if text.trim().is_empty() {
        return Ok(None);
    }
    serde_saphyr::from_str(&text).with_context(|| format!("{} is no kubeconfig", path.display())).map(Some)
}

fn merge(mut theirs: Value, ours: &Value) -> Result<Value> {
    if theirs["clusters"].as_array().into_iter().flatten().any(is_foreign) {
        bail!(
            "it has a cluster \"coracle\" that is not on this machine\nhint: rename that cluster, or use --kubeconfig"
        );
    }
    for list in ["clusters", "users", "contexts"] {
        let own = ours[list].as_array().cloned().unwrap_or_default();
        let kept = theirs[list].as_array().into_iter().flatten();
        let kept = kept.filter(|entry| own.iter().all(|new| new["name"] != entry["name"])).cloned();
        theirs[list] = kept.chain(own.iter().cloned()).collect();
    }
    theirs["current-context"] = ours["current-context"].clone();
    Ok(theirs)
}

/// Whether an entry has our name and is somebody else's cluster.
fn is_foreign(cluster: &Value) -> bool {
    let server = cluster["cluster"]["server"].as_str().unwrap_or_default();
    cluster["name"] == "coracle" && !server.starts_with("https://127.0.0.1:")
}

/// Under sudo the file belongs to who called it.
fn give_to_sudo_user(path: &Path) {
    let id = |name| std::env::var(name).ok()?.parse::<u32>().ok();
    if let (Some(uid), Some(gid)) = (id("SUDO_UID"), id("SUDO_GID")) {
        let _ = std::os::unix::fs::chown(path, Some(uid), Some(gid));
        if let Some(dir) = path.parent() {
            let _ = std::os::unix::fs::chown(dir, Some(uid), Some(gid));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_contexts_stay() {
        let pair = Pair { cert: "c".into(), key: "k".into() };
        let ours: Value = serde_json::from_str(&kubeconfig("https://127.0.0.1:6443", "ca", &pair)).unwrap();
        let theirs = json!({"current-context": "work", "contexts": [{"name": "work"}, {"name": "coracle", "old": 1}],
            "clusters": [{"name": "coracle", "cluster": {"server": "https://127.0.0.1:1"}}]});
        let merged = merge(theirs, &ours).unwrap();
        let names: Vec<_> =
            merged["contexts"].as_array().unwrap().iter().map(|c| c["name"].clone()).collect();
        assert_eq!(names, ["work", "coracle"]);
        assert_eq!(merged["current-context"], "coracle");
        assert_eq!(merge(merged.clone(), &ours).unwrap(), merged);
    }

    #[test]
    fn another_cluster_of_our_name_is_left_alone() {
        let theirs =
            json!({"clusters": [{"name": "coracle", "cluster": {"server": "https://10.1.2.3:6443"}}]});
        assert!(merge(theirs, &json!({})).is_err());
    }
}
