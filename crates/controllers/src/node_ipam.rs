//! Node IPAM: gives every node a range of pod addresses.
//!
//! ```text
//! all nodes -> taken ranges -> [`Allocator`] -> spec.podCIDR(s) of the nodes that have none
//! ```
//!
//! All nodes are planned together under one name, so that two of them can never be given the same
//! range; nothing is remembered but the nodes. A range is free again when its node is gone.
//! Source: the behaviour of the 1.36 range allocator.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Node;
use serde_json::json;

use crate::informer::{Change, Informer};
use crate::plan::{Action, Plan};
use crate::queue::Queue;
use crate::recorder::Note;
use crate::{Context, Shutdown, run as run_plans};

mod range;

pub use range::{Allocator, Range, RangeError};

/// A cluster's range of one family and how much of it each node gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClusterRange {
    /// The whole.
    pub range: Range,
    /// The prefix length of a node's part.
    pub node_prefix: u8,
}

impl ClusterRange {
    /// 10.42.0.0/16, of which each node gets a /24.
    pub fn standard() -> Self {
        Self { range: Range::new([10, 42, 0, 0], 16), node_prefix: 24 }
    }

    /// From text such as `10.42.0.0/16`.
    ///
    /// # Errors
    /// The text is no range, or a node's part would be larger than the whole or smaller than an
    /// address.
    pub fn parse(range: &str, node_prefix: u8) -> Result<Self, RangeError> {
        let range: Range = range.parse()?;
        if (range.prefix()..=range.bits()).contains(&node_prefix) {
            Ok(Self { range, node_prefix })
        } else {
            Err(RangeError::NodePrefix { range, node_prefix })
        }
    }
}

/// Gives every node its part of each of `ranges` until `shutdown`; the first range's part becomes
/// `spec.podCIDR`. Parts that touch one of `reserved` are not given away.
pub async fn run(
    context: Context,
    ranges: Vec<ClusterRange>,
    reserved: Vec<Range>,
    nodes: Informer<Node>,
    shutdown: Shutdown,
) {
    let queue = Queue::default();
    let all = queue.clone();
    nodes.subscribe(move |change| {
        if matters(change) {
            all.add(());
        }
    });
    let watched: Vec<Arc<dyn crate::informer::Watched>> = vec![Arc::new(nodes.clone())];
    let context = context.named("cidrAllocator");
    run_plans(context, watched, queue, shutdown, move |(), _| {
        Ok(Some(plan(&ranges, &reserved, nodes.all())))
    })
    .await;
}

/// A node came without a range, got its range, or is gone.
fn matters(change: Change<'_, Node>) -> bool {
    change.new.is_none() || change.both().any(|node| own(node).is_empty())
}

fn own(node: &Node) -> &[String] {
    let spec = node.spec.as_ref();
    let many = spec.and_then(|spec| spec.pod_cidrs.as_deref()).unwrap_or_default();
    let one = spec.and_then(|spec| spec.pod_cidr.as_ref()).map(std::slice::from_ref);
    if many.is_empty() { one.unwrap_or_default() } else { many }
}

/// Gives the lowest free parts to the nodes that have none, the oldest node first. A node for which
/// a family has nothing left gets nothing and an event.
pub fn plan(ranges: &[ClusterRange], reserved: &[Range], mut nodes: Vec<Arc<Node>>) -> Plan {
    let taken = nodes.iter().flat_map(|node| own(node)).filter_map(|range| range.parse().ok());
    let taken: Vec<Range> = taken.chain(reserved.iter().copied()).collect();
    let mut allocators: Vec<Allocator> = ranges.iter().map(|range| Allocator::new(*range, &taken)).collect();
    nodes.retain(|node| own(node).is_empty() && node.metadata.deletion_timestamp.is_none());
    nodes.sort_by_key(|node| (node.metadata.creation_timestamp.clone(), node.metadata.name.clone()));
    let mut plan = Plan::default();
    let mut writes = Vec::new();
    for node in &nodes {
        let parts: Option<Vec<Range>> = allocators.iter().map(Allocator::peek).collect();
        match parts {
            Some(parts) => {
                allocators.iter_mut().for_each(Allocator::take);
                writes.push(give(node, &parts));
            }
            None => plan.notes.push(note(node, "CIDRNotAvailable")),
        }
    }
    plan.then(writes);
    plan
}

fn give(node: &Node, parts: &[Range]) -> Action {
    let parts: Vec<String> = parts.iter().map(ToString::to_string).collect();
    let meta = json!({ "uid": node.metadata.uid });
    let body = json!({ "metadata": meta, "spec": { "podCIDR": parts.first(), "podCIDRs": parts } });
    Action::merge(node, body).on_failure(note(node, "CIDRAssignmentFailed"))
}

fn note(node: &Node, reason: &str) -> Note {
    let name = node.metadata.name.as_deref().unwrap_or_default();
    Note::normal(node, reason, format!("Node {name} status is now: {reason}"))
}

#[cfg(test)]
mod tests;
