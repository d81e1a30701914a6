//! Objects in the store: create, read, compare-and-set update, delete.
//!
//! The one module that writes to the store. A key is `/registry/GROUP/PLURAL/[NAMESPACE/]NAME`.

use std::sync::Arc;

use serde_json::{Map, Value};
use store::{Compare, Durability, Expect, Op, Outcome, Revision, Store, StoreError, Txn};

use crate::cache::store_key;
use crate::value::{Encoded, Seal, ValueError, Versioned};

pub mod reseal;

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The store itself failed.
    #[error("the store failed")]
    Store(#[source] StoreError),
    /// A stored value cannot be read.
    #[error("a stored object cannot be read")]
    Value(#[source] ValueError),
    /// A stored value is no JSON object.
    #[error("a stored object is damaged")]
    Json(#[source] serde_json::Error),
}

/// An object as read from the store.
#[derive(Debug, Clone)]
pub struct Current {
    /// The object, with its resourceVersion.
    pub object: Value,
    /// The bytes it was read from.
    pub versioned: Versioned,
    /// The revision that wrote it.
    pub revision: u64,
}

/// What became of a write.
#[derive(Debug)]
pub enum Written {
    /// It is durable.
    Done(Versioned),
    /// Somebody else was faster: what is there now.
    Raced(Option<Current>),
}

/// Reads and writes objects of any kind.
#[derive(Clone)]
pub struct Storage {
    store: Arc<dyn Store>,
    seal: Arc<dyn Seal>,
}

/// Where an object is stored: the resource's prefix and the key below it.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// `group/plural`.
    pub prefix: &'a str,
    /// `namespace/name` or `name`.
    pub key: &'a str,
}

impl Place<'_> {
    fn store_key(&self) -> bytes::Bytes {
        store_key(self.prefix, self.key)
    }

    /// Heartbeats and events may ride with the next durable batch; nothing else may.
    fn durability(&self) -> Durability {
        match self.prefix {
            "core/events" | "coordination.k8s.io/leases" => Durability::NextBatch,
            _ => Durability::Now,
        }
    }
}

impl Storage {
    /// Objects in `store`, sealed by `seal`.
    pub fn new(store: Arc<dyn Store>, seal: Arc<dyn Seal>) -> Self {
        Self { store, seal }
    }

    /// The object as the latest acknowledged write left it.
    pub async fn read(&self, place: Place<'_>) -> Result<Option<Current>, StorageError> {
        let found = self.store.get(place.store_key()).await.map_err(StorageError::Store)?;
        found.map(|item| self.decode(place, &item.value, item.modified)).transpose()
    }

    fn decode(
        &self,
        place: Place<'_>,
        value: &bytes::Bytes,
        revision: Revision,
    ) -> Result<Current, StorageError> {
        let key = String::from_utf8_lossy(&place.store_key()).into_owned();
        let encoded = Encoded::from_value(&key, value, &*self.seal).map_err(StorageError::Value)?;
        let versioned = encoded.at(revision.0);
        let object = serde_json::from_slice(versioned.json()).map_err(StorageError::Json)?;
        Ok(Current { object, versioned, revision: revision.0 })
    }

    /// Writes an object that must not exist yet.
    pub async fn create(
        &self,
        place: Place<'_>,
        object: &Map<String, Value>,
    ) -> Result<Written, StorageError> {
        self.put(place, object, Expect::Absent).await
    }

    /// Replaces the object that `revision` wrote.
    pub async fn replace(
        &self,
        place: Place<'_>,
        object: &Map<String, Value>,
        revision: u64,
    ) -> Result<Written, StorageError> {
        self.put(place, object, Expect::At(Revision(revision))).await
    }

    /// Deletes the object that `revision` wrote; `last` is its final state.
    pub async fn delete(&self, place: Place<'_>, last: &Current) -> Result<Written, StorageError> {
        let op = Op::Delete { key: place.store_key() };
        match self.commit(place, op, Expect::At(Revision(last.revision))).await? {
            Ok(revision) => Ok(Written::Done(last.versioned.at(revision.0))),
            Err(now) => Ok(Written::Raced(now)),
        }
    }

    async fn put(
        &self,
        place: Place<'_>,
        object: &Map<String, Value>,
        expect: Expect,
    ) -> Result<Written, StorageError> {
        let key = place.store_key();
        let encoded = Encoded::of(object);
        let name = String::from_utf8_lossy(&key);
        let value = encoded.to_value(&name, &*self.seal).map_err(StorageError::Value)?;
        match self.commit(place, Op::Put { key: key.clone(), value }, expect).await? {
            Ok(revision) => Ok(Written::Done(encoded.at(revision.0))),
            Err(now) => Ok(Written::Raced(now)),
        }
    }

    async fn commit(
        &self,
        place: Place<'_>,
        op: Op,
        expect: Expect,
    ) -> Result<Result<Revision, Option<Current>>, StorageError> {
        let compare = vec![Compare { key: place.store_key(), expect }];
        let txn = Txn { compare, ops: vec![op], durability: place.durability() };
        match self.store.txn(txn).await.map_err(StorageError::Store)? {
            Outcome::Committed(revision) => Ok(Ok(revision)),
            Outcome::Refused(now) => {
                let now = now.into_iter().flatten().next();
                let current = now.map(|item| self.decode(place, &item.value, item.modified)).transpose()?;
                Ok(Err(current))
            }
        }
    }
}
