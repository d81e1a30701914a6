use k8s_openapi::api::core::v1::{ObjectReference, Pod};
use k8s_openapi::jiff::Timestamp;

use super::{Decision, Entry, Level, Memory, Note, Recorder};

fn entry(message: &str, second: i64) -> Entry {
    let regarding = ObjectReference {
        kind: Some("Pod".into()),
        name: Some("web".into()),
        namespace: Some("shop".into()),
        ..ObjectReference::default()
    };
    let note = Note { regarding, level: Level::Normal, reason: "Tried".into(), message: message.into() };
    Entry { component: "test".into(), note, at: Timestamp::from_second(1_000_000 + second).unwrap() }
}

fn told(memory: &mut Memory, entry: &Entry) -> String {
    match memory.correlate(entry).1 {
        Decision::Create(event) => format!("new {}", event.message.unwrap()),
        Decision::Increment { count, message, .. } => format!("{count} {message}"),
    }
}

#[test]
fn equal_events_are_counted() {
    let mut memory = Memory::default();
    assert_eq!(told(&mut memory, &entry("a", 0)), "new a");
    assert_eq!(told(&mut memory, &entry("b", 1)), "new b");
    assert_eq!(told(&mut memory, &entry("a", 2)), "2 a");
}

#[test]
fn many_similar_events_are_folded_until_the_window_ends() {
    let mut memory = Memory::default();
    for number in 0..10 {
        assert_eq!(told(&mut memory, &entry(&format!("m{number}"), number)), format!("new m{number}"));
    }
    assert_eq!(told(&mut memory, &entry("m10", 10)), "new (combined from similar events): m10");
    assert_eq!(told(&mut memory, &entry("m11", 11)), "2 (combined from similar events): m11");
    assert_eq!(told(&mut memory, &entry("m0", 12)), "2 m0");
    assert_eq!(told(&mut memory, &entry("m12", 700)), "new m12");
}

#[test]
fn an_event_is_named_after_its_object_and_time() {
    let Decision::Create(event) = Memory::default().correlate(&entry("a", 0)).1 else {
        panic!("not created")
    };
    assert_eq!(event.metadata.name.as_deref(), Some("web.38d7ea4c68000"));
    assert_eq!(event.metadata.namespace.as_deref(), Some("shop"));
    assert_eq!(event.source.unwrap().component.as_deref(), Some("test"));
}

#[test]
fn a_full_queue_drops_and_does_not_block() {
    let (queue, mut entries) = tokio::sync::mpsc::channel(1);
    let recorder = Recorder { component: "test".into(), clock: crate::wall_clock(), queue };
    for _ in 0..3 {
        recorder.record(Note::normal(&Pod::default(), "Tried", "m"));
    }
    assert!(entries.try_recv().is_ok() && entries.try_recv().is_err());
}
