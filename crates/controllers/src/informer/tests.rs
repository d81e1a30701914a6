use std::sync::{Arc, Mutex};

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::runtime::reflector::{self, store::Writer};
use kube::runtime::watcher::Event;

use super::{Change, Informer, Key, Watched};

struct Fixture {
    writer: Writer<Pod>,
    pods: Informer<Pod>,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Fixture {
    fn new() -> Self {
        let (store, writer) = reflector::store();
        let pods = Informer::with_facet(store, |pod: &Pod| pod.spec.as_ref()?.node_name.clone());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        pods.subscribe(move |change: Change<'_, Pod>| {
            let side = |pod: Option<&Pod>| {
                pod.map_or("-".into(), |pod| pod.metadata.resource_version.clone().unwrap())
            };
            let name = Key::of(change.last().unwrap()).name;
            log.lock().unwrap().push(format!("{name} {}>{}", side(change.old), side(change.new)));
        });
        Self { writer, pods, seen }
    }

    fn feed(&mut self, event: &Event<Pod>) {
        self.writer.apply_watcher_event(event);
        self.pods.observe(event);
    }

    fn seen(&self) -> Vec<String> {
        let mut seen = std::mem::take(&mut *self.seen.lock().unwrap());
        seen.sort();
        seen
    }
}

fn pod(name: &str, revision: u64, owner: Option<&str>, node: Option<&str>) -> Pod {
    let mut pod = Pod::default();
    pod.metadata.name = Some(name.into());
    pod.metadata.namespace = Some("shop".into());
    pod.metadata.resource_version = Some(revision.to_string());
    pod.metadata.owner_references = owner.map(|uid| {
        vec![OwnerReference { uid: uid.into(), controller: Some(true), ..OwnerReference::default() }]
    });
    pod.spec.get_or_insert_default().node_name = node.map(Into::into);
    pod
}

fn names(pods: &[Arc<Pod>]) -> Vec<String> {
    pods.iter().map(|pod| pod.metadata.name.clone().unwrap()).collect()
}

#[test]
fn indexes_follow_changes() {
    let mut fixture = Fixture::new();
    fixture.feed(&Event::Apply(pod("a", 1, None, None)));
    fixture.feed(&Event::Apply(pod("b", 2, Some("u"), Some("n1"))));
    assert_eq!(names(&fixture.pods.orphans_in("shop")), ["a"]);
    assert_eq!(names(&fixture.pods.owned_by("u")), ["b"]);
    fixture.feed(&Event::Apply(pod("a", 3, Some("u"), Some("n1"))));
    assert_eq!(names(&fixture.pods.owned_by("u")), ["a", "b"]);
    assert_eq!(names(&fixture.pods.with("n1")), ["a", "b"]);
    fixture.feed(&Event::Delete(pod("b", 4, Some("u"), Some("n1"))));
    assert_eq!(names(&fixture.pods.in_namespace("shop")), ["a"]);
    assert!(names(&fixture.pods.orphans_in("shop")).is_empty());
    assert_eq!(fixture.seen(), ["a ->1", "a 1>3", "b ->2", "b 4>-"]);
    assert_eq!(fixture.pods.progress().revision, 4);
}

#[test]
fn a_list_announces_all_objects_and_those_that_are_gone() {
    let mut fixture = Fixture::new();
    fixture.feed(&Event::Apply(pod("a", 1, None, None)));
    fixture.feed(&Event::Apply(pod("b", 2, None, None)));
    assert!(!*fixture.pods.synced().borrow());
    fixture.seen();
    fixture.feed(&Event::Init);
    fixture.feed(&Event::InitApply(pod("b", 2, None, None)));
    fixture.feed(&Event::InitApply(pod("c", 9, None, None)));
    assert!(fixture.seen().is_empty(), "a list shows when it is complete");
    fixture.feed(&Event::InitDone);
    assert_eq!(fixture.seen(), ["a 1>-", "b 2>2", "c ->9"]);
    assert_eq!(names(&fixture.pods.in_namespace("shop")), ["b", "c"]);
    assert!(*fixture.pods.synced().borrow());
}

#[test]
fn objects_are_those_of_the_store() {
    let mut fixture = Fixture::new();
    fixture.feed(&Event::Apply(pod("a", 1, None, None)));
    let key = reflector::ObjectRef::new("a").within("shop");
    let stored = fixture.writer.as_reader().get(&key).unwrap();
    assert!(Arc::ptr_eq(&stored, &fixture.pods.get(&Key::new("shop", "a")).unwrap()));
}
