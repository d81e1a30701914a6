//! Pod garbage collection: pods that nobody else will ever remove.
//!
//! - Pods on a node that no longer exists: marked Failed with the condition DisruptionTarget, and
//!   deleted, when the node has been gone for 40 seconds and a live read agrees.
//! - Terminating pods that were never bound: no kubelet will end them.
//! - Ended pods beyond 12,500: evicted ones first, then the oldest.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use serde_json::{Value, json};

use crate::informer::{Informer, Key, Watched};
use crate::plan::{Action, Plan, Propagation, Target};
use crate::queue::Queue;
use crate::{Context, Shutdown, pod, run_with};

/// How many ended pods may stay.
pub const TERMINATED_LIMIT: usize = 12_500;

/// A node that comes back within this time keeps its pods.
const QUARANTINE: Duration = Duration::from_secs(40);

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Work {
    /// One pod.
    Pod(Key),
    /// The pods of one node.
    Node(String),
    /// All ended pods together.
    Ended,
}

/// Collects pods until `shutdown`. `pods` must have the node's name as its facet
/// ([`pods_by_node`](crate::pods_by_node)); `limit` is usually [`TERMINATED_LIMIT`].
pub async fn run(
    context: Context,
    pods: Informer<Pod>,
    nodes: Informer<Node>,
    limit: usize,
    shutdown: Shutdown,
) {
    let queue = Queue::default();
    subscribe(&queue, &pods, &nodes);
    let watched: Vec<Arc<dyn Watched>> = vec![Arc::new(pods.clone()), Arc::new(nodes.clone())];
    run_with(context.named("pod-garbage-collector"), watched, queue, shutdown, move |context, gate, work| {
        let (pods, nodes) = (pods.clone(), nodes.clone());
        Box::pin(async move {
            let now = context.now();
            let plan = match &work {
                Work::Pod(key) => pods.get(key).map(|pod| plan_unbound(&pod)).unwrap_or_default(),
                Work::Ended => plan_ended(&pods.all(), limit),
                Work::Node(name) if nodes.get(&Key::new("", name)).is_some() => Plan::default(),
                Work::Node(name) => {
                    let api: Api<Node> = Api::all(context.client.clone());
                    let exists = api.get_metadata_opt(name).await?.is_some();
                    if exists { Plan::default() } else { plan_orphaned(&pods.with(name), now) }
                }
            };
            context.carry_out(&gate, &work, &plan).await.map(|()| None)
        })
    })
    .await;
}

fn subscribe(queue: &Queue<Work>, pods: &Informer<Pod>, nodes: &Informer<Node>) {
    let (works, known) = (queue.clone(), nodes.clone());
    pods.subscribe(move |change| {
        let Some(pod) = change.new else { return };
        match node_of(pod) {
            None if pod.metadata.deletion_timestamp.is_some() => works.add(Work::Pod(Key::of(pod))),
            Some(node) if known.get(&Key::new("", node)).is_none() => {
                works.add_after(Work::Node(node.to_owned()), QUARANTINE);
            }
            _ => {}
        }
        if pod::is_finished(pod) && change.old.is_none_or(|old| !pod::is_finished(old)) {
            works.add(Work::Ended);
        }
    });
    let works = queue.clone();
    nodes.subscribe(move |change| {
        if let (Some(node), None) = (change.old, change.new) {
            works.add_after(Work::Node(Key::of(node).name), QUARANTINE);
        }
    });
}

fn node_of(pod: &Pod) -> Option<&str> {
    pod.spec.as_ref()?.node_name.as_deref().filter(|node| !node.is_empty())
}

/// What to do with a pod that is being deleted and was never bound.
pub fn plan_unbound(pod: &Pod) -> Plan {
    let mut plan = Plan::default();
    if pod.metadata.deletion_timestamp.is_some() && node_of(pod).is_none() {
        end(pod, None, &mut plan);
    }
    plan
}

/// What to do with the pods of a node that is gone.
pub fn plan_orphaned(pods: &[Arc<Pod>], now: Timestamp) -> Plan {
    let mut plan = Plan::default();
    for pod in pods {
        let condition = json!({
            "type": "DisruptionTarget",
            "status": "True",
            "reason": "DeletionByPodGC",
            "message": "PodGC: node no longer exists",
            "lastTransitionTime": k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(now),
            "observedGeneration": pod.metadata.generation,
        });
        end(pod, Some(condition), &mut plan);
    }
    plan
}

/// Marks a pod that has not ended as failed, so that its controller counts it, and deletes it.
fn end(pod: &Pod, condition: Option<Value>, plan: &mut Plan) {
    if !pod::is_finished(pod) {
        let mut status = json!({ "phase": "Failed" });
        if let Some(condition) = condition {
            status["conditions"] = json!([condition]);
        }
        let body = json!({ "metadata": { "uid": pod.metadata.uid }, "status": status });
        let form = crate::plan::Form::Strategic;
        plan.then(vec![Action::patch(Target::of(pod), "status", form, body).lenient()]);
    }
    plan.then(vec![remove(pod)]);
}

fn remove(pod: &Pod) -> Action {
    Action::remove(Target::of(pod), Some(0), Propagation::Default)
}

/// Which ended pods are too many.
pub fn plan_ended(pods: &[Arc<Pod>], limit: usize) -> Plan {
    let mut ended: Vec<&Arc<Pod>> = pods
        .iter()
        .filter(|pod| pod::is_finished(pod) && pod.metadata.deletion_timestamp.is_none())
        .collect();
    let mut plan = Plan::default();
    let surplus = ended.len().saturating_sub(limit);
    if surplus > 0 {
        ended.sort_by_cached_key(|pod| {
            (!is_evicted(pod), pod.metadata.creation_timestamp.clone(), Key::of(&***pod))
        });
        plan.then(ended.into_iter().take(surplus).map(|pod| remove(pod)).collect());
    }
    plan
}

fn is_evicted(pod: &Pod) -> bool {
    pod.status.as_ref().and_then(|status| status.reason.as_deref()) == Some("Evicted")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::{Case, check_all};

    fn check(case: &Case) {
        let pods: Vec<Arc<Pod>> = case.get::<Vec<Pod>>("pods").into_iter().map(Arc::new).collect();
        case.compare("orphaned", &plan_orphaned(&pods, case.now()));
        for (index, pod) in pods.iter().enumerate() {
            case.compare(&format!("unbound{index}"), &plan_unbound(pod));
        }
        case.compare("ended", &plan_ended(&pods, case.must("limit")));
    }

    #[test]
    fn pod_gc_cases() {
        check_all("pod_gc", check);
    }
}
