//! Writing stored values again so that the newest key seals them.

use bytes::Bytes;
use store::{Compare, Durability, Expect, KeyValue, Op, Txn};

use super::{Storage, StorageError};
use crate::cache::store_key;
use crate::value::{Encoded, sealed_by};

/// What one step of resealing did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Values that were written again.
    pub resealed: usize,
    /// Where the next step begins; `None` after the last.
    pub next: Option<Bytes>,
}

impl Storage {
    /// Writes again those of the next `limit` values of a resource that are not as the seal would write
    /// them now: plain, sealed with an older key, or sealed without need.
    ///
    /// Each is a change that watchers see. A value that somebody else writes meanwhile is current by that.
    ///
    /// # Errors
    /// When the store fails or a value cannot be opened; what was done stays done.
    pub async fn reseal(
        &self,
        prefix: &str,
        after: Option<Bytes>,
        limit: usize,
    ) -> Result<Step, StorageError> {
        let listed = self.store.list(store_key(prefix, ""), after, limit).await;
        let page = listed.map_err(StorageError::Store)?;
        let mut resealed = 0;
        for item in &page.items {
            resealed += usize::from(self.reseal_one(item).await?);
        }
        let last = page.items.last().map(|item| item.key.clone());
        Ok(Step { resealed, next: last.filter(|_| page.more) })
    }

    async fn reseal_one(&self, item: &KeyValue) -> Result<bool, StorageError> {
        let key = String::from_utf8_lossy(&item.key);
        if sealed_by(&item.value) == self.seal.current(&key) {
            return Ok(false);
        }
        let encoded = Encoded::from_value(&key, &item.value, &*self.seal).map_err(StorageError::Value)?;
        let value = encoded.to_value(&key, &*self.seal).map_err(StorageError::Value)?;
        let txn = Txn {
            compare: vec![Compare { key: item.key.clone(), expect: Expect::At(item.modified) }],
            ops: vec![Op::Put { key: item.key.clone(), value }],
            durability: Durability::Now,
        };
        self.store.txn(txn).await.map_err(StorageError::Store)?;
        Ok(true)
    }
}
