use std::collections::BTreeSet;

use serde_json::json;

use super::*;

/// Rows that keep nothing: they need no storage rules.
fn asked_not_kept(resource: &Resource) -> bool {
    !resource.verbs.contains(Verb::Watch)
}

#[test]
fn the_table_is_consistent() {
    let registry = Registry::builtin();
    let mut stored = BTreeSet::new();
    let mut count = 0;
    for resource in registry.iter() {
        count += 1;
        let name = resource.group_resource();
        assert_eq!(resource.versions.iter().filter(|v| v.storage).count(), 1, "{name}");
        assert_eq!(resource.singular, resource.kind.to_lowercase(), "{name}");
        assert_eq!(resource.list_kind, format!("{}List", resource.kind), "{name}");
        assert_eq!(resource.has_status, resource.subresource("status").is_some(), "{name}");
        let subresources: Vec<_> = resource.subresources.iter().map(|s| s.name.clone()).collect();
        assert!(subresources.is_sorted(), "{name}: {subresources:?}");
        let definition = format!(".{}.{}", resource.storage_version().name, resource.kind);
        assert!(resource.storage_version().definition.ends_with(&definition), "{name}");
        let shares = resource.group == "events.k8s.io";
        assert!(stored.insert(resource.storage.clone()) != shares, "{name}: {:?}", resource.storage);
        assert!(!(asked_not_kept(resource) && resource.generation.tracked()), "{name}");
        for version in resource.versions.iter() {
            let by_plural = registry.resource(&resource.group, &version.name, &resource.plural).unwrap();
            let by_kind = registry.kind(&resource.group, &version.name, &resource.kind).unwrap();
            assert_eq!(by_plural.resource, by_kind.resource);
            assert_eq!(by_plural.version(), version);
        }
    }
    assert_eq!(count, 67);
}

#[test]
fn short_names_are_unambiguous_but_for_events() {
    let mut seen = BTreeSet::new();
    for resource in Registry::builtin().iter().filter(|r| r.group != "events.k8s.io") {
        for short in resource.short_names.iter() {
            assert!(seen.insert(short.clone()), "{short}");
        }
    }
}

#[test]
fn groups_come_in_the_order_of_discovery() {
    let registry = Registry::builtin();
    let names: Vec<&str> = registry.groups().into_iter().map(|g| g.name.as_ref()).collect();
    assert_eq!(names[..5], ["apiregistration.k8s.io", "", "apps", "events.k8s.io", "authentication.k8s.io"]);
    assert_eq!(names.len(), 21);
    assert_eq!(registry.group("autoscaling").unwrap().versions, ["v2", "v1"]);
    assert!(registry.group_versions().contains(&GroupVersionKind::new("batch", "v1", "").group_version()));
}

#[test]
fn versions_sort_as_kubernetes_prefers_them() {
    let mut versions = [
        "foo10",
        "v1alpha1",
        "v10",
        "v2",
        "v1",
        "v11beta2",
        "v10beta3",
        "v3beta1",
        "v12alpha1",
        "foo1",
        "v01",
    ];
    versions.sort_by(|a, b| compare_versions(a, b));
    let expected = [
        "v10",
        "v2",
        "v1",
        "v11beta2",
        "v10beta3",
        "v3beta1",
        "v12alpha1",
        "v1alpha1",
        "foo1",
        "foo10",
        "v01",
    ];
    assert_eq!(versions, expected);
}

