//! Test cases as files: `testdata/FEATURE/*.yaml`, each a list of cases.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::crd;
use crate::model::{GroupVersionKind, Schema};

/// Runs every case of a feature. `check` gives what it got and what the case expects.
pub(crate) fn run(feature: &str, least: usize, check: impl Fn(&Value) -> (Value, Value)) {
    let mut count = 0;
    let mut wrong = Vec::new();
    for file in files(feature) {
        let text = fs::read_to_string(&file).unwrap();
        let cases: Vec<Value> =
            serde_saphyr::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        count += cases.len();
        for case in &cases {
            let (got, expected) = check(case);
            if got != expected {
                wrong.push(format!("{}\n     got {got}\nexpected {expected}\n", case["name"]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count >= least, "only {count} cases were found");
}

fn files(feature: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(feature);
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// The arena of a case's schema. `properties` alone is short for an object at the root.
pub(crate) fn schema_of(case: &Value) -> Schema {
    crd::schema(&raw_of(case), "schema", kind())
        .unwrap_or_else(|issues| panic!("{}: {issues:?}", case["name"]))
}

pub(crate) fn raw_of(case: &Value) -> Value {
    match case.get("properties") {
        Some(properties) => json!({"type": "object", "properties": properties}),
        None => case["schema"].clone(),
    }
}

pub(crate) fn kind() -> GroupVersionKind {
    GroupVersionKind { group: "stable.example.com".into(), version: "v1".into(), kind: "CronTab".into() }
}

/// Trees to prune and to fill, and one schema that has everything.
pub(crate) mod trees {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    pub(crate) fn everything() -> Value {
        json!({"type": "object", "properties": {
            "a": {"type": "string", "default": "x"},
            "b": {"type": "object", "default": {}, "properties": {
                "a": {"type": "integer", "default": 1}, "c": {"type": "string", "nullable": true}}},
            "c": {"type": "array", "items": {"type": "object", "properties": {
                "a": {"type": "string", "default": "y"}, "b": {"type": "boolean"}}}},
            "d": {"type": "object", "additionalProperties": {"type": "object", "properties": {
                "a": {"type": "string", "default": "z"}}}},
            "e": {"type": "object", "x-kubernetes-preserve-unknown-fields": true, "properties": {
                "a": {"type": "object", "properties": {"b": {"type": "string"}}}}},
            "f": {"type": "object", "additionalProperties": true},
            "g": {"type": "array", "items": {"type": "string", "default": "q"}},
        }})
    }

    pub(crate) fn any_tree() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![Just(Value::Null), Just(json!(1)), Just(json!("s")), Just(json!(true))];
        let name = prop::sample::select(vec!["a", "b", "c", "d", "e", "f", "g", "metadata", "kind"]);
        leaf.prop_recursive(5, 80, 7, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((name.clone(), inner), 0..7).prop_map(|pairs| Value::Object(
                    pairs.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()
                )),
            ]
        })
    }
}
