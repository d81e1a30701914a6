//! Operations: what a route takes and gives.

use serde_json::{Map, Value, json};

use super::{Dialect, QueryParameter, Route, Scope, Verb, definition};

const META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.";
const FORMATS: &[&str] = &["application/json", "application/yaml"];
const WATCH: &str = "application/json;stream=watch";

/// The query parameters verbs have: name, type, what it does.
const PARAMETERS: &[(&str, &str, &str)] = &[
    ("allowWatchBookmarks", "boolean", "Whether a watch also sends events of type BOOKMARK."),
    ("continue", "string", "Where to go on with a list that was cut off by limit, from the last answer."),
    ("dryRun", "string", "With All the request runs through all stages and nothing is stored."),
    (
        "fieldManager",
        "string",
        "The name under which changed fields are owned; at most 128 printable characters.",
    ),
    ("fieldSelector", "string", "Only objects whose fields match."),
    ("fieldValidation", "string", "What unknown and duplicate fields lead to: Ignore, Warn or Strict."),
    ("force", "boolean", "Whether an apply takes fields over from other managers."),
    ("gracePeriodSeconds", "integer", "Seconds before the object is deleted; 0 is at once."),
    (
        "ignoreStoreReadErrorWithClusterBreakingPotential",
        "boolean",
        "Whether an object that cannot be read any more is deleted all the same.",
    ),
    ("labelSelector", "string", "Only objects whose labels match."),
    ("limit", "integer", "The most objects to answer at once."),
    ("orphanDependents", "boolean", "Deprecated: use propagationPolicy."),
    ("pretty", "string", "With true the answer is indented."),
    ("propagationPolicy", "string", "What becomes of dependents: Orphan, Background or Foreground."),
    ("resourceVersion", "string", "The version the answer is about."),
    ("resourceVersionMatch", "string", "How resourceVersion is meant: NotOlderThan or Exact."),
    ("sendInitialEvents", "boolean", "Whether a watch begins with the objects there are."),
    ("timeoutSeconds", "integer", "Seconds after which a list or watch ends."),
    ("watch", "boolean", "Whether changes are sent instead of a list."),
];

const WRITE: &[&str] = &["dryRun", "fieldManager", "fieldValidation"];
const PATCH: &[&str] = &["dryRun", "fieldManager", "fieldValidation", "force"];
const SELECT: &[&str] = &[
    "continue",
    "fieldSelector",
    "labelSelector",
    "limit",
    "resourceVersion",
    "resourceVersionMatch",
    "sendInitialEvents",
    "timeoutSeconds",
];
const DELETE: &[&str] = &[
    "dryRun",
    "gracePeriodSeconds",
    "ignoreStoreReadErrorWithClusterBreakingPotential",
    "orphanDependents",
    "propagationPolicy",
];

/// The parameters all v2 operations share by reference.
pub(super) fn shared_parameters() -> Value {
    let one =
        |&(name, ty, words): &(&str, &str, &str)| (name.to_owned(), query(name, ty, words, Dialect::V2));
    PARAMETERS.iter().map(one).collect()
}

/// The path item of all routes of one path.
pub(super) fn item(routes: &[&Route], dialect: Dialect) -> Value {
    let mut item: Map<String, Value> =
        routes.iter().map(|route| (method(route.verb).to_owned(), operation(route, dialect))).collect();
    let mut parameters: Vec<Value> =
        routes.first().map(|route| path_parameters(route, dialect)).unwrap_or_default();
    parameters.push(named("pretty", dialect));
    item.insert("parameters".into(), parameters.into());
    Value::Object(item)
}

fn method(verb: Verb) -> &'static str {
    match verb {
        Verb::Get | Verb::List | Verb::Connect => "get",
        Verb::Create => "post",
        Verb::Update => "put",
        Verb::Patch => "patch",
        Verb::Delete | Verb::DeleteCollection => "delete",
    }
}

fn action(verb: Verb) -> &'static str {
    match verb {
        Verb::Get => "get",
        Verb::List => "list",
        Verb::Create => "post",
        Verb::Update => "put",
        Verb::Patch => "patch",
        Verb::Delete => "delete",
        Verb::DeleteCollection => "deletecollection",
        Verb::Connect => "connect",
    }
}

