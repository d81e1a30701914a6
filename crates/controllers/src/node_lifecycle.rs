//! Node lifecycle: notices silent nodes and taints nodes by their conditions.
//!
//! ```text
//! Lease, Ready heartbeat --(changed: heard now)--> Heard
//! per node: Node + Heard + its pods, now --health--> conditions Unknown, NoSchedule taints, pods not Ready
//! all nodes together, now                --outage--> NoExecute taints, zone by zone, at a limited rate
//! ```
//!
//! Invariants: a node is silent by the time at which this process last heard of it, never by the
//! node's own clock; so after a start every node has a whole grace period. When no node is Ready the
//! fault is taken to be ours, and no pod is evicted. `node.cloudprovider.kubernetes.io/uninitialized`
//! is left alone. Source: the behaviour of the 1.36 controller.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Node, NodeCondition, Pod};

use crate::informer::{Change, Informer, Key, Watched};
use crate::queue::Queue;
use crate::{Context, Shutdown, run as run_plans};

mod health;
mod outage;
mod taint;

pub use health::{Heard, Snapshot, observe, plan};
pub use outage::plan as plan_outage;

/// The namespace of the nodes' leases.
const LEASES: &str = "kube-node-lease";

/// How long nodes may be silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grace {
    /// A node that has been heard of.
    pub silent: Duration,
    /// A node that has never posted a status.
    pub startup: Duration,
}

impl Default for Grace {
    fn default() -> Self {
        Self { silent: Duration::from_secs(40), startup: Duration::from_secs(60) }
    }
}

/// Watches over all nodes until `shutdown`.
pub async fn run(
    context: Context,
    grace: Grace,
    nodes: Informer<Node>,
    leases: Informer<Lease>,
    pods: Informer<Pod>,
    shutdown: Shutdown,
) {
    let context = context.named("node-controller");
    let outages = watch_outages(context.clone(), nodes.clone(), shutdown.clone());
    let health = watch_health(context, grace, nodes, leases, pods, shutdown);
    futures::future::join(outages, health).await;
}

type Memory = Arc<Mutex<HashMap<String, Heard>>>;

/// A node is looked at when it changes and when its grace would end; its leases only move that end.
async fn watch_health(
    context: Context,
    grace: Grace,
    nodes: Informer<Node>,
    leases: Informer<Lease>,
    pods: Informer<Pod>,
    shutdown: Shutdown,
) {
    let (queue, memory) = (Queue::default(), Memory::default());
    listen(&context, &queue, &memory, &nodes, &leases);
    // The pods' cache is awaited here and not by the gate: no event of a pod names its node's key.
    let synced: Vec<Arc<dyn Watched>> = vec![Arc::new(leases), Arc::new(pods.clone())];
    tokio::select! {
        () = crate::gate::synced(&synced) => {}
        () = shutdown.clone() => return,
    }
    let watched: Vec<Arc<dyn Watched>> = vec![Arc::new(nodes.clone())];
    run_plans(context, watched, queue, shutdown, move |name: &String, now| {
        let Some(node) = nodes.get(&Key::new("", name)) else { return Ok(None) };
        let heard = memory.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        let heard = heard.unwrap_or_else(|| observe(None, &node, None, now));
        let pods =
            if health::is_silent(&node, &heard, grace, now) { on_node(&pods, name) } else { Vec::new() };
        Ok(Some(plan(&Snapshot { node, heard, pods }, grace, now)))
    })
    .await;
}

/// Pods change often and matter only for silent nodes, so no index is kept for them.
fn on_node(pods: &Informer<Pod>, node: &str) -> Vec<Arc<Pod>> {
    let mut pods = pods.all();
    pods.retain(|pod| pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()) == Some(node));
    pods
}

fn listen(
    context: &Context,
    queue: &Queue<String>,
    memory: &Memory,
    nodes: &Informer<Node>,
    leases: &Informer<Lease>,
) {
    let (names, heard, clock) = (queue.clone(), Arc::clone(memory), Arc::clone(&context.clock));
    nodes.subscribe(move |change| {
        let name = change.last().and_then(|node| node.metadata.name.clone()).unwrap_or_default();
        let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
        match change.new {
            Some(node) => {
                let now = observe(heard.get(&name), node, None, clock());
                heard.insert(name.clone(), now);
            }
            None => drop(heard.remove(&name)),
        }
        names.add(name);
    });
    let (heard, clock, nodes) = (Arc::clone(memory), Arc::clone(&context.clock), nodes.clone());
    leases.subscribe(move |change| {
        let Some(lease) = change.new.filter(|lease| lease.metadata.namespace.as_deref() == Some(LEASES))
        else {
            return;
        };
        let key = Key::new("", lease.metadata.name.clone().unwrap_or_default());
        if let Some(node) = nodes.get(&key) {
            let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
            let now = observe(heard.get(&key.name), &node, Some(lease), clock());
            heard.insert(key.name, now);
        }
    });
}

async fn watch_outages(context: Context, nodes: Informer<Node>, shutdown: Shutdown) {
    let queue = Queue::default();
    let all = queue.clone();
    nodes.subscribe(move |change: Change<'_, Node>| {
        let aspects = |node: &Node| {
            let ready = condition(node, "Ready").map(|ready| ready.status.clone());
            (ready, node.spec.as_ref().and_then(|spec| spec.taints.clone()), outage::zone(node))
        };
        if change.old.map(aspects) != change.new.map(aspects) {
            all.add(());
        }
    });
    let watched: Vec<Arc<dyn Watched>> = vec![Arc::new(nodes.clone())];
    run_plans(context, watched, queue, shutdown, move |(), now| Ok(Some(plan_outage(&nodes.all(), now))))
        .await;
}

/// The node's condition of this type.
fn condition<'a>(node: &'a Node, kind: &str) -> Option<&'a NodeCondition> {
    node.status.as_ref()?.conditions.as_ref()?.iter().find(|condition| condition.type_ == kind)
}

#[cfg(test)]
mod tests;
