//! Ingress, IngressClass, NetworkPolicy, EndpointSlice, ServiceCIDR and IPAddress.
//!
//! Sources: `pkg/apis/{networking,discovery}/validation` of Kubernetes 1.36.

mod address;
mod ingress;
mod policy;
mod slice;

use super::Strategy;

/// The rows of networking.
pub(super) static ROWS: &[Strategy] =
    &[ingress::ROW, ingress::CLASS, policy::ROW, slice::ROW, address::RANGE, address::ADDRESS];
