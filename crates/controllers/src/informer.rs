//! One cache of one kind, shared by every controller of the process.
//!
//! ```text
//! watcher -> reflect(writer) -> Informer::observe(event) -> index + handlers -> work queues
//!                 \-> Store<K> (the objects; the index holds the same `Arc`s)
//! ```
//!
//! kube's own `ReflectHandle` cannot drive a controller: it announces no deletions, and it
//! finds objects only by a full scan. An informer adds both beside the same reflector without
//! a second copy of an object: the binary passes each event of its one watch to [`Informer::observe`].
//!
//! Invariants: handlers run after the index shows the change, one event at a time, in order;
//! [`Progress`] never runs backwards within one epoch.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use futures::{Stream, StreamExt};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher;
use kube::{Resource, ResourceExt};
use tokio::sync::watch;

use crate::owner;

/// The name of an object within its kind; the namespace is empty for cluster-scoped kinds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// The namespace, or empty.
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl Key {
    /// A key from its two parts.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }

    /// The key of an object.
    pub fn of(object: &impl Resource) -> Self {
        Self::of_meta(object.meta())
    }

    /// The key of an object of which only the metadata is known.
    pub fn of_meta(meta: &ObjectMeta) -> Self {
        Self::new(meta.namespace.clone().unwrap_or_default(), meta.name.clone().unwrap_or_default())
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            f.write_str(&self.name)
        } else {
            write!(f, "{}/{}", self.namespace, self.name)
        }
    }
}

/// What a kind must be to have an informer: any built-in type.
pub trait Kind: Resource<DynamicType = ()> + Clone + fmt::Debug + Send + Sync + 'static {}
impl<K: Resource<DynamicType = ()> + Clone + fmt::Debug + Send + Sync + 'static> Kind for K {}

/// How far an informer has come along the log of its kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The newest resourceVersion seen (they compare as numbers, KEP-5504).
    pub revision: u64,
    /// How many lists were begun.
    pub begun: u64,
    /// The number of the last list that was completed.
    pub completed: u64,
}

/// The part of an informer that does not depend on its kind.
pub trait Watched: Send + Sync {
    /// The plural resource name, such as `pods`.
    fn resource(&self) -> String;
    /// How far the cache has come.
    fn progress(&self) -> Progress;
    /// Whether this object, by key and uid, is still in the cache and not being deleted.
    fn holds(&self, key: &Key, uid: &str) -> bool;
    /// Becomes true with the first complete list, and stays so.
    fn synced(&self) -> watch::Receiver<bool>;
    /// Calls `hook` whenever the cache has come further, after the handlers of the change.
    fn on_progress(&self, hook: Box<dyn Fn() + Send + Sync>);
}

/// One change as a handler sees it: `old` is none for a new object, `new` for a deleted one.
#[derive(Debug)]
pub struct Change<'a, K> {
    /// The object as it was.
    pub old: Option<&'a K>,
    /// The object as it is.
    pub new: Option<&'a K>,
}

impl<K> Clone for Change<'_, K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K> Copy for Change<'_, K> {}

impl<'a, K> Change<'a, K> {
    /// The old and the new state, as far as they exist; for mappings that must wake both.
    pub fn both(&self) -> impl Iterator<Item = &'a K> + use<'a, K> {
        self.old.into_iter().chain(self.new)
    }

    /// The newest state known.
    pub fn last(&self) -> Option<&'a K> {
        self.new.or(self.old)
    }
}

