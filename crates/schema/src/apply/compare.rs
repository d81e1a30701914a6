//! What changed between two versions of an object, as sets of fields.
//!
//! Nothing is allocated for parts that are equal.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::element::{self, same};
use super::fields::{self, FieldSet};
use super::place::{Form, Place};
use super::zero::{present, seen, zero};

/// The fields that differ.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Diff {
    /// Fields that are new or have another value.
    pub(super) changed: FieldSet,
    /// Fields that are gone.
    pub(super) removed: FieldSet,
}

impl Diff {
    pub(super) fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.removed.is_empty()
    }

    /// Leaves out fields that the request cannot change.
    pub(super) fn exclude(&mut self, fields: &FieldSet) {
        self.changed.subtract_below(fields);
        self.removed.subtract_below(fields);
    }
}

/// Compares two objects. `metadata.managedFields` is left out.
pub(super) fn compare(root: Place<'_>, old: &Value, new: &Value) -> Diff {
    let mut change = Change::default();
    change.maps(root, old, new, "metadata");
    if old.get("metadata").is_some() || new.get("metadata").is_some() {
        let before = old.get("metadata").or_else(|| zero(root, "metadata"));
        let below = Change::walk(root.child("metadata"), before, new.get("metadata"), "managedFields");
        change.attach(element::field("metadata"), below);
    }
    Diff { changed: FieldSet(change.changed), removed: FieldSet(change.removed) }
}

/// Whether two values of one place are the same to a reader, `metadata.managedFields` left out: order
/// counts, empty lists and maps of built-in kinds are absent ones.
pub(super) fn alike(place: Place<'_>, old: &Value, new: &Value) -> bool {
    match (old, new) {
        (Value::Object(a), Value::Object(b)) => {
            let equal = |key: &String| match (seen(place, key, a.get(key)), seen(place, key, b.get(key))) {
                (Some(a), Some(b)) => alike(place.child(key), a, b),
                (a, b) => a.is_none() && b.is_none(),
            };
            let counts = |key: &&String| !(place.is_metadata() && *key == "managedFields");
            a.keys().chain(b.keys().filter(|key| !a.contains_key(*key))).filter(counts).all(equal)
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| alike(place.items(), a, b))
        }
        _ => same(old, new),
    }
}

/// The change of one value: whether it itself is in the sets, and what is below it.
#[derive(Default)]
struct Change {
    changed_here: bool,
    removed_here: bool,
    changed: Map<String, Value>,
    removed: Map<String, Value>,
}

impl Change {
    /// Compares two values of one place, at least one of which is there; `skip` is a field left out.
    fn walk(place: Place<'_>, old: Option<&Value>, new: Option<&Value>, skip: &str) -> Self {
        let mut change = Self::default();
        let form = |value: Option<&Value>| value.filter(|v| !v.is_null()).map(|v| place.form(v));
        match (form(old), form(new)) {
            (Some(before), Some(after)) if before != after => {
                // A deduced value took another form: what it was goes, what it is comes.
                change.compare(place, before, old, new, skip);
                change.compare(place, after, old, new, skip);
            }
            (before, after) => {
                let form = after.or(before).unwrap_or(Form::Leaf);
                change.compare(place, form, old, new, skip);
            }
        }
        change
    }

    fn compare(
        &mut self,
        place: Place<'_>,
        form: Form,
        old: Option<&Value>,
        new: Option<&Value>,
        skip: &str,
    ) {
        let null = &Value::Null;
        match form {
            Form::Map if !(is_empty_map(old) && is_empty_map(new)) => {
                self.maps(place, old.unwrap_or(null), new.unwrap_or(null), skip);
            }
            Form::List if !(is_empty_list(old) && is_empty_list(new)) => {
                self.lists(place, list(old), list(new));
            }
            _ => return self.leaf(old, new),
        }
        self.changed_here |= old.is_none();
        self.removed_here |= new.is_none();
    }

    fn leaf(&mut self, old: Option<&Value>, new: Option<&Value>) {
        match (old, new) {
            (Some(old), Some(new)) => self.changed_here |= !same(old, new),
            (None, _) => self.changed_here = true,
            (_, None) => self.removed_here = true,
        }
    }

