//! One claim: binds it, has a volume made for it, or says what it waits for.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{Node, ObjectReference, PersistentVolume, PersistentVolumeClaim};
use k8s_openapi::api::storage::v1::StorageClass;
use serde_json::json;

use super::volume::{claim_key, refers};
use super::{local_path, matching, protection};
use crate::informer::Key;
use crate::plan::{Action, Plan, difference};
use crate::recorder::Note;

pub(super) const BIND_COMPLETED: &str = "pv.kubernetes.io/bind-completed";
pub(super) const BY_CONTROLLER: &str = "pv.kubernetes.io/bound-by-controller";
const PROVISIONER: &str = "volume.kubernetes.io/storage-provisioner";
const BETA_PROVISIONER: &str = "volume.beta.kubernetes.io/storage-provisioner";
const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";

/// Who is going to use a claim.
#[derive(Clone, Debug)]
pub enum Consumer {
    /// Nobody yet.
    None,
    /// A pod of this name that has no node yet.
    Waiting(String),
    /// A pod on this node.
    On(Arc<Node>),
}

/// What a claim is planned from.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The claim.
    pub claim: Arc<PersistentVolumeClaim>,
    /// All volumes.
    pub volumes: Vec<Arc<PersistentVolume>>,
    /// The claim's class, where there is one of its name.
    pub class: Option<Arc<StorageClass>>,
    /// The name of the default class.
    pub default: Option<String>,
    /// Who is going to use it.
    pub consumer: Consumer,
    /// Whether a pod on a node uses it.
    pub used: bool,
}

/// Whether the claim has been bound for good.
pub(super) fn is_bound(claim: &PersistentVolumeClaim) -> bool {
    claim.metadata.annotations.as_ref().is_some_and(|annotations| annotations.contains_key(BIND_COMPLETED))
}

/// Binds, provisions or waits; `base` is the directory of local volumes. A claim being deleted is let
/// go when no pod on a node uses it.
pub fn plan_claim(snapshot: &Snapshot, base: &str) -> Plan {
    let mut plan = Plan::default();
    let claim = &*snapshot.claim;
    if claim.metadata.deletion_timestamp.is_some() {
        let release = (!snapshot.used).then(|| protection::remove(claim, protection::CLAIM)).flatten();
        plan.then(release.into_iter().collect());
        return plan;
    }
    if let Some(protect) = protection::add(claim, protection::CLAIM) {
        plan.then(vec![protect]);
        return plan;
    }
    let name = claim.spec.as_ref().and_then(|spec| spec.volume_name.as_deref()).unwrap_or_default();
    let named = snapshot.volumes.iter().find(|volume| volume.metadata.name.as_deref() == Some(name));
    match (is_bound(claim), name.is_empty()) {
        (true, _) => keep(claim, named.map(|volume| &**volume), &mut plan),
        (false, false) => bind_named(claim, name, named.map(|volume| &**volume), &mut plan),
        (false, true) => find(snapshot, base, &mut plan),
    }
    plan
}

/// A claim that was bound stays so, or is Lost.
fn keep(claim: &PersistentVolumeClaim, volume: Option<&PersistentVolume>, plan: &mut Plan) {
    let unnamed = claim.spec.as_ref().is_none_or(|spec| spec.volume_name.is_none());
    match volume {
        None if unnamed => {
            let message = "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!";
            lose(claim, "ClaimLost", message, plan);
        }
        None => {
            let message = "Bound claim has lost its PersistentVolume. Data on the volume is lost!";
            lose(claim, "ClaimLost", message, plan);
        }
        Some(volume) if claim_key(volume).is_none() || refers(volume, claim) => bind(claim, volume, plan),
        Some(_) => {
            let message = "Two claims are bound to the same volume, this one is bound incorrectly";
            lose(claim, "ClaimMisbound", message, plan);
        }
    }
}

fn lose(claim: &PersistentVolumeClaim, reason: &str, message: &str, plan: &mut Plan) {
    if phase(claim) != "Lost" {
        plan.notes.push(Note::warning(claim, reason, message));
        plan.then(vec![Action::status(claim, &json!({ "phase": "Lost" }))]);
    }
}

fn phase(claim: &PersistentVolumeClaim) -> &str {
    claim.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or_default()
}

