//! Sets of fields, in the very form `fieldsV1` has in an object.
//!
//! ```text
//! {"f:spec": {"f:replicas": {},                        .spec.replicas
//!             "f:ports": {"k:{\"port\":80}": {".": {}, the item itself
//!                                             "f:name": {}}}}}    and its name
//! ```
//!
//! A node is a member of the set when it is empty or has a `.`. Keeping the tree of the object
//! itself means that nothing is parsed or written on the way from one write to the next, and that
//! taking fields away costs what is taken, not what is there.
//!
//! Invariants: below the root no node is an object without members; keys are canonical, so that
//! equal elements are equal strings.

use std::cmp::Ordering;

use serde_json::{Map, Value};

use super::element;

/// The key that marks a node with children as a member.
const SELF: &str = ".";

/// A set of fields (`FieldsV1`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSet(pub(super) Map<String, Value>);

impl FieldSet {
    /// The empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// The set of these fields, each given by the names that lead to it, with dots between.
    ///
    /// ```
    /// # use schema::apply::FieldSet;
    /// let set = FieldSet::of_fields(&["status", "metadata.labels"]);
    /// assert_eq!(set.paths(), [".status", ".metadata.labels"]);
    /// ```
    pub fn of_fields(paths: &[&str]) -> Self {
        let mut set = Self::new();
        for path in paths {
            let mut node = Value::Object(Map::new());
            for name in path.rsplit('.') {
                node = Value::Object(Map::from_iter([(element::field(name), node)]));
            }
            if let Value::Object(map) = node {
                set.union(Self(map));
            }
        }
        set
    }

    /// Reads a `fieldsV1` value, making its keys canonical.
    ///
    /// # Errors
    /// What is wrong with the first key or value that is none of a field set.
    pub fn from_value(value: Value) -> Result<Self, String> {
        let mut root = canonical(value)?;
        // Nobody owns the whole object.
        root.remove(SELF);
        Ok(Self(root))
    }

    /// The `fieldsV1` value.
    pub fn into_value(self) -> Value {
        Value::Object(self.0)
    }

    /// Whether the set has no members.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds the members of another set.
    pub fn union(&mut self, other: Self) {
        if self.0.is_empty() {
            self.0 = other.0;
            return;
        }
        for (key, node) in other.0 {
            add(&mut self.0, key, node);
        }
    }

    /// Takes away the members of another set; fields below them stay.
    pub fn subtract(&mut self, other: &Self) {
        if !self.0.is_empty() {
            subtract_children(&mut self.0, &other.0);
        }
    }

    /// Takes away the members of another set and all fields below them.
    pub fn subtract_below(&mut self, other: &Self) {
        if !self.0.is_empty() {
            subtract_trees(&mut self.0, &other.0);
        }
    }

    /// The members both sets have.
    pub fn intersection(&self, other: &Self) -> Self {
        Self(intersect_children(&self.0, &other.0))
    }

    /// The members as paths, such as `.spec.ports[port=80].name`: parents before children.
    pub fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        collect(&self.0, "", &mut paths);
        paths
    }
}

/// A node that is a member when told, with these children.
pub(super) fn node(member: bool, mut children: Map<String, Value>) -> Value {
    if member && !children.is_empty() {
        children.insert(SELF.to_owned(), Value::Object(Map::new()));
    }
    Value::Object(children)
}

/// Whether a node, by its map, is a member.
pub(super) fn is_member(node: &Map<String, Value>) -> bool {
    node.is_empty() || node.contains_key(SELF)
}

/// The children of a node with their keys.
pub(super) fn children(map: &Map<String, Value>) -> impl Iterator<Item = (&String, &Map<String, Value>)> {
    map.iter().filter(|(key, _)| *key != SELF).filter_map(|(key, value)| Some((key, value.as_object()?)))
}