    fn maps(&mut self, place: Place<'_>, old: &Value, new: &Value, skip: &str) {
        let (before, after) = (old.as_object(), new.as_object());
        for (key, value) in after.into_iter().flatten().filter(|(key, _)| *key != skip) {
            let prior = before.and_then(|map| map.get(key));
            self.field(place, key, prior, Some(value), before.is_some());
        }
        for (key, value) in before.into_iter().flatten().filter(|(key, _)| *key != skip) {
            if after.is_none_or(|map| !map.contains_key(key)) {
                self.field(place, key, Some(value), None, true);
            }
        }
    }

    /// Compares a field; `within` tells that the old object is there to have zero values.
    fn field(&mut self, place: Place<'_>, key: &str, old: Option<&Value>, new: Option<&Value>, within: bool) {
        if let (Some(Value::String(old)), Some(Value::String(new))) = (old, new)
            && old == new
        {
            return;
        }
        let old = old.and_then(|value| present(place, key, value));
        let new = new.and_then(|value| present(place, key, value));
        if old.is_none() && new.is_none() {
            return;
        }
        let old = old.or_else(|| zero(place, key).filter(|_| within));
        let below = Self::walk(place.child(key), old, new, "");
        if !below.is_empty() {
            self.attach(element::field(key), below);
        }
    }

    fn lists(&mut self, place: Place<'_>, old: &[Value], new: &[Value]) {
        if old == new {
            return;
        }
        for (element, (before, after)) in by_element(place, old, new) {
            match (&before[..], &after[..]) {
                ([], []) => {}
                ([_] | [], [_] | []) => self.item(place, element, before.first(), after.first()),
                ([_, _, ..], [_, _, ..]) => {
                    let equal =
                        before.len() == after.len() && before.iter().zip(&after).all(|(a, b)| same(a, b));
                    if !equal {
                        fields::add(&mut self.changed, element, fields::node(true, Map::new()));
                    }
                }
                ([_, _, ..], _) => {
                    if let [only] = after[..] {
                        self.item(place, element.clone(), None, Some(&only));
                    }
                    fields::add(&mut self.removed, element, fields::node(true, Map::new()));
                }
                (_, [_, _, ..]) => {
                    if let [only] = before[..] {
                        self.item(place, element.clone(), Some(&only), None);
                    }
                    fields::add(&mut self.changed, element, fields::node(true, Map::new()));
                }
            }
        }
    }

    fn item(&mut self, place: Place<'_>, element: String, old: Option<&&Value>, new: Option<&&Value>) {
        let below = Self::walk(place.items(), old.copied(), new.copied(), "");
        self.attach(element, below);
    }

    fn is_empty(&self) -> bool {
        !self.changed_here && !self.removed_here && self.changed.is_empty() && self.removed.is_empty()
    }

    fn attach(&mut self, element: String, below: Self) {
        if below.removed_here || !below.removed.is_empty() {
            let node = fields::node(below.removed_here, below.removed);
            fields::add(&mut self.removed, element.clone(), node);
        }
        if below.changed_here || !below.changed.is_empty() {
            fields::add(&mut self.changed, element, fields::node(below.changed_here, below.changed));
        }
    }
}

fn is_empty_map(value: Option<&Value>) -> bool {
    value.and_then(Value::as_object).is_none_or(Map::is_empty)
}

fn is_empty_list(value: Option<&Value>) -> bool {
    list(value).is_empty()
}

fn list(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

type Occurrences<'v> = (Vec<&'v Value>, Vec<&'v Value>);

/// The items of two lists by their element; items that have none are no one's.
fn by_element<'v>(place: Place<'_>, old: &'v [Value], new: &'v [Value]) -> BTreeMap<String, Occurrences<'v>> {
    let mut items: BTreeMap<String, Occurrences<'v>> = BTreeMap::new();
    for item in old {
        if let Ok(element) = place.element(item) {
            items.entry(element).or_default().0.push(item);
        }
    }
    for item in new {
        if let Ok(element) = place.element(item) {
            items.entry(element).or_default().1.push(item);
        }
    }
    items
}
