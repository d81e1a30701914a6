//! `/openapi/v2` and `/openapi/v3`: documents made on demand from the table of kinds.
//!
//! Clients keep documents by the hash in their URL or ETag, so making one is rare; none is kept here.

use api::gvk::GroupVersion;
use api::kinds::{Resolved, Resource, Subresource, Verb as KindVerb};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use schema::openapi::{CustomKind, Route, Scope, Source, Verb};
use serde_json::{Map, Value, json};

use crate::aggregate::Routes;
use crate::custom::Snapshot;
use crate::respond::{self, Body};

/// The identity of a document: everything it is made from.
fn hash(version: &str, parts: &str) -> String {
    let text = format!("{version}\n{parts}");
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02X}")).collect()
}

/// The identity of a group version: its rows, and the schemas of custom kinds.
fn group_version_hash(snapshot: &Snapshot, version: &str, group_version: &GroupVersion) -> String {
    let group = snapshot.kinds.group(&group_version.group);
    let rows = group.map(|group| format!("{:?}", group.resources().collect::<Vec<_>>()));
    let customs = custom_text(snapshot, Some(group_version));
    hash(version, &format!("{group_version} {} {customs}", rows.unwrap_or_default()))
}

fn custom_text(snapshot: &Snapshot, of: Option<&GroupVersion>) -> String {
    let customs = snapshot.published(of);
    let schemas = customs.iter().filter_map(|custom| custom.schema);
    schemas.map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn document_path(group_version: &GroupVersion) -> String {
    let root = if group_version.group.is_empty() { "api" } else { "apis" };
    format!("{root}/{group_version}")
}

/// Answers a path below `/openapi`, or `None` where there is no document.
pub(crate) fn answer(
    snapshot: &Snapshot,
    routes: &Routes,
    version: &str,
    path: &str,
    headers: &HeaderMap,
) -> Option<Response<Body>> {
    let kinds = &snapshot.kinds;
    let path = path.trim_matches('/').strip_prefix("openapi/")?;
    if path == "v2" {
        let rows = kinds.iter().collect::<Vec<_>>();
        let tag = hash(version, &format!("{rows:?} {}", custom_text(snapshot, None)));
        let customs = snapshot.published(None);
        let document = || schema::openapi::v2(&source(version, &all_routes(snapshot), &customs));
        return Some(tagged(headers, &tag, document));
    }
    if path == "v3" {
        return Some(respond::value(&index(snapshot, routes, version)));
    }
    let wanted = path.strip_prefix("v3/")?;
    let group_version = kinds.group_versions().into_iter().find(|gv| document_path(gv) == wanted)?;
    let tag = group_version_hash(snapshot, version, &group_version);
    let customs = snapshot.published(Some(&group_version));
    let document = || schema::openapi::v3(&source(version, &operations(snapshot, &group_version), &customs));
    Some(tagged(headers, &tag, document))
}

fn index(snapshot: &Snapshot, routes: &Routes, version: &str) -> Value {
    let mut paths = Map::new();
    for group_version in snapshot.kinds.group_versions() {
        let path = document_path(&group_version);
        let url =
            format!("/openapi/v3/{path}?hash={}", group_version_hash(snapshot, version, &group_version));
        paths.insert(path, json!({"serverRelativeURL": url}));
    }
    for ((group, version), entry) in &routes.entries {
        if let Some(hash) = &entry.known.load().openapi_hash {
            let path = format!("apis/{group}/{version}");
            let url = format!("/openapi/v3/{path}?hash={hash}");
            paths.insert(path, json!({"serverRelativeURL": url}));
        }
    }
    json!({"paths": paths})
}

/// A document with its ETag, or 304 where the client has it.
fn tagged(headers: &HeaderMap, tag: &str, document: impl FnOnce() -> Value) -> Response<Body> {
    let tag = format!("\"{tag}\"");
    let known = headers.get(header::IF_NONE_MATCH).is_some_and(|value| value.as_bytes() == tag.as_bytes());
    let mut response = if known {
        respond::json(StatusCode::NOT_MODIFIED, Bytes::new())
    } else {
        respond::json(StatusCode::OK, document().to_string())
    };
    if let Ok(value) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(header::ETAG, value);
    }
    response
}

