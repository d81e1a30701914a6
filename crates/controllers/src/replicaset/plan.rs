//! Which pods to create, delete, adopt and release.

use std::collections::HashMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;

use super::{Replicated, Replicator, status, victims};
use crate::owner::{Claimed, claim_all};
use crate::plan::{Action, Plan};
use crate::pod;
use crate::recorder::Note;

/// At most so many pods are created or deleted in one go.
const BURST: usize = 500;

/// What a ReplicaSet's plan is made from.
#[derive(Clone, Debug)]
pub struct Snapshot<K> {
    /// The set.
    pub set: Replicator<K>,
    /// The pods it controls, and the pods of its namespace without a controller.
    pub pods: Vec<Arc<Pod>>,
    /// Active pods of other sets with the same controller, which count when victims are ranked.
    pub related: Vec<Arc<Pod>>,
}

impl<K: Replicated> Snapshot<K> {
    pub(super) fn claimed(&self) -> Claimed<Arc<Pod>> {
        let active = self.pods.iter().filter(|pod| pod::is_active(pod)).cloned();
        claim_all::<K, Pod, _>(&self.set.object, &self.set.selector, active, None)
    }
}

/// Adoptions and releases first, then pods are created or deleted. A set that is being deleted
/// changes nothing.
pub fn plan<K: Replicated>(snapshot: &Snapshot<K>, now: Timestamp) -> Plan {
    let claimed = snapshot.claimed();
    let mut plan = Plan::default();
    if !claimed.adopt.is_empty() {
        plan.then(vec![Action::verify(&*snapshot.set.object)]);
    }
    plan.then(claimed.adopt);
    plan.then(claimed.release);
    if snapshot.set.object.meta().deletion_timestamp.is_none() {
        scale(snapshot, &claimed.ours, now, &mut plan);
    }
    plan
}

fn scale<K: Replicated>(snapshot: &Snapshot<K>, active: &[Arc<Pod>], now: Timestamp, plan: &mut Plan) {
    let wanted = usize::try_from(snapshot.set.replicas).unwrap_or(0);
    if active.len() < wanted {
        let missing = (wanted - active.len()).min(BURST);
        plan.then_slowly((0..missing).map(|_| create(&snapshot.set)).collect());
    } else if active.len() > wanted {
        let surplus = (active.len() - wanted).min(BURST);
        let victims = victims::choose(active, &ranks(snapshot, active), surplus, now);
        plan.then(victims.iter().map(|pod| delete(&snapshot.set, pod)).collect());
    }
}

/// How many active pods of the same controller share the node of each pod.
fn ranks<K>(snapshot: &Snapshot<K>, active: &[Arc<Pod>]) -> HashMap<String, usize> {
    let mut ranks = HashMap::new();
    for pod in active.iter().chain(&snapshot.related) {
        if let Some(node) = pod.spec.as_ref().and_then(|spec| spec.node_name.clone()) {
            *ranks.entry(node).or_default() += 1;
        }
    }
    ranks
}

fn create<K: Replicated>(set: &Replicator<K>) -> Action {
    let owner = &*set.object;
    Action::create(&pod::from_template(owner, &set.template))
        .on_success(Note::normal(owner, "SuccessfulCreate", "Created pod: {name}"))
        .on_failure(Note::warning(owner, "FailedCreate", "Error creating: {error}"))
}

fn delete<K: Replicated>(set: &Replicator<K>, pod: &Pod) -> Action {
    let owner = &*set.object;
    let failed = format!("Error deleting: pods {:?}: {{error}}", pod.name_any());
    Action::delete(pod)
        .on_success(Note::normal(owner, "SuccessfulDelete", "Deleted pod: {name}"))
        .on_failure(Note::warning(owner, "FailedDelete", failed))
}

/// The status patch and when to look again; `failure` is what stopped [`plan`]'s writes, if anything.
pub fn plan_status<K: Replicated>(snapshot: &Snapshot<K>, failure: Option<&str>, now: Timestamp) -> Plan {
    status::plan(snapshot, failure, now)
}
