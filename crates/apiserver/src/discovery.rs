//! What the server serves, in both forms clients ask for.
//!
//! Legacy discovery is one document per group and version; aggregated discovery
//! (`apidiscovery.k8s.io/v2`, KEP-3352) is one document for all. Both derive from the table of kinds.

use api::gvk::GroupVersion;
use api::kinds::{Resolved, Subresource, Verbs};
use serde_json::{Map, Value, json};

use crate::aggregate::Routes;
use crate::aggregate::document::{self, GroupView};
use crate::custom::Snapshot;

/// The content type of aggregated discovery.
pub const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// Whether an `Accept` header asks for aggregated discovery.
pub fn wants_aggregated(accept: &str) -> bool {
    let asked = |clause: &str| {
        let has = |parameter: &str| clause.split(';').any(|part| part.trim() == parameter);
        has("g=apidiscovery.k8s.io") && has("v=v2") && has("as=APIGroupDiscoveryList")
    };
    accept.split(',').any(asked)
}

/// `GET /api`.
pub fn core_versions(address: &str) -> Value {
    json!({
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
    })
}

/// `GET /apis`.
pub(crate) fn groups(groups: &[GroupView]) -> Value {
    let groups: Vec<Value> = groups.iter().filter(|group| !group.name.is_empty()).map(group_entry).collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

/// `GET /apis/GROUP`, if the group is served.
pub(crate) fn group(groups: &[GroupView], name: &str) -> Option<Value> {
    let group = groups.iter().find(|group| group.name == name && !name.is_empty())?;
    let Value::Object(mut entry) = group_entry(group) else { return None };
    entry.insert("kind".into(), "APIGroup".into());
    entry.insert("apiVersion".into(), "v1".into());
    Some(Value::Object(entry))
}

fn group_entry(group: &GroupView) -> Value {
    let version = |version: &api::gvk::Text| {
        let group_version = GroupVersion::new(group.name.clone(), version.clone());
        json!({"groupVersion": group_version.to_string(), "version": version})
    };
    let versions: Vec<Value> = group.versions.iter().map(version).collect();
    json!({"name": group.name, "preferredVersion": versions.first(), "versions": versions})
}

/// `GET /api/v1` and `GET /apis/GROUP/VERSION`, if served.
pub(crate) fn resources(snapshot: &Snapshot, group: &str, version: &str) -> Option<Value> {
    let group = snapshot.kinds.group(group)?;
    if !group.versions.iter().any(|served| served == version) {
        return None;
    }
    let mut resources = Vec::new();
    for resolved in group.served(version) {
        if resolved.resource.verbs.iter().next().is_some() {
            resources.push(legacy_resource(&resolved));
        }
        let row = snapshot.row(&resolved.resource, version);
        resources.extend(row.subresources.iter().map(|sub| legacy_subresource(&resolved, sub)));
    }
    let group_version = GroupVersion::new(group.name.clone(), version.to_owned()).to_string();
    Some(json!({
        "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": resources,
    }))
}

fn verb_names(verbs: Verbs) -> Vec<&'static str> {
    verbs.iter().map(api::kinds::Verb::name).collect()
}

fn legacy_resource(resolved: &Resolved) -> Value {
    let row = &resolved.resource;
    let mut entry = Map::new();
    entry.insert("name".into(), json!(row.plural));
    entry.insert("singularName".into(), json!(row.singular));
    entry.insert("namespaced".into(), json!(row.namespaced()));
    entry.insert("kind".into(), json!(row.kind));
    entry.insert("verbs".into(), json!(verb_names(row.verbs)));
    insert_unless_empty(&mut entry, "shortNames", &row.short_names);
    insert_unless_empty(&mut entry, "categories", &row.categories);
    entry.insert("storageVersionHash".into(), json!(storage_hash(resolved)));
    Value::Object(entry)
}

fn insert_unless_empty(entry: &mut Map<String, Value>, name: &str, list: &[api::gvk::Text]) {
    if !list.is_empty() {
        entry.insert(name.into(), json!(list));
    }
}

