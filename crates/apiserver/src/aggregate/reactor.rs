//! Keeps an APIService for every group version of ours, and a checked backend for every one that is not.
//!
//! ```text
//! kinds served ──> automanaged objects (made, removed)
//! objects ──> Routes, and one task per backend: check, fetch documents, write the Available condition
//! ```

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use api::meta;
use bytes::{Bytes, BytesMut};
use futures::FutureExt;
use http::Request;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::remote::{ReachError, Remote};
use super::{Backend, Entry, Key, Known, PREFIX, Routes, UNAVAILABLE};
use crate::authn::{MASTERS, User};
use crate::cache::shard::Objects;
use crate::respond::{self, Body, full};
use crate::server::Shared;
use crate::storage::{Place, StorageError, Written};

const AUTOMANAGED: &str = "kube-aggregator.kubernetes.io/automanaged";
/// How long a check may take, and how often one is made of a backend that is well, and of one that is not.
const CHECK_MAX: Duration = Duration::from_secs(5);
const EVERY: Duration = Duration::from_secs(30);
const EVERY_WHILE_DOWN: Duration = Duration::from_secs(5);
/// The largest document that is taken from a backend.
const DOCUMENT_MAX: usize = 16 * 1024 * 1024;
const TRIES: usize = 4;

/// A task that looks after one backend, and what it was started for.
struct Watch {
    about: String,
    entry: Arc<Entry>,
    task: JoinHandle<()>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Runs until the cache ends.
pub(crate) async fn run(shared: Arc<Shared>) {
    shared.definitions.ready().await;
    let shard = shared.cache.shard(PREFIX);
    let mut waker = shard.waker();
    let mut definitions = shared.definitions.subscribe();
    let mut watches: HashMap<Key, Watch> = HashMap::new();
    loop {
        waker.borrow_and_update();
        definitions.borrow_and_update();
        let (objects, _) = shard.snapshot();
        let services = parse(&objects);
        if let Err(error) = manage(&shared, &services).await {
            tracing::error!(error = &error as &dyn std::error::Error, "APIServices cannot be written");
        }
        route(&shared, &services, &mut watches);
        tokio::select! {
            woken = waker.changed() => if woken.is_err() { return },
            woken = definitions.changed() => if woken.is_err() { return },
            () = shared.aggregate.changed.notified() => {}
        }
    }
}

fn parse(objects: &Objects) -> BTreeMap<String, Value> {
    let read = |object: &Value| (meta::name(object).to_owned(), object.clone());
    let parsed = objects.values().filter_map(|o| serde_json::from_slice::<Value>(o.versioned.json()).ok());
    parsed.map(|object| read(&object)).collect()
}

fn key_of(service: &Value) -> Key {
    (meta::text(service, "spec.group").to_owned(), meta::text(service, "spec.version").to_owned())
}

/// Makes and removes the objects of our own group versions.
async fn manage(shared: &Shared, services: &BTreeMap<String, Value>) -> Result<(), StorageError> {
    let wanted = wanted(shared);
    for (name, spec) in &wanted {
        if !services.contains_key(name) {
            let object = automanaged(shared, name, spec);
            if let Some(map) = object.as_object() {
                shared.storage.create(Place { prefix: PREFIX, key: name }, map).await?;
            }
        }
    }
    let wanted: BTreeSet<&String> = wanted.iter().map(|(name, _)| name).collect();
    for (name, service) in services {
        let ours = meta::label(service, AUTOMANAGED).is_some() && service.pointer("/spec/service").is_none();
        if ours && !wanted.contains(name) {
            let place = Place { prefix: PREFIX, key: name };
            if let Some(current) = shared.storage.read(place).await? {
                shared.storage.delete(place, &current).await?;
            }
        }
    }
    Ok(())
}

/// The names and specs of the APIServices of all group versions that we serve.
fn wanted(shared: &Shared) -> Vec<(String, Value)> {
    let snapshot = shared.kinds();
    let mut wanted = Vec::new();
    for group in snapshot.kinds.groups() {
        let count = group.versions.len();
        for (index, version) in group.versions.iter().enumerate() {
            let spec = json!({"group": group.name, "version": version, "groupPriorityMinimum": group.priority,
                "versionPriority": if count == 1 { 15 } else { 15 + count - 1 - index }});
            wanted.push((format!("{version}.{}", group.name), spec));
        }
    }
    for (group, version) in shared.aggregate.locals().into_keys() {
        let spec =
            json!({"group": group, "version": version, "groupPriorityMinimum": 2000, "versionPriority": 15});
        wanted.push((format!("{version}.{group}"), spec));
    }
    wanted
}

fn automanaged(shared: &Shared, name: &str, spec: &Value) -> Value {
    let group = meta::text(spec, "group");
    let custom =
        shared.catalog.builtin().group(group).is_none() && shared.kinds().kinds.group(group).is_some();
    let now = shared.now();
    let condition = json!({"type": "Available", "status": "True", "reason": "Local",
        "message": "Local APIServices are always available", "lastTransitionTime": now.to_string()});
    let mut object = json!({
        "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
        "metadata": {"name": name, "uid": shared.uid(), "creationTimestamp": now.to_string(),
            "labels": {AUTOMANAGED: if custom { "true" } else { "onstart" }}},
        "spec": spec, "status": {"conditions": [condition]},
    });
    if group.is_empty()
        && let Some(spec) = object["spec"].as_object_mut()
    {
        spec.remove("group");
    }
    object
}

/// Publishes who serves what, starting and ending the tasks of backends.
fn route(shared: &Arc<Shared>, services: &BTreeMap<String, Value>, watches: &mut HashMap<Key, Watch>) {
    let mut routes = Routes::default();
    let mut alive = BTreeSet::new();
    for (key, entry) in shared.aggregate.locals() {
        let start = || tokio::spawn(follow_local(key.clone(), Arc::clone(&entry)));
        let watch = watches.entry(key.clone());
        watch.or_insert_with(|| Watch { about: String::new(), entry: Arc::clone(&entry), task: start() });
        alive.insert(key.clone());
        routes.entries.insert(key, entry);
    }
    for (name, service) in services {
        let spec = service.get("spec").unwrap_or(&Value::Null);
        let key = key_of(service);
        let number = |field| spec.get(field).and_then(Value::as_i64).unwrap_or(0);
        routes.priorities.insert(key.clone(), (number("groupPriorityMinimum"), number("versionPriority")));
        if spec.get("service").is_none_or(|service| !service.is_object()) || routes.entries.contains_key(&key)
        {
            continue;
        }
        let about = format!("{} {spec}", meta::uid(service));
        if watches.get(&key).is_none_or(|watch| watch.about != about) {
            watches.insert(key.clone(), watch(shared, &key, name, spec, about));
        }
        if let Some(watch) = watches.get(&key) {
            routes.entries.insert(key.clone(), Arc::clone(&watch.entry));
        }
        alive.insert(key);
    }
    watches.retain(|key, _| alive.contains(key));
    shared.aggregate.routes.store(Arc::new(routes));
}

fn watch(shared: &Arc<Shared>, key: &Key, name: &str, spec: &Value, about: String) -> Watch {
    let outside = shared.aggregate.outside();
    let (shared, key, name) = (Arc::clone(shared), key.clone(), name.to_owned());
    match Remote::new(spec, outside.resolver, outside.identity.as_ref()) {
        Ok(remote) => {
            let remote = Arc::new(remote);
            let entry = Entry::new(Arc::new(Arc::clone(&remote)), false);
            let task = tokio::spawn(follow_remote(shared, key, name, remote, Arc::clone(&entry)));
            Watch { about, entry, task }
        }
        Err(error) => {
            let entry = Entry::new(Arc::new(refuse), false);
            let failed = Err(("FailedDiscoveryCheck", error.to_string()));
            let task = tokio::spawn(async move { tell(&shared, &name, &failed).await });
            Watch { about, entry, task }
        }
    }
}

/// The backend of an APIService that cannot be reached in any way.
fn refuse(_: Arc<User>, _: Request<Body>) -> futures::future::BoxFuture<'static, http::Response<Body>> {
    let status = api::status::Status::service_unavailable(UNAVAILABLE);
    async move { respond::status(&status) }.boxed()
}

