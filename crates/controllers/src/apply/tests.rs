//! What `apply` sends, and how it takes refusals. The server is a function from request to answer.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use http::{Request, Response};
use http_body_util::BodyExt;
use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

use super::{Outcome, apply};
use crate::gate::Effect;
use crate::plan::{Action, Form, Plan, Propagation, Step, Target};
use crate::recorder::Recorder;

type Sent = Arc<Mutex<Vec<String>>>;

/// A client whose server notes each request and answers the nth with `answer(n)`.
fn client(answer: impl Fn(usize) -> Value + Send + Sync + Clone + 'static) -> (Client, Sent) {
    let sent = Sent::default();
    let log = Arc::clone(&sent);
    let service = tower::service_fn(move |request: Request<Body>| {
        let (log, answer) = (Arc::clone(&log), answer.clone());
        async move {
            let line = line(request).await;
            let number = {
                let mut log = log.lock().unwrap();
                log.push(line);
                log.len() - 1
            };
            Ok::<_, Infallible>(respond(&answer(number)))
        }
    });
    (Client::new(service, "default"), sent)
}

async fn line(request: Request<Body>) -> String {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let form = parts.headers.get(http::header::CONTENT_TYPE).map_or("", |form| form.to_str().unwrap());
    let form = form.trim_start_matches("application/");
    format!("{} {} {form} {}", parts.method, parts.uri.path(), String::from_utf8_lossy(&body))
}

fn respond(answer: &Value) -> Response<String> {
    let code = answer.get("code").and_then(Value::as_u64).unwrap_or(200);
    let code = u16::try_from(code).unwrap();
    Response::builder().status(code).body(answer.to_string()).unwrap()
}

fn ok(revision: usize) -> Value {
    json!({ "kind": "Pod", "metadata": { "name": format!("web-{revision}"), "uid": "u", "resourceVersion": revision.to_string() } })
}

fn refusal(code: u16, reason: &str, cause: Option<&str>) -> Value {
    let causes: Vec<Value> = cause.iter().map(|cause| json!({ "reason": cause })).collect();
    json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": code, "reason": reason,
        "message": format!("it is {reason}"), "details": { "causes": causes } })
}

fn pod() -> Pod {
    serde_json::from_value(json!({ "metadata": { "name": "web", "namespace": "shop", "uid": "u-web" } }))
        .unwrap()
}

async fn run(client: &Client, steps: Vec<Step>) -> Outcome {
    let recorder = Recorder::start(client.clone(), crate::wall_clock());
    apply(client, &recorder, &Plan { steps, ..Plan::default() }).await
}

async fn sends(action: Action, expected: &str) {
    let (client, sent) = client(|_| ok(7));
    let outcome = run(&client, vec![Step::All(vec![action])]).await;
    assert!(outcome.failure.is_none(), "{:?}", outcome.failure);
    assert_eq!(sent.lock().unwrap().first().unwrap(), expected);
}

#[tokio::test]
async fn writes_are_the_requests_that_they_say() {
    let pod = pod();
    let path = "/api/v1/namespaces/shop/pods/web";
    let target = || Target::of(&pod);
    sends(
        Action::merge(&pod, json!({ "a": null })),
        &format!("PATCH {path} merge-patch+json {{\"a\":null}}"),
    )
    .await;
    sends(
        Action::strategic(&pod, json!({ "a": 1 })),
        &format!("PATCH {path} strategic-merge-patch+json {{\"a\":1}}"),
    )
    .await;
    sends(
        Action::patch(target(), "", Form::Json, json!([{ "op": "test" }])),
        &format!("PATCH {path} json-patch+json [{{\"op\":\"test\"}}]"),
    )
    .await;
    sends(
        Action::status(&pod, &json!({ "phase": "Failed" })),
        &format!("PATCH {path}/status merge-patch+json {{\"metadata\":{{\"uid\":\"u-web\"}},\"status\":{{\"phase\":\"Failed\"}}}}"),
    )
    .await;
    sends(Action::put(target(), "finalize", json!({})), &format!("PUT {path}/finalize json {{}}")).await;
    sends(
        Action::remove(target(), Some(0), Propagation::Foreground).at_revision("9".into()),
        &format!("DELETE {path} json {{\"gracePeriodSeconds\":0,\"propagationPolicy\":\"Foreground\",\"preconditions\":{{\"resourceVersion\":\"9\",\"uid\":\"u-web\"}}}}"),
    )
    .await;
    sends(
        Action::create(&pod),
        "POST /api/v1/namespaces/shop/pods json {\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"web\",\"namespace\":\"shop\",\"uid\":\"u-web\"}}",
    )
    .await;
}

#[tokio::test]
async fn a_slow_start_doubles_and_stops_after_the_batch_that_was_refused() {
    let (client, sent) =
        client(|number| if number == 2 { refusal(403, "Forbidden", None) } else { ok(number + 1) });
    let creates = |count| (0..count).map(|_| Action::create(&pod())).collect();
    let outcome = run(&client, vec![Step::SlowStart(creates(20)), Step::All(creates(1))]).await;
    assert_eq!(sent.lock().unwrap().len(), 3, "one, then two, then no more");
    assert_eq!(outcome.completed, 0);
    assert_eq!(outcome.failure.unwrap().message(), "it is Forbidden");
    let written: Vec<_> = outcome.written.iter().map(|written| written.effect.clone()).collect();
    assert_eq!(written, [Effect::Revision(1), Effect::Revision(2)]);
}

#[tokio::test]
async fn refusals_that_mean_nothing_to_do_are_no_failures() {
    let check = async |action: Action, answer: Value, fails: bool| {
        let (client, _) = client(move |_| answer.clone());
        let outcome = run(&client, vec![Step::All(vec![action.clone()])]).await;
        assert_eq!(outcome.failure.is_some(), fails, "{action:?}");
    };
    let patch = || Action::merge(&pod(), json!({}));
    check(Action::delete(&pod()), refusal(404, "NotFound", None), false).await;
    check(Action::delete(&pod()), refusal(409, "Conflict", None), true).await;
    check(patch(), refusal(404, "NotFound", None), true).await;
    check(patch().lenient(), refusal(404, "NotFound", None), false).await;
    check(patch().lenient(), refusal(409, "Conflict", None), true).await;
    check(Action::create(&pod()).lenient(), refusal(409, "AlreadyExists", None), false).await;
    check(Action::verify(&pod()), ok(1), true).await;
    let same = json!({ "metadata": { "uid": "u-web" } });
    check(Action::verify(&pod()), same, false).await;
    let going = json!({ "metadata": { "uid": "u-web", "deletionTimestamp": "2026-05-01T12:00:00Z" } });
    check(Action::verify(&pod()), going, true).await;
}

#[tokio::test]
async fn a_terminating_namespace_is_told_apart() {
    for (cause, expected) in [(Some("NamespaceTerminating"), true), (Some("Other"), false), (None, false)] {
        let (client, _) = client(move |_| refusal(403, "Forbidden", cause));
        let outcome = run(&client, vec![Step::All(vec![Action::create(&pod())])]).await;
        assert_eq!(outcome.failure.unwrap().namespace_terminating(), expected, "{cause:?}");
    }
}
