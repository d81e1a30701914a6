//! ReplicaSet: keeps `spec.replicas` active pods that match its selector.
//!
//! The same code serves ReplicationController: [`Replicator`] is the part that both kinds share.
//! Source: Kubernetes' documentation of ReplicaSet and the behaviour of its 1.36 controller.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use k8s_openapi::api::apps::v1::{ReplicaSet, ReplicaSetStatus};
use k8s_openapi::api::core::v1::{Pod, PodTemplateSpec};
use kube::core::{Selector, SelectorExt};

use crate::gate::Gate;
use crate::informer::{Change, Informer, Key, Kind};
use crate::queue::Queue;
use crate::{Context, Error, Reconciled, Shutdown, apply, owner, pod, run_with};

mod plan;
mod status;
pub(crate) mod victims;

pub use plan::{Snapshot, plan, plan_status};

/// The fields of a ReplicaSet or ReplicationController that decide.
#[derive(Clone, Debug)]
pub struct Replicator<K> {
    /// The object itself, as owner and target.
    pub object: Arc<K>,
    /// How many pods are wanted.
    pub replicas: i32,
    /// How long a pod must have been ready to be available, in seconds.
    pub min_ready_seconds: i32,
    /// Which pods count.
    pub selector: Selector,
    /// What new pods are made of.
    pub template: PodTemplateSpec,
    /// The status as it was last written, in ReplicaSet's shape.
    pub status: ReplicaSetStatus,
}

/// A kind that keeps a number of pods.
pub trait Replicated: Kind {
    /// Whether the kind's status has `terminatingReplicas`.
    const COUNTS_TERMINATING: bool;

    /// The kind's view as a replicator.
    ///
    /// # Errors
    /// The selector is malformed.
    fn replicator(self: Arc<Self>) -> Result<Replicator<Self>, Error>;

    /// The selector alone, for finding the owners of a pod; none where it is malformed or empty.
    fn selector(&self) -> Option<Selector>;
}

impl Replicated for ReplicaSet {
    const COUNTS_TERMINATING: bool = true;

    fn replicator(self: Arc<Self>) -> Result<Replicator<Self>, Error> {
        let spec = self.spec.clone().unwrap_or_default();
        let selector = Selector::try_from(spec.selector)
            .map_err(|error| Error::Invalid { target: Key::of(&*self), reason: error.to_string() })?;
        Ok(Replicator {
            replicas: spec.replicas.unwrap_or(1),
            min_ready_seconds: spec.min_ready_seconds.unwrap_or(0),
            selector,
            template: spec.template.unwrap_or_default(),
            status: self.status.clone().unwrap_or_default(),
            object: self,
        })
    }

    fn selector(&self) -> Option<Selector> {
        let selector = Selector::try_from(self.spec.as_ref()?.selector.clone()).ok()?;
        (!selector.selects_all()).then_some(selector)
    }
}

/// Keeps every ReplicaSet's pods until `shutdown`.
pub async fn run(context: Context, sets: Informer<ReplicaSet>, pods: Informer<Pod>, shutdown: Shutdown) {
    keep(context.named("replicaset-controller"), sets, pods, shutdown).await;
}

/// The controller of any replicated kind.
pub(crate) async fn keep<K: Replicated>(
    context: Context,
    sets: Informer<K>,
    pods: Informer<Pod>,
    shutdown: Shutdown,
) {
    let queue = Queue::default();
    subscribe(&queue, &sets, &pods);
    let watched: Vec<Arc<dyn crate::informer::Watched>> =
        vec![Arc::new(sets.clone()), Arc::new(pods.clone())];
    run_with(context, watched, queue, shutdown, move |context, gate, key| {
        let (sets, pods) = (sets.clone(), pods.clone());
        Box::pin(async move { reconcile(&context, &gate, &key, &sets, &pods).await })
    })
    .await;
}

fn subscribe<K: Replicated>(queue: &Queue<Key>, sets: &Informer<K>, pods: &Informer<Pod>) {
    let keys = queue.clone();
    sets.subscribe(move |change| keys.add(change.last().map(Key::of).unwrap_or_default()));
    let (keys, sets) = (queue.clone(), sets.clone());
    pods.subscribe(move |change| {
        for key in owners(change, &sets) {
            keys.add(key);
        }
    });
}

/// The names of the sets that a pod's change concerns: its controllers, old and new; for an orphan
/// all that select it.
fn owners<K: Replicated>(change: Change<'_, Pod>, sets: &Informer<K>) -> HashSet<Key> {
    let mut keys = HashSet::new();
    for pod in change.both() {
        let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
        match owner::controller_of(&pod.metadata) {
            Some(controller) if owner::refers_to::<K>(controller) => {
                keys.insert(Key::new(namespace, &controller.name));
            }
            Some(_) => {}
            None => keys.extend(selecting(pod, &sets.in_namespace(namespace))),
        }
    }
    keys
}

fn selecting<K: Replicated>(pod: &Pod, sets: &[Arc<K>]) -> Vec<Key> {
    let none = BTreeMap::new();
    let labels = pod.metadata.labels.as_ref().unwrap_or(&none);
    if labels.is_empty() {
        return Vec::new();
    }
    let selects = |set: &&Arc<K>| set.selector().is_some_and(|selector| selector.matches(labels));
    sets.iter().filter(selects).map(|set| Key::of(&**set)).collect()
}

async fn reconcile<K: Replicated>(
    context: &Context,
    gate: &Gate<Key>,
    key: &Key,
    sets: &Informer<K>,
    pods: &Informer<Pod>,
) -> Reconciled {
    let Some(set) = sets.get(key) else { return Ok(None) };
    let snapshot = snapshot(set, sets, pods)?;
    let now = context.now();
    let writes = plan(&snapshot, now);
    let outcome = apply::apply(&context.client, &context.recorder, &writes).await;
    gate.note(key, outcome.written);
    let failure = outcome.failure.filter(|error| !error.namespace_terminating());
    let status = plan_status(&snapshot, failure.as_ref().map(Error::message).as_deref(), now);
    context.carry_out(gate, key, &status).await?;
    failure.map_or(Ok(status.again), Err)
}

fn snapshot<K: Replicated>(
    set: Arc<K>,
    sets: &Informer<K>,
    pods: &Informer<Pod>,
) -> Result<Snapshot<K>, Error> {
    let meta = set.meta();
    let uid = meta.uid.clone().unwrap_or_default();
    let mut candidates = pods.owned_by(&uid);
    candidates.extend(pods.orphans_in(meta.namespace.as_deref().unwrap_or_default()));
    let controller = owner::controller_of(meta).map(|controller| controller.uid.clone());
    let siblings = controller.map(|uid| sets.owned_by(&uid)).unwrap_or_default();
    let related = siblings
        .iter()
        .filter_map(|sibling| sibling.meta().uid.clone())
        .filter(|sibling| *sibling != uid)
        .flat_map(|sibling| pods.owned_by(&sibling))
        .filter(|pod| pod::is_active(pod))
        .collect();
    Ok(Snapshot { set: set.replicator()?, pods: candidates, related })
}

#[cfg(test)]
mod tests;
