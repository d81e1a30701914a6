use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use kube::runtime::{reflector, watcher::Event};

use super::{Effect, Gate, Written};
use crate::informer::{Informer, Key};

fn pod(name: &str, revision: &str) -> Pod {
    let mut pod = Pod::default();
    pod.metadata.name = Some(name.into());
    pod.metadata.namespace = Some("shop".into());
    pod.metadata.uid = Some(format!("u-{name}"));
    pod.metadata.resource_version = Some(revision.into());
    pod
}

fn gate() -> (Informer<Pod>, Gate<&'static str>) {
    let (store, _) = reflector::store();
    let pods = Informer::new(store);
    pods.observe(&Event::Init);
    pods.observe(&Event::InitDone);
    (pods.clone(), Gate::new(vec![Arc::new(pods)]))
}

fn written(resource: &str, effect: Effect) -> Vec<Written> {
    vec![Written { resource: resource.into(), effect }]
}

#[test]
fn a_key_waits_for_the_revision_it_wrote() {
    let (pods, gate) = gate();
    gate.note(&"set", written("pods", Effect::Revision(7)));
    assert!(!gate.open(&"set") && gate.open(&"another"));
    pods.observe(&Event::Apply(pod("other", "6")));
    assert!(!gate.open(&"set"));
    pods.observe(&Event::Apply(pod("mine", "7")));
    assert!(gate.open(&"set"));
}

#[test]
fn a_pod_created_and_deleted_unseen_does_not_close_the_gate_for_good() {
    let (pods, gate) = gate();
    gate.note(&"set", written("pods", Effect::Revision(7)));
    pods.observe(&Event::Delete(pod("mine", "8")));
    assert!(gate.open(&"set"));
}

#[test]
fn a_key_waits_until_what_it_deleted_is_going() {
    let (pods, gate) = gate();
    pods.observe(&Event::Apply(pod("mine", "5")));
    gate.note(&"set", written("pods", Effect::Gone(Key::new("shop", "mine"), "u-mine".into())));
    assert!(!gate.open(&"set"));
    let mut going = pod("mine", "6");
    going.metadata.deletion_timestamp =
        Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time("2026-05-01T12:00:00Z".parse().unwrap()));
    pods.observe(&Event::Apply(going));
    assert!(gate.open(&"set"));
}

#[test]
fn only_a_list_begun_after_the_write_opens_the_gate() {
    let (pods, gate) = gate();
    pods.observe(&Event::Init);
    gate.note(&"set", written("pods", Effect::Revision(7)));
    pods.observe(&Event::InitDone);
    assert!(!gate.open(&"set"), "that list may be older than the write");
    pods.observe(&Event::Init);
    pods.observe(&Event::InitDone);
    assert!(gate.open(&"set"));
}

#[test]
fn kinds_that_are_not_watched_are_not_awaited() {
    let (_, gate) = gate();
    gate.note(&"set", written("events", Effect::Revision(7)));
    assert!(gate.open(&"set"));
}

#[test]
fn a_key_that_found_the_gate_closed_is_released_once() {
    let (pods, gate) = gate();
    gate.note(&"set", written("pods", Effect::Revision(7)));
    assert!(gate.released().is_empty(), "nobody asked for it");
    assert!(!gate.open(&"set"));
    assert!(gate.released().is_empty());
    pods.observe(&Event::Apply(pod("another", "9")));
    assert_eq!(gate.released(), ["set"]);
    assert!(gate.released().is_empty() && gate.open(&"set"));
}
