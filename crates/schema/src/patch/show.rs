//! Values as Go's `%v` prints them, which is how Kubernetes shows them in errors about patches.

use std::fmt;

use serde_json::{Number, Value};

/// Shows a value as Go's `%v` does: `map[name:a ports:[80 81]]`.
pub(crate) struct Go<'a>(pub(crate) &'a Value);

impl fmt::Display for Go<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::Null => f.write_str("<nil>"),
            Value::Bool(value) => write!(f, "{value}"),
            Value::Number(number) => number_text(f, number),
            Value::String(text) => f.write_str(text),
            Value::Array(items) => list(f, items),
            Value::Object(map) => {
                f.write_str("map[")?;
                let mut separator = "";
                for (key, value) in map {
                    write!(f, "{separator}{key}:{}", Go(value))?;
                    separator = " ";
                }
                f.write_str("]")
            }
        }
    }
}

fn number_text(f: &mut fmt::Formatter<'_>, number: &Number) -> fmt::Result {
    match number.as_f64() {
        Some(float) if number.is_f64() && !(1e-4..1e21).contains(&float.abs()) && float != 0.0 => {
            let text = format!("{float:e}");
            let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
            let (sign, digits) = match exponent.strip_prefix('-') {
                Some(digits) => ('-', digits),
                None => ('+', exponent),
            };
            write!(f, "{mantissa}e{sign}{digits:0>2}")
        }
        Some(float) if number.is_f64() => write!(f, "{float}"),
        _ => write!(f, "{number}"),
    }
}

fn list(f: &mut fmt::Formatter<'_>, items: &[Value]) -> fmt::Result {
    f.write_str("[")?;
    let mut separator = "";
    for item in items {
        write!(f, "{separator}{}", Go(item))?;
        separator = " ";
    }
    f.write_str("]")
}

/// The Go type a JSON value is decoded to.
pub(crate) fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}
