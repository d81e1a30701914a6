//! Small steps for defaulting: fill in what is absent, and compare as Go's semantic equality does.

use serde_json::{Map, Value};

/// An object's fields.
pub(crate) type Fields = Map<String, Value>;

/// Whether the field is absent or null: Go's nil.
pub(crate) fn is_unset(fields: &Fields, name: &str) -> bool {
    fields.get(name).is_none_or(Value::is_null)
}

/// Whether the field is absent or empty or zero: Go's zero value.
pub(crate) fn is_zero(fields: &Fields, name: &str) -> bool {
    fields.get(name).is_none_or(|value| api::meta::is_empty(value) || value.as_i64() == Some(0))
}

/// Sets the field where it is nil.
pub(crate) fn fill(fields: &mut Fields, name: &str, value: impl Into<Value>) {
    if is_unset(fields, name) {
        fields.insert(name.to_owned(), value.into());
    }
}

/// Sets the field where it has its zero value.
pub(crate) fn fill_zero(fields: &mut Fields, name: &str, value: impl Into<Value>) {
    if is_zero(fields, name) {
        fields.insert(name.to_owned(), value.into());
    }
}

/// The fields of the object at a dotted path, if it is there.
pub(crate) fn fields_at<'a>(value: &'a mut Value, path: &str) -> Option<&'a mut Fields> {
    path.split('.').try_fold(value, |value, name| value.get_mut(name))?.as_object_mut()
}

/// The fields of the object under `name`, made where it is absent.
///
/// A value of another type is left alone and gives `None`: decoding has refused it already.
pub(crate) fn make<'a>(fields: &'a mut Fields, name: &str) -> Option<&'a mut Fields> {
    fill(fields, name, Fields::new());
    fields.get_mut(name)?.as_object_mut()
}

/// The fields of the object under `name`, if it is there.
pub(crate) fn inner<'a>(fields: &'a mut Fields, name: &str) -> Option<&'a mut Fields> {
    fields.get_mut(name)?.as_object_mut()
}

/// The objects of the list under `name`.
pub(crate) fn each<'a>(fields: &'a mut Fields, name: &str) -> impl Iterator<Item = &'a mut Fields> {
    fields.get_mut(name).and_then(Value::as_array_mut).into_iter().flatten().filter_map(Value::as_object_mut)
}

/// The text of the field, `""` if there is none.
pub(crate) fn text<'a>(fields: &'a Fields, name: &str) -> &'a str {
    fields.get(name).and_then(Value::as_str).unwrap_or("")
}

/// Puts `old`'s field in place of `new`'s.
pub(crate) fn keep(new: &mut Value, old: &Value, name: &str) {
    let Some(fields) = new.as_object_mut() else { return };
    match old.get(name) {
        Some(value) => fields.insert(name.to_owned(), value.clone()),
        None => fields.remove(name),
    };
}

/// Whether two values say the same: what is absent equals what is null or empty, and numbers compare by value.
///
/// Source: apimachinery `equality.Semantic`.
pub(crate) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            let matches = |name: &String, value: &Value| {
                b.get(name).map_or_else(|| is_vacuous(value), |b| same(value, b))
            };
            a.iter().all(|(name, value)| matches(name, value))
                && b.iter().all(|(name, value)| a.contains_key(name) || is_vacuous(value))
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Null, other) | (other, Value::Null) => is_vacuous(other),
        (a, b) => a == b,
    }
}

/// Whether a value says no more than an absent one, itself and all in it.
fn is_vacuous(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.values().all(is_vacuous),
        other => api::meta::is_empty(other),
    }
}