/// The user has chosen the volume.
fn bind_named(claim: &PersistentVolumeClaim, name: &str, volume: Option<&PersistentVolume>, plan: &mut Plan) {
    let Some(volume) = volume else { return wait(claim, None, plan) };
    let mismatch = matching::mismatch(volume, claim);
    match (claim_key(volume), mismatch) {
        (Some(_), _) if !is_meant(volume, claim) => {
            let message = format!("volume {name:?} already bound to a different claim.");
            wait(claim, Some(Note::warning(claim, "FailedBinding", message)), plan);
        }
        (_, Some(mismatch)) => {
            let message = format!("Cannot bind to requested volume {name:?}: {mismatch}");
            wait(claim, Some(Note::warning(claim, "VolumeMismatch", message)), plan);
        }
        (_, None) => bind(claim, volume, plan),
    }
}

/// Whether the volume names this claim, by its uid where it has one.
fn is_meant(volume: &PersistentVolume, claim: &PersistentVolumeClaim) -> bool {
    let reference = volume.spec.as_ref().and_then(|spec| spec.claim_ref.as_ref());
    let uid = reference.and_then(|reference| reference.uid.as_deref()).unwrap_or_default();
    claim_key(volume) == Some(Key::of(claim))
        && (uid.is_empty() || claim.metadata.uid.as_deref() == Some(uid))
}

fn wait(claim: &PersistentVolumeClaim, note: Option<Note>, plan: &mut Plan) {
    plan.notes.extend(note);
    if phase(claim) != "Pending" {
        plan.then(vec![Action::status(claim, &json!({ "phase": "Pending" }))]);
    }
}

/// A volume meant for the claim first, then one that fits, then a new one.
fn find(snapshot: &Snapshot, base: &str, plan: &mut Plan) {
    let claim = &*snapshot.claim;
    let volumes = || snapshot.volumes.iter().map(|volume| &**volume);
    let meant =
        volumes().find(|volume| is_meant(volume, claim) && matching::mismatch(volume, claim).is_none());
    if let Some(volume) = meant {
        return bind(claim, volume, plan);
    }
    let mode = snapshot.class.as_ref().and_then(|class| class.volume_binding_mode.as_deref());
    let delayed = mode == Some("WaitForFirstConsumer");
    let found = match &snapshot.consumer {
        Consumer::On(node) if delayed => matching::best(claim, volumes(), Some(node)),
        _ if delayed => None,
        _ => matching::best(claim, volumes(), None),
    };
    match found {
        Some(volume) => bind(claim, volume, plan),
        None => provision(snapshot, delayed, base, plan),
    }
}

fn provision(snapshot: &Snapshot, delayed: bool, base: &str, plan: &mut Plan) {
    let claim = &*snapshot.claim;
    let normal = |reason: &str, message: &str| Some(Note::normal(claim, reason, message));
    let unset = claim.spec.as_ref().is_none_or(|spec| spec.storage_class_name.is_none());
    let name = matching::class(claim);
    let Some(class) = &snapshot.class else {
        return match &snapshot.default {
            Some(default) if unset => {
                let meta = json!({ "uid": claim.metadata.uid });
                let body = json!({ "metadata": meta, "spec": { "storageClassName": default } });
                plan.then(vec![Action::merge(claim, body)]);
            }
            _ if name.is_empty() => {
                let message = "no persistent volumes available for this claim and no storage class is set";
                wait(claim, normal("FailedBinding", message), plan);
            }
            _ => {
                let message = format!("storageclass.storage.k8s.io {name:?} not found");
                wait(claim, Some(Note::warning(claim, "ProvisioningFailed", message)), plan);
            }
        };
    };
    match &snapshot.consumer {
        Consumer::None if delayed => {
            let message = "waiting for first consumer to be created before binding";
            wait(claim, normal("WaitForFirstConsumer", message), plan);
        }
        Consumer::Waiting(pod) if delayed => {
            let message = format!("waiting for pod {pod} to be scheduled");
            wait(claim, normal("WaitForPodScheduled", &message), plan);
        }
        Consumer::On(node) => make(claim, class, Some(node), base, plan),
        _ => make(claim, class, None, base, plan),
    }
}

fn make(
    claim: &PersistentVolumeClaim,
    class: &StorageClass,
    node: Option<&Node>,
    base: &str,
    plan: &mut Plan,
) {
    if class.provisioner == local_path::PROVISIONER {
        return make_local(claim, class, node, base, plan);
    }
    if class.provisioner == "kubernetes.io/no-provisioner" {
        let message = format!("no volume plugin matched name: {}", class.provisioner);
        return wait(claim, Some(Note::warning(claim, "ProvisioningFailed", message)), plan);
    }
    let message = format!(
        "Waiting for a volume to be created either by the external provisioner '{}' or manually by the \
         system administrator. If volume creation is delayed, please verify that the provisioner is running \
         and correctly registered.",
        class.provisioner
    );
    wait(claim, Some(Note::normal(claim, "ExternalProvisioning", message)), plan);
    plan.then(announce(claim, class, node).into_iter().collect());
}

