//! Follows the definitions in the watch cache: settles their names, serves their kinds, cleans up after them.
//!
//! ```text
//! definitions change ─> statuses right? ─ no ─> write them, wait for the change to come back
//!                            └ yes ─> publish one snapshot ─> progress; start the clean-up of deleted ones
//! ```
//!
//! A request that writes a definition is answered after its state is served ([`settle`]), so that a
//! client may use the kind at once.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use api::meta;
use futures::future::BoxFuture;
use http::{Method, Request};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::definition::FINALIZER;
use super::{Custom, PREFIX, names};
use crate::ApiServer;
use crate::authn::{MASTERS, Peer, User};
use crate::cache::shard::{Object, Objects};
use crate::respond::full;
use crate::server::Shared;
use crate::storage::{Place, StorageError};

/// How long a request waits for its definition to be served.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long to wait after a failure of the store, and between looks at objects that do not go.
const RETRY: Duration = Duration::from_secs(1);

/// The last revision of definitions that is served; `None` while no reactor runs.
pub(crate) struct Progress(watch::Sender<Option<u64>>);

impl Default for Progress {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl Progress {
    /// Waits until all definitions found at the start are served.
    pub(crate) async fn ready(&self) {
        let mut served = self.0.subscribe();
        // The sender lives in self, so the wait cannot fail.
        let _ = served.wait_for(Option::is_some).await;
    }

    /// Changes whenever other kinds may be served.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Option<u64>> {
        self.0.subscribe()
    }

    /// Whether all definitions found at the start are served.
    pub(crate) fn is_ready(&self) -> bool {
        self.0.borrow().is_some()
    }
}

/// One definition as read.
#[derive(Clone)]
struct Definition {
    object: Arc<Object>,
    value: Arc<Value>,
}

/// What became of a look at all definitions.
enum Look {
    /// Statuses were written: there will be another look.
    Wrote,
    /// All is as it should be, and served.
    Settled,
}

struct Reactor {
    shared: Arc<Shared>,
    read: HashMap<Arc<str>, Definition>,
    cleaning: HashMap<String, tokio::task::JoinHandle<()>>,
}

/// Waits until the definitions that are stored by now are served.
pub(crate) async fn settle(shared: &Shared) {
    if !shared.definitions.is_ready() || shared.cache.catch_up().await.is_err() {
        return;
    }
    let (_, changed) = shared.cache.shard(PREFIX).snapshot();
    let mut done = shared.definitions.0.subscribe();
    let served = done.wait_for(|served| served.is_some_and(|served| served >= changed));
    if tokio::time::timeout(PATIENCE, served).await.is_err() {
        tracing::warn!("a definition was written and is not served yet");
    }
}

/// Runs until the cache ends.
pub(crate) async fn run(shared: Arc<Shared>) {
    shared.cache.ready().await;
    let shard = shared.cache.shard(PREFIX);
    let mut waker = shard.waker();
    let mut reactor = Reactor { shared: Arc::clone(&shared), read: HashMap::new(), cleaning: HashMap::new() };
    loop {
        waker.borrow_and_update();
        let (objects, changed) = shard.snapshot();
        match reactor.look(&objects).await {
            Ok(Look::Settled) => drop(shared.definitions.0.send_replace(Some(changed))),
            Ok(Look::Wrote) => {}
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "definitions cannot be written");
                tokio::time::sleep(RETRY).await;
                continue;
            }
        }
        if waker.changed().await.is_err() {
            return;
        }
    }
}

impl Reactor {
    async fn look(&mut self, objects: &Objects) -> Result<Look, StorageError> {
        let mut definitions = self.definitions(objects);
        let mut wrote = false;
        for index in 0..definitions.len() {
            let all: Vec<Arc<Value>> = definitions.iter().map(|d| Arc::clone(&d.value)).collect();
            let definition = &definitions[index];
            let status = self.status(&definition.value, &all);
            if definition.value.get("status") == Some(&status) {
                continue;
            }
            let mut value = (*definition.value).clone();
            value["status"] = status;
            self.write(&definition.object, &value).await?;
            definitions[index].value = Arc::new(value);
            wrote = true;
        }
        if wrote {
            return Ok(Look::Wrote);
        }
        self.publish(&definitions);
        self.clean(&definitions);
        Ok(Look::Settled)
    }

    /// All definitions, the oldest first: who comes first keeps a name.
    fn definitions(&mut self, objects: &Objects) -> Vec<Definition> {
        let mut read = HashMap::with_capacity(objects.len());
        for (key, object) in objects {
            let known = self.read.remove(key).filter(|known| known.object.revision == object.revision);
            let definition = known.or_else(|| {
                let value = serde_json::from_slice(object.versioned.json()).ok()?;
                Some(Definition { object: Arc::clone(object), value: Arc::new(value) })
            });
            if let Some(definition) = definition {
                read.insert(Arc::clone(key), definition);
            }
        }
        let mut all: Vec<Definition> = read.values().cloned().collect();
        all.sort_by_cached_key(|d| (meta::creation_timestamp(&d.value), meta::name(&d.value).to_owned()));
        self.read = read;
        all
    }

    fn status(&self, definition: &Value, all: &[Arc<Value>]) -> Value {
        let now = self.shared.now();
        let mut status = names::status(definition, all, self.shared.catalog.builtin(), now);
        if is_leaving(definition) {
            let why = ("InstanceDeletionInProgress", "CustomResource deletion is in progress".to_owned());
            names::condition(&mut status, "Terminating", true, why, now);
        }
        status
    }

