//! The conditions of a Deployment.

use k8s_openapi::api::apps::v1::DeploymentCondition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;

pub(super) const PROGRESSING: &str = "Progressing";
pub(super) const AVAILABLE: &str = "Available";
pub(super) const FAILURE: &str = "ReplicaFailure";

pub(super) const COMPLETE: &str = "NewReplicaSetAvailable";
pub(super) const TIMED_OUT: &str = "ProgressDeadlineExceeded";
pub(super) const PAUSED: &str = "DeploymentPaused";

/// The conditions in the order in which they last changed.
#[derive(Clone, Debug, Default)]
pub(super) struct Conditions(pub(super) Vec<DeploymentCondition>);

impl Conditions {
    pub(super) fn get(&self, kind: &str) -> Option<&DeploymentCondition> {
        self.0.iter().find(|condition| condition.type_ == kind)
    }

    /// The reason of a condition, empty where there is none.
    pub(super) fn reason(&self, kind: &str) -> &str {
        self.get(kind).and_then(|condition| condition.reason.as_deref()).unwrap_or_default()
    }

    pub(super) fn remove(&mut self, kind: &str) {
        self.0.retain(|condition| condition.type_ != kind);
    }

    /// Sets a condition, unless status and reason are what they were: a new message alone is no news.
    pub(super) fn set(&mut self, new: DeploymentCondition) {
        let old = self.get(&new.type_);
        if old.is_some_and(|old| old.status == new.status && old.reason == new.reason) {
            return;
        }
        self.replace(new);
    }

    /// Sets a condition, its update time above all; the transition time stays while the status does.
    pub(super) fn replace(&mut self, mut new: DeploymentCondition) {
        if let Some(old) = self.get(&new.type_).filter(|old| old.status == new.status) {
            new.last_transition_time.clone_from(&old.last_transition_time);
        }
        self.remove(&new.type_);
        self.0.push(new);
    }
}

pub(super) fn new(
    kind: &str,
    status: &str,
    reason: &str,
    message: String,
    now: Timestamp,
) -> DeploymentCondition {
    DeploymentCondition {
        type_: kind.into(),
        status: status.into(),
        reason: Some(reason.into()),
        message: Some(message),
        last_update_time: Some(Time(now)),
        last_transition_time: Some(Time(now)),
    }
}
