//! The Kubernetes API as data: the table of kinds, object metadata, `Status`, selectors, quantities, columns.
//!
//! It never knows I/O, tokio or HTTP: no function here reads a clock, a file or a socket. Time and randomness
//! are arguments.
//!
//! ```text
//!   kinds::Registry ── group ──> version ──> plural or kind ──> kinds::Resource (one row)
//!                                                                  │
//!   object (serde_json::Value) ── meta ────> names, labels, times  ├─ selectable ──> selector::Fields
//!                              ── selector > matches or not        ├─ subresources
//!                              ── columns ─> cells of a Table      └─ generation, storage key, verbs
//!   status::Status <── every error of the API, as Kubernetes words it
//! ```
//!
//! Invariants: a group has a plural, and a kind, once; a row has one storage version; a [`kinds::Registry`] never
//! changes once built, so readers share it without a lock; text that a client sees (messages, quantities, ages)
//! is what Kubernetes 1.36 would send.

pub mod columns;
pub mod duration;
pub mod gvk;
pub mod kinds;
pub mod meta;
pub mod quantity;
pub mod selector;
pub mod status;
