//! PersistentVolumes.

use api::meta::name;
use serde_json::{Value, json};

use super::claim::{check_basic, check_modes};
use crate::strategy::field::{Faults, Field};
use crate::strategy::metadata::{self, Meta};
use crate::strategy::pod::{self, placement, volume as source};
use crate::strategy::tree::{self, same};
use crate::strategy::{Strategy, difference, format, resource};

pub(super) const ROW: Strategy = Strategy {
    kind: "PersistentVolume",
    default,
    prepare_create: |volume| {
        if let Some(fields) = volume.as_object_mut() {
            fields.insert("status".into(), json!({"phase": "Pending"}));
        }
    },
    prepare_update: crate::strategy::keep_status,
    validate,
    validate_update,
    validate_status: |new, old, faults| {
        metadata::check_update(new, old, faults);
        if new.text_at("metadata.resourceVersion").is_empty() {
            faults.required(&new.at("resourceVersion"), "");
        }
    },
    ..Strategy::DEFAULT
};

fn default(volume: &mut Value) {
    let Some(fields) = volume.as_object_mut() else { return };
    if let Some(spec) = tree::inner(fields, "spec") {
        tree::fill_zero(spec, "persistentVolumeReclaimPolicy", "Retain");
        tree::fill(spec, "volumeMode", "Filesystem");
        resource::canonical_list(spec, "capacity");
        pod::volume_source(spec);
    }
    if let Some(status) = tree::make(fields, "status") {
        tree::fill_zero(status, "phase", "Pending");
    }
}

/// A source and its check.
type Source = (&'static str, fn(&Field<'_>, &mut Faults));

/// The sources in Kubernetes' order.
const SOURCES: [Source; 22] = [
    ("hostPath", source::host_path),
    ("gcePersistentDisk", source::gce_disk),
    ("awsElasticBlockStore", source::aws_disk),
    ("glusterfs", glusterfs),
    ("flocker", source::flocker),
    ("nfs", source::nfs),
    ("rbd", source::rbd),
    ("quobyte", source::quobyte),
    ("cephfs", source::ceph),
    ("iscsi", source::iscsi),
    ("cinder", cinder),
    ("fc", source::fibre_channel),
    ("flexVolume", source::flex),
    ("azureFile", azure_file),
    ("vsphereVolume", source::vsphere),
    ("photonPersistentDisk", source::photon),
    ("portworxVolume", source::portworx),
    ("azureDisk", source::azure_disk),
    ("scaleIO", scale_io),
    ("local", local),
    ("storageos", |_, _| {}),
    ("csi", csi),
];

fn validate(volume: &Field<'_>, faults: &mut Faults) {
    Meta::CLUSTER.check(volume, faults);
    let spec = volume.at("spec");
    let modes = spec.at("accessModes");
    if modes.is_empty() {
        faults.required(&modes, "");
    }
    check_modes(&modes, faults);
    let capacity = spec.at("capacity");
    if capacity.is_empty() {
        faults.required(&capacity, "");
    }
    if capacity.map().is_none_or(|map| map.len() != 1 || !map.contains_key("storage")) {
        faults.unsupported(&capacity, &["storage"]);
    }
    let policy = spec.at("persistentVolumeReclaimPolicy");
    if !policy.text().is_empty() && !matches!(policy.text(), "Delete" | "Recycle" | "Retain") {
        faults.unsupported(&policy, &["Delete", "Recycle", "Retain"]);
    }
    check_affinity(&spec.at("nodeAffinity"), faults);
    for (_, amount) in capacity.entries() {
        check_basic(&amount, faults);
        let quantity = resource::of(amount.value());
        if quantity.signum() <= 0 {
            faults.invalid(&amount, quantity.to_string(), "must be greater than zero");
        }
    }
    check_source(&spec, faults);
    check_rest(&spec, faults);
}

fn check_affinity(affinity: &Field<'_>, faults: &mut Faults) {
    let required = affinity.at("required");
    if required.is_set() {
        placement::node_selector(&required, faults);
    } else if affinity.is_set() {
        faults.required(&required, "must specify required node constraints");
    }
}

fn check_source(spec: &Field<'_>, faults: &mut Faults) {
    let mut sources = 0;
    for (name, check) in SOURCES {
        let at = spec.at(name);
        if !at.is_set() {
            continue;
        }
        if sources > 0 && name != "flexVolume" {
            faults.forbidden(&at, "may not specify more than 1 volume type");
        } else {
            check(&at, faults);
            if name == "local" && !spec.has("nodeAffinity") {
                faults.required(&spec.at("nodeAffinity"), "Local volume requires node affinity");
            }
        }
        sources += 1;
    }
    if sources == 0 {
        faults.required(spec, "must specify a volume type");
    }
}

