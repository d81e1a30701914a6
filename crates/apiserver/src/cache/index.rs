//! What a selector may look at, read from an object's JSON without building its tree.

use std::collections::{BTreeMap, HashMap};

use api::kinds::SelectableField;
use serde::Deserialize;
use serde_json::value::RawValue;

/// The indexed part of one object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Indexed {
    /// `metadata.labels`, sorted by key.
    pub labels: Box<[(Box<str>, Box<str>)]>,
    /// The values of the kind's selectable fields, in the order of its paths; absent is "".
    pub fields: Box<[Box<str>]>,
}

impl Indexed {
    /// The value of a label.
    pub fn label(&self, key: &str) -> Option<&str> {
        let found = self.labels.binary_search_by(|(name, _)| (**name).cmp(key)).ok()?;
        Some(&self.labels[found].1)
    }
}

#[derive(Deserialize)]
struct Top {
    metadata: Option<Meta>,
}

#[derive(Deserialize)]
struct Meta {
    labels: Option<BTreeMap<String, String>>,
}

/// Reads labels and the values of `selectable` fields from an object.
///
/// Bytes that are no JSON object give an empty index: the store holds only what was encoded here.
pub fn index(json: &[u8], selectable: &[SelectableField]) -> Indexed {
    let labels = serde_json::from_slice::<Top>(json)
        .ok()
        .and_then(|top| top.metadata?.labels)
        .unwrap_or_default()
        .into_iter()
        .map(|(key, value)| (key.into(), value.into()))
        .collect();
    Indexed { labels, fields: fields(json, selectable) }
}

fn fields(json: &[u8], selectable: &[SelectableField]) -> Box<[Box<str>]> {
    if selectable.is_empty() {
        return Box::default();
    }
    let top: HashMap<String, &RawValue> = serde_json::from_slice(json).unwrap_or_default();
    let value = |field: &SelectableField| {
        let found = field.paths.iter().find_map(|path| at(&top, path));
        found.unwrap_or_else(|| field.default.to_string()).into()
    };
    selectable.iter().map(value).collect()
}

fn at(top: &HashMap<String, &RawValue>, path: &str) -> Option<String> {
    let mut segments = path.split('.');
    let mut raw = *top.get(segments.next()?)?;
    for segment in segments {
        let mut inner: HashMap<String, &RawValue> = serde_json::from_str(raw.get()).ok()?;
        raw = inner.remove(segment)?;
    }
    match serde_json::from_str::<serde_json::Value>(raw.get()).ok()? {
        serde_json::Value::String(text) => Some(text),
        serde_json::Value::Null => None,
        scalar => Some(scalar.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, paths: &[&'static str], labels: &[(&str, &str)], values: &[&str]) {
        let field = |path: &&'static str| SelectableField {
            name: (*path).into(),
            paths: vec![(*path).into()].into(),
            default: "".into(),
        };
        let selectable: Vec<_> = paths.iter().map(field).collect();
        let found = index(json.as_bytes(), &selectable);
        let expected_labels: Vec<_> = labels.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        let expected_fields: Vec<Box<str>> = values.iter().map(|v| (*v).into()).collect();
        assert_eq!(found, Indexed { labels: expected_labels.into(), fields: expected_fields.into() });
    }

    #[test]
    fn labels_and_fields_are_found() {
        check(
            r#"{"metadata":{"labels":{"b":"2","a":"1"}},"spec":{"nodeName":"n","hostNetwork":true}}"#,
            &["spec.nodeName", "spec.hostNetwork", "status.phase"],
            &[("a", "1"), ("b", "2")],
            &["n", "true", ""],
        );
        check(r#"{"metadata":{"name":"x"}}"#, &[], &[], &[]);
        check(r#"{"spec":null}"#, &["spec.nodeName"], &[], &[""]);
    }
}
