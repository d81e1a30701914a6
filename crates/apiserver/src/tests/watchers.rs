//! A thousand watchers, one of which does not read.

use futures::future::join_all;
use http_body_util::BodyExt;
use serde_json::{Value, json};

use super::{ApiServer, Body, send, server_with_ring};
use std::sync::Arc;
use tokio::sync::Barrier;

const WATCHERS: usize = 1000;
/// More than the ring holds, so that who does not read must fall behind.
const CHANGES: u64 = 600;
const RING: usize = 400;
/// After so many changes everybody waits for everybody, so that a slow machine cuts off no reader.
const PACE: u64 = 200;
const PATH: &str = "/api/v1/namespaces/default/configmaps";

async fn watch(server: &ApiServer) -> Body {
    let response = send(server, "GET", &format!("{PATH}?watch=1&resourceVersion=0"), &[], "").await;
    assert_eq!(response.status(), 200);
    response.into_body()
}

/// The events in one frame.
fn events(frame: &[u8]) -> Vec<Value> {
    let lines = frame.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
}

/// Reads until the last change, checking that each comes once and in order.
async fn follow(mut body: Body, pace: Arc<Barrier>) -> Result<(), String> {
    let mut expected = 0;
    while expected < CHANGES {
        let frame = body.frame().await.ok_or("the watch ended")?.map_err(|error| error.to_string())?;
        for event in events(&frame.into_data().map_err(|_| "trailers")?) {
            if event["object"]["data"]["n"] != json!(expected.to_string()) {
                return Err(format!("change {expected} expected, got {event}"));
            }
            expected += 1;
            if expected % PACE == 0 {
                pace.wait().await;
            }
        }
    }
    Ok(())
}

async fn write_all(server: &ApiServer, pace: &Barrier) {
    for n in 0..CHANGES {
        let data = json!({"metadata": {"name": "x"}, "data": {"n": n.to_string()}}).to_string();
        let json = [("content-type", "application/json")];
        let response = match n {
            0 => send(server, "POST", PATH, &json, &data).await,
            _ => send(server, "PUT", &format!("{PATH}/x"), &json, &data).await,
        };
        assert!(response.status().is_success(), "{response:?}");
        if (n + 1) % PACE == 0 {
            pace.wait().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_stalled_one_is_cut_off_and_all_others_see_everything() {
    let server = server_with_ring(RING).await;
    let pace = Arc::new(Barrier::new(WATCHERS));
    send(&server, "POST", "/api/v1/namespaces", &[], r#"{"metadata":{"name":"default"}}"#).await;
    let mut stalled = watch(&server).await;
    let mut readers = Vec::new();
    for _ in 0..WATCHERS - 1 {
        readers.push(tokio::spawn(follow(watch(&server).await, Arc::clone(&pace))));
    }
    write_all(&server, &pace).await;
    for outcome in join_all(readers).await {
        assert_eq!(outcome.unwrap(), Ok(()));
    }
    let frame = stalled.frame().await.unwrap().unwrap().into_data().unwrap();
    let error = events(&frame);
    assert_eq!((&error[0]["type"], &error[0]["object"]["code"]), (&json!("ERROR"), &json!(410)), "{error:?}");
    assert!(stalled.frame().await.is_none(), "a watch that was cut off goes on");
}
