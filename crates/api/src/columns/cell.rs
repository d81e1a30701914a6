//! Cells that many kinds have.

use serde_json::Value;

use super::items;
use crate::duration;
use crate::meta::{self, MicroTime, Time};
use crate::quantity::Quantity;
use crate::selector::LabelSelector;

pub(super) const NONE: &str = "<none>";
pub(super) const UNSET: &str = "<unset>";
pub(super) const UNKNOWN: &str = "<unknown>";

/// The object's name.
pub(super) fn name(object: &Value) -> Value {
    meta::name(object).into()
}

/// The time of creation as it is.
pub(super) fn created_at(object: &Value) -> Value {
    meta::creation_timestamp(object).map_or(Value::Null, Value::from)
}

/// The time since creation.
pub(super) fn age(object: &Value, now: Time) -> Value {
    since(object, "metadata.creationTimestamp", now).into()
}

/// The time since what a path says; whole seconds or micros.
pub(super) fn since(object: &Value, path: &str, now: Time) -> String {
    MicroTime::parse(meta::text(object, path))
        .map_or_else(|| UNKNOWN.to_owned(), |t| duration::between(t.seconds(), now))
}

/// The text at a path, empty if absent.
pub(super) fn text(object: &Value, path: &str) -> Value {
    meta::text(object, path).into()
}

/// The text at a path, or a word for its absence.
pub(super) fn text_or(object: &Value, path: &str, absent: &str) -> Value {
    match meta::text(object, path) {
        "" => absent.into(),
        text => text.into(),
    }
}

/// The whole number at a path, 0 if absent.
pub(super) fn int(object: &Value, path: &str) -> i64 {
    meta::at(object, path).and_then(Value::as_i64).unwrap_or(0)
}

/// The whole number at a path, 0 if absent, as a cell.
pub(super) fn integer(object: &Value, path: &str) -> Value {
    int(object, path).into()
}

/// The truth value at a path.
pub(super) fn flag(object: &Value, path: &str, absent: bool) -> bool {
    meta::at(object, path).and_then(Value::as_bool).unwrap_or(absent)
}

/// The number of entries of a list or map at a path.
pub(super) fn count(object: &Value, path: &str) -> usize {
    match meta::at(object, path) {
        Some(Value::Array(items)) => items.len(),
        Some(Value::Object(map)) => map.len(),
        _ => 0,
    }
}

/// The texts of a list at a path.
pub(super) fn texts<'a>(object: &'a Value, path: &str) -> Vec<&'a str> {
    items(object, path).iter().filter_map(Value::as_str).collect()
}

/// The quantity at a path in canonical form, zero if absent.
pub(super) fn quantity(value: Option<&Value>) -> String {
    match value {
        Some(value) => Quantity::from_value(value).map_or_else(|_| plain(value), |q| q.to_string()),
        None => "0".to_owned(),
    }
}

/// A value's text without quotes.
pub(super) fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A map of labels: `a=b,c=d`.
pub(super) fn labels(object: &Value, path: &str) -> String {
    let map = meta::at(object, path).and_then(Value::as_object);
    let pairs: Vec<String> =
        map.into_iter().flatten().map(|(k, v)| format!("{k}={}", v.as_str().unwrap_or(""))).collect();
    if pairs.is_empty() { NONE.to_owned() } else { pairs.join(",") }
}

/// A `metav1.LabelSelector` in the syntax of selector parameters.
pub(super) fn selector(object: &Value, path: &str) -> String {
    match LabelSelector::from_object(meta::at(object, path)).map(|s| s.to_string()) {
        Ok(text) if text.is_empty() => NONE.to_owned(),
        Ok(text) => text,
        Err(_) => "<error>".to_owned(),
    }
}

/// Names and images of the containers of a pod's spec at a path.
pub(super) fn containers(object: &Value, spec: &str) -> [Value; 2] {
    let containers = meta::at(object, spec).map_or(&[] as &[Value], |s| items(s, "containers"));
    ["name", "image"].map(|field| {
        let all: Vec<&str> = containers.iter().map(|c| meta::text(c, field)).collect();
        all.join(",").into()
    })
}

/// The status of the first condition of a type.
pub(super) fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    items(object, "status.conditions").iter().find(|c| meta::text(c, "type") == kind)
}

/// Whether the first condition of a type is true.
pub(super) fn holds(object: &Value, kind: &str) -> bool {
    condition(object, kind).is_some_and(|c| meta::text(c, "status") == "True")
}

/// At most so many texts, and how many more there are.
pub(super) fn some(all: &[String], limit: usize, separator: &str, none: &str) -> String {
    match all.len() {
        0 => none.to_owned(),
        n if n > limit => format!("{} + {} more...", all[..limit].join(separator), n - limit),
        _ => all.join(separator),
    }
}

/// A phase, or that the object is being deleted.
pub(super) fn phase(object: &Value) -> Value {
    if meta::text(object, "metadata.deletionTimestamp").is_empty() {
        text(object, "status.phase")
    } else {
        "Terminating".into()
    }
}

/// The same where an absent selector means every pod, as in a NetworkPolicy.
pub(super) fn selector_or_all(object: &Value, path: &str) -> String {
    if meta::at(object, path).is_some() { selector(object, path) } else { NONE.to_owned() }
}
