//! DaemonSets.

use serde_json::Value;

use super::{check_counts, check_template, rollout};
use crate::strategy::field::{Faults, Field};
use crate::strategy::metadata::{self, Meta};
use crate::strategy::tree::{fields_at, fill, fill_zero, make, same, text};
use crate::strategy::{Generation, Strategy, keep_status, pod};

pub(super) const ROW: Strategy = Strategy {
    group: "apps",
    kind: "DaemonSet",
    generation: Generation::OfSpec,
    default,
    prepare_create: |set| {
        super::zero_status(set, &COUNTS[..4]);
        api::meta::set_annotation(set, TEMPLATE_GENERATION, "1");
    },
    prepare_update,
    validate: |set, faults| {
        Meta::NAMESPACED.check(set, faults);
        check_spec(&set.at("spec"), faults);
    },
    validate_update: |new, old, faults| {
        metadata::check_update(new, old, faults);
        check_spec(&new.at("spec"), faults);
        faults.immutable(&new.at("spec.selector"), &old.at("spec.selector"));
    },
    validate_status: |new, old, faults| {
        metadata::check_update(new, old, faults);
        check_counts(&new.at("status"), &COUNTS, faults);
        super::check_collisions(new, old, faults);
    },
    ..Strategy::DEFAULT
};

/// The counts of its status; the first four are written even when zero.
const COUNTS: [&str; 9] = [
    "currentNumberScheduled",
    "numberMisscheduled",
    "desiredNumberScheduled",
    "numberReady",
    "observedGeneration",
    "updatedNumberScheduled",
    "numberAvailable",
    "numberUnavailable",
    "collisionCount",
];

/// Where the number of the template lives since the field is gone.
const TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";

fn default(set: &mut Value) {
    if set.get("status").is_none_or(Value::is_null) {
        super::zero_status(set, &COUNTS[..4]);
    }
    let Some(spec) = fields_at(set, "spec") else { return };
    if let Some(strategy) = make(spec, "updateStrategy") {
        fill_zero(strategy, "type", "RollingUpdate");
        if text(strategy, "type") == "RollingUpdate"
            && let Some(update) = make(strategy, "rollingUpdate")
        {
            fill(update, "maxUnavailable", 1);
            fill(update, "maxSurge", 0);
        }
    }
    fill(spec, "revisionHistoryLimit", 10);
    pod::default_template(spec, "template");
}

fn prepare_update(new: &mut Value, old: &Value) {
    keep_status(new, old);
    let before = api::meta::annotation(old, TEMPLATE_GENERATION).and_then(|text| text.parse::<i64>().ok());
    let changed = !same(&new["spec"]["template"], &old["spec"]["template"]);
    let generation = before.unwrap_or(0) + i64::from(changed);
    api::meta::set_annotation(new, TEMPLATE_GENERATION, &generation.to_string());
}

fn check_spec(spec: &Field<'_>, faults: &mut Faults) {
    let (selector, template) = (spec.at("selector"), spec.at("template"));
    metadata::selector(&selector, faults);
    let labels = template.at("metadata.labels");
    if !selector.is_set() || metadata::selects(&selector, &labels) == Some(false) {
        faults.invalid(&labels, labels.value().clone(), super::MISMATCH);
    }
    if selector.is_set() && metadata::selects_all(&selector) {
        faults.wrong(&selector, "empty selector is invalid for daemonset");
    }
    check_template(&template, "DaemonSet", faults);
    faults.nonnegative(&spec.at("minReadySeconds"));
    check_strategy(&spec.at("updateStrategy"), faults);
    faults.nonnegative(&spec.at("revisionHistoryLimit"));
}

fn check_strategy(strategy: &Field<'_>, faults: &mut Faults) {
    let update = strategy.at("rollingUpdate");
    match strategy.text_at("type") {
        "OnDelete" => {}
        "RollingUpdate" if !update.is_set() => faults.required(&update, ""),
        "RollingUpdate" => {
            let (unavailable, surge) = (update.at("maxUnavailable"), update.at("maxSurge"));
            rollout::check(&unavailable, faults);
            rollout::check(&surge, faults);
            rollout::check_at_most_all(&unavailable, faults);
            rollout::check_at_most_all(&surge, faults);
            match (rollout::amount(&unavailable) != 0, rollout::amount(&surge) != 0) {
                (true, true) => faults.wrong(&surge, "may not be set when maxUnavailable is non-zero"),
                (false, false) => faults.required(&unavailable, "cannot be 0 when maxSurge is 0"),
                _ => {}
            }
        }
        _ => faults.unsupported(strategy, &["RollingUpdate", "OnDelete"]),
    }
}