/// Whether a backend is available, or the reason and message why not.
type Health = Result<(), (&'static str, String)>;

async fn follow_remote(shared: Arc<Shared>, key: Key, name: String, remote: Arc<Remote>, entry: Arc<Entry>) {
    loop {
        let checked = tokio::time::timeout(CHECK_MAX, check(&key, &remote)).await;
        let checked = checked.unwrap_or_else(|_| {
            Err(("FailedDiscoveryCheck", "no response to the discovery check in time".to_owned()))
        });
        let health = match checked {
            Ok(known) => {
                entry.known.store(Arc::new(known));
                Ok(())
            }
            Err(why) => {
                let known = Known { available: false, ..Known::clone(&entry.known.load()) };
                entry.known.store(Arc::new(known));
                Err(why)
            }
        };
        tell(&shared, &name, &health).await;
        tokio::time::sleep(if health.is_ok() { EVERY } else { EVERY_WHILE_DOWN }).await;
    }
}

/// Fetches the documents of a backend in this process again and again.
async fn follow_local(key: Key, entry: Arc<Entry>) {
    loop {
        let resources = fetch(Arc::clone(&entry.backend), format!("/apis/{}/{}", key.0, key.1)).await;
        let index = fetch(Arc::clone(&entry.backend), "/openapi/v3".to_owned()).await;
        entry.known.store(Arc::new(known(&key, resources, index.as_ref())));
        tokio::time::sleep(EVERY).await;
    }
}

fn system_user() -> Arc<User> {
    Arc::new(User::new("system:kube-aggregator", &[MASTERS]))
}

fn get(path: &str) -> Request<Body> {
    let mut request = Request::new(full(""));
    *request.uri_mut() = path.parse().unwrap_or_default();
    request.headers_mut().insert(http::header::ACCEPT, http::HeaderValue::from_static("application/json"));
    request
}

/// A document of a backend, if it gives one.
async fn fetch(backend: Arc<dyn Backend>, path: String) -> Option<Value> {
    let response = backend.handle(system_user(), get(&path)).await;
    if !response.status().is_success() {
        return None;
    }
    serde_json::from_slice(&read(response.into_body()).await?).ok()
}

/// A whole body, if it is not too large.
async fn read(mut body: Body) -> Option<Bytes> {
    let mut read = BytesMut::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.ok()?.into_data() {
            read.extend_from_slice(&data);
        }
        if read.len() > DOCUMENT_MAX {
            return None;
        }
    }
    Some(read.freeze())
}

