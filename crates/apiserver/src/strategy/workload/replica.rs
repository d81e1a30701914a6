//! ReplicaSets and ReplicationControllers.

use serde_json::{Value, json};

use super::{check_counts, check_match, check_replicas, check_selector, check_template, zero_status};
use crate::strategy::field::{Faults, Field};
use crate::strategy::metadata::{self, Meta};
use crate::strategy::tree::{fields_at, fill, fill_zero};
use crate::strategy::{Generation, Strategy, keep_status, only_status, pod};

pub(super) const SET: Strategy = Strategy {
    group: "apps",
    kind: "ReplicaSet",
    generation: Generation::OfSpec,
    default: |set| {
        default_status(set);
        let Some(spec) = fields_at(set, "spec") else { return };
        fill(spec, "replicas", 1);
        pod::default_template(spec, "template");
    },
    prepare_create: |set| zero_status(set, &["replicas"]),
    prepare_update: keep_status,
    prepare_status: only_status,
    validate: |set, faults| {
        Meta::NAMESPACED.check(set, faults);
        check_set(&set.at("spec"), faults);
    },
    validate_update: |new, old, faults| {
        metadata::check_update(new, old, faults);
        check_set(&new.at("spec"), faults);
        faults.immutable(&new.at("spec.selector"), &old.at("spec.selector"));
    },
    validate_status,
};

pub(super) const CONTROLLER: Strategy = Strategy {
    group: "",
    kind: "ReplicationController",
    default: default_controller,
    validate: |controller, faults| {
        Meta::NAMESPACED.check(controller, faults);
        check_controller(&controller.at("spec"), faults);
    },
    validate_update: |new, old, faults| {
        metadata::check_update(new, old, faults);
        check_controller(&new.at("spec"), faults);
    },
    ..SET
};

fn default_status(object: &mut Value) {
    if let Some(fields) = object.as_object_mut() {
        fill(fields, "status", json!({"replicas": 0}));
    }
}

fn default_controller(controller: &mut Value) {
    default_status(controller);
    let labels = controller["spec"]["template"]["metadata"]["labels"].clone();
    if let Some(spec) = fields_at(controller, "spec") {
        fill(spec, "replicas", 1);
        pod::default_template(spec, "template");
        if labels.is_object() {
            fill_zero(spec, "selector", labels.clone());
        }
    }
    if let Some(metadata) = fields_at(controller, "metadata").filter(|_| labels.is_object()) {
        fill_zero(metadata, "labels", labels);
    }
}

fn check_set(spec: &Field<'_>, faults: &mut Faults) {
    faults.nonnegative(&spec.at("replicas"));
    faults.nonnegative(&spec.at("minReadySeconds"));
    let (selector, template) = (spec.at("selector"), spec.at("template"));
    check_selector(&selector, "deployment", faults);
    match check_match(&selector, &template, faults) {
        None => faults.wrong(&selector, "invalid label selector"),
        Some(()) => check_template(&template, "ReplicaSet", faults),
    }
}

fn check_controller(spec: &Field<'_>, faults: &mut Faults) {
    faults.nonnegative(&spec.at("minReadySeconds"));
    let (selector, template) = (spec.at("selector"), spec.at("template"));
    if selector.is_empty() {
        faults.required(&selector, "");
    }
    faults.nonnegative(&spec.at("replicas"));
    if !template.is_set() {
        return faults.required(&template, "");
    }
    let labels = template.at("metadata.labels");
    if selector.entries().any(|(key, value)| labels.key(key).value() != value.value()) {
        faults.invalid(&labels, labels.value().clone(), super::MISMATCH);
    }
    check_template(&template, "ReplicationController", faults);
}

fn validate_status(new: &Field<'_>, old: &Field<'_>, faults: &mut Faults) {
    metadata::check_update(new, old, faults);
    let status = new.at("status");
    let counts =
        ["replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas", "observedGeneration"];
    check_counts(&status, &counts, faults);
    check_replicas(&status, &counts[1..4], "readyReplicas", faults);
}
