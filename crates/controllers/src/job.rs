//! Job: runs pods until enough of them have succeeded, or too many have failed.
//!
//! ```text
//! pod ends, finalizer holds it -> uid in status.uncountedTerminatedPods -> finalizer removed
//!                                                                       -> counter raised, uid dropped
//! ```
//!
//! Each pod carries the finalizer `batch.kubernetes.io/job-tracking` until its end is on record, so
//! that no pod is counted twice or never, whoever deletes it (KEP-2307). Indexed jobs record their
//! successes by index instead. A job first gets the condition FailureTarget or SuccessCriteriaMet,
//! and Failed or Complete only when all its pods have ended and are counted.

use std::sync::Arc;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::core::{Selector, SelectorExt};
use serde_json::json;

use crate::gate::Gate;
use crate::informer::{Change, Informer, Key, Watched};
use crate::owner::{self, Claimed, claim_all};
use crate::plan::{Action, Plan};
use crate::queue::Queue;
use crate::{Context, Error, Reconciled, Shutdown, apply, run_with};

mod backoff;
mod index;
mod pods;
mod policy;
mod status;
mod verdict;
mod view;

pub use status::plan_status;
pub use view::Snapshot;

/// The finalizer of a pod whose end is not on record yet.
pub const TRACKING: &str = "batch.kubernetes.io/job-tracking";

/// The value of `spec.managedBy` that means this controller.
const MANAGER: &str = "kubernetes.io/job-controller";

/// The first part of a reconcile: claims, then pods created or deleted.
pub fn plan(snapshot: &Snapshot, now: k8s_openapi::jiff::Timestamp) -> Plan {
    pods::plan(snapshot, now)
}

/// What the queue names.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Work {
    /// A job.
    Job(Key),
    /// A pod with our finalizer whose job may be gone.
    Orphan(Key),
}

/// Runs every Job until `shutdown`.
pub async fn run(context: Context, jobs: Informer<Job>, pods: Informer<Pod>, shutdown: Shutdown) {
    let queue = Queue::default();
    subscribe(&queue, &jobs, &pods);
    let watched: Vec<Arc<dyn Watched>> = vec![Arc::new(jobs.clone()), Arc::new(pods.clone())];
    run_with(context.named("job-controller"), watched, queue, shutdown, move |context, gate, work| {
        let (jobs, pods) = (jobs.clone(), pods.clone());
        Box::pin(async move {
            match &work {
                Work::Job(key) => reconcile(&context, &gate, &work, key, &jobs, &pods).await,
                Work::Orphan(key) => {
                    let plan = pods.get(key).map(|pod| plan_orphan(&pod, &jobs)).unwrap_or_default();
                    context.carry_out(&gate, &work, &plan).await.map(|()| None)
                }
            }
        })
    })
    .await;
}

fn subscribe(queue: &Queue<Work>, jobs: &Informer<Job>, pods: &Informer<Pod>) {
    let (works, owned) = (queue.clone(), pods.clone());
    jobs.subscribe(move |change| {
        works.add(Work::Job(change.last().map(Key::of).unwrap_or_default()));
        if let (Some(gone), None) = (change.old, change.new) {
            for pod in owned.owned_by(gone.metadata.uid.as_deref().unwrap_or_default()) {
                works.add(Work::Orphan(Key::of(&*pod)));
            }
        }
    });
    let (works, jobs) = (queue.clone(), jobs.clone());
    pods.subscribe(move |change| {
        for work in concerned(change, &jobs) {
            works.add(work);
        }
    });
}

fn concerned(change: Change<'_, Pod>, jobs: &Informer<Job>) -> Vec<Work> {
    let mut works = Vec::new();
    for pod in change.both() {
        let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
        let controller = owner::controller_of(&pod.metadata);
        match controller.filter(|controller| owner::refers_to::<Job>(controller)) {
            Some(controller) => works.push(Work::Job(Key::new(namespace, &controller.name))),
            None if controller.is_none() => {
                let selecting = jobs.in_namespace(namespace).into_iter().filter(|job| selects(job, pod));
                works.extend(selecting.map(|job| Work::Job(Key::of(&*job))));
            }
            None => {}
        }
    }
    works.dedup();
    let held = change.new.filter(|pod| is_tracked(pod));
    works.extend(held.filter(|pod| is_orphan(pod, jobs)).map(|pod| Work::Orphan(Key::of(pod))));
    works
}

