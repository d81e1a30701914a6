//! Decoding of `application/vnd.kubernetes.protobuf` bodies into the tree their JSON would give.
//!
//! ```text
//! "k8s\0" Unknown { typeMeta, raw }            facts/protobuf.txt: field number -> JSON name
//!                      │                       facts/builtin.txt:  JSON name -> node
//!                      └─ message ─ by node ─> Value
//! ```
//!
//! The rules are those of Kubernetes' protobuf serializer followed by Go's JSON encoding of the
//! decoded struct: fields with unknown numbers are skipped, a repeated singular message is merged,
//! zero times are absent. The encoder writes every scalar that is not a pointer, even when it is
//! empty, and JSON omits it (`omitempty`); so an empty scalar is dropped unless the table marks it
//! as kept, which it does for pointers and for fields without `omitempty`.

mod special;
mod table;
mod wire;

use serde_json::{Map, Value};
use thiserror::Error;

use self::table::{Message, Slot};
use self::wire::Payload;
use crate::decode::{self, DEPTH_MAX, Decoded};
use crate::facts::builtin;
use crate::model::{NodeRef, Type};

/// The four bytes that every body opens with.
pub const MAGIC: &[u8; 4] = b"k8s\0";

/// Why a protobuf body cannot be decoded.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum DecodeError {
    /// The body does not open with [`MAGIC`].
    #[error("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")]
    Prefix,
    /// The bytes end within a value, or a length points past the end.
    #[error("proto: unexpected end of the message")]
    Truncated,
    /// A varint has more than 64 bits.
    #[error("proto: integer overflow")]
    Overflow,
    /// No such wire type, or a field with the number 0.
    #[error("proto: illegal tag {0}")]
    Tag(u64),
    /// A field has another wire type than its message declares.
    #[error("proto: wrong wireType for field {0}")]
    WireType(String),
    /// The body nests deeper than [`DEPTH_MAX`].
    #[error("exceeded max depth")]
    Depth,
    /// The body names no kind, and none is expected.
    #[error("Object 'Kind' is missing")]
    MissingKind,
    /// The kind has no protobuf form: it is custom, not served, or newer than the table.
    #[error("no kind {kind:?} is registered for version {api_version:?} in protobuf")]
    UnknownKind {
        /// `group/version`, or `version` in the core group.
        api_version: String,
        /// The kind.
        kind: String,
    },
    /// The raw message is encoded once more, e.g. compressed.
    #[error("content encoding {0:?} is not supported in a protobuf body")]
    ContentEncoding(String),
    /// A value is not one that its type has.
    #[error("proto: {0} is out of range")]
    Value(&'static str),
    /// JSON embedded in the message is malformed.
    #[error("JSON within the protobuf message is malformed")]
    Json(#[source] decode::DecodeError),
}

type Decoding<T> = Result<T, DecodeError>;

/// Decodes a body into the tree that the JSON of the same object would give.
///
/// The kind is the one the body names; `expected` is the kind of a body that names none. The
/// tree's `apiVersion` and `kind` are the body's, so that a caller compares them as it does for
/// JSON. There are no issues: protobuf has no names that could be unknown.
///
/// # Errors
/// See [`DecodeError`]; all of them are the client's fault.
pub fn decode(body: &[u8], expected: Option<NodeRef<'_>>) -> Result<Decoded, DecodeError> {
    let envelope = Envelope::read(body)?;
    let node = match envelope.kind.as_str() {
        "" => expected.ok_or(DecodeError::MissingKind)?,
        _ => envelope.node().ok_or_else(|| envelope.unknown())?,
    };
    let message = table::message_of(node).ok_or_else(|| envelope.unknown())?;
    let mut object = Map::new();
    merge_message(envelope.raw, node, message, &mut object, 1)?;
    for (name, text) in [("apiVersion", envelope.api_version), ("kind", envelope.kind)] {
        if !text.is_empty() {
            object.insert(name.to_owned(), Value::String(text));
        }
    }
    Ok(Decoded { value: Value::Object(object), issues: Vec::new() })
}

/// `runtime.Unknown`.
#[derive(Default)]
struct Envelope<'a> {
    api_version: String,
    kind: String,
    raw: &'a [u8],
}

impl<'a> Envelope<'a> {
    fn read(body: &'a [u8]) -> Decoding<Self> {
        let mut envelope = Self::default();
        for field in wire::fields(body.strip_prefix(MAGIC).ok_or(DecodeError::Prefix)?) {
            match field? {
                (1, payload) => envelope.read_type(payload.bytes("typeMeta")?)?,
                (2, payload) => envelope.raw = payload.bytes("raw")?,
                (3, payload) => match payload.text("contentEncoding")? {
                    encoding if encoding.is_empty() => {}
                    encoding => return Err(DecodeError::ContentEncoding(encoding)),
                },
                _ => {}
            }
        }
        Ok(envelope)
    }

    fn read_type(&mut self, bytes: &[u8]) -> Decoding<()> {
        for field in wire::fields(bytes) {
            match field? {
                (1, payload) => self.api_version = payload.text("apiVersion")?,
                (2, payload) => self.kind = payload.text("kind")?,
                _ => {}
            }
        }
        Ok(())
    }

