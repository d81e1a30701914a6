//! Garbage collector: deletes what has lost all its owners, in the order its owner was deleted in.
//!
//! ```text
//! metadata watch of every resource -> Graph (uid -> owners, dependents) -> Queue<uid>
//!   -> live read of the object and its owners -> plan -> apply
//! ```
//!
//! Background (the default): a dependent goes when no owner is left. Foreground (finalizer
//! `foregroundDeletion`): dependents that block go first. Orphan (finalizer `orphan`): dependents
//! lose the reference and stay. The graph only says where to look; every decision is made on live
//! reads, so a late or gapped watch never deletes what still has an owner.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::core::Request;
use kube::core::params::GetParams;
use serde::Deserialize;
use tokio::sync::Notify;

use crate::discovery::Served;
use crate::informer::Key;
use crate::plan::Plan;
use crate::queue::Queue;
use crate::{Context, Error, Reconciled, Shutdown, apply};

mod graph;
mod monitor;
mod plan;

use graph::Graph;
use plan::{Dependent, Owner, Situation};

/// How long the first lists may take before collection begins without the slowest.
const FIRST_LISTS: Duration = Duration::from_secs(30);

/// What the watches and the workers share.
struct Shared {
    graph: Mutex<Graph>,
    served: Mutex<Vec<Arc<Served>>>,
    queue: Queue<String>,
    /// Something that changes the set of resources was seen.
    rediscover: Notify,
}

impl Shared {
    fn graph(&self) -> MutexGuard<'_, Graph> {
        self.graph.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn served(&self) -> MutexGuard<'_, Vec<Arc<Served>>> {
        self.served.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The resource that a reference means, in whatever version it was written.
    fn resolve(&self, reference: &OwnerReference) -> Option<Arc<Served>> {
        let group = reference.api_version.rsplit_once('/').map_or("", |(group, _)| group);
        let named = |served: &&Arc<Served>| served.api.kind == reference.kind && served.api.group == group;
        self.served().iter().find(named).cloned()
    }
}

/// Collects garbage of every resource, including those that come later, until `shutdown`.
pub async fn run(context: Context, shutdown: Shutdown) {
    let shared = Arc::new(Shared {
        graph: Mutex::default(),
        served: Mutex::default(),
        queue: Queue::default(),
        rediscover: Notify::new(),
    });
    let context = context.named("garbage-collector-controller");
    let mut monitors = monitor::Monitors::new(context.client.clone(), Arc::clone(&shared));
    tokio::select! {
        () = monitors.first_lists(FIRST_LISTS) => {}
        () = shutdown.clone() => return,
    }
    let work = Arc::clone(&shared);
    let collect = move |uid: String| {
        let (context, shared) = (context.clone(), Arc::clone(&work));
        async move { collect(&context, &shared, &uid).await }
    };
    let workers = 20;
    tokio::select! {
        () = shared.queue.run(workers, shutdown, collect) => {}
        () = monitors.keep() => {}
    }
}

#[derive(Deserialize)]
struct Meta {
    #[serde(default)]
    metadata: ObjectMeta,
}

async fn collect(context: &Context, shared: &Shared, uid: &str) -> Reconciled {
    let Some(node) = shared.graph().node(uid) else { return Ok(None) };
    let Some(served) =
        node.served.clone().or_else(|| node.reference.as_ref().and_then(|r| shared.resolve(r)))
    else {
        // Only a name so far, of a resource that is not served: it may come.
        shared.rediscover.notify_one();
        return Err(unknown(&node.key, &node.reference.unwrap_or_default()));
    };
    let live = read(context, &served, &node.key).await?;
    let Some(meta) = live.filter(|meta| meta.uid.as_deref() == Some(uid)) else {
        let freed = shared.graph().remove(uid);
        freed.into_iter().for_each(|uid| shared.queue.add(uid));
        return Ok(None);
    };
    let situation = situation(context, shared, &served, uid, meta).await?;
    let plan: Plan = plan::plan(&situation);
    let outcome = apply::apply(&context.client, &context.recorder, &plan).await;
    for dependent in plan::to_visit(&situation) {
        shared.queue.add(dependent);
    }
    outcome.failure.map_or(Ok(None), Err)
}

fn unknown(key: &Key, reference: &OwnerReference) -> Error {
    let reason = format!("an owner of kind {} {} is not served", reference.api_version, reference.kind);
    Error::Invalid { target: key.clone(), reason }
}

async fn situation(
    context: &Context,
    shared: &Shared,
    served: &Arc<Served>,
    uid: &str,
    meta: ObjectMeta,
) -> Result<Situation, Error> {
    let mut owners = Vec::new();
    for reference in meta.owner_references.iter().flatten() {
        owners.push((reference.clone(), owner(context, shared, &meta, reference).await?));
    }
    let (collection, key) =
        (served.collection(meta.namespace.as_deref().unwrap_or_default()), Key::of_meta(&meta));
    let mut dependents = Vec::new();
    let orphaning = plan::is_orphaning(&meta);
    for node in shared.graph().dependents(uid) {
        let Some(served) = node.served.clone() else { continue };
        let collection = served.collection(&node.key.namespace);
        let blocks = node.blocks(uid);
        let deleting_dependents = node.deleting_dependents;
        let (uid, name) = (node.uid, node.key.name.clone());
        dependents.push((
            served,
            node.key,
            Dependent { uid, name, collection, blocks, deleting_dependents, meta: None },
        ));
    }
    if orphaning {
        for (served, key, dependent) in &mut dependents {
            dependent.meta =
                read(context, served, key).await?.filter(|meta| meta.uid.as_ref() == Some(&dependent.uid));
        }
    }
    let dependents = dependents.into_iter().map(|(_, _, dependent)| dependent).collect();
    Ok(Situation { collection, key, meta, owners, dependents })
}

/// What an owner reference points to now. Owners live in the object's own namespace or in none: one
/// of another namespace is as good as absent, and a cluster-scoped object that names a namespaced
/// owner can never be judged, so it is kept.
async fn owner(
    context: &Context,
    shared: &Shared,
    meta: &ObjectMeta,
    reference: &OwnerReference,
) -> Result<Owner, Error> {
    if shared.graph().is_gone(&reference.uid) {
        return Ok(Owner::Absent);
    }
    let Some(served) = shared.resolve(reference) else {
        shared.rediscover.notify_one();
        return Err(unknown(&Key::of_meta(meta), reference));
    };
    let namespace = meta.namespace.as_deref().unwrap_or_default();
    if served.namespaced && namespace.is_empty() {
        return Ok(Owner::Present);
    }
    let live = read(context, &served, &Key::new(namespace, &reference.name)).await?;
    Ok(match live.filter(|live| live.uid.as_ref() == Some(&reference.uid)) {
        None => Owner::Absent,
        Some(live) if plan::is_foreground(&live) => Owner::WaitingForDependents,
        Some(_) => Owner::Present,
    })
}

async fn read(context: &Context, served: &Served, key: &Key) -> Result<Option<ObjectMeta>, Error> {
    let collection = served.collection(&key.namespace);
    let request = Request::new(&collection.path).get_metadata(&key.name, &GetParams::default())?;
    match context.client.request::<Meta>(request).await.map_err(Error::from) {
        Ok(answer) => Ok(Some(answer.metadata)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
