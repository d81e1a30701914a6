//! `scheduling.k8s.io`, `node.k8s.io` and `coordination.k8s.io`: where pods go and who leads.

use super::row::{CLUSTER, GroupRows, NAMESPACED, Row};

pub(super) const SCHEDULING: GroupRows = GroupRows {
    name: "scheduling.k8s.io",
    priority: 16600,
    definitions: "io.k8s.api.scheduling",
    rows: &[Row {
        plural: "priorityclasses",
        kind: "PriorityClass",
        short: &["pc"],
        generation: &["description", "globalDefault", "preemptionPolicy", "value"],
        ..CLUSTER
    }],
};

pub(super) const NODE: GroupRows = GroupRows {
    name: "node.k8s.io",
    priority: 16300,
    definitions: "io.k8s.api.node",
    rows: &[Row { plural: "runtimeclasses", kind: "RuntimeClass", ..CLUSTER }],
};

pub(super) const COORDINATION: GroupRows = GroupRows {
    name: "coordination.k8s.io",
    priority: 16500,
    definitions: "io.k8s.api.coordination",
    rows: &[Row { plural: "leases", kind: "Lease", ..NAMESPACED }],
};
