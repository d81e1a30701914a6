//! Whether a job is over, and why.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use super::policy::{self, Verdict, containers};
use super::view::View;
use crate::pod;

/// The end of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct End {
    pub(super) success: bool,
    pub(super) reason: String,
    pub(super) message: String,
}

impl End {
    fn new(success: bool, reason: &str, message: impl Into<String>) -> Self {
        Self { success, reason: reason.into(), message: message.into() }
    }
}

/// How the job ends, if it does; what was once decided stands.
pub(super) fn end(view: &View<'_>, now: Timestamp) -> Option<End> {
    standing(view)
        .or_else(|| by_pod_policy(view))
        .or_else(|| by_backoff(view))
        .or_else(|| by_deadline(view, now))
        .or_else(|| by_indexes(view))
        .or_else(|| {
            policy::success(view.job, &view.succeeded_indexes).map(|why| End::new(true, "SuccessPolicy", why))
        })
        .or_else(|| by_completions(view))
}

fn standing(view: &View<'_>) -> Option<End> {
    let of = |kind, success| {
        let condition = view.condition(kind)?;
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        Some(End { success, reason: text(&condition.reason), message: text(&condition.message) })
    };
    of("FailureTarget", false).or_else(|| of("SuccessCriteriaMet", true))
}

fn by_pod_policy(view: &View<'_>) -> Option<End> {
    let failed = view.pods.iter().filter(|pod| view.has_failed(pod));
    let why = failed.into_iter().find_map(|pod| match policy::judge(view.job, pod) {
        Verdict::FailJob(why) => Some(why),
        _ => None,
    })?;
    Some(End::new(false, "PodFailurePolicy", why))
}

fn by_backoff(view: &View<'_>) -> Option<End> {
    let limit =
        view.spec.backoff_limit.unwrap_or(if view.limit_per_index().is_some() { i32::MAX } else { 6 });
    let exceeded = view.failed() > limit || restarts_exceed(view, limit);
    let message = "Job has reached the specified backoff limit";
    exceeded.then(|| End::new(false, "BackoffLimitExceeded", message))
}

/// Containers that the kubelet restarts count too.
fn restarts_exceed(view: &View<'_>, limit: i32) -> bool {
    let policy = view.spec.template.spec.as_ref().and_then(|spec| spec.restart_policy.as_deref());
    if policy != Some("OnFailure") {
        return false;
    }
    let running = view.pods.iter().filter(|pod| matches!(pod::phase(pod), "Running" | "Pending"));
    let restarts: i32 = running.flat_map(|pod| containers(pod)).map(|status| status.restart_count).sum();
    if limit == 0 { restarts > 0 } else { restarts >= limit }
}

fn by_deadline(view: &View<'_>, now: Timestamp) -> Option<End> {
    let passed = deadline_in(view, now).is_some_and(|left| left.is_zero());
    passed.then(|| End::new(false, "DeadlineExceeded", "Job was active longer than specified deadline"))
}

/// The time until the active deadline; none where there is no deadline or it stands still.
pub(super) fn deadline_in(view: &View<'_>, now: Timestamp) -> Option<Duration> {
    let seconds = view.spec.active_deadline_seconds.filter(|_| !view.is_suspended())?;
    let resumed =
        view.status.conditions.iter().flatten().any(|c| c.type_ == "Suspended" && c.status == "True");
    let started = if resumed { now } else { view.started(now) };
    let deadline = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    Some(deadline.saturating_sub(pod::age(started, now)))
}

fn by_indexes(view: &View<'_>) -> Option<End> {
    view.limit_per_index()?;
    let failed = view.failed_indexes.len();
    if view.spec.max_failed_indexes.is_some_and(|most| failed > most) {
        let message = "Job has exceeded the specified maximal number of failed indexes";
        return Some(End::new(false, "MaxFailedIndexesExceeded", message));
    }
    let all_ended = failed > 0 && failed + view.succeeded_indexes.len() >= view.completions();
    all_ended.then(|| End::new(false, "FailedIndexes", "Job has failed indexes"))
}

/// Without `completions` one success is enough once all pods have ended.
fn by_completions(view: &View<'_>) -> Option<End> {
    let succeeded = view.succeeded();
    let reached = match view.spec.completions {
        Some(completions) => succeeded >= completions && view.active.is_empty(),
        None => succeeded > 0 && view.active.is_empty(),
    };
    reached.then(|| End::new(true, "CompletionsReached", "Reached expected number of succeeded pods"))
}