/// Eight bytes, base64, that change when the storage version does.
fn storage_hash(resolved: &Resolved) -> String {
    let row = &resolved.resource;
    let name = format!("{}/{}/{}", row.group, row.storage_version().name, row.kind);
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, name.as_bytes());
    base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &digest.as_ref()[..8])
}

fn legacy_subresource(resolved: &Resolved, sub: &Subresource) -> Value {
    let row = &resolved.resource;
    let mut entry = Map::new();
    entry.insert("name".into(), json!(format!("{}/{}", row.plural, sub.name)));
    entry.insert("singularName".into(), json!(""));
    entry.insert("namespaced".into(), json!(row.namespaced()));
    let kind = sub.kind.as_ref();
    entry.insert("kind".into(), json!(kind.map_or(&row.kind, |kind| &kind.kind)));
    if let Some(kind) = kind {
        entry.insert("group".into(), json!(kind.group));
        entry.insert("version".into(), json!(kind.version));
    }
    entry.insert("verbs".into(), json!(verb_names(sub.verbs)));
    Value::Object(entry)
}

/// Aggregated discovery of the core group (`GET /api`) or of all others (`GET /apis`).
pub(crate) fn aggregated(snapshot: &Snapshot, routes: &Routes, groups: &[GroupView], core: bool) -> Value {
    let groups = groups.iter().filter(|group| group.name.is_empty() == core);
    let items: Vec<Value> = groups.map(|group| aggregated_group(snapshot, routes, group)).collect();
    json!({
        "kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items,
    })
}

fn aggregated_group(snapshot: &Snapshot, routes: &Routes, group: &GroupView) -> Value {
    let version = |version: &api::gvk::Text| {
        if let Some(entry) = routes.entries.get(&(group.name.clone(), version.to_string())) {
            return document::version(version, &entry.known.load());
        }
        let own = snapshot.kinds.group(&group.name);
        let served = own.into_iter().flat_map(|own| own.served(version));
        let resources: Vec<Value> = served.map(|resolved| aggregated_resource(snapshot, &resolved)).collect();
        json!({"version": version, "freshness": "Current", "resources": resources})
    };
    let versions: Vec<Value> = group.versions.iter().map(version).collect();
    let mut metadata = Map::new();
    if !group.name.is_empty() {
        metadata.insert("name".into(), json!(group.name));
    }
    json!({"metadata": metadata, "versions": versions})
}

fn aggregated_resource(snapshot: &Snapshot, resolved: &Resolved) -> Value {
    let row = snapshot.row(&resolved.resource, &resolved.version().name);
    let mut entry = Map::new();
    entry.insert("resource".into(), json!(row.plural));
    entry.insert("responseKind".into(), kind_of(&row.group, &resolved.version().name, &row.kind));
    entry.insert("scope".into(), json!(if row.namespaced() { "Namespaced" } else { "Cluster" }));
    entry.insert("singularResource".into(), json!(row.singular));
    entry.insert("verbs".into(), json!(verb_names(row.verbs)));
    insert_unless_empty(&mut entry, "shortNames", &row.short_names);
    insert_unless_empty(&mut entry, "categories", &row.categories);
    let subresources: Vec<Value> =
        row.subresources.iter().map(|sub| aggregated_subresource(resolved, sub)).collect();
    if !subresources.is_empty() {
        entry.insert("subresources".into(), json!(subresources));
    }
    Value::Object(entry)
}

fn aggregated_subresource(resolved: &Resolved, sub: &Subresource) -> Value {
    let row = &resolved.resource;
    let kind = match &sub.kind {
        Some(kind) => kind_of(&kind.group, &kind.version, &kind.kind),
        None => kind_of(&row.group, &resolved.version().name, &row.kind),
    };
    json!({"subresource": sub.name, "responseKind": kind, "verbs": verb_names(sub.verbs)})
}

fn kind_of(group: &str, version: &str, kind: &str) -> Value {
    json!({"group": group, "version": version, "kind": kind})
}
