//! The server: what its parts share, and the way of a request through them.
//!
//! ```text
//! Peer, Request -> authenticated -> authorized -> Call -> endpoint -> answer
//! ```

use std::sync::Arc;
use std::time::SystemTime;

use api::kinds::{Resolved, Verb};
use api::meta::Time;
use api::status::Status;
use bytes::{Bytes, BytesMut};
use futures::future::BoxFuture;
use http::{Request, Response, StatusCode, header};
use http_body::Body as _;
use http_body_util::BodyExt;
use schema::decode::Shape;

use crate::admission;
use crate::aggregate::{self, Aggregate, Backend, Outside, document};
use crate::allocation::{Allocation, Ranges};
use crate::authn::impersonation::impersonate;
use crate::authn::{Authenticator, Peer, User};
use crate::authz::{self, Authorizer};
use crate::cache::WatchCache;
use crate::custom::{self, Catalog, Snapshot, reactor};
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
    /// The kinds to begin with.
    pub kinds: Catalog,
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
    pub(crate) catalog: Catalog,
    /// Backends of group versions that are not ours.
    pub(crate) aggregate: Aggregate,
    /// How far the definitions of custom kinds are served.
    pub(crate) definitions: reactor::Progress,
    pub(crate) storage: Storage,
    pub(crate) cache: Arc<WatchCache>,
    pub(crate) authenticator: Authenticator,
    pub(crate) authorizer: Box<dyn Authorizer>,
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

    /// What is served now.
    pub(crate) fn kinds(&self) -> Arc<Snapshot> {
        self.catalog.load()
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
        let shared = Shared {
            catalog: kinds,
            aggregate: Aggregate::default(),
            definitions: reactor::Progress::default(),
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

    /// Serves a group version by a handler in this process; it gets an APIService like all others.
    pub fn register(&self, group: &str, version: &str, backend: Arc<dyn Backend>) {
        self.shared.aggregate.register(group, version, backend);
    }

    /// Says how the backends of APIServices with a Service are reached. To be called before [`ApiServer::run`].
    pub fn reach(&self, outside: Outside) {
        self.shared.aggregate.reach(outside);
    }

    /// Waits until the kinds of all definitions found at the start are served; [`ApiServer::run`] must run.
    pub async fn served(&self) {
        self.shared.definitions.ready().await;
    }

    /// The server of these parts.
    pub(crate) fn of(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Serves the kinds that definitions bring, for as long as the server lives. To be spawned once.
    pub async fn run(self) {
        tokio::join!(reactor::run(Arc::clone(&self.shared)), aggregate::run(self.shared));
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
        let user = impersonate(&user, &parts.headers, &*self.shared.authorizer)?;
        authz::require(&*self.shared.authorizer, &user, &authz::Action::of(&info, &query))?;
        if let Some(entry) = self.shared.aggregate.route(&info.path) {
            return entry.answer(user, Request::from_parts(parts, body)).await;
        }
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
        let snapshot = self.shared.kinds();
        let target = snapshot
            .kinds
            .resource(&resource.group, &resource.version, &resource.resource)
            .ok_or_else(Status::path_not_found)?;
        check_path(&target, &resource, verb)?;
        let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        // Reviews are answered, not kept: they have no table form.
        let convertible = target.resource.verbs.contains(Verb::Get);
        let accepted = negotiate::accept(accept, convertible)?;
        let body = read_body(body).await?;
        let custom = snapshot.custom(&resource.group, &resource.resource);
        let custom = custom.and_then(|c| Some((Arc::clone(c), Arc::clone(c.version(&resource.version)?))));
        let shared = Arc::clone(&self.shared);
        let call = Call { shared, user, info: resource, query, target, custom, accepted, headers, body };
        custom::object::check(&call, verb)?;
        let is_definition = call.prefix() == custom::PREFIX;
        let outcome = dispatch(verb, call).await?;
        if is_definition && !matches!(verb, "get" | "list" | "watch") {
            reactor::settle(&self.shared).await;
        }
        Ok(outcome)
    }

    /// Answers a path that names no resource.
    fn document(&self, info: &RequestInfo, headers: &http::HeaderMap) -> Outcome {
        let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (kinds, routes) = (self.shared.kinds(), self.shared.aggregate.routes());
        let version = &self.shared.version.kubernetes;
        if let Some(document) = openapi::answer(&kinds, &routes, version, &info.path, headers) {
            return Ok(document);
        }
        let groups = document::groups(&kinds, &routes);
        let segments: Vec<&str> = info.path.trim_matches('/').split('/').collect();
        let found = match segments.as_slice() {
            ["api" | "apis"] if discovery::wants_aggregated(accept) => {
                let document = discovery::aggregated(&kinds, &routes, &groups, segments == ["api"]);
                let body = respond::full(document.to_string());
                return Ok(respond::answer(StatusCode::OK, discovery::AGGREGATED, body));
            }
            ["api"] => Some(discovery::core_versions(&self.shared.address)),
            ["apis"] => Some(discovery::groups(&groups)),
            ["api", version] => discovery::resources(&kinds, "", version),
            ["apis", group] => discovery::group(&groups, group),
            ["apis", group, version] => discovery::resources(&kinds, group, version),
            [".well-known", "openid-configuration"] => self
                .shared
                .authenticator
                .issuer()
                .map(|issuer| issuer.openid_configuration(&self.shared.address)),
            ["openid", "v1", "jwks"] => {
                let issuer = self.shared.authenticator.issuer().ok_or_else(Status::path_not_found)?;
                let body = respond::full(issuer.jwks().to_string());
                return Ok(respond::answer(StatusCode::OK, "application/jwk-set+json", body));
            }
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
    let everywhere =
        !row.namespaced() || !info.namespace.is_empty() || matches!(verb, Verb::List | Verb::Watch);
    if verbs.contains(verb) && everywhere { Ok(()) } else { Err(Status::method_not_allowed()) }
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
        ("", "create") if endpoint::review::is_review(&call.resource().group) => {
            endpoint::review::create(&call).await
        }
        ("token", "create") => endpoint::token::create(&call).await,
        ("", "create") => endpoint::create::create(&call).await,
        ("scale", "get" | "update" | "patch") if call.custom.is_some() => {
            custom::scale::answer(&call, verb).await
        }
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
