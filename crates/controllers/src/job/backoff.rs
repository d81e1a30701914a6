//! How long a job waits before it replaces failed pods: 10 s, doubled with each failure since the
//! last success, at most 10 minutes. Derived from the pods there are, not remembered.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;

use super::policy::containers;
use crate::pod;

const FIRST: Duration = Duration::from_secs(10);
const LAST: Duration = Duration::from_secs(600);

/// The wait that is left after `failures`, the last of them at `last`.
pub(super) fn left(failures: usize, last: Timestamp, now: Timestamp) -> Duration {
    let Some(doublings) = failures.checked_sub(1) else { return Duration::ZERO };
    let doublings = u32::try_from(doublings).unwrap_or(u32::MAX);
    let wait = FIRST.saturating_mul(2u32.saturating_pow(doublings)).min(LAST);
    wait.saturating_sub(pod::age(last, now))
}

/// The wait that is left for a job with these ended pods.
pub(super) fn left_after<'a>(
    succeeded: impl Iterator<Item = &'a Pod>,
    failed: impl Iterator<Item = &'a Pod>,
    now: Timestamp,
) -> Duration {
    let last_success = succeeded.map(|pod| finished_at(pod, now)).max();
    let failures: Vec<Timestamp> = failed
        .map(|pod| finished_at(pod, now))
        .filter(|at| last_success.is_none_or(|success| *at > success))
        .collect();
    failures.iter().max().map_or(Duration::ZERO, |last| left(failures.len(), *last, now))
}

/// When a pod ended: with its last container; else when it became unready, or was deleted.
pub(super) fn finished_at(pod: &Pod, now: Timestamp) -> Timestamp {
    let ends =
        containers(pod).filter_map(|status| status.state.as_ref()?.terminated.as_ref()?.finished_at.as_ref());
    let unready = || {
        pod::condition(pod, "Ready").filter(|ready| ready.status == "False")?.last_transition_time.as_ref()
    };
    let last = ends.max().or_else(unready).or(pod.metadata.deletion_timestamp.as_ref());
    last.map_or(now, |time| time.0)
}
