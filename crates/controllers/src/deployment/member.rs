//! One ReplicaSet of a Deployment while its next state is worked out.

use std::sync::Arc;

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet, ReplicaSetCondition, ReplicaSetStatus};
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use serde_json::{Value, json};

use super::revision::{self, Annotations};
use super::strategy::Limits;
use crate::plan::{Action, difference};
use crate::recorder::Note;

/// A ReplicaSet as it is, and what shall be changed in it.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) source: Arc<ReplicaSet>,
    /// To be created: there is nothing to patch yet.
    pub(super) fresh: bool,
    pub(super) replicas: i32,
    pub(super) annotations: Annotations,
    pub(super) min_ready_seconds: Option<i32>,
}

impl Member {
    pub(super) fn of(source: Arc<ReplicaSet>) -> Self {
        let spec = source.spec.as_ref();
        Self {
            fresh: false,
            replicas: spec.and_then(|spec| spec.replicas).unwrap_or(1),
            annotations: source.metadata.annotations.clone().unwrap_or_default(),
            min_ready_seconds: spec.and_then(|spec| spec.min_ready_seconds),
            source,
        }
    }

    pub(super) fn fresh(source: ReplicaSet) -> Self {
        Self { fresh: true, ..Self::of(Arc::new(source)) }
    }

    pub(super) fn name(&self) -> String {
        self.source.name_any()
    }

    pub(super) fn created(&self) -> Option<Timestamp> {
        self.source.metadata.creation_timestamp.as_ref().map(|time| time.0)
    }

    pub(super) fn status(&self) -> Option<&ReplicaSetStatus> {
        self.source.status.as_ref()
    }

    /// How many pods its status shows.
    pub(super) fn actual(&self) -> i32 {
        self.status().map_or(0, |status| status.replicas)
    }

    pub(super) fn available(&self) -> i32 {
        self.status().and_then(|status| status.available_replicas).unwrap_or(0)
    }

    pub(super) fn ready(&self) -> i32 {
        self.status().and_then(|status| status.ready_replicas).unwrap_or(0)
    }

    pub(super) fn terminating(&self) -> i32 {
        self.status().and_then(|status| status.terminating_replicas).unwrap_or(0)
    }

    pub(super) fn failure(&self) -> Option<&ReplicaSetCondition> {
        let conditions = self.status()?.conditions.as_ref()?;
        conditions.iter().find(|condition| condition.type_ == super::condition::FAILURE)
    }

    /// Sets the size and notes for which Deployment size it was chosen.
    pub(super) fn resize(&mut self, replicas: i32, limits: Limits) {
        self.replicas = replicas.max(0);
        revision::note_size(&mut self.annotations, limits);
    }

    /// As [`Member::resize`], but nothing is noted where the size stays. Whether it changed.
    pub(super) fn scale(&mut self, replicas: i32, limits: Limits) -> bool {
        let changes = self.replicas != replicas;
        if changes {
            self.resize(replicas, limits);
        }
        changes
    }

    /// The write that brings the ReplicaSet to its next state, if there is anything to write.
    pub(super) fn action(&self, deployment: &Deployment) -> Option<Action> {
        if self.fresh { Some(self.creation(deployment)) } else { self.change(deployment) }
    }

    fn creation(&self, deployment: &Deployment) -> Action {
        let mut set = ReplicaSet::clone(&self.source);
        set.metadata.annotations = Some(self.annotations.clone());
        set.spec.get_or_insert_default().replicas = Some(self.replicas);
        let name = self.name();
        let failure = format!("Failed to create new replica set \"{name}\": {{error}}");
        let action = Action::create(&set);
        let scaled = self.replicas > 0;
        let action = if scaled { action.on_success(self.scaled(deployment, 0)) } else { action };
        action.on_failure(Note::warning(deployment, "ReplicaSetCreateError", failure))
    }

    fn scaled(&self, deployment: &Deployment, from: i32) -> Note {
        let direction = if self.replicas > from { "up" } else { "down" };
        let message =
            format!("Scaled {direction} replica set {} from {from} to {}", self.name(), self.replicas);
        Note::normal(deployment, "ScalingReplicaSet", message)
    }

    fn change(&self, deployment: &Deployment) -> Option<Action> {
        let before = Self::of(Arc::clone(&self.source));
        let mut body = difference(&before.shown(), &self.shown())?;
        body["metadata"]["uid"] = json!(self.source.metadata.uid);
        let action = Action::merge(&*self.source, body);
        let scaled = before.replicas != self.replicas;
        Some(if scaled { action.on_success(self.scaled(deployment, before.replicas)) } else { action })
    }

    fn shown(&self) -> Value {
        json!({
            "metadata": { "annotations": self.annotations },
            "spec": { "replicas": self.replicas, "minReadySeconds": self.min_ready_seconds.unwrap_or(0) },
        })
    }
}

/// The sum over some members.
pub(super) fn sum<'a>(members: impl IntoIterator<Item = &'a Member>, count: impl Fn(&Member) -> i32) -> i32 {
    members.into_iter().map(count).sum()
}
