//! YAML to JSON as `sigs.k8s.io/yaml` converts it, with duplicate keys told by line.

use std::collections::HashMap;

use serde_json::{Map, Number, Value};
use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle, Tag};

use super::{DEPTH_MAX, DecodeError};

/// Most values that aliases may add: a short body must not become a huge tree.
const ALIASED_MAX: usize = 100_000;

/// The first document as JSON, and what strict reading says of its duplicate keys.
pub(super) fn to_json(body: &[u8]) -> Result<(Vec<u8>, Option<String>), DecodeError> {
    let text = std::str::from_utf8(body)
        .map_err(|e| DecodeError::Yaml(format!("invalid UTF-8 at byte {}", e.valid_up_to())))?;
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        let (event, span) =
            event.map_err(|e| DecodeError::Yaml(format!("line {}: {}", e.marker().line(), e.info())))?;
        if matches!(event, Event::DocumentEnd) {
            break;
        }
        builder.event(event, span.start.line())?;
    }
    let value = builder.root.take().unwrap_or(Value::Null);
    let bytes = serde_json::to_vec(&value).map_err(|e| DecodeError::Yaml(e.to_string()))?;
    Ok((bytes, builder.duplicates()))
}

/// A collection whose end has not come yet.
struct Open {
    anchor: usize,
    /// The line the collection begins on.
    line: usize,
    inside: Inside,
}

enum Inside {
    Sequence(Vec<Value>),
    Mapping {
        map: Map<String, Value>,
        /// The key whose value comes next.
        key: Option<String>,
        /// What `<<` brings in, where the mapping itself says nothing.
        merged: Vec<Value>,
    },
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    root: Option<Value>,
    anchors: HashMap<usize, (Value, usize)>,
    aliased: usize,
    duplicates: Vec<String>,
}

impl Builder {
    fn event(&mut self, event: Event<'_>, line: usize) -> Result<(), DecodeError> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let value = scalar(&text, style, tag.as_deref());
                self.finished(value, anchor, line)
            }
            Event::Alias(anchor) => self.alias(anchor, line),
            Event::SequenceStart(_, anchor, _) => self.begin(Inside::Sequence(Vec::new()), anchor, line),
            Event::MappingStart(_, anchor, _) => {
                self.begin(Inside::Mapping { map: Map::new(), key: None, merged: Vec::new() }, anchor, line)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            _ => Ok(()),
        }
    }

    fn begin(&mut self, inside: Inside, anchor: usize, line: usize) -> Result<(), DecodeError> {
        if self.open.len() >= DEPTH_MAX {
            return Err(DecodeError::Depth);
        }
        self.open.push(Open { anchor, line, inside });
        Ok(())
    }

    fn end(&mut self) -> Result<(), DecodeError> {
        let Some(Open { anchor, line, inside }) = self.open.pop() else { return Ok(()) };
        let value = match inside {
            Inside::Sequence(items) => Value::Array(items),
            Inside::Mapping { mut map, merged, .. } => {
                merge_into(&mut map, merged);
                Value::Object(map)
            }
        };
        self.finished(value, anchor, line)
    }

    fn alias(&mut self, anchor: usize, line: usize) -> Result<(), DecodeError> {
        let (value, size) = self
            .anchors
            .get(&anchor)
            .cloned()
            .ok_or_else(|| DecodeError::Yaml("an anchor contains itself".to_owned()))?;
        self.aliased += size;
        if self.aliased > ALIASED_MAX {
            return Err(DecodeError::Yaml("document contains excessive aliasing".to_owned()));
        }
        self.finished(value, 0, line)
    }

    /// Puts a finished value where it belongs.
    fn finished(&mut self, value: Value, anchor: usize, line: usize) -> Result<(), DecodeError> {
        if anchor != 0 {
            let size = size(&value);
            self.anchors.insert(anchor, (value.clone(), size));
        }
        match self.open.last_mut().map(|open| &mut open.inside) {
            None => self.root = Some(value),
            Some(Inside::Sequence(items)) => items.push(value),
            Some(Inside::Mapping { map, key, merged }) => match key.take() {
                None => *key = Some(key_text(value)?),
                Some(name) if name == "<<" => merged.push(value),
                Some(name) => {
                    if map.contains_key(&name) {
                        let quoted = crate::quote::Quoted(&name);
                        self.duplicates.push(format!("line {line}: key {quoted} already set in map"));
                    }
                    map.insert(name, value);
                }
            },
        }
        Ok(())
    }

    fn duplicates(&self) -> Option<String> {
        if self.duplicates.is_empty() {
            return None;
        }
        Some(format!("yaml: unmarshal errors:\n  {}", self.duplicates.join("\n  ")))
    }
}

