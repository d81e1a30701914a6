//! Lines of volumes, claims, classes, drivers and devices.

use serde_json::Value;

use super::cell::{self, NONE, UNSET};
use super::{AGE, Head, NAME, Spec, items};
use crate::meta::{self, Time};

pub(super) const SPECS: &[Spec] = &[
    Spec { group: "", kind: "PersistentVolume", columns: VOLUME, cells: volume },
    Spec { group: "", kind: "PersistentVolumeClaim", columns: CLAIM, cells: claim },
    Spec {
        group: "storage.k8s.io",
        kind: "StorageClass",
        columns: &[
            NAME,
            Head::text("Provisioner", "Who makes its volumes"),
            Head::text("ReclaimPolicy", "What becomes of a volume without its claim"),
            Head::text("VolumeBindingMode", "When a claim gets its volume"),
            Head::text("AllowVolumeExpansion", "Whether volumes may grow"),
            AGE,
        ],
        cells: storage_class,
    },
    Spec {
        group: "storage.k8s.io",
        kind: "VolumeAttributesClass",
        columns: &[NAME, Head::text("DriverName", "Whose volumes it is for"), AGE],
        cells: |o, now| {
            vec![
                default_name(o, "storageclass.kubernetes.io/is-default-class"),
                cell::text(o, "driverName"),
                cell::age(o, now),
            ]
        },
    },
    Spec {
        group: "storage.k8s.io",
        kind: "VolumeAttachment",
        columns: &[
            NAME,
            Head { format: "name", ..Head::text("Attacher", "Who attaches it") },
            Head::text("PV", "The volume"),
            Head::text("Node", "The node"),
            Head::boolean("Attached", "Whether it is attached"),
            AGE,
        ],
        cells: |o, now| {
            vec![
                cell::name(o),
                cell::text(o, "spec.attacher"),
                cell::text(o, "spec.source.persistentVolumeName"),
                cell::text(o, "spec.nodeName"),
                cell::flag(o, "status.attached", false).into(),
                cell::age(o, now),
            ]
        },
    },
    Spec {
        group: "storage.k8s.io",
        kind: "CSINode",
        columns: &[NAME, Head::integer("Drivers", "The number of drivers on the node"), AGE],
        cells: |o, now| vec![cell::name(o), cell::count(o, "spec.drivers").into(), cell::age(o, now)],
    },
    Spec { group: "storage.k8s.io", kind: "CSIDriver", columns: DRIVER, cells: driver },
    Spec {
        group: "storage.k8s.io",
        kind: "CSIStorageCapacity",
        columns: &[
            NAME,
            Head::text("StorageClassName", "Whose capacity it is"),
            Head::text("Capacity", "What is left"),
        ],
        cells: |o, _| {
            let left = o.get("capacity").map_or_else(|| UNSET.to_owned(), |c| cell::quantity(Some(c)));
            vec![cell::name(o), cell::text(o, "storageClassName"), left.into()]
        },
    },
    Spec { group: "resource.k8s.io", kind: "DeviceClass", columns: &[NAME, AGE], cells: name_and_age },
    Spec {
        group: "resource.k8s.io",
        kind: "ResourceClaimTemplate",
        columns: &[NAME, AGE],
        cells: name_and_age,
    },
    Spec {
        group: "resource.k8s.io",
        kind: "ResourceClaim",
        columns: &[NAME, Head::text("State", "Whether it has devices and is in use"), AGE],
        cells: |o, now| vec![cell::name(o), claim_state(o).into(), cell::age(o, now)],
    },
    Spec {
        group: "resource.k8s.io",
        kind: "ResourceSlice",
        columns: &[
            NAME,
            Head::text("Node", "Where the devices are"),
            Head::text("Driver", "Who offers them"),
            Head::text("Pool", "Which pool they belong to"),
            AGE,
        ],
        cells: |o, now| {
            let [node, driver, pool] =
                ["spec.nodeName", "spec.driver", "spec.pool.name"].map(|p| cell::text(o, p));
            vec![cell::name(o), node, driver, pool, cell::age(o, now)]
        },
    },
];

const VOLUME: &[Head] = &[
    NAME,
    Head::text("Capacity", "Its size"),
    Head::text("Access Modes", "How it can be mounted"),
    Head::text("Reclaim Policy", "What becomes of it without its claim"),
    Head::text("Status", "Whether it is free, bound or released"),
    Head::text("Claim", "Who has it"),
    Head::text("StorageClass", "The class it is of"),
    Head::text("VolumeAttributesClass", "The class of attributes it has"),
    Head::text("Reason", "Why it is as it is"),
    AGE,
    Head::text("VolumeMode", "File system or block device").wide(),
];

const CLAIM: &[Head] = &[
    NAME,
    Head::text("Status", "Whether it has a volume"),
    Head::text("Volume", "The volume it has"),
    Head::text("Capacity", "The size of the volume"),
    Head::text("Access Modes", "How it can be mounted"),
    Head::text("StorageClass", "The class it asks for"),
    Head::text("VolumeAttributesClass", "The class of attributes it asks for"),
    AGE,
    Head::text("VolumeMode", "File system or block device").wide(),
];

