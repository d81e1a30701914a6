//! Deployments.

use serde_json::{Value, json};

use super::{check_counts, check_match, check_replicas, check_selector, check_template, rollout};
use crate::strategy::field::{Faults, Field};
use crate::strategy::metadata::{self, Meta};
use crate::strategy::tree::{fields_at, fill, fill_zero, make, text};
use crate::strategy::{Generation, Strategy, keep_status, only_status, pod, tree};

pub(super) const ROW: Strategy = Strategy {
    group: "apps",
    kind: "Deployment",
    generation: Generation::OfSpecAndAnnotations,
    default,
    prepare_create: |deployment| super::zero_status(deployment, &[]),
    prepare_update: keep_status,
    prepare_status: |new, old| {
        only_status(new, old);
        tree::keep(&mut new["metadata"], &old["metadata"], "labels");
    },
    validate: |deployment, faults| {
        Meta::NAMESPACED.check(deployment, faults);
        check_spec(&deployment.at("spec"), faults);
    },
    validate_update: |new, old, faults| {
        metadata::check_update(new, old, faults);
        check_spec(&new.at("spec"), faults);
        faults.immutable(&new.at("spec.selector"), &old.at("spec.selector"));
    },
    validate_status: |new, old, faults| {
        metadata::check_update(new, old, faults);
        check_status(&new.at("status"), faults);
        super::check_collisions(new, old, faults);
    },
};

fn default(deployment: &mut Value) {
    if let Some(fields) = deployment.as_object_mut() {
        fill(fields, "status", json!({}));
    }
    let Some(spec) = fields_at(deployment, "spec") else { return };
    fill(spec, "replicas", 1);
    if let Some(strategy) = make(spec, "strategy") {
        fill_zero(strategy, "type", "RollingUpdate");
        if text(strategy, "type") == "RollingUpdate"
            && let Some(update) = make(strategy, "rollingUpdate")
        {
            fill(update, "maxUnavailable", "25%");
            fill(update, "maxSurge", "25%");
        }
    }
    fill(spec, "revisionHistoryLimit", 10);
    fill(spec, "progressDeadlineSeconds", 600);
    pod::default_template(spec, "template");
}

fn check_spec(spec: &Field<'_>, faults: &mut Faults) {
    faults.nonnegative(&spec.at("replicas"));
    let (selector, template) = (spec.at("selector"), spec.at("template"));
    check_selector(&selector, "deployment", faults);
    match check_match(&selector, &template, faults) {
        None => faults.wrong(&selector, "invalid label selector"),
        Some(()) => check_template(&template, "ReplicaSet", faults),
    }
    check_strategy(&spec.at("strategy"), faults);
    faults.nonnegative(&spec.at("minReadySeconds"));
    faults.nonnegative(&spec.at("revisionHistoryLimit"));
    let deadline = spec.at("progressDeadlineSeconds");
    if let Some(seconds) = deadline.number() {
        faults.nonnegative(&deadline);
        if seconds <= spec.number_at("minReadySeconds") {
            faults.invalid(&deadline, seconds, "must be greater than minReadySeconds");
        }
    }
}

fn check_strategy(strategy: &Field<'_>, faults: &mut Faults) {
    let update = strategy.at("rollingUpdate");
    match strategy.text_at("type") {
        "Recreate" if update.is_set() => {
            faults.forbidden(&update, "may not be specified when strategy `type` is 'Recreate'");
        }
        "Recreate" => {}
        "RollingUpdate" if !update.is_set() => {
            faults.required(&update, "this should be defaulted and never be nil");
        }
        "RollingUpdate" => {
            let (unavailable, surge) = (update.at("maxUnavailable"), update.at("maxSurge"));
            rollout::check(&unavailable, faults);
            rollout::check(&surge, faults);
            if rollout::amount(&unavailable) == 0 && rollout::amount(&surge) == 0 {
                faults.wrong(&unavailable, "may not be 0 when `maxSurge` is 0");
            }
            rollout::check_at_most_all(&unavailable, faults);
        }
        _ => faults.unsupported(strategy, &["Recreate", "RollingUpdate"]),
    }
}

fn check_status(status: &Field<'_>, faults: &mut Faults) {
    const COUNTS: [&str; 7] = [
        "observedGeneration",
        "replicas",
        "updatedReplicas",
        "readyReplicas",
        "availableReplicas",
        "unavailableReplicas",
        "collisionCount",
    ];
    check_counts(status, &COUNTS, faults);
    check_replicas(
        status,
        &["updatedReplicas", "readyReplicas", "availableReplicas"],
        "readyReplicas",
        faults,
    );
}
