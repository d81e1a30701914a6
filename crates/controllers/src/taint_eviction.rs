//! Taint eviction: deletes pods that do not tolerate their node's NoExecute taints, or no longer.
//!
//! A pod's time runs from the moment at which both it and the taint were on the node: the taint's
//! `timeAdded` (for taints that people add without one: when this process first saw it), or the
//! pod's binding where that came later. Source: KEP-166 and the behaviour of the 1.36 controller;
//! unlike there, the time left survives a restart, and a cancelled eviction is not announced.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::{Node, Pod, Taint, Toleration};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use serde_json::json;

use crate::informer::{Change, Informer, Key, Watched};
use crate::plan::{Action, Form, Plan, Target};
use crate::queue::Queue;
use crate::recorder::Note;
use crate::{Context, Shutdown, pod, run as run_plans};

/// NoExecute taints of a node, each with the time from which it counts.
pub type Dated = Vec<(Taint, Timestamp)>;

/// Evicts pods until `shutdown`.
pub async fn run(context: Context, nodes: Informer<Node>, pods: Informer<Pod>, shutdown: Shutdown) {
    let (queue, memory) = (Queue::default(), Arc::<Mutex<HashMap<String, Dated>>>::default());
    let (keys, on_nodes, clock) = (queue.clone(), pods.clone(), Arc::clone(&context.clock));
    let seen = Arc::clone(&memory);
    nodes.subscribe(move |change: Change<'_, Node>| {
        let name = change.last().and_then(|node| node.metadata.name.clone()).unwrap_or_default();
        if remember(&seen, &name, change.new, clock()) {
            let here = on_nodes.all().into_iter().filter(|pod| node_of(pod) == Some(&name));
            here.for_each(|pod| keys.add(Key::of(&*pod)));
        }
    });
    let keys = queue.clone();
    pods.subscribe(move |change| keys.add(change.last().map(Key::of).unwrap_or_default()));
    let watched: Vec<Arc<dyn Watched>> = vec![Arc::new(pods.clone()), Arc::new(nodes)];
    let context = context.named("taint-eviction-controller");
    run_plans(context, watched, queue, shutdown, move |key, now| {
        let Some(pod) = pods.get(key) else { return Ok(None) };
        let memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
        let taints = node_of(&pod).and_then(|node| memory.get(node));
        Ok(taints.map(|taints| plan(&pod, taints, now)))
    })
    .await;
}

fn node_of(pod: &Pod) -> Option<&str> {
    pod.spec.as_ref()?.node_name.as_deref()
}

/// Notes a node's taints; says whether they have changed.
fn remember(memory: &Mutex<HashMap<String, Dated>>, name: &str, node: Option<&Node>, now: Timestamp) -> bool {
    let mut memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
    let before = memory.remove(name).unwrap_or_default();
    let after = node.map(|node| dated(&before, node, now)).unwrap_or_default();
    let changed = after != before;
    if !after.is_empty() {
        memory.insert(name.to_owned(), after);
    }
    changed
}

/// The node's NoExecute taints; one without a time of its own keeps that of `before`.
pub fn dated(before: &[(Taint, Timestamp)], node: &Node, now: Timestamp) -> Dated {
    let taints = node.spec.as_ref().and_then(|spec| spec.taints.as_deref()).unwrap_or_default();
    let date = |taint: &Taint| {
        let seen = before.iter().find(|(old, _)| old == taint).map(|(_, at)| *at);
        taint.time_added.as_ref().map(|time| time.0).or(seen).unwrap_or(now)
    };
    let forcing = taints.iter().filter(|taint| taint.effect == "NoExecute");
    forcing.map(|taint| (taint.clone(), date(taint))).collect()
}

/// Deletes the pod if it tolerates one of the taints not or no longer; else looks again when the
/// first toleration ends.
pub fn plan(pod: &Pod, taints: &[(Taint, Timestamp)], now: Timestamp) -> Plan {
    let mut plan = Plan::default();
    if pod.metadata.deletion_timestamp.is_some() || pod::is_finished(pod) {
        return plan;
    }
    let bound = pod::condition(pod, "PodScheduled").and_then(|bound| bound.last_transition_time.clone());
    let bound = bound.or_else(|| pod.metadata.creation_timestamp.clone()).map(|time| time.0);
    let left = taints.iter().filter_map(|(taint, since)| {
        let since = bound.map_or(*since, |bound| bound.max(*since));
        left(pod, taint, pod::age(since, now))
    });
    match left.min() {
        None => {}
        Some(left) if left.is_zero() => evict(pod, now, &mut plan),
        Some(left) => plan.within(left),
    }
    plan
}

/// How long the pod still tolerates the taint; none where it does for ever.
fn left(pod: &Pod, taint: &Taint, age: Duration) -> Option<Duration> {
    let tolerations = pod.spec.as_ref().and_then(|spec| spec.tolerations.as_deref()).unwrap_or_default();
    match tolerations.iter().find(|toleration| tolerates(toleration, taint)) {
        None => Some(Duration::ZERO),
        Some(toleration) => toleration
            .toleration_seconds
            .map(|seconds| Duration::from_secs(u64::try_from(seconds).unwrap_or(0)).saturating_sub(age)),
    }
}

fn tolerates(toleration: &Toleration, taint: &Taint) -> bool {
    let empty = |text: &Option<String>| text.as_deref().unwrap_or_default().is_empty();
    let effect = empty(&toleration.effect) || toleration.effect.as_deref() == Some(&taint.effect);
    let exists = toleration.operator.as_deref() == Some("Exists");
    let key = toleration.key.as_deref() == Some(&taint.key) || (exists && empty(&toleration.key));
    let value = toleration.value.as_deref().unwrap_or_default() == taint.value.as_deref().unwrap_or_default();
    effect && key && (exists || value)
}

fn evict(pod: &Pod, now: Timestamp, plan: &mut Plan) {
    let message = format!("Marking for deletion Pod {}", Key::of(pod));
    plan.notes.push(Note::normal(pod, "TaintManagerEviction", message));
    let condition = json!({
        "type": "DisruptionTarget", "status": "True", "reason": "DeletionByTaintManager",
        "message": "Taint manager: deleting due to NoExecute taint", "lastTransitionTime": Time(now),
    });
    let body = json!({ "metadata": { "uid": pod.metadata.uid }, "status": { "conditions": [condition] } });
    plan.then(vec![Action::patch(Target::of(pod), "status", Form::Strategic, body).lenient()]);
    plan.then(vec![Action::delete(pod)]);
}

#[cfg(test)]
mod tests;