fn selects(job: &Job, pod: &Pod) -> bool {
    let Some(labels) = &pod.metadata.labels else { return false };
    selector(job).is_ok_and(|selector| !selector.selects_all() && selector.matches(labels))
}

fn selector(job: &Job) -> Result<Selector, Error> {
    let selector = job.spec.as_ref().and_then(|spec| spec.selector.clone()).unwrap_or_default();
    Selector::try_from(selector)
        .map_err(|error| Error::Invalid { target: Key::of(job), reason: error.to_string() })
}

pub(crate) fn is_tracked(pod: &Pod) -> bool {
    pod.metadata.finalizers.iter().flatten().any(|finalizer| finalizer == TRACKING)
}

/// Whether no living job is the pod's controller.
fn is_orphan(pod: &Pod, jobs: &Informer<Job>) -> bool {
    let controller = owner::controller_of(&pod.metadata).filter(|owner| owner::refers_to::<Job>(owner));
    let Some(controller) = controller else { return true };
    let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
    let job = jobs.get(&Key::new(namespace, &controller.name));
    job.is_none_or(|job| job.metadata.uid.as_ref() != Some(&controller.uid))
}

fn plan_orphan(pod: &Pod, jobs: &Informer<Job>) -> Plan {
    let mut plan = Plan::default();
    if is_tracked(pod) && is_orphan(pod, jobs) {
        plan.then(vec![untrack(pod)]);
    }
    plan
}

/// Takes our finalizer, and no other, from a pod.
fn untrack(pod: &Pod) -> Action {
    let body =
        json!({ "metadata": { "uid": pod.metadata.uid, "$deleteFromPrimitiveList/finalizers": [TRACKING] } });
    Action::strategic(pod, body).lenient()
}

async fn reconcile(
    context: &Context,
    gate: &Gate<Work>,
    work: &Work,
    key: &Key,
    jobs: &Informer<Job>,
    pods: &Informer<Pod>,
) -> Reconciled {
    let Some(job) = jobs.get(key).filter(|job| is_ours(job)) else { return Ok(None) };
    let snapshot = snapshot(job, pods)?;
    let now = context.now();
    let first = plan(&snapshot, now);
    let outcome = apply::apply(&context.client, &context.recorder, &first).await;
    gate.note(work, outcome.written);
    let second = plan_status(&snapshot, outcome.failure.is_none(), now);
    context.carry_out(gate, work, &second).await?;
    match outcome.failure {
        Some(error) if !error.namespace_terminating() => Err(error),
        _ => Ok([first.again, second.again].into_iter().flatten().min()),
    }
}

/// Other controllers may take a job over by `spec.managedBy`.
fn is_ours(job: &Job) -> bool {
    job.spec.as_ref().is_some_and(|spec| spec.managed_by.as_deref().is_none_or(|manager| manager == MANAGER))
}

fn snapshot(job: Arc<Job>, pods: &Informer<Pod>) -> Result<Snapshot, Error> {
    let mut candidates = pods.owned_by(job.metadata.uid.as_deref().unwrap_or_default());
    candidates.extend(pods.orphans_in(job.metadata.namespace.as_deref().unwrap_or_default()));
    let Claimed { ours, adopt, release } =
        claim_all::<Job, Pod, _>(&job, &selector(&job)?, candidates, Some(TRACKING));
    let mut claims = Vec::new();
    if !adopt.is_empty() {
        claims.push(vec![Action::verify(&*job)]);
    }
    claims.extend([adopt, release]);
    Ok(Snapshot { job, pods: ours, claims })
}

#[cfg(test)]
mod tests;
