//! Scalars, and the messages whose JSON is not an object of their fields.

use serde_json::{Number, Value};

use super::{DecodeError, Decoding, deeper, merge_object};
use crate::decode::{self, DEPTH_MAX, Shape};
use crate::model::{Format, NodeRef, Type};
use crate::protobuf::wire::{self, Payload};

const SCHEMA_PROPS: &str = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps";

/// Seconds of Go's zero time, the first of January of the year 1.
const TIME_MIN_S: i64 = -62_135_596_800;
/// Seconds of the last second of the year 9999, which is the last that RFC 3339 can tell.
const TIME_MAX_S: i64 = 253_402_300_799;

/// The value of a node that is no plain object, list or map; `null` for what JSON leaves out.
pub(super) fn value(payload: Payload<'_>, node: NodeRef<'_>, name: &str, depth: usize) -> Decoding<Value> {
    Ok(match (node.ty(), node.format()) {
        (Type::String, Format::Byte) => Value::String(base64(payload.bytes(name)?)),
        (Type::String, Format::DateTime | Format::MicroTime) => {
            time(payload.bytes(name)?, node.format() == Format::MicroTime)?
        }
        (Type::String, _) => Value::String(payload.text(name)?),
        (Type::Integer, Format::Int32) => Value::from(payload.int32(name)?),
        (Type::Integer, _) => Value::from(payload.int(name)?),
        (Type::Number, _) => number(payload.double(name)?)?,
        (Type::Boolean, _) => Value::Bool(payload.varint(name)? != 0),
        (Type::Quantity, _) => quantity(payload.bytes(name)?)?,
        (Type::IntOrString, _) => int_or_string(payload.bytes(name)?)?,
        _ => any(payload.bytes(name)?, node, depth)?,
    })
}

/// The messages whose definition in OpenAPI tells no type.
fn any(bytes: &[u8], node: NodeRef<'_>, depth: usize) -> Decoding<Value> {
    let short = node.definition_name().and_then(|name| name.rsplit('.').next()).unwrap_or_default();
    match short {
        "JSONSchemaPropsOrBool" => schema_or_bool(bytes, node, depth),
        "JSONSchemaPropsOrArray" => Ok(Alternatives::read(bytes, node, depth)?.list_or_schema()),
        "JSONSchemaPropsOrStringArray" => Ok(Alternatives::read(bytes, node, depth)?.list_or_schema()),
        _ => raw_json(bytes, depth),
    }
}

/// `RawExtension`, `FieldsV1` and `JSON`: field 1 is JSON text.
fn raw_json(bytes: &[u8], depth: usize) -> Decoding<Value> {
    let mut raw: &[u8] = &[];
    for field in wire::fields(bytes) {
        if let (1, payload) = field? {
            raw = payload.bytes("raw")?;
        }
    }
    if raw.is_empty() {
        return Ok(Value::Null);
    }
    let value = decode::json(raw, Shape::Any).map_err(DecodeError::Json)?.value;
    if depth + nesting(&value) > DEPTH_MAX { Err(DecodeError::Depth) } else { Ok(value) }
}

/// Levels of arrays and objects in a value, which its decoder has bounded.
fn nesting(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(nesting).max().unwrap_or(0),
        Value::Object(map) => 1 + map.values().map(nesting).max().unwrap_or(0),
        _ => 0,
    }
}

fn schema(payload: Payload<'_>, into: &mut Value, node: NodeRef<'_>, depth: usize) -> Decoding<()> {
    let bytes = payload.bytes("schema")?;
    match node.schema().definition(SCHEMA_PROPS) {
        Some(props) => merge_object(into, bytes, props, deeper(depth)?),
        None => Ok(()),
    }
}

/// `JSONSchemaPropsOrBool`: field 1 is the flag, field 2 a schema that counts before it.
fn schema_or_bool(bytes: &[u8], node: NodeRef<'_>, depth: usize) -> Decoding<Value> {
    let (mut allows, mut props) = (false, Value::Null);
    for field in wire::fields(bytes) {
        match field? {
            (1, payload) => allows = payload.varint("allows")? != 0,
            (2, payload) => schema(payload, &mut props, node, depth)?,
            _ => {}
        }
    }
    Ok(if props.is_null() { Value::Bool(allows) } else { props })
}

/// `JSONSchemaPropsOrArray` and `JSONSchemaPropsOrStringArray`: field 1 is a schema, field 2 a list
/// of schemas or strings that counts before it.
#[derive(Default)]
struct Alternatives {
    schema: Value,
    list: Vec<Value>,
}

