//! The server: what its parts share, and the way of a request through them.
//!
//! ```text
//! Peer, Request -> authenticated -> authorized -> Call -> endpoint -> answer
//! ```

use std::sync::Arc;
use std::time::SystemTime;

use api::kinds::{Registry, Resolved, Verb};
use api::meta::Time;
use api::status::Status;
use arc_swap::ArcSwap;
use bytes::{Bytes, BytesMut};
use futures::future::BoxFuture;
use http::{Request, Response, StatusCode, header};
use http_body::Body as _;
use http_body_util::BodyExt;
use schema::decode::Shape;

use crate::admission;
use crate::allocation::{Allocation, Ranges};
use crate::authn::{Authenticator, Peer, User};
use crate::authz::{self, Authorizer};
use crate::cache::WatchCache;
use crate::endpoint::{self, Call};
use crate::negotiate;
use crate::request::{Query, RequestInfo, ResourceInfo};
use crate::respond::{self, Body, Outcome};
use crate::storage::Storage;
use crate::{discovery, health, openapi};

/// The largest request body, as in Kubernetes.
const BODY_MAX: usize = 3 * 1024 * 1024;

/// Time and randomness, as arguments.
#[derive(Clone, Copy)]
pub struct Environment {
    /// The current time.
    pub now: fn() -> SystemTime,
    /// Fills a buffer with randomness fit for identifiers.
    pub random: fn(&mut [u8]),
}

/// What an API server is made of.
pub struct Parts {
    /// The table of kinds to begin with.
    pub kinds: Registry,
    /// Where objects are stored.
    pub storage: Storage,
    /// The watch cache over the same store.
    pub cache: Arc<WatchCache>,
    /// Who callers are.
    pub authenticator: Authenticator,
    /// What they may do.
    pub authorizer: Box<dyn Authorizer>,
    /// What else may change or refuse their requests.
    pub admission: admission::Chain,
    /// The addresses and ports that Services get.
    pub ranges: Ranges,
    /// Time and randomness.
    pub environment: Environment,
    /// `host:port` at which clients reach the server.
    pub address: String,
    /// The version to report.
    pub version: Version,
}

/// What `GET /version` says.
#[derive(Debug, Clone)]
pub struct Version {
    /// The Kubernetes version whose API is served, such as `v1.36.2`.
    pub kubernetes: String,
    /// Our own version and commit.
    pub coracle: String,
}

pub(crate) struct Shared {
    kinds: ArcSwap<Registry>,
    pub(crate) storage: Storage,
    pub(crate) cache: Arc<WatchCache>,
    authenticator: Authenticator,
    authorizer: Box<dyn Authorizer>,
    pub(crate) admission: admission::Chain,
    pub(crate) allocation: Allocation,
    environment: Environment,
    pub(crate) address: String,
    pub(crate) version: Version,
}

/// The API server; cloning shares it.
#[derive(Clone)]
pub struct ApiServer {
    shared: Arc<Shared>,
}

impl Environment {
    /// A random UUID (RFC 9562 version 4).
    pub(crate) fn uid(&self) -> String {
        let mut bytes = [0; 16];
        (self.random)(&mut bytes);
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
    }
}

impl Shared {
    pub(crate) fn now(&self) -> Time {
        (self.environment.now)().into()
    }

    pub(crate) fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        (self.environment.random)(&mut bytes);
        bytes
    }

    pub(crate) fn uid(&self) -> String {
        self.environment.uid()
    }

    pub(crate) fn kinds(&self) -> Arc<Registry> {
        self.kinds.load_full()
    }

    /// What bodies of this resource and version are decoded as.
    #[expect(clippy::unused_self, reason = "schemas of custom resources will live in self")]
    pub(crate) fn shape(&self, target: &Resolved) -> Shape<'static> {
        schema::builtin().definition(&target.version().definition).map_or(Shape::Custom, Shape::Typed)
    }
}

impl ApiServer {
    /// A server of these parts.
    pub fn new(parts: Parts) -> Self {
        let Parts {
            kinds,
            storage,
            cache,
            authenticator,
            authorizer,
            admission,
            ranges,
            environment,
            address,
            version,
        } = parts;
        let allocation = Allocation::new(storage.clone(), Arc::clone(&cache), environment, ranges);
        let kinds = ArcSwap::from_pointee(kinds);
        let shared = Shared {
            kinds,
            storage,
            cache,
            authenticator,
            authorizer,
            admission,
            allocation,
            environment,
            address,
            version,
        };
        Self { shared: Arc::new(shared) }
    }

