//! The kinds of the core group that are little more than data: Namespace, ConfigMap, Secret, ServiceAccount,
//! Node, Endpoints, ResourceQuota, LimitRange, Event.
//!
//! Sources: `pkg/apis/core/{v1/defaults,validation}`, `pkg/registry/core` of Kubernetes 1.36.

mod data;
mod endpoints;
mod event;
mod limit;
mod namespace;
mod node;
mod quota;

use api::meta::name;

use super::Strategy;
use super::metadata::{self, Meta};

/// The rows of plain kinds.
pub(super) static ROWS: &[Strategy] = &[
    namespace::ROW,
    data::CONFIG_MAP,
    data::SECRET,
    Strategy {
        kind: "ServiceAccount",
        validate: |account, faults| Meta::NAMESPACED.check(account, faults),
        validate_update: |new, old, faults| {
            metadata::check_update(new, old, faults);
            Meta::NAMESPACED.check(new, faults);
        },
        ..Strategy::DEFAULT
    },
    node::ROW,
    endpoints::ROW,
    quota::ROW,
    limit::ROW,
    event::CORE,
    event::EVENTS,
];

/// The form of names that are labels.
const LABEL: metadata::NameRule = name::dns1123_label;
