//! Whole requests against a server over the memory engine: scripts of requests and expected answers.

mod transcript;
mod watchers;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use api::kinds::Registry;
use http::{Method, Request, Response};
use http_body_util::BodyExt;
use serde_json::Value;
use store::{Memory, Store};

use crate::allocation::Ranges;
use crate::authn::{Authenticator, Peer, User, tokens::Tokens};
use crate::cache::WatchCache;
use crate::custom::Catalog;
use crate::respond::{Body, full};
use crate::storage::Storage;
use crate::value::Plain;
use crate::{ApiServer, Environment, Parts, Version, admission, authz};

struct NoTokens;

impl Tokens for NoTokens {
    fn authenticate<'a>(&'a self, _token: &'a str) -> futures::future::BoxFuture<'a, Option<User>> {
        Box::pin(async { None })
    }
}

/// The first second of 2026: tests know the time.
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600)
}

/// Different bytes at every call, the same in every run of one test program's single test.
fn random(bytes: &mut [u8]) {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let mut state = NEXT.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
    for byte in bytes {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        *byte = state.to_be_bytes()[0];
    }
}

/// A server over a memory store with the namespaces that scripts use, with its cache running.
pub(crate) async fn server() -> ApiServer {
    let server = build(crate::cache::RING, admission::default_plugins).await;
    for name in ["default", "kube-system", "one", "two"] {
        let body = format!(r#"{{"metadata":{{"name":"{name}"}}}}"#);
        let json = [("content-type", "application/json")];
        let made = send(&server, "POST", "/api/v1/namespaces", &json, &body).await;
        assert_eq!(made.status(), 201, "{name}");
    }
    server
}

/// A server over an empty memory store that keeps `ring` changes, with its cache running and no admission.
async fn server_with_ring(ring: usize) -> ApiServer {
    build(ring, |_| Vec::new()).await
}

async fn build(
    ring: usize,
    plugins: impl FnOnce(&admission::Deps) -> Vec<Box<dyn admission::Plugin>>,
) -> ApiServer {
    let store: Arc<dyn Store> = Arc::new(Memory::new());
    let kinds = Catalog::new(Registry::builtin());
    let cache = WatchCache::new(Arc::clone(&store), Arc::new(Plain), kinds.selectable(), ring);
    let cache = Arc::new(cache);
    let feeder = Arc::clone(&cache);
    tokio::spawn(async move { feeder.run().await });
    cache.ready().await;
    let storage = Storage::new(store, Arc::new(Plain));
    let deps = admission::Deps { cache: Arc::clone(&cache), storage: storage.clone() };
    let server = ApiServer::new(Parts {
        kinds,
        storage,
        cache,
        authenticator: Authenticator::new(Arc::new(NoTokens)),
        authorizer: Box::new(authz::Masters),
        admission: admission::Chain::new(plugins(&deps)),
        ranges: Ranges::default(),
        environment: Environment { now, random },
        address: "127.0.0.1:6443".into(),
        version: Version { kubernetes: "v1.36.2".into(), coracle: "test".into() },
    });
    tokio::spawn(server.clone().run());
    server.served().await;
    server
}

fn admin() -> Peer {
    Peer::Component(Arc::new(User::new("admin", &["system:masters"])))
}

/// Sends one request as an administrator.
pub(crate) async fn send(
    server: &ApiServer,
    method: &str,
    uri: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Response<Body> {
    let mut request = Request::builder().method(method.parse::<Method>().unwrap()).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    server.handle(&admin(), request.body(full(body.to_owned())).unwrap()).await
}

pub(crate) async fn read(response: Response<Body>) -> (u16, Value) {
    let code = response.status().as_u16();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    let value = serde_json::from_slice(&bytes).unwrap_or_else(|_| String::from_utf8_lossy(&bytes).into());
    (code, value)
}
