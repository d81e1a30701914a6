use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::{Map, json};

use super::*;
use crate::facts::{builtin, read};
use crate::model::{NodeRef, Schema};
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

/// A custom resource with a schema.
static CUSTOM: LazyLock<Schema> = LazyLock::new(|| {
    read(
        "p e.v1 com.example.v1\nin e.v1\nd Typed =example.com/v1/Typed\n apiVersion str\n kind str\n metadata any\n \
         spec @Spec\nd Spec\n set [i64] list=set\n items [@Item] list=map:id,zone\n atomic [@Item] list=atomic\n \
         plain [@Item]\n map {@Item}\n whole {str} map=atomic\n any any\n size i32\nd Item\n id! i32\n \
         zone str default=\"here\"\n note str\n",
    )
    .unwrap()
});

/// `apps/v1 Deployment` as the node, the version and the kind; a kind in no schema has no node.
fn kind_of(case: &Value) -> (Option<NodeRef<'static>>, &str, &str) {
    let (version, kind) = text(case, "kind").split_once(' ').expect("`kind` is `version Kind`");
    let (group, name) = version.split_once('/').unwrap_or(("", version));
    (builtin().kind(group, name, kind).or_else(|| CUSTOM.kind(group, name, kind)), version, kind)
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
    for entry in
        managed::parse(managed::managed_fields(object).cloned().unwrap_or_default(), Source::Stored).unwrap()
    {
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
    assert!(cases.len() >= 100, "only {} cases", cases.len());
}

#[test]
fn managers_are_named() {
    let long = "x".repeat(MANAGER_BYTES + 9);
    for (field_manager, agent, name) in [
        ("me", "kubectl/v1.36", "me"),
        ("", "kubectl/v1.36 (linux/amd64)", "kubectl"),
        ("", "a\u{7}b c", "ab c"),
        ("", "", ""),
        ("", &long, &long[..MANAGER_BYTES]),
    ] {
        assert_eq!(manager_name(field_manager, agent), name);
    }
}

const MANAGER_BYTES: usize = managed::MANAGER_BYTES_MAX;

#[test]
fn sets_are_sets() {
    let set = |json: &str| FieldSet::from_value(serde_json::from_str(json).unwrap()).unwrap();
    let a = set(r#"{"f:a":{".":{},"f:b":{}},"f:c":{"f:d":{}}}"#);
    for (other, difference, below, both) in [
        (r#"{"f:a":{}}"#, r#"{"f:a":{"f:b":{}},"f:c":{"f:d":{}}}"#, r#"{"f:c":{"f:d":{}}}"#, r#"{"f:a":{}}"#),
        (
            r#"{"f:a":{"f:b":{}}}"#,
            r#"{"f:a":{},"f:c":{"f:d":{}}}"#,
            r#"{"f:a":{},"f:c":{"f:d":{}}}"#,
            r#"{"f:a":{"f:b":{}}}"#,
        ),
        (
            r#"{"f:c":{}}"#,
            r#"{"f:a":{".":{},"f:b":{}},"f:c":{"f:d":{}}}"#,
            r#"{"f:a":{".":{},"f:b":{}}}"#,
            "{}",
        ),
        (
            r#"{"f:c":{"f:d":{},"f:e":{}}}"#,
            r#"{"f:a":{".":{},"f:b":{}}}"#,
            r#"{"f:a":{".":{},"f:b":{}}}"#,
            r#"{"f:c":{"f:d":{}}}"#,
        ),
    ] {
        let other = set(other);
        let (mut left, mut rest) = (a.clone(), a.clone());
        left.subtract(&other);
        rest.subtract_below(&other);
        assert_eq!(left, set(difference));
        assert_eq!(rest, set(below));
        assert_eq!(a.intersection(&other), set(both));
    }
}

#[test]
fn paths_come_in_kubernetes_order() {
    let set = json!({"f:l": {"k:{\"p\":443}": {}, "k:{\"p\":80}": {"f:x": {}, ".": {}}}, "f:s": {"v:10": {}, "v:9": {}, "i:3": {}}, "f:a": {}});
    let paths = FieldSet::from_value(set).unwrap().paths();
    assert_eq!(paths, [".a", ".l[p=80]", ".l[p=443]", ".l[p=80].x", ".s[=9]", ".s[=10]", ".s[3]"]);
}

#[test]
fn what_is_no_set_is_refused() {
    for wrong in [
        json!([]),
        json!({"x": {}}),
        json!({"f:a": 1}),
        json!({"k:1": {}}),
        json!({"v:": {}}),
        json!({"i:-1": {}}),
        json!({"é": {}}),
    ] {
        assert!(FieldSet::from_value(wrong.clone()).is_err(), "{wrong}");
    }
}

fn any_set() -> impl Strategy<Value = FieldSet> {
    let keys =
        prop::sample::select(vec!["f:a", "f:b", "f:c.d", "k:{\"a\":1,\"b\":\"x\"}", "v:\"x\"", "v:3", "i:0"]);
    let leaf = prop::collection::vec(keys, 1..5);
    prop::collection::vec(leaf, 0..8).prop_map(|paths| {
        let mut set = FieldSet::new();
        for path in paths {
            let mut node = Map::new();
            for key in path.into_iter().rev() {
                node = Map::from_iter([(key.to_owned(), Value::Object(node))]);
            }
            set.union(FieldSet(node));
        }
        set
    })
}

/// Containers and data under few names, so that objects overlap; always valid for a Pod.
fn any_config() -> impl Strategy<Value = Value> {
    let name = || prop::sample::select(vec!["c", "d", "e"]);
    let image = || prop::option::of(prop::sample::select(vec!["x", "z"]));
    let containers = prop::collection::btree_map(name(), image(), 0..3).prop_map(|map| {
        let item = |(name, image): (&str, Option<&str>)| match image {
            Some(image) => json!({"name": name, "image": image}),
            None => json!({"name": name}),
        };
        map.into_iter().map(item).collect::<Vec<Value>>()
    });
    let labels = prop::collection::btree_map(name(), name(), 0..3);
    let finalizers = prop::collection::btree_set(name(), 0..3);
    (containers, labels, finalizers, prop::option::of(name())).prop_map(
        |(containers, labels, finalizers, node)| {
            let mut object = json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": "x", "labels": labels, "finalizers": finalizers},
                "spec": {"containers": containers},
            });
            if let Some(node) = node {
                object["spec"]["nodeName"] = json!(node);
            }
            object
        },
    )
}

fn request<'a>(
    manager: &'a str,
    node: Option<NodeRef<'a>>,
    reset: &'a FieldSet,
    time: &'a str,
) -> Request<'a> {
    Request { node, manager, api_version: "v1", subresource: "", time, reset, served: &[] }
}