    /// The definition of the kind. `DeleteOptions` are sent in the group of whatever is deleted,
    /// which may be one that the description does not list.
    fn node(&self) -> Option<NodeRef<'static>> {
        let (group, version) = self.api_version.split_once('/').unwrap_or(("", &self.api_version));
        let listed = builtin().kind(group, version, &self.kind);
        listed.or_else(|| builtin().kind("", "v1", &self.kind).filter(|_| self.kind == "DeleteOptions"))
    }

    fn unknown(&self) -> DecodeError {
        DecodeError::UnknownKind { api_version: self.api_version.clone(), kind: self.kind.clone() }
    }
}

/// Adds the fields of a message to the object of this node. `depth` counts the containers that
/// are open, the object itself included.
fn merge_message(
    bytes: &[u8],
    node: NodeRef<'_>,
    message: &Message,
    into: &mut Map<String, Value>,
    depth: usize,
) -> Decoding<()> {
    for field in wire::fields(bytes) {
        let (number, payload) = field?;
        match message.slot(number) {
            None => {}
            Some(Slot::Inlined(inner)) => merge_message(payload.bytes("inlined")?, node, inner, into, depth)?,
            Some(Slot::Field { name, keeps_empty }) => {
                let Some(field) = node.field(name) else { continue };
                let place = into.entry(*name).or_insert(Value::Null);
                merge(place, payload, field.node(), name, depth)?;
                if place.is_null() || (!keeps_empty && is_empty(place, field.node())) {
                    into.remove(*name);
                }
            }
        }
    }
    Ok(())
}

/// Whether `omitempty` omits the value. Go never omits a struct, which quantities and the like are.
fn is_empty(value: &Value, node: NodeRef<'_>) -> bool {
    match (value, node.ty()) {
        (Value::String(text), Type::String) => text.is_empty(),
        (Value::Number(number), Type::Integer | Type::Number) => number.as_f64() == Some(0.0),
        (Value::Bool(on), Type::Boolean) => !on,
        _ => false,
    }
}

/// Puts one occurrence of a field in its place: added to a list or map, merged into an object,
/// otherwise instead of what was there.
fn merge(
    place: &mut Value,
    payload: Payload<'_>,
    node: NodeRef<'_>,
    name: &str,
    depth: usize,
) -> Decoding<()> {
    match node.ty() {
        Type::Object => merge_object(place, payload.bytes(name)?, node, deeper(depth)?),
        Type::Array => push(place, payload, node, name, deeper(depth)?),
        Type::Map => insert(place, payload.bytes(name)?, node, name, deeper(depth)?),
        _ => {
            *place = special::value(payload, node, name, depth)?;
            Ok(())
        }
    }
}

fn deeper(depth: usize) -> Decoding<usize> {
    if depth < DEPTH_MAX { Ok(depth + 1) } else { Err(DecodeError::Depth) }
}

fn merge_object(place: &mut Value, bytes: &[u8], node: NodeRef<'_>, depth: usize) -> Decoding<()> {
    let object = made(place, Value::as_object_mut, || Value::Object(Map::new()));
    match table::message_of(node) {
        Some(message) => merge_message(bytes, node, message, object, depth),
        None => Ok(()),
    }
}

/// The container in a place, made when there is none yet.
fn made<'a, T>(
    place: &'a mut Value,
    view: fn(&'a mut Value) -> Option<&'a mut T>,
    new: fn() -> Value,
) -> &'a mut T {
    if place.is_null() {
        *place = new();
    }
    view(place).expect("the place of a field holds its own kind of container")
}

fn push(
    place: &mut Value,
    payload: Payload<'_>,
    node: NodeRef<'_>,
    name: &str,
    depth: usize,
) -> Decoding<()> {
    let list = made(place, Value::as_array_mut, || Value::Array(Vec::new()));
    let Some(items) = node.items() else { return Ok(()) };
    match payload {
        Payload::Bytes(packed) if matches!(items.ty(), Type::Integer | Type::Boolean) => {
            for varint in wire::varints(packed) {
                list.push(special::value(Payload::Varint(varint?), items, name, depth)?);
            }
        }
        payload => list.push(element(payload, items, name, depth)?),
    }
    Ok(())
}

fn insert(place: &mut Value, entry: &[u8], node: NodeRef<'_>, name: &str, depth: usize) -> Decoding<()> {
    let map = made(place, Value::as_object_mut, || Value::Object(Map::new()));
    let Some(values) = node.values() else { return Ok(()) };
    let (mut key, mut value) = (String::new(), Payload::Bytes(&[]));
    for field in wire::fields(entry) {
        match field? {
            (1, payload) => key = payload.text(name)?,
            (2, payload) => value = payload,
            _ => {}
        }
    }
    map.insert(key, element(value, values, name, depth)?);
    Ok(())
}

/// One item of a list or one value of a map. Protobuf has no list directly within a list or map:
/// such a list is a message of its own (`ExtraValue`), with the items as field 1.
fn element(payload: Payload<'_>, node: NodeRef<'_>, name: &str, depth: usize) -> Decoding<Value> {
    let mut value = Value::Null;
    if node.ty() != Type::Array {
        merge(&mut value, payload, node, name, depth)?;
        return Ok(value);
    }
    value = Value::Array(Vec::new());
    for field in wire::fields(payload.bytes(name)?) {
        if let (1, item) = field? {
            push(&mut value, item, node, name, deeper(depth)?)?;
        }
    }
    Ok(value)
}

#[cfg(test)]
mod tests;
