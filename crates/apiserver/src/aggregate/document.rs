//! The groups that clients see: our own kinds and those of all backends, in the order of APIServices.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use api::gvk::Text;
use api::kinds::compare_versions;
use serde_json::{Map, Value, json};

use super::{Key, Known, Routes};
use crate::custom::Snapshot;

/// A group and its versions, the preferred one first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GroupView {
    /// Its name.
    pub(crate) name: String,
    /// Its versions.
    pub(crate) versions: Vec<Text>,
}

/// All groups, the core group included.
pub(crate) fn groups(snapshot: &Snapshot, routes: &Routes) -> Vec<GroupView> {
    let mut groups: BTreeMap<String, (i64, Vec<Text>)> = BTreeMap::new();
    for group in snapshot.kinds.groups() {
        groups.insert(group.name.to_string(), (i64::from(group.priority), group.versions.clone()));
    }
    for (group, version) in routes.entries.keys() {
        let (_, versions) = groups.entry(group.clone()).or_default();
        if !versions.iter().any(|known| known == version) {
            versions.push(version.clone().into());
        }
    }
    for ((group, _), (priority, _)) in &routes.priorities {
        if let Some((own, _)) = groups.get_mut(group) {
            *own = (*own).max(*priority);
        }
    }
    let mut sorted: Vec<_> = groups.into_iter().collect();
    sorted.sort_by(|(a, (x, _)), (b, (y, _))| Reverse(x).cmp(&Reverse(y)).then(a.cmp(b)));
    let view = |(name, (_, mut versions)): (String, (i64, Vec<Text>))| {
        let priority = |version: &Text| {
            let key: Key = (name.clone(), version.to_string());
            routes.priorities.get(&key).map_or(0, |(_, priority)| *priority)
        };
        versions.sort_by(|a, b| priority(b).cmp(&priority(a)).then_with(|| compare_versions(a, b)));
        GroupView { name, versions }
    };
    sorted.into_iter().map(view).collect()
}

/// A backend's version in aggregated discovery: what it last said, and whether that may be out of date.
pub(crate) fn version(version: &str, known: &Known) -> Value {
    let listed = known.resources.as_ref().and_then(|list| list.get("resources")?.as_array().cloned());
    let listed = listed.unwrap_or_default();
    let name = |entry: &Value| entry["name"].as_str().unwrap_or_default().to_owned();
    let mut resources = Vec::new();
    for entry in listed.iter().filter(|entry| !name(entry).contains('/')) {
        let prefix = format!("{}/", name(entry));
        let below = |sub: &Value| name(sub).strip_prefix(&prefix).map(|sub_name| subresource(sub_name, sub));
        let subresources: Vec<Value> = listed.iter().filter_map(below).collect();
        resources.push(resource(entry, subresources));
    }
    let freshness = if known.available { "Current" } else { "Stale" };
    json!({"version": version, "freshness": freshness, "resources": resources})
}

fn kind(entry: &Value) -> Value {
    let text = |field: &str| entry[field].as_str().unwrap_or_default();
    json!({"group": text("group"), "version": text("version"), "kind": text("kind")})
}

fn subresource(name: &str, entry: &Value) -> Value {
    json!({"subresource": name, "responseKind": kind(entry), "verbs": entry["verbs"]})
}

fn resource(entry: &Value, subresources: Vec<Value>) -> Value {
    let mut out = Map::new();
    out.insert("resource".into(), entry["name"].clone());
    out.insert("responseKind".into(), kind(entry));
    let scope = if entry["namespaced"] == true { "Namespaced" } else { "Cluster" };
    out.insert("scope".into(), json!(scope));
    out.insert("singularResource".into(), entry["singularName"].clone());
    out.insert("verbs".into(), entry["verbs"].clone());
    for field in ["shortNames", "categories"] {
        if let Some(value) = entry.get(field) {
            out.insert(field.into(), value.clone());
        }
    }
    if !subresources.is_empty() {
        out.insert("subresources".into(), subresources.into());
    }
    Value::Object(out)
}

#[cfg(test)]
mod tests {
    use api::kinds::Registry;

    use super::*;

    #[test]
    fn priorities_order_groups_and_versions() {
        let snapshot = crate::custom::Catalog::new(Registry::builtin()).load();
        let mut routes = Routes::default();
        for (group, version, priorities) in [
            ("zoo.example.com", "v1", (19_000, 10)),
            ("zoo.example.com", "v2", (100, 10)),
            ("zoo.example.com", "v1beta1", (100, 20)),
            ("ant.example.com", "v1", (19_000, 1)),
        ] {
            let key = (group.to_owned(), version.to_owned());
            let never: std::sync::Arc<dyn super::super::Backend> = std::sync::Arc::new(
                |_, _| -> futures::future::BoxFuture<'static, http::Response<crate::respond::Body>> {
                    Box::pin(async { crate::respond::value(&Value::Null) })
                },
            );
            routes.entries.insert(key.clone(), super::super::Entry::new(never, true));
            routes.priorities.insert(key, priorities);
        }
        let found = groups(&snapshot, &routes);
        let names: Vec<&str> = found.iter().take(3).map(|group| group.name.as_str()).collect();
        assert_eq!(names, ["apiregistration.k8s.io", "ant.example.com", "zoo.example.com"]);
        let zoo = found.iter().find(|group| group.name == "zoo.example.com").unwrap();
        assert_eq!(zoo.versions, ["v1beta1", "v2", "v1"]);
    }

    #[test]
    fn a_silent_backend_is_stale() {
        let list = json!({"resources": [{"name": "apps", "singularName": "app", "kind": "App", "namespaced": true,
            "verbs": ["get"]}, {"name": "apps/log", "kind": "App", "verbs": ["get"]}]});
        let known = Known { resources: Some(std::sync::Arc::new(list)), ..Known::default() };
        let shown = version("v1", &known);
        assert_eq!(shown["freshness"], "Stale");
        assert_eq!(shown.pointer("/resources/0/subresources/0/subresource"), Some(&json!("log")));
        assert_eq!(shown["resources"].as_array().map(Vec::len), Some(1));
    }
}
