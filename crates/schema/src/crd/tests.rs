use serde_json::json;

use super::*;
use crate::cases;

/// One case: a schema and the issues it has.
fn check(case: &Value) -> (Value, Value) {
    let issues = schema(&cases::raw_of(case), "schema", cases::kind()).err().unwrap_or_default();
    let issues: Vec<String> = issues.iter().map(ToString::to_string).collect();
    (json!(issues), case.get("issues").cloned().unwrap_or(json!([])))
}

#[test]
fn cases() {
    cases::run("crd", 35, check);
}

#[test]
fn resources_know_their_metadata() {
    let schema = cases::schema_of(&json!({"properties": {
        "metadata": {"type": "object", "properties": {"name": {"type": "string", "maxLength": 5}}},
        "spec": {"type": "object", "properties": {
            "pod": {"type": "object", "x-kubernetes-embedded-resource": true,
                    "x-kubernetes-preserve-unknown-fields": true}}},
    }}));
    let root = schema.root();
    assert_eq!(root.definition_name(), Some("com.example.stable.v1.CronTab"));
    let pod = root.field("spec").unwrap().node().field("pod").unwrap().node();
    for resource in [root, pod] {
        let meta = resource.field("metadata").unwrap().node();
        let owners = meta.field("ownerReferences").unwrap();
        assert_eq!(owners.node().list_keys(), ["uid"]);
        assert_eq!(owners.merge_key(), Some("uid"));
        assert_eq!(meta.field("labels").unwrap().node().values().unwrap().ty(), Type::String);
    }
    let name = |resource: NodeRef<'_>| {
        let meta = resource.field("metadata").unwrap().node();
        meta.field("name").unwrap().node().validation().and_then(|facts| facts.max_length)
    };
    assert_eq!((name(root), name(pod)), (Some(5), None));
}

#[test]
fn a_version_without_a_schema_keeps_everything() {
    let schema = permissive(cases::kind());
    let mut value = json!({"spec": {"a": [1]}, "x": null});
    let before = value.clone();
    assert!(crate::prune(&mut value, schema.root()).is_empty());
    assert_eq!(value, before);
}

#[test]
fn deep_schemas_are_refused() {
    let mut raw = json!({"type": "string"});
    for _ in 0..DEPTH_MAX {
        raw = json!({"type": "object", "properties": {"a": raw}});
    }
    let issues = schema(&raw, "", cases::kind()).unwrap_err();
    assert!(issues[0].detail.contains("too deep"), "{}", issues[0]);
}
