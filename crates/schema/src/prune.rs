//! Dropping what a structural schema does not specify.

use serde_json::Value;

use crate::model::NodeRef;
use crate::path::Path;

/// Drops every field of `value` that `node` does not specify and tells the paths of the dropped
/// ones, sorted (`spec.list[0].field`). `x-kubernetes-preserve-unknown-fields` keeps what is not
/// specified beside it; specified fields below it are pruned all the same. The root and embedded
/// resources keep `apiVersion`, `kind` and the known fields of `metadata`, since [`crate::crd`]
/// puts those into their nodes.
///
/// Follows KEP 1693 (structural schemas, pruning). It is idempotent.
pub fn prune(value: &mut Value, node: NodeRef<'_>) -> Vec<String> {
    let mut dropped = Vec::new();
    walk(value, Some(node), &Path::root(""), &mut dropped);
    dropped.sort_unstable();
    dropped
}

fn walk(value: &mut Value, node: Option<NodeRef<'_>>, path: &Path<'_>, dropped: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            let keeps = node.is_some_and(NodeRef::preserves_unknown);
            map.retain(|key, value| {
                let path = path.field(key);
                match place(node, key) {
                    Place::Known(child) => walk(value, child, &path, dropped),
                    Place::Unknown if keeps => {}
                    Place::Unknown => {
                        dropped.push(path.to_string());
                        return false;
                    }
                }
                true
            });
        }
        Value::Array(items) => {
            let inner = node.and_then(NodeRef::items);
            if inner.is_none() && node.is_some_and(NodeRef::preserves_unknown) {
                return;
            }
            for (index, item) in items.iter_mut().enumerate() {
                walk(item, inner, &path.index(index), dropped);
            }
        }
        _ => {}
    }
}

enum Place<'a> {
    /// Specified; `None` where `additionalProperties` is just `true`.
    Known(Option<NodeRef<'a>>),
    Unknown,
}

fn place<'a>(node: Option<NodeRef<'a>>, key: &str) -> Place<'a> {
    let Some(node) = node else { return Place::Unknown };
    match node.field(key) {
        Some(field) => Place::Known(Some(field.node())),
        None if node.ty() == crate::model::Type::Map => Place::Known(node.values()),
        None => Place::Unknown,
    }
}

#[cfg(test)]
mod tests;