fn operation(route: &Route, dialect: Dialect) -> Value {
    let mut out = Map::new();
    out.insert("tags".into(), json!([tag(route)]));
    out.insert("description".into(), description(route).into());
    out.insert("operationId".into(), id(route).into());
    out.insert("x-kubernetes-action".into(), action(route.verb).into());
    out.insert("x-kubernetes-group-version-kind".into(), definition::kind(&route.kind));
    let mut parameters: Vec<Value> =
        verb_parameters(route.verb).into_iter().map(|name| named(name, dialect)).collect();
    parameters.extend(route.query.iter().map(|own| own_parameter(own, dialect)));
    match dialect {
        Dialect::V2 => v2_contents(route, &mut out, &mut parameters),
        Dialect::V3 => v3_contents(route, &mut out),
    }
    if !parameters.is_empty() {
        out.insert("parameters".into(), parameters.into());
    }
    Value::Object(out)
}

// -- bodies and answers

/// The definition of the body, and whether there must be one.
fn body(route: &Route) -> Option<(String, bool)> {
    match route.verb {
        Verb::Create | Verb::Update => {
            let name = route.body.as_ref().or(route.definition.as_ref());
            name.map(|name| (name.clone(), true))
        }
        Verb::Patch => Some((format!("{META}Patch"), true)),
        Verb::Delete | Verb::DeleteCollection => Some((format!("{META}DeleteOptions"), false)),
        Verb::Get | Verb::List | Verb::Connect => None,
    }
}

/// The content types of the body. Custom resources take no strategic merge patch.
fn consumes(route: &Route) -> Vec<&'static str> {
    if route.verb != Verb::Patch {
        return vec!["*/*"];
    }
    let builtin = route.definition.as_ref().is_some_and(|name| name.starts_with("io.k8s."));
    let strategic = builtin.then_some("application/strategic-merge-patch+json");
    let mut types = vec!["application/json-patch+json", "application/merge-patch+json"];
    types.extend(strategic);
    types.push("application/apply-patch+yaml");
    types
}

fn produces(route: &Route) -> Vec<&'static str> {
    match (route.verb, &route.definition) {
        (Verb::Connect, _) => vec!["*/*"],
        (_, None) => vec!["text/plain"],
        (Verb::List, _) => FORMATS.iter().copied().chain([WATCH]).collect(),
        _ => FORMATS.to_vec(),
    }
}

/// Status codes and their words.
fn answers(route: &Route) -> &'static [(&'static str, &'static str)] {
    match route.verb {
        Verb::Create => &[("200", "OK"), ("201", "Created"), ("202", "Accepted")],
        Verb::Update | Verb::Patch => &[("200", "OK"), ("201", "Created")],
        Verb::Delete => &[("200", "OK"), ("202", "Accepted")],
        _ => &[("200", "OK")],
    }
}

fn answer_schema(route: &Route, dialect: Dialect) -> Value {
    match &route.definition {
        Some(name) => dialect.reference(name),
        None => json!({"type": "string"}),
    }
}

fn v2_contents(route: &Route, out: &mut Map<String, Value>, parameters: &mut Vec<Value>) {
    if let Some((name, required)) = body(route) {
        let schema = Dialect::V2.reference(&name);
        let mut parameter = json!({"in": "body", "name": "body", "schema": schema});
        if required {
            parameter["required"] = true.into();
        }
        parameters.insert(0, parameter);
    }
    let mut responses: Map<String, Value> = answers(route)
        .iter()
        .map(|&(code, words)| {
            let answer = json!({"description": words, "schema": answer_schema(route, Dialect::V2)});
            (code.to_owned(), answer)
        })
        .collect();
    responses.insert("401".into(), json!({"description": "Unauthorized"}));
    out.insert("responses".into(), responses.into());
    out.insert("consumes".into(), json!(consumes(route)));
    out.insert("produces".into(), json!(produces(route)));
    out.insert("schemes".into(), json!(["https"]));
}

fn v3_contents(route: &Route, out: &mut Map<String, Value>) {
    if let Some((name, required)) = body(route) {
        let mut request = json!({"content": content(&consumes(route), &Dialect::V3.reference(&name))});
        if required {
            request["required"] = true.into();
        }
        out.insert("requestBody".into(), request);
    }
    let content = content(&produces(route), &answer_schema(route, Dialect::V3));
    let mut responses: Map<String, Value> = answers(route)
        .iter()
        .map(|&(code, words)| (code.to_owned(), json!({"description": words, "content": content})))
        .collect();
    responses.insert("401".into(), json!({"description": "Unauthorized"}));
    out.insert("responses".into(), responses.into());
}

fn content(types: &[&str], schema: &Value) -> Value {
    types.iter().map(|ty| ((*ty).to_owned(), json!({"schema": schema}))).collect()
}

// -- parameters

