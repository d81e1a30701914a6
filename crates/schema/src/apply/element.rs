//! The keys of a field set: what leads from a value to one of its parts.
//!
//! `f:name` a field, `k:{"port":80}` the item of a list map with these keys, `v:"x"` the item of a
//! set, `i:0` an index.

use std::cmp::Ordering;
use std::fmt;

use serde_json::{Map, Number, Value};

use crate::model::NodeRef;
use crate::quote::Quoted;

/// The element of a field.
pub(super) fn field(name: &str) -> String {
    let mut key = String::with_capacity(name.len() + 2);
    key.push_str("f:");
    key.push_str(name);
    key
}

/// The element of an item of a set.
///
/// # Errors
/// Kubernetes' words for an item that cannot be in a set.
pub(super) fn set_item(item: &Value) -> Result<String, String> {
    match item {
        Value::Object(_) => Err("associative list without keys has an element that's a map type".to_owned()),
        Value::Array(_) => Err("not supported: associative list with lists as elements".to_owned()),
        Value::Null => Err("associative list without keys has an element that's an explicit null".to_owned()),
        scalar => Ok(format!("v:{}", number_canonical(scalar))),
    }
}

/// The element of an item of a list map, its absent keys taken from the schema's defaults.
///
/// # Errors
/// Kubernetes' words for an item without its keys.
pub(super) fn map_item(list: NodeRef<'_>, item: &Value) -> Result<String, String> {
    let Value::Object(fields) = item else {
        let what = if item.is_null() { "a null element" } else { "non-map elements" };
        return Err(format!("associative list with keys may not have {what}"));
    };
    let mut keys: Vec<(&str, &Value)> = Vec::with_capacity(list.list_keys().len());
    for name in list.list_keys() {
        let default = || list.items()?.field(name)?.node().default();
        let value = fields.get(name.as_ref()).or_else(default).ok_or_else(|| {
            let name = Quoted(name);
            format!("associative list with keys has an element that omits key field {name} (and doesn't have default value)")
        })?;
        keys.push((name, value));
    }
    keys.sort_unstable_by_key(|(name, _)| *name);
    Ok(keyed(&keys))
}

fn keyed(keys: &[(&str, &Value)]) -> String {
    let mut text = String::from("k:{");
    for (at, (name, value)) in keys.iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        text.push_str(&Value::from(*name).to_string());
        text.push(':');
        text.push_str(&number_canonical(value));
    }
    text.push('}');
    text
}

/// The JSON of a scalar, a whole number always written as one.
fn number_canonical(value: &Value) -> String {
    match value.as_f64() {
        Some(float) if !value.is_i64() && float.fract() == 0.0 && float.abs() < 9e15 => format!("{float}"),
        _ => value.to_string(),
    }
}

/// The canonical form of an element that was read.
///
/// # Errors
/// What is wrong with it.
pub(super) fn canonical(key: String) -> Result<String, String> {
    let json = |text: &str| serde_json::from_str::<Value>(text).map_err(|error| error.to_string());
    match key.get(..2) {
        _ if key == "." => Ok(key),
        Some("f:") => Ok(key),
        Some("v:") => Ok(format!("v:{}", number_canonical(&json(&key[2..])?))),
        Some("k:") => match json(&key[2..])? {
            Value::Object(map) => {
                let mut keys: Vec<(&str, &Value)> = map.iter().map(|(name, v)| (name.as_str(), v)).collect();
                keys.sort_unstable_by_key(|(name, _)| *name);
                Ok(keyed(&keys))
            }
            _ => Err(format!("the keys of an item must be an object: {key}")),
        },
        Some("i:") if key[2..].parse::<u32>().is_ok() => Ok(key),
        _ => Err(format!("unknown path element type: {key}")),
    }
}

/// An element as a path shows it: `.name`, `[port=80]`, `[="x"]`, `[0]`. It sorts as Kubernetes'
/// elements do: fields, keys, values, indices.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shown {
    Field(String),
    Keys(Vec<(String, Scalar)>),
    Item(Scalar),
    Index(i64),
}

impl Shown {
    pub(super) fn of(key: &str) -> Self {
        let rest = key.get(2..).unwrap_or_default();
        let json = || serde_json::from_str::<Value>(rest).unwrap_or_default();
        match key.get(..2) {
            Some("k:") => {
                let map: Map<String, Value> = serde_json::from_str(rest).unwrap_or_default();
                Self::Keys(map.into_iter().map(|(name, value)| (name, Scalar(value))).collect())
            }
            Some("v:") => Self::Item(Scalar(json())),
            Some("i:") => Self::Index(rest.parse().unwrap_or_default()),
            _ => Self::Field(rest.to_owned()),
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Field(_) => 0,
            Self::Keys(_) => 1,
            Self::Item(_) => 2,
            Self::Index(_) => 3,
        }
    }
}

impl PartialOrd for Shown {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Field(a), Self::Field(b)) => a.partial_cmp(b),
            (Self::Keys(a), Self::Keys(b)) => a.partial_cmp(b),
            (Self::Item(a), Self::Item(b)) => a.partial_cmp(b),
            (Self::Index(a), Self::Index(b)) => a.partial_cmp(b),
            _ => self.rank().partial_cmp(&other.rank()),
        }
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) => write!(f, ".{name}"),
            Self::Keys(keys) => {
                let mut separator = "[";
                for (name, value) in keys {
                    write!(f, "{separator}{name}={value}")?;
                    separator = ",";
                }
                f.write_str("]")
            }
            Self::Item(value) => write!(f, "[={value}]"),
            Self::Index(at) => write!(f, "[{at}]"),
        }
    }
}

/// A scalar in a path: numbers before strings before booleans.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scalar(Value);

impl PartialOrd for Scalar {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match (&self.0, &other.0) {
            (Value::Number(a), Value::Number(b)) => a.as_f64().partial_cmp(&b.as_f64()),
            (Value::String(a), Value::String(b)) => a.partial_cmp(b),
            (Value::Number(_), _) => Some(Ordering::Less),
            (_, Value::Number(_)) => Some(Ordering::Greater),
            (Value::String(_), _) => Some(Ordering::Less),
            (_, Value::String(_)) => Some(Ordering::Greater),
            (a, b) => a.to_string().partial_cmp(&b.to_string()),
        }
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Value::String(text) => Quoted(text).fmt(f),
            other => other.fmt(f),
        }
    }
}

/// Whether two values are equal, numbers by what they are worth.
pub(super) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || same_number(a, b),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}

fn same_number(a: &Number, b: &Number) -> bool {
    (a.is_f64() || b.is_f64()) && a.as_f64() == b.as_f64()
}
