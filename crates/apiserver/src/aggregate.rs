//! APIServices: which group versions there are, who serves each, and in what order clients see them.
//!
//! ```text
//! APIService objects ── reactor ──> Routes (group version -> entry, priorities), one pointer
//! request ── route ──> Remote (HTTPS to a Service) or Local (a handler in this process) ──> answer
//!                  └─> no entry: our own endpoints
//! ```
//!
//! A backend that does not answer is marked unavailable by its own task; requests for it get 503 at
//! once, its group is stale in discovery, and nothing else waits for it. Documents of backends
//! (discovery, OpenAPI) are fetched by that task, never by a request for them.
//!
//! Follows the apiregistration API v1 and the kube-aggregator of Kubernetes 1.36.

pub(crate) mod document;
mod reactor;
mod remote;
mod resolve;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use api::status::Status;
use arc_swap::ArcSwap;
use futures::future::BoxFuture;
use http::{Request, Response};
use serde_json::Value;

use crate::authn::User;
use crate::respond::{Body, Outcome};

pub(crate) use reactor::run;
pub use remote::ClientIdentity;
pub use resolve::{Resolver, ServicePort, Unresolved, Watched};

/// Where APIServices are stored.
pub(crate) const PREFIX: &str = "apiregistration.k8s.io/apiservices";
const UNAVAILABLE: &str = "the server is currently unable to handle the request";

/// Answers the requests of a group version that is not ours.
pub trait Backend: Send + Sync {
    /// Answers one request of a user who was authenticated and authorized.
    fn handle(&self, user: Arc<User>, request: Request<Body>) -> BoxFuture<'static, Response<Body>>;
}

impl<F> Backend for F
where
    F: Fn(Arc<User>, Request<Body>) -> BoxFuture<'static, Response<Body>> + Send + Sync,
{
    fn handle(&self, user: Arc<User>, request: Request<Body>) -> BoxFuture<'static, Response<Body>> {
        self(user, request)
    }
}

/// A group and version.
pub(crate) type Key = (String, String);

/// What is known of a backend: whether it answers, and its documents.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    /// Whether it passed its last check.
    pub(crate) available: bool,
    /// Its `APIResourceList`, as of the last time it answered.
    pub(crate) resources: Option<Arc<Value>>,
    /// The hash of its OpenAPI v3 document, if it has one.
    pub(crate) openapi_hash: Option<String>,
}

/// A backend and what is known of it.
pub(crate) struct Entry {
    backend: Arc<dyn Backend>,
    pub(crate) known: ArcSwap<Known>,
}

/// Who serves what, at one moment.
#[derive(Default)]
pub(crate) struct Routes {
    pub(crate) entries: BTreeMap<Key, Arc<Entry>>,
    /// `groupPriorityMinimum` and `versionPriority`.
    pub(crate) priorities: BTreeMap<Key, (i64, i64)>,
}

/// What the binary gives to reach backends outside of this process.
#[derive(Clone, Default)]
pub struct Outside {
    /// Finds the addresses of Services; without one no remote backend is available.
    pub resolver: Option<Arc<dyn Resolver>>,
    /// The front-proxy client certificate.
    pub identity: Option<ClientIdentity>,
}

/// The backends of one server.
#[derive(Default)]
pub(crate) struct Aggregate {
    outside: RwLock<Outside>,
    local: RwLock<BTreeMap<Key, Arc<Entry>>>,
    routes: ArcSwap<Routes>,
    changed: tokio::sync::Notify,
}

impl Entry {
    fn new(backend: Arc<dyn Backend>, available: bool) -> Arc<Self> {
        let known = ArcSwap::from_pointee(Known { available, ..Known::default() });
        Arc::new(Self { backend, known })
    }

    /// Answers a request, or 503 while the backend is known not to answer.
    ///
    /// # Errors
    /// 503.
    pub(crate) async fn answer(&self, user: Arc<User>, request: Request<Body>) -> Outcome {
        if !self.known.load().available {
            return Err(Status::service_unavailable(UNAVAILABLE));
        }
        Ok(self.backend.handle(user, request).await)
    }
}

impl Aggregate {
    /// Serves a group version by a handler in this process.
    pub(crate) fn register(&self, group: &str, version: &str, backend: Arc<dyn Backend>) {
        let key = (group.to_owned(), version.to_owned());
        let mut local = self.local.write().unwrap_or_else(PoisonError::into_inner);
        local.insert(key, Entry::new(backend, true));
        self.changed.notify_one();
    }

    /// Says how remote backends are reached.
    pub(crate) fn reach(&self, outside: Outside) {
        *self.outside.write().unwrap_or_else(PoisonError::into_inner) = outside;
        self.changed.notify_one();
    }

    fn outside(&self) -> Outside {
        self.outside.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn locals(&self) -> BTreeMap<Key, Arc<Entry>> {
        self.local.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Who serves what now.
    pub(crate) fn routes(&self) -> Arc<Routes> {
        self.routes.load_full()
    }

    /// The backend of a path below `/apis/GROUP/VERSION` or `/openapi/v3/apis/GROUP/VERSION`.
    pub(crate) fn route(&self, path: &str) -> Option<Arc<Entry>> {
        let path = path.trim_start_matches('/');
        let rest = path.strip_prefix("openapi/v3/").unwrap_or(path).strip_prefix("apis/")?;
        let mut segments = rest.split('/');
        let key = (segments.next()?.to_owned(), segments.next()?.to_owned());
        self.routes.load().entries.get(&key).cloned()
    }
}

#[cfg(test)]
mod tests;
