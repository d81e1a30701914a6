//! A job and its pods, sorted and counted.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use k8s_openapi::api::batch::v1::{Job, JobSpec, JobStatus};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;

use super::index::Indexes;
use super::is_tracked;
use super::policy::{self, Verdict};
use crate::plan::Action;
use crate::pod;

pub(super) const INDEX: &str = "batch.kubernetes.io/job-completion-index";
pub(super) const FAILURES: &str = "batch.kubernetes.io/job-index-failure-count";
pub(super) const IGNORED: &str = "batch.kubernetes.io/job-index-ignored-failure-count";

/// What a job's plan is made from.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The job.
    pub job: Arc<Job>,
    /// Its pods, those to be adopted included.
    pub pods: Vec<Arc<Pod>>,
    /// Adoptions and releases, in order.
    pub claims: Vec<Vec<Action>>,
}

/// What the pods of a job add up to.
#[derive(Debug)]
pub(super) struct View<'a> {
    pub(super) job: &'a Job,
    pub(super) spec: &'a JobSpec,
    pub(super) status: JobStatus,
    pub(super) pods: &'a [Arc<Pod>],
    pub(super) indexed: bool,
    /// Pods that run or will run.
    pub(super) active: Vec<&'a Arc<Pod>>,
    /// Pods that are being deleted and have not ended.
    pub(super) terminating: Vec<&'a Pod>,
    /// Ended pods whose end is in neither counter nor uncounted list.
    pub(super) new_succeeded: Vec<&'a Pod>,
    pub(super) new_failed: Vec<&'a Pod>,
    /// Uncounted uids that still hold their finalizer, and those that may go into the counters.
    pub(super) uncounted: Uncounted,
    pub(super) settled: Uncounted,
    pub(super) succeeded_indexes: Indexes,
    pub(super) failed_indexes: Indexes,
}

/// Uids of ended pods.
#[derive(Clone, Debug, Default)]
pub(super) struct Uncounted {
    pub(super) succeeded: BTreeSet<String>,
    pub(super) failed: BTreeSet<String>,
}

impl Uncounted {
    pub(super) fn has(&self, uid: &str) -> bool {
        self.succeeded.contains(uid) || self.failed.contains(uid)
    }

    pub(super) fn len(&self) -> usize {
        self.succeeded.len() + self.failed.len()
    }
}

impl<'a> View<'a> {
    pub(super) fn of(snapshot: &'a Snapshot) -> Option<Self> {
        let (job, pods) = (&*snapshot.job, &snapshot.pods[..]);
        let spec = job.spec.as_ref()?;
        let status = job.status.clone().unwrap_or_default();
        let (uncounted, settled) = split_uncounted(&status, pods);
        let mut view = Self {
            job,
            spec,
            pods,
            indexed: spec.completion_mode.as_deref() == Some("Indexed"),
            active: pods.iter().filter(|pod| pod::is_active(pod)).collect(),
            terminating: pods.iter().map(|pod| &**pod).filter(|pod| pod::is_terminating(pod)).collect(),
            new_succeeded: Vec::new(),
            new_failed: Vec::new(),
            uncounted,
            settled,
            succeeded_indexes: Indexes::default(),
            failed_indexes: Indexes::default(),
            status,
        };
        view.sort_ended();
        if view.indexed {
            view.note_indexes();
        }
        Some(view)
    }

    fn sort_ended(&mut self) {
        for pod in self.pods {
            let uid = pod.metadata.uid.as_deref().unwrap_or_default();
            if !is_tracked(pod) || self.uncounted.has(uid) || (self.indexed && self.index(pod).is_none()) {
                continue;
            }
            if pod::phase(pod) == "Succeeded" {
                self.new_succeeded.push(pod);
            } else if self.has_failed(pod) {
                self.new_failed.push(pod);
            }
        }
    }

    fn note_indexes(&mut self) {
        let completions = self.completions();
        let read = |text: &Option<String>| Indexes::parse(text.as_deref().unwrap_or_default(), completions);
        self.succeeded_indexes = read(&self.status.completed_indexes);
        let new = self.new_succeeded.iter().filter_map(|pod| self.index(pod));
        let new: Vec<i32> = new.collect();
        self.succeeded_indexes.0.extend(new);
        if self.limit_per_index().is_some() {
            self.failed_indexes = read(&self.status.failed_indexes);
            let failed: Vec<i32> = self.new_failed.iter().filter_map(|pod| self.failed_index(pod)).collect();
            self.failed_indexes.0.extend(failed);
            let succeeded = &self.succeeded_indexes;
            self.failed_indexes.0.retain(|index| !succeeded.has(*index));
        }
    }

