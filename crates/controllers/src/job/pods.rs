//! Which pods a job creates and deletes.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, EnvVar, EnvVarSource, ObjectFieldSelector, Pod};
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;

use super::policy::{self, Verdict};
use super::view::{FAILURES, IGNORED, INDEX, Snapshot, View, counted};
use super::{TRACKING, backoff, verdict};
use crate::plan::{Action, Plan};
use crate::pod;
use crate::recorder::Note;
use crate::replicaset::victims;

/// At most so many pods are created or deleted in one go.
const BURST: usize = 500;

/// Claims first; then either deletions or creations, never both, so that each is decided on what
/// the other has left.
pub(super) fn plan(snapshot: &Snapshot, now: Timestamp) -> Plan {
    let mut plan = Plan::default();
    let Some(view) = View::of(snapshot) else { return plan };
    if view.is_finished() {
        return plan;
    }
    snapshot.claims.iter().for_each(|claims| plan.then(claims.clone()));
    let moves = moves(&view, now);
    plan.then(moves.delete.iter().map(|pod| delete(&view, pod)).collect());
    plan.then_slowly(moves.create.iter().map(|index| create(&view, *index)).collect());
    plan.again = moves.again;
    plan
}

/// Pods to delete, pods to create (by index where the job has them), and when to try again.
#[derive(Debug, Default)]
pub(super) struct Moves {
    pub(super) delete: Vec<Arc<Pod>>,
    pub(super) create: Vec<Option<i32>>,
    again: Option<Duration>,
}

pub(super) fn moves(view: &View<'_>, now: Timestamp) -> Moves {
    if view.job.metadata.deletion_timestamp.is_some() || view.is_finished() {
        return Moves::default();
    }
    if view.is_suspended() || verdict::end(view, now).is_some() {
        return Moves {
            delete: view.active.iter().map(|pod| Arc::clone(pod)).take(BURST).collect(),
            ..Moves::default()
        };
    }
    let wanted = wanted(view);
    let delete = surplus(view, wanted, now);
    if !delete.is_empty() {
        return Moves { delete, ..Moves::default() };
    }
    let waiting = if view.replaces_failed_only() { view.terminating.len() } else { 0 };
    let missing = wanted.saturating_sub(view.active.len() + waiting).min(BURST);
    if missing == 0 { Moves::default() } else { additions(view, missing, now) }
}

/// How many pods should be active.
fn wanted(view: &View<'_>) -> usize {
    let parallelism = view.spec.parallelism.unwrap_or(1);
    let wanted = match view.spec.completions {
        Some(completions) => (completions - view.succeeded() - view.failed_indexes.len()).min(parallelism),
        // The first success ends a work queue: what runs may run on, nothing new begins.
        None if view.succeeded() > 0 => return view.active.len(),
        None => parallelism,
    };
    usize::try_from(wanted).unwrap_or(0)
}

/// Pods of a wrong index or of an index that another has too, then what is too many.
fn surplus(view: &View<'_>, wanted: usize, now: Timestamp) -> Vec<Arc<Pod>> {
    let active: Vec<Arc<Pod>> = view.active.iter().map(|pod| Arc::clone(pod)).collect();
    let none = HashMap::new();
    let too_many = active.len().saturating_sub(wanted);
    let mut delete = if view.indexed { misplaced(view, &active, now) } else { Vec::new() };
    if delete.len() < too_many {
        let gone: HashSet<String> = delete.iter().filter_map(|pod| pod.metadata.uid.clone()).collect();
        let left = |pod: &&Arc<Pod>| pod.metadata.uid.as_ref().is_none_or(|uid| !gone.contains(uid));
        let rest: Vec<Arc<Pod>> = active.iter().filter(left).cloned().collect();
        delete.extend(victims::choose(&rest, &none, too_many - delete.len(), now));
    }
    delete.truncate(BURST);
    delete
}

fn misplaced(view: &View<'_>, active: &[Arc<Pod>], now: Timestamp) -> Vec<Arc<Pod>> {
    let mut by_index: BTreeMap<Option<i32>, Vec<Arc<Pod>>> = BTreeMap::new();
    for pod in active {
        by_index.entry(view.index(pod)).or_default().push(Arc::clone(pod));
    }
    let of_index = |(index, pods): (Option<i32>, Vec<Arc<Pod>>)| match index {
        None => pods,
        Some(_) if pods.len() == 1 => Vec::new(),
        Some(_) => victims::choose(&pods, &HashMap::new(), pods.len() - 1, now),
    };
    by_index.into_iter().flat_map(of_index).collect()
}

