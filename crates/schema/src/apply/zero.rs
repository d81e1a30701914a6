//! What an object of a built-in kind has before anyone sets anything.
//!
//! Kubernetes decodes built-in kinds into Go structs, in which a field that is a struct by value, or
//! a required list or map, is there from the start. So its creator does not own it (`f:spec` gets no
//! `.`), only what is in it. The OpenAPI description does not tell values from pointers; optional
//! fields that are values are listed here, as the Go API types declare them.

use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::place::Place;
use crate::model::Type;

/// Optional fields that are structs by value: the definition's last word (any if empty), the field.
const VALUES: &[(&str, &str)] = &[
    ("", "metadata"),
    ("", "spec"),
    ("", "status"),
    ("DeploymentSpec", "strategy"),
    ("StatefulSetSpec", "updateStrategy"),
    ("DaemonSetSpec", "updateStrategy"),
    ("ReplicaSetSpec", "template"),
    ("PodTemplate", "template"),
    ("CronJobSpec", "jobTemplate"),
    ("PersistentVolumeClaimSpec", "resources"),
    ("ServiceStatus", "loadBalancer"),
    ("IngressStatus", "loadBalancer"),
    ("NodeStatus", "daemonEndpoints"),
    ("NodeStatus", "nodeInfo"),
    ("NodeDaemonEndpoints", "kubeletEndpoint"),
    ("Event", "source"),
    ("Event", "regarding"),
    ("Event", "deprecatedSource"),
    ("CustomResourceDefinitionStatus", "acceptedNames"),
    ("ResourceClaimSpec", "devices"),
];

/// The empty object: also what a creation is compared with.
pub(super) static EMPTY: LazyLock<Value> = LazyLock::new(|| Value::Object(Map::new()));
static NULL: Value = Value::Null;

/// The value a field of a built-in kind has when it is not set, unless that is none.
pub(super) fn zero(place: Place<'_>, key: &str) -> Option<&'static Value> {
    let node = place.node.filter(|_| place.is_builtin())?;
    let field = node.field(key)?;
    match field.node().ty() {
        Type::Object if field.required() || is_value(node.definition_name(), key) => Some(&EMPTY),
        Type::Array | Type::Map if field.required() => Some(&NULL),
        _ => None,
    }
}

/// The value of a field, unless it is one that a built-in kind does not tell from an absent one: Go
/// leaves out empty lists and maps of optional fields.
pub(super) fn present<'v>(place: Place<'_>, key: &str, value: &'v Value) -> Option<&'v Value> {
    let required = || {
        let field = place.node.and_then(|node| node.field(key));
        field.is_some_and(|field| field.required() && field.node().ty() != Type::Object)
    };
    (!is_blank(place, key, value) || required()).then_some(value)
}

/// What a reader of a field sees, present or not: a blank value is as good as the zero value.
pub(super) fn seen<'v>(place: Place<'_>, key: &str, value: Option<&'v Value>) -> Option<&'v Value> {
    value.filter(|value| !is_blank(place, key, value)).or_else(|| zero(place, key))
}

fn is_blank(place: Place<'_>, key: &str, value: &Value) -> bool {
    let empty = match value {
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    };
    empty && place.is_builtin() && {
        let ty = place.node.and_then(|node| node.field(key)).map(|field| field.node().ty());
        match ty {
            Some(Type::Array | Type::Map) => true,
            Some(Type::Object) => zero(place, key).is_some(),
            _ => false,
        }
    }
}

fn is_value(definition: Option<&str>, key: &str) -> bool {
    let name = definition.and_then(|name| name.rsplit('.').next()).unwrap_or_default();
    VALUES.iter().any(|(owner, field)| *field == key && (owner.is_empty() || *owner == name))
}
