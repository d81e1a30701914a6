use std::fs;
use std::path::Path;

use proptest::prelude::*;
use serde_json::{Map, json};

use super::*;
use crate::facts::builtin;
use crate::model::NodeRef;
use crate::patch;

fn cases() -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/apply");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let read = |file| -> Vec<Value> { serde_saphyr::from_str(&fs::read_to_string(file).unwrap()).unwrap() };
    files.into_iter().flat_map(read).collect()
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

/// `apps/v1 Deployment` as the node, the version and the kind; a kind in no schema has no node.
fn kind_of(case: &Value) -> (Option<NodeRef<'static>>, &str, &str) {
    let (version, kind) = text(case, "kind").split_once(' ').expect("`kind` is `version Kind`");
    let (group, name) = version.split_once('/').unwrap_or(("", version));
    (builtin().kind(group, name, kind), version, kind)
}

fn time_of(step: usize) -> String {
    format!("2026-01-01T00:00:{step:02}Z")
}

/// An object with its type and name filled in.
fn complete(case: &Value, object: &Value, version: &str) -> Value {
    let mut whole = json!({"apiVersion": version, "kind": kind_of(case).2, "metadata": {"name": "x"}});
    patch::merge::merge(&mut whole, object);
    // Merging drops nulls, which mean something in a configuration.
    for (key, value) in object.as_object().into_iter().flatten().filter(|(key, _)| *key != "metadata") {
        whole[key] = value.clone();
    }
    whole
}

/// One step on the live object: the new live object, or the error's text.
fn run(case: &Value, step: &Value, index: usize, live: Option<&Value>) -> Result<Value, String> {
    let (node, version, _) = kind_of(case);
    let version = step["version"].as_str().unwrap_or(version);
    let (manager, time) = (text(step, "as"), time_of(index));
    let reset: Vec<&str> = case["reset"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let reset: Vec<&[&str]> = reset.chunks(1).collect();
    let reset = if step.get("sub").is_some() { FieldSet::new() } else { FieldSet::of_fields(&reset) };
    let served: Vec<&str> =
        case["served"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let subresource = text(step, "sub");
    let request = Request {
        node,
        manager,
        api_version: version,
        subresource,
        time: &time,
        reset: &reset,
        served: &served,
    };
    if let Some(config) = step.get("apply") {
        let config = complete(case, config, version);
        return apply(live, &config, &request, step["force"] == true).map_err(|error| error.to_string());
    }
    let mut new = match (step.get("put"), step.get("set")) {
        (Some(object), None) => complete(case, object, version),
        (None, Some(change)) => {
            let mut object = live.cloned().unwrap_or_default();
            patch::merge::merge(&mut object, change);
            object
        }
        _ => panic!("a step has apply, put or set: {step}"),
    };
    update(live, &mut new, &request);
    Ok(new)
}

/// `a Apply 1` (manager, operation, step it last gained something in) with its paths.
fn owners(object: &Value) -> Value {
    let mut result = Map::new();
    for entry in managed::parse(managed::managed_fields(object).cloned().unwrap_or_default()).unwrap() {
        let time = entry.time.map_or("-".to_owned(), |t| t[17..19].trim_start_matches('0').to_owned());
        let sub =
            if entry.subresource.is_empty() { String::new() } else { format!("/{}", entry.subresource) };
        let key = format!("{}{sub} {:?} {time}", entry.manager, entry.operation);
        result.insert(key, json!(entry.fields.paths()));
    }
    Value::Object(result)
}

/// What differs after a step.
fn differences(case: &Value, step: &Value, outcome: &Result<Value, String>) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut compare = |what: &str, got: &Value| {
        if let Some(expected) = step.get(what)
            && got != expected
        {
            wrong.push(format!("{what}\n     got {got}\nexpected {expected}"));
        }
    };
    match outcome {
        Ok(object) => {
            compare("owners", &owners(object));
            compare("managed", managed::managed_fields(object).unwrap_or(&Value::Null));
            let mut plain = object.clone();
            managed::put(&mut plain, None);
            compare("annotations", &plain["metadata"]["annotations"]);
            for part in ["spec", "status", "data"] {
                compare(part, &plain[part]);
            }
            compare("error", &Value::Null);
        }
        Err(error) => compare("error", &json!(error)),
    }
    if outcome.is_err() && step.get("error").is_none() {
        wrong.push(format!("failed: {outcome:?}"));
    }
    wrong.into_iter().map(|text| format!("{}: {text}", case["name"])).collect()
}

fn check(case: &Value) -> Vec<String> {
    let mut live: Option<Value> = None;
    let mut wrong = Vec::new();
    for (index, step) in case["steps"].as_array().unwrap().iter().enumerate() {
        let outcome = run(case, step, index + 1, live.as_ref());
        let found = differences(case, step, &outcome);
        wrong.extend(found.into_iter().map(|text| format!("step {} of {text}\n", index + 1)));
        live = outcome.ok().or(live);
    }
    wrong
}

#[test]
fn golden_cases() {
    let cases = cases();
    let wrong: Vec<String> = cases.iter().flat_map(check).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(cases.len() >= 60, "only {} cases", cases.len());
}
