//! What a namespace's status says of its deletion, and when it may go.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace, NamespaceCondition};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use k8s_openapi::jiff::Timestamp;
use kube::Resource;
use serde_json::json;

use super::finalizers;
use crate::plan::{Action, Plan, Target};

const FINALIZER: &str = "kubernetes";

/// What is left in a namespace after all was told to go.
#[derive(Clone, Debug, Default)]
pub struct Content {
    /// Why the resources could not be discovered, if so.
    pub discovery_failure: Option<String>,
    /// The resources of which something is left or could not be deleted.
    pub remaining: Vec<Remaining>,
}

impl Content {
    /// All is gone, and that is known.
    pub fn is_empty(&self) -> bool {
        self.discovery_failure.is_none() && self.remaining.is_empty()
    }
}

/// What is left of one resource.
#[derive(Clone, Debug, Default)]
pub struct Remaining {
    /// Such as `pods` or `deployments.apps`.
    pub resource: String,
    /// How many objects there are.
    pub count: usize,
    /// How many of them each finalizer holds.
    pub finalizers: BTreeMap<String, usize>,
    /// Why they could not be deleted, if so.
    pub failure: Option<String>,
}

impl Remaining {
    pub(super) fn new(resource: String, metas: &[&ObjectMeta], failure: Option<String>) -> Self {
        Self { resource, count: metas.len(), finalizers: finalizers(metas), failure }
    }
}

/// The conditions where they changed; the finalizer where all is gone.
pub fn plan(namespace: &Namespace, content: &Content, now: Timestamp) -> Plan {
    let mut plan = Plan::default();
    let old = namespace.status.as_ref().and_then(|status| status.conditions.clone()).unwrap_or_default();
    let new = conditions(&old, content, now);
    let phase = namespace.status.as_ref().and_then(|status| status.phase.as_deref());
    if new != old || phase != Some("Terminating") {
        let status = json!({ "phase": "Terminating", "conditions": new });
        plan.then(vec![Action::status(namespace, &status)]);
    }
    if content.is_empty() {
        plan.then(vec![finalize(namespace)]);
    } else {
        plan.again = Some(Duration::ZERO);
    }
    plan
}

/// `finalize` takes a whole namespace and knows no patch. Without a revision: only this controller
/// changes the finalizer, and the status was just patched.
fn finalize(namespace: &Namespace) -> Action {
    let spec = namespace.spec.as_ref().and_then(|spec| spec.finalizers.clone()).unwrap_or_default();
    let left: Vec<String> = spec.into_iter().filter(|name| name != FINALIZER).collect();
    let mut meta = namespace.meta().clone();
    meta.resource_version = None;
    meta.managed_fields = None;
    let body =
        json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": meta, "spec": { "finalizers": left } });
    Action::put(Target::of(namespace), "finalize", body).lenient()
}

fn conditions(old: &[NamespaceCondition], content: &Content, now: Timestamp) -> Vec<NamespaceCondition> {
    let mut conditions = old.to_vec();
    for (kind, failing, reason, message) in findings(content) {
        let status = if failing { "True" } else { "False" };
        let known = conditions.iter_mut().find(|condition| condition.type_ == kind);
        let mut new = NamespaceCondition {
            type_: kind.into(),
            status: status.into(),
            reason: Some(reason.into()),
            message: Some(message),
            last_transition_time: Some(Time(now)),
        };
        match known {
            Some(known) => {
                if known.status == new.status {
                    new.last_transition_time.clone_from(&known.last_transition_time);
                }
                *known = new;
            }
            None => conditions.push(new),
        }
    }
    conditions
}

type Finding = (&'static str, bool, &'static str, String);

fn findings(content: &Content) -> [Finding; 5] {
    let parsed = "All legacy kube types successfully parsed".to_owned();
    [
        discovery(content),
        ("NamespaceDeletionGroupVersionParsingFailure", false, "ParsedGroupVersions", parsed),
        deletion(content),
        remains(content),
        held(content),
    ]
}

fn discovery(content: &Content) -> Finding {
    let kind = "NamespaceDeletionDiscoveryFailure";
    match &content.discovery_failure {
        Some(why) => (kind, true, "DiscoveryFailed", format!("Discovery failed for some groups: {why}")),
        None => (kind, false, "ResourcesDiscovered", "All resources successfully discovered".into()),
    }
}

fn deletion(content: &Content) -> Finding {
    let kind = "NamespaceDeletionContentFailure";
    let failures: Vec<String> = content
        .remaining
        .iter()
        .filter_map(|remaining| {
            remaining.failure.as_ref().map(|why| format!("{}: {why}", remaining.resource))
        })
        .collect();
    if failures.is_empty() {
        let message = "All content successfully deleted, may be waiting on finalization";
        return (kind, false, "ContentDeleted", message.into());
    }
    let message =
        format!("Failed to delete all resource types, {} remaining: {}", failures.len(), failures.join(", "));
    (kind, true, "ContentDeletionFailed", message)
}

fn remains(content: &Content) -> Finding {
    let kind = "NamespaceContentRemaining";
    let there = content.remaining.iter().filter(|remaining| remaining.count > 0);
    let mut there: Vec<String> =
        there.map(|left| format!("{} has {} resource instances", dotted(left), left.count)).collect();
    there.sort();
    if there.is_empty() {
        return (kind, false, "ContentRemoved", "All content successfully removed".into());
    }
    (kind, true, "SomeResourcesRemain", format!("Some resources are remaining: {}", there.join(", ")))
}

/// Resources of the core group end in a dot here: resource and group, the group empty.
fn dotted(remaining: &Remaining) -> String {
    let name = &remaining.resource;
    if name.contains('.') { name.clone() } else { format!("{name}.") }
}

fn held(content: &Content) -> Finding {
    let kind = "NamespaceFinalizersRemaining";
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (finalizer, count) in content.remaining.iter().flat_map(|remaining| &remaining.finalizers) {
        *counts.entry(finalizer).or_default() += count;
    }
    if counts.is_empty() {
        return (kind, false, "ContentHasNoFinalizers", "All content-preserving finalizers finished".into());
    }
    let list: Vec<String> = counts
        .into_iter()
        .map(|(finalizer, count)| format!("{finalizer} in {count} resource instances"))
        .collect();
    let message = format!("Some content in the namespace has finalizers remaining: {}", list.join(", "));
    (kind, true, "SomeFinalizersRemain", message)
}
