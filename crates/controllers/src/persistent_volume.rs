//! PersistentVolumes: binds claims to volumes, makes volumes of class `local-path`, and protects
//! both while they are in use.
//!
//! ```text
//! claim + all volumes + class + node of a pod that uses it --plan_claim--> bind | provision | wait
//! volume + the claim it names                             --plan_volume-> phase, reclaim
//! ```
//!
//! Invariants: a volume's `claimRef` is written before the claim's `volumeName`, with the volume's
//! revision as precondition, so that two claims never get one volume; a volume is Released only when
//! a live read has shown that its claim is gone. Volumes with reclaim policy Delete that are not
//! ours, and policy Recycle, are Failed with a message. Data of `local-path` volumes: see
//! [`local_path`]. Source: Kubernetes' documentation of persistent volumes and the behaviour of the
//! 1.36 controllers; since our scheduler selects no node, the node is that of a pod that uses the claim.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{Node, PersistentVolume, PersistentVolumeClaim, Pod};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::Api;
use kube::api::ListParams;

use crate::gate::Gate;
use crate::informer::{Change, Informer, Key, Watched};
use crate::queue::Queue;
use crate::{Context, Error, Reconciled, Shutdown, run_with};

mod claim;
pub mod local_path;
mod matching;
mod protection;
mod quantity;
mod volume;

pub use claim::{Consumer, Snapshot, plan_claim};
pub use volume::plan_volume;

/// The caches that the binder reads.
#[derive(Clone, Debug)]
pub struct Caches {
    /// Claims.
    pub claims: Informer<PersistentVolumeClaim>,
    /// Volumes.
    pub volumes: Informer<PersistentVolume>,
    /// Storage classes.
    pub classes: Informer<StorageClass>,
    /// Pods, for who uses a claim.
    pub pods: Informer<Pod>,
    /// Nodes, for where a pod runs.
    pub nodes: Informer<Node>,
}

/// Makes the default class, then binds and protects until `shutdown`. Volumes of class `local-path`
/// are directories below `base` on their node.
pub async fn run(context: Context, base: String, caches: Caches, shutdown: Shutdown) {
    let context = context.named("persistentvolume-controller");
    let classes: Vec<Arc<dyn Watched>> = vec![Arc::new(caches.classes.clone())];
    tokio::select! {
        () = crate::gate::synced(&classes) => {}
        () = shutdown.clone() => return,
    }
    let class = local_path::plan_class(&caches.classes.all());
    let outcome = crate::apply::apply(&context.client, &context.recorder, &class).await;
    if let Some(error) = outcome.failure {
        tracing::warn!(error = &error as &dyn std::error::Error, "the default storage class was not made");
    }
    let claims = run_claims(context.clone(), base, caches.clone(), shutdown.clone());
    futures::future::join(claims, run_volumes(context, caches, shutdown)).await;
}

fn watched(caches: &Caches) -> Vec<Arc<dyn Watched>> {
    vec![
        Arc::new(caches.claims.clone()),
        Arc::new(caches.volumes.clone()),
        Arc::new(caches.classes.clone()),
        Arc::new(caches.pods.clone()),
        Arc::new(caches.nodes.clone()),
    ]
}

async fn run_claims(context: Context, base: String, caches: Caches, shutdown: Shutdown) {
    let queue = Queue::default();
    listen_for_claims(&queue, &caches);
    let watched = watched(&caches);
    run_with(context, watched, queue, shutdown, move |context, gate, key| {
        let (caches, base) = (caches.clone(), base.clone());
        Box::pin(async move { reconcile_claim(&context, &gate, &key, &caches, &base).await })
    })
    .await;
}

fn listen_for_claims(queue: &Queue<Key>, caches: &Caches) {
    let keys = queue.clone();
    caches.claims.subscribe(move |change| keys.add(change.last().map(Key::of).unwrap_or_default()));
    let (keys, claims) = (queue.clone(), caches.claims.clone());
    caches.volumes.subscribe(move |change: Change<'_, PersistentVolume>| {
        let named: Vec<Key> = change.both().filter_map(volume::claim_key).collect();
        if named.is_empty() {
            wake_waiting(&keys, &claims);
        }
        named.into_iter().for_each(|key| keys.add(key));
    });
    let (keys, claims) = (queue.clone(), caches.claims.clone());
    caches.classes.subscribe(move |_| wake_waiting(&keys, &claims));
    let keys = queue.clone();
    caches.pods.subscribe(move |change| {
        let node = |pod: &Pod| pod.spec.as_ref().and_then(|spec| spec.node_name.clone());
        if change.new.is_none() || change.old.map(node) != change.new.map(node) {
            change.both().flat_map(protection::claims_of).for_each(|key| keys.add(key));
        }
    });
}

