//! Cheap access to what every object has: its identity, labels, owners and times.
//!
//! Readers take a `&Value` and never fail: what is absent or of the wrong type reads as absent or empty. Writers
//! make `metadata` where it is missing.

pub mod name;
pub mod time;

use serde_json::map::Map;
use serde_json::{Value, json};

pub use time::{MicroTime, Time};

/// One owner of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnerReference<'a> {
    /// The owner's `apiVersion`.
    pub api_version: &'a str,
    /// The owner's kind.
    pub kind: &'a str,
    /// The owner's name.
    pub name: &'a str,
    /// The owner's uid.
    pub uid: &'a str,
    /// Whether this is the owner that manages the object.
    pub controller: bool,
    /// Whether the owner's foreground deletion waits for this object.
    pub block_owner_deletion: bool,
}

/// The value at a dotted path, such as `spec.nodeName`.
pub fn at<'a>(object: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(object, |value, name| value.get(name))
}

/// The text at a dotted path, `""` if there is none.
pub fn text<'a>(object: &'a Value, path: &str) -> &'a str {
    at(object, path).and_then(Value::as_str).unwrap_or("")
}

/// Whether a value says no more than an absent one: null, or an empty object, list or string.
pub fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::String(text) => text.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn get<'a>(object: &'a Value, field: &str) -> Option<&'a Value> {
    object.get("metadata")?.get(field)
}

fn get_text<'a>(object: &'a Value, field: &str) -> &'a str {
    get(object, field).and_then(Value::as_str).unwrap_or("")
}

/// `apiVersion`.
pub fn api_version(object: &Value) -> &str {
    object.get("apiVersion").and_then(Value::as_str).unwrap_or("")
}

/// `kind`.
pub fn kind(object: &Value) -> &str {
    object.get("kind").and_then(Value::as_str).unwrap_or("")
}

/// `metadata.name`.
pub fn name(object: &Value) -> &str {
    get_text(object, "name")
}

/// `metadata.generateName`.
pub fn generate_name(object: &Value) -> &str {
    get_text(object, "generateName")
}

/// `metadata.namespace`.
pub fn namespace(object: &Value) -> &str {
    get_text(object, "namespace")
}

/// `metadata.uid`.
pub fn uid(object: &Value) -> &str {
    get_text(object, "uid")
}

/// `metadata.resourceVersion`, opaque text.
pub fn resource_version(object: &Value) -> &str {
    get_text(object, "resourceVersion")
}

/// `metadata.generation`.
pub fn generation(object: &Value) -> Option<i64> {
    get(object, "generation")?.as_i64()
}

/// `metadata.deletionGracePeriodSeconds`.
pub fn deletion_grace_period_seconds(object: &Value) -> Option<i64> {
    get(object, "deletionGracePeriodSeconds")?.as_i64()
}

/// `metadata.creationTimestamp`.
pub fn creation_timestamp(object: &Value) -> Option<Time> {
    Time::parse(get_text(object, "creationTimestamp"))
}

/// `metadata.deletionTimestamp`: set means that the object is being deleted.
pub fn deletion_timestamp(object: &Value) -> Option<Time> {
    Time::parse(get_text(object, "deletionTimestamp"))
}

/// `metadata.labels`, if there are any.
pub fn labels(object: &Value) -> Option<&Map<String, Value>> {
    get(object, "labels")?.as_object()
}

/// One label's value.
pub fn label<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    labels(object)?.get(key)?.as_str()
}

/// `metadata.annotations`, if there are any.
pub fn annotations(object: &Value) -> Option<&Map<String, Value>> {
    get(object, "annotations")?.as_object()
}

/// One annotation's value.
pub fn annotation<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    annotations(object)?.get(key)?.as_str()
}

/// `metadata.finalizers`.
pub fn finalizers(object: &Value) -> impl Iterator<Item = &str> {
    get(object, "finalizers").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// `metadata.managedFields`.
pub fn managed_fields(object: &Value) -> &[Value] {
    get(object, "managedFields").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// `metadata.ownerReferences`.
pub fn owner_references(object: &Value) -> impl Iterator<Item = OwnerReference<'_>> {
    get(object, "ownerReferences").and_then(Value::as_array).into_iter().flatten().map(owner)
}

/// The owner that manages the object, if it has one.
pub fn controller_of(object: &Value) -> Option<OwnerReference<'_>> {
    owner_references(object).find(|o| o.controller)
}

