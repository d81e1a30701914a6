//! A built-in definition in either dialect.

use serde_json::{Map, Value, json};

use super::Dialect;
use crate::model::{FieldRef, GroupVersionKind, NodeRef, Type};

const GROUP_VERSION_KIND: &str = "x-kubernetes-group-version-kind";

/// Definitions whose value is not even always an object.
const UNTYPED: &[&str] =
    &["JSON", "JSONSchemaPropsOrArray", "JSONSchemaPropsOrBool", "JSONSchemaPropsOrStringArray"];

/// The schema of the definition whose root this node is.
pub(super) fn schema(
    node: NodeRef<'_>,
    dialect: Dialect,
    descriptions: &dyn Fn(&str) -> Option<Value>,
) -> Value {
    let name = node.definition_name().unwrap_or_default();
    let words = descriptions(name).unwrap_or_default();
    let mut out = shape(node, dialect);
    if node.ty() == Type::Any && !UNTYPED.contains(&name.rsplit('.').next().unwrap_or_default()) {
        out.insert("type".into(), "object".into());
    }
    describe(&mut out, &words);
    if node.fields().len() > 0 {
        out.insert("properties".into(), properties(node, dialect, &words));
    }
    if !node.required().is_empty() {
        out.insert("required".into(), json!(node.required()));
    }
    if !node.kinds().is_empty() {
        out.insert(GROUP_VERSION_KIND.into(), kinds(node.kinds()));
    }
    Value::Object(out)
}

fn describe(out: &mut Map<String, Value>, words: &Value) {
    if let Some(description) = words.get("description") {
        out.insert("description".into(), description.clone());
    }
}

fn properties(node: NodeRef<'_>, dialect: Dialect, words: &Value) -> Value {
    let own = &words["properties"];
    node.fields()
        .map(|field| (field.name().to_owned(), property(field, dialect, &own[field.name()])))
        .collect()
}

fn property(field: FieldRef<'_>, dialect: Dialect, words: &Value) -> Value {
    let node = field.node();
    let mut facts = Map::new();
    describe(&mut facts, words);
    if let Some(default) = node.default().filter(|_| dialect == Dialect::V3) {
        facts.insert("default".into(), default.clone());
    }
    if !field.patch_strategy().is_empty() {
        facts.insert("x-kubernetes-patch-strategy".into(), field.patch_strategy().to_string().into());
    }
    if let Some(key) = field.merge_key() {
        facts.insert("x-kubernetes-patch-merge-key".into(), key.into());
    }
    with_facts(inner(node, dialect), facts, dialect)
}

/// In v3 nothing may stand beside a `$ref`, so it moves into an `allOf`, as Kubernetes writes it.
fn with_facts(schema: Value, mut facts: Map<String, Value>, dialect: Dialect) -> Value {
    match schema {
        schema if facts.is_empty() => schema,
        Value::Object(schema) if dialect == Dialect::V3 && schema.contains_key("$ref") => {
            let reference = json!({"$ref": schema["$ref"]});
            facts.extend(schema.into_iter().filter(|(key, _)| key != "$ref"));
            facts.insert("allOf".into(), json!([reference]));
            Value::Object(facts)
        }
        Value::Object(schema) => {
            facts.extend(schema);
            Value::Object(facts)
        }
        other => other,
    }
}

/// A node where it is used: a reference if it is a definition of its own.
fn inner(node: NodeRef<'_>, dialect: Dialect) -> Value {
    let Some(name) = node.definition_name() else { return Value::Object(shape(node, dialect)) };
    let reference = dialect.reference(name);
    let own = node.schema().definition(name).map(NodeRef::id) == Some(node.id());
    // A copy differs from its definition in the map type alone.
    let map_type = node.map_type().filter(|_| !own);
    let facts = map_type.map(|map| ("x-kubernetes-map-type".to_owned(), Value::from(map.name())));
    with_facts(reference, facts.into_iter().collect(), dialect)
}

fn shape(node: NodeRef<'_>, dialect: Dialect) -> Map<String, Value> {
    let mut out = match (node.ty(), dialect) {
        (Type::Any, _) => json!({}),
        (Type::Object, _) => json!({"type": "object"}),
        (Type::Map, _) => {
            let values = node.values().map_or(json!({}), |values| inner(values, dialect));
            json!({"type": "object", "additionalProperties": values})
        }
        (Type::Array, _) => {
            let items = node.items().map_or(json!({}), |items| inner(items, dialect));
            json!({"type": "array", "items": items})
        }
        (Type::String, _) => json!({"type": "string"}),
        (Type::Integer, _) => json!({"type": "integer"}),
        (Type::Number, _) => json!({"type": "number"}),
        (Type::Boolean, _) => json!({"type": "boolean"}),
        (Type::IntOrString, Dialect::V2) => json!({"type": "string", "format": "int-or-string"}),
        (Type::IntOrString, Dialect::V3) => {
            json!({"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]})
        }
        (Type::Quantity, Dialect::V2) => json!({"type": "string"}),
        (Type::Quantity, Dialect::V3) => json!({"oneOf": [{"type": "string"}, {"type": "number"}]}),
    };
    let map = out.as_object_mut().map(std::mem::take).unwrap_or_default();
    with_extensions(node, map)
}

fn with_extensions(node: NodeRef<'_>, mut out: Map<String, Value>) -> Map<String, Value> {
    if let Some(format) = node.format_name() {
        out.insert("format".into(), format.into());
    }
    if let Some(list) = node.list_type() {
        out.insert("x-kubernetes-list-type".into(), list.name().into());
    }
    if !node.list_keys().is_empty() {
        out.insert("x-kubernetes-list-map-keys".into(), json!(node.list_keys()));
    }
    if let Some(map) = node.map_type() {
        out.insert("x-kubernetes-map-type".into(), map.name().into());
    }
    out
}

/// The `x-kubernetes-group-version-kind` of a definition.
pub(super) fn kinds(kinds: &[GroupVersionKind]) -> Value {
    kinds.iter().map(kind).collect()
}

/// The `x-kubernetes-group-version-kind` of an operation.
pub(super) fn kind(kind: &GroupVersionKind) -> Value {
    json!({"group": kind.group, "kind": kind.kind, "version": kind.version})
}
