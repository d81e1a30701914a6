//! The scheduler against a client that records what it writes.

use std::{convert::Infallible, sync::Arc};

use futures::{StreamExt, channel::mpsc as events};
use http::{Request, Response, StatusCode};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::{
    Client,
    client::Body,
    runtime::{
        WatchStreamExt,
        reflector::{ReflectHandle, store_shared},
        watcher,
    },
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use super::{Config, run};

type Feed<K> = events::UnboundedSender<watcher::Result<watcher::Event<K>>>;
type Written = (String, Value);

/// A reflector fed by hand.
fn reflector<K>() -> (Feed<K>, ReflectHandle<K>)
where
    K: kube::Resource<DynamicType = ()> + Clone + Send + Sync + 'static,
{
    let (feed, stream) = events::unbounded();
    let (_, writer) = store_shared(64);
    let handle = writer.subscribe().expect("a shared store");
    tokio::spawn(stream.reflect_shared(writer).for_each(|_| async {}));
    (feed, handle)
}

/// A client whose server accepts everything, but bindings of pods named `late` only the second time.
fn recording_client() -> (Client, mpsc::UnboundedReceiver<Written>) {
    let (record, written) = mpsc::unbounded_channel();
    let refused = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let service = tower::service_fn(move |request: Request<Body>| {
        let (record, refused) = (record.clone(), refused.clone());
        async move {
            let line = format!("{} {}", request.method(), request.uri().path());
            let bytes = request.into_body().collect_bytes().await.expect("a body");
            let body: Value = serde_json::from_slice(&bytes).expect("JSON");
            let refuse =
                line.ends_with("/late/binding") && !refused.swap(true, std::sync::atomic::Ordering::SeqCst);
            let (code, answer) = match refuse {
                true => (StatusCode::INTERNAL_SERVER_ERROR, failure()),
                false if line.ends_with("/binding") => (StatusCode::CREATED, json!({ "status": "Success" })),
                false => (StatusCode::OK, body.clone()),
            };
            record.send((line, body)).ok();
            let body = Body::from(answer.to_string().into_bytes());
            Ok::<_, Infallible>(Response::builder().status(code).body(body).expect("a response"))
        }
    });
    (Client::new(service, "default"), written)
}

fn failure() -> Value {
    json!({ "kind": "Status", "status": "Failure", "message": "no", "reason": "InternalError", "code": 500 })
}

fn object<K: DeserializeOwned>(value: Value) -> K {
    serde_json::from_value(value).expect("an object")
}

fn node(name: &str) -> Node {
    object(json!({
        "metadata": { "name": name, "uid": format!("uid-{name}") },
        "status": { "allocatable": { "cpu": "1", "memory": "1Gi", "pods": "10" } },
    }))
}

fn pod(name: &str, cpu: &str) -> Pod {
    object(json!({
        "metadata": { "name": name, "namespace": "ns", "uid": format!("uid-{name}"), "resourceVersion": "7" },
        "spec": { "containers": [{ "name": "c", "resources": { "requests": { "cpu": cpu } } }] },
    }))
}

/// Waits for a write to this path, letting others pass.
async fn wait_for(written: &mut mpsc::UnboundedReceiver<Written>, wanted: &str) -> Value {
    loop {
        let (line, body) = written.recv().await.expect("the scheduler still writes");
        if line == wanted {
            return body;
        }
    }
}

fn list<K>(feed: &Feed<K>, objects: impl IntoIterator<Item = K>) {
    let all = objects.into_iter().map(watcher::Event::InitApply);
    for event in [watcher::Event::Init].into_iter().chain(all).chain([watcher::Event::InitDone]) {
        feed.unbounded_send(Ok(event)).expect("the reflector runs");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pods_are_bound_refused_and_retried_through_the_api() {
    let (client, mut written) = recording_client();
    let (pod_feed, pods) = reflector::<Pod>();
    let (node_feed, nodes) = reflector::<Node>();
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async { stopped.await.unwrap_or_default() };
    let running = tokio::spawn(run(client, pods, nodes, Config::default(), shutdown));

    list(&node_feed, [node("a")]);
    list(&pod_feed, [pod("web", "1")]);
    let binding = wait_for(&mut written, "POST /api/v1/namespaces/ns/pods/web/binding").await;
    assert_eq!(binding["target"], json!({ "kind": "Node", "name": "a" }));
    assert_eq!(binding["metadata"]["uid"], "uid-web");
    let event = wait_for(&mut written, "POST /apis/events.k8s.io/v1/namespaces/ns/events").await;
    assert_eq!(event["note"], "Successfully assigned ns/web to a");
    assert_eq!(event["reason"], "Scheduled");

    // No room: the condition is patched under the version it was decided on, and an event says why.
    pod_feed.unbounded_send(Ok(watcher::Event::Apply(pod("late", "1")))).expect("the reflector runs");
    let patch = wait_for(&mut written, "PATCH /api/v1/namespaces/ns/pods/late/status").await;
    let condition = &patch["status"]["conditions"][0];
    let message = "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: \
                   1 No preemption victims found for incoming pod.";
    assert_eq!(patch["metadata"], json!({ "uid": "uid-late", "resourceVersion": "7" }));
    assert_eq!(condition["type"], "PodScheduled");
    assert_eq!(condition["status"], "False");
    assert_eq!(condition["reason"], "Unschedulable");
    assert_eq!(condition["message"], message);
    let event = wait_for(&mut written, "POST /apis/events.k8s.io/v1/namespaces/ns/events").await;
    assert_eq!((&event["note"], &event["reason"]), (&json!(message), &json!("FailedScheduling")));

    // A deletion, which reflectors do not announce, makes room; the first binding fails and is tried again.
    pod_feed.unbounded_send(Ok(watcher::Event::Delete(pod("web", "1")))).expect("the reflector runs");
    wait_for(&mut written, "POST /api/v1/namespaces/ns/pods/late/binding").await;
    let patch = wait_for(&mut written, "PATCH /api/v1/namespaces/ns/pods/late/status").await;
    let condition = &patch["status"]["conditions"][0];
    assert_eq!(condition["reason"], "SchedulerError");
    assert_eq!(condition["message"], "running Bind plugin \"DefaultBinder\": no");
    wait_for(&mut written, "POST /api/v1/namespaces/ns/pods/late/binding").await;

    stop.send(()).expect("the scheduler still runs");
    running.await.expect("no panic").expect("an orderly end");
}

#[tokio::test]
async fn a_reflector_that_ends_is_an_error_that_names_it() {
    let (client, _written) = recording_client();
    let (pod_feed, pods) = reflector::<Pod>();
    let (node_feed, nodes) = reflector::<Node>();
    list(&node_feed, [node("a")]);
    list(&pod_feed, []);
    drop(pod_feed);
    let ended = run(client, pods, nodes, Config::default(), std::future::pending()).await;
    assert_eq!(ended.expect_err("no pods to schedule").to_string(), "the Pod reflector ended");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn announcements_of_objects_that_are_gone_hide_none_behind_them() {
    let (client, mut written) = recording_client();
    let (pod_feed, pods) = reflector::<Pod>();
    let (node_feed, nodes) = reflector::<Node>();
    let running = tokio::spawn(run(client, pods, nodes, Config::default(), std::future::pending()));
    list(&node_feed, [node("a")]);
    list(&pod_feed, []);
    for number in 0..500 {
        let gone = pod(&format!("gone-{number}"), "2");
        pod_feed.unbounded_send(Ok(watcher::Event::Apply(gone.clone()))).expect("the reflector runs");
        pod_feed.unbounded_send(Ok(watcher::Event::Delete(gone))).expect("the reflector runs");
    }
    pod_feed.unbounded_send(Ok(watcher::Event::Apply(pod("web", "1")))).expect("the reflector runs");
    wait_for(&mut written, "POST /api/v1/namespaces/ns/pods/web/binding").await;
    running.abort();
}
