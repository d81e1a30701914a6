//! The contract every engine keeps.

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;

use crate::{Batch, KeyValue, Outcome, Page, Result, Revision, Txn};

/// A revisioned key-value log.
///
/// To hold a complete copy of a prefix: [`list`](Self::list) all pages, then [`watch`](Self::watch)
/// from the revision after the *first* page, and drop an event whose revision is not greater than the
/// `modified` of what is already held (later pages may be newer than the first).
///
/// Dropping a future before it resolves may or may not cancel it; a transaction whose future is
/// dropped is in the same unknown state as one whose future failed.
///
/// Engines need a tokio runtime; no method blocks it for longer than a point read or one page.
pub trait Store: Send + Sync + 'static {
    /// The pair under `key`, as of the latest acknowledged transaction or later.
    ///
    /// # Errors
    /// Only when the engine cannot read.
    fn get(&self, key: Bytes) -> BoxFuture<'_, Result<Option<KeyValue>>>;

    /// The pairs whose keys begin with `prefix` and come after `after`, in key order, as of the latest
    /// acknowledged transaction or later.
    ///
    /// A page holds at most `limit` items (0: as many as the engine gives) and may hold fewer:
    /// [`limits::PAGE_ITEMS`](crate::limits::PAGE_ITEMS) and
    /// [`limits::PAGE_BYTES`](crate::limits::PAGE_BYTES) apply. To go on, pass the last item's key as
    /// `after`; each page is a consistent read of its own, at its own revision.
    ///
    /// # Errors
    /// Only when the engine cannot read.
    fn list(&self, prefix: Bytes, after: Option<Bytes>, limit: usize) -> BoxFuture<'_, Result<Page>>;

    /// Applies `txn` if every compare holds, atomically and in one order with all others.
    ///
    /// - Committed: the change is visible to every read and its events are in the queues of all
    ///   watches before the future resolves. With [`Durability::Now`](crate::Durability::Now) it is on
    ///   disk, and so is everything committed before it.
    /// - Refused: nothing was changed and no revision was used.
    /// - As in etcd, deleting an absent key is no change: it makes no event, and a transaction without
    ///   any change uses no revision.
    ///
    /// # Errors
    /// After [`Invalid`](crate::StoreError::Invalid) nothing was changed. After any other error the
    /// caller does not know whether the transaction was applied, or will be after a restart.
    fn txn(&self, txn: Txn) -> BoxFuture<'_, Result<Outcome>>;

    /// The events under `prefix` with revision `from` or later (0 and 1: the whole log), past ones from
    /// the log and then live ones, without end.
    ///
    /// Each event comes exactly once, in order of revision; the events of one transaction come in one
    /// batch. When the watch has caught up, it delivers a batch (without events, if there are none)
    /// that says so by its revision. A revision in the future is waited for.
    ///
    /// # Errors
    /// An error is the last item of the stream:
    /// - [`Compacted`](crate::StoreError::Compacted) when `from` is compacted, or becomes so before the
    ///   watch got to it. A watch that has caught up never gives this.
    /// - [`Lagged`](crate::StoreError::Lagged) when more than
    ///   [`limits::LAG_EVENTS`](crate::limits::LAG_EVENTS) or
    ///   [`limits::LAG_BYTES`](crate::limits::LAG_BYTES) wait to be read. No writer ever waits for a
    ///   watch. Watch again from the revision after the last batch: the log has what was missed.
    /// - [`Closed`](crate::StoreError::Closed) or [`Failed`](crate::StoreError::Failed) when the store
    ///   ends.
    fn watch(&self, prefix: Bytes, from: Revision) -> BoxStream<'static, Result<Batch>>;

    /// Asks the watches of exactly `prefix` to say how far they are: each that has caught up delivers a
    /// batch whose revision is at least the latest committed one, unless it already has. Others may do
    /// so too. Unasked, a watch whose prefix is quiet says nothing, however far the log goes on.
    ///
    /// # Errors
    /// Only when the engine cannot be reached.
    fn progress(&self, prefix: Bytes) -> BoxFuture<'_, Result<()>>;

    /// Forgets the log up to and including `at`: values that were overwritten or deleted by then. What
    /// exists stays. Resolves when the space can be used again; writers go on meanwhile. At or before
    /// an earlier compaction it does nothing.
    ///
    /// # Errors
    /// [`Future`](crate::StoreError::Future) when `at` is not yet committed. After any other error the
    /// log may or may not be compacted; compacting again is safe.
    fn compact(&self, at: Revision) -> BoxFuture<'_, Result<()>>;

    /// The latest committed revision: at least that of every acknowledged transaction.
    ///
    /// # Errors
    /// Only when the engine cannot be reached.
    fn revision(&self) -> BoxFuture<'_, Result<Revision>>;

    /// The bytes the store occupies on disk (in memory, for an engine without a disk).
    ///
    /// # Errors
    /// Only when the engine cannot tell.
    fn size(&self) -> BoxFuture<'_, Result<u64>>;
}
