//! The limits every engine keeps.

use std::time::Duration;

/// Longest key, in bytes. Kubernetes names and namespaces need under 1 KiB.
pub const KEY_BYTES: usize = 4 << 10;
/// Most compares, and most ops, of one transaction.
pub const TXN_OPS: usize = 1024;
/// Most bytes of keys and values put by one transaction.
pub const TXN_BYTES: usize = 16 << 20;
/// Most items of one page of a list.
pub const PAGE_ITEMS: usize = 10_000;
/// Bytes after which a page ends, whatever the limit asked for. One item is always given.
pub const PAGE_BYTES: usize = 4 << 20;
/// Longest time for which [`Durability::NextBatch`](crate::Durability::NextBatch) may not be on disk.
pub const UNSYNCED: Duration = Duration::from_secs(1);
/// Events that may wait in the queue of one watch before it is ended.
pub const LAG_EVENTS: usize = 10_000;
/// Bytes that may wait in the queue of one watch before it is ended. One batch always fits.
pub const LAG_BYTES: usize = 32 << 20;
/// Transactions that may wait for the commit thread before writers themselves wait.
pub(crate) const QUEUE_TXNS: usize = 4096;
/// Transactions that share one commit.
pub(crate) const GROUP_TXNS: usize = 1024;
/// Bytes after which a group commits, whatever waits behind it.
pub(crate) const GROUP_BYTES: usize = 4 << 20;
/// Log rows looked at by one step of a compaction, the time writers may have to wait for it.
pub(crate) const SWEEP_ROWS: usize = 256;
/// Log rows looked at by one step of a replay.
pub(crate) const REPLAY_ROWS: usize = 2048;
/// Bytes of values read by one step of a replay.
pub(crate) const REPLAY_BYTES: usize = 1 << 20;
/// Revision numbers set aside on disk for commits that are not.
pub(crate) const RESERVED_REVISIONS: u64 = 10_000;
