//! What to do with one object, given what its owners and dependents are now.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use serde_json::{Value, json};

use crate::informer::Key;
use crate::plan::{Action, Collection, Form, Plan, Propagation, Target};

const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";

/// What a reference points to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// It exists.
    Present,
    /// It does not exist, or another object has its name.
    Absent,
    /// It is being deleted in the foreground.
    WaitingForDependents,
}

/// An object that names this one as an owner.
#[derive(Clone, Debug)]
pub(super) struct Dependent {
    pub(super) uid: String,
    pub(super) name: String,
    pub(super) collection: Collection,
    pub(super) blocks: bool,
    pub(super) deleting_dependents: bool,
    /// Its live metadata; only read where it is to be orphaned.
    pub(super) meta: Option<ObjectMeta>,
}

/// An object and all that decides about it.
#[derive(Clone, Debug)]
pub(super) struct Situation {
    pub(super) collection: Collection,
    pub(super) key: Key,
    /// Read live.
    pub(super) meta: ObjectMeta,
    pub(super) owners: Vec<(OwnerReference, Owner)>,
    pub(super) dependents: Vec<Dependent>,
}

fn has_finalizer(meta: &ObjectMeta, name: &str) -> bool {
    meta.finalizers.iter().flatten().any(|finalizer| finalizer == name)
}

/// Being deleted, its dependents first.
pub(super) fn is_foreground(meta: &ObjectMeta) -> bool {
    meta.deletion_timestamp.is_some() && has_finalizer(meta, FOREGROUND)
}

/// Being deleted, its dependents to be left.
pub(super) fn is_orphaning(meta: &ObjectMeta) -> bool {
    meta.deletion_timestamp.is_some() && has_finalizer(meta, ORPHAN)
}

pub(super) fn plan(situation: &Situation) -> Plan {
    let mut plan = Plan::default();
    let meta = &situation.meta;
    if is_orphaning(meta) {
        plan.then(situation.dependents.iter().filter_map(|dependent| disown(dependent, meta)).collect());
        plan.then(vec![drop_finalizer(situation, ORPHAN)]);
    } else if is_foreground(meta) {
        if !situation.dependents.iter().any(|dependent| dependent.blocks) {
            plan.then(vec![drop_finalizer(situation, FOREGROUND)]);
        }
    } else if meta.deletion_timestamp.is_none() {
        judge(situation, &mut plan);
    }
    plan
}

/// Dependents that a foreground deletion waits for and that must be looked at to begin it.
pub(super) fn to_visit(situation: &Situation) -> Vec<String> {
    if !is_foreground(&situation.meta) {
        return Vec::new();
    }
    let idle =
        situation.dependents.iter().filter(|dependent| dependent.blocks && !dependent.deleting_dependents);
    idle.map(|dependent| dependent.uid.clone()).collect()
}

fn judge(situation: &Situation, plan: &mut Plan) {
    let count = |state| situation.owners.iter().filter(|(_, owner)| *owner == state).count();
    let (present, waiting) = (count(Owner::Present), count(Owner::WaitingForDependents));
    if situation.owners.is_empty() || present == situation.owners.len() {
        return;
    }
    if present > 0 {
        // One owner keeps it: only the references that no longer count go.
        let keeps = |(reference, owner): &(OwnerReference, Owner)| {
            (*owner == Owner::Present).then(|| reference.clone())
        };
        let left = situation.owners.iter().filter_map(keeps).collect::<Vec<_>>();
        plan.then(vec![patch(situation, &json!({ "ownerReferences": left }))]);
    } else if waiting > 0 && !situation.dependents.is_empty() {
        if situation.dependents.iter().any(|dependent| dependent.deleting_dependents) {
            // Objects that wait for each other in a circle: this one lets go.
            plan.then(vec![patch(situation, &json!({ "ownerReferences": unblocked(situation) }))]);
        }
        plan.then(vec![delete(situation, Propagation::Foreground)]);
    } else {
        plan.then(vec![delete(situation, own_propagation(&situation.meta))]);
    }
}

/// A finalizer set beforehand says how the object wants to go.
fn own_propagation(meta: &ObjectMeta) -> Propagation {
    if has_finalizer(meta, ORPHAN) {
        Propagation::Orphan
    } else if has_finalizer(meta, FOREGROUND) {
        Propagation::Foreground
    } else {
        Propagation::Background
    }
}

fn unblocked(situation: &Situation) -> Vec<OwnerReference> {
    let unblock = |(reference, _): &(OwnerReference, Owner)| OwnerReference {
        block_owner_deletion: Some(false),
        ..reference.clone()
    };
    situation.owners.iter().map(unblock).collect()
}

fn target(situation: &Situation) -> Target {
    let uid = situation.meta.uid.clone().unwrap_or_default();
    Target { collection: situation.collection.clone(), name: situation.key.name.clone(), uid }
}

fn delete(situation: &Situation, propagation: Propagation) -> Action {
    Action::remove(target(situation), None, propagation)
}

/// A merge patch of metadata, which custom resources understand too: lists are sent whole, so the
/// revision that was read is a precondition.
fn patch(situation: &Situation, change: &Value) -> Action {
    Action::patch(target(situation), "", Form::Merge, body(&situation.meta, change)).lenient()
}

fn body(meta: &ObjectMeta, change: &Value) -> Value {
    let mut metadata = json!({ "uid": meta.uid, "resourceVersion": meta.resource_version });
    for (field, value) in change.as_object().into_iter().flatten() {
        metadata[field] = value.clone();
    }
    json!({ "metadata": metadata })
}

fn drop_finalizer(situation: &Situation, name: &str) -> Action {
    let left: Vec<&String> = situation.meta.finalizers.iter().flatten().filter(|own| *own != name).collect();
    patch(situation, &json!({ "finalizers": left }))
}

fn disown(dependent: &Dependent, owner: &ObjectMeta) -> Option<Action> {
    let meta = dependent.meta.as_ref()?;
    let references = meta.owner_references.as_ref()?;
    let left: Vec<&OwnerReference> =
        references.iter().filter(|own| Some(&own.uid) != owner.uid.as_ref()).collect();
    if left.len() == references.len() {
        return None;
    }
    let target = Target {
        collection: dependent.collection.clone(),
        name: dependent.name.clone(),
        uid: dependent.uid.clone(),
    };
    let body = body(meta, &json!({ "ownerReferences": left }));
    Some(Action::patch(target, "", Form::Merge, body).lenient())
}
