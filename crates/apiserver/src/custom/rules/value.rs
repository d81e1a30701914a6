//! Values of custom resources as CEL sees them, by the types of their schema.
//!
//! Source: "Escaping" and the type table of Kubernetes' documentation of validation rules.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kube_cel::cel::Value as CelValue;
use kube_cel::cel::objects::{Key, Map};
use schema::{NodeRef, Type};
use serde_json::Value;

use super::budget::Budget;

/// Words that CEL keeps to itself.
const RESERVED: [&str; 21] = [
    "true",
    "false",
    "null",
    "in",
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

/// The name by which rules reach a property.
pub(super) fn escape(name: &str) -> String {
    if RESERVED.contains(&name) {
        return format!("__{name}__");
    }
    name.replace("__", "__underscores__")
        .replace('.', "__dot__")
        .replace('-', "__dash__")
        .replace('/', "__slash__")
}

/// A JSON value as a value of `node`; `None` when the budget is spent.
///
/// Of the object itself only `metadata.name` and `metadata.generateName` are seen beside its own fields.
pub(super) fn convert(
    node: Option<NodeRef<'_>>,
    value: &Value,
    root: bool,
    budget: &Budget,
) -> Option<CelValue> {
    if !budget.step() {
        return None;
    }
    Some(match value {
        Value::Null => CelValue::Null,
        Value::Bool(truth) => CelValue::Bool(*truth),
        Value::Number(number) => match (number.as_i64(), node.map(NodeRef::ty)) {
            (Some(whole), Some(Type::Number)) => CelValue::Float(number.as_f64().unwrap_or(whole as f64)),
            (Some(whole), _) => CelValue::Int(whole),
            (None, _) => CelValue::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(string) => text(node, string),
        Value::Array(items) => {
            let inner = node.and_then(NodeRef::items);
            let items: Option<Vec<_>> =
                items.iter().map(|item| convert(inner, item, false, budget)).collect();
            CelValue::List(Arc::new(items?))
        }
        Value::Object(fields) => {
            let is_map = node.is_none_or(|node| node.ty() == Type::Map);
            let mut map = HashMap::with_capacity(fields.len());
            for (name, value) in fields {
                let child = node.and_then(|node| node.child(name));
                if child.is_none() && !is_map {
                    continue;
                }
                let value = if root && name == "metadata" {
                    convert(child, &names_only(value), false, budget)?
                } else {
                    convert(child, value, false, budget)?
                };
                let key = if is_map { name.clone() } else { escape(name) };
                map.insert(Key::String(Arc::new(key)), value);
            }
            CelValue::Map(Map { map: Arc::new(map) })
        }
    })
}

fn names_only(metadata: &Value) -> Value {
    let fields = metadata.as_object().into_iter().flatten();
    let kept = fields.filter(|(name, _)| matches!(name.as_str(), "name" | "generateName"));
    kept.map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn text(node: Option<NodeRef<'_>>, text: &str) -> CelValue {
    let plain = || CelValue::String(Arc::new(text.to_owned()));
    let Some(node) = node.filter(|node| node.ty() == Type::String) else { return plain() };
    let format = node.format_name().or_else(|| node.format().name());
    match format {
        Some("date-time") => {
            chrono::DateTime::parse_from_rfc3339(text).map_or_else(|_| plain(), CelValue::Timestamp)
        }
        Some("date") => chrono::DateTime::parse_from_rfc3339(&format!("{text}T00:00:00Z"))
            .map_or_else(|_| plain(), CelValue::Timestamp),
        Some("duration") => duration(text).map_or_else(plain, CelValue::Duration),
        Some("byte") => {
            STANDARD.decode(text).map_or_else(|_| plain(), |bytes| CelValue::Bytes(Arc::new(bytes)))
        }
        _ => plain(),
    }
}

/// A duration as Go writes it: `1h30m`, `-1.5s`, `300ms`.
fn duration(text: &str) -> Option<chrono::Duration> {
    const UNITS: [(&str, f64); 7] =
        [("ns", 1.0), ("us", 1e3), ("µs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 6e10), ("h", 3.6e12)];
    let unsigned = text.trim_start_matches(['-', '+']);
    let (mut rest, mut nanoseconds) = (unsigned, 0.0);
    if rest != "0" && rest.is_empty() {
        return None;
    }
    while !rest.is_empty() && rest != "0" {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        let unit = &rest[digits..];
        let end = unit.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(unit.len());
        let (_, factor) = UNITS.iter().find(|(name, _)| *name == &unit[..end])?;
        nanoseconds += number * factor;
        rest = &unit[end..];
    }
    if nanoseconds > 9.2e18 {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked just above")]
    let whole = nanoseconds as i64;
    Some(chrono::Duration::nanoseconds(if text.starts_with('-') { -whole } else { whole }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_as_kubernetes_does() {
        for (name, expected) in [
            ("plain", "plain"),
            ("with_one", "with_one"),
            ("with__two", "with__underscores__two"),
            ("a.b-c/d", "a__dot__b__dash__c__slash__d"),
            ("namespace", "__namespace__"),
        ] {
            assert_eq!(escape(name), expected);
        }
    }

    #[test]
    fn durations_are_read_as_in_go() {
        for (text, nanoseconds) in [
            ("1h30m", Some(5_400_000_000_000)),
            ("-1.5s", Some(-1_500_000_000)),
            ("300ms", Some(300_000_000)),
            ("0", Some(0)),
            ("", None),
            ("5", None),
            ("1x", None),
        ] {
            assert_eq!(duration(text).and_then(|d| d.num_nanoseconds()), nanoseconds, "{text}");
        }
    }
}
