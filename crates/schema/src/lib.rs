//! Schema facts of built-in and custom kinds, and everything that is decided from them alone.
//!
//! It knows no I/O and no kind's meaning: that a Pod has containers is a row of a table to it,
//! what a container does is not its business. Objects are `serde_json::Value` trees.
//!
//! ```text
//!   facts/builtin.txt ──facts──┐                       ┌─ decode: bytes -> tree + issues
//!   (xtask codegen)            ├─> Schema (arena) ─────┼─ prune, default
//!   CRD openAPIV3Schema ─crd───┘   of nodes, handed    ├─ validate: tree -> field issues
//!                                  round as NodeRef    └─ openapi: documents v2 and v3
//! ```
//!
//! Invariants:
//! - A [`Schema`] never changes once built; a [`NodeRef`] is a borrowed index into it.
//! - The fields of an object node are sorted by name, so that lookup is a binary search.
//! - No function here panics on any input bytes or tree; nesting is bounded by `decode`.

pub mod apply;
#[cfg(test)]
mod cases;
pub mod crd;
pub mod decode;
mod default;
pub mod facts;
pub mod issue;
pub mod model;
pub mod openapi;
pub mod patch;
pub mod path;
pub mod protobuf;
mod prune;
pub mod quote;
pub mod validate;

pub use default::default;
pub use facts::builtin;
pub use issue::{FieldIssue, IssueKind};
pub use model::{
    FieldRef, Format, GroupVersionKind, ListType, MapType, NodeRef, PatchStrategy, Schema, Type,
};
pub use prune::prune;
pub use validate::validate;