type Handler<K> = Box<dyn Fn(Change<'_, K>) + Send + Sync>;
type Facet<K> = fn(&K) -> Option<String>;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum IndexKey {
    Namespace(String),
    Owner(String),
    Orphans(String),
    Facet(String),
}

struct State<K> {
    objects: HashMap<Key, Arc<K>>,
    index: HashMap<IndexKey, BTreeSet<Key>>,
    progress: Progress,
}

impl<K> Default for State<K> {
    fn default() -> Self {
        Self { objects: HashMap::new(), index: HashMap::new(), progress: Progress::default() }
    }
}

impl<K: Kind> State<K> {
    fn put(&mut self, object: Arc<K>, facet: Option<Facet<K>>) -> Option<Arc<K>> {
        let key = Key::of(&*object);
        let old = self.take(&key, facet);
        for entry in index_keys(&*object, facet) {
            self.index.entry(entry).or_default().insert(key.clone());
        }
        self.objects.insert(key, object);
        old
    }

    fn take(&mut self, key: &Key, facet: Option<Facet<K>>) -> Option<Arc<K>> {
        let old = self.objects.remove(key)?;
        for entry in index_keys(&*old, facet) {
            if let Some(keys) = self.index.get_mut(&entry) {
                keys.remove(key);
                if keys.is_empty() {
                    self.index.remove(&entry);
                }
            }
        }
        Some(old)
    }

    fn advance(&mut self, object: &K) {
        let revision = revision(object.meta());
        self.progress.revision = self.progress.revision.max(revision);
    }

    fn indexed(&self, entry: &IndexKey) -> Vec<Arc<K>> {
        let keys = self.index.get(entry).into_iter().flatten();
        keys.filter_map(|key| self.objects.get(key).cloned()).collect()
    }
}

fn index_keys<K: Kind>(object: &K, facet: Option<Facet<K>>) -> Vec<IndexKey> {
    let namespace = object.namespace().unwrap_or_default();
    let controlled = match owner::controller_of(object.meta()) {
        Some(controller) => IndexKey::Owner(controller.uid.clone()),
        None => IndexKey::Orphans(namespace.clone()),
    };
    let facet = facet.and_then(|facet| facet(object)).map(IndexKey::Facet);
    [IndexKey::Namespace(namespace), controlled].into_iter().chain(facet).collect()
}

/// The revision in an object's metadata, 0 where there is none.
pub(crate) fn revision(meta: &ObjectMeta) -> u64 {
    meta.resource_version.as_deref().and_then(|version| version.parse().ok()).unwrap_or(0)
}

struct Inner<K: Kind> {
    store: Store<K>,
    facet: Option<Facet<K>>,
    state: RwLock<State<K>>,
    /// Also serialises `observe` and `subscribe`; taken before `state`.
    handlers: Mutex<Vec<Handler<K>>>,
    synced: watch::Sender<bool>,
    hooks: Mutex<Vec<Box<dyn Fn() + Send + Sync>>>,
}

/// A shared, indexed cache of one kind that tells its subscribers of every change.
#[derive(Clone)]
pub struct Informer<K: Kind>(Arc<Inner<K>>);

impl<K: Kind> fmt::Debug for Informer<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Informer<{}>({} objects)", K::kind(&()), self.state().objects.len())
    }
}

impl<K: Kind> Informer<K> {
    /// An informer over the reader of the kind's one reflector.
    pub fn new(store: Store<K>) -> Self {
        Self::build(store, None)
    }

    /// As [`Informer::new`], with one more index: objects for which `facet` gives the same text.
    pub fn with_facet(store: Store<K>, facet: fn(&K) -> Option<String>) -> Self {
        Self::build(store, Some(facet))
    }

    fn build(store: Store<K>, facet: Option<Facet<K>>) -> Self {
        let (state, handlers, hooks) = (RwLock::default(), Mutex::default(), Mutex::default());
        Self(Arc::new(Inner { store, facet, state, handlers, synced: watch::Sender::new(false), hooks }))
    }

    /// Takes in one event of the kind's watch, after the reflector's writer has applied it.
    pub fn observe(&self, event: &watcher::Event<K>) {
        let handlers = self.handlers();
        match event {
            watcher::Event::Apply(object) => self.upsert(object, &handlers),
            watcher::Event::Delete(object) => self.remove(object, &handlers),
            watcher::Event::Init => self.mutate(|state| state.progress.begun += 1),
            watcher::Event::InitApply(object) => self.mutate(|state| state.advance(object)),
            watcher::Event::InitDone => self.replace(&handlers),
        }
        self.0.hooks.lock().unwrap_or_else(PoisonError::into_inner).iter().for_each(|hook| hook());
    }