/// One check of a remote backend: its discovery must answer.
async fn check(key: &Key, remote: &Arc<Remote>) -> Result<Known, (&'static str, String)> {
    let path = format!("/apis/{}/{}", key.0, key.1);
    let failed =
        |why: String| ("FailedDiscoveryCheck", format!("failing or missing response from {path}: {why}"));
    let response = remote.send(&system_user(), get(&path)).await.map_err(|error| match error {
        ReachError::Unresolved(why) => (why.reason(), why.to_string()),
        other => failed(other.to_string()),
    })?;
    let code = response.status();
    if !code.is_success() {
        return Err(failed(format!("bad status: {code}")));
    }
    let body = read(response.into_body()).await.unwrap_or_default();
    let resources: Value = serde_json::from_slice(&body).map_err(|error| failed(error.to_string()))?;
    let backend: Arc<dyn Backend> = Arc::new(Arc::clone(remote));
    let index = fetch(backend, "/openapi/v3".to_owned()).await;
    Ok(known(key, Some(resources), index.as_ref()))
}

fn known(key: &Key, resources: Option<Value>, index: Option<&Value>) -> Known {
    let pointer = format!("/paths/apis~1{}~1{}/serverRelativeURL", key.0, key.1);
    let url = index.and_then(|index| index.pointer(&pointer)).and_then(Value::as_str);
    let hash = url.map(|url| url.split_once("hash=").map_or("", |(_, hash)| hash).to_owned());
    Known { available: true, resources: resources.map(Arc::new), openapi_hash: hash }
}

/// Writes the Available condition, if it says something new.
async fn tell(shared: &Shared, name: &str, health: &Health) {
    let (word, reason, message) = match health {
        Ok(()) => ("True", "Passed", "all checks passed"),
        Err((reason, message)) => ("False", *reason, message.as_str()),
    };
    let place = Place { prefix: PREFIX, key: name };
    for _ in 0..TRIES {
        let Ok(Some(current)) = shared.storage.read(place).await else { return };
        let mut object = current.object.clone();
        let before = object.pointer("/status/conditions/0").cloned().unwrap_or_default();
        if before["status"] == word && before["reason"] == reason && before["message"] == message {
            return;
        }
        let since = if before["status"] == word {
            before["lastTransitionTime"].clone()
        } else {
            json!(shared.now().to_string())
        };
        object["status"] = json!({"conditions": [{"type": "Available", "status": word, "reason": reason,
            "message": message, "lastTransitionTime": since}]});
        let Some(map) = object.as_object() else { return };
        if !matches!(shared.storage.replace(place, map, current.revision).await, Ok(Written::Raced(_))) {
            return;
        }
    }
}
