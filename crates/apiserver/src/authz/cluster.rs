//! A cluster in memory, for tests: a whole API server over given objects, at a fixed time.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime};

use api::kinds::Registry;
use api::meta;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Request;
use http_body_util::BodyExt;
use serde::Deserialize;
use serde_json::Value;

use super::node::Node;
use super::rbac::Rbac;
use super::{Authorizer, Chain, Masters};
use crate::admission::{self, escalation::Escalation, serviceaccount::ServiceAccount};
use crate::authn::tokens::ServiceAccountTokens;
use crate::authn::{Authenticator, Peer, User};
use crate::cache::WatchCache;
use crate::request::ResourceInfo;
use crate::respond::full;
use crate::storage::{Place, Storage, Written};
use crate::value::Plain;
use crate::{ApiServer, Environment, Parts, Version};

/// Seconds since 1970, all the time.
pub(crate) const NOW: i64 = 1_800_000_000;
/// A key for tests, P-256, used nowhere else.
pub(crate) static KEY: LazyLock<String> = LazyLock::new(|| {
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let body = STANDARD.encode(key.to_pkcs8v1().unwrap());
    format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n")
});

pub(crate) const ENVIRONMENT: Environment = Environment {
    now: || SystemTime::UNIX_EPOCH + Duration::from_secs(NOW.cast_unsigned()),
    random: |bytes| bytes.fill(7),
};

pub(crate) struct Cluster {
    server: ApiServer,
    pub(crate) cache: Arc<WatchCache>,
    pub(crate) storage: Storage,
    kinds: Registry,
}

impl Cluster {
    /// A cluster that has these objects.
    pub(crate) async fn new(objects: &[Value]) -> Self {
        let store: Arc<dyn store::Store> = Arc::new(store::Memory::new());
        let kinds = Registry::builtin();
        let cache = Arc::new(WatchCache::new(
            Arc::clone(&store),
            Arc::new(Plain),
            Arc::new(|_: &str| Vec::new()),
            crate::cache::RING,
        ));
        let storage = Storage::new(store, Arc::new(Plain));
        let server = server(&kinds, &cache, &storage);
        let cluster = Self { server, cache: Arc::clone(&cache), storage, kinds };
        for object in objects {
            cluster.put(object).await;
        }
        tokio::spawn(async move { cache.run().await });
        cluster.cache.ready().await;
        cluster
    }

    /// Stores an object as it is, in place of one of its name.
    pub(crate) async fn put(&self, object: &Value) {
        let (prefix, key) = self.place(object);
        let place = Place { prefix: &prefix, key: &key };
        let map = object.as_object().unwrap();
        let written = match self.storage.read(place).await.unwrap() {
            None => self.storage.create(place, map).await.unwrap(),
            Some(current) => self.storage.replace(place, map, current.revision).await.unwrap(),
        };
        assert!(matches!(written, Written::Done(_)), "{object}");
    }

    /// Deletes an object, and waits until the cache knows.
    pub(crate) async fn delete(&self, object: &Value) {
        let (prefix, key) = self.place(object);
        let place = Place { prefix: &prefix, key: &key };
        let current = self.storage.read(place).await.unwrap().unwrap();
        self.storage.delete(place, &current).await.unwrap();
        self.cache.catch_up().await.unwrap();
    }

    fn place(&self, object: &Value) -> (String, String) {
        let row = self.kinds.iter().find(|row| row.kind == meta::kind(object)).unwrap();
        let name = meta::name(object);
        let key =
            if row.namespaced() { format!("{}/{name}", meta::namespace(object)) } else { name.to_owned() };
        (row.storage.0.to_string(), key)
    }

    /// Sends a request and gives the code and body of the answer.
    pub(crate) async fn send(&self, sent: &Sent) -> (u16, Value) {
        let (method, path) = sent.send.split_once(' ').unwrap();
        let mut request =
            Request::builder().method(method).uri(path).header("content-type", "application/json");
        for (name, value) in &sent.headers {
            request = request.header(name, value);
        }
        let body = if sent.body.is_null() { String::new() } else { sent.body.to_string() };
        let peer = match &sent.user {
            Some(user) => Peer::Component(Arc::new(parse_user(user))),
            None => Peer::Tls(None),
        };
        let response = self.server.handle(&peer, request.body(full(body)).unwrap()).await;
        let code = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        self.cache.catch_up().await.unwrap();
        (code, serde_json::from_slice(&bytes).unwrap_or_default())
    }
}

