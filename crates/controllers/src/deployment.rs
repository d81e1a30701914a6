//! Deployment: moves its pods from one template to the next, one ReplicaSet per template.
//!
//! ```text
//! Deployment ──owns──> ReplicaSet NAME-<hash of template>   (new: its template is the Deployment's)
//!                 └──> older ReplicaSets, by revision        (old: scaled down, kept as history)
//! ```
//!
//! A rollback is a template change: the ReplicaSet that has the template becomes the new one again
//! and gets the next revision. Source: Kubernetes' documentation of Deployment and the behaviour of
//! its 1.36 controller.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::Pod;
use kube::core::{Selector, SelectorExt};
use kube::{Api, ResourceExt};

use crate::gate::Gate;
use crate::informer::{Change, Informer, Key, Watched};
use crate::owner::{self, Claimed, claim_all};
use crate::plan::Action;
use crate::queue::Queue;
use crate::{Context, Error, Reconciled, Shutdown, apply, pod, run_with};

mod condition;
mod member;
mod recreate;
mod revision;
mod rolling;
mod rollout;
mod scale;
mod status;
mod strategy;

pub use rollout::{Snapshot, plan, plan_collision, plan_refusal};

/// Rolls every Deployment out until `shutdown`.
pub async fn run(
    context: Context,
    deployments: Informer<Deployment>,
    sets: Informer<ReplicaSet>,
    pods: Informer<Pod>,
    shutdown: Shutdown,
) {
    let caches = Arc::new(Caches { deployments, sets, pods });
    let queue = Queue::default();
    subscribe(&queue, &caches);
    let watched: Vec<Arc<dyn Watched>> = vec![
        Arc::new(caches.deployments.clone()),
        Arc::new(caches.sets.clone()),
        Arc::new(caches.pods.clone()),
    ];
    run_with(context.named("deployment-controller"), watched, queue, shutdown, move |context, gate, key| {
        let caches = Arc::clone(&caches);
        Box::pin(async move { reconcile(&context, &gate, &key, &caches).await })
    })
    .await;
}

struct Caches {
    deployments: Informer<Deployment>,
    sets: Informer<ReplicaSet>,
    pods: Informer<Pod>,
}

fn subscribe(queue: &Queue<Key>, caches: &Arc<Caches>) {
    let keys = queue.clone();
    caches.deployments.subscribe(move |change| keys.add(change.last().map(Key::of).unwrap_or_default()));
    let (keys, all) = (queue.clone(), Arc::clone(caches));
    caches.sets.subscribe(move |change| {
        for key in owners(change, &all.deployments) {
            keys.add(key);
        }
    });
    let (keys, all) = (queue.clone(), Arc::clone(caches));
    caches.pods.subscribe(move |change| {
        if let Some(key) = awaiting(change, &all) {
            keys.add(key);
        }
    });
}

/// The Deployments that a ReplicaSet's change concerns.
fn owners(change: Change<'_, ReplicaSet>, deployments: &Informer<Deployment>) -> HashSet<Key> {
    let mut keys = HashSet::new();
    for set in change.both() {
        let namespace = set.metadata.namespace.as_deref().unwrap_or_default();
        match owner::controller_of(&set.metadata) {
            Some(controller) if owner::refers_to::<Deployment>(controller) => {
                keys.insert(Key::new(namespace, &controller.name));
            }
            Some(_) => {}
            None => keys.extend(selecting(set, &deployments.in_namespace(namespace))),
        }
    }
    keys
}

fn selecting(set: &ReplicaSet, deployments: &[Arc<Deployment>]) -> Vec<Key> {
    let none = BTreeMap::new();
    let labels = set.metadata.labels.as_ref().unwrap_or(&none);
    let selects = |deployment: &&Arc<Deployment>| {
        selector(deployment).is_ok_and(|selector| !selector.selects_all() && selector.matches(labels))
    };
    deployments.iter().filter(selects).map(|deployment| Key::of(&**deployment)).collect()
}

/// The Deployment that waits for this pod to end: only `Recreate` does.
fn awaiting(change: Change<'_, Pod>, caches: &Caches) -> Option<Key> {
    let pod = change.last()?;
    if change.new.is_some_and(|pod| !pod::is_finished(pod)) {
        return None;
    }
    let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
    let set = owner::controller_of(&pod.metadata).filter(|owner| owner::refers_to::<ReplicaSet>(owner))?;
    let set = caches.sets.get(&Key::new(namespace, &set.name))?;
    let owner = owner::controller_of(&set.metadata).filter(|owner| owner::refers_to::<Deployment>(owner))?;
    let key = Key::new(namespace, &owner.name);
    let deployment = caches.deployments.get(&key)?;
    strategy::is_recreate(&deployment).then_some(key)
}

fn selector(deployment: &Deployment) -> Result<Selector, Error> {
    let selector = deployment.spec.as_ref().map(|spec| spec.selector.clone()).unwrap_or_default();
    Selector::try_from(selector)
        .map_err(|error| Error::Invalid { target: Key::of(deployment), reason: error.to_string() })
}

async fn reconcile(context: &Context, gate: &Gate<Key>, key: &Key, caches: &Caches) -> Reconciled {
    let Some(deployment) = caches.deployments.get(key) else { return Ok(None) };
    let snapshot = snapshot(deployment, caches)?;
    let now = context.now();
    let plan = plan(&snapshot, now);
    let outcome = apply::apply(&context.client, &context.recorder, &plan).await;
    gate.note(key, outcome.written);
    match outcome.failure {
        None => Ok(plan.again),
        Some(error) if error.namespace_terminating() => Ok(None),
        Some(error) => {
            let answer = match plan.steps.get(outcome.completed).and_then(rollout::created) {
                Some(name) if error.is_already_exists() => collided(context, &snapshot, &name).await?,
                Some(name) if !error.is_normal() => plan_refusal(&snapshot, &name, &error.message(), now),
                _ => return Err(error),
            };
            context.carry_out(gate, key, &answer).await?;
            Err(error)
        }
    }
}

/// A ReplicaSet of the new one's name exists. If it is ours the cache is only late; if not, the
/// collision count makes the next name another.
async fn collided(context: &Context, snapshot: &Snapshot, name: &str) -> Result<crate::plan::Plan, Error> {
    let namespace = snapshot.deployment.namespace().unwrap_or_default();
    let api: Api<ReplicaSet> = Api::namespaced(context.client.clone(), &namespace);
    Ok(plan_collision(snapshot, &api.get(name).await?))
}

fn snapshot(deployment: Arc<Deployment>, caches: &Caches) -> Result<Snapshot, Error> {
    let uid = deployment.metadata.uid.clone().unwrap_or_default();
    let mut candidates = caches.sets.owned_by(&uid);
    candidates.extend(caches.sets.orphans_in(deployment.metadata.namespace.as_deref().unwrap_or_default()));
    let Claimed { ours, adopt, release } =
        claim_all::<Deployment, ReplicaSet, _>(&deployment, &selector(&deployment)?, candidates, None);
    let mut claims = Vec::new();
    if !adopt.is_empty() {
        claims.push(vec![Action::verify(&*deployment)]);
    }
    claims.extend([adopt, release]);
    let pods =
        ours.iter().flat_map(|set| caches.pods.owned_by(set.metadata.uid.as_deref().unwrap_or_default()));
    let pods = if strategy::is_recreate(&deployment) { pods.collect() } else { Vec::new() };
    Ok(Snapshot { deployment, sets: ours, claims, pods })
}

#[cfg(test)]
mod tests;