    /// Writes a definition, unless somebody else was faster: then there will be another look.
    async fn write(&self, object: &Object, value: &Value) -> Result<(), StorageError> {
        let Some(map) = value.as_object() else { return Ok(()) };
        let place = Place { prefix: PREFIX, key: &object.key };
        self.shared.storage.replace(place, map, object.revision).await.map(drop)
    }

    /// Serves all established kinds; what did not change is not compiled again.
    fn publish(&self, definitions: &[Definition]) {
        let before = self.shared.catalog.load();
        let mut customs = Vec::new();
        for definition in definitions {
            let value = &definition.value;
            if !value.get("status").is_some_and(|status| names::is_true(status, "Established")) {
                continue;
            }
            let identity = super::Identity::of(value);
            let known = before.customs().find(|custom| custom.identity == identity).cloned();
            match known.map_or_else(|| Custom::compile(value).map(Arc::new), Ok) {
                Ok(custom) => customs.push(custom),
                Err(error) => {
                    let name = meta::name(value);
                    tracing::error!(
                        name,
                        error = &error as &dyn std::error::Error,
                        "a definition is not served"
                    );
                }
            }
        }
        let reindex: Vec<String> = customs
            .iter()
            .filter(|custom| {
                let old = before.custom(&custom.row.group, &custom.row.plural);
                old.is_none_or(|old| old.row.selectable != custom.row.selectable)
            })
            .map(|custom| custom.row.storage.0.to_string())
            .collect();
        self.shared.catalog.publish(customs);
        reindex.iter().for_each(|prefix| self.shared.cache.reindex(prefix));
    }

    /// Starts the deletion of all objects of the definitions that are being deleted.
    fn clean(&mut self, definitions: &[Definition]) {
        self.cleaning.retain(|_, task| !task.is_finished());
        for definition in definitions.iter().filter(|definition| is_leaving(&definition.value)) {
            let uid = meta::uid(&definition.value).to_owned();
            let (shared, value) = (Arc::clone(&self.shared), Arc::clone(&definition.value));
            self.cleaning.entry(uid).or_insert_with(|| tokio::spawn(clean(shared, value)));
        }
    }
}

/// Whether a definition waits for its objects to go.
fn is_leaving(definition: &Value) -> bool {
    meta::deletion_timestamp(definition).is_some() && meta::finalizers(definition).any(|f| f == FINALIZER)
}

/// Deletes all objects of a definition, waits until they are gone, and lets the definition go.
fn clean(shared: Arc<Shared>, definition: Arc<Value>) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        let (group, plural) =
            (meta::text(&definition, "spec.group"), meta::text(&definition, "spec.names.plural"));
        let shard = shared.cache.shard(&format!("{group}/{plural}"));
        let mut waker = shard.waker();
        loop {
            waker.borrow_and_update();
            let current = shared.cache.catch_up().await.is_ok();
            let (objects, _) = shard.snapshot();
            if current && objects.is_empty() && release(&shared, &definition).await.is_ok() {
                return;
            }
            for object in objects.values() {
                delete(&shared, group, plural, &object.key).await;
            }
            // Woken by a change, or after a while, since an error may have been in the way.
            drop(tokio::time::timeout(RETRY, waker.changed()).await);
        }
    })
}

async fn delete(shared: &Arc<Shared>, group: &str, plural: &str, key: &str) {
    let snapshot = shared.kinds();
    let Some(row) = snapshot.kinds.get(group, plural) else { return };
    // The stored version needs no conversion.
    let stored = row.versions.iter().find(|version| version.served && version.storage);
    let Some(version) = stored.or_else(|| row.versions.iter().find(|version| version.served)) else {
        let place = Place { prefix: &row.storage.0, key };
        if let Ok(Some(current)) = shared.storage.read(place).await {
            drop(shared.storage.delete(place, &current).await);
        }
        return;
    };
    let path = match key.split_once('/') {
        Some((namespace, name)) => format!("namespaces/{namespace}/{plural}/{name}"),
        None => format!("{plural}/{key}"),
    };
    let request = Request::builder()
        .method(Method::DELETE)
        .uri(format!("/apis/{group}/{}/{path}", version.name))
        .body(full(""));
    let Ok(request) = request else { return };
    let peer = Peer::Component(Arc::new(User::new("system:apiserver", &[MASTERS])));
    let response = ApiServer::of(Arc::clone(shared)).handle(&peer, request).await;
    if !response.status().is_success() && response.status() != http::StatusCode::NOT_FOUND {
        tracing::warn!(group, plural, key, code = response.status().as_u16(), "an object cannot be deleted");
    }
}

/// Removes the finalizer; the definition goes with it if it was the last one.
async fn release(shared: &Shared, definition: &Value) -> Result<(), StorageError> {
    let place = Place { prefix: PREFIX, key: meta::name(definition) };
    let Some(current) = shared.storage.read(place).await? else { return Ok(()) };
    if meta::uid(&current.object) != meta::uid(definition) {
        return Ok(());
    }
    let mut object = current.object.clone();
    meta::remove_finalizer(&mut object, FINALIZER);
    let mut status = object.get("status").cloned().unwrap_or_else(|| json!({}));
    let why = ("InstanceDeletionCompleted", "removed all instances".to_owned());
    names::condition(&mut status, "Terminating", false, why, shared.now());
    object["status"] = status;
    if meta::finalizers(&object).next().is_none() {
        return shared.storage.delete(place, &current).await.map(drop);
    }
    let Some(map) = object.as_object() else { return Ok(()) };
    shared.storage.replace(place, map, current.revision).await.map(drop)
}