const DRIVER: &[Head] = &[
    NAME,
    Head::boolean("AttachRequired", "Whether volumes must be attached first"),
    Head::boolean("PodInfoOnMount", "Whether it is told about the pod"),
    Head::boolean("StorageCapacity", "Whether it reports what is left"),
    Head::text("TokenRequests", "The audiences of the tokens it gets"),
    Head::boolean("RequiresRepublish", "Whether it is called again and again"),
    Head::text("Modes", "Which volumes it makes"),
    AGE,
];

fn name_and_age(object: &Value, now: Time) -> Vec<Value> {
    vec![cell::name(object), cell::age(object, now)]
}

fn volume(object: &Value, now: Time) -> Vec<Value> {
    let claim = meta::at(object, "spec.claimRef").map_or_else(String::new, |claim| {
        format!("{}/{}", meta::text(claim, "namespace"), meta::text(claim, "name"))
    });
    vec![
        cell::name(object),
        cell::quantity(meta::at(object, "spec.capacity.storage")).into(),
        access_modes(object, "spec.accessModes").into(),
        cell::text(object, "spec.persistentVolumeReclaimPolicy"),
        cell::phase(object),
        claim.into(),
        class(object).into(),
        cell::text_or(object, "spec.volumeAttributesClassName", UNSET),
        cell::text(object, "status.reason"),
        cell::age(object, now),
        cell::text_or(object, "spec.volumeMode", UNSET),
    ]
}

fn claim(object: &Value, now: Time) -> Vec<Value> {
    let bound = !meta::text(object, "spec.volumeName").is_empty();
    let (capacity, modes) = if bound {
        (
            cell::quantity(meta::at(object, "status.capacity.storage")),
            access_modes(object, "status.accessModes"),
        )
    } else {
        Default::default()
    };
    vec![
        cell::name(object),
        cell::phase(object),
        cell::text(object, "spec.volumeName"),
        capacity.into(),
        modes.into(),
        class(object).into(),
        cell::text_or(object, "spec.volumeAttributesClassName", UNSET),
        cell::age(object, now),
        cell::text_or(object, "spec.volumeMode", UNSET),
    ]
}

/// The abbreviations of the modes, each once and always in this order.
fn access_modes(object: &Value, path: &str) -> String {
    const MODES: [(&str, &str); 4] = [
        ("ReadWriteOnce", "RWO"),
        ("ReadOnlyMany", "ROX"),
        ("ReadWriteMany", "RWX"),
        ("ReadWriteOncePod", "RWOP"),
    ];
    let modes = cell::texts(object, path);
    let short = MODES.iter().filter(|(mode, _)| modes.contains(mode)).map(|(_, short)| *short);
    short.collect::<Vec<_>>().join(",")
}

/// The class of a volume or claim; the old annotation goes before the field.
fn class(object: &Value) -> &str {
    let annotation = meta::annotation(object, "volume.beta.kubernetes.io/storage-class");
    annotation.unwrap_or_else(|| meta::text(object, "spec.storageClassName"))
}

fn default_name(object: &Value, annotation: &str) -> Value {
    let mark = if meta::annotation(object, annotation) == Some("true") { " (default)" } else { "" };
    format!("{}{mark}", meta::name(object)).into()
}

fn storage_class(object: &Value, now: Time) -> Vec<Value> {
    let beta = meta::annotation(object, "storageclass.beta.kubernetes.io/is-default-class") == Some("true");
    let annotation = if beta {
        "storageclass.beta.kubernetes.io/is-default-class"
    } else {
        "storageclass.kubernetes.io/is-default-class"
    };
    vec![
        default_name(object, annotation),
        cell::text(object, "provisioner"),
        cell::text_or(object, "reclaimPolicy", "Delete"),
        cell::text_or(object, "volumeBindingMode", "Immediate"),
        cell::flag(object, "allowVolumeExpansion", false).into(),
        cell::age(object, now),
    ]
}

fn driver(object: &Value, now: Time) -> Vec<Value> {
    let tokens = meta::at(object, "spec.tokenRequests").map_or_else(
        || UNSET.to_owned(),
        |_| {
            let requests = items(object, "spec.tokenRequests").iter();
            requests.map(|r| meta::text(r, "audience")).collect::<Vec<_>>().join(",")
        },
    );
    let modes = match cell::texts(object, "spec.volumeLifecycleModes").join(",") {
        none if none.is_empty() => NONE.to_owned(),
        modes => modes,
    };
    vec![
        cell::name(object),
        cell::flag(object, "spec.attachRequired", true).into(),
        cell::flag(object, "spec.podInfoOnMount", false).into(),
        cell::flag(object, "spec.storageCapacity", false).into(),
        tokens.into(),
        cell::flag(object, "spec.requiresRepublish", false).into(),
        modes.into(),
        cell::age(object, now),
    ]
}

fn claim_state(object: &Value) -> String {
    let deleted = !meta::text(object, "metadata.deletionTimestamp").is_empty();
    let allocated = meta::at(object, "status.allocation").is_some();
    let states = [
        (deleted, "deleted"),
        (!deleted && !allocated, "pending"),
        (allocated, "allocated"),
        (allocated && !items(object, "status.reservedFor").is_empty(), "reserved"),
    ];
    states.iter().filter(|(holds, _)| *holds).map(|(_, state)| *state).collect::<Vec<_>>().join(",")
}
