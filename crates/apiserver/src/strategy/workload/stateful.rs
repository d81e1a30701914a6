//! StatefulSets.

use api::meta::name;
use serde_json::{Value, json};

use super::{check_counts, check_endless, check_match, check_replicas, check_selector, rollout};
use crate::strategy::field::{Faults, Field};
use crate::strategy::metadata::{self, Meta, Scope};
use crate::strategy::tree::{self, each, fields_at, fill, fill_zero, inner, make, same, text};
use crate::strategy::{Generation, Strategy, keep_status, pod};

pub(super) const ROW: Strategy = Strategy {
    group: "apps",
    kind: "StatefulSet",
    generation: Generation::OfSpec,
    default,
    prepare_create: |set| super::zero_status(set, &["replicas", "availableReplicas"]),
    prepare_update: keep_status,
    validate: |set, faults| {
        Meta { scope: Scope::Namespaced, name: name::dns1123_label }.check(set, faults);
        check_spec(&set.at("spec"), faults);
    },
    validate_update,
    validate_status,
    ..Strategy::DEFAULT
};

fn default(set: &mut Value) {
    if let Some(fields) = set.as_object_mut() {
        fill(fields, "status", json!({"replicas": 0, "availableReplicas": 0}));
    }
    let Some(spec) = fields_at(set, "spec") else { return };
    fill_zero(spec, "podManagementPolicy", "OrderedReady");
    if let Some(strategy) = make(spec, "updateStrategy") {
        if text(strategy, "type").is_empty() {
            fill_zero(strategy, "type", "RollingUpdate");
            if let Some(update) = make(strategy, "rollingUpdate") {
                fill(update, "partition", 0);
            }
        } else if let Some(update) = inner(strategy, "rollingUpdate") {
            fill(update, "partition", 0);
        }
    }
    if let Some(policy) = make(spec, "persistentVolumeClaimRetentionPolicy") {
        fill_zero(policy, "whenDeleted", "Retain");
        fill_zero(policy, "whenScaled", "Retain");
    }
    fill(spec, "replicas", 1);
    fill(spec, "revisionHistoryLimit", 10);
    pod::default_template(spec, "template");
    for claim in each(spec, "volumeClaimTemplates") {
        fill(claim, "apiVersion", "v1");
        fill(claim, "kind", "PersistentVolumeClaim");
        inner(claim, "spec").into_iter().for_each(pod::claim_spec);
        make(claim, "status").into_iter().for_each(|status| fill_zero(status, "phase", "Pending"));
    }
}

fn check_spec(spec: &Field<'_>, faults: &mut Faults) {
    let management = spec.at("podManagementPolicy");
    match management.text() {
        "" => faults.required(&management, ""),
        "OrderedReady" | "Parallel" => {}
        _ => faults.wrong_text(&management, "must be 'OrderedReady' or 'Parallel'"),
    }
    check_strategy(&spec.at("updateStrategy"), faults);
    let retention = spec.at("persistentVolumeClaimRetentionPolicy");
    if retention.is_set() {
        for field in ["whenDeleted", "whenScaled"] {
            let at = retention.at(field);
            if !matches!(at.text(), "Retain" | "Delete") {
                faults.unsupported(&at, &["Retain", "Delete"]);
            }
        }
    }
    for field in ["replicas", "minReadySeconds", "ordinals.start"] {
        faults.nonnegative(&spec.at(field));
    }
    let (selector, template) = (spec.at("selector"), spec.at("template"));
    check_selector(&selector, "statefulset", faults);
    match check_match(&selector, &template, faults) {
        None => faults.wrong(&selector, ""),
        Some(()) => check_template_metadata(&template, faults),
    }
    check_endless(&template, "StatefulSet", faults);
}

/// The pods' own rules wait for the pods: claims will add to their volumes.
fn check_template_metadata(template: &Field<'_>, faults: &mut Faults) {
    let metadata = template.at("metadata");
    let (labels, annotations) = (metadata.at("labels"), metadata.at("annotations"));
    metadata::labels(&labels.moved_to(&template.at("labels")), faults);
    metadata::annotations(&annotations.moved_to(&template.at("annotations")), faults);
}

fn check_strategy(strategy: &Field<'_>, faults: &mut Faults) {
    let update = strategy.at("rollingUpdate");
    match strategy.text_at("type") {
        "" => faults.required(strategy, ""),
        "OnDelete" if update.is_set() => {
            faults.wrong(&update, "only allowed for updateStrategy 'RollingUpdate'");
        }
        "OnDelete" => {}
        "RollingUpdate" => {
            faults.nonnegative(&update.at("partition"));
            let unavailable = update.at("maxUnavailable");
            if unavailable.is_set() {
                rollout::check(&unavailable, faults);
                if rollout::amount(&unavailable) == 0 {
                    faults.wrong(&unavailable, "cannot be 0");
                }
                rollout::check_at_most_all(&unavailable, faults);
            }
        }
        _ => faults.wrong(strategy, "must be 'RollingUpdate' or 'OnDelete'"),
    }
}

fn validate_update(new: &Field<'_>, old: &Field<'_>, faults: &mut Faults) {
    const MUTABLE: [&str; 7] = [
        "replicas",
        "ordinals",
        "template",
        "updateStrategy",
        "revisionHistoryLimit",
        "persistentVolumeClaimRetentionPolicy",
        "minReadySeconds",
    ];
    metadata::check_update(new, old, faults);
    let (spec, before) = (new.at("spec"), old.at("spec"));
    check_spec(&spec, faults);
    let mut munged = spec.value().clone();
    MUTABLE.iter().for_each(|field| tree::keep(&mut munged, before.value(), field));
    if !same(&munged, before.value()) {
        faults.forbidden(
            &spec,
            "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', \
             'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
        );
    }
}

fn validate_status(new: &Field<'_>, old: &Field<'_>, faults: &mut Faults) {
    let status = new.at("status");
    let counts = [
        "replicas",
        "readyReplicas",
        "currentReplicas",
        "updatedReplicas",
        "availableReplicas",
        "observedGeneration",
        "collisionCount",
    ];
    check_counts(&status, &counts, faults);
    check_replicas(&status, &counts[1..5], "status.readyReplicas", faults);
    metadata::check_update(new, old, faults);
    super::check_collisions(new, old, faults);
}