fn additions(view: &View<'_>, missing: usize, now: Timestamp) -> Moves {
    if view.limit_per_index().is_some() {
        return delayed_additions(view, missing, now);
    }
    let ended =
        |phase: &'static str| view.pods.iter().map(|pod| &**pod).filter(move |pod| pod::phase(pod) == phase);
    let failed = view
        .pods
        .iter()
        .map(|pod| &**pod)
        .filter(|pod| view.has_failed(pod) && policy::judge(view.job, pod) != Verdict::Ignore);
    let left = backoff::left_after(ended("Succeeded"), failed, now);
    if !left.is_zero() {
        return Moves { again: Some(left), ..Moves::default() };
    }
    let create =
        if view.indexed { pending(view).take(missing).map(Some).collect() } else { vec![None; missing] };
    Moves { create, ..Moves::default() }
}

/// Each index waits for itself.
fn delayed_additions(view: &View<'_>, missing: usize, now: Timestamp) -> Moves {
    let failures = view.last_failures();
    let mut moves = Moves::default();
    for index in pending(view) {
        let left = failures.get(&index).map_or(Duration::ZERO, |pod| {
            let tries = usize::try_from(next_count(view, pod).0).unwrap_or(0);
            backoff::left(tries, backoff::finished_at(pod, now), now)
        });
        if left.is_zero() {
            moves.create.push(Some(index));
        } else {
            moves.again = Some(moves.again.map_or(left, |again| again.min(left)));
        }
        if moves.create.len() == missing {
            break;
        }
    }
    moves
}

/// Indexes for which there is neither an outcome nor a pod, lowest first.
fn pending(view: &View<'_>) -> impl Iterator<Item = i32> {
    let mut taken: HashSet<i32> = view.active.iter().filter_map(|pod| view.index(pod)).collect();
    if view.replaces_failed_only() {
        taken.extend(view.terminating.iter().filter_map(|pod| view.index(pod)));
    }
    let free = move |index: &i32| {
        !taken.contains(index) && !view.succeeded_indexes.has(*index) && !view.failed_indexes.has(*index)
    };
    (0..view.completions()).filter(free)
}

/// The failures, counted and ignored, that the successor of a failed pod knows of.
fn next_count(view: &View<'_>, pod: &Pod) -> (i32, i32) {
    let ignored = policy::judge(view.job, pod) == Verdict::Ignore;
    (counted(pod, FAILURES) + i32::from(!ignored), counted(pod, IGNORED) + i32::from(ignored))
}

fn create(view: &View<'_>, index: Option<i32>) -> Action {
    let mut pod = pod::from_template(view.job, &view.spec.template);
    pod.metadata.finalizers.get_or_insert_default().push(TRACKING.into());
    if let Some(index) = index {
        number(view, &mut pod, index);
    }
    Action::create(&pod)
        .on_success(Note::normal(view.job, "SuccessfulCreate", "Created pod: {name}"))
        .on_failure(Note::warning(view.job, "FailedCreate", "Error creating: {error}"))
}

/// Gives a pod its completion index: in its name, hostname, annotation, label and environment.
fn number(view: &View<'_>, pod: &mut Pod, index: i32) {
    let name = format!("{}-{index}", view.job.name_any());
    pod.metadata.generate_name = Some(format!("{name}-"));
    pod.metadata.labels.get_or_insert_default().insert(INDEX.into(), index.to_string());
    let annotations = pod.metadata.annotations.get_or_insert_default();
    annotations.insert(INDEX.into(), index.to_string());
    if view.limit_per_index().is_some() {
        let (failures, ignored) =
            view.last_failures().get(&index).map_or((0, 0), |pod| next_count(view, pod));
        annotations.insert(FAILURES.into(), failures.to_string());
        if ignored > 0 {
            annotations.insert(IGNORED.into(), ignored.to_string());
        }
    }
    let spec = pod.spec.get_or_insert_default();
    spec.hostname = Some(name);
    spec.containers.iter_mut().chain(spec.init_containers.iter_mut().flatten()).for_each(tell_index);
}

fn tell_index(container: &mut Container) {
    const NAME: &str = "JOB_COMPLETION_INDEX";
    let env = container.env.get_or_insert_default();
    if env.iter().any(|variable| variable.name == NAME) {
        return;
    }
    let field = ObjectFieldSelector { field_path: format!("metadata.labels['{INDEX}']"), api_version: None };
    let source = EnvVarSource { field_ref: Some(field), ..EnvVarSource::default() };
    env.push(EnvVar { name: NAME.into(), value: None, value_from: Some(source) });
}

fn delete(view: &View<'_>, pod: &Pod) -> Action {
    let failed = format!("Error deleting: pods {:?}: {{error}}", pod.name_any());
    Action::delete(pod)
        .on_success(Note::normal(view.job, "SuccessfulDelete", "Deleted pod: {name}"))
        .on_failure(Note::warning(view.job, "FailedDelete", failed))
}
