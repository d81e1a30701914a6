//! NodeName: a pod that names its node runs there or nowhere.

use super::{Filter, Plugin, Verdict, refuse_for_good};
use crate::{event::Event, snapshot::Node, template::Pod};

/// The row.
pub(super) const PLUGIN: Plugin = Plugin {
    name: "NodeName",
    filter: Filter::Fixed(filter),
    explain: |_, _| vec!["node(s) didn't match the requested node name".into()],
    hint,
    ..Plugin::BLANK
};

fn filter(pod: &Pod, node: &Node) -> Verdict {
    match &pod.node {
        Some(name) if **name != *node.name() => refuse_for_good(0),
        _ => Ok(()),
    }
}

fn hint(pod: &Pod, event: &Event<'_>) -> bool {
    matches!(event, Event::Node(node, change) if change.added && filter(pod, node).is_ok())
}
