//! PersistentVolumeClaims.

use api::meta::name;
use serde_json::{Value, json};

use crate::strategy::field::{Faults, Field};
use crate::strategy::metadata::{self, Meta};
use crate::strategy::tree::{self, Fields, same};
use crate::strategy::{Strategy, difference, pod, resource};

pub(super) const ROW: Strategy = Strategy {
    kind: "PersistentVolumeClaim",
    default,
    prepare_create,
    prepare_update: |new, old| {
        crate::strategy::keep_status(new, old);
        tree::fields_at(new, "spec").into_iter().for_each(align_sources);
    },
    validate: |claim, faults| {
        Meta::NAMESPACED.check(claim, faults);
        check_spec(&claim.at("spec"), faults);
    },
    validate_update,
    validate_status,
    ..Strategy::DEFAULT
};

/// The access modes there are.
pub(super) const MODES: [&str; 4] = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];

fn default(claim: &mut Value) {
    let Some(fields) = claim.as_object_mut() else { return };
    if let Some(spec) = tree::inner(fields, "spec") {
        pod::claim_spec(spec);
    }
    if let Some(status) = tree::make(fields, "status") {
        tree::fill_zero(status, "phase", "Pending");
        resource::canonical_list(status, "capacity");
    }
}

fn prepare_create(claim: &mut Value) {
    if let Some(fields) = claim.as_object_mut() {
        fields.insert("status".into(), json!({"phase": "Pending"}));
    }
    if let Some(spec) = tree::fields_at(claim, "spec") {
        drop_unknown_source(spec);
        align_sources(spec);
    }
}

/// The older field takes claims and snapshots only, and silently nothing else.
fn drop_unknown_source(spec: &mut Fields) {
    let Some(source) = spec.get("dataSource") else { return };
    let text = |name| source.get(name).and_then(Value::as_str).unwrap_or("");
    let known = matches!(
        (text("apiGroup"), text("kind")),
        ("", "PersistentVolumeClaim") | ("snapshot.storage.k8s.io", "VolumeSnapshot")
    );
    if !known && tree::is_unset(spec, "dataSourceRef") && !text("apiGroup").is_empty() {
        spec.remove("dataSource");
    }
}

/// The two fields for a claim's content say the same.
fn align_sources(spec: &mut Fields) {
    let (source, reference) = (spec.get("dataSource").cloned(), spec.get("dataSourceRef").cloned());
    match (source.filter(Value::is_object), reference.filter(Value::is_object)) {
        (Some(source), None) => spec.insert("dataSourceRef".into(), source),
        (None, Some(reference)) if reference["namespace"].as_str().unwrap_or("").is_empty() => {
            spec.insert("dataSource".into(), reference)
        }
        _ => None,
    };
}

/// Finds what is wrong with access modes.
pub(super) fn check_modes(modes: &Field<'_>, faults: &mut Faults) {
    for mode in modes.texts().filter(|mode| !MODES.contains(mode)) {
        faults.unsupported_value(modes, mode, &MODES);
    }
    let single = modes.texts().any(|mode| mode == "ReadWriteOncePod");
    if single && modes.texts().any(|mode| mode != "ReadWriteOncePod" && MODES.contains(&mode)) {
        faults.forbidden(modes, "may not use ReadWriteOncePod with other access modes");
    }
}

/// Finds what is wrong with the spec of a claim.
pub(crate) fn check_spec(spec: &Field<'_>, faults: &mut Faults) {
    let modes = spec.at("accessModes");
    if modes.is_empty() {
        faults.required(&modes, "at least 1 access mode is required");
    }
    metadata::selector(&spec.at("selector"), faults);
    check_modes(&modes, faults);
    let resources = spec.at("resources");
    let size = spec.at("resources.requests.storage");
    let shown = resources.key("storage");
    if !size.is_set() {
        faults.required(&shown, "");
    } else if resource::of(size.value()).signum() <= 0 {
        let amount = resource::of(size.value()).to_string();
        faults.invalid(&shown, amount, "must be greater than zero");
    }
    class_name(&spec.at("storageClassName"), faults);
    faults.optional_one_of(&spec.at("volumeMode"), &["Block", "Filesystem"]);
    for field in ["dataSource", "dataSourceRef"] {
        if spec.has(field) {
            check_source(&spec.at(field), faults);
        }
    }
    check_sources_agree(spec, faults);
    class_name(&spec.at("volumeAttributesClassName"), faults);
}

fn class_name(name: &Field<'_>, faults: &mut Faults) {
    if !name.text().is_empty() {
        faults.each(name, name.text(), name::dns1123_subdomain(name.text()));
    }
}

fn check_source(source: &Field<'_>, faults: &mut Faults) {
    for field in ["name", "kind"] {
        if source.text_at(field).is_empty() {
            faults.required(&source.at(field), "");
        }
    }
    let (group, kind) = (source.at("apiGroup"), source.text_at("kind"));
    if group.text().is_empty() && kind != "PersistentVolumeClaim" {
        let detail = "must be 'PersistentVolumeClaim' when referencing the default apiGroup";
        faults.invalid(source, kind, detail);
    }
    class_name(&group, faults);
    let namespace = source.at("namespace");
    if !namespace.text().is_empty() {
        faults.each(&namespace, namespace.text(), name::dns1123_label(namespace.text()));
    }
}