    /// Passes a whole stream of events to [`Informer::observe`]; ends with the stream. Errors are
    /// logged: kube's watcher recovers by itself.
    pub async fn follow<E>(&self, events: impl Stream<Item = Result<watcher::Event<K>, E>>)
    where
        E: std::error::Error,
    {
        let mut events = std::pin::pin!(events);
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => self.observe(&event),
                Err(error) => {
                    tracing::warn!(resource = %K::plural(&()), %error, "watch failed, it will be retried");
                }
            }
        }
    }

    fn upsert(&self, object: &K, handlers: &[Handler<K>]) {
        let stored = self.0.store.get(&ObjectRef::from_obj(object));
        let stored = stored.unwrap_or_else(|| Arc::new(object.clone()));
        let old = self.mutate(|state| {
            state.advance(object);
            state.put(Arc::clone(&stored), self.0.facet)
        });
        dispatch(handlers, Change { old: old.as_deref(), new: Some(&*stored) });
    }

    fn remove(&self, object: &K, handlers: &[Handler<K>]) {
        self.mutate(|state| {
            state.advance(object);
            state.take(&Key::of(object), self.0.facet)
        });
        dispatch(handlers, Change { old: Some(object), new: None });
    }

    /// After a list: every handler sees every object and every object that is gone, since a key
    /// may be waiting for an event that the list has swallowed.
    fn replace(&self, handlers: &[Handler<K>]) {
        let objects = self.0.store.state();
        let old = self.mutate(|state| {
            let old = std::mem::take(&mut state.objects);
            state.index.clear();
            for object in &objects {
                state.put(Arc::clone(object), self.0.facet);
            }
            state.progress.completed = state.progress.begun;
            old
        });
        self.0.synced.send_replace(true);
        self.announce(&old, &objects, handlers);
    }

    fn announce(&self, old: &HashMap<Key, Arc<K>>, new: &[Arc<K>], handlers: &[Handler<K>]) {
        for (_, object) in old.iter().filter(|(key, _)| self.get(key).is_none()) {
            dispatch(handlers, Change { old: Some(&**object), new: None });
        }
        for object in new {
            let old = old.get(&Key::of(&**object)).map(|object| &**object);
            dispatch(handlers, Change { old, new: Some(&**object) });
        }
    }
}

fn dispatch<K>(handlers: &[Handler<K>], change: Change<'_, K>) {
    for handler in handlers {
        handler(change);
    }
}

impl<K: Kind> Informer<K> {
    fn state(&self) -> RwLockReadGuard<'_, State<K>> {
        self.0.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn mutate<R>(&self, change: impl FnOnce(&mut State<K>) -> R) -> R {
        change(&mut self.0.state.write().unwrap_or_else(PoisonError::into_inner))
    }

    fn handlers(&self) -> MutexGuard<'_, Vec<Handler<K>>> {
        self.0.handlers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls `handler` for every object there is and for every change from now on. Handlers run on
    /// the watch's task: they put names into queues and return.
    pub fn subscribe(&self, handler: impl Fn(Change<'_, K>) + Send + Sync + 'static) {
        let mut handlers = self.handlers();
        for object in self.all() {
            handler(Change { old: None, new: Some(&*object) });
        }
        handlers.push(Box::new(handler));
    }

    /// The object with this name.
    pub fn get(&self, key: &Key) -> Option<Arc<K>> {
        self.state().objects.get(key).cloned()
    }

    /// Every object, in no order.
    pub fn all(&self) -> Vec<Arc<K>> {
        self.state().objects.values().cloned().collect()
    }

    /// The objects of a namespace, by name.
    pub fn in_namespace(&self, namespace: &str) -> Vec<Arc<K>> {
        self.state().indexed(&IndexKey::Namespace(namespace.to_owned()))
    }

    /// The objects whose controller has this uid, by name.
    pub fn owned_by(&self, uid: &str) -> Vec<Arc<K>> {
        self.state().indexed(&IndexKey::Owner(uid.to_owned()))
    }

    /// The objects of a namespace that have no controller, by name.
    pub fn orphans_in(&self, namespace: &str) -> Vec<Arc<K>> {
        self.state().indexed(&IndexKey::Orphans(namespace.to_owned()))
    }

    /// The objects with this facet (see [`Informer::with_facet`]), by name.
    pub fn with(&self, facet: &str) -> Vec<Arc<K>> {
        self.state().indexed(&IndexKey::Facet(facet.to_owned()))
    }
}

impl<K: Kind> Watched for Informer<K> {
    fn resource(&self) -> String {
        K::plural(&()).into_owned()
    }

    fn progress(&self) -> Progress {
        self.state().progress
    }

    fn holds(&self, key: &Key, uid: &str) -> bool {
        self.get(key).is_some_and(|object| {
            let meta = object.meta();
            meta.uid.as_deref() == Some(uid) && meta.deletion_timestamp.is_none()
        })
    }

    fn synced(&self) -> watch::Receiver<bool> {
        self.0.synced.subscribe()
    }

    fn on_progress(&self, hook: Box<dyn Fn() + Send + Sync>) {
        self.0.hooks.lock().unwrap_or_else(PoisonError::into_inner).push(hook);
    }
}

#[cfg(test)]
mod tests;