/// Adds a node to the children of another.
pub(super) fn add(parent: &mut Map<String, Value>, key: String, node: Value) {
    match (parent.get_mut(&key), node) {
        (Some(Value::Object(into)), Value::Object(from)) => {
            if key != SELF {
                union_node(into, from);
            }
        }
        (_, node) => {
            parent.insert(key, node);
        }
    }
}

fn union_node(into: &mut Map<String, Value>, from: Map<String, Value>) {
    let member = is_member(into) || is_member(&from);
    for (key, node) in from {
        add(into, key, node);
    }
    if member && !into.is_empty() {
        into.insert(SELF.to_owned(), Value::Object(Map::new()));
    }
}

fn subtract_children(parent: &mut Map<String, Value>, other: &Map<String, Value>) {
    for (key, gone) in children(other) {
        if let Some(Value::Object(node)) = parent.get_mut(key)
            && !subtract_node(node, gone)
        {
            parent.remove(key);
        }
    }
}

/// Subtracts, and tells whether anything is left.
fn subtract_node(node: &mut Map<String, Value>, gone: &Map<String, Value>) -> bool {
    let member = is_member(node) && !is_member(gone);
    node.remove(SELF);
    subtract_children(node, gone);
    if node.is_empty() {
        return member;
    }
    if member {
        node.insert(SELF.to_owned(), Value::Object(Map::new()));
    }
    true
}

fn subtract_trees(parent: &mut Map<String, Value>, other: &Map<String, Value>) {
    for (key, gone) in children(other) {
        if is_member(gone) {
            parent.remove(key);
            continue;
        }
        let Some(Value::Object(node)) =
            parent.get_mut(key).filter(|node| **node != Value::Object(Map::new()))
        else {
            continue;
        };
        let member = node.remove(SELF).is_some();
        subtract_trees(node, gone);
        match (member, node.is_empty()) {
            (true, false) => drop(node.insert(SELF.to_owned(), Value::Object(Map::new()))),
            (false, true) => drop(parent.remove(key)),
            _ => {}
        }
    }
}

fn intersect_children(a: &Map<String, Value>, b: &Map<String, Value>) -> Map<String, Value> {
    let mut result = Map::new();
    for (key, left) in children(a) {
        let Some(Value::Object(right)) = b.get(key) else { continue };
        let below = intersect_children(left, right);
        let member = is_member(left) && is_member(right);
        if member || !below.is_empty() {
            result.insert(key.clone(), node(member, below));
        }
    }
    result
}

fn collect(map: &Map<String, Value>, prefix: &str, paths: &mut Vec<String>) {
    let mut sorted: Vec<(element::Shown, &Map<String, Value>)> =
        children(map).map(|(key, node)| (element::Shown::of(key), node)).collect();
    sorted.sort_by(|a, b| a.0.partial_cmp(&b.0).unwrap_or(Ordering::Equal));
    let members = sorted.iter().filter(|(_, node)| is_member(node));
    paths.extend(members.map(|(shown, _)| format!("{prefix}{shown}")));
    for (shown, node) in sorted {
        collect(node, &format!("{prefix}{shown}"), paths);
    }
}

fn canonical(value: Value) -> Result<Map<String, Value>, String> {
    let map = match value {
        Value::Object(map) => map,
        Value::Null => Map::new(),
        other => return Err(format!("a set of fields must be an object, not {other}")),
    };
    if map.keys().all(|key| key == SELF || key.starts_with("f:")) {
        return canonical_children(map);
    }
    let mut result = Map::new();
    for (key, node) in map {
        let mut below = canonical(node)?;
        if below.len() == 1 {
            below.remove(SELF);
        }
        add(&mut result, element::canonical(key)?, Value::Object(below));
    }
    Ok(result)
}

/// As [`canonical`], in place, where the keys are canonical already.
fn canonical_children(mut map: Map<String, Value>) -> Result<Map<String, Value>, String> {
    for node in map.values_mut() {
        let mut below = canonical(node.take())?;
        if below.len() == 1 {
            below.remove(SELF);
        }
        *node = Value::Object(below);
    }
    Ok(map)
}
