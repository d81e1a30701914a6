//! A revisioned key-value log over bytes: get, list, compare-and-set transactions, watch from a
//! revision, compaction. The durable base of the API server.
//!
//! It never knows kinds, JSON, HTTP or who is asking: a key and a value are bytes.
//!
//! ```text
//!   revision   1            2            3                 4
//!   log        put /a 1     put /b 1     put /a 2, /c 1    delete /b
//!              \__________ compacted _________/
//!   state at 4:  /a 2 (created 1, modified 3)    /c 1 (created 3, modified 3)
//! ```
//!
//! Invariants:
//! - One transaction that changes something is one [`Revision`]; revisions only grow, also over a
//!   crash: a number that anybody may have seen is never given to another transaction.
//! - The state is the log replayed. [`Store::list`] at revision R and the events after R are together
//!   complete: nothing is missing between them and nothing is delivered twice.
//! - What was acknowledged with [`Durability::Now`] survives a crash together with everything before it.
//! - Writers never wait for watchers: a watcher that does not keep up is ended, see [`Store::watch`].
//! - Every queue, page and transaction has a limit ([`limits`]).
//!
//! Engines: [`Embedded`] (redb, one file, group commit) and [`Memory`] (tests, simulation). Both pass
//! the same suite of cases, module `suite` behind the feature of that name, which asks nothing of an
//! engine but the trait.
//!
//! API boundary: yes.

mod embedded;
mod entry;
mod error;
mod hub;
pub mod limits;
mod memory;
#[cfg(test)]
mod model;
mod store;
#[cfg(any(test, feature = "suite"))]
pub mod suite;
mod txn;

pub use embedded::{Embedded, Options};
pub use entry::{Batch, Event, KeyValue, Page, Revision};
pub use error::StoreError;
pub use memory::Memory;
pub use store::Store;
pub use txn::{Compare, Durability, Expect, Op, Outcome, Txn};

/// What every fallible operation of this crate gives.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;
