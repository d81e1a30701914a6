//! A configuration merged into a live object: its values win, everything else stays.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::place::{Form, Place};

/// The merged value of one place. Both values were checked against the schema.
pub(super) fn merge(place: Place<'_>, live: Option<&Value>, config: &Value) -> Value {
    match place.form(config) {
        _ if config.is_null() => Value::Null,
        Form::Map => match config.as_object() {
            Some(config) => Value::Object(maps(place, live.and_then(Value::as_object), config)),
            None => config.clone(),
        },
        Form::List => match config.as_array() {
            Some(config) => {
                let live = live.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
                Value::Array(Lists::new(place, live, config).merge())
            }
            None => config.clone(),
        },
        Form::Leaf => config.clone(),
    }
}

fn maps(
    place: Place<'_>,
    live: Option<&Map<String, Value>>,
    config: &Map<String, Value>,
) -> Map<String, Value> {
    let kept = live.into_iter().flatten().filter(|(key, _)| !config.contains_key(*key));
    let mut merged: Map<String, Value> = kept.map(|(key, value)| (key.clone(), value.clone())).collect();
    for (key, value) in config {
        let child = place.child(key);
        match (live.and_then(|map| map.get(key)), value) {
            // A null map or list leaves what is there.
            (Some(old), Value::Null) if child.form(old) != Form::Leaf => {
                merged.insert(key.clone(), old.clone());
            }
            // In a built-in kind null is an absent field.
            (_, Value::Null) if place.is_builtin() => {}
            (old, value) => {
                merged.insert(key.clone(), merge(child, old, value));
            }
        }
    }
    merged
}

/// Two lists whose items are told apart by their elements, being merged.
///
/// The order is the live one as far as the configuration does not demand another: its items keep
/// their relative order, and live items stay before the configured one they stood before.
struct Lists<'v, 'n> {
    place: Place<'n>,
    live: &'v [Value],
    config: &'v [Value],
    live_elements: Vec<String>,
    config_elements: Vec<String>,
}

impl<'v, 'n> Lists<'v, 'n> {
    fn new(place: Place<'n>, live: &'v [Value], config: &'v [Value]) -> Self {
        // An item without an element cannot come from a checked list; an empty one matches no other.
        let elements =
            |items: &[Value]| items.iter().map(|item| place.element(item).unwrap_or_default()).collect();
        Self { place, live, config, live_elements: elements(live), config_elements: elements(config) }
    }

    /// Live items by element; one that occurs twice is merged with nothing.
    fn observed(&self) -> HashMap<&str, Option<&'v Value>> {
        let mut observed = HashMap::with_capacity(self.live.len());
        for (element, item) in self.live_elements.iter().zip(self.live) {
            observed.entry(element.as_str()).and_modify(|found| *found = None).or_insert(Some(item));
        }
        observed
    }

    fn merge(&self) -> Vec<Value> {
        let observed = self.observed();
        let wanted: HashSet<&str> = self.config_elements.iter().map(String::as_str).collect();
        let mut shared = self.config_elements.iter().filter(|e| observed.contains_key(e.as_str()));
        let mut next_shared = shared.next();
        let mut done: HashSet<&str> = HashSet::new();
        let mut out = Vec::with_capacity(self.live.len().max(self.config.len()));
        let (mut l, mut c) = (0, 0);
        while l < self.live.len() || c < self.config.len() {
            let live = self.live_elements.get(l);
            let config = self.config_elements.get(c);
            if let (Some(live), Some(config)) = (live, config)
                && live != config
                && wanted.contains(live.as_str())
                && next_shared.is_some_and(|next| next != live)
            {
                // Shared, but another shared item comes first.
                l += 1;
                continue;
            }
            if let Some(live) = live.filter(|live| config != Some(*live)) {
                if !wanted.contains(live.as_str()) {
                    out.push(self.live[l].clone());
                    l += 1;
                    continue;
                }
                if done.contains(live.as_str()) || config.is_none() {
                    l += 1;
                }
            } else if live.is_some() {
                l += 1;
            }
            if let Some(config) = config {
                let old = observed.get(config.as_str()).copied().flatten();
                out.push(merge(self.place.items(), old, &self.config[c]));
                done.insert(config.as_str());
                if next_shared == Some(config) {
                    next_shared = shared.next();
                }
                c += 1;
            }
        }
        out
    }
}
