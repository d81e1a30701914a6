//! The request pipeline and watch cache of the Kubernetes API, over any `store::Store`.
//!
//! It never knows who calls it (a socket, a component in the same process, a test) and no controller.
//!
//! ```text
//! Peer + http::Request ── authn ── authz ── decode ── admission ── strategy ── storage ──> store
//!                                                                                 │
//! http::Response <── render <── endpoint (get, list, watch) <── cache <───────────┘ (its log)
//! ```
//!
//! Invariants:
//! - An object is one JSON tree from decode to encode; its bytes are made once, and shared by all readers.
//! - Only `storage` writes, and each write is a compare-and-set.
//! - Reads come from memory; a read without a version waits until memory is as new as the store.
//! - A slow watcher is cut off; nothing is buffered for it.

pub mod admission;
pub mod aggregate;
pub mod allocation;
pub mod authn;
pub mod authz;
pub mod bootstrap;
pub mod cache;
pub mod convert;
pub mod custom;
pub mod decode;
pub mod discovery;
pub mod endpoint;
pub mod health;
mod managed;
pub mod negotiate;
pub mod openapi;
pub mod render;
pub mod request;
pub mod respond;
pub mod seal;
pub mod selection;
pub mod server;
pub mod storage;
pub mod strategy;
pub mod value;

#[cfg(test)]
mod tests;

pub use server::{ApiServer, Environment, Parts, Version};