fn check_rest(spec: &Field<'_>, faults: &mut Faults) {
    let policy = spec.at("persistentVolumeReclaimPolicy");
    if spec.has("hostPath")
        && format::clean_path(spec.text_at("hostPath.path")) == "/"
        && policy.text() == "Recycle"
    {
        faults.forbidden(&policy, "may not be 'recycle' for a hostPath mount of '/'");
    }
    let (class, attributes) = (spec.at("storageClassName"), spec.at("volumeAttributesClassName"));
    if !class.text().is_empty() {
        faults.each(&class, class.text(), name::dns1123_subdomain(class.text()));
    }
    faults.optional_one_of(&spec.at("volumeMode"), &["Block", "Filesystem"]);
    if !attributes.is_set() {
        return;
    }
    if attributes.text().is_empty() {
        faults.required(&attributes, "an empty string is disallowed");
    } else {
        faults.each(&attributes, attributes.text(), name::dns1123_subdomain(attributes.text()));
    }
    if !spec.has("csi") {
        faults.required(&spec.at("csi"), "has to be specified when using volumeAttributesClassName");
    }
}

fn needs(at: &Field<'_>, fields: &[&str], faults: &mut Faults) {
    for field in fields.iter().filter(|field| at.at(field).is_empty()) {
        faults.required(&at.at(field), "");
    }
}

fn glusterfs(at: &Field<'_>, faults: &mut Faults) {
    needs(at, &["endpoints", "path"], faults);
    let namespace = at.at("endpointsNamespace");
    if namespace.is_set() && namespace.text().is_empty() {
        let detail = "if the endpointnamespace is set, it must be a valid namespace name";
        faults.wrong_text(&namespace, detail);
    } else if namespace.is_set() {
        faults.each(&namespace, namespace.text(), name::dns1123_label(namespace.text()));
    }
}

fn cinder(at: &Field<'_>, faults: &mut Faults) {
    needs(at, &["volumeID"], faults);
    if at.has("secretRef") {
        needs(at, &["secretRef.name", "secretRef.namespace"], faults);
    }
}

fn azure_file(at: &Field<'_>, faults: &mut Faults) {
    needs(at, &["secretName", "shareName"], faults);
    if at.has("secretNamespace") {
        needs(at, &["secretNamespace"], faults);
    }
}

fn scale_io(at: &Field<'_>, faults: &mut Faults) {
    needs(at, &["gateway", "system", "volumeName"], faults);
}

fn local(at: &Field<'_>, faults: &mut Faults) {
    let path = at.at("path");
    if path.text().is_empty() {
        return faults.required(&path, "");
    }
    source::no_backsteps(&path, path.text(), faults);
}

fn csi(at: &Field<'_>, faults: &mut Faults) {
    source::csi_driver(&at.at("driver"), faults);
    needs(at, &["volumeHandle"], faults);
    for secret in [
        "controllerPublishSecretRef",
        "nodePublishSecretRef",
        "controllerExpandSecretRef",
        "nodeExpandSecretRef",
    ] {
        if at.has(secret) {
            let secret = at.at(secret);
            needs(&secret, &["name", "namespace"], faults);
        }
    }
}

fn validate_update(new: &Field<'_>, old: &Field<'_>, faults: &mut Faults) {
    validate(new, faults);
    let (spec, before) = (new.at("spec"), old.at("spec"));
    let mut source = sources_of(&spec);
    let old_source = sources_of(&before);
    if !before.has("csi.controllerExpandSecretRef")
        && let Some(csi) = tree::fields_at(&mut source, "csi")
    {
        csi.remove("controllerExpandSecretRef");
    }
    if !same(&source, &old_source) {
        let changes = difference::describe(&old_source, &source);
        let detail = format!("spec.persistentvolumesource is immutable after creation\n{changes}");
        faults.forbidden(&spec.at("persistentvolumesource"), detail);
    }
    let root = Field::root(new.value());
    let mode = spec.at("volumeMode");
    if !same(mode.value(), before.at("volumeMode").value()) {
        faults.wrong(&mode.moved_to(&root.at("volumeMode")), "field is immutable");
    }
    let affinity = spec.at("nodeAffinity");
    if before.has("nodeAffinity") && !same(affinity.value(), before.at("nodeAffinity").value()) {
        let detail = "field is immutable, except for updating from beta label to GA";
        faults.wrong(&affinity.moved_to(&root.at("nodeAffinity")), detail);
    }
    if before.has("volumeAttributesClassName") && !spec.has("volumeAttributesClassName") {
        let at = spec.at("volumeAttributesClassName");
        faults.forbidden(&at, "update from non-nil value to nil is forbidden");
    }
}

fn sources_of(spec: &Field<'_>) -> Value {
    let given = SOURCES.iter().filter(|(name, _)| spec.has(name));
    given.map(|(name, _)| ((*name).to_owned(), spec.at(name).value().clone())).collect()
}
