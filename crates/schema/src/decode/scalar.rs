//! Scalars: what fits where, and how a misfit is worded.

use std::borrow::Cow;

use serde_json::{Number, Value};

use crate::model::{Format, NodeRef, Type};
use crate::quote::Quoted;

pub(super) const QUANTITY_FORM: &str =
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

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
    let problem = match format {
        Format::Byte => base64_error(text.as_bytes()),
        Format::DateTime => time_error(&text, "2006-01-02T15:04:05Z07:00"),
        Format::MicroTime => time_error(&text, "2006-01-02T15:04:05.000000Z07:00"),
        _ => None,
    };
    match problem {
        Some(problem) => Err(Misfit::Format(problem)),
        None => Ok(text.into()),
    }
}

fn quantity(literal: Literal<'_>) -> Fit {
    let text = match literal {
        Literal::String(text) => text,
        Literal::Number(text) => Cow::Borrowed(text),
        _ => return Err(Misfit::Format(QUANTITY_FORM.to_owned())),
    };
    let trimmed = text.trim();
    match quantity_error(trimmed) {
        Some(problem) => Err(Misfit::Format(problem.to_owned())),
        None => Ok(trimmed.into()),
    }
}

/// What is wrong with a quantity, if anything.
pub(crate) fn quantity_error(text: &str) -> Option<&'static str> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let digits = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
    let (number, suffix) = unsigned.split_at(digits);
    let dots = number.bytes().filter(|byte| *byte == b'.').count();
    let tail = suffix.trim_start_matches(|c: char| "eEinumkKMGTP".contains(c));
    let exponent = tail.strip_prefix(['+', '-']).unwrap_or(tail);
    if number.is_empty() || dots > 1 || !exponent.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(QUANTITY_FORM);
    }
    let known = match suffix {
        "" | "n" | "u" | "m" | "k" | "M" | "G" | "T" | "P" | "E" => true,
        "Ki" | "Mi" | "Gi" | "Ti" | "Pi" | "Ei" => true,
        _ => suffix.strip_prefix(['e', 'E']).is_some_and(|power| power.parse::<i32>().is_ok()),
    };
    if !known {
        return Some("unable to parse quantity's suffix");
    }
    (number == ".").then_some("unable to parse numeric part of quantity")
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

/// What Go's `time.Parse` says of the text under this layout.
fn time_error(text: &str, layout: &str) -> Option<String> {
    let cannot = |rest: &str, element: &str| {
        Some(format!(
            "parsing time {} as {}: cannot parse {} as {}",
            Quoted(text),
            Quoted(layout),
            Quoted(rest),
            Quoted(element)
        ))
    };
    let mut rest = text;
    for (width, element, range) in [
        (4, "2006", 0..=9999),
        (0, "-", 0..=0),
        (2, "01", 1..=12),
        (0, "-", 0..=0),
        (2, "02", 1..=31),
        (0, "T", 0..=0),
        (2, "15", 0..=23),
        (0, ":", 0..=0),
        (2, "04", 0..=59),
        (0, ":", 0..=0),
        (2, "05", 0..=59),
    ] {
        if width == 0 {
            let Some(after) = rest.strip_prefix(element) else { return cannot(rest, element) };
            rest = after;
            continue;
        }
        let digits = rest.get(..width).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
        let Some(value) = digits.and_then(|digits| digits.parse::<u32>().ok()) else {
            return cannot(rest, element);
        };
        if !range.contains(&value) {
            return Some(format!("parsing time {}: {} out of range", Quoted(text), time_unit(element)));
        }
        rest = &rest[width..];
    }
    rest = after_fraction(rest);
    if zone(rest) { None } else { cannot(rest, "Z07:00") }
}

fn time_unit(element: &str) -> &'static str {
    match element {
        "01" => "month",
        "02" => "day",
        "15" => "hour",
        "04" => "minute",
        _ => "second",
    }
}

fn after_fraction(rest: &str) -> &str {
    match rest.strip_prefix(['.', ',']) {
        Some(fraction) if fraction.starts_with(|c: char| c.is_ascii_digit()) => {
            fraction.trim_start_matches(|c: char| c.is_ascii_digit())
        }
        _ => rest,
    }
}

/// `Z` or `+01:00`, and nothing after it.
fn zone(rest: &str) -> bool {
    match rest.as_bytes() {
        [b'Z'] => true,
        [b'+' | b'-', a, b, b':', c, d] => [a, b, c, d].iter().all(|byte| byte.is_ascii_digit()),
        _ => false,
    }
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