fn server(kinds: &Registry, cache: &Arc<WatchCache>, storage: &Storage) -> ApiServer {
    let rbac = Arc::new(Rbac::new(cache));
    let node = Node::new(Arc::clone(cache));
    let authorizer: Arc<dyn Authorizer> =
        Arc::new(Chain(vec![Box::new(Masters), Box::new(node), Box::new(Arc::clone(&rbac))]));
    let plugins: Vec<Box<dyn admission::Plugin>> = vec![
        Box::new(ServiceAccount::new(Arc::clone(cache), ENVIRONMENT.random)),
        Box::new(Escalation::new(rbac, Arc::clone(&authorizer))),
    ];
    let tokens = ServiceAccountTokens::new(&KEY, Arc::clone(cache), ENVIRONMENT).unwrap();
    ApiServer::new(Parts {
        kinds: crate::custom::Catalog::new(kinds.clone()),
        ranges: crate::allocation::Ranges::default(),
        storage: storage.clone(),
        cache: Arc::clone(cache),
        authenticator: Authenticator::new(Arc::new(tokens)),
        authorizer: Box::new(authorizer),
        admission: admission::Chain::new(plugins),
        environment: ENVIRONMENT,
        address: "127.0.0.1:6443".into(),
        version: Version { kubernetes: "v1.36.2".into(), coracle: "test".into() },
    })
}

/// A request as test data has it.
#[derive(Debug, Deserialize)]
pub(crate) struct Sent {
    /// `USER[,GROUP…]`; absent for a request without a peer's identity.
    #[serde(rename = "as")]
    pub(crate) user: Option<String>,
    /// `METHOD PATH`.
    pub(crate) send: String,
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) body: Value,
}

/// `USER[,GROUP…]`.
pub(crate) fn parse_user(text: &str) -> User {
    let mut words = text.split(',');
    let name = words.next().unwrap().to_owned();
    User { name, groups: words.map(str::to_owned).collect(), ..User::default() }
}

/// A question to an authorizer: `USER[,GROUP…] VERB RESOURCE [in NAMESPACE] [named NAME] [where SELECTOR]`,
/// RESOURCE being `GROUP/PLURAL[/SUBRESOURCE]` with `core` for the core group, or `path PATH`.
pub(crate) struct Question {
    pub(crate) user: User,
    verb: String,
    path: String,
    selector: String,
    resource: Option<ResourceInfo>,
}

impl Question {
    pub(crate) fn parse(text: &str) -> Self {
        let words: Vec<&str> = text.split(' ').collect();
        let after =
            |word: &str| words.iter().position(|w| *w == word).map_or("", |at| words[at + 1]).to_owned();
        let parts: Vec<&str> = words[2].splitn(3, '/').collect();
        let resource = (words[2] != "path").then(|| ResourceInfo {
            group: parts[0].replace("core", ""),
            resource: parts[1].to_owned(),
            subresource: parts.get(2).copied().unwrap_or_default().to_owned(),
            namespace: after("in"),
            name: after("named"),
            ..ResourceInfo::default()
        });
        let (path, selector) = (after("path"), after("where"));
        Self { user: parse_user(words[0]), verb: words[1].to_owned(), path, selector, resource }
    }

    pub(crate) fn action(&self) -> super::Action<'_> {
        let (verb, path, resource) = (&self.verb, &self.path, self.resource.as_ref());
        super::Action { verb, path, resource, field_selector: &self.selector }
    }
}

/// Whether everything in `part` is in `whole`; lists must be equal in length.
pub(crate) fn contains(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            part.iter().all(|(key, value)| contains(whole.get(key).unwrap_or(&Value::Null), value))
        }
        (Value::Array(whole), Value::Array(part)) => {
            whole.len() == part.len() && whole.iter().zip(part).all(|(whole, part)| contains(whole, part))
        }
        _ => whole == part,
    }
}
