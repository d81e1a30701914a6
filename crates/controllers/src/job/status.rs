//! A job's status, and the finalizers that go once it is written.

use k8s_openapi::api::batch::v1::{JobCondition, JobStatus, UncountedTerminatedPods};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::index::Indexes;
use super::policy::{self, Verdict};
use super::verdict::{self, End};
use super::view::{FAILURES, IGNORED, Snapshot, Uncounted, View, counted, int};
use super::{is_tracked, pods, untrack};
use crate::plan::{Action, Plan, difference};
use crate::pod;
use crate::recorder::Note;

/// At most so many uids stand in the status at once.
const MAX_UNCOUNTED: usize = 500;

/// The second part of a reconcile: the status, then the finalizers of pods whose end it records.
/// `moved` says whether the creations and deletions of the first part succeeded.
pub fn plan_status(snapshot: &Snapshot, moved: bool, now: Timestamp) -> Plan {
    let mut plan = Plan::default();
    let Some(view) = View::of(snapshot) else { return plan };
    if view.is_finished() || view.job.metadata.deletion_timestamp.is_some() {
        plan.then(tracked(&view).map(untrack).collect());
        return plan;
    }
    let end = verdict::end(&view, now);
    let record = Record::of(&view);
    let (status, notes) = status(&view, &record, end.as_ref(), moved, now);
    if let Some(change) = difference(&shown(&view.status), &shown(&status)) {
        plan.then(vec![Action::status(view.job, &change)]);
        plan.notes = notes;
    }
    plan.then(record.free.into_iter().map(untrack).collect());
    plan.again = verdict::deadline_in(&view, now).filter(|left| end.is_none() && !left.is_zero());
    plan
}

fn tracked<'a>(view: &View<'a>) -> impl Iterator<Item = &'a Pod> + use<'a> {
    view.pods.iter().map(|pod| &**pod).filter(|pod| is_tracked(pod))
}

/// What is put on record now.
struct Record<'a> {
    uncounted: Uncounted,
    succeeded_indexes: Indexes,
    /// Pods whose finalizer goes when the status is written.
    free: Vec<&'a Pod>,
    /// Nothing was left out for lack of room or because a successor must be created first.
    whole: bool,
}

impl<'a> Record<'a> {
    fn of(view: &View<'a>) -> Self {
        let uncounted = view.uncounted.clone();
        let succeeded_indexes = view.succeeded_indexes.clone();
        let mut record = Self { uncounted, succeeded_indexes, free: Vec::new(), whole: true };
        for pod in tracked(view) {
            record.add(view, pod);
        }
        record
    }

    fn add(&mut self, view: &View<'a>, pod: &'a Pod) {
        let uid = pod.metadata.uid.clone().unwrap_or_default();
        if self.uncounted.has(&uid) {
            return self.free.push(pod);
        }
        let succeeded = pod::phase(pod) == "Succeeded";
        if !succeeded && !view.has_failed(pod) {
            return;
        }
        if self.uncounted.len() >= MAX_UNCOUNTED || (!succeeded && awaits_successor(view, pod)) {
            self.whole = false;
            return;
        }
        self.free.push(pod);
        // A pod of no index counts for nothing, nor does an ignored failure; a success is on
        // record by its index.
        let counts = !view.indexed || view.index(pod).is_some();
        if succeeded && counts && !view.indexed {
            self.uncounted.succeeded.insert(uid);
        } else if !succeeded && counts && policy::judge(view.job, pod) != Verdict::Ignore {
            self.uncounted.failed.insert(uid);
        }
    }
}

/// With a limit per index the last failed pod of an index is kept until its successor, which
/// inherits its count, exists.
fn awaits_successor(view: &View<'_>, pod: &Pod) -> bool {
    let Some(index) = view.index(pod).filter(|_| view.limit_per_index().is_some()) else { return false };
    let tries = |pod: &Pod| counted(pod, FAILURES) + counted(pod, IGNORED);
    let succeeds = |other: &Pod| view.index(other) == Some(index) && tries(other) > tries(pod);
    let decided = view.failed_indexes.has(index) || view.succeeded_indexes.has(index);
    let over = view.condition("FailureTarget").or(view.condition("SuccessCriteriaMet")).is_some();
    !decided && !over && !view.pods.iter().any(|other| succeeds(other))
}

fn status(
    view: &View<'_>,
    record: &Record<'_>,
    end: Option<&End>,
    moved: bool,
    now: Timestamp,
) -> (JobStatus, Vec<Note>) {
    let mut status = counts(view, record, moved, now);
    let mut notes = Vec::new();
    match end {
        Some(end) => {
            let interim = if end.success { "SuccessCriteriaMet" } else { "FailureTarget" };
            set(&mut status, interim, "True", &end.reason, &end.message, now);
            if all_ended(view, record) {
                finish(view, &mut status, end, &mut notes, now);
            }
        }
        None => suspend_or_resume(view, &mut status, &mut notes, now),
    }
    (status, notes)
}

