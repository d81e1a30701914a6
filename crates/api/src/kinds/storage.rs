//! `storage.k8s.io`: drivers, classes and attachments of volumes.

use super::row::{CLUSTER, GroupRows, NAMESPACED, Row, SPEC, STATUS};

pub(super) const STORAGE: GroupRows = GroupRows {
    name: "storage.k8s.io",
    priority: 16800,
    definitions: "io.k8s.api.storage",
    rows: &[
        Row { plural: "csidrivers", kind: "CSIDriver", generation: SPEC, ..CLUSTER },
        Row { plural: "csinodes", kind: "CSINode", ..CLUSTER },
        Row { plural: "csistoragecapacities", kind: "CSIStorageCapacity", ..NAMESPACED },
        Row { plural: "storageclasses", kind: "StorageClass", short: &["sc"], ..CLUSTER },
        Row { plural: "volumeattachments", kind: "VolumeAttachment", subresources: &[STATUS], ..CLUSTER },
        Row { plural: "volumeattributesclasses", kind: "VolumeAttributesClass", short: &["vac"], ..CLUSTER },
    ],
};
