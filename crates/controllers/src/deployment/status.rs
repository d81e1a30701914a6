//! What a Deployment says of its rollout.

use std::time::Duration;

use k8s_openapi::api::apps::v1::{DeploymentCondition, DeploymentStatus};
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use serde_json::{Value, json};

use super::condition::{self, AVAILABLE, COMPLETE, Conditions, FAILURE, PROGRESSING, TIMED_OUT};
use super::member::Member;
use super::revision::REVISION;
use super::rollout::{Rollout, failure};
use super::strategy;
use crate::plan::{Action, difference};
use crate::pod::age;

/// The status patch, and when the progress deadline must be checked.
pub(super) fn plan(rollout: &Rollout<'_>) -> (Option<Action>, Option<Duration>) {
    let old = rollout.deployment.status.clone().unwrap_or_default();
    let new = status(rollout, &old);
    let change = difference(&shown(&old), &shown(&new));
    (change.map(|change| Action::status(rollout.deployment, &change)), deadline_in(rollout, &new))
}

/// The Deployment shows the revision of its new ReplicaSet in an annotation of its own.
pub(super) fn note_revision(rollout: &Rollout<'_>) -> Option<Action> {
    let shown = rollout.deployment.metadata.annotations.as_ref().and_then(|all| all.get(REVISION));
    let wanted = rollout.revision.as_ref().filter(|wanted| Some(*wanted) != shown)?;
    let meta = json!({ "uid": rollout.deployment.metadata.uid, "annotations": { REVISION: wanted } });
    Some(Action::merge(rollout.deployment, json!({ "metadata": meta })))
}

/// Counts that are zero are absent, as the API server shows them; but `terminatingReplicas` says so.
fn shown(status: &DeploymentStatus) -> Value {
    let mut value = serde_json::to_value(status).expect("a status is serialisable");
    if let Value::Object(fields) = &mut value {
        fields.retain(|name, value| name == "terminatingReplicas" || *value != json!(0));
    }
    value
}

fn status(rollout: &Rollout<'_>, old: &DeploymentStatus) -> DeploymentStatus {
    let wanted = rollout.count(|member| member.replicas);
    let available = rollout.count(Member::available);
    let mut new = DeploymentStatus {
        observed_generation: rollout.deployment.metadata.generation,
        replicas: Some(rollout.count(Member::actual)),
        updated_replicas: Some(rollout.new.as_ref().map_or(0, Member::actual)),
        ready_replicas: Some(rollout.count(Member::ready)),
        available_replicas: Some(available),
        unavailable_replicas: Some((wanted - available).max(0)),
        terminating_replicas: Some(rollout.count(Member::terminating)),
        collision_count: old.collision_count,
        conditions: None,
    };
    let mut conditions = rollout.conditions.clone();
    conditions.set(availability(rollout, available));
    let reports = rollout.deployment.metadata.deletion_timestamp.is_none() && !rollout.is_paused();
    if reports {
        report_progress(rollout, old, &new, &mut conditions);
    }
    new.conditions = (!conditions.0.is_empty()).then_some(conditions.0);
    new
}

fn availability(rollout: &Rollout<'_>, available: i32) -> DeploymentCondition {
    let (status, reason, message) = if available >= rollout.limits.fewest() {
        ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    } else {
        ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    };
    condition::new(AVAILABLE, status, reason, message.into(), rollout.now)
}

fn report_progress(
    rollout: &Rollout<'_>,
    old: &DeploymentStatus,
    new: &DeploymentStatus,
    conditions: &mut Conditions,
) {
    if !rollout.has_deadline() {
        conditions.remove(PROGRESSING);
    }
    let settled = new.replicas == new.updated_replicas && conditions.reason(PROGRESSING) == COMPLETE;
    if rollout.has_deadline() && !settled {
        let say = |status, reason, what: &str| {
            condition::new(PROGRESSING, status, reason, format!("{} {what}.", subject(rollout)), rollout.now)
        };
        if completes(rollout, new) {
            conditions.set(say("True", COMPLETE, "has successfully progressed"));
        } else if progresses(old, new) {
            conditions.replace(say("True", "ReplicaSetUpdated", "is progressing"));
        } else if is_late(rollout, conditions) {
            conditions.set(say("False", TIMED_OUT, "has timed out progressing"));
        }
    }
    match failure(rollout) {
        Some(failure) => conditions.set(failure),
        None => conditions.remove(FAILURE),
    }
}

fn subject(rollout: &Rollout<'_>) -> String {
    match &rollout.new {
        Some(new) => format!("ReplicaSet \"{}\"", new.name()),
        None => format!("Deployment \"{}\"", rollout.deployment.name_any()),
    }
}

fn completes(rollout: &Rollout<'_>, status: &DeploymentStatus) -> bool {
    let all = [status.updated_replicas, status.replicas, status.available_replicas];
    all.iter().all(|count| count.unwrap_or(0) == rollout.limits.replicas)
        && status.observed_generation >= rollout.deployment.metadata.generation
}

/// Whether the rollout was complete when its status was last written.
pub(super) fn is_complete(rollout: &Rollout<'_>) -> bool {
    rollout.deployment.status.as_ref().is_some_and(|status| completes(rollout, status))
}

fn progresses(old: &DeploymentStatus, new: &DeploymentStatus) -> bool {
    let count = |count: Option<i32>| count.unwrap_or(0);
    let outdated = |status: &DeploymentStatus| count(status.replicas) - count(status.updated_replicas);
    count(new.updated_replicas) > count(old.updated_replicas)
        || outdated(new) < outdated(old)
        || count(new.ready_replicas) > count(old.ready_replicas)
        || count(new.available_replicas) > count(old.available_replicas)
}

fn is_late(rollout: &Rollout<'_>, conditions: &Conditions) -> bool {
    match conditions.reason(PROGRESSING) {
        COMPLETE => false,
        TIMED_OUT => true,
        _ => left(rollout, conditions).is_some_and(|left| left.is_zero()),
    }
}

/// The time until the deadline, counted from the last progress.
fn left(rollout: &Rollout<'_>, conditions: &Conditions) -> Option<Duration> {
    let deadline = u64::try_from(strategy::progress_deadline(rollout.spec)?).ok()?;
    let since: Timestamp = conditions.get(PROGRESSING)?.last_update_time.as_ref()?.0;
    Some(Duration::from_secs(deadline).saturating_sub(age(since, rollout.now)))
}

/// When the deadline must be checked: at it, unless there is nothing to wait for.
fn deadline_in(rollout: &Rollout<'_>, status: &DeploymentStatus) -> Option<Duration> {
    let conditions = Conditions(status.conditions.clone().unwrap_or_default());
    let waits = !rollout.is_paused()
        && rollout.deployment.metadata.deletion_timestamp.is_none()
        && !completes(rollout, status)
        && !matches!(conditions.reason(PROGRESSING), TIMED_OUT | COMPLETE);
    waits.then(|| left(rollout, &conditions)).flatten()
}
