//! Whether evicting pods of lower priority would make room, and the words Kubernetes has for it.
//!
//! Eviction itself is not done yet: where it would help, the message says so
//! and names no victim, and the pod waits as if it did not.

use crate::{
    explain::Histogram,
    schedule::{self, Prepared, Refused},
    snapshot::{Node, Snapshot},
    template::Pod,
};

const NOT_HELPFUL: &str = "Preemption is not helpful for scheduling";
const NO_VICTIMS: &str = "No preemption victims found for incoming pod";

/// What eviction could do for a pod after every node refused it: `preemption: …`.
pub fn outcome(pod: &Pod, snapshot: &Snapshot, prepared: &Prepared<'_>, refused: &[Refused<'_>]) -> String {
    if !pod.template.preempts {
        return never();
    }
    let mut reasons = Histogram::default();
    let mut candidates = 0;
    let resolvable = refused.iter().filter(|one| one.refusal.resolvable);
    let mut examined = 0;
    for one in resolvable {
        examined += 1;
        match without_lower(pod, one.node).map(|node| schedule::passes(pod, &node, prepared)) {
            None => reasons.add(NO_VICTIMS, 1),
            Some(Ok(())) => candidates += 1,
            Some(Err((plugin, refusal))) => reasons.add_refusal(plugin, refusal),
        }
    }
    if candidates > 0 {
        return format!(
            "preemption: not supported yet: evicting pods of lower priority would make room on {candidates} node(s)."
        );
    }
    reasons.add(NOT_HELPFUL, snapshot.len() - examined);
    format!("preemption: {}", reasons.sentence(pod, snapshot.len()))
}

/// The outcome where no eviction can help on any node.
pub fn not_helpful(pod: &Pod, nodes: usize) -> String {
    if !pod.template.preempts {
        return never();
    }
    let mut reasons = Histogram::default();
    reasons.add(NOT_HELPFUL, nodes);
    format!("preemption: {}", reasons.sentence(pod, nodes))
}

fn never() -> String {
    "preemption: not eligible due to preemptionPolicy=Never.".into()
}

/// The node without the pods of lower priority; `None` where there are none.
fn without_lower(pod: &Pod, node: &Node) -> Option<Node> {
    let lower = |other: &Pod| other.template.priority < pod.template.priority;
    let victims: Vec<_> =
        node.pods.iter().filter(|other| lower(other)).map(|other| other.uid.clone()).collect();
    if victims.is_empty() {
        return None;
    }
    let mut emptied = node.clone();
    for uid in victims {
        emptied.remove(&uid);
    }
    Some(emptied)
}
