//! ServiceAccount: every pod runs as one that exists, with its pull secrets and a token for the API.
//!
//! Reference: Kubernetes' ServiceAccount admission plugin; the projected volume as KEP-1205 has it.

use std::sync::Arc;

use api::meta;
use api::status::Status;
use futures::future::BoxFuture;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Attributes, Operation, Plugin};
use crate::authz::node::reference::PodReferences;
use crate::cache::WatchCache;

const DEFAULT: &str = "default";
/// Where clients in a pod look for their token.
const MOUNT_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// How long a token is valid; the seven seconds mark those that were mounted without being asked for.
const TOKEN_SECONDS: u32 = 3607;
const MOUNTABLE: &str = "kubernetes.io/enforce-mountable-secrets";

/// The plugin.
pub struct ServiceAccount {
    cache: Arc<WatchCache>,
    random: fn(&mut [u8]),
}

impl ServiceAccount {
    /// Looks accounts up in the cache; `random` gives the suffix of the volume's name.
    pub fn new(cache: Arc<WatchCache>, random: fn(&mut [u8])) -> Self {
        Self { cache, random }
    }

    fn cached(&self, namespace: &str, name: &str) -> Option<Value> {
        let object = self.cache.shard("core/serviceaccounts").get(&format!("{namespace}/{name}"))?;
        serde_json::from_slice(object.versioned.json()).ok()
    }

    /// The account, waiting for the cache if it is not there yet.
    async fn account(&self, attributes: &Attributes<'_>) -> Result<Value, Status> {
        let (namespace, name) =
            (attributes.namespace, meta::text(attributes.object, "spec.serviceAccountName"));
        if let Some(account) = self.cached(namespace, name) {
            return Ok(account);
        }
        self.cache.catch_up().await.map_err(|error| crate::endpoint::read::cache_failure(&error))?;
        self.cached(namespace, name).ok_or_else(|| {
            let why = format!(
                "error looking up service account {namespace}/{name}: serviceaccount {name:?} not found"
            );
            forbidden(attributes, &why)
        })
    }

    async fn admit_pod(&self, attributes: &mut Attributes<'_>) -> Result<(), Status> {
        if references(attributes.object).is_mirror() {
            return Ok(());
        }
        let spec = &mut attributes.object["spec"];
        if meta::text(spec, "serviceAccountName").is_empty() {
            spec["serviceAccountName"] = DEFAULT.into();
        }
        let account = self.account(attributes).await?;
        let mut suffix = [0; 5];
        (self.random)(&mut suffix);
        let spec = &mut attributes.object["spec"];
        if automounts(&account, spec) {
            mount(spec, suffix);
        }
        add_pull_secrets(&account, spec);
        Ok(())
    }

    async fn validate_pod(&self, attributes: &Attributes<'_>) -> Result<(), Status> {
        let pod = references(attributes.object);
        if pod.is_mirror() {
            return mirror_fault(attributes.object, &pod)
                .map_or(Ok(()), |why| Err(forbidden(attributes, why)));
        }
        let account = self.account(attributes).await?;
        let enforced = meta::annotation(&account, MOUNTABLE)
            .is_some_and(|value| value.eq_ignore_ascii_case("true") || value == "1");
        match enforced.then(|| secret_fault(&account, attributes.object)).flatten() {
            Some(why) => Err(forbidden(attributes, &why)),
            None => Ok(()),
        }
    }
}

impl Plugin for ServiceAccount {
    fn name(&self) -> &'static str {
        "ServiceAccount"
    }

    fn admit<'a>(&'a self, attributes: &'a mut Attributes<'_>) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(async { if is_new_pod(attributes) { self.admit_pod(attributes).await } else { Ok(()) } })
    }

    fn validate<'a>(&'a self, attributes: &'a mut Attributes<'_>) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(async { if is_new_pod(attributes) { self.validate_pod(attributes).await } else { Ok(()) } })
    }
}

fn is_new_pod(attributes: &Attributes<'_>) -> bool {
    attributes.is("", "pods")
        && attributes.operation == Operation::Create
        && attributes.object["spec"].is_object()
}

fn references(pod: &Value) -> PodReferences {
    PodReferences::deserialize(pod).unwrap_or_default()
}

fn forbidden(attributes: &Attributes<'_>, why: &str) -> Status {
    Status::forbidden_because(&attributes.resource.group_resource(), meta::name(attributes.object), why)
}

/// What a pod that only mirrors a file may not do.
fn mirror_fault(object: &Value, pod: &PodReferences) -> Option<&'static str> {
    if !meta::text(object, "spec.serviceAccountName").is_empty() {
        return Some("a mirror pod may not reference service accounts");
    }
    if pod.secrets().next().is_some() {
        return Some("a mirror pod may not reference secrets");
    }
    pod.projects_tokens().then_some("a mirror pod may not use ServiceAccountToken volume projections")
}

