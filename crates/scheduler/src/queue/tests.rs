//! The queue's rules, one test each, and a model: no pod is lost, whatever happens.

use std::{sync::Arc, time::Duration};

use proptest::prelude::*;

use super::Queue;
use crate::{
    event::Event,
    plugin::{PLUGINS, PluginSet},
    snapshot::{Node, NodeChange},
    template::{Pod, Template, Templates},
    time::Time,
};

fn at(seconds: u64) -> Time {
    Time::since_start(Duration::from_secs(seconds))
}

fn pod(name: &str, priority: i32, gated: bool) -> Arc<Pod> {
    let template = Arc::new(Template { priority, ..Template::default() });
    let template_id = Templates::default().decode(&k8s_openapi::api::core::v1::Pod::default()).template_id;
    let (uid, name) = (name.into(), name.into());
    Arc::new(Pod { uid, name, node: None, terminating: false, gated, template_id, template })
}

fn refused_by(name: &str) -> PluginSet {
    let mut plugins = PluginSet::default();
    plugins.insert(PLUGINS.iter().position(|row| row.name == name).expect("a plugin"));
    plugins
}

fn names(queue: &mut Queue, now: Time) -> Vec<String> {
    std::iter::from_fn(|| queue.pop(now)).map(|pod| pod.name.to_string()).collect()
}

#[test]
fn higher_priority_goes_first_then_longer_waiting() {
    let mut queue = Queue::default();
    for (seconds, name, priority) in [(0, "a", 0), (1, "b", 5), (2, "c", 0), (3, "d", 5)] {
        queue.add(pod(name, priority, false), at(seconds));
    }
    assert_eq!(names(&mut queue, at(4)), ["b", "d", "a", "c"]);
}

#[test]
fn a_pod_in_flight_is_not_taken_twice() {
    let mut queue = Queue::default();
    queue.add(pod("a", 0, false), at(0));
    assert_eq!(names(&mut queue, at(0)), ["a"]);
    queue.add(pod("a", 0, false), at(1));
    assert_eq!(names(&mut queue, at(2)), [""; 0]);
}

#[test]
fn a_rejected_pod_that_backs_off_is_taken_early_only_when_nothing_is_active() {
    let mut queue = Queue::default();
    queue.add(pod("low", 9, false), at(0));
    queue.pop(at(0));
    queue.reject("low", refused_by("NodeResourcesFit"), at(0));
    let freed = pod("other", 0, false);
    queue.event(&Event::Freed(&freed), at(0));
    queue.add(pod("new", 0, false), at(0));
    assert_eq!(names(&mut queue, at(0)), ["new", "low"]);
}

#[test]
fn a_pod_that_backs_off_after_an_error_is_never_taken_early() {
    let mut queue = Queue::default();
    queue.add(pod("a", 0, false), at(0));
    queue.pop(at(0));
    queue.retry("a", at(0));
    assert_eq!(queue.deadline(), Some(at(1)));
    assert_eq!(names(&mut queue, at(0)), [""; 0]);
    assert_eq!(names(&mut queue, at(1)), ["a"]);
}

#[test]
fn only_events_that_concern_a_refusing_plugin_wake_a_pod() {
    let node = Node { pods_max: 10, ..Node::default() };
    let labels = NodeChange { labels: true, ..NodeChange::default() };
    let allocatable = NodeChange { allocatable: true, ..NodeChange::default() };
    let other = pod("other", 0, false);
    let events = [
        Event::Node(&node, labels),
        Event::Node(&node, allocatable),
        Event::Freed(&other),
        Event::Placed(&other),
        Event::NodeGone(&node),
    ];
    let cases = [
        ("NodeAffinity", [true, false, false, false, false]),
        ("NodeResourcesFit", [false, true, true, false, false]),
        ("NodeUnschedulable", [false; 5]),
        ("Unsupported", [false; 5]),
    ];
    for (plugin, wakes) in cases {
        for (event, expected) in events.iter().zip(wakes) {
            let mut queue = Queue::default();
            queue.add(pod("a", 0, false), at(0));
            queue.pop(at(0));
            queue.reject("a", refused_by(plugin), at(0));
            queue.event(event, at(20));
            assert_eq!(queue.counts().active == 1, expected, "{plugin}: {event:?}");
        }
    }
}