fn verb_parameters(verb: Verb) -> Vec<&'static str> {
    match verb {
        Verb::Get | Verb::Connect => Vec::new(),
        Verb::Create | Verb::Update => WRITE.to_vec(),
        Verb::Patch => PATCH.to_vec(),
        Verb::Delete => DELETE.to_vec(),
        Verb::List => {
            let mut names = vec!["allowWatchBookmarks"];
            names.extend(SELECT);
            names.push("watch");
            names
        }
        Verb::DeleteCollection => SELECT.iter().chain(DELETE).copied().collect(),
    }
}

fn named(name: &str, dialect: Dialect) -> Value {
    if dialect == Dialect::V2 {
        return json!({"$ref": format!("#/parameters/{name}")});
    }
    let (_, ty, words) =
        PARAMETERS.iter().find(|(known, ..)| *known == name).expect("every verb's parameter is in the table");
    query(name, ty, words, dialect)
}

fn own_parameter(own: &QueryParameter, dialect: Dialect) -> Value {
    query(&own.name, own.ty, &own.description, dialect)
}

fn query(name: &str, ty: &str, words: &str, dialect: Dialect) -> Value {
    parameter(name, "query", ty, words, dialect)
}

fn parameter(name: &str, place: &str, ty: &str, words: &str, dialect: Dialect) -> Value {
    let mut out = json!({"name": name, "in": place, "description": words});
    match dialect {
        Dialect::V2 => {
            out["type"] = ty.into();
            out["uniqueItems"] = true.into();
        }
        Dialect::V3 => out["schema"] = json!({"type": ty, "uniqueItems": true}),
    }
    if place == "path" {
        out["required"] = true.into();
    }
    out
}

/// One parameter for each variable of the path.
fn path_parameters(route: &Route, dialect: Dialect) -> Vec<Value> {
    let variables = route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let words = |name: &str| match name {
        "name" => format!("name of the {}", route.parent),
        "namespace" => "The namespace the object lives in.".to_owned(),
        "path" => "The rest of the path, handed on to the target.".to_owned(),
        other => other.to_owned(),
    };
    variables.map(|name| parameter(name, "path", "string", &words(name), dialect)).collect()
}

// -- names

/// `core_v1`, `rbacAuthorization_v1`
fn tag(route: &Route) -> String {
    let group = group_name(&route.group);
    let mut letters = group.chars();
    let lower = letters.next().map(|c| c.to_ascii_lowercase().to_string()).unwrap_or_default();
    format!("{lower}{}_{}", letters.as_str(), route.version)
}

/// `Core`, `Apps`, `RbacAuthorization`, `StableExampleCom`
fn group_name(group: &str) -> String {
    if group.is_empty() {
        return "Core".to_owned();
    }
    group.trim_end_matches(".k8s.io").split(['.', '-']).map(capital).collect()
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|c| c.to_ascii_uppercase().to_string() + letters.as_str()).unwrap_or_default()
}

/// `listCoreV1NamespacedPod`, `readAppsV1NamespacedDeploymentStatus`, `connectCoreV1GetNamespacedPodExec`
fn id(route: &Route) -> String {
    let (word, between) = match route.verb {
        Verb::Get => ("read", ""),
        Verb::List => ("list", ""),
        Verb::Create => ("create", ""),
        Verb::Update => ("replace", ""),
        Verb::Patch => ("patch", ""),
        Verb::Delete => ("delete", ""),
        Verb::DeleteCollection => ("delete", "Collection"),
        Verb::Connect => ("connect", "Get"),
    };
    let group = group_name(&route.group);
    let version = capital(&route.version);
    let across = route.scope == Scope::Namespaced && !route.path.contains("{namespace}");
    let scope = if route.scope == Scope::Namespaced && !across { "Namespaced" } else { "" };
    let subresource = route.subresource.as_deref().map(capital).unwrap_or_default();
    let all = if across { "ForAllNamespaces" } else { "" };
    let parent = &route.parent;
    let rest = if route.path.contains("{path}") { "WithPath" } else { "" };
    format!("{word}{group}{version}{between}{scope}{parent}{subresource}{all}{rest}")
}

fn description(route: &Route) -> String {
    let parent = &route.parent;
    let what = match &route.subresource {
        Some(subresource) => format!("{subresource} of the specified {parent}"),
        None => format!("the specified {parent}"),
    };
    match route.verb {
        Verb::Get => format!("read {what}"),
        Verb::List => format!("list or watch objects of kind {parent}"),
        Verb::Create if route.subresource.is_some() => format!("create {what}"),
        Verb::Create => format!("create a {parent}"),
        Verb::Update => format!("replace {what}"),
        Verb::Patch => format!("partially update {what}"),
        Verb::Delete => format!("delete {what}"),
        Verb::DeleteCollection => format!("delete collection of {parent}"),
        Verb::Connect => format!("connect to {what}"),
    }
}
