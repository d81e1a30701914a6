//! The way back: a body from a tree, for the tests. It writes what the tree has, empty or not.

use serde_json::{Map, Value, json};

use super::super::table::{self, Message, Slot};
use crate::model::{Format, NodeRef, Type};

const SCHEMA_PROPS: &str = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps";

pub(super) fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

pub(super) fn bytes_field(number: u32, bytes: &[u8]) -> Vec<u8> {
    [varint(u64::from(number) << 3 | 2), varint(bytes.len() as u64), bytes.to_vec()].concat()
}

fn int_field(number: u32, value: i64) -> Vec<u8> {
    [varint(u64::from(number) << 3), varint(value as u64)].concat()
}

/// A whole body; `raw` is the message of the kind.
pub(super) fn body(api_version: &str, kind: &str, raw: &[u8]) -> Vec<u8> {
    let type_meta = [bytes_field(1, api_version.as_bytes()), bytes_field(2, kind.as_bytes())].concat();
    let empty = [bytes_field(3, b""), bytes_field(4, b"")].concat();
    [super::MAGIC.to_vec(), bytes_field(1, &type_meta), bytes_field(2, raw), empty].concat()
}

pub(super) fn object(node: NodeRef<'_>, value: &Value) -> Vec<u8> {
    table::message_of(node).map_or_else(Vec::new, |message| fields(message, node, value.as_object().unwrap()))
}

fn fields(message: &Message, node: NodeRef<'_>, object: &Map<String, Value>) -> Vec<u8> {
    let slot = |(number, slot): &(u32, Slot)| match slot {
        Slot::Inlined(inner) => bytes_field(*number, &fields(inner, node, object)),
        Slot::Field { name, .. } => match object.get(*name) {
            Some(value) => field(*number, node.field(name).unwrap().node(), value),
            None => Vec::new(),
        },
    };
    message.slots().iter().flat_map(slot).collect()
}

fn field(number: u32, node: NodeRef<'_>, value: &Value) -> Vec<u8> {
    match (node.ty(), value) {
        (Type::Array, Value::Array(items)) => {
            let items_node = node.items().unwrap();
            items.iter().flat_map(|item| element(number, items_node, item)).collect()
        }
        (Type::Map, Value::Object(entries)) => entries
            .iter()
            .flat_map(|(key, value)| {
                let entry =
                    [bytes_field(1, key.as_bytes()), element(2, node.values().unwrap(), value)].concat();
                bytes_field(number, &entry)
            })
            .collect(),
        _ => element(number, node, value),
    }
}

fn element(number: u32, node: NodeRef<'_>, value: &Value) -> Vec<u8> {
    match (node.ty(), node.format()) {
        (Type::Array, _) => bytes_field(number, &field(1, node, value)),
        (Type::Object, _) => bytes_field(number, &object(node, value)),
        (Type::Integer, _) => int_field(number, value.as_i64().unwrap()),
        (Type::Boolean, _) => int_field(number, i64::from(value.as_bool().unwrap())),
        (Type::Number, _) => {
            [varint(u64::from(number) << 3 | 1), value.as_f64().unwrap().to_le_bytes().to_vec()].concat()
        }
        (Type::IntOrString, _) => bytes_field(number, &int_or_string(value)),
        (Type::Quantity, _) => bytes_field(number, &bytes_field(1, text(value))),
        (Type::String, Format::Byte) => {
            bytes_field(number, if text(value).is_empty() { b"" } else { b"foo" })
        }
        (Type::String, Format::DateTime | Format::MicroTime) => {
            bytes_field(number, &[int_field(1, 1_000_000_000), int_field(2, 1_999)].concat())
        }
        (Type::String, _) => bytes_field(number, text(value)),
        _ => bytes_field(number, &any(node, value)),
    }
}

fn text(value: &Value) -> &[u8] {
    value.as_str().unwrap().as_bytes()
}