fn source<'a>(version: &'a str, routes: &'a [Route], customs: &'a [CustomKind<'a>]) -> Source<'a> {
    Source { server_version: version, routes, builtin: schema::builtin(), customs, descriptions: &|_| None }
}

fn all_routes(snapshot: &Snapshot) -> Vec<Route> {
    let all = snapshot.kinds.group_versions();
    all.iter().flat_map(|group_version| operations(snapshot, group_version)).collect()
}

/// Every operation of a group version.
fn operations(snapshot: &Snapshot, group_version: &GroupVersion) -> Vec<Route> {
    let Some(group) = snapshot.kinds.group(&group_version.group) else { return Vec::new() };
    group
        .served(&group_version.version)
        .flat_map(|resolved| {
            let row = snapshot.row(&resolved.resource, &group_version.version);
            resource_routes(group_version, &resolved, row)
        })
        .collect()
}

fn resource_routes(group_version: &GroupVersion, resolved: &Resolved, row: &Resource) -> Vec<Route> {
    let base = format!("/{}", document_path(group_version));
    let collection = if row.namespaced() {
        format!("{base}/namespaces/{{namespace}}/{}", row.plural)
    } else {
        format!("{base}/{}", row.plural)
    };
    let mut routes = Vec::new();
    for verb in row.verbs.iter() {
        let (path, verb) = match verb {
            KindVerb::Create => (collection.clone(), Verb::Create),
            KindVerb::List => (collection.clone(), Verb::List),
            KindVerb::DeleteCollection => (collection.clone(), Verb::DeleteCollection),
            KindVerb::Get => (format!("{collection}/{{name}}"), Verb::Get),
            KindVerb::Update => (format!("{collection}/{{name}}"), Verb::Update),
            KindVerb::Patch => (format!("{collection}/{{name}}"), Verb::Patch),
            KindVerb::Delete => (format!("{collection}/{{name}}"), Verb::Delete),
            KindVerb::Watch => continue,
        };
        routes.push(route(group_version, resolved, None, path, verb));
    }
    if row.namespaced() && row.verbs.contains(KindVerb::List) {
        routes.push(route(group_version, resolved, None, format!("{base}/{}", row.plural), Verb::List));
    }
    for sub in row.subresources.iter() {
        let path = format!("{collection}/{{name}}/{}", sub.name);
        routes.extend(
            sub.verbs
                .iter()
                .filter_map(|verb| subresource_verb(sub, verb))
                .map(|verb| route(group_version, resolved, Some(sub), path.clone(), verb)),
        );
    }
    routes
}

fn subresource_verb(sub: &Subresource, verb: KindVerb) -> Option<Verb> {
    let stream = matches!(sub.name.as_ref(), "exec" | "attach" | "portforward" | "proxy");
    match verb {
        KindVerb::Get if stream => Some(Verb::Connect),
        _ if stream => None,
        KindVerb::Get => Some(Verb::Get),
        KindVerb::Create => Some(Verb::Create),
        KindVerb::Update => Some(Verb::Update),
        KindVerb::Patch => Some(Verb::Patch),
        _ => None,
    }
}

fn route(
    group_version: &GroupVersion,
    resolved: &Resolved,
    sub: Option<&Subresource>,
    path: String,
    verb: Verb,
) -> Route {
    let row = &resolved.resource;
    let kind = sub.and_then(|sub| sub.kind.clone()).unwrap_or_else(|| row.gvk(resolved.version()));
    let own = resolved.version().definition.to_string();
    let definition = match sub.and_then(|sub| sub.kind.as_ref()) {
        Some(kind) => definition_of(kind),
        None if verb == Verb::List => Some(list_definition(&own, &row.kind, &row.list_kind)),
        None => Some(own),
    };
    Route {
        path,
        verb,
        scope: if row.namespaced() { Scope::Namespaced } else { Scope::Cluster },
        group: group_version.group.to_string(),
        version: group_version.version.to_string(),
        kind: schema::GroupVersionKind { group: kind.group, version: kind.version, kind: kind.kind },
        parent: row.kind.to_string(),
        subresource: sub.map(|sub| sub.name.to_string()),
        definition,
        body: None,
        query: Vec::new(),
    }
}

fn definition_of(kind: &api::gvk::GroupVersionKind) -> Option<String> {
    let node = schema::builtin().kind(&kind.group, &kind.version, &kind.kind)?;
    node.definition_name().map(str::to_owned)
}

/// `io.k8s.api.core.v1.Pod` becomes `io.k8s.api.core.v1.PodList`.
fn list_definition(definition: &str, kind: &str, list_kind: &str) -> String {
    let stem = definition.strip_suffix(kind).unwrap_or(definition);
    format!("{stem}{list_kind}")
}