fn owner(value: &Value) -> OwnerReference<'_> {
    let flag = |field| value.get(field).and_then(Value::as_bool).unwrap_or(false);
    OwnerReference {
        api_version: text(value, "apiVersion"),
        kind: text(value, "kind"),
        name: text(value, "name"),
        uid: text(value, "uid"),
        controller: flag("controller"),
        block_owner_deletion: flag("blockOwnerDeletion"),
    }
}

/// `metadata` for writing, made where it is missing or no object.
///
/// # Panics
/// The object is no JSON object: decoding has refused such bodies long before.
pub fn metadata_mut(object: &mut Value) -> &mut Map<String, Value> {
    let root = object.as_object_mut().expect("an API object is a JSON object");
    let metadata = root.entry("metadata").or_insert_with(|| json!({}));
    if !metadata.is_object() {
        *metadata = json!({});
    }
    metadata.as_object_mut().expect("it was just made one")
}

/// Sets a field of `metadata`.
pub fn set(object: &mut Value, field: &str, value: impl Into<Value>) {
    metadata_mut(object).insert(field.to_owned(), value.into());
}

/// Removes a field of `metadata`, and returns what it was.
pub fn remove(object: &mut Value, field: &str) -> Option<Value> {
    metadata_mut(object).remove(field)
}

/// Sets `metadata.name`.
pub fn set_name(object: &mut Value, name: &str) {
    set(object, "name", name);
}

/// Sets `metadata.namespace`, or removes it where it is empty.
pub fn set_namespace(object: &mut Value, namespace: &str) {
    if namespace.is_empty() {
        remove(object, "namespace");
    } else {
        set(object, "namespace", namespace);
    }
}

/// Sets `metadata.uid`.
pub fn set_uid(object: &mut Value, uid: &str) {
    set(object, "uid", uid);
}

/// Sets `metadata.resourceVersion` to a store revision.
pub fn set_resource_version(object: &mut Value, revision: u64) {
    set(object, "resourceVersion", revision.to_string());
}

/// Sets `metadata.generation`.
pub fn set_generation(object: &mut Value, generation: i64) {
    set(object, "generation", generation);
}

/// Sets `metadata.creationTimestamp`.
pub fn set_creation_timestamp(object: &mut Value, time: Time) {
    set(object, "creationTimestamp", time.to_string());
}

/// Marks the object as being deleted: the time when it may go and how many seconds of grace that includes.
pub fn set_deletion(object: &mut Value, time: Time, grace_seconds: i64) {
    set(object, "deletionTimestamp", time.to_string());
    set(object, "deletionGracePeriodSeconds", grace_seconds);
}

/// Sets one label.
pub fn set_label(object: &mut Value, key: &str, value: &str) {
    set_entry(object, "labels", key, value);
}

/// Sets one annotation.
pub fn set_annotation(object: &mut Value, key: &str, value: &str) {
    set_entry(object, "annotations", key, value);
}

fn set_entry(object: &mut Value, field: &str, key: &str, value: &str) {
    let map = metadata_mut(object).entry(field).or_insert_with(|| json!({}));
    if !map.is_object() {
        *map = json!({});
    }
    map[key] = value.into();
}

/// Sets `metadata.finalizers`, or removes the field where there are none.
pub fn set_finalizers(object: &mut Value, finalizers: &[&str]) {
    if finalizers.is_empty() {
        remove(object, "finalizers");
    } else {
        set(object, "finalizers", finalizers.to_vec());
    }
}

/// Removes one finalizer; tells whether it was there.
pub fn remove_finalizer(object: &mut Value, finalizer: &str) -> bool {
    let rest: Vec<String> = finalizers(object).filter(|f| *f != finalizer).map(str::to_owned).collect();
    let found = rest.len() < finalizers(object).count();
    if found {
        set_finalizers(object, &rest.iter().map(String::as_str).collect::<Vec<_>>());
    }
    found
}

#[cfg(test)]
mod tests;
