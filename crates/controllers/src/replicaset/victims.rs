//! Which of too many pods go first.

use std::cmp::{Ordering, Reverse};
use std::collections::HashMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;

use crate::pod;

const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";

/// The `count` pods that are missed least: those without a node, not yet running, not ready, cheap
/// (by their deletion-cost annotation), sharing a node with many of their like, ready for a short
/// time, often restarted, young. Times compare by their order of magnitude, so that no pod is doomed
/// by a second's difference; then the uid decides.
pub(crate) fn choose(
    pods: &[Arc<Pod>],
    ranks: &HashMap<String, usize>,
    count: usize,
    now: Timestamp,
) -> Vec<Arc<Pod>> {
    if count >= pods.len() {
        return pods.to_vec();
    }
    let mut sorted: Vec<_> = pods.iter().map(|pod| (Rank::of(pod, ranks, now), pod)).collect();
    sorted.sort_by(|(a, _), (b, _)| a.compare(b));
    sorted.into_iter().take(count).map(|(_, pod)| Arc::clone(pod)).collect()
}

struct Rank {
    placed: bool,
    phase: u8,
    ready: bool,
    cost: i32,
    crowd: Reverse<usize>,
    ready_since: Moment,
    restarts: Reverse<i32>,
    created: Moment,
    uid: String,
}

impl Rank {
    fn of(pod: &Pod, ranks: &HashMap<String, usize>, now: Timestamp) -> Self {
        let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_ref()).filter(|node| !node.is_empty());
        let created = pod.metadata.creation_timestamp.as_ref().map(|time| time.0);
        Self {
            placed: node.is_some(),
            phase: phase_rank(pod),
            ready: pod::is_ready(pod),
            cost: deletion_cost(pod),
            crowd: Reverse(node.and_then(|node| ranks.get(node)).copied().unwrap_or(0)),
            ready_since: Moment::new(pod::ready_since(pod), now),
            restarts: Reverse(restarts(pod)),
            created: Moment::new(created, now),
            uid: pod.metadata.uid.clone().unwrap_or_default(),
        }
    }

    fn compare(&self, other: &Self) -> Ordering {
        let key = |rank: &Self| (rank.placed, rank.phase, rank.ready, rank.cost, rank.crowd);
        let by_ready = if self.ready && other.ready {
            self.ready_since.compare(&other.ready_since, &self.uid, &other.uid)
        } else {
            Ordering::Equal
        };
        key(self)
            .cmp(&key(other))
            .then(by_ready)
            .then(self.restarts.cmp(&other.restarts))
            .then_with(|| self.created.compare(&other.created, &self.uid, &other.uid))
    }
}

/// A point in time and the binary order of magnitude of its distance from now.
struct Moment {
    at: Option<Timestamp>,
    magnitude: u32,
}

impl Moment {
    fn new(at: Option<Timestamp>, now: Timestamp) -> Self {
        let nanos = at.map_or(0, |at| pod::age(at, now).as_nanos());
        Self { at, magnitude: nanos.checked_ilog2().map_or(0, |magnitude| magnitude + 1) }
    }

    /// Later first; an unknown time before any known one.
    fn compare(&self, other: &Self, uid: &str, other_uid: &str) -> Ordering {
        match (self.at, other.at) {
            (a, b) if a == b => Ordering::Equal,
            (None, _) => Ordering::Less,
            (_, None) => Ordering::Greater,
            _ => self.magnitude.cmp(&other.magnitude).then_with(|| uid.cmp(other_uid)),
        }
    }
}

fn phase_rank(pod: &Pod) -> u8 {
    match pod::phase(pod) {
        "Pending" => 0,
        "Unknown" => 1,
        _ => 2,
    }
}

fn deletion_cost(pod: &Pod) -> i32 {
    let annotation = pod.metadata.annotations.as_ref().and_then(|annotations| annotations.get(DELETION_COST));
    annotation.and_then(|cost| cost.parse().ok()).unwrap_or(0)
}

/// The restarts of the container that restarted most.
fn restarts(pod: &Pod) -> i32 {
    let Some(status) = &pod.status else { return 0 };
    let containers = status.container_statuses.iter().flatten();
    let sidecars = status.init_container_statuses.iter().flatten();
    containers.chain(sidecars).map(|container| container.restart_count).max().unwrap_or(0)
}
