//! CSIDrivers and VolumeAttachments.

use api::meta::name;

use crate::strategy::field::{Faults, Field};
use crate::strategy::metadata::{self, Meta};
use crate::strategy::tree::{fields_at, fill, is_zero, same};
use crate::strategy::{Strategy, drop_status, keep_status};
use serde_json::{Value, json};

const GROUP: &str = "storage.k8s.io";

pub(super) const DRIVER: Strategy = Strategy {
    group: GROUP,
    kind: "CSIDriver",
    default: default_driver,
    validate: |driver, faults| {
        Meta::CLUSTER.check(driver, faults);
        check_driver(&driver.at("spec"), faults);
    },
    validate_update: |new, old, faults| {
        metadata::check_update(new, old, faults);
        check_driver(&new.at("spec"), faults);
        let (new, old) = (new.at("spec"), old.at("spec"));
        // Kubernetes names the field so.
        if !same(new.at("attachRequired").value(), old.at("attachRequired").value()) {
            faults.invalid(
                &new.at("attachedRequired"),
                new.at("attachRequired").value().clone(),
                "field is immutable",
            );
        }
        faults.immutable(&new.at("volumeLifecycleModes"), &old.at("volumeLifecycleModes"));
    },
    ..Strategy::DEFAULT
};

fn default_driver(driver: &mut Value) {
    let Some(spec) = fields_at(driver, "spec") else { return };
    fill(spec, "attachRequired", true);
    for field in ["podInfoOnMount", "storageCapacity", "requiresRepublish", "seLinuxMount"] {
        fill(spec, field, false);
    }
    fill(spec, "fsGroupPolicy", "ReadWriteOnceWithFSType");
    if is_zero(spec, "volumeLifecycleModes") {
        spec.insert("volumeLifecycleModes".to_owned(), json!(["Persistent"]));
    }
}

fn check_driver(spec: &Field<'_>, faults: &mut Faults) {
    for mode in spec.at("volumeLifecycleModes").items() {
        if !matches!(mode.text(), "Ephemeral" | "Persistent") {
            faults.unsupported(&mode, &["Ephemeral", "Persistent"]);
        }
    }
    faults.optional_one_of(&spec.at("fsGroupPolicy"), &["File", "None", "ReadWriteOnceWithFSType"]);
}

pub(super) const ATTACHMENT: Strategy = Strategy {
    group: GROUP,
    kind: "VolumeAttachment",
    prepare_create: drop_status,
    prepare_update: keep_status,
    validate: |attachment, faults| {
        Meta::CLUSTER.check(attachment, faults);
        check_attachment(&attachment.at("spec"), faults);
    },
    validate_update: |new, old, faults| {
        metadata::check_update(new, old, faults);
        if !same(new.at("spec").value(), old.at("spec").value()) {
            faults.wrong(&new.at("spec"), "field is immutable");
        }
    },
    ..Strategy::DEFAULT
};

fn check_attachment(spec: &Field<'_>, faults: &mut Faults) {
    let (attacher, source, node) = (spec.at("attacher"), spec.at("source"), spec.at("nodeName"));
    if attacher.text().is_empty() {
        faults.required(&attacher, "");
    } else {
        let lower = attacher.text().to_lowercase();
        faults.each(&attacher, attacher.text(), name::qualified_name(&lower));
    }
    let volume = source.at("persistentVolumeName");
    match (volume.text(), source.has("inlineVolumeSpec")) {
        ("", false) if volume.is_set() => {
            faults.required(&volume, "must specify non empty persistentVolumeName");
        }
        ("", false) => {
            faults.required(&source, "must specify exactly one of inlineVolumeSpec and persistentVolumeName");
        }
        (_, true) if volume.is_set() => {
            faults
                .forbidden(&source, "must specify exactly one of inlineVolumeSpec and persistentVolumeName");
        }
        _ => {}
    }
    faults.each(&node, node.text(), name::dns1123_subdomain(node.text()));
}