impl Alternatives {
    fn read(bytes: &[u8], node: NodeRef<'_>, depth: usize) -> Decoding<Self> {
        let strings = node.definition_name().is_some_and(|name| name.ends_with("OrStringArray"));
        let mut read = Self::default();
        for field in wire::fields(bytes) {
            match field? {
                (1, payload) => schema(payload, &mut read.schema, node, depth)?,
                (2, payload) if strings => read.list.push(Value::String(payload.text("property")?)),
                (2, payload) => {
                    let mut item = Value::Null;
                    schema(payload, &mut item, node, deeper(depth)?)?;
                    read.list.push(item);
                }
                _ => {}
            }
        }
        Ok(read)
    }

    fn list_or_schema(self) -> Value {
        if self.list.is_empty() { self.schema } else { Value::Array(self.list) }
    }
}

/// `Quantity`: field 1 is its text; a quantity without one is zero.
fn quantity(bytes: &[u8]) -> Decoding<Value> {
    let mut text = String::new();
    for field in wire::fields(bytes) {
        if let (1, payload) = field? {
            text = payload.text("string")?;
        }
    }
    Ok(Value::String(if text.is_empty() { "0".to_owned() } else { text }))
}

/// `IntOrString`: field 1 tells which of fields 2 and 3 counts.
fn int_or_string(bytes: &[u8]) -> Decoding<Value> {
    let (mut which, mut int, mut text) = (0, 0, String::new());
    for field in wire::fields(bytes) {
        match field? {
            (1, payload) => which = payload.int("type")?,
            (2, payload) => int = payload.int32("intVal")?,
            (3, payload) => text = payload.text("strVal")?,
            _ => {}
        }
    }
    match which {
        0 => Ok(Value::from(int)),
        1 => Ok(Value::String(text)),
        _ => Err(DecodeError::Value("the type of an IntOrString")),
    }
}

/// JSON has no infinities. A whole number is spelled as one.
#[expect(clippy::cast_possible_truncation, reason = "the bounds are checked, and both are exact")]
fn number(double: f64) -> Decoding<Value> {
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    if double.fract() == 0.0 && double.abs() <= EXACT_MAX {
        return Ok(Value::from(double as i64));
    }
    Number::from_f64(double).map(Value::Number).ok_or(DecodeError::Value("a number"))
}

/// `Time` and `MicroTime`: fields 1 and 2 are seconds and nanoseconds since 1970. Kubernetes reads
/// no fraction into the former and cuts the latter to microseconds.
fn time(bytes: &[u8], micros: bool) -> Decoding<Value> {
    let (mut seconds, mut nanos) = (if bytes.is_empty() { TIME_MIN_S } else { 0 }, 0);
    for field in wire::fields(bytes) {
        match field? {
            (1, payload) => seconds = payload.int("seconds")?,
            (2, payload) => nanos = payload.int32("nanos")?,
            _ => {}
        }
    }
    if seconds == TIME_MIN_S {
        return Ok(Value::Null);
    }
    if !(TIME_MIN_S..=TIME_MAX_S).contains(&seconds) || !(0..1_000_000_000).contains(&nanos) {
        return Err(DecodeError::Value("a time"));
    }
    let fraction = if micros { format!(".{:06}", nanos / 1000) } else { String::new() };
    Ok(Value::String(rfc3339(seconds, &fraction)))
}

fn rfc3339(seconds: i64, fraction: &str) -> String {
    let (year, month, day) = civil(seconds.div_euclid(86_400));
    let second = seconds.rem_euclid(86_400);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}

/// The Gregorian date that lies this many days after 1970-01-01. Years are counted from March, so
/// that the leap day is the last, in eras of 400 years (Howard Hinnant, "chrono-compatible
/// low-level date algorithms").
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

/// Base64 with padding (RFC 4648 section 4).
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let group = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let letter = LETTERS[(group >> (18 - 6 * place) & 63) as usize] as char;
            out.push(if place > chunk.len() { '=' } else { letter });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        let cases = [
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
            (951_868_799, "2000-02-29T23:59:59Z"),
            (1_700_000_000, "2023-11-14T22:13:20Z"),
            (TIME_MIN_S + 1, "0001-01-01T00:00:01Z"),
            (TIME_MAX_S, "9999-12-31T23:59:59Z"),
        ];
        for (seconds, expected) in cases {
            assert_eq!(rfc3339(seconds, ""), expected);
        }
    }

    #[test]
    fn base64_texts() {
        let cases = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("\u{7ff}~", "379+"),
        ];
        for (text, expected) in cases {
            assert_eq!(base64(text.as_bytes()), expected);
        }
    }
}
