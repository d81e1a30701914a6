//! Filling in the defaults of a structural schema.

use serde_json::{Map, Value};

use crate::model::NodeRef;

/// Fills in defaults: for fields that are absent, and for a `null` that the schema does not allow.
/// Such a `null` without a default is dropped. An object that a default brings in is filled too;
/// an absent object without a default is not created.
///
/// Meant for custom resources. Kubernetes fills in built-in kinds in code, and few of their
/// defaults are facts of the schema. Follows KEP 1693 (defaulting). It is idempotent.
pub fn default(value: &mut Value, node: NodeRef<'_>) {
    match value {
        Value::Object(map) => object(map, node),
        Value::Array(items) => {
            let Some(inner) = node.items() else { return };
            for item in items {
                replace_null(item, inner);
                default(item, inner);
            }
        }
        _ => {}
    }
}

fn object(map: &mut Map<String, Value>, node: NodeRef<'_>) {
    for field in node.fields() {
        let fact = field.node();
        match (map.get(field.name()), fact.default()) {
            (None, Some(default)) => drop(map.insert(field.name().to_owned(), default.clone())),
            (Some(Value::Null), Some(default)) if !fact.nullable() => {
                map.insert(field.name().to_owned(), default.clone());
            }
            (Some(Value::Null), None) if !fact.nullable() => drop(map.remove(field.name())),
            _ => {}
        }
    }
    for (key, value) in map {
        let Some(child) = node.child(key) else { continue };
        replace_null(value, child);
        default(value, child);
    }
}

fn replace_null(value: &mut Value, node: NodeRef<'_>) {
    if let (Value::Null, false, Some(default)) = (&*value, node.nullable(), node.default()) {
        *value = default.clone();
    }
}

#[cfg(test)]
mod tests;
