use std::fs;
use std::path::Path;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::decode::DEPTH_MAX;
use crate::facts::builtin;

fn cases(file: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/patch").join(file);
    serde_saphyr::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn show_error(error: &PatchError) -> Value {
    match error {
        PatchError::Malformed(text) => json!({"malformed": text}),
        PatchError::TooManyOperations(n) => json!({"operations": n}),
        PatchError::Rejected(text) => json!({"rejected": text}),
        PatchError::Unfit(text) => json!({"unfit": text}),
    }
}

/// What a patch made of a case's `current`, and what was to be told about the patch.
type Outcome = Result<(Value, Vec<String>), PatchError>;

fn run_json(_: &Value, current: Value, body: &[u8]) -> Outcome {
    let patch = JsonPatch::parse(body)?;
    Ok((patch.apply(current)?, patch.issues().to_vec()))
}

fn run_merge(_: &Value, current: Value, body: &[u8]) -> Outcome {
    let patch = MergePatch::parse(body)?;
    Ok((patch.apply(current), patch.issues().to_vec()))
}

fn run_strategic(case: &Value, current: Value, body: &[u8]) -> Outcome {
    let node = builtin().definition(case["kind"].as_str().unwrap()).unwrap();
    let patch = StrategicPatch::parse(body)?;
    Ok((patch.apply(node, current)?, patch.issues().to_vec()))
}

/// One case: `current`, `patch` (a tree) or `text`, and `result` with `issues`, or `error`.
fn check(case: &Value, run: fn(&Value, Value, &[u8]) -> Outcome) -> Option<String> {
    let body = match case["text"].as_str() {
        Some(text) => text.to_owned(),
        None => case["patch"].to_string(),
    };
    let got = match run(case, case["current"].clone(), body.as_bytes()) {
        Ok((value, issues)) => json!({"result": value, "issues": issues}),
        Err(error) => json!({"error": show_error(&error)}),
    };
    let expected = match case.get("error") {
        Some(error) => json!({"error": error}),
        None => json!({"result": case["result"], "issues": case.get("issues").unwrap_or(&json!([]))}),
    };
    (got != expected).then(|| format!("{}\n     got {got}\nexpected {expected}\n", case["name"]))
}

fn check_file(file: &str, run: fn(&Value, Value, &[u8]) -> Outcome, least: usize) {
    let cases = cases(file);
    assert!(cases.len() >= least, "only {} cases in {file}", cases.len());
    let wrong: Vec<String> = cases.iter().filter_map(|case| check(case, run)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn json_cases() {
    check_file("json.yaml", run_json, 30);
}

#[test]
fn merge_cases() {
    check_file("merge.yaml", run_merge, 10);
}

#[test]
fn strategic_cases() {
    check_file("strategic.yaml", run_strategic, 40);
}

#[test]
fn numbers_print_as_go_prints_them() {
    let item = json!({"a": 1.5, "b": 1e21, "c": 1e-7, "d": 100000.0, "e": -3, "f": 0.0});
    let case = json!({"kind": "io.k8s.api.core.v1.PodSpec"});
    let patch = json!({"containers": [item]}).to_string();
    let error = run_strategic(&case, json!({"containers": [{"name": "a"}]}), patch.as_bytes()).unwrap_err();
    let shown = "map[a:1.5 b:1e+21 c:1e-07 d:100000 e:-3 f:0]";
    assert_eq!(error.to_string(), format!("map: {shown} does not contain declared merge key: name"));
}

#[test]
fn json_patches_stay_small() {
    let many = vec![json!({"op": "test", "path": "/a"}); OPERATIONS_MAX + 1];
    let error = run_json(&Value::Null, json!({}), json!(many).to_string().as_bytes()).unwrap_err();
    assert_eq!(error, PatchError::TooManyOperations(OPERATIONS_MAX + 1));

    let deeper: Vec<Value> =
        (1..200).map(|n| json!({"op": "add", "path": "/a".repeat(n), "value": {}})).collect();
    let error = run_json(&Value::Null, json!({}), json!(deeper).to_string().as_bytes()).unwrap_err();
    assert_eq!(error, PatchError::Rejected("exceeded max depth".to_owned()));

    let double = vec![json!({"op": "copy", "from": "", "path": "/a/-"}); 1000];
    let error = run_json(&Value::Null, json!({"a": []}), json!(double).to_string().as_bytes()).unwrap_err();
    assert!(matches!(error, PatchError::Rejected(text) if text.starts_with("Unable to complete the copy")));

    let wide: Vec<Value> =
        (0..40).map(|n| json!({"op": "copy", "from": "/a", "path": format!("/{n}")})).collect();
    let current = json!({"a": "x".repeat(100_000)});
    let error = run_json(&Value::Null, current, json!(wide).to_string().as_bytes()).unwrap_err();
    assert!(matches!(error, PatchError::Rejected(text) if text.contains("size increase of copy is 3200064")));
}

/// Any JSON, with names that mean something to patches and schemas.
fn any_json() -> impl Strategy<Value = Value> {
    let names = prop::sample::select(vec![
        "a",
        "name",
        "spec",
        "containers",
        "ports",
        "containerPort",
        "env",
        "value",
        "strategy",
        "metadata",
        "finalizers",
        "labels",
        "template",
        "$patch",
        "$retainKeys",
        "$setElementOrder/containers",
        "$setElementOrder/finalizers",
        "$deleteFromPrimitiveList/finalizers",
        "$setElementOrder",
        "volumes",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-2i64..90).prop_map(Value::from),
        Just(json!(1.5)),
        prop::sample::select(vec!["a", "b", "replace", "delete", "merge"]).prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 40, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(names.clone().prop_map(str::to_owned), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn any_operation() -> impl Strategy<Value = Value> {
    let kinds = prop::sample::select(vec!["add", "remove", "replace", "move", "copy", "test", "x"]);
    let paths =
        prop::sample::select(vec!["", "/a", "/a/0", "/a/-", "/a/-1", "/name/a", "/spec/1/a", "a", "/"]);
    (kinds, paths.clone(), paths, any_json())
        .prop_map(|(op, path, from, value)| json!({"op": op, "path": path, "from": from, "value": value}))
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(map) => 1 + map.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

proptest! {
    #[test]
    fn json_patches_never_panic(current in any_json(), patch in prop::collection::vec(any_operation(), 0..12)) {
        if let Ok((value, _)) = run_json(&Value::Null, current, json!(patch).to_string().as_bytes()) {
            prop_assert!(depth(&value) <= DEPTH_MAX);
        }
    }

    #[test]
    fn strategic_patches_never_panic(current in any_json(), patch in any_json()) {
        for kind in ["core.v1.Pod", "core.v1.PodSpec", "core.v1.Container", "apps.v1.DeploymentSpec"] {
            let case = json!({"kind": format!("io.k8s.api.{kind}")});
            if let Ok((value, _)) = run_strategic(&case, current.clone(), patch.to_string().as_bytes()) {
                prop_assert!(!value.to_string().contains(r#""$patch":"#) || current.to_string().contains("$patch"));
            }
        }
    }

    #[test]
    fn merging_twice_is_merging_once(current in any_json(), patch in any_json()) {
        let mut once = current;
        merge::merge(&mut once, &patch);
        let mut twice = once.clone();
        merge::merge(&mut twice, &patch);
        prop_assert_eq!(once, twice);
    }
}
