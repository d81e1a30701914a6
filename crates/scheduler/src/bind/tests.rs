//! What is written about a pod, from the pod as it is.

use k8s_openapi::{api::core::v1::Pod, jiff::Timestamp};
use serde_json::{Value, json};

use super::{News, PodKey, Reason, condition_patch, event};

fn pod(condition: &Value) -> Pod {
    serde_json::from_value(json!({
        "metadata": { "name": "web", "uid": "u", "resourceVersion": "7", "generation": 3 },
        "status": { "conditions": [condition] },
    }))
    .expect("a pod")
}

#[test]
fn a_condition_is_patched_only_when_it_changes_and_keeps_its_time_while_it_stays_false() {
    let now: Timestamp = "2026-01-02T00:00:00Z".parse().expect("a time");
    let before = "2026-01-01T00:00:00Z";
    let old = |status: &str, message: &str| {
        json!({ "type": "PodScheduled", "status": status, "reason": "Unschedulable", "message": message,
                "lastTransitionTime": before })
    };
    let cases = [
        (old("False", "same"), None),
        (old("False", "other"), Some(before)),
        (old("True", "same"), Some("2026-01-02T00:00:00Z")),
        (json!({ "type": "Ready", "status": "False" }), Some("2026-01-02T00:00:00Z")),
    ];
    for (condition, expected) in cases {
        let patch = condition_patch(&pod(&condition), Reason::Unschedulable, "same", now);
        let written = patch.map(|patch| patch["status"]["conditions"][0].clone());
        let expected = expected.map(|since| {
            json!({ "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "same",
                    "lastTransitionTime": since, "observedGeneration": 3 })
        });
        assert_eq!(written, expected, "{condition}");
    }
}

#[test]
fn an_event_names_its_pod_and_its_note_is_cut_to_what_the_api_takes() {
    let key = PodKey { namespace: "ns".into(), name: "web".into(), uid: "u".into() };
    let now: Timestamp = "2026-01-02T00:00:00Z".parse().expect("a time");
    let long = event("default-scheduler", &News::failed(key.clone(), &"é".repeat(600)), now);
    let note = long.note.expect("a note");
    assert!(note.len() <= 1024 && note.ends_with("é ..."), "{} bytes", note.len());
    let short = event("default-scheduler", &News::scheduled(key, "a"), now);
    assert_eq!(short.note.as_deref(), Some("Successfully assigned ns/web to a"));
    assert_eq!(short.metadata.name.as_deref(), Some("web.1886c0e67f490000"));
    let regarding = short.regarding.expect("a pod");
    assert_eq!(regarding.uid.as_deref(), Some("u"));
    assert_eq!(regarding.kind.as_deref(), Some("Pod"));
}