/// The pod says whether it wants a token, else its account, else it gets one.
fn automounts(account: &Value, spec: &Value) -> bool {
    let says = |object: &Value| object.get("automountServiceAccountToken").and_then(Value::as_bool);
    says(spec).or_else(|| says(account)).unwrap_or(true)
}

/// Mounts the token volume into every container that has nothing there yet.
fn mount(spec: &mut Value, suffix: [u8; 5]) {
    let existing = volume_names(spec).find(|name| name.starts_with("kube-api-access-")).map(str::to_owned);
    // No volume has a name with this prefix, so that one draw is enough.
    let name = existing.clone().unwrap_or_else(|| meta::name::generate("kube-api-access-", suffix));
    let mount = json!({"name": name, "readOnly": true, "mountPath": MOUNT_PATH});
    let mut needed = false;
    for list in ["initContainers", "containers"] {
        for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            let mounts = container.get("volumeMounts").and_then(Value::as_array);
            if mounts
                .is_some_and(|mounts| mounts.iter().any(|own| meta::text(own, "mountPath") == MOUNT_PATH))
            {
                continue;
            }
            push(container, "volumeMounts", mount.clone());
            needed = true;
        }
    }
    if needed && existing.is_none() {
        push(spec, "volumes", token_volume(&name));
    }
}

fn volume_names(spec: &Value) -> impl Iterator<Item = &str> {
    spec.get("volumes")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|volume| meta::text(volume, "name"))
}

fn push(object: &mut Value, list: &str, item: Value) {
    match object.get_mut(list).and_then(Value::as_array_mut) {
        Some(items) => items.push(item),
        None => object[list] = json!([item]),
    }
}

/// Token, CA and namespace, as clients in pods expect them.
fn token_volume(name: &str) -> Value {
    json!({"name": name, "projected": {"defaultMode": 0o644, "sources": [
        {"serviceAccountToken": {"expirationSeconds": TOKEN_SECONDS, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [
            {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}},
        ]}},
    ]}})
}

fn add_pull_secrets(account: &Value, spec: &mut Value) {
    let list = |object: &Value| {
        object.get("imagePullSecrets").and_then(Value::as_array).cloned().unwrap_or_default()
    };
    let secrets = list(account);
    if list(spec).is_empty() && !secrets.is_empty() {
        spec["imagePullSecrets"] =
            secrets.iter().map(|secret| json!({"name": meta::text(secret, "name")})).collect();
    }
}

/// The first secret that the pod uses and its account does not list.
fn secret_fault(account: &Value, pod: &Value) -> Option<String> {
    let names = |field: &str| -> Vec<String> {
        let list = account.get(field).and_then(Value::as_array).into_iter().flatten();
        list.map(|secret| meta::text(secret, "name").to_owned()).collect()
    };
    let (secrets, pull, own) = (names("secrets"), names("imagePullSecrets"), meta::name(account));
    let items = |object: &Value, field: &str| {
        object.get(field).and_then(Value::as_array).cloned().unwrap_or_default()
    };
    let spec = &pod["spec"];
    for volume in items(spec, "volumes") {
        let name = meta::text(&volume, "secret.secretName");
        if !name.is_empty() && !secrets.iter().any(|own| own == name) {
            return Some(format!(
                "volume with secret.secretName={name:?} is not allowed because service account {own} does not reference that secret"
            ));
        }
    }
    let lists = [("initContainers", "init container"), ("containers", "container")];
    for (container, word) in
        lists.iter().flat_map(|(list, word)| items(spec, list).into_iter().map(move |c| (c, *word)))
    {
        for variable in items(&container, "env") {
            let name = meta::text(&variable, "valueFrom.secretKeyRef.name");
            if !name.is_empty() && !secrets.iter().any(|own| own == name) {
                let (container, variable) = (meta::text(&container, "name"), meta::text(&variable, "name"));
                return Some(format!(
                    "{word} {container} with envVar {variable} referencing secret.secretName={name:?} is not allowed \
                     because service account {own} does not reference that secret"
                ));
            }
        }
    }
    let wrong = items(spec, "imagePullSecrets")
        .iter()
        .position(|s| !pull.iter().any(|own| own == meta::text(s, "name")));
    wrong.map(|at| {
        let name = meta::text(&spec["imagePullSecrets"][at], "name");
        format!(
            "imagePullSecrets[{at}].name={name:?} is not allowed because service account {own} does not reference that \
             imagePullSecret"
        )
    })
}
