//! TaintToleration: keeps pods off nodes whose taints they do not tolerate, and prefers untainted nodes.

use super::{Filter, Normalize, Plugin, Score, Verdict, refuse_for_good};
use crate::{
    event::Event,
    snapshot::Node,
    taint::{Taint, Toleration, admits},
    template::Pod,
};

/// The row.
pub(super) const PLUGIN: Plugin = Plugin {
    name: "TaintToleration",
    weight: 3,
    filter: Filter::Fixed(filter),
    explain: |_, _| vec!["node(s) had untolerated taint(s)".into()],
    pre_score: |_, _, nodes, _| nodes.iter().any(|node| !node.facts.taints.is_empty()),
    score: Score::Fixed(score),
    normalize: Normalize::Smallest,
    hint,
    ..Plugin::BLANK
};

fn filter(pod: &Pod, node: &Node) -> Verdict {
    if admits(&node.facts.taints, &pod.template.tolerations) {
        return Ok(());
    }
    refuse_for_good(0)
}

/// How many taints would rather not have the pod.
fn score(pod: &Pod, node: &Node) -> i64 {
    let tolerates = |toleration: &Toleration, taint: &Taint| {
        toleration.concerns_preference() && toleration.tolerates(taint)
    };
    let mild = node.facts.taints.iter().filter(|taint| !taint.repels());
    let intolerable = mild.filter(|taint| !pod.template.tolerations.iter().any(|t| tolerates(t, taint)));
    intolerable.count() as i64
}

fn hint(pod: &Pod, event: &Event<'_>) -> bool {
    matches!(event, Event::Node(node, change) if (change.added || change.taints) && filter(pod, node).is_ok())
}
