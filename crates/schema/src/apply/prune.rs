//! Fields that were applied before and are no longer: they go, unless someone else owns them.

use serde_json::{Map, Value};

use super::element;
use super::extract::extract;
use super::fields::{self, FieldSet, is_member};
use super::place::{Form, Place};
use crate::model::Type;

/// Removes from `merged` what is in `last` (the applier's former set) and not in `owned` (all sets
/// there are now, the applier's new one included).
pub(super) fn prune(root: Place<'_>, merged: Value, last: &FieldSet, owned: &FieldSet) -> Value {
    let mut omitted = last.clone();
    omitted.subtract(owned);
    if omitted.is_empty() {
        return merged;
    }
    let last = named(root, &last.0);
    let all = named(root, &extract(root, &merged).0);
    // What remains when the former set is taken out, and everything someone owns is put back.
    let rest = remove(root, &merged, &last.0);
    let mut loose = all.clone();
    loose.subtract(&named(root, &extract(root, &rest).0));
    loose.subtract(&named(root, &owned.0));
    let kept = remove(root, &merged, &loose.0);
    // Only what the applier had owned may go.
    let mut gone = all;
    gone.subtract(&named(root, &extract(root, &kept).0));
    remove(root, &merged, &gone.intersection(&last).0)
}

/// The set with the named fields above its members, which exist without being owned.
fn named(place: Place<'_>, set: &Map<String, Value>) -> FieldSet {
    let mut result = Map::new();
    for (key, node) in fields::children(set) {
        let below = match key.strip_prefix("f:") {
            Some(name) => place.child(name),
            None => place.items(),
        };
        let field = key.strip_prefix("f:").is_some_and(|name| place.has_field(name));
        let children = named(below, node).0;
        result.insert(key.clone(), fields::node(field || is_member(node), children));
    }
    FieldSet(result)
}

/// The value without the members of the set. Structs that become empty go too.
fn remove(place: Place<'_>, value: &Value, set: &Map<String, Value>) -> Value {
    match (place.form(value), value) {
        (Form::Map, Value::Object(map)) => {
            let keep = |(key, value): (&String, &Value)| {
                let kept = remove_one(place.child(key), value, set.get(&element::field(key)))?;
                Some((key.clone(), kept))
            };
            Value::Object(map.iter().filter_map(keep).collect())
        }
        (Form::List, Value::Array(items)) => {
            let keep = |item: &Value| {
                let node = place.element(item).ok().and_then(|element| set.get(&element));
                remove_one(place.items(), item, node)
            };
            Value::Array(items.iter().filter_map(keep).collect())
        }
        _ => value.clone(),
    }
}

fn remove_one(place: Place<'_>, value: &Value, node: Option<&Value>) -> Option<Value> {
    let Some(Value::Object(node)) = node else { return Some(value.clone()) };
    if is_member(node) {
        return None;
    }
    let rest = remove(place, value, node);
    let emptied = rest.as_object().is_some_and(Map::is_empty) && *value != rest;
    let is_struct = place.node.is_some_and(|node| node.ty() == Type::Object);
    (!(emptied && is_struct)).then_some(rest)
}