/// Says on the claim who makes its volume, and where.
fn announce(claim: &PersistentVolumeClaim, class: &StorageClass, node: Option<&Node>) -> Option<Action> {
    let told = claim.metadata.annotations.clone().unwrap_or_default();
    let mut wanted = told.clone();
    wanted.insert(PROVISIONER.into(), class.provisioner.clone());
    wanted.insert(BETA_PROVISIONER.into(), class.provisioner.clone());
    if let Some(node) = node.and_then(|node| node.metadata.name.clone()) {
        wanted.entry(SELECTED_NODE.into()).or_insert(node);
    }
    let annotations = difference(&json!(told), &json!(wanted))?;
    let meta = json!({ "uid": claim.metadata.uid, "annotations": annotations });
    Some(Action::merge(claim, json!({ "metadata": meta })))
}

fn make_local(
    claim: &PersistentVolumeClaim,
    class: &StorageClass,
    node: Option<&Node>,
    base: &str,
    plan: &mut Plan,
) {
    let failed = |message: &str| Some(Note::warning(claim, "ProvisioningFailed", message));
    let block = claim.spec.as_ref().and_then(|spec| spec.volume_mode.as_deref()) == Some("Block");
    let Some(node) = node else {
        let message = "local-path volumes need a class with volumeBindingMode WaitForFirstConsumer, or a pod \
                       on a node that uses the claim";
        return wait(claim, failed(message), plan);
    };
    if block {
        return wait(claim, failed("local-path volumes cannot be of volumeMode Block"), plan);
    }
    let volume = local_path::volume(claim, reference(claim), class, node, base);
    let name = local_path::volume_name(claim);
    let message = format!("Successfully provisioned volume {name} using {}", class.provisioner);
    wait(claim, None, plan);
    plan.then(announce(claim, class, Some(node)).into_iter().collect());
    let created = Action::create(&volume)
        .on_success(Note::normal(claim, "ProvisioningSucceeded", message))
        .on_failure(Note::warning(claim, "ProvisioningFailed", "Error saving claim's volume: {error}"));
    plan.then(vec![created.lenient()]);
}

fn reference(claim: &PersistentVolumeClaim) -> ObjectReference {
    ObjectReference {
        api_version: Some("v1".into()),
        kind: Some("PersistentVolumeClaim".into()),
        namespace: claim.metadata.namespace.clone(),
        name: claim.metadata.name.clone(),
        uid: claim.metadata.uid.clone(),
        resource_version: claim.metadata.resource_version.clone(),
        field_path: None,
    }
}

/// First the volume, then the claim, then what the claim says of it. The volume's revision is a
/// precondition, so that of two claims only one gets it.
fn bind(claim: &PersistentVolumeClaim, volume: &PersistentVolume, plan: &mut Plan) {
    if !refers(volume, claim) {
        let meta = &volume.metadata;
        let mut body = json!({
            "metadata": { "uid": meta.uid, "resourceVersion": meta.resource_version },
            "spec": { "claimRef": reference(claim) },
        });
        if claim_key(volume).is_none() {
            body["metadata"]["annotations"] = json!({ BY_CONTROLLER: "yes" });
        }
        plan.then(vec![Action::merge(volume, body)]);
    }
    plan.then(point(claim, volume).into_iter().collect());
    let spec = volume.spec.as_ref();
    let old = claim.status.as_ref();
    let shown = json!({
        "phase": phase(claim),
        "accessModes": old.and_then(|status| status.access_modes.as_ref()),
        "capacity": old.and_then(|status| status.capacity.as_ref()),
    });
    let new = json!({
        "phase": "Bound",
        "accessModes": spec.and_then(|spec| spec.access_modes.as_ref()),
        "capacity": spec.and_then(|spec| spec.capacity.as_ref()),
    });
    plan.then(difference(&shown, &new).map(|change| Action::status(claim, &change)).into_iter().collect());
}

/// Makes the claim name its volume.
fn point(claim: &PersistentVolumeClaim, volume: &PersistentVolume) -> Option<Action> {
    if is_bound(claim) {
        return None;
    }
    let unnamed =
        claim.spec.as_ref().is_none_or(|spec| spec.volume_name.as_ref().is_none_or(String::is_empty));
    let mut body =
        json!({ "metadata": { "uid": claim.metadata.uid, "annotations": { BIND_COMPLETED: "yes" } } });
    if unnamed {
        body["metadata"]["annotations"][BY_CONTROLLER] = json!("yes");
        body["spec"] = json!({ "volumeName": volume.metadata.name });
    }
    Some(Action::merge(claim, body))
}