fn any_tree() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0i64..3).prop_map(Value::from),
        Just(json!("c")),
    ];
    let names = prop::sample::select(vec![
        "metadata",
        "spec",
        "containers",
        "name",
        "ports",
        "finalizers",
        "managedFields",
        "labels",
        "containerPort",
        "tolerations",
    ]);
    leaf.prop_recursive(6, 40, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(names.clone().prop_map(str::to_owned), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn sets_survive_json(set in any_set()) {
        let text = set.clone().into_value().to_string();
        prop_assert_eq!(FieldSet::from_value(serde_json::from_str(&text).unwrap()).unwrap(), set);
    }

    #[test]
    fn set_algebra_holds(a in any_set(), b in any_set()) {
        let mut difference = a.clone();
        difference.subtract(&b);
        prop_assert!(difference.intersection(&b).is_empty());
        let mut whole = difference;
        whole.union(a.intersection(&b));
        prop_assert_eq!(&whole, &a);
        let mut union = a.clone();
        union.union(b.clone());
        prop_assert_eq!(union.intersection(&b), b);
    }

    #[test]
    fn applying_twice_is_applying_once(first in any_config(), second in any_config(), third in any_config()) {
        let (node, reset) = (builtin().kind("", "v1", "Pod"), FieldSet::new());
        let live = apply(None, &first, &request("a", node, &reset, "2026-01-01T00:00:01Z"), false).unwrap();
        let live = apply(Some(&live), &second, &request("b", node, &reset, "2026-01-01T00:00:02Z"), true).unwrap();
        let live = apply(Some(&live), &third, &request("a", node, &reset, "2026-01-01T00:00:03Z"), true).unwrap();
        let again = apply(Some(&live), &third, &request("a", node, &reset, "2026-01-01T00:00:04Z"), false).unwrap();
        prop_assert_eq!(&again, &live);
        let mut updated = live.clone();
        update(Some(&live), &mut updated, &request("c", node, &reset, "2026-01-01T00:00:05Z"));
        prop_assert_eq!(&updated, &live);
    }

    #[test]
    fn an_applied_configuration_is_there(first in any_config(), second in any_config()) {
        let (node, reset) = (builtin().kind("", "v1", "Pod"), FieldSet::new());
        let live = apply(None, &first, &request("a", node, &reset, "2026-01-01T00:00:01Z"), false).unwrap();
        let mut only = apply(Some(&live), &second, &request("a", node, &reset, "2026-01-01T00:00:02Z"), false).unwrap();
        managed::put(&mut only, None);
        let root = Place::root(node);
        let (mut missing, mut had) = (extract::extract(root, &second), extract::extract(root, &only));
        missing.subtract(&extract::extract(root, &only));
        prop_assert!(missing.is_empty(), "{:?}", missing.paths());
        // A sole applier's object has nothing that its configuration has not.
        had.subtract(&extract::extract(root, &second));
        prop_assert!(had.is_empty(), "{:?}", had.paths());
    }

    #[test]
    fn nothing_panics(live in any_tree(), new in any_tree(), force in any::<bool>()) {
        let reset = FieldSet::of_fields(&["status"]);
        for node in [builtin().kind("", "v1", "Pod"), None] {
            let request = request("a", node, &reset, "2026-01-01T00:00:01Z");
            let mut updated = new.clone();
            update(Some(&live), &mut updated, &request);
            update(None, &mut updated, &request);
            let mut config = new.clone();
            if let Value::Object(map) = &mut config {
                map.insert("apiVersion".to_owned(), json!("v1"));
            }
            let _ = apply(Some(&live), &config, &request, force);
            let _ = apply(None, &config, &request, force);
        }
    }
}
