//! Finalizers that keep claims and volumes while they are in use.

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::json;

use crate::informer::{Key, Kind};
use crate::plan::Action;

/// Keeps a claim while a pod on a node uses it.
pub(super) const CLAIM: &str = "kubernetes.io/pvc-protection";
/// Keeps a volume while it is bound.
pub(super) const VOLUME: &str = "kubernetes.io/pv-protection";

/// The claims that a pod uses.
pub(super) fn claims_of(pod: &Pod) -> Vec<Key> {
    let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
    let pod_name = pod.metadata.name.as_deref().unwrap_or_default();
    let volumes = pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
    let names = volumes.filter_map(|volume| match (&volume.persistent_volume_claim, &volume.ephemeral) {
        (Some(source), _) => Some(source.claim_name.clone()),
        (None, Some(_)) => Some(format!("{pod_name}-{}", volume.name)),
        (None, None) => None,
    });
    names.map(|name| Key::new(namespace, name)).collect()
}

pub(super) fn has(meta: &ObjectMeta, finalizer: &str) -> bool {
    meta.finalizers.iter().flatten().any(|held| held == finalizer)
}

/// Adds the finalizer to an object that lacks it.
pub(super) fn add<K: Kind>(object: &K, finalizer: &str) -> Option<Action> {
    let meta = object.meta();
    let finalizers = meta.finalizers.iter().flatten().map(String::as_str).chain([finalizer]);
    (!has(meta, finalizer)).then(|| set(object, finalizers.collect()))
}

/// Removes the finalizer from an object that has it.
pub(super) fn remove<K: Kind>(object: &K, finalizer: &str) -> Option<Action> {
    let meta = object.meta();
    let others = meta.finalizers.iter().flatten().map(String::as_str).filter(|held| *held != finalizer);
    has(meta, finalizer).then(|| set(object, others.collect()).lenient())
}

/// The list is sent whole, so the revision is a precondition.
fn set<K: Kind>(object: &K, finalizers: Vec<&str>) -> Action {
    let meta = object.meta();
    let finalizers = (!finalizers.is_empty()).then_some(finalizers);
    let body = json!({ "uid": meta.uid, "resourceVersion": meta.resource_version, "finalizers": finalizers });
    Action::merge(object, json!({ "metadata": body }))
}
