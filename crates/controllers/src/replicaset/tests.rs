use std::sync::Arc;

use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::{Pod, ReplicationController};
use serde::de::DeserializeOwned;

use super::{Replicated, Snapshot, plan, plan_status};
use crate::plan::tests::{Case, check_all};

fn check<K: Replicated + DeserializeOwned>(case: &Case) {
    let pods = |field: &str| case.get::<Vec<Pod>>(field).into_iter().map(Arc::new).collect();
    let set = Arc::new(case.must::<K>("set")).replicator().unwrap();
    let snapshot = Snapshot { set, pods: pods("pods"), related: pods("related") };
    case.compare("expect", &plan(&snapshot, case.now()));
    let failure: Option<String> = case.get("failure");
    let status = plan_status(&snapshot, failure.as_deref(), case.now());
    case.compare("status", &status);
    case.compare_again(&status);
}

#[test]
fn replicaset_cases() {
    check_all("replicaset", check::<ReplicaSet>);
}

#[test]
fn replication_controller_cases() {
    check_all("replication_controller", check::<ReplicationController>);
}

/// A server that stores nothing but tells what it was asked: pods are created under new names, and
/// every write becomes a watch event that the caches see later.
mod whole {
    use std::convert::Infallible;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use http::{Method, Request, Response};
    use http_body_util::BodyExt;
    use kube::Client;
    use kube::client::Body;
    use kube::runtime::reflector::{self, store::Writer};
    use kube::runtime::watcher::Event;
    use serde_json::{Value, json};
    use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

    use super::*;
    use crate::{Context, Informer, informer::Kind};

    struct Server {
        revision: AtomicUsize,
        created: AtomicUsize,
        events: UnboundedSender<Value>,
    }

    impl Server {
        async fn answer(self: Arc<Self>, request: Request<Body>) -> Result<Response<String>, Infallible> {
            let (parts, body) = request.into_parts();
            let mut object: Value =
                serde_json::from_slice(&body.collect().await.unwrap().to_bytes()).unwrap();
            let revision = self.revision.fetch_add(1, Ordering::SeqCst) + 10;
            object["metadata"]["resourceVersion"] = json!(revision.to_string());
            match (parts.method, parts.uri.path()) {
                (Method::POST, path) if path.ends_with("/pods") => {
                    let number = self.created.fetch_add(1, Ordering::SeqCst);
                    object["metadata"]["name"] = json!(format!("web-{number}"));
                    object["metadata"]["uid"] = json!(format!("u-{number}"));
                    self.events.send(object.clone()).unwrap();
                }
                (Method::PATCH, path) if path.ends_with("/status") => {
                    self.events.send(object.clone()).unwrap();
                }
                _ => {}
            }
            Ok(Response::new(object.to_string()))
        }
    }

    fn informer<K: Kind>() -> (Writer<K>, Informer<K>) {
        let (store, writer) = reflector::store();
        (writer, Informer::new(store))
    }

    fn feed<K: Kind>(writer: &mut Writer<K>, informer: &Informer<K>, event: &Event<K>) {
        writer.apply_watcher_event(event);
        informer.observe(event);
    }

    /// Passes the server's events to the caches until the set's status shows `replicas` or more.
    async fn watch(
        server: &Server,
        mut events: UnboundedReceiver<Value>,
        (mut sets, set_cache): (Writer<ReplicaSet>, Informer<ReplicaSet>),
        (mut pods, pod_cache): (Writer<Pod>, Informer<Pod>),
        mut set: Value,
        replicas: u64,
    ) {
        while let Some(event) = events.recv().await {
            // The cache is always late.
            tokio::task::yield_now().await;
            assert!(server.created.load(Ordering::SeqCst) <= 40, "pods are created twice");
            if event["kind"] == "Pod" {
                feed(&mut pods, &pod_cache, &Event::Apply(serde_json::from_value(event).unwrap()));
                continue;
            }
            set["metadata"]["resourceVersion"] = event["metadata"]["resourceVersion"].clone();
            for (field, value) in event["status"].as_object().unwrap() {
                set["status"][field] = value.clone();
            }
            feed(&mut sets, &set_cache, &Event::Apply(serde_json::from_value(set.clone()).unwrap()));
            if set["status"]["replicas"].as_u64() >= Some(replicas) {
                return;
            }
        }
    }

    #[tokio::test]
    async fn a_set_creates_each_pod_once_however_late_its_cache_is() {
        let set = json!({
            "metadata": { "name": "web", "namespace": "shop", "uid": "u-web", "generation": 1 },
            "spec": { "replicas": 40, "selector": { "matchLabels": { "app": "web" } },
                "template": { "metadata": { "labels": { "app": "web" } }, "spec": { "containers": [] } } },
            "status": { "replicas": 0 },
        });
        let (events, received) = unbounded_channel();
        let server = Arc::new(Server { revision: AtomicUsize::new(0), created: AtomicUsize::new(0), events });
        let own = Arc::clone(&server);
        let client =
            Client::new(tower::service_fn(move |request| Arc::clone(&own).answer(request)), "default");
        let (mut sets, mut pods) = (informer::<ReplicaSet>(), informer::<Pod>());
        for event in
            [Event::Init, Event::InitApply(serde_json::from_value(set.clone()).unwrap()), Event::InitDone]
        {
            feed(&mut sets.0, &sets.1, &event);
        }
        for event in [Event::Init, Event::InitDone] {
            feed(&mut pods.0, &pods.1, &event);
        }
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let shutdown = crate::shutdown(async move {
            let _ = stopped.await;
        });
        let context = Context::new(client, crate::wall_clock(), 4);
        let controller =
            tokio::spawn(crate::replicaset::run(context, sets.1.clone(), pods.1.clone(), shutdown));
        watch(&server, received, sets, pods, set, 40).await;
        drop(stop);
        controller.await.unwrap();
        assert_eq!(server.created.load(Ordering::SeqCst), 40);
    }
}
