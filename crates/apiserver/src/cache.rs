//! The watch cache: every object of every kind in memory, and the latest changes.
//!
//! One feeder reads the store's log and applies it, revision by revision, to one [`Shard`] per
//! resource. Reads, lists and watches are answered from here; a read that must be current first
//! waits until the cache has applied the store's latest revision.
//!
//! Invariant: after `applied` says N, every shard holds exactly the state of revision N or later.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use api::kinds::SelectableField;
use bytes::Bytes;
use futures::StreamExt;
use store::{Batch, Event, KeyValue, Revision, Store, StoreError};
use tokio::sync::watch;

use crate::value::{Encoded, Seal};

pub mod index;
pub mod shard;

use shard::{Object, Objects, Shard};

/// Every key of the API server starts with this.
pub const ROOT: &str = "/registry/";
const PAGE: usize = 1000;
/// Changes kept per resource for watchers that are behind.
pub const RING: usize = 4096;

/// Gives the selectable fields of a resource prefix such as `core/pods`.
pub type Selectable = Arc<dyn Fn(&str) -> Vec<SelectableField> + Send + Sync>;

/// Why a read could not wait for a revision.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The revision lies in the future and did not come in time.
    #[error("Too large resource version: {requested}, current: {current}")]
    TooLarge {
        /// The revision asked for.
        requested: u64,
        /// The revision applied.
        current: u64,
    },
    /// The feeder has ended.
    #[error("the watch cache has stopped")]
    Stopped,
    /// The store failed.
    #[error("the store failed")]
    Store(#[source] StoreError),
}

/// The watch cache over one store.
pub struct WatchCache {
    store: Arc<dyn Store>,
    seal: Arc<dyn Seal>,
    selectable: Selectable,
    shards: RwLock<HashMap<Arc<str>, Arc<Shard>>>,
    /// `None` until the first load is done; an empty store is loaded at revision 0.
    applied: watch::Sender<Option<u64>>,
    /// The revision from which the last load is complete.
    floor: AtomicU64,
    ring: usize,
    /// Held while objects are indexed, so that none is indexed by fields that are no longer the kind's.
    indexing: Mutex<()>,
}

/// The store key of an object.
pub fn store_key(prefix: &str, key: &str) -> Bytes {
    Bytes::from(format!("{ROOT}{prefix}/{key}"))
}

/// Splits a store key into its resource prefix (`group/plural`) and the object's key.
fn split_key(key: &[u8]) -> Option<(&str, &str)> {
    let rest = std::str::from_utf8(key).ok()?.strip_prefix(ROOT)?;
    let group_end = rest.find('/')?;
    let plural_end = group_end + 1 + rest[group_end + 1..].find('/')?;
    Some((&rest[..plural_end], &rest[plural_end + 1..]))
}

impl WatchCache {
    /// An empty cache that keeps `ring` changes per resource; [`WatchCache::run`] fills it and keeps it current.
    pub fn new(store: Arc<dyn Store>, seal: Arc<dyn Seal>, selectable: Selectable, ring: usize) -> Self {
        let (shards, applied, floor) = (RwLock::default(), watch::Sender::new(None), AtomicU64::new(0));
        let indexing = Mutex::new(());
        Self { store, seal, selectable, shards, applied, floor, ring, indexing }
    }

    /// The shard of a resource prefix, made on first use.
    pub fn shard(&self, prefix: &str) -> Arc<Shard> {
        if let Some(shard) = self.shards.read().unwrap_or_else(PoisonError::into_inner).get(prefix) {
            return Arc::clone(shard);
        }
        let mut shards = self.shards.write().unwrap_or_else(PoisonError::into_inner);
        let since = self.applied().max(self.floor.load(Ordering::SeqCst));
        let shard = shards.entry(prefix.into()).or_insert_with(|| Arc::new(Shard::since(since, self.ring)));
        Arc::clone(shard)
    }

    /// The revision up to which everything is applied.
    pub fn applied(&self) -> u64 {
        self.applied.borrow().unwrap_or(0)
    }

    /// Whether the first load is done.
    pub fn is_ready(&self) -> bool {
        self.applied.borrow().is_some()
    }

    /// Waits until the first load is done.
    pub async fn ready(&self) {
        let mut applied = self.applied.subscribe();
        // The sender lives in self, so the wait cannot fail.
        let _ = applied.wait_for(Option::is_some).await;
    }

    /// Waits until the cache is as current as the store was when this was called.
    pub async fn catch_up(&self) -> Result<u64, CacheError> {
        let Revision(latest) = self.store.revision().await.map_err(CacheError::Store)?;
        self.wait_for(latest, Duration::from_secs(10)).await
    }

    /// Waits until `revision` is applied, for at most `patience`.
    pub async fn wait_for(&self, revision: u64, patience: Duration) -> Result<u64, CacheError> {
        let mut applied = self.applied.subscribe();
        match tokio::time::timeout(patience, applied.wait_for(|at| at.is_some_and(|at| at >= revision))).await
        {
            Ok(Ok(at)) => Ok(at.unwrap_or(0)),
            Ok(Err(_)) => Err(CacheError::Stopped),
            Err(_) => Err(CacheError::TooLarge { requested: revision, current: self.applied() }),
        }
    }

