//! One volume: its phase, and what becomes of it when its claim is gone.

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use serde_json::json;

use super::claim::BY_CONTROLLER;
use super::{local_path, protection};
use crate::informer::Key;
use crate::plan::{Action, Plan};
use crate::recorder::Note;

/// The name of the claim that the volume names.
pub(super) fn claim_key(volume: &PersistentVolume) -> Option<Key> {
    let reference = volume.spec.as_ref()?.claim_ref.as_ref()?;
    Some(Key::new(
        reference.namespace.clone().unwrap_or_default(),
        reference.name.clone().unwrap_or_default(),
    ))
}

/// Whether the volume names just this claim, by its uid.
pub(super) fn refers(volume: &PersistentVolume, claim: &PersistentVolumeClaim) -> bool {
    claim_key(volume) == Some(Key::of(claim))
        && uid(volume).is_some()
        && uid(volume) == claim.metadata.uid.as_deref()
}

/// The uid of the claim that the volume is bound to; none where it is only reserved.
pub(super) fn uid(volume: &PersistentVolume) -> Option<&str> {
    let reference = volume.spec.as_ref()?.claim_ref.as_ref()?;
    reference.uid.as_deref().filter(|uid| !uid.is_empty())
}

fn phase(volume: &PersistentVolume) -> &str {
    volume.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or_default()
}

/// Sets the volume's phase and reclaims it; `claim` is what a live read shows under the name in its
/// `claimRef`, `homeless` says that the node with its data is gone.
pub fn plan_volume(volume: &PersistentVolume, claim: Option<&PersistentVolumeClaim>, homeless: bool) -> Plan {
    let mut plan = Plan::default();
    if volume.metadata.deletion_timestamp.is_some() {
        let claimed = claim.is_some_and(|claim| refers(volume, claim));
        if homeless
            && !claimed
            && let Some(release) = protection::remove(volume, local_path::PROVISIONER)
        {
            plan.then(vec![release]);
        } else if phase(volume) != "Bound" {
            plan.then(protection::remove(volume, protection::VOLUME).into_iter().collect());
        } else if !claimed {
            set(volume, "Released", &mut plan);
        }
        return plan;
    }
    if let Some(protect) = protection::add(volume, protection::VOLUME) {
        plan.then(vec![protect]);
        return plan;
    }
    match (uid(volume), claim) {
        (None, _) => set(volume, "Available", &mut plan),
        (Some(_), Some(claim)) if refers(volume, claim) => follow(volume, claim, &mut plan),
        (Some(_), _) => reclaim(volume, &mut plan),
    }
    plan
}

fn set(volume: &PersistentVolume, wanted: &str, plan: &mut Plan) {
    if phase(volume) != wanted {
        plan.then(vec![Action::status(volume, &json!({ "phase": wanted, "message": null, "reason": null }))]);
    }
}

/// The claim exists: it has this volume, is about to have it, or has another.
fn follow(volume: &PersistentVolume, claim: &PersistentVolumeClaim, plan: &mut Plan) {
    let named = claim.spec.as_ref().and_then(|spec| spec.volume_name.as_deref()).unwrap_or_default();
    if Some(named) == volume.metadata.name.as_deref() {
        set(volume, "Bound", plan);
    } else if !named.is_empty() {
        unbind(volume, plan);
    }
}

/// A volume that was made for the claim goes; one that the controller chose is free again; one that
/// a user reserved stays reserved.
fn unbind(volume: &PersistentVolume, plan: &mut Plan) {
    let annotations = volume.metadata.annotations.as_ref();
    let by_controller = annotations.is_some_and(|annotations| annotations.contains_key(BY_CONTROLLER));
    if local_path::node_of(volume).is_some() && policy(volume) == "Delete" {
        return reclaim(volume, plan);
    }
    let meta = json!({ "uid": volume.metadata.uid, "resourceVersion": volume.metadata.resource_version });
    let mut body =
        json!({ "metadata": meta, "spec": { "claimRef": { "uid": null, "resourceVersion": null } } });
    if by_controller {
        body["metadata"]["annotations"] = json!({ BY_CONTROLLER: null });
        body["spec"] = json!({ "claimRef": null });
    }
    plan.then(vec![Action::merge(volume, body)]);
    set(volume, "Available", plan);
}

fn policy(volume: &PersistentVolume) -> &str {
    let policy = volume.spec.as_ref().and_then(|spec| spec.persistent_volume_reclaim_policy.as_deref());
    policy.unwrap_or("Retain")
}

/// The claim is gone.
fn reclaim(volume: &PersistentVolume, plan: &mut Plan) {
    if phase(volume) == "Failed" {
        return;
    }
    set(volume, "Released", plan);
    let annotations = volume.metadata.annotations.as_ref();
    let maker = annotations.and_then(|annotations| annotations.get(local_path::PROVISIONED_BY));
    match (policy(volume), maker.map(String::as_str)) {
        ("Delete", Some(local_path::PROVISIONER)) => plan.then(vec![Action::delete(volume)]),
        // Its own provisioner deletes it.
        ("Delete", Some(_)) => {}
        ("Delete", None) => fail(volume, "VolumeFailedDelete", "delet", plan),
        ("Recycle", _) => fail(volume, "VolumeFailedRecycle", "recycl", plan),
        _ => {}
    }
}

fn fail(volume: &PersistentVolume, reason: &str, verb: &str, plan: &mut Plan) {
    let name = volume.metadata.name.as_deref().unwrap_or_default();
    let message = format!(
        "error getting {verb}er volume plugin for volume {name:?}: no {verb}able volume plugin matched"
    );
    plan.notes.push(Note::warning(volume, reason, message.clone()));
    plan.then(vec![Action::status(
        volume,
        &json!({ "phase": "Failed", "message": message, "reason": null }),
    )]);
}
