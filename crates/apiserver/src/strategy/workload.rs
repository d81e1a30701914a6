//! Workloads that keep pods running: Deployment, ReplicaSet, StatefulSet, DaemonSet, ReplicationController.
//!
//! Sources: `pkg/apis/apps/{v1/defaults,validation}`, `pkg/registry/apps` of Kubernetes 1.36.

mod daemon;
mod deployment;
mod replica;
pub(crate) mod rollout;
mod stateful;

use serde_json::Value;

use super::field::{Faults, Field};
use super::{Strategy, metadata, pod};

/// The rows of workloads.
pub(super) static ROWS: &[Strategy] = &[
    deployment::ROW,
    replica::SET,
    replica::CONTROLLER,
    stateful::ROW,
    daemon::ROW,
    Strategy {
        group: "apps",
        kind: "ControllerRevision",
        validate: |revision, faults| {
            metadata::Meta::NAMESPACED.check(revision, faults);
            if !revision.has("data") {
                faults.required(&revision.at("data"), "data is mandatory");
            }
            faults.nonnegative(&revision.at("revision"));
        },
        validate_update: |new, old, faults| {
            metadata::check_update(new, old, faults);
            if !new.has("data") {
                faults.required(&new.at("data"), "data is mandatory");
            }
            faults.nonnegative(&new.at("revision"));
            faults.immutable(&new.at("data"), &old.at("data"));
        },
        ..Strategy::DEFAULT
    },
];

/// Finds what is wrong with the selector of a workload, which must be there and select something.
fn check_selector(selector: &Field<'_>, noun: &str, faults: &mut Faults) {
    if !selector.is_set() {
        return faults.required(selector, "");
    }
    metadata::selector(selector, faults);
    if metadata::selects_all(selector) {
        faults.wrong(selector, format!("empty selector is invalid for {noun}"));
    }
}

/// Finds a template whose labels the selector does not match; `None` where the selector is wrong.
fn check_match(selector: &Field<'_>, template: &Field<'_>, faults: &mut Faults) -> Option<()> {
    // Without a selector nothing matches: Kubernetes names that beside the missing selector.
    let labels = template.at("metadata.labels");
    if !selector.is_set() {
        faults.invalid(&labels, labels.value().clone(), MISMATCH);
        return Some(());
    }
    if !metadata::selects(selector, &labels)? {
        faults.invalid(&labels, labels.value().clone(), MISMATCH);
    }
    Some(())
}

const MISMATCH: &str = "`selector` does not match template `labels`";

/// Finds what is wrong with a template whose pods run for ever.
fn check_template(template: &Field<'_>, noun: &str, faults: &mut Faults) {
    pod::check_template(template, faults);
    check_endless(template, noun, faults);
}

/// Finds a template whose pods would end.
fn check_endless(template: &Field<'_>, noun: &str, faults: &mut Faults) {
    let (restart, deadline) = (template.at("spec.restartPolicy"), template.at("spec.activeDeadlineSeconds"));
    if restart.text() != "Always" {
        faults.unsupported(&restart, &["Always"]);
    }
    if deadline.is_set() {
        faults.forbidden(&deadline, format!("activeDeadlineSeconds in {noun} is not Supported"));
    }
}

/// Finds counts of a status that are below zero.
fn check_counts(status: &Field<'_>, counts: &[&str], faults: &mut Faults) {
    counts.iter().for_each(|count| faults.nonnegative(&status.at(count)));
}

/// Finds counts of a status that are above the number of replicas, and more available than ready.
fn check_replicas(status: &Field<'_>, counts: &[&str], ready: &str, faults: &mut Faults) {
    let replicas = status.number_at("replicas");
    for count in counts.iter().map(|count| status.at(count)) {
        let number = count.number().unwrap_or(0);
        if number > replicas {
            faults.invalid(&count, number, "cannot be greater than status.replicas");
        }
    }
    let available = status.at("availableReplicas");
    if available.number().unwrap_or(0) > status.number_at("readyReplicas") {
        let detail = format!("cannot be greater than {ready}");
        faults.invalid(&available, available.number().unwrap_or(0), detail);
    }
}

/// Finds a collision count that went back.
fn check_collisions(new: &Field<'_>, old: &Field<'_>, faults: &mut Faults) {
    let (now, before) = (new.at("status.collisionCount"), old.at("status.collisionCount"));
    let shrunk = match (now.number(), before.number()) {
        (None, Some(_)) => true,
        (Some(now), Some(before)) => now < before,
        _ => false,
    };
    if shrunk {
        faults.invalid(&now, now.number().unwrap_or(0), "cannot be decremented");
    }
}

/// The status of a new workload, whose counts are written even when zero.
fn zero_status(object: &mut Value, counts: &[&str]) {
    let status = counts.iter().map(|count| ((*count).to_owned(), Value::from(0))).collect::<Value>();
    let status = if counts.is_empty() { serde_json::json!({}) } else { status };
    if let Some(fields) = object.as_object_mut() {
        fields.insert("status".into(), status);
    }
}
