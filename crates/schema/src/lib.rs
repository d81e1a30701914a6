//! Schema facts of built-in and custom kinds, and everything that is decided from them alone.
//!
//! It knows no I/O and no kind's meaning: that a Pod has containers is a row of a table to it,
//! what a container does is not its business. Objects are `serde_json::Value` trees.
//!
//! ```text
//!   facts/builtin.txt ──facts──┐                       ┌─ decode: bytes -> tree + warnings
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
pub mod decode;
pub mod facts;
pub mod model;
pub mod patch;
pub mod quote;

pub use facts::builtin;
pub use model::{FieldRef, Format, ListType, MapType, NodeRef, PatchStrategy, Schema, Type};
