//! All nodes: which are tainted NoExecute, so that their pods are evicted.
//!
//! A zone in which most nodes are lost is more likely cut off than dead; there, evictions slow down
//! (large zones) or stop (small ones). When no node of the cluster is Ready, nothing is evicted at
//! all. The rate is read from the taints themselves: each carries the time at which it was added.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Node;
use k8s_openapi::jiff::Timestamp;

use super::condition;
use super::taint::{self, NOT_READY, UNREACHABLE};
use crate::plan::{Action, Plan};
use crate::pod;

const KNOWN: [&str; 2] = [NOT_READY, UNREACHABLE];
/// Between two nodes of a zone in order.
const PACE: Duration = Duration::from_secs(10);
/// Between two nodes of a large zone of which most is lost.
const SLOW_PACE: Duration = Duration::from_secs(100);
/// Zones up to this size stop evicting when most is lost.
const SMALL: usize = 50;

/// The node's region and zone, as one name.
pub(super) fn zone(node: &Node) -> String {
    let label = |name: &str| node.metadata.labels.as_ref().and_then(|labels| labels.get(name)).cloned();
    let region = label("topology.kubernetes.io/region").unwrap_or_default();
    format!("{region}/{}", label("topology.kubernetes.io/zone").unwrap_or_default())
}

/// Sets the NoExecute taints of all nodes, and says when the next node's turn comes.
pub fn plan(nodes: &[Arc<Node>], now: Timestamp) -> Plan {
    let mut zones: BTreeMap<String, Vec<&Node>> = BTreeMap::new();
    for node in nodes.iter().filter(|node| node.metadata.deletion_timestamp.is_none()) {
        zones.entry(zone(node)).or_default().push(node);
    }
    let mut plan = Plan::default();
    let mut writes = Vec::new();
    let ours_is_the_fault = !nodes.iter().any(|node| lost(node).is_none());
    for zone in zones.values_mut() {
        zone.sort_by_key(|node| node.metadata.name.clone());
        if ours_is_the_fault {
            writes.extend(zone.iter().filter_map(|node| taint::exactly(node, &KNOWN, &[], "NoExecute", now)));
        } else {
            writes.extend(plan_zone(zone, now, &mut plan));
        }
    }
    plan.then(writes);
    plan
}

/// The taint that says why the node is not Ready; none where it is.
fn lost(node: &Node) -> Option<&'static str> {
    match condition(node, "Ready").map(|ready| ready.status.as_str()) {
        Some("True") => None,
        Some("False") => Some(NOT_READY),
        // A node that has never posted a status is Ready to nobody, and has nothing to evict.
        _ => Some(UNREACHABLE),
    }
}

fn is_tainted(node: &Node) -> bool {
    taint::taints(node).iter().any(|taint| taint.effect == "NoExecute" && KNOWN.contains(&taint.key.as_str()))
}

/// Heals and changes taints at once, adds them one node at a time.
fn plan_zone(zone: &[&Node], now: Timestamp, plan: &mut Plan) -> Vec<Action> {
    let mut writes = Vec::new();
    let mut wait = pace(zone).map(|pace| pace.saturating_sub(since_last(zone, now)));
    for node in zone {
        let wanted = lost(node).filter(|_| condition(node, "Ready").is_some());
        let turn = is_tainted(node) || wanted.is_none();
        if turn || wait.is_some_and(|wait| wait.is_zero()) {
            writes.extend(taint::exactly(node, &KNOWN, wanted.as_slice(), "NoExecute", now));
        }
        if !turn && let Some(left) = wait {
            wait = if left.is_zero() { pace(zone) } else { wait };
            plan.within(wait.unwrap_or(PACE).max(left));
        }
    }
    writes
}

/// The time between two nodes of the zone; none where nothing may be evicted.
fn pace(zone: &[&Node]) -> Option<Duration> {
    let gone = zone.iter().filter(|node| lost(node).is_some()).count();
    let partial = gone > 2 && gone < zone.len() && gone * 100 >= zone.len() * 55;
    match partial {
        false => Some(PACE),
        true if zone.len() > SMALL => Some(SLOW_PACE),
        true => None,
    }
}

/// The time since a node of the zone was last tainted.
fn since_last(zone: &[&Node], now: Timestamp) -> Duration {
    let taints = zone.iter().flat_map(|node| taint::taints(node));
    let ours = taints.filter(|taint| taint.effect == "NoExecute" && KNOWN.contains(&taint.key.as_str()));
    let added = ours.filter_map(|taint| taint.time_added.as_ref());
    added.map(|time| pod::age(time.0, now)).min().unwrap_or(Duration::MAX)
}
