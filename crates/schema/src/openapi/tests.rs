use super::*;
use crate::cases;
use crate::facts::builtin;

/// The routes of one resource, as an API server's table would make them.
fn routes(prefix: &str, plural: &str, kind: &GroupVersionKind, definition: &str) -> Vec<Route> {
    let route = |path: String, verb, definition: Option<String>| Route {
        path,
        verb,
        scope: Scope::Namespaced,
        group: kind.group.to_string(),
        version: kind.version.to_string(),
        kind: kind.clone(),
        parent: kind.kind.to_string(),
        subresource: None,
        definition,
        body: None,
        query: Vec::new(),
    };
    let list = format!("{prefix}/namespaces/{{namespace}}/{plural}");
    let one = format!("{list}/{{name}}");
    let own = || Some(definition.to_owned());
    let listed = || Some(format!("{definition}List"));
    let status = || Some("io.k8s.apimachinery.pkg.apis.meta.v1.Status".to_owned());
    vec![
        route(format!("{prefix}/{plural}"), Verb::List, listed()),
        route(list.clone(), Verb::List, listed()),
        route(list.clone(), Verb::Create, own()),
        route(list, Verb::DeleteCollection, status()),
        route(one.clone(), Verb::Get, own()),
        route(one.clone(), Verb::Update, own()),
        route(one.clone(), Verb::Patch, own()),
        route(one.clone(), Verb::Delete, status()),
        Route { subresource: Some("status".into()), ..route(format!("{one}/status"), Verb::Patch, own()) },
        Route {
            subresource: Some("log".into()),
            query: vec![QueryParameter { name: "follow".into(), ty: "boolean", description: "f".into() }],
            ..route(format!("{one}/log"), Verb::Get, None)
        },
        Route { subresource: Some("exec".into()), ..route(format!("{one}/exec"), Verb::Connect, None) },
    ]
}

fn kind(group: &'static str, version: &'static str, kind: &'static str) -> GroupVersionKind {
    GroupVersionKind { group: group.into(), version: version.into(), kind: kind.into() }
}

fn all_routes() -> Vec<Route> {
    let mut all = routes("/api/v1", "pods", &kind("", "v1", "Pod"), "io.k8s.api.core.v1.Pod");
    let deployment = kind("apps", "v1", "Deployment");
    all.extend(routes("/apis/apps/v1", "deployments", &deployment, "io.k8s.api.apps.v1.Deployment"));
    let volume = kind("", "v1", "PersistentVolume");
    all.extend(routes("/api/v1", "persistentvolumes", &volume, "io.k8s.api.core.v1.PersistentVolume"));
    let definition = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition";
    let crd = kind("apiextensions.k8s.io", "v1", "CustomResourceDefinition");
    all.extend(routes("/apis/apiextensions.k8s.io/v1", "customresourcedefinitions", &crd, definition));
    let tab = "com.example.stable.v1.CronTab";
    all.extend(routes("/apis/stable.example.com/v1", "crontabs", &cases::kind(), tab));
    let free = kind("stable.example.com", "v1", "Free");
    all.extend(routes("/apis/stable.example.com/v1", "frees", &free, "com.example.stable.v1.Free"));
    all
}

fn tab_schema() -> Value {
    json!({"type": "object", "description": "A tab.", "properties": {
        "spec": {"type": "object", "required": ["cron"], "properties": {
            "cron": {"type": "string", "default": "* * * * *", "pattern": "^\\S"},
            "port": {"x-kubernetes-int-or-string": true, "anyOf": [{"type": "integer"}, {"type": "string"}]},
            "pod": {"type": "object", "x-kubernetes-embedded-resource": true,
                    "properties": {"spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}},
            "note": {"type": "string", "nullable": true}}}}})
}

fn words(name: &str) -> Option<Value> {
    let pod = json!({"description": "A pod.", "properties": {"spec": {"description": "Its spec."}}});
    (name == "io.k8s.api.core.v1.Pod").then_some(pod)
}

fn document(dialect: Dialect) -> Value {
    let schema = tab_schema();
    let custom =
        |kind: GroupVersionKind, schema| CustomKind { list_kind: format!("{}List", kind.kind), kind, schema };
    let customs =
        [custom(cases::kind(), Some(&schema)), custom(kind("stable.example.com", "v1", "Free"), None)];
    let source = Source {
        server_version: "v1.36.0",
        routes: &all_routes(),
        builtin: builtin(),
        customs: &customs,
        descriptions: &words,
    };
    match dialect {
        Dialect::V2 => v2(&source),
        Dialect::V3 => v3(&source),
    }
}

/// One case: a JSON pointer into one of the two documents and what stands there.
#[test]
fn cases() {
    let (two, three) = (document(Dialect::V2), document(Dialect::V3));
    cases::run("openapi", 30, |case| {
        let document = if case["document"] == "v2" { &two } else { &three };
        let at = case["at"].as_str().unwrap();
        (document.pointer(at).cloned().unwrap_or(json!("nothing")), case["is"].clone())
    });
}

#[test]
fn every_reference_resolves() {
    for (dialect, place) in [(Dialect::V2, "/definitions"), (Dialect::V3, "/components/schemas")] {
        let document = document(dialect);
        let mut names = Vec::new();
        references(&document, dialect.prefix(), &mut names);
        assert!(names.len() > 300);
        for name in names {
            assert!(document.pointer(place).unwrap().get(&name).is_some(), "{name}");
        }
    }
}

#[test]
fn operations_have_unique_ids() {
    let document = document(Dialect::V3);
    let items = document["paths"].as_object().unwrap().values();
    let mut ids: Vec<&str> = items
        .flat_map(|item| item.as_object().unwrap().values())
        .filter_map(|operation| operation.get("operationId")?.as_str())
        .collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count);
    assert_eq!(count, all_routes().len());
}

#[test]
fn every_built_in_definition_can_be_written() {
    for node in builtin().definitions() {
        for dialect in [Dialect::V2, Dialect::V3] {
            let schema = definition::schema(node, dialect, &|_| None);
            assert_eq!(schema.get("properties").is_some(), node.fields().len() > 0);
        }
    }
}
