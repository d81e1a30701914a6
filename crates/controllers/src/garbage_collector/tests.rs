use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::{ApiResource, GroupVersionKind};
use serde::Deserialize;
use serde_json::{Value, json};

use super::graph::Graph;
use super::plan::{Dependent, Owner, Situation, plan, to_visit};
use crate::discovery::Served;
use crate::informer::Key;
use crate::plan::tests::{Case, check_all};

#[derive(Default, Deserialize)]
#[serde(default)]
struct Named {
    name: String,
    blocks: bool,
    deleting: bool,
    meta: Option<ObjectMeta>,
}

fn things() -> Served {
    let api = ApiResource::from_gvk(&GroupVersionKind::gvk("test.dev", "v1", "Thing"));
    Served { api, namespaced: true, verbs: Vec::new() }
}

fn dependent(named: Named) -> Dependent {
    Dependent {
        uid: format!("u-{}", named.name),
        name: named.name,
        collection: things().collection("shop"),
        blocks: named.blocks,
        deleting_dependents: named.deleting,
        meta: named.meta,
    }
}

fn owner_state(text: &str) -> Owner {
    match text {
        "present" => Owner::Present,
        "absent" => Owner::Absent,
        "waiting" => Owner::WaitingForDependents,
        other => panic!("unknown owner state {other}"),
    }
}

fn check(case: &Case) {
    let meta: ObjectMeta = case.must("meta");
    let states: Vec<String> = case.get("owners");
    let references = meta.owner_references.clone().unwrap_or_default();
    assert_eq!(states.len(), references.len(), "{}: one state per owner", case.name);
    let owners = references.into_iter().zip(states.iter().map(|state| owner_state(state))).collect();
    let dependents = case.get::<Vec<Named>>("dependents").into_iter().map(dependent).collect();
    let situation = Situation {
        collection: things().collection("shop"),
        key: Key::of_meta(&meta),
        meta,
        owners,
        dependents,
    };
    case.compare("expect", &plan(&situation));
    assert_eq!(to_visit(&situation), case.get::<Vec<String>>("visit"), "{}: visit", case.name);
}

#[test]
fn garbage_collector_cases() {
    check_all("garbage_collector", check);
}

/// An object `name` with owners; a leading `!` marks a blocking reference.
fn meta(name: &str, owners: &[&str], finalizers: &[&str]) -> ObjectMeta {
    let reference = |owner: &&str| {
        let name = owner.trim_start_matches('!');
        json!({ "apiVersion": "test.dev/v1", "kind": "Thing", "name": name, "uid": name, "blockOwnerDeletion": owner.starts_with('!') })
    };
    let owners: Vec<Value> = owners.iter().map(reference).collect();
    let deleted = (!finalizers.is_empty()).then_some("2026-05-01T12:00:00Z");
    serde_json::from_value(json!({
        "name": name, "namespace": "shop", "uid": name, "ownerReferences": owners,
        "finalizers": finalizers, "deletionTimestamp": deleted,
    }))
    .unwrap()
}

#[test]
fn the_graph_names_what_deserves_a_look() {
    let served = Arc::new(things());
    let mut graph = Graph::default();
    let put = |graph: &mut Graph, name: &str, owners: &[&str], finalizers: &[&str]| {
        graph.upsert(&served, &meta(name, owners, finalizers))
    };
    assert_eq!(put(&mut graph, "pod", &["!set"], &[]), ["set"], "an owner never seen");
    assert!(put(&mut graph, "set", &["app"], &[]).contains(&"app".to_owned()));
    assert!(put(&mut graph, "app", &[], &[]).is_empty());
    assert_eq!(graph.remove("app"), ["set"], "dependents of what is gone");
    assert!(graph.is_gone("app"));
    assert_eq!(put(&mut graph, "set", &["app"], &["foregroundDeletion"]), ["pod", "set"]);
    assert!(graph.node("pod").unwrap().blocks("set"));
    assert_eq!(graph.remove("pod"), ["set"], "an owner that waited");
    assert_eq!(put(&mut graph, "late", &["app"], &[]), ["late"], "an owner known to be gone");
}

#[test]
fn a_dependent_that_stops_blocking_frees_its_owner() {
    let served = Arc::new(things());
    let mut graph = Graph::default();
    graph.upsert(&served, &meta("set", &[], &["foregroundDeletion"]));
    graph.upsert(&served, &meta("pod", &["!set"], &[]));
    let visit = graph.upsert(&served, &meta("pod", &["set"], &[]));
    assert!(visit.contains(&"set".to_owned()), "{visit:?}");
    assert!(!graph.node("pod").unwrap().blocks("set"));
}
