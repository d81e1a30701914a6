//! One node: since when it is silent, and what follows.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Node, NodeCondition, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, Time};
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::{Grace, condition, taint};
use crate::plan::{Action, Form, Plan, Target};
use crate::pod;
use crate::recorder::Note;

/// The conditions that a kubelet posts.
const POSTED: [&str; 4] = ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"];

/// What was last heard of a node, and when this process heard it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// When something new was heard.
    pub at: Timestamp,
    /// The heartbeat in its Ready condition.
    pub heartbeat: Option<Time>,
    /// The renewal of its lease.
    pub renewal: Option<MicroTime>,
}

/// Takes in the node's present state, and its lease where that is what changed. A node that has
/// never posted a status counts as heard of when it was created.
pub fn observe(before: Option<&Heard>, node: &Node, lease: Option<&Lease>, now: Timestamp) -> Heard {
    let heartbeat = condition(node, "Ready").and_then(|ready| ready.last_heartbeat_time.clone());
    let renewal = lease.and_then(|lease| lease.spec.as_ref()?.renew_time.clone());
    let Some(before) = before else {
        let created = node.metadata.creation_timestamp.as_ref().map(|time| time.0);
        let posted = condition(node, "Ready").is_some();
        let at = if posted || renewal.is_some() { now } else { created.unwrap_or(now) };
        return Heard { at, heartbeat, renewal };
    };
    let renewal = renewal.or_else(|| before.renewal.clone());
    let news = heartbeat != before.heartbeat || renewal != before.renewal;
    Heard { at: if news { now } else { before.at }, heartbeat, renewal }
}

/// What one node is planned from.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The node.
    pub node: Arc<Node>,
    /// What was last heard of it.
    pub heard: Heard,
    /// Its pods; needed only when it is silent.
    pub pods: Vec<Arc<Pod>>,
}

/// How long the node may still be silent.
fn left(node: &Node, heard: &Heard, grace: Grace, now: Timestamp) -> Duration {
    let posted = condition(node, "Ready").is_some();
    let allowed = if posted { grace.silent } else { grace.startup };
    allowed.saturating_sub(pod::age(heard.at, now))
}

/// Whether the node has been silent for too long.
pub(super) fn is_silent(node: &Node, heard: &Heard, grace: Grace, now: Timestamp) -> bool {
    left(node, heard, grace, now).is_zero()
}

/// A silent node's conditions become Unknown and its pods not Ready; any node is tainted by its
/// conditions. Looks again when the grace of a node that speaks would end.
pub fn plan(snapshot: &Snapshot, grace: Grace, now: Timestamp) -> Plan {
    let Snapshot { node, heard, pods } = snapshot;
    let mut plan = Plan::default();
    if node.metadata.deletion_timestamp.is_some() {
        return plan;
    }
    let mut conditions = conditions(node);
    if is_silent(node, heard, grace, now) {
        let was_ready = condition(node, "Ready").is_some_and(|ready| ready.status == "True");
        if was_ready {
            let name = node.metadata.name.as_deref().unwrap_or_default();
            let message = format!("Node {name} status is now: NodeNotReady");
            plan.notes.push(Note::normal(&**node, "NodeNotReady", message));
        }
        let unknown = silence(&mut conditions, node, now);
        plan.then(unknown.map(|changed| post(node, &changed)).into_iter().collect());
        plan.then(pods.iter().filter(|pod| pod::is_ready(pod)).map(|pod| unready(pod, now)).collect());
    } else {
        plan.within(left(node, heard, grace, now));
    }
    plan.then(taint::by_conditions(node, &conditions, now).into_iter().collect());
    plan
}

fn conditions(node: &Node) -> Vec<NodeCondition> {
    node.status.as_ref().and_then(|status| status.conditions.clone()).unwrap_or_default()
}

/// Makes the posted conditions Unknown; answers with those that changed, if any.
fn silence(conditions: &mut Vec<NodeCondition>, node: &Node, now: Timestamp) -> Option<Vec<NodeCondition>> {
    let mut changed = Vec::new();
    for kind in POSTED {
        let found = conditions.iter_mut().find(|condition| condition.type_ == kind);
        match found {
            Some(condition) if condition.status == "Unknown" => {}
            Some(condition) => {
                condition.status = "Unknown".into();
                condition.reason = Some("NodeStatusUnknown".into());
                condition.message = Some("Kubelet stopped posting node status.".into());
                condition.last_transition_time = Some(Time(now));
                changed.push(condition.clone());
            }
            None => {
                conditions.push(never(kind, node, now));
                changed.extend(conditions.last().cloned());
            }
        }
    }
    (!changed.is_empty()).then_some(changed)
}

fn never(kind: &str, node: &Node, now: Timestamp) -> NodeCondition {
    NodeCondition {
        type_: kind.into(),
        status: "Unknown".into(),
        reason: Some("NodeStatusNeverUpdated".into()),
        message: Some("Kubelet never posted node status.".into()),
        last_heartbeat_time: node.metadata.creation_timestamp.clone(),
        last_transition_time: Some(Time(now)),
    }
}

/// The revision is a precondition: a kubelet that has just spoken must win.
fn post(node: &Node, conditions: &[NodeCondition]) -> Action {
    let meta = json!({ "uid": node.metadata.uid, "resourceVersion": node.metadata.resource_version });
    let body = json!({ "metadata": meta, "status": { "conditions": conditions } });
    Action::patch(Target::of(node), "status", Form::Strategic, body)
}

fn unready(pod: &Pod, now: Timestamp) -> Action {
    let ready: Value = json!({ "type": "Ready", "status": "False", "lastTransitionTime": Time(now) });
    let body = json!({ "metadata": { "uid": pod.metadata.uid }, "status": { "conditions": [ready] } });
    Action::patch(Target::of(pod), "status", Form::Strategic, body)
        .on_success(Note::warning(pod, "NodeNotReady", "Node is not ready"))
        .lenient()
}
