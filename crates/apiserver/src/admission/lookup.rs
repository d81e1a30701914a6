//! What plugins read of other objects: the watch cache first, the store where that may be too late.

use std::sync::Arc;

use api::meta::{self, Time};
use api::status::Status;
use serde_json::Value;

use crate::cache::WatchCache;
use crate::endpoint::storage_failure;
use crate::storage::{Place, Storage};

/// Reads objects of any kind.
#[derive(Clone)]
pub struct Lookup {
    cache: Arc<WatchCache>,
    storage: Storage,
}

impl Lookup {
    /// A reader of this cache, and of the store under it.
    pub fn new(cache: Arc<WatchCache>, storage: Storage) -> Self {
        Self { cache, storage }
    }

    /// The object as the cache knows it.
    pub(crate) fn cached(&self, place: Place<'_>) -> Option<Value> {
        let object = self.cache.shard(place.prefix).get(place.key)?;
        serde_json::from_slice(object.versioned.json()).ok()
    }

    /// The object as the latest acknowledged write left it.
    pub(crate) async fn live(&self, place: Place<'_>) -> Result<Option<Value>, Status> {
        let read = self.storage.read(place).await.map_err(|error| storage_failure(&error))?;
        Ok(read.map(|current| current.object))
    }

    /// The object from the cache or, where it may be too new for the cache, from the store.
    pub(crate) async fn find(&self, place: Place<'_>) -> Result<Option<Value>, Status> {
        match self.cached(place) {
            Some(object) => Ok(Some(object)),
            None => self.live(place).await,
        }
    }

    /// All objects of a resource prefix.
    pub(crate) fn all(&self, prefix: &str) -> Vec<Value> {
        let (objects, _) = self.cache.shard(prefix).snapshot();
        objects.values().filter_map(|object| serde_json::from_slice(object.versioned.json()).ok()).collect()
    }

    /// The name of the default class: the newest that one of the annotations marks, then the first by name.
    pub(crate) fn default_class(&self, prefix: &str, annotations: &[&str]) -> Option<String> {
        let classes = self.all(prefix);
        let marked =
            |class: &&Value| annotations.iter().any(|key| meta::annotation(class, key) == Some("true"));
        let newest = |class: &&Value| {
            let age = meta::creation_timestamp(class).map(Time::unix);
            (std::cmp::Reverse(age), meta::name(class).to_owned())
        };
        classes.iter().filter(marked).min_by_key(newest).map(|class| meta::name(class).to_owned())
    }
}