fn counts(view: &View<'_>, record: &Record<'_>, moved: bool, now: Timestamp) -> JobStatus {
    let old = &view.status;
    let active = if moved {
        let moves = pods::moves(view, now);
        view.active.len() + moves.create.len() - moves.delete.len()
    } else {
        view.active.len()
    };
    let add = |count: Option<i32>, more: usize| Some(count.unwrap_or(0).saturating_add(int(more)));
    let list = |uids: &std::collections::BTreeSet<String>| {
        (!uids.is_empty()).then(|| uids.iter().cloned().collect::<Vec<_>>())
    };
    let succeeded = if view.indexed {
        Some(record.succeeded_indexes.len())
    } else {
        add(old.succeeded, view.settled.succeeded.len())
    };
    let written = |indexes: &Indexes| Some(indexes.to_string()).filter(|text| !text.is_empty());
    JobStatus {
        active: Some(int(active)),
        ready: Some(int(view.active.iter().filter(|pod| pod::is_ready(pod)).count())),
        terminating: Some(int(view.terminating.len())),
        succeeded,
        failed: add(old.failed, view.settled.failed.len()),
        uncounted_terminated_pods: Some(UncountedTerminatedPods {
            succeeded: list(&record.uncounted.succeeded),
            failed: list(&record.uncounted.failed),
        }),
        completed_indexes: written(&record.succeeded_indexes).filter(|_| view.indexed),
        // Once there is a limit per index, the list says so even when it is empty.
        failed_indexes: view.limit_per_index().map(|_| view.failed_indexes.to_string()),
        start_time: old.start_time.clone().or((!view.is_suspended()).then_some(Time(now))),
        completion_time: old.completion_time.clone(),
        conditions: old.conditions.clone(),
    }
}

/// All pods have ended, no end is waiting for its record, and all records are in the counters.
fn all_ended(view: &View<'_>, record: &Record<'_>) -> bool {
    view.active.is_empty() && record.uncounted.len() == 0 && record.whole && view.terminating.is_empty()
}

fn finish(view: &View<'_>, status: &mut JobStatus, end: &End, notes: &mut Vec<Note>, now: Timestamp) {
    if end.success {
        status.completion_time = Some(Time(now));
        notes.push(Note::normal(view.job, "Completed", "Job completed"));
    } else {
        notes.push(Note::warning(view.job, &end.reason, &*end.message));
    }
    let kind = if end.success { "Complete" } else { "Failed" };
    set(status, kind, "True", &end.reason, &end.message, now);
}

fn suspend_or_resume(view: &View<'_>, status: &mut JobStatus, notes: &mut Vec<Note>, now: Timestamp) {
    let known = status.conditions.iter().flatten().any(|condition| condition.type_ == "Suspended");
    if view.is_suspended() {
        if set(status, "Suspended", "True", "JobSuspended", "Job suspended", now) {
            notes.push(Note::normal(view.job, "Suspended", "Job suspended"));
        }
    } else if known && set(status, "Suspended", "False", "JobResumed", "Job resumed", now) {
        notes.push(Note::normal(view.job, "Resumed", "Job resumed"));
        // The deadline counts from here.
        status.start_time = Some(Time(now));
    }
}

/// Sets a condition unless it has that status already. Whether it was set.
fn set(status: &mut JobStatus, kind: &str, value: &str, reason: &str, message: &str, now: Timestamp) -> bool {
    let conditions = status.conditions.get_or_insert_default();
    if conditions.iter().any(|condition| condition.type_ == kind && condition.status == value) {
        return false;
    }
    let condition = JobCondition {
        type_: kind.into(),
        status: value.into(),
        reason: Some(reason.into()),
        message: Some(message.into()),
        last_probe_time: Some(Time(now)),
        last_transition_time: Some(Time(now)),
    };
    match conditions.iter_mut().find(|condition| condition.type_ == kind) {
        Some(old) => *old = condition,
        None => conditions.push(condition),
    }
    true
}

/// Counters that are zero are absent, as the API server shows them.
fn shown(status: &JobStatus) -> Value {
    let mut value = serde_json::to_value(status).expect("a status is serialisable");
    if let Value::Object(fields) = &mut value {
        let hidden = |name: &str| matches!(name, "active" | "succeeded" | "failed");
        fields.retain(|name, value| !(hidden(name) && *value == json!(0)));
    }
    value
}
