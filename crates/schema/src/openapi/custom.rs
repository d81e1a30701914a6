//! The definitions of custom kinds, made from their CRD's schema.
//!
//! v3 publishes the schema as it is; v2 cannot say everything (combinations, `nullable`, objects
//! that preserve unknown fields), so that is left out there and the value may be anything. Both
//! get `apiVersion`, `kind` and `metadata`, at the root and in embedded resources.

use serde_json::{Map, Value, json};

use super::{CustomKind, Dialect, definition};
use crate::crd::definition_name;
use crate::model::GroupVersionKind;

const META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.";
const API_VERSION: &str = "The versioned schema of this representation of an object, as group/version.";
const KIND: &str = "The REST resource this object represents. It cannot be updated. In CamelCase.";
const METADATA: &str = "Standard metadata of an object.";

/// The definitions of these kinds and of their lists, by name.
pub(super) fn definitions(customs: &[CustomKind<'_>], dialect: Dialect) -> Map<String, Value> {
    let mut out = Map::new();
    for custom in customs {
        let name = definition_name(&custom.kind);
        let list_kind = GroupVersionKind { kind: custom.list_kind.clone().into(), ..custom.kind.clone() };
        out.insert(definition_name(&list_kind), list(&name, &list_kind, dialect));
        out.insert(name, object(custom, dialect));
    }
    out
}

fn object(custom: &CustomKind<'_>, dialect: Dialect) -> Value {
    let preserves = |schema: &Value| flag(schema, "x-kubernetes-preserve-unknown-fields");
    let schema = custom.schema.filter(|schema| dialect == Dialect::V3 || !preserves(schema));
    let mut out = match schema.cloned() {
        // Without a schema no field may be named, or clients would take all others as unknown.
        None => json!({"type": "object"}),
        Some(mut schema) => {
            if dialect == Dialect::V2 {
                simplify(&mut schema);
            }
            embed(&mut schema, dialect);
            identify(&mut schema, "ObjectMeta", dialect);
            schema
        }
    };
    out["x-kubernetes-group-version-kind"] = definition::kinds(std::slice::from_ref(&custom.kind));
    out
}

fn list(item: &str, kind: &GroupVersionKind, dialect: Dialect) -> Value {
    let mut out = json!({
        "type": "object",
        "description": format!("{} is a list of objects.", kind.kind),
        "required": ["items"],
        "properties": {"items": {"type": "array", "items": dialect.reference(item)}},
        "x-kubernetes-group-version-kind": definition::kinds(std::slice::from_ref(kind)),
    });
    identify(&mut out, "ListMeta", dialect);
    out
}

/// Adds `apiVersion`, `kind` and `metadata`.
fn identify(schema: &mut Value, meta: &str, dialect: Dialect) {
    let reference = dialect.reference(&format!("{META}{meta}"));
    let metadata = match dialect {
        Dialect::V2 => json!({"$ref": reference["$ref"], "description": METADATA}),
        Dialect::V3 => json!({"allOf": [reference], "description": METADATA}),
    };
    let Some(schema) = schema.as_object_mut() else { return };
    let properties = schema.entry("properties").or_insert_with(|| json!({}));
    properties["apiVersion"] = json!({"type": "string", "description": API_VERSION});
    properties["kind"] = json!({"type": "string", "description": KIND});
    properties["metadata"] = metadata;
}

/// Completes the embedded resources below the root.
fn embed(schema: &mut Value, dialect: Dialect) {
    each_child(schema, &mut |child| {
        embed(child, dialect);
        if flag(child, "x-kubernetes-embedded-resource") {
            identify(child, "ObjectMeta", dialect);
        }
    });
}

fn flag(schema: &Value, key: &str) -> bool {
    schema.get(key).and_then(Value::as_bool).unwrap_or(false)
}

fn each_child(schema: &mut Value, visit: &mut dyn FnMut(&mut Value)) {
    let Some(schema) = schema.as_object_mut() else { return };
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        properties.values_mut().for_each(&mut *visit);
    }
    for key in ["items", "additionalProperties"] {
        if let Some(child) = schema.get_mut(key).filter(|child| child.is_object()) {
            visit(child);
        }
    }
}

/// Drops what OpenAPI v2 cannot say.
fn simplify(schema: &mut Value) {
    let anything = flag(schema, "nullable")
        || flag(schema, "x-kubernetes-preserve-unknown-fields")
        || flag(schema, "x-kubernetes-int-or-string");
    if let Some(schema) = schema.as_object_mut() {
        for key in ["allOf", "anyOf", "oneOf", "not", "default", "nullable"] {
            schema.remove(key);
        }
        if anything {
            for key in ["type", "properties", "items", "additionalProperties", "required"] {
                schema.remove(key);
            }
        }
    }
    each_child(schema, &mut simplify);
}