    /// Feeds the cache until the store ends; never returns while the store works.
    pub async fn run(&self) -> Result<(), CacheError> {
        loop {
            let from = self.load().await.map_err(CacheError::Store)?;
            match self.follow(from).await {
                StoreError::Compacted { .. } => tracing::warn!("watch cache reloads after a compaction"),
                other => return Err(CacheError::Store(other)),
            }
        }
    }

    /// Loads everything, page by page; returns the revision after which the log must be followed.
    ///
    /// Later pages may be newer than the first, so the shards are complete only from the last
    /// page's revision on; nothing is published before the log has been followed up to there.
    async fn load(&self) -> Result<u64, StoreError> {
        let mut loaded: HashMap<Arc<str>, Objects> = HashMap::new();
        let (mut first, mut after) = (None, None);
        loop {
            let page = self.store.list(ROOT.into(), after.take(), PAGE).await?;
            let first = *first.get_or_insert(page.revision.0);
            for item in &page.items {
                self.load_item(item, &mut loaded);
            }
            if !page.more {
                self.replace(loaded, page.revision.0);
                if first == page.revision.0 {
                    self.publish(first);
                }
                return Ok(first);
            }
            after = page.items.last().map(|item| item.key.clone());
        }
    }

    fn load_item(&self, item: &KeyValue, loaded: &mut HashMap<Arc<str>, Objects>) {
        let Some((prefix, key)) = split_key(&item.key) else { return };
        let key: Arc<str> = key.into();
        if let Some(object) = self.object(prefix, &key, &item.value, item.modified.0) {
            loaded.entry(prefix.into()).or_default().insert(key, object);
        }
    }

    fn replace(&self, mut loaded: HashMap<Arc<str>, Objects>, revision: u64) {
        self.floor.store(revision, Ordering::SeqCst);
        let mut shards = self.shards.write().unwrap_or_else(PoisonError::into_inner);
        for prefix in loaded.keys() {
            shards.entry(Arc::clone(prefix)).or_insert_with(|| Arc::new(Shard::since(revision, self.ring)));
        }
        for (prefix, shard) in shards.iter() {
            shard.replace(loaded.remove(prefix).unwrap_or_default(), revision);
            shard.wake();
        }
    }

    fn publish(&self, revision: u64) {
        if revision < self.floor.load(Ordering::SeqCst) {
            return;
        }
        self.applied.send_modify(|at| *at = Some(at.unwrap_or(0).max(revision)));
    }

    /// Follows the log after `from` until it ends, and says why.
    async fn follow(&self, from: u64) -> StoreError {
        let mut from = from;
        loop {
            let mut log = self.store.watch(ROOT.into(), Revision(from + 1));
            while let Some(batch) = log.next().await {
                match batch {
                    Ok(batch) => from = self.apply(&batch),
                    Err(StoreError::Lagged { .. }) => break,
                    Err(error) => return error,
                }
            }
        }
    }

    /// Indexes all objects of a resource again, after its selectable fields have changed.
    pub fn reindex(&self, prefix: &str) {
        let _indexing = self.indexing.lock().unwrap_or_else(PoisonError::into_inner);
        let fields = (self.selectable)(prefix);
        self.shard(prefix).reindex(|object| index::index(object.versioned.json(), &fields));
    }

    fn apply(&self, batch: &Batch) -> u64 {
        let mut touched: Vec<Arc<Shard>> = Vec::new();
        for event in &batch.events {
            if let Some(shard) = self.apply_event(event)
                && !touched.iter().any(|known| Arc::ptr_eq(known, &shard))
            {
                touched.push(shard);
            }
        }
        self.publish(batch.revision.0);
        for shard in touched {
            shard.wake();
        }
        batch.revision.0
    }

    fn apply_event(&self, event: &Event) -> Option<Arc<Shard>> {
        let (prefix, key) = split_key(&event.key)?;
        let key: Arc<str> = key.into();
        match &event.value {
            Some(value) => self.put(prefix, &key, value, event.revision.0),
            None => {
                let shard = self.shard(prefix);
                shard.apply(&key, None, event.revision.0);
                Some(shard)
            }
        }
    }

    fn put(&self, prefix: &str, key: &Arc<str>, value: &Bytes, revision: u64) -> Option<Arc<Shard>> {
        let _indexing = self.indexing.lock().unwrap_or_else(PoisonError::into_inner);
        let object = self.object(prefix, key, value, revision)?;
        let shard = self.shard(prefix);
        shard.apply(key, Some(object), revision);
        Some(shard)
    }

    fn object(&self, prefix: &str, key: &Arc<str>, value: &Bytes, revision: u64) -> Option<Arc<Object>> {
        let store_key = format!("{ROOT}{prefix}/{key}");
        let encoded = Encoded::from_value(&store_key, value, &*self.seal)
            .inspect_err(|error| tracing::error!(key = store_key, %error, "object cannot be read"))
            .ok()?;
        let indexed = index::index(encoded.json(), &(self.selectable)(prefix));
        Some(Arc::new(Object { key: Arc::clone(key), versioned: encoded.at(revision), revision, indexed }))
    }
}