fn custom(plural: &'static str, kind: &'static str, versions: &[(&'static str, bool, bool)]) -> Resource {
    let version = |(name, served, storage): &(&'static str, bool, bool)| Version {
        name: (*name).into(),
        definition: format!("io.example.{name}.{kind}").into(),
        served: *served,
        storage: *storage,
    };
    Resource {
        group: "example.io".into(),
        plural: plural.into(),
        singular: kind.to_lowercase().into(),
        kind: kind.into(),
        list_kind: format!("{kind}List").into(),
        short_names: List::default(),
        categories: List::default(),
        scope: Scope::Namespaced,
        verbs: Verbs::STANDARD,
        versions: versions.iter().map(version).collect(),
        subresources: List::default(),
        storage: StorageKey(format!("example.io/{plural}").into()),
        selectable: List::default(),
        has_status: false,
        generation: GenerationRule::ExceptMetadataAndStatus,
        graceful: false,
    }
}

#[test]
fn rows_come_and_go_without_touching_older_snapshots() {
    let old = Registry::builtin();
    let row =
        custom("crons", "Cron", &[("v1beta1", false, true), ("v1", true, false), ("v1alpha1", true, false)]);
    let new = old.with(row).unwrap();
    assert!(old.group("example.io").is_none());
    assert_eq!(new.group("example.io").unwrap().versions, ["v1", "v1alpha1"]);
    assert!(new.resource("example.io", "v1", "crons").is_some());
    assert!(new.resource("example.io", "v1beta1", "crons").is_none(), "not served");
    assert_eq!(new.get("example.io", "crons").unwrap().storage_version().name, "v1beta1");
    assert_eq!(new.groups().last().unwrap().name, "example.io");

    let renamed = new.with(custom("crons", "Timer", &[("v2", true, true)])).unwrap();
    assert!(renamed.kind("example.io", "v1", "Cron").is_none());
    assert_eq!(renamed.group("example.io").unwrap().preferred().unwrap(), "v2");
    assert!(renamed.without("example.io", "crons").group("example.io").is_none());
    assert!(renamed.without("example.io", "absent").get("example.io", "crons").is_some());
}

#[test]
fn inconsistent_rows_are_refused() {
    let registry = Registry::builtin().with(custom("crons", "Cron", &[("v1", true, true)])).unwrap();
    for (row, message) in [
        (
            custom("others", "Cron", &[("v1", true, true)]),
            r#"kind Cron of group "example.io" is already served as crons"#,
        ),
        (
            custom("a", "A", &[("v1", true, false)]),
            "a.example.io has 0 storage versions: exactly one is needed",
        ),
        (
            custom("a", "A", &[("v1", true, true), ("v2", true, true)]),
            "a.example.io has 2 storage versions: exactly one is needed",
        ),
    ] {
        assert_eq!(registry.with(row).unwrap_err().to_string(), message);
    }
}

#[test]
fn generation_rises_with_the_fields_of_the_rule() {
    let registry = Registry::builtin();
    let base = json!({"metadata": {"name": "a"}, "spec": {"x": 1}, "status": {"y": 1}, "data": {}});
    let spec = json!({"metadata": {"name": "a"}, "spec": {"x": 2}, "status": {"y": 1}});
    let status = json!({"metadata": {"name": "a"}, "spec": {"x": 1}, "status": {"y": 2}});
    let note =
        json!({"metadata": {"name": "a", "annotations": {"n": "1"}}, "spec": {"x": 1}, "status": {"y": 1}});
    for (group, plural, raised) in [
        ("apps", "deployments", [true, false, true]),
        ("apps", "replicasets", [true, false, false]),
        ("", "configmaps", [false, false, false]),
    ] {
        let rule = &registry.get(group, plural).unwrap().generation;
        let actual = [&spec, &status, &note].map(|new| rule.raised(&base, new));
        assert_eq!(actual, raised, "{plural}");
    }
    assert!(GenerationRule::ExceptMetadata.raised(&base, &status));
    assert!(!GenerationRule::ExceptMetadataAndStatus.raised(&spec, &{
        let mut other = spec.clone();
        other["status"] = json!({});
        other["metadata"] = json!({});
        other
    }));
}

#[test]
fn verbs_are_a_set_with_names() {
    let names: Vec<&str> = Verbs::MODIFY.iter().map(Verb::name).collect();
    assert_eq!(names, ["get", "patch", "update"]);
    assert_eq!(format!("{:?}", Verbs::READ), r#"{"get", "list"}"#);
    assert_eq!(Verb::parse("deletecollection"), Some(Verb::DeleteCollection));
    assert_eq!(Verb::parse("proxy"), None);
}
