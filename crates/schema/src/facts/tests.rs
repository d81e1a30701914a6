use super::*;
use crate::model::NodeRef;

/// One line that says what the node at a dotted path of a definition is.
fn describe(path: &str) -> String {
    let (definition, fields) = path.split_once(' ').unwrap_or((path, ""));
    let mut node = builtin().definition(definition).unwrap_or_else(|| panic!("no {definition}"));
    let mut tail = String::new();
    for step in fields.split('.').filter(|step| !step.is_empty()) {
        tail.clear();
        node = match step {
            "[]" => node.items().unwrap_or_else(|| panic!("{path}: no items")),
            "{}" => node.values().unwrap_or_else(|| panic!("{path}: no values")),
            name => {
                let field = node.field(name).unwrap_or_else(|| panic!("{path}: no {name}"));
                tail = format!(
                    "{} patch={} key={}",
                    if field.required() { " required" } else { "" },
                    field.patch_strategy(),
                    field.merge_key().unwrap_or("")
                );
                field.node()
            }
        };
    }
    format!("{}{tail}", shape(node))
}

fn shape(node: NodeRef<'_>) -> String {
    format!(
        "{:?}/{:?} list={:?}:{} map={:?} default={:?}",
        node.ty(),
        node.format(),
        node.list_type(),
        node.list_keys().join(","),
        node.map_type(),
        node.default().map(ToString::to_string)
    )
}

#[test]
fn builtin_facts() {
    let cases = [
        ("io.k8s.api.core.v1.Pod", "Object/None list=None: map=None default=None"),
        (
            "io.k8s.api.core.v1.PodSpec containers",
            "Array/None list=Some(Map):name map=None default=None required patch=merge key=name",
        ),
        (
            "io.k8s.api.core.v1.Pod spec.containers.[].ports",
            "Array/None list=Some(Map):containerPort,protocol map=None default=None patch=merge key=containerPort",
        ),
        (
            "io.k8s.api.core.v1.ContainerPort protocol",
            "String/None list=None: map=None default=Some(\"\\\"TCP\\\"\") patch= key=",
        ),
        (
            "io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector",
            "Object/None list=None: map=Some(Atomic) default=None",
        ),
        (
            "io.k8s.api.core.v1.PersistentVolumeSpec claimRef",
            "Object/None list=None: map=Some(Granular) default=None patch= key=",
        ),
        ("io.k8s.api.core.v1.Secret data.{}", "String/Byte list=None: map=None default=None"),
        (
            "io.k8s.api.apps.v1.DeploymentSpec strategy",
            "Object/None list=None: map=None default=None patch=retainKeys key=",
        ),
        (
            "io.k8s.api.core.v1.PodSpec volumes",
            "Array/None list=Some(Map):name map=None default=None patch=merge,retainKeys key=name",
        ),
        (
            "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta creationTimestamp",
            "String/DateTime list=None: map=None default=None patch= key=",
        ),
        (
            "io.k8s.api.core.v1.ResourceRequirements limits.{}",
            "Quantity/None list=None: map=None default=None",
        ),
        (
            "io.k8s.api.core.v1.HTTPGetAction port",
            "IntOrString/None list=None: map=None default=None required patch= key=",
        ),
        ("io.k8s.apimachinery.pkg.runtime.RawExtension", "Any/None list=None: map=None default=None"),
    ];
    for (path, expected) in cases {
        assert_eq!(describe(path), expected, "{path}");
    }
}

#[test]
fn kinds_are_found() {
    for (group, version, kind, name) in [
        ("", "v1", "Pod", "io.k8s.api.core.v1.Pod"),
        ("apps", "v1", "Deployment", "io.k8s.api.apps.v1.Deployment"),
        ("autoscaling", "v1", "Scale", "io.k8s.api.autoscaling.v1.Scale"),
        ("batch", "v1", "DeleteOptions", "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions"),
        ("", "v1", "Status", "io.k8s.apimachinery.pkg.apis.meta.v1.Status"),
    ] {
        let found = builtin().kind(group, version, kind).and_then(NodeRef::definition_name);
        assert_eq!(found, Some(name));
    }
    assert!(builtin().kind("apps", "v1", "Pod").is_none());
}

#[test]
fn every_definition_is_whole() {
    let schema = builtin();
    assert_eq!(schema.definitions().count(), 771);
    for node in schema.definitions() {
        let name = node.definition_name().expect("a definition has a name");
        assert_eq!(schema.definition(name).map(NodeRef::id), Some(node.id()));
        for field in node.fields() {
            assert_eq!(node.field(field.name()).map(|f| f.node().id()), Some(field.node().id()), "{name}");
            let keys = field.node().list_keys();
            let item = field.node().items();
            assert!(keys.iter().all(|key| item.is_some_and(|i| i.field(key).is_some())), "{name}");
        }
        assert!(node.required().iter().all(|required| node.field(required).is_some()), "{name}");
    }
    let bytes = schema.nodes.len() * size_of::<Node>() + schema.fields.len() * size_of::<Field>();
    assert!(bytes < 600_000, "the built-in schema takes {bytes} bytes");
}

#[test]
fn broken_tables_are_refused_by_line() {
    for (table, line, problem) in [
        ("d Pod", 1, "no such package"),
        ("p a a.b\nin a\nd Pod\n x", 4, "a field without a type"),
        ("p a a.b\nin a\nd Pod\n x strr", 4, "\"strr\" is no type"),
        ("p a a.b\nin a\nd Pod\n x @Q", 4, "no definition \"Q\""),
        ("p a a.b\nin a\nd Pod\n x str list=bag", 4, "\"bag\" is no list type"),
        ("p a a.b\nin a\nd Pod =v1", 3, "\"v1\" is no group/version/kind"),
    ] {
        let expected = FactsError { line, problem: problem.to_owned() };
        assert_eq!(read(table).expect_err(table), expected);
    }
}
