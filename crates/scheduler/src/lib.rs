//! The scheduler: decides which node a pod runs on, and says so to the API.
//!
//! API boundary: yes. It never knows the store; it sees pods and nodes as the
//! API shows them and writes bindings, pod conditions and events through a
//! client, all of that in [`bind`] and [`run`]. Everything else is pure: time,
//! randomness and events are arguments.
//!
//! ```text
//!  watch ─> template ─> cluster { snapshot } ──────┐
//!              │                                   v
//!              └──────> queue ── pod ──> schedule(pod, snapshot, cycle) ─> Decision
//!                         ^                        │  rows of plugin::PLUGINS
//!                         └── event, hints ────────┘
//!  engine: all of the above        run: engine + bind, 64 bindings in flight
//! ```
//!
//! Invariants:
//! - Decisions are serial; each sees all decisions before it, because a
//!   placement is accounted when it is decided, not when the API confirms it.
//! - A node is never given more than it offers, by anything the API has shown.
//! - A pod is in one place of the queue, or accounted to a node, until it is gone.
//! - What is not supported refuses the pod with a message that names it.
//!
//! Refused, and so waiting: pods with `resourceClaims`, and pod affinity with a
//! `namespaceSelector` other than the empty one. Not looked at: where volumes
//! can be attached (VolumeBinding, VolumeZone, NodeVolumeLimits). Not done:
//! eviction of pods of lower priority ([`preempt`] says where it would help).

pub mod bind;
pub mod cluster;
pub mod engine;
pub mod event;
pub mod explain;
pub mod label;
pub mod plugin;
pub mod preempt;
pub mod quantity;
pub mod queue;
mod report;
pub mod resources;
pub mod run;
pub mod schedule;
pub mod snapshot;
pub mod taint;
pub mod tally;
pub mod template;
pub mod time;

pub use run::{Config, run};

#[cfg(test)]
mod tests;
