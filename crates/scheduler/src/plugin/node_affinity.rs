//! NodeAffinity: `nodeSelector`, required and preferred node affinity.

use super::{Filter, Normalize, Plugin, PreFilter, Score, Verdict, refuse_for_good};
use crate::{
    event::Event,
    snapshot::Node,
    template::{Pod, Template},
};

/// The row.
pub(super) const PLUGIN: Plugin = Plugin {
    name: "NodeAffinity",
    weight: 2,
    pre_filter: |pod, _, _| pre_filter(&pod.template),
    filter: Filter::Fixed(filter),
    explain: |_, _| vec!["node(s) didn't match Pod's node affinity/selector".into()],
    pre_score: |pod, _, _, _| !pod.template.node_preferences.is_empty(),
    score: Score::Fixed(score),
    normalize: Normalize::Largest,
    hint,
};

/// Whether the pod's required node affinity and node selector admit the node.
pub(super) fn admits(template: &Template, node: &Node) -> bool {
    let facts = &node.facts;
    template.node_selector.iter().all(|one| one.matches(&facts.labels))
        && template
            .node_terms
            .as_ref()
            .is_none_or(|terms| terms.iter().any(|term| term.matches(&facts.name, &facts.labels)))
}

/// A pod whose every alternative names its nodes (DaemonSet pods do) is checked against those alone.
fn pre_filter(template: &Template) -> PreFilter {
    let Some(terms) = &template.node_terms else {
        return if template.node_selector.is_empty() { PreFilter::Skip } else { PreFilter::Run };
    };
    let mut names = Vec::new();
    for term in terms {
        match term.names() {
            Some(named) => names.extend(named.into_iter().map(Box::from)),
            None => return PreFilter::Run,
        }
    }
    match (terms.is_empty(), names.is_empty()) {
        (true, _) => PreFilter::Run,
        (false, true) => PreFilter::Reject("pod affinity terms conflict".into()),
        (false, false) => PreFilter::Only(names),
    }
}

fn filter(pod: &Pod, node: &Node) -> Verdict {
    if admits(&pod.template, node) {
        return Ok(());
    }
    refuse_for_good(0)
}

fn score(pod: &Pod, node: &Node) -> i64 {
    let facts = &node.facts;
    let wanted = pod.template.node_preferences.iter();
    let met = wanted.filter(|(_, term)| term.matches(&facts.name, &facts.labels));
    met.map(|(weight, _)| i64::from(*weight)).sum()
}

fn hint(pod: &Pod, event: &Event<'_>) -> bool {
    matches!(event, Event::Node(node, change) if (change.added || change.labels) && filter(pod, node).is_ok())
}
