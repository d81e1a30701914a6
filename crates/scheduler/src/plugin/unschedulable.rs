//! NodeUnschedulable: keeps pods off cordoned nodes.

use super::{Filter, Plugin, Verdict, refuse_for_good};
use crate::{
    event::Event,
    snapshot::Node,
    taint::{Taint, tolerated},
    template::Pod,
};

/// The row.
pub(super) const PLUGIN: Plugin = Plugin {
    name: "NodeUnschedulable",
    filter: Filter::Fixed(filter),
    explain: |_, _| vec!["node(s) were unschedulable".into()],
    hint,
    ..Plugin::BLANK
};

fn filter(pod: &Pod, node: &Node) -> Verdict {
    if !node.facts.unschedulable || tolerated(&Taint::unschedulable(), &pod.template.tolerations) {
        return Ok(());
    }
    refuse_for_good(0)
}

fn hint(pod: &Pod, event: &Event<'_>) -> bool {
    matches!(event, Event::Node(node, change) if (change.added || change.taints) && filter(pod, node).is_ok())
}
