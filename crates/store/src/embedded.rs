//! The engine on disk: one redb file, one commit thread, reads beside it.
//!
//! ```text
//!   txn ─┐                         commit thread                           ┌─> reads (snapshots)
//!   txn ─┼─> queue ─> group ─> compare, apply ─> one commit ─> publish ─> acknowledge
//!   txn ─┘                                                        └─> queues of the watches
//!
//!   data    (revision, position) -> created, previous (revision, position), key, value
//!   index   key -> revision, position, created                     only keys that exist
//!   meta    format, revision, reserved, compacted, swept
//! ```
//!
//! - A value is written once; `index` and the events of a replay both point into `data`.
//! - Each row names the row it replaced, so a compaction reads only the log since the last one and
//!   removes what those rows replaced, and the deletions among them.
//! - A group with a [`Durability::Now`](crate::Durability::Now) transaction ends in one durable redb
//!   commit. A group without is committed in memory only, visible at once, and made durable by the next
//!   durable commit or by a timer.
//! - Revision numbers of commits that are not yet durable come from a range whose end (`reserved`) is on
//!   disk already. After a crash numbering goes on after that range, so that a number seen by a watch
//!   never returns with another content.
//! - Point reads run where they are called: they are a few page look-ups. Pages and replays run on
//!   tokio's blocking threads.

mod commit;
mod open;
mod read;
mod row;
mod sweep;
mod tables;
#[cfg(test)]
pub(crate) mod tests;

use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::hub::{self, Hub, Log};
use crate::{Batch, KeyValue, Outcome, Page, Result, Revision, Store, StoreError, Txn, limits};
use open::Place;

/// Settings of the [`Embedded`] engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Memory for cached and not yet written pages, in bytes. 8 MiB unless set: reads of an API
    /// server come from its own cache.
    pub cache_bytes: usize,
    /// How long a [`Durability::NextBatch`](crate::Durability::NextBatch) transaction may wait to be
    /// written when nothing else is; at most [`limits::UNSYNCED`], of which the default is half.
    pub flush_after: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { cache_bytes: 8 << 20, flush_after: limits::UNSYNCED / 2 }
    }
}

/// A store in one file of a directory of its own.
///
/// Dropping it waits for the transactions already queued, makes everything durable, ends all watches
/// and closes the file.
#[derive(Debug)]
pub struct Embedded {
    shared: Arc<Shared>,
    /// `None` only while dropping.
    queue: Option<mpsc::Sender<Request>>,
    permits: Arc<Semaphore>,
    thread: Option<JoinHandle<()>>,
}

/// What readers, watches and the commit thread have in common.
#[derive(Debug)]
struct Shared {
    db: redb::Database,
    place: Place,
    hub: Hub,
}

/// What the commit thread is asked to do. An answer nobody waits for any more is dropped.
#[derive(Debug)]
enum Request {
    Txn { txn: Txn, reply: oneshot::Sender<Result<Outcome>>, _permit: OwnedSemaphorePermit },
    Compact { at: Revision, reply: oneshot::Sender<Result<()>> },
}

impl Embedded {
    /// Opens the store in `directory`, or creates both (modes 0600 and 0700).
    ///
    /// Reads the whole file once to verify its checksums. Blocks; call it before serving.
    ///
    /// # Errors
    /// [`InUse`](StoreError::InUse), [`Damaged`](StoreError::Damaged),
    /// [`NewerFormat`](StoreError::NewerFormat), or [`Io`](StoreError::Io).
    pub fn open(directory: impl AsRef<Path>, options: Options) -> Result<Self> {
        let (place, db) = open::directory(directory.as_ref(), options.cache_bytes)?;
        Self::start(place, db, options)
    }

    fn start(place: Place, db: redb::Database, options: Options) -> Result<Self> {
        let state = tables::recover(&db, &place)?;
        let shared = Arc::new(Shared { db, place, hub: Hub::new(state.revision) });
        let (queue, requests) = mpsc::channel();
        let flush_after = options.flush_after.min(limits::UNSYNCED);
        let committer = commit::Committer::new(shared.clone(), state, flush_after);
        let thread = std::thread::Builder::new()
            .name("store-commit".into())
            .spawn(move || committer.run(&requests))
            .map_err(|source| shared.place.io("start the commit thread of", source))?;
        let permits = Arc::new(Semaphore::new(limits::QUEUE_TXNS));
        Ok(Self { shared, queue: Some(queue), permits, thread: Some(thread) })
    }

    async fn submit<T>(&self, make: impl FnOnce(oneshot::Sender<Result<T>>) -> Request) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        let queue = self.queue.as_ref().expect("the queue is taken only by drop");
        let sent = queue.send(make(reply)).is_ok();
        match answer.await {
            Ok(answer) if sent => answer,
            // The thread has ended: it says why through the hub.
            _ => Err(self.shared.hub.closed().unwrap_or(StoreError::Closed)),
        }
    }

    async fn submit_txn(&self, txn: Txn) -> Result<Outcome> {
        txn.check()?;
        let permit = self.permits.clone().acquire_owned().await.map_err(|_| StoreError::Closed)?;
        self.submit(|reply| Request::Txn { txn, reply, _permit: permit }).await
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            // A panic there has already been reported, and the next open recovers.
            let _ = thread.join();
        }
        self.shared.hub.close(&StoreError::Closed);
    }
}

impl Shared {
    /// Runs a read of unbounded duration where it does not hold up the runtime.
    async fn blocking<T: Send + 'static>(
        self: Arc<Self>,
        read: impl FnOnce(&Self) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let task = tokio::task::spawn_blocking(move || read(&self));
        // The runtime is shutting down, or the read panicked and said so.
        task.await.unwrap_or(Err(StoreError::Closed))
    }
}

impl Log for Shared {
    fn hub(&self) -> &Hub {
        &self.hub
    }

    fn replay(
        self: Arc<Self>,
        prefix: Bytes,
        from: Revision,
        upto: Revision,
    ) -> BoxFuture<'static, Result<Batch>> {
        self.blocking(move |shared| read::replay(shared, &prefix, from, upto)).boxed()
    }
}

impl Store for Embedded {
    fn get(&self, key: Bytes) -> BoxFuture<'_, Result<Option<KeyValue>>> {
        async move { read::get(&self.shared, &key) }.boxed()
    }

    fn list(&self, prefix: Bytes, after: Option<Bytes>, limit: usize) -> BoxFuture<'_, Result<Page>> {
        let shared = self.shared.clone();
        shared.blocking(move |shared| read::list(shared, &prefix, after.as_ref(), limit)).boxed()
    }

    fn txn(&self, txn: Txn) -> BoxFuture<'_, Result<Outcome>> {
        self.submit_txn(txn).boxed()
    }

    fn watch(&self, prefix: Bytes, from: Revision) -> BoxStream<'static, Result<Batch>> {
        hub::watch(&self.shared, prefix, from)
    }

    fn progress(&self, prefix: Bytes) -> BoxFuture<'_, Result<()>> {
        async move {
            self.shared.hub.progress(&prefix);
            Ok(())
        }
        .boxed()
    }

    fn compact(&self, at: Revision) -> BoxFuture<'_, Result<()>> {
        self.submit(move |reply| Request::Compact { at, reply }).boxed()
    }

    fn revision(&self) -> BoxFuture<'_, Result<Revision>> {
        async move { Ok(self.shared.hub.published()) }.boxed()
    }

    fn size(&self) -> BoxFuture<'_, Result<u64>> {
        async move { self.shared.place.size() }.boxed()
    }
}
