//! Scalars: what fits where, and how a misfit is worded.

use std::borrow::Cow;

use serde_json::{Number, Value};

use super::{quantity, time};
use crate::model::{Format, NodeRef, Type};

/// A scalar as it stands in the text.
pub(super) enum Literal<'t> {
    Null,
    Bool(bool),
    Number(&'t str),
    String(Cow<'t, str>),
}

/// Why a scalar does not fit.
pub(super) enum Misfit {
    /// Another type; `expected` where it is not the node's own.
    Type { found: String, expected: Option<&'static str> },
    /// The right type, but not the form the format asks for.
    Format(String),
}

type Fit = Result<Value, Misfit>;

/// A scalar where anything may be: whole numbers stay whole, as Kubernetes keeps them.
pub(super) fn free(literal: Literal<'_>) -> Fit {
    match literal {
        Literal::Null => Ok(Value::Null),
        Literal::Bool(value) => Ok(Value::Bool(value)),
        Literal::String(text) => Ok(Value::String(text.into_owned())),
        Literal::Number(text) => number(text),
    }
}

fn number(text: &str) -> Fit {
    if let Ok(whole) = text.parse::<i64>() {
        return Ok(whole.into());
    }
    let float: f64 = text.parse().unwrap_or(f64::INFINITY);
    // Go writes 1.0 and 1e3 as 1 and 1000, so they are whole numbers when read again.
    if float.fract() == 0.0 && float.abs() < 9e15 {
        return Ok((float as i64).into());
    }
    Number::from_f64(float).map(Value::Number).ok_or_else(|| misfit(format!("number {text}")))
}

fn misfit(found: impl Into<String>) -> Misfit {
    Misfit::Type { found: found.into(), expected: None }
}

/// A scalar where this node is wanted. `null` fits everywhere: it is the absent value.
pub(super) fn fit(node: NodeRef<'_>, literal: Literal<'_>) -> Fit {
    match (node.ty(), literal) {
        (_, Literal::Null) => Ok(Value::Null),
        (Type::Any, literal) => free(literal),
        (Type::Quantity, literal) => quantity(literal),
        (Type::IntOrString, Literal::String(text)) => Ok(text.into_owned().into()),
        (Type::IntOrString, Literal::Number(text)) => integer(text, Format::Int32),
        (Type::String, Literal::String(text)) => string(node.format(), text.into_owned()),
        (Type::Integer, Literal::Number(text)) => integer(text, node.format()),
        (Type::Number, Literal::Number(text)) => number(text),
        (Type::Boolean, Literal::Bool(value)) => Ok(value.into()),
        (Type::IntOrString, literal) => Err(Misfit::Type { found: found(&literal), expected: Some("int32") }),
        (_, literal) => Err(misfit(found(&literal))),
    }
}

fn found(literal: &Literal<'_>) -> String {
    let name = match literal {
        Literal::Null => "null",
        Literal::Bool(_) => "bool",
        Literal::Number(_) => "number",
        Literal::String(_) => "string",
    };
    name.to_owned()
}

fn integer(text: &str, format: Format) -> Fit {
    let fits = |whole: &i64| format != Format::Int32 || i32::try_from(*whole).is_ok();
    match text.parse::<i64>().ok().filter(fits) {
        Some(whole) => Ok(whole.into()),
        None if format == Format::Int32 => {
            Err(Misfit::Type { found: format!("number {text}"), expected: Some("int32") })
        }
        None => Err(misfit(format!("number {text}"))),
    }
}

fn string(format: Format, text: String) -> Fit {
    let fitted = match format {
        Format::Byte => base64_error(text.as_bytes()).map_or(Ok(text), Err),
        Format::DateTime => time::canonical(&text, false),
        Format::MicroTime => time::canonical(&text, true),
        _ => Ok(text),
    };
    fitted.map(Value::String).map_err(Misfit::Format)
}

fn quantity(literal: Literal<'_>) -> Fit {
    let text = match literal {
        Literal::String(text) => text,
        Literal::Number(text) => Cow::Borrowed(text),
        _ => return Err(Misfit::Format(quantity::FORM.to_owned())),
    };
    quantity::canonical(text.trim()).map(Value::String).map_err(|problem| Misfit::Format(problem.to_owned()))
}

/// What Go's standard base64 decoder says of the text; line breaks are skipped as it does.
fn base64_error(text: &[u8]) -> Option<String> {
    let corrupt = |at: usize| Some(format!("illegal base64 data at input byte {at}"));
    let mut quantum = 0;
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'\r' | b'\n' => {}
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' => quantum = (quantum + 1) % 4,
            b'=' if quantum < 2 => return corrupt(at),
            b'=' => return base64_padding(text, at, quantum).and_then(corrupt),
            _ => return corrupt(at),
        }
    }
    if quantum == 0 { None } else { corrupt(text.len() - quantum) }
}

/// Where the padding that begins at `at` is wrong.
fn base64_padding(text: &[u8], at: usize, quantum: usize) -> Option<usize> {
    let mut rest = text.iter().enumerate().skip(at + 1).filter(|(_, byte)| !matches!(byte, b'\r' | b'\n'));
    if quantum == 2 {
        match rest.next() {
            None => return Some(text.len()),
            Some((_, b'=')) => {}
            Some((next, _)) => return Some(next),
        }
    }
    rest.next().map(|(next, _)| next)
}

/// The value an absent list item or map value has.
pub(super) fn zero(node: NodeRef<'_>) -> Value {
    match node.ty() {
        Type::Object | Type::Map => Value::Object(serde_json::Map::new()),
        Type::Array => Value::Array(Vec::new()),
        Type::String if matches!(node.format(), Format::DateTime | Format::MicroTime) => Value::Null,
        Type::String => "".into(),
        Type::Integer | Type::Number | Type::IntOrString => 0.into(),
        Type::Boolean => false.into(),
        Type::Quantity => "0".into(),
        Type::Any => Value::Null,
    }
}

/// The name of the scalar type Kubernetes' implementation has for this node.
pub(super) fn go_type(node: NodeRef<'_>) -> &'static str {
    match (node.ty(), node.format()) {
        (Type::String, Format::Byte) => "[]uint8",
        (Type::Integer, Format::Int32) | (Type::IntOrString, _) => "int32",
        (Type::Integer, _) => "int64",
        (Type::Number, _) => "float64",
        (Type::Boolean, _) => "bool",
        (Type::String | Type::Quantity, _) => "string",
        _ => "interface {}",
    }
}
