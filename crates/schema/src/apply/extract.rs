//! The fields a configuration sets.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::element;
use super::fields::{self, FieldSet};
use super::place::{Form, Place};

/// The set of all fields of an object.
pub(super) fn extract(root: Place<'_>, object: &Value) -> FieldSet {
    FieldSet(below(root, object).1)
}

/// Whether the value itself is in the set, and the fields below it.
fn below(place: Place<'_>, value: &Value) -> (bool, Map<String, Value>) {
    match place.form(value) {
        Form::Leaf => (true, Map::new()),
        Form::Map => (false, value.as_object().map(|map| of_map(place, map)).unwrap_or_default()),
        Form::List => (false, value.as_array().map(|items| of_list(place, items)).unwrap_or_default()),
    }
}

fn of_map(place: Place<'_>, map: &Map<String, Value>) -> Map<String, Value> {
    let mut set = Map::new();
    for (key, value) in map {
        let (leaf, children) = below(place.child(key), value);
        let empty = value.is_null() || value.as_object().is_some_and(Map::is_empty);
        let member = leaf || empty || !place.has_field(key);
        if member || !children.is_empty() {
            set.insert(element::field(key), fields::node(member, children));
        }
    }
    set
}

fn of_list(place: Place<'_>, items: &[Value]) -> Map<String, Value> {
    let elements: Vec<Option<String>> = items.iter().map(|item| place.element(item).ok()).collect();
    let mut seen: HashMap<&String, usize> = HashMap::with_capacity(items.len());
    for element in elements.iter().flatten() {
        *seen.entry(element).or_default() += 1;
    }
    let twice: HashSet<String> = seen.iter().filter(|(_, n)| **n > 1).map(|(e, _)| (*e).clone()).collect();
    let mut set = Map::new();
    for (item, element) in items.iter().zip(elements) {
        let Some(element) = element else { continue };
        // Of an item that occurs twice nobody owns the parts, only the fact that it is there.
        let children = if twice.contains(&element) { Map::new() } else { below(place.items(), item).1 };
        set.insert(element, fields::node(true, children));
    }
    set
}
