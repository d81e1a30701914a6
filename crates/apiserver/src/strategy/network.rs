//! Ingress, IngressClass, NetworkPolicy and EndpointSlice.
//!
//! Sources: `pkg/apis/{networking,discovery}/validation` of Kubernetes 1.36.

mod ingress;
mod policy;
mod slice;

use super::Strategy;

/// The rows of networking.
pub(super) static ROWS: &[Strategy] = &[ingress::ROW, ingress::CLASS, policy::ROW, slice::ROW];
