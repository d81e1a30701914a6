//! Taints: which a node should have, and the patch that makes it so.

use k8s_openapi::api::core::v1::{Node, NodeCondition, Taint};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use serde_json::json;

use crate::plan::Action;

pub(super) const NOT_READY: &str = "node.kubernetes.io/not-ready";
pub(super) const UNREACHABLE: &str = "node.kubernetes.io/unreachable";
const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";

/// Condition, its bad status, and the taint that says so to the scheduler.
const BY_CONDITION: [(&str, &str, &str); 6] = [
    ("Ready", "False", NOT_READY),
    ("Ready", "Unknown", UNREACHABLE),
    ("MemoryPressure", "True", "node.kubernetes.io/memory-pressure"),
    ("DiskPressure", "True", "node.kubernetes.io/disk-pressure"),
    ("NetworkUnavailable", "True", "node.kubernetes.io/network-unavailable"),
    ("PIDPressure", "True", "node.kubernetes.io/pid-pressure"),
];

/// Sets the NoSchedule taints of a node that has these conditions; none where they are right.
pub(super) fn by_conditions(node: &Node, conditions: &[NodeCondition], now: Timestamp) -> Option<Action> {
    let bad = |kind: &str, status: &str| {
        conditions.iter().any(|condition| condition.type_ == kind && condition.status == status)
    };
    let mut wanted: Vec<&str> =
        BY_CONDITION.iter().filter(|(kind, status, _)| bad(kind, status)).map(|row| row.2).collect();
    if node.spec.as_ref().and_then(|spec| spec.unschedulable) == Some(true) {
        wanted.push(UNSCHEDULABLE);
    }
    let known: Vec<&str> = BY_CONDITION.iter().map(|row| row.2).chain([UNSCHEDULABLE]).collect();
    exactly(node, &known, &wanted, "NoSchedule", now)
}

/// Of the taints `known` with this effect the node shall have those `wanted`; others stay. Taints
/// are one list without keys, so the revision is a precondition.
pub(super) fn exactly(
    node: &Node,
    known: &[&str],
    wanted: &[&str],
    effect: &str,
    now: Timestamp,
) -> Option<Action> {
    let old = taints(node);
    let ours = |taint: &&Taint| taint.effect == effect && known.contains(&taint.key.as_str());
    let wrong = |taint: &&Taint| ours(taint) && !wanted.contains(&taint.key.as_str());
    let has = |key: &str| old.iter().any(|taint| taint.effect == effect && taint.key == key);
    let missing: Vec<&str> = wanted.iter().filter(|key| !has(key)).copied().collect();
    if missing.is_empty() && !old.iter().any(|taint| wrong(&taint)) {
        return None;
    }
    let added = missing.into_iter().map(|key| Taint {
        key: key.to_owned(),
        effect: effect.to_owned(),
        time_added: Some(Time(now)),
        value: None,
    });
    let taints: Vec<Taint> = old.iter().filter(|taint| !wrong(taint)).cloned().chain(added).collect();
    let taints = (!taints.is_empty()).then_some(taints);
    let meta = json!({ "uid": node.metadata.uid, "resourceVersion": node.metadata.resource_version });
    Some(Action::merge(node, json!({ "metadata": meta, "spec": { "taints": taints } })))
}

pub(super) fn taints(node: &Node) -> &[Taint] {
    node.spec.as_ref().and_then(|spec| spec.taints.as_deref()).unwrap_or_default()
}