#[test]
fn a_pod_that_no_plugin_refused_is_woken_by_any_event() {
    let mut queue = Queue::default();
    queue.add(pod("a", 0, false), at(0));
    queue.pop(at(0));
    queue.reject("a", PluginSet::default(), at(0));
    queue.event(&Event::NodeGone(&Node::default()), at(20));
    assert_eq!(queue.counts().active, 1);
}

#[test]
fn a_success_of_deciding_resets_the_backoff_of_errors() {
    let mut queue = Queue::default();
    queue.add(pod("a", 0, false), at(0));
    for failure in [0, 1, 3] {
        queue.pop(at(failure));
        queue.retry("a", at(failure));
    }
    assert_eq!(queue.deadline(), Some(at(7)));
    queue.pop(at(7));
    queue.reject("a", PluginSet::default(), at(7));
    queue.event(&Event::NodeGone(&Node::default()), at(20));
    queue.pop(at(20));
    queue.retry("a", at(20));
    assert_eq!(queue.deadline(), Some(at(21)));
}

#[derive(Clone, Debug)]
enum Act {
    Add(u8, i32, bool),
    Remove(u8),
    Pop,
    Done,
    Reject(bool),
    Retry,
    Freed,
    Wait(u64),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        4 => (0..12_u8, -2..3_i32, any::<bool>()).prop_map(|(name, priority, gated)| Act::Add(name, priority, gated)),
        1 => (0..12_u8).prop_map(Act::Remove),
        4 => Just(Act::Pop),
        1 => Just(Act::Done),
        2 => any::<bool>().prop_map(Act::Reject),
        2 => Just(Act::Retry),
        1 => Just(Act::Freed),
        1 => (0..200_u64).prop_map(Act::Wait),
    ];
    proptest::collection::vec(act, 0..200)
}

proptest! {
    /// Every pod added and neither removed nor done is in exactly one place, and comes out in the end.
    #[test]
    fn no_pod_is_lost(acts in acts()) {
        let mut queue = Queue::default();
        let mut now = at(0);
        let mut known = std::collections::BTreeMap::new();
        let mut taken: Vec<Arc<Pod>> = Vec::new();
        for act in acts {
            match act {
                Act::Add(name, priority, gated) => {
                    let name = format!("p{name}");
                    // Gates are only ever taken away.
                    let gated = *known.entry(name.clone()).and_modify(|was| *was &= gated).or_insert(gated);
                    queue.add(pod(&name, priority, gated), now);
                }
                Act::Remove(name) => {
                    let name = format!("p{name}");
                    queue.remove(&name);
                    known.remove(&name);
                    taken.retain(|pod| *pod.name != *name);
                }
                Act::Pop => taken.extend(queue.pop(now)),
                Act::Done => if let Some(pod) = taken.pop() {
                    queue.done(&pod.uid);
                    known.remove(&*pod.name);
                },
                Act::Reject(fit) => if let Some(pod) = taken.pop() {
                    let plugins = refused_by(if fit { "NodeResourcesFit" } else { "NodeAffinity" });
                    queue.reject(&pod.uid, plugins, now);
                },
                Act::Retry => if let Some(pod) = taken.pop() {
                    queue.retry(&pod.uid, now);
                },
                Act::Freed => queue.event(&Event::Freed(&pod("x", 0, false)), now),
                Act::Wait(seconds) => now = now + Duration::from_secs(seconds),
            }
            let counts = queue.counts();
            let all = counts.gated + counts.active + counts.backoff + counts.unschedulable + counts.in_flight;
            prop_assert_eq!(all, known.len(), "{:?}", counts);
            prop_assert_eq!(counts.in_flight, taken.len());
            let mut twice: Vec<_> = taken.iter().map(|pod| pod.uid.clone()).collect();
            twice.sort();
            twice.dedup();
            prop_assert_eq!(twice.len(), taken.len(), "a pod was taken twice");
        }
        let gated = known.values().filter(|gated| **gated).count();
        let rest = names(&mut queue, now + Duration::from_secs(400));
        prop_assert_eq!(rest.len() + taken.len() + gated, known.len());
    }
}