fn size(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(size).sum::<usize>(),
        Value::Object(map) => 1 + map.values().map(size).sum::<usize>(),
        _ => 1,
    }
}

/// Takes over what merged mappings say and the mapping itself does not; the first one said wins.
fn merge_into(map: &mut Map<String, Value>, merged: Vec<Value>) {
    for value in merged {
        match value {
            Value::Object(entries) => {
                for (key, value) in entries {
                    map.entry(key).or_insert(value);
                }
            }
            Value::Array(items) => merge_into(map, items),
            _ => {}
        }
    }
}

fn key_text(value: Value) -> Result<String, DecodeError> {
    match value {
        Value::String(text) => Ok(text),
        Value::Null => Ok("null".to_owned()),
        Value::Bool(_) | Value::Number(_) => Ok(value.to_string()),
        _ => Err(DecodeError::Yaml("a mapping or sequence cannot be a key".to_owned())),
    }
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Value {
    let is = |suffix| tag.is_some_and(|tag| tag.is_yaml_core_schema_tag(suffix));
    let resolves = if tag.is_some() {
        is("bool") || is("int") || is("float") || is("null")
    } else {
        style == ScalarStyle::Plain
    };
    if resolves { resolve(text) } else { text.into() }
}

/// What a plain scalar means in go-yaml v2.
fn resolve(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => true.into(),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => false.into(),
        "<<" => "<<".into(),
        _ if text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) => {
            resolve_number(text).unwrap_or_else(|| text.into())
        }
        _ => text.into(),
    }
}

fn resolve_number(text: &str) -> Option<Value> {
    let plain = text.replace('_', "");
    if let Some(whole) = integer(&plain) {
        return Some(whole);
    }
    let float = float_shaped(&plain).then(|| plain.parse::<f64>().ok()).flatten()?;
    Number::from_f64(float).map(Value::Number)
}

/// A whole number in the base its prefix says, as Go's `ParseInt` with base 0.
fn integer(plain: &str) -> Option<Value> {
    let (negative, digits) = match plain.strip_prefix(['+', '-']) {
        Some(digits) => (plain.starts_with('-'), digits),
        None => (false, plain),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, &lower[2..]),
        [b'0', b'o', ..] => (8, &lower[2..]),
        [b'0', b'b', ..] => (2, &lower[2..]),
        [b'0', _, ..] => (8, &lower[1..]),
        _ => (10, lower.as_str()),
    };
    if !digits.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let magnitude = i128::from_str_radix(digits, radix).ok()?;
    let value = if negative { -magnitude } else { magnitude };
    let signed = i64::try_from(value).map(Value::from);
    signed.or_else(|_| u64::try_from(value).map(Value::from)).ok()
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn float_shaped(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) =
        unsigned.split_once(['e', 'E']).map_or((unsigned, None), |(m, e)| (m, Some(e)));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let mantissa_fits = if whole.is_empty() {
        digits(fraction)
    } else {
        digits(whole) && (fraction.is_empty() || digits(fraction))
    };
    mantissa_fits && exponent.is_none_or(|e| digits(e.strip_prefix(['+', '-']).unwrap_or(e)))
}
