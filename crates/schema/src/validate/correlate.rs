//! Which old value a new one stands for: by name in objects, by key in list maps, by value in sets.

use serde_json::{Map, Value};

use crate::model::{ListType, NodeRef};

/// The old items of a list, where they can be told apart.
pub(super) enum Correlation<'a> {
    Keys { node: NodeRef<'a>, old: &'a [Value] },
    Values(&'a [Value]),
    None,
}

impl<'a> Correlation<'a> {
    pub(super) fn of_list(node: NodeRef<'a>, old: Option<&'a Value>) -> Self {
        match (node.list_type(), old.and_then(Value::as_array)) {
            (Some(ListType::Map), Some(old)) => Self::Keys { node, old },
            (Some(ListType::Set), Some(old)) => Self::Values(old),
            _ => Self::None,
        }
    }

    /// The old item that this one stands for.
    pub(super) fn item(&self, item: &Value) -> Option<&'a Value> {
        match self {
            Self::Keys { node, old } => old.iter().find(|other| same_keys(*node, item, other)),
            Self::Values(old) => old.iter().find(|other| *other == item),
            Self::None => None,
        }
    }
}

fn same_keys(node: NodeRef<'_>, a: &Value, b: &Value) -> bool {
    node.list_keys().iter().all(|key| a.get(key.as_ref()) == b.get(key.as_ref()))
}

/// The part of an item that tells it apart in a list map.
pub(super) fn keys_of(node: NodeRef<'_>, item: &Value) -> Value {
    let pairs =
        node.list_keys().iter().filter_map(|key| Some((key.to_string(), item.get(key.as_ref())?.clone())));
    Value::Object(pairs.collect::<Map<String, Value>>())
}