fn int_or_string(value: &Value) -> Vec<u8> {
    match value.as_i64() {
        Some(int) => [int_field(1, 0), int_field(2, int), bytes_field(3, b"")].concat(),
        None => [int_field(1, 1), int_field(2, 0), bytes_field(3, text(value))].concat(),
    }
}

fn any(node: NodeRef<'_>, value: &Value) -> Vec<u8> {
    let props = node.schema().definition(SCHEMA_PROPS).unwrap();
    match (node.definition_name().unwrap().rsplit('.').next().unwrap(), value) {
        ("JSONSchemaPropsOrBool", Value::Bool(allows)) => int_field(1, i64::from(*allows)),
        ("JSONSchemaPropsOrBool", schema) => {
            [int_field(1, 1), bytes_field(2, &object(props, schema))].concat()
        }
        ("JSONSchemaPropsOrArray" | "JSONSchemaPropsOrStringArray", Value::Array(items)) => items
            .iter()
            .flat_map(|item| match item {
                Value::String(item) => bytes_field(2, item.as_bytes()),
                item => bytes_field(2, &object(props, item)),
            })
            .collect(),
        ("JSONSchemaPropsOrArray" | "JSONSchemaPropsOrStringArray", schema) => {
            bytes_field(1, &object(props, schema))
        }
        _ => bytes_field(1, value.to_string().as_bytes()),
    }
}

/// A tree of this node that has every field the table has. `open` is the definitions around it:
/// one that is open already is left empty.
pub(super) fn sample<'a>(node: NodeRef<'a>, open: &mut Vec<&'a str>) -> Value {
    match (node.ty(), node.format()) {
        (Type::Object, _) => sample_object(node, open),
        (Type::Array, _) => {
            let items = node.items().unwrap();
            json!([sample(items, open), sample(items, open)])
        }
        (Type::Map, _) => {
            json!({"a": sample(node.values().unwrap(), open), "": sample(node.values().unwrap(), open)})
        }
        (Type::Integer, Format::Int32) => json!(-7),
        (Type::Integer, _) => json!(i64::MAX),
        (Type::Boolean, _) => json!(true),
        (Type::Number, _) => json!(1.5),
        (Type::IntOrString, _) => [json!("50%"), json!(0)][open.len() % 2].clone(),
        (Type::Quantity, _) => json!("1Gi"),
        (Type::String, Format::Byte) => json!("Zm9v"),
        (Type::String, Format::DateTime) => json!("2001-09-09T01:46:40Z"),
        (Type::String, Format::MicroTime) => json!("2001-09-09T01:46:40.000001Z"),
        (Type::String, _) => json!("täxt"),
        _ => sample_any(node, open.len()),
    }
}

fn sample_any(node: NodeRef<'_>, variant: usize) -> Value {
    let schema = json!({"type": "string"});
    match node.definition_name().unwrap().rsplit('.').next().unwrap() {
        "JSONSchemaPropsOrBool" => [json!(false), json!(true), schema][variant % 3].clone(),
        "JSONSchemaPropsOrArray" => [json!([schema, schema]), schema][variant % 2].clone(),
        "JSONSchemaPropsOrStringArray" => [json!(["a", "b"]), schema][variant % 2].clone(),
        _ => json!({"a": [1, {"b": ""}]}),
    }
}

fn sample_object<'a>(node: NodeRef<'a>, open: &mut Vec<&'a str>) -> Value {
    let name = node.definition_name().unwrap();
    let mut object = Map::new();
    if !open.contains(&name) {
        open.push(name);
        for field in names(table::message_of(node)) {
            object.insert(field.to_owned(), sample(node.field(field).unwrap().node(), open));
        }
        open.pop();
    }
    Value::Object(object)
}

/// The JSON names that a message has numbers for.
pub(super) fn names(message: Option<&Message>) -> Vec<&'static str> {
    let names = |(_, slot): &(u32, Slot)| match slot {
        Slot::Field { name, .. } => vec![*name],
        Slot::Inlined(inner) => names(Some(inner)),
    };
    message.map_or_else(Vec::new, |message| message.slots().iter().flat_map(names).collect())
}
