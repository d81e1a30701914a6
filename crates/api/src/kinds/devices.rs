//! `resource.k8s.io`: dynamic allocation of devices.

use super::row::{CLUSTER, Field, GroupRows, NAMESPACED, Row, SPEC, STATUS};

pub(super) const RESOURCE: GroupRows = GroupRows {
    name: "resource.k8s.io",
    priority: 15900,
    definitions: "io.k8s.api.resource",
    rows: &[
        Row { plural: "deviceclasses", kind: "DeviceClass", generation: SPEC, ..CLUSTER },
        Row { plural: "resourceclaims", kind: "ResourceClaim", subresources: &[STATUS], ..NAMESPACED },
        Row { plural: "resourceclaimtemplates", kind: "ResourceClaimTemplate", ..NAMESPACED },
        Row {
            plural: "resourceslices",
            kind: "ResourceSlice",
            selectable: &[Field::path(&["spec.driver"]), Field::path(&["spec.nodeName"])],
            generation: SPEC,
            ..CLUSTER
        },
    ],
};
