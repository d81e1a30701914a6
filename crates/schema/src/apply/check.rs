//! A configuration checked against the schema before it is merged, worded as Kubernetes does.

use std::collections::HashSet;
use std::fmt::Write as _;

use serde_json::Value;

use super::element::Shown;
use super::place::{Form, Place};
use crate::model::{NodeRef, Type};
use crate::patch::show::{Go, go_type};
use crate::quote::Quoted;

/// Checks an object.
///
/// # Errors
/// All problems, each with its path, as one text.
pub(super) fn check(root: Place<'_>, object: &Value) -> Result<(), String> {
    let mut checker = Checker { path: String::new(), problems: Vec::new() };
    checker.value(root, object);
    match &checker.problems[..] {
        [] => Ok(()),
        [only] => Err(only.clone()),
        many => Err(format!("errors:\n  {}", many.join("\n  "))),
    }
}

struct Checker {
    path: String,
    problems: Vec<String>,
}

impl Checker {
    fn problem(&mut self, text: &str) {
        let problem = if self.path.is_empty() { text.to_owned() } else { format!("{}: {text}", self.path) };
        self.problems.push(problem);
    }

    fn within(&mut self, element: &Shown, place: Place<'_>, value: &Value) {
        let length = self.path.len();
        let _ = write!(self.path, "{element}");
        self.value(place, value);
        self.path.truncate(length);
    }

    fn value(&mut self, place: Place<'_>, value: &Value) {
        let ty = place.node.map_or(Type::Any, NodeRef::ty);
        match (ty, value) {
            (_, Value::Null) => {}
            (Type::Any, Value::Object(_)) | (Type::Object | Type::Map, Value::Object(_)) => {
                self.map(place, value);
            }
            (Type::Array, Value::Array(items)) => self.list(place, items),
            (Type::Any, _) => {}
            (Type::Object | Type::Map, _) => self.problem(&format!("expected map, got &{{{}}}", Go(value))),
            (Type::Array, _) => self.problem(&format!("expected list, got &{{{}}}", Go(value))),
            (scalar, _) => self.scalar(scalar, value),
        }
    }

    fn scalar(&mut self, ty: Type, value: &Value) {
        match ty {
            Type::String if !value.is_string() => {
                let text =
                    format!("expected string, got &value.valueUnstructured{{Value:{}}}", go_syntax(value));
                self.problem(&text);
            }
            Type::Integer | Type::Number if !value.is_number() => {
                self.problem(&format!("expected numeric (int or float), got {}", go_type(value)));
            }
            Type::Boolean if !value.is_boolean() => {
                self.problem(&format!("expected boolean, got &{{{}}}", Go(value)));
            }
            Type::IntOrString | Type::Quantity if value.is_object() || value.is_array() => {
                self.problem(&format!("expected any scalar, got &{{{}}}", Go(value)));
            }
            _ => {}
        }
    }

    fn map(&mut self, place: Place<'_>, value: &Value) {
        let open = place.node.is_none_or(|n| n.ty() != Type::Object || n.preserves_unknown());
        for (key, value) in value.as_object().into_iter().flatten() {
            let shown = Shown::Field(key.clone());
            if !open && !place.has_field(key) && place.child(key).node.is_none() {
                let length = self.path.len();
                let _ = write!(self.path, "{shown}");
                self.problem("field not declared in schema");
                self.path.truncate(length);
                return;
            }
            self.within(&shown, place.child(key), value);
        }
    }

    fn list(&mut self, place: Place<'_>, items: &[Value]) {
        let associative = place.form(&Value::Null) == Form::List;
        let mut seen = HashSet::new();
        for (index, item) in items.iter().enumerate() {
            let shown = if associative {
                match place.element(item) {
                    Ok(element) => {
                        let shown = Shown::of(&element);
                        if !seen.insert(element) {
                            self.problem(&format!("duplicate entries for key {shown}"));
                        }
                        shown
                    }
                    Err(text) => return self.problem(&format!("element {index}: {text}")),
                }
            } else {
                Shown::Index(i64::try_from(index).unwrap_or(i64::MAX))
            };
            self.within(&shown, place.items(), item);
        }
    }
}

/// A value as Go's `%#v` prints it.
fn go_syntax(value: &Value) -> String {
    match value {
        Value::String(text) => Quoted(text).to_string(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(go_syntax).collect();
            format!("[]interface {{}}{{{}}}", items.join(", "))
        }
        Value::Object(map) => {
            let entry = |(key, value): (&String, &Value)| format!("{}:{}", Quoted(key), go_syntax(value));
            let entries: Vec<String> = map.iter().map(entry).collect();
            format!("map[string]interface {{}}{{{}}}", entries.join(", "))
        }
        other => Go(other).to_string(),
    }
}
