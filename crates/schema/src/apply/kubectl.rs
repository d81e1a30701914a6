//! The way from client-side to server-side apply: what `kubectl apply` once recorded in an annotation
//! the manager `kubectl` may take over without a conflict, and keeps up to date.

use serde_json::{Map, Value};

use super::compare::compare;
use super::extract::extract;
use super::fields::FieldSet;
use super::place::Place;

/// The annotation of client-side apply.
const ANNOTATION: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Most bytes of all annotations of an object, as Kubernetes limits them.
const ANNOTATIONS_BYTES_MAX: usize = 256 * 1024;

/// The only manager this is about.
pub(super) const MANAGER: &str = "kubectl";

fn annotations(object: &Value) -> Option<&Map<String, Value>> {
    object.get("metadata")?.get("annotations")?.as_object()
}

/// The fields that client-side apply set and that still have the value it gave them.
pub(super) fn applied_before(root: Place<'_>, live: &Value) -> FieldSet {
    let applied = annotations(live)
        .and_then(|annotations| annotations.get(ANNOTATION))
        .and_then(|text| serde_json::from_str::<Value>(text.as_str()?).ok())
        .filter(|applied| applied.is_object() && applied.get("apiVersion") == live.get("apiVersion"));
    let Some(applied) = applied else { return FieldSet::new() };
    let mut set = extract(root, &applied);
    let diff = compare(root, live, &applied);
    set.subtract(&diff.changed);
    set.subtract(&diff.removed);
    set
}

/// Records the configuration in the annotation of an object that has one.
pub(super) fn record(object: &mut Value, config: &Value) {
    if annotations(object).is_none_or(|annotations| !annotations.contains_key(ANNOTATION)) {
        return;
    }
    let mut config = config.clone();
    let own =
        config.get_mut("metadata").and_then(|m| m.get_mut("annotations")).and_then(Value::as_object_mut);
    if let Some(own) = own {
        own.remove(ANNOTATION);
    }
    let text = format!("{config}\n");
    let set =
        object.get_mut("metadata").and_then(|m| m.get_mut("annotations")).and_then(Value::as_object_mut);
    let Some(set) = set else { return };
    let others = set.iter().filter(|(key, _)| *key != ANNOTATION);
    let bytes: usize = others.map(|(key, value)| key.len() + value.as_str().map_or(0, str::len)).sum();
    if bytes + ANNOTATION.len() + text.len() > ANNOTATIONS_BYTES_MAX {
        set.remove(ANNOTATION);
    } else {
        set.insert(ANNOTATION.to_owned(), Value::String(text));
    }
}