/// Wakes the claims that have no volume.
fn wake_waiting(keys: &Queue<Key>, claims: &Informer<PersistentVolumeClaim>) {
    let waiting = claims.all().into_iter().filter(|claim| !claim::is_bound(claim));
    waiting.for_each(|claim| keys.add(Key::of(&*claim)));
}

async fn reconcile_claim(
    context: &Context,
    gate: &Gate<Key>,
    key: &Key,
    caches: &Caches,
    base: &str,
) -> Reconciled {
    let Some(claim) = caches.claims.get(key) else { return Ok(None) };
    let mut users = caches.pods.in_namespace(&key.namespace);
    users.retain(|pod| protection::claims_of(pod).contains(key));
    if claim.metadata.deletion_timestamp.is_some() && users.is_empty() {
        users = live_users(context, key).await?;
    }
    let plan = plan_claim(&snapshot(claim, &users, caches), base);
    context.carry_out(gate, key, &plan).await?;
    Ok(plan.again)
}

/// The cache may not show a pod yet that was just bound to a node.
async fn live_users(context: &Context, key: &Key) -> Result<Vec<Arc<Pod>>, Error> {
    let pods: Api<Pod> = Api::namespaced(context.client.clone(), &key.namespace);
    let pods = pods.list(&ListParams::default()).await?.items;
    Ok(pods.into_iter().filter(|pod| protection::claims_of(pod).contains(key)).map(Arc::new).collect())
}

fn snapshot(claim: Arc<PersistentVolumeClaim>, users: &[Arc<Pod>], caches: &Caches) -> Snapshot {
    let class = claim.spec.as_ref().and_then(|spec| spec.storage_class_name.clone());
    let default = local_path::default_class(&caches.classes.all());
    let node_of = |pod: &Arc<Pod>| pod.spec.as_ref().and_then(|spec| spec.node_name.clone());
    let node = users.iter().filter_map(node_of).find_map(|name| caches.nodes.get(&Key::new("", name)));
    let consumer = match (node, users.first()) {
        (Some(node), _) => Consumer::On(node),
        (None, Some(pod)) => Consumer::Waiting(pod.metadata.name.clone().unwrap_or_default()),
        (None, None) => Consumer::None,
    };
    Snapshot {
        used: users.iter().any(|pod| node_of(pod).is_some()),
        class: class.and_then(|class| caches.classes.get(&Key::new("", class))),
        volumes: caches.volumes.all(),
        claim,
        default,
        consumer,
    }
}

async fn run_volumes(context: Context, caches: Caches, shutdown: Shutdown) {
    let queue = Queue::default();
    let names = queue.clone();
    caches.volumes.subscribe(move |change| names.add(change.last().map(Key::of).unwrap_or_default()));
    let (names, volumes) = (queue.clone(), caches.volumes.clone());
    caches.claims.subscribe(move |change| {
        let claims: Vec<Key> = change.both().map(Key::of).collect();
        let named = volumes.all().into_iter();
        let named = named.filter(|volume| volume::claim_key(volume).is_some_and(|key| claims.contains(&key)));
        named.for_each(|volume| names.add(Key::of(&*volume)));
    });
    let (names, volumes) = (queue.clone(), caches.volumes.clone());
    caches.nodes.subscribe(move |change| {
        if change.new.is_none() {
            volumes.all().iter().for_each(|volume| names.add(Key::of(&**volume)));
        }
    });
    let watched: Vec<Arc<dyn Watched>> = watched(&caches);
    run_with(context, watched, queue, shutdown, move |context, gate, key| {
        let caches = caches.clone();
        Box::pin(async move {
            let Some(volume) = caches.volumes.get(&key) else { return Ok(None) };
            let claim = claim_of(&context, &volume, &caches).await?;
            let home = local_path::node_of(&volume);
            let homeless = home.is_some_and(|node| caches.nodes.get(&Key::new("", node)).is_none());
            let plan = plan_volume(&volume, claim.as_deref(), homeless);
            context.carry_out(&gate, &key, &plan).await?;
            Ok(plan.again)
        })
    })
    .await;
}

/// The claim that a volume names. That it is gone is believed only from a live read: a cache that
/// lags behind must not cost data.
async fn claim_of(
    context: &Context,
    volume: &PersistentVolume,
    caches: &Caches,
) -> Result<Option<Arc<PersistentVolumeClaim>>, Error> {
    let Some(key) = volume::claim_key(volume) else { return Ok(None) };
    let cached = caches.claims.get(&key);
    let known = cached.as_ref().is_some_and(|claim| volume::refers(volume, claim));
    if known || volume::uid(volume).is_none() {
        return Ok(cached);
    }
    let live: Api<PersistentVolumeClaim> = Api::namespaced(context.client.clone(), &key.namespace);
    Ok(live.get_opt(&key.name).await?.map(Arc::new))
}

#[cfg(test)]
mod tests;
