use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::cases::{self, trees};

#[test]
fn cases() {
    cases::run("validate", 50, |case| {
        let schema = cases::schema_of(case);
        let issues = validate(schema.root(), &case["value"], case.get("old"));
        let issues: Vec<String> = issues.iter().map(ToString::to_string).collect();
        (json!(issues), case.get("issues").cloned().unwrap_or(json!([])))
    });
}

#[test]
fn rules_are_told_with_their_values() {
    let schema = cases::schema_of(&json!({"properties": {"spec": {
        "type": "object",
        "x-kubernetes-validations": [{"rule": "self.min <= self.max", "message": "no"}],
        "properties": {
            "min": {"type": "integer"},
            "list": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                "items": {"type": "object", "required": ["name"], "properties": {
                    "name": {"type": "string"},
                    "size": {"type": "integer",
                        "x-kubernetes-validations": [{"rule": "self >= oldSelf", "optionalOldSelf": true}]}}}},
        },
    }}}));
    let old = json!({"spec": {"list": [{"name": "b", "size": 2}, {"name": "a", "size": 1}]}});
    let new = json!({"spec": {"list": [{"name": "a", "size": 3}, {"name": "c", "size": 4}], "min": null}});
    let sites: Vec<_> = rule_sites(schema.root(), &new, Some(&old))
        .map(|site| (site.path, site.rule.rule.as_str(), site.rule.optional_old_self, site.old.cloned()))
        .collect();
    assert_eq!(
        sites,
        [
            ("spec".to_owned(), "self.min <= self.max", false, Some(old["spec"].clone())),
            ("spec.list[0].size".to_owned(), "self >= oldSelf", true, Some(json!(1))),
            ("spec.list[1].size".to_owned(), "self >= oldSelf", true, None),
        ]
    );
}

proptest! {
    #[test]
    fn validation_never_panics_and_ratchets(value in trees::any_tree()) {
        let schema = crate::crd::schema(&trees::everything(), "", cases::kind()).unwrap();
        let _ = validate(schema.root(), &value, None);
        prop_assert!(validate(schema.root(), &value, Some(&value)).is_empty());
    }
}
