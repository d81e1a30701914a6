//! TTL after finished: deletes a Job some time after it has ended, with its pods
//! (`spec.ttlSecondsAfterFinished`).

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::jiff::Timestamp;

use crate::informer::{Informer, Key, Watched};
use crate::plan::{Action, Plan, Propagation, Target};
use crate::queue::Queue;
use crate::{Context, Shutdown, pod};

/// Deletes ended Jobs when their time is up, until `shutdown`.
pub async fn run(context: Context, jobs: Informer<Job>, shutdown: Shutdown) {
    let queue = Queue::default();
    let keys = queue.clone();
    jobs.subscribe(move |change| {
        if let Some(job) = change.new.filter(|job| expires(job).is_some()) {
            keys.add(Key::of(job));
        }
    });
    let watched: Vec<Arc<dyn Watched>> = vec![Arc::new(jobs.clone())];
    let plan = move |key: &Key, now| Ok(jobs.get(key).map(|job| plan(&job, now)));
    crate::run(context.named("ttl-after-finished-controller"), watched, queue, shutdown, plan).await;
}

/// When the job ended and how long it may stay after that.
fn expires(job: &Job) -> Option<(Timestamp, Duration)> {
    let seconds = job.spec.as_ref()?.ttl_seconds_after_finished?;
    let mut conditions = job.status.as_ref()?.conditions.iter().flatten();
    let end = conditions.find(|end| matches!(&*end.type_, "Complete" | "Failed") && end.status == "True")?;
    Some((end.last_transition_time.as_ref()?.0, Duration::from_secs(u64::try_from(seconds).unwrap_or(0))))
}

/// Deletes the job if its time is up, else waits for it. Pods go first. The uid is a precondition;
/// a longer time set meanwhile is seen because a job is planned again when it changes.
pub fn plan(job: &Job, now: Timestamp) -> Plan {
    let mut plan = Plan::default();
    let Some((ended, stay)) = expires(job).filter(|_| job.metadata.deletion_timestamp.is_none()) else {
        return plan;
    };
    let left = stay.saturating_sub(pod::age(ended, now));
    if left.is_zero() {
        let revision = job.metadata.resource_version.clone().unwrap_or_default();
        plan.then(vec![Action::remove(Target::of(job), None, Propagation::Foreground).at_revision(revision)]);
    } else {
        plan.within(left);
    }
    plan
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::{Case, check_all};

    fn check(case: &Case) {
        let plan = plan(&case.must::<Job>("job"), case.now());
        case.compare("expect", &plan);
        case.compare_again(&plan);
    }

    #[test]
    fn ttl_after_finished_cases() {
        check_all("ttl_after_finished", check);
    }
}