    fn failed_index(&self, pod: &Pod) -> Option<i32> {
        let limit = self.limit_per_index()?;
        let fails = match policy::judge(self.job, pod) {
            Verdict::FailIndex => true,
            Verdict::Ignore => false,
            Verdict::Count | Verdict::FailJob(_) => counted(pod, FAILURES) >= limit,
        };
        fails.then(|| self.index(pod)).flatten()
    }

    pub(super) fn completions(&self) -> i32 {
        self.spec.completions.unwrap_or(0)
    }

    pub(super) fn limit_per_index(&self) -> Option<i32> {
        self.spec.backoff_limit_per_index.filter(|_| self.indexed)
    }

    pub(super) fn is_suspended(&self) -> bool {
        self.spec.suspend == Some(true)
    }

    /// A pod's completion index, if it is one of this job's.
    pub(super) fn index(&self, pod: &Pod) -> Option<i32> {
        index(pod).filter(|index| *index < self.completions())
    }

    /// Only pods that have really failed are replaced; by default those on their way out are too.
    pub(super) fn replaces_failed_only(&self) -> bool {
        self.spec.pod_replacement_policy.as_deref() == Some("Failed")
            || self.spec.pod_failure_policy.is_some()
    }

    pub(super) fn has_failed(&self, pod: &Pod) -> bool {
        pod::phase(pod) == "Failed" || (!self.replaces_failed_only() && pod::is_terminating(pod))
    }

    /// How many pods have succeeded; of an indexed job, how many indexes.
    pub(super) fn succeeded(&self) -> i32 {
        if self.indexed {
            return self.succeeded_indexes.len();
        }
        let known = self.uncounted.succeeded.len() + self.settled.succeeded.len() + self.new_succeeded.len();
        self.status.succeeded.unwrap_or(0).saturating_add(int(known))
    }

    /// How many pods have failed, ignored failures aside.
    pub(super) fn failed(&self) -> i32 {
        let counts = |pod: &&&Pod| policy::judge(self.job, pod) != Verdict::Ignore;
        let new = self.new_failed.iter().filter(counts).count();
        let known = self.uncounted.failed.len() + self.settled.failed.len() + new;
        self.status.failed.unwrap_or(0).saturating_add(int(known))
    }

    pub(super) fn condition(&self, kind: &str) -> Option<&k8s_openapi::api::batch::v1::JobCondition> {
        let conditions = self.status.conditions.iter().flatten();
        conditions.into_iter().find(|condition| condition.type_ == kind && condition.status == "True")
    }

    pub(super) fn is_finished(&self) -> bool {
        self.condition("Complete").or(self.condition("Failed")).is_some()
    }

    pub(super) fn started(&self, now: Timestamp) -> Timestamp {
        self.status.start_time.as_ref().map_or(now, |time| time.0)
    }

    /// Of each index the failed pod that knows of the most failures: the one to be replaced.
    pub(super) fn last_failures(&self) -> HashMap<i32, &'a Pod> {
        let mut last: HashMap<i32, &Pod> = HashMap::new();
        for pod in self.pods.iter().filter(|pod| self.has_failed(pod)) {
            let Some(index) = self.index(pod) else { continue };
            let tries = |pod: &Pod| counted(pod, FAILURES) + counted(pod, IGNORED);
            let kept = last.entry(index).or_insert(pod);
            if tries(pod) > tries(kept) {
                *kept = pod;
            }
        }
        last
    }
}

pub(super) fn int(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// The completion index in a pod's annotation.
pub(super) fn index(pod: &Pod) -> Option<i32> {
    annotation(pod, INDEX)?.parse().ok().filter(|index| *index >= 0)
}

/// A count in a pod's annotation.
pub(super) fn counted(pod: &Pod, name: &str) -> i32 {
    annotation(pod, name).and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn annotation<'p>(pod: &'p Pod, name: &str) -> Option<&'p String> {
    pod.metadata.annotations.as_ref()?.get(name)
}

/// Splits the uids on record into those whose pods still hold the finalizer and all others.
fn split_uncounted(status: &JobStatus, pods: &[Arc<Pod>]) -> (Uncounted, Uncounted) {
    let held = pods.iter().filter(|pod| is_tracked(pod)).filter_map(|pod| pod.metadata.uid.clone());
    let held: BTreeMap<String, ()> = held.map(|uid| (uid, ())).collect();
    let noted = status.uncounted_terminated_pods.clone().unwrap_or_default();
    let split = |uids: Option<Vec<String>>| {
        uids.unwrap_or_default().into_iter().partition(|uid| held.contains_key(uid))
    };
    let (held_succeeded, free_succeeded) = split(noted.succeeded);
    let (held_failed, free_failed) = split(noted.failed);
    let uncounted = Uncounted { succeeded: held_succeeded, failed: held_failed };
    (uncounted, Uncounted { succeeded: free_succeeded, failed: free_failed })
}