fn check_sources_agree(spec: &Field<'_>, faults: &mut Faults) {
    let (source, reference) = (spec.at("dataSource"), spec.at("dataSourceRef"));
    if !source.is_set() || !reference.is_set() {
        return;
    }
    let shown = source.to_string();
    if !reference.text_at("namespace").is_empty() {
        faults.invalid(spec, shown, "may not be specified when dataSourceRef.namespace is specified");
    } else if ["apiGroup", "kind", "name"]
        .iter()
        .any(|field| source.text_at(field) != reference.text_at(field))
    {
        faults.invalid(spec, shown, "must match dataSourceRef");
    }
}

const BETA_CLASS: &str = "volume.beta.kubernetes.io/storage-class";

fn validate_update(new: &Field<'_>, old: &Field<'_>, faults: &mut Faults) {
    metadata::check_update(new, old, faults);
    (ROW.validate)(new, faults);
    let (spec, before) = (new.at("spec"), old.at("spec"));
    let mut munged = spec.value().clone();
    let mut reference = before.value().clone();
    if before.text_at("volumeName").is_empty() {
        tree::keep(&mut reference, spec.value(), "volumeName");
    }
    check_class_change(new, old, &mut munged, faults);
    if new.text_at("status.phase") == "Bound" {
        let size = &reference["resources"]["requests"]["storage"];
        if let Some(requests) = tree::fields_at(&mut munged, "resources.requests") {
            requests.insert("storage".into(), size.clone());
        }
        tree::keep(&mut munged, &reference, "volumeAttributesClassName");
    }
    if !same(&munged, &reference) {
        let changes = difference::describe(&reference, &munged);
        let rule = "spec is immutable after creation except resources.requests and volumeAttributesClassName for \
                    bound claims";
        faults.forbidden(&spec, format!("{rule}\n{changes}"));
    }
    check_size(&spec, &before, &old.at("status"), faults);
    let mode = spec.at("volumeMode");
    let root = Field::root(new.value());
    if !same(mode.value(), before.at("volumeMode").value()) {
        faults.wrong(&mode.moved_to(&root.at("volumeMode")), "field is immutable");
    }
    check_attributes_class(&spec, &before, faults);
}

fn check_class_change(new: &Field<'_>, old: &Field<'_>, munged: &mut Value, faults: &mut Faults) {
    let annotation = |claim: &Field<'_>| claim.at("metadata.annotations").key(BETA_CLASS).value().clone();
    let (annotated, was_annotated) = (annotation(new), annotation(old));
    let class = new.at("spec.storageClassName");
    let (class, had_class) = (class.value(), old.has("spec.storageClassName"));
    let moved = !was_annotated.is_null() && !had_class && *class == was_annotated;
    if moved && (annotated.is_null() || annotated == was_annotated) {
        if let Some(spec) = munged.as_object_mut() {
            spec.remove("storageClassName");
        }
        return;
    }
    if annotated != was_annotated {
        let metadata = new.at("metadata");
        let annotations = metadata.at("annotations");
        let path = format!("annotations.{BETA_CLASS}");
        let shown = annotations.named(&path);
        faults.invalid(&shown, annotated, "field is immutable");
    }
    if !class.is_null() && !had_class && (was_annotated.is_null() || *class == was_annotated) {
        tree::keep(munged, old.at("spec").value(), "storageClassName");
    }
}

fn check_size(spec: &Field<'_>, before: &Field<'_>, status: &Field<'_>, faults: &mut Faults) {
    let size = spec.at("resources.requests.storage");
    let amount = |at: &Field<'_>| resource::of(at.value());
    if amount(&size) < amount(&before.at("resources.requests.storage"))
        && amount(&size) <= amount(&status.at("capacity.storage"))
    {
        faults.forbidden(&size, "field can not be less than status.capacity");
    }
}

fn check_attributes_class(spec: &Field<'_>, before: &Field<'_>, faults: &mut Faults) {
    let (class, before) = (spec.at("volumeAttributesClassName"), before.at("volumeAttributesClassName"));
    if before.is_set() && !class.is_set() {
        faults.forbidden(&class, "update from non-nil value to nil is forbidden");
    } else if !before.text().is_empty() && class.text().is_empty() {
        faults.forbidden(&class, "update from non-nil value to an empty string is forbidden");
    }
}

fn validate_status(new: &Field<'_>, old: &Field<'_>, faults: &mut Faults) {
    metadata::check_update(new, old, faults);
    if new.text_at("metadata.resourceVersion").is_empty() {
        faults.required(&new.at("resourceVersion"), "");
    }
    if new.at("spec.accessModes").is_empty() {
        faults.required(&new.at("Spec.accessModes"), "");
    }
    let status = new.at("status");
    for (_, amount) in status.at("capacity").entries() {
        check_basic(&amount, faults);
    }
    let allocated = status.at("allocatedResources");
    for (name, amount) in allocated.entries() {
        if resource::is_native(name) && name != "storage" {
            faults.unsupported_value(&allocated, name, &["storage"]);
        } else {
            check_basic(&amount, faults);
        }
    }
}

/// Finds an amount below zero, as Kubernetes words it for volumes.
pub(super) fn check_basic(amount: &Field<'_>, faults: &mut Faults) {
    let quantity = resource::of(amount.value());
    if quantity.signum() < 0 {
        faults.invalid(amount, quantity.value(), "must be a valid resource quantity");
    }
}
