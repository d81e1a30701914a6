//! What differs between two trees, for messages that would otherwise leave their reader guessing.

use std::fmt::Write;

use serde_json::Value;

use super::tree::same;

/// One line for each field that differs: `- path: before` and `+ path: after`.
///
/// Kubernetes prints a diff of Go structs here, in a form it declares unstable; only the facts are the same.
pub(crate) fn describe(old: &Value, new: &Value) -> String {
    let mut lines = String::new();
    walk("", old, new, &mut lines);
    lines
}

fn walk(path: &str, old: &Value, new: &Value, lines: &mut String) {
    if same(old, new) {
        return;
    }
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            let names = old.keys().chain(new.keys().filter(|name| !old.contains_key(*name)));
            for name in names {
                let dot = if path.is_empty() { "" } else { "." };
                let absent = Value::Null;
                let (old, new) = (old.get(name).unwrap_or(&absent), new.get(name).unwrap_or(&absent));
                walk(&format!("{path}{dot}{name}"), old, new, lines);
            }
        }
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            for (index, (old, new)) in old.iter().zip(new).enumerate() {
                walk(&format!("{path}[{index}]"), old, new, lines);
            }
        }
        (old, new) => {
            for (sign, value) in [('-', old), ('+', new)] {
                if !value.is_null() {
                    writeln!(lines, "{sign} {path}: {value}").expect("writing to a String cannot fail");
                }
            }
        }
    }
}