    /// Answers one request of a peer.
    pub fn handle(&self, peer: &Peer, request: Request<Body>) -> BoxFuture<'static, Response<Body>> {
        let (server, peer) = (self.clone(), peer.clone());
        Box::pin(async move {
            server.answer(peer, request).await.unwrap_or_else(|status| respond::status(&status))
        })
    }

    async fn answer(self, peer: Peer, request: Request<Body>) -> Outcome {
        let (parts, body) = request.into_parts();
        let query = Query::parse(parts.uri.query().unwrap_or_default())
            .map_err(|error| Status::bad_request(error.to_string()))?;
        let info = RequestInfo::of(&parts.method, parts.uri.path(), &query);
        if health::is_public(&info) {
            return Ok(health::answer(&self.shared, &info, parts.uri.query()));
        }
        let authenticated = self.shared.authenticator.authenticate(&peer, &parts.headers).await?;
        let user = authenticated.ok_or_else(Status::unauthorized)?;
        authz::require(&*self.shared.authorizer, &user, &authz::Action::of(&info, &query))?;
        match &info.resource {
            Some(resource) => {
                let resource = resource.clone();
                self.resource(user, info.verb, resource, query, parts.headers, body).await
            }
            None => self.document(&info, &parts.headers),
        }
    }

    async fn resource(
        self,
        user: Arc<User>,
        verb: &'static str,
        resource: ResourceInfo,
        query: Query,
        headers: http::HeaderMap,
        body: Body,
    ) -> Outcome {
        let kinds = self.shared.kinds();
        let target = kinds
            .resource(&resource.group, &resource.version, &resource.resource)
            .ok_or_else(Status::path_not_found)?;
        check_path(&target, &resource, verb)?;
        let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        // Reviews are answered, not kept: they have no table form.
        let convertible = target.resource.verbs.contains(Verb::Get);
        let accepted = negotiate::accept(accept, convertible)?;
        let body = read_body(body).await?;
        let call = Call { shared: self.shared, user, info: resource, query, target, accepted, headers, body };
        dispatch(verb, call).await
    }

    /// Answers a path that names no resource.
    fn document(&self, info: &RequestInfo, headers: &http::HeaderMap) -> Outcome {
        let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let kinds = self.shared.kinds();
        if let Some(document) = openapi::answer(&kinds, &self.shared.version.kubernetes, &info.path, headers)
        {
            return Ok(document);
        }
        let segments: Vec<&str> = info.path.trim_matches('/').split('/').collect();
        let found = match segments.as_slice() {
            ["api" | "apis"] if discovery::wants_aggregated(accept) => {
                let document = discovery::aggregated(&kinds, segments == ["api"]);
                let body = respond::full(document.to_string());
                return Ok(respond::answer(StatusCode::OK, discovery::AGGREGATED, body));
            }
            ["api"] => Some(discovery::core_versions(&self.shared.address)),
            ["apis"] => Some(discovery::groups(&kinds)),
            ["api", version] => discovery::resources(&kinds, "", version),
            ["apis", group] => discovery::group(&kinds, group),
            ["apis", group, version] => discovery::resources(&kinds, group, version),
            _ => None,
        };
        found.map(|document| respond::value(&document)).ok_or_else(Status::path_not_found)
    }
}

/// Refuses paths that do not fit the scope, and verbs that the resource does not have.
fn check_path(target: &Resolved, info: &ResourceInfo, verb: &str) -> Result<(), Status> {
    let row = &target.resource;
    let own_namespace = row.kind == "Namespace" && row.group.is_empty();
    if !row.namespaced() && !info.namespace.is_empty() && !own_namespace {
        return Err(Status::path_not_found());
    }
    let verbs = match info.subresource.as_str() {
        "" => row.verbs,
        name => row.subresource(name).ok_or_else(Status::path_not_found)?.verbs,
    };
    let verb = Verb::parse(verb).ok_or_else(Status::method_not_allowed)?;
    let needs_namespace = row.namespaced() && info.namespace.is_empty();
    let allowed = verbs.contains(verb) && !(needs_namespace && !matches!(verb, Verb::List | Verb::Watch));
    if allowed { Ok(()) } else { Err(Status::method_not_allowed()) }
}

/// The whole body, in one piece where the client sent it in one.
async fn read_body(mut body: Body) -> Result<Bytes, Status> {
    let mut read = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let unreadable =
            |error| Status::bad_request(format!("the body of the request could not be read: {error}"));
        let Ok(data) = frame.map_err(unreadable)?.into_data() else { continue };
        if read.len() + data.len() > BODY_MAX {
            return Err(Status::request_entity_too_large(format!("limit is {BODY_MAX}")));
        }
        if read.is_empty() && body.is_end_stream() {
            return Ok(data);
        }
        read.extend_from_slice(&data);
    }
    Ok(read.freeze())
}

async fn dispatch(verb: &str, call: Call) -> Outcome {
    match (call.info.subresource.as_str(), verb) {
        ("", "create") => endpoint::create::create(&call).await,
        ("", "list") => endpoint::list::list(&call).await,
        ("", "watch") => endpoint::watch::watch(&call).await,
        ("", "delete") => endpoint::delete::delete(&call).await,
        ("", "deletecollection") => endpoint::delete::delete_collection(&call).await,
        ("" | "status", "get") => endpoint::read::get(&call).await,
        ("" | "status", "update") => endpoint::update::update(&call).await,
        ("" | "status", "patch") => endpoint::patch::patch(&call).await,
        ("scale", "get") => endpoint::scale::get(&call).await,
        ("scale", "update") => endpoint::scale::update(&call).await,
        ("scale", "patch") => endpoint::scale::patch(&call).await,
        ("binding", "create") => endpoint::binding::bind(&call).await,
        ("eviction", "create") => endpoint::eviction::evict(&call).await,
        ("finalize", "update") => endpoint::finalize::update(&call).await,
        (subresource, _) => Err(not_here(&call, subresource, verb)),
    }
}

/// A subresource that is in the table and not served by this version.
fn not_here(call: &Call, subresource: &str, verb: &str) -> Status {
    let resource = &call.info.resource;
    let what = if subresource.is_empty() { resource.clone() } else { format!("{resource}/{subresource}") };
    let message = format!("{verb} of {what} is not served by this version of Coracle");
    Status::failure(501, api::status::Reason::MethodNotAllowed, message)
}
