//! One reconcile of a Deployment: from what there is to all that is to be written.

use std::sync::Arc;

use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec, ReplicaSet, ReplicaSetSpec};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use serde_json::json;

use super::condition::{self, Conditions, FAILURE, PAUSED, PROGRESSING, TIMED_OUT};
use super::member::{Member, sum};
use super::revision::{self, DESIRED, HASH, REVISION};
use super::strategy::{self, Limits};
use super::{recreate, rolling, scale, status};
use crate::owner::{controller_of, controller_ref};
use crate::plan::{Action, Plan, Step, Write};
use crate::recorder::Note;

/// What a Deployment's plan is made from.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The Deployment.
    pub deployment: Arc<Deployment>,
    /// Its ReplicaSets, those to be adopted included.
    pub sets: Vec<Arc<ReplicaSet>>,
    /// Adoptions and releases, in order.
    pub claims: Vec<Vec<Action>>,
    /// The pods of its ReplicaSets; only needed for `Recreate`.
    pub pods: Vec<Arc<Pod>>,
}

/// A Deployment while its next state is worked out.
#[derive(Debug)]
pub(super) struct Rollout<'a> {
    pub(super) deployment: &'a Deployment,
    pub(super) spec: &'a DeploymentSpec,
    pub(super) limits: Limits,
    pub(super) pods: &'a [Arc<Pod>],
    /// All but the new one, oldest first.
    pub(super) old: Vec<Member>,
    pub(super) new: Option<Member>,
    pub(super) conditions: Conditions,
    /// The revision that the Deployment shall show.
    pub(super) revision: Option<String>,
    pub(super) surplus: Vec<Action>,
    pub(super) now: Timestamp,
}

/// Adoption, the ReplicaSets' creation and change, the Deployment's status, the history's clean-up.
pub fn plan(snapshot: &Snapshot, now: Timestamp) -> Plan {
    let mut plan = Plan::default();
    let Some(spec) = snapshot.deployment.spec.as_ref() else { return plan };
    let empty = spec.selector.match_labels.as_ref().is_none_or(std::collections::BTreeMap::is_empty)
        && spec.selector.match_expressions.as_ref().is_none_or(Vec::is_empty);
    if empty {
        return refuse_selector(&snapshot.deployment);
    }
    snapshot.claims.iter().for_each(|claims| plan.then(claims.clone()));
    let mut rollout = Rollout::new(snapshot, spec, now);
    rollout.advance();
    rollout.write(&mut plan);
    plan
}

fn refuse_selector(deployment: &Deployment) -> Plan {
    let mut plan = Plan::default();
    let message = "This deployment is selecting all pods. A non-empty selector is required.";
    plan.notes.push(Note::warning(deployment, "SelectingAll", message));
    let observed = deployment.status.as_ref().and_then(|status| status.observed_generation);
    if observed < deployment.metadata.generation {
        let status = json!({ "observedGeneration": deployment.metadata.generation });
        plan.then(vec![Action::status(deployment, &status)]);
    }
    plan
}

impl<'a> Rollout<'a> {
    fn new(snapshot: &'a Snapshot, spec: &'a DeploymentSpec, now: Timestamp) -> Self {
        let mut old: Vec<Member> = snapshot.sets.iter().cloned().map(Member::of).collect();
        old.sort_by_cached_key(|member| (member.created(), member.name()));
        let new = old.iter().position(|member| revision::has_template(&member.source, &spec.template));
        let new = new.map(|index| old.remove(index));
        let status = snapshot.deployment.status.as_ref();
        let conditions = Conditions(status.and_then(|status| status.conditions.clone()).unwrap_or_default());
        let (limits, deployment) = (Limits::of(spec), &*snapshot.deployment);
        let (pods, revision, surplus) = (&snapshot.pods[..], None, Vec::new());
        Self { deployment, spec, limits, pods, old, new, conditions, revision, surplus, now }
    }

    /// As upstream: a Deployment that goes only counts; one that is paused or was just resized is
    /// scaled in proportion; all others roll.
    fn advance(&mut self) {
        if self.deployment.metadata.deletion_timestamp.is_some() {
            self.keep_revision();
            return;
        }
        self.note_pause();
        if self.is_paused() || self.is_scaling() {
            self.keep_revision();
            scale::in_proportion(self);
            if self.is_paused() {
                self.clean_up();
            }
        } else if self.limits.rolling {
            rolling::advance(self);
        } else {
            recreate::advance(self);
        }
    }

    pub(super) fn is_paused(&self) -> bool {
        self.spec.paused == Some(true)
    }

    pub(super) fn has_deadline(&self) -> bool {
        strategy::progress_deadline(self.spec).is_some()
    }

    /// Whether the size was changed since a ReplicaSet was last scaled.
    fn is_scaling(&self) -> bool {
        let active = self.all().filter(|member| member.replicas > 0);
        active
            .filter_map(|member| revision::noted(&member.annotations, DESIRED))
            .any(|size| size != self.limits.replicas)
    }

    /// A pause stops the deadline's clock, and resuming starts it afresh.
    fn note_pause(&mut self) {
        let reason = self.conditions.reason(PROGRESSING);
        if !self.has_deadline() || reason == TIMED_OUT {
            return;
        }
        let (reason, message) = match (self.is_paused(), reason == PAUSED) {
            (true, false) => (PAUSED, "Deployment is paused"),
            (false, true) => ("DeploymentResumed", "Deployment is resumed"),
            _ => return,
        };
        self.conditions.set(condition::new(PROGRESSING, "Unknown", reason, message.into(), self.now));
    }

    /// Every ReplicaSet, the new one last.
    pub(super) fn all(&self) -> impl Iterator<Item = &Member> {
        self.old.iter().chain(&self.new)
    }

    pub(super) fn count(&self, count: impl Fn(&Member) -> i32) -> i32 {
        sum(self.all(), count)
    }

    fn next_revision(&self) -> i64 {
        let revisions = self.old.iter().map(|member| revision::revision(Some(&member.annotations)));
        revisions.max().unwrap_or(0) + 1
    }

    /// Brings the new ReplicaSet's annotations up to date, if it exists.
    pub(super) fn keep_revision(&mut self) {
        let (next, has_deadline) = (self.next_revision(), self.has_deadline());
        let Some(new) = &mut self.new else { return };
        revision::inherit(self.deployment.metadata.annotations.as_ref(), &mut new.annotations);
        revision::raise(&mut new.annotations, next);
        new.min_ready_seconds = self.spec.min_ready_seconds;
        self.revision = new.annotations.get(REVISION).cloned();
        if has_deadline && self.conditions.get(PROGRESSING).is_none() {
            let message = format!("Found new replica set \"{}\"", new.name());
            self.conditions.set(condition::new(PROGRESSING, "True", "FoundNewReplicaSet", message, self.now));
        }
    }

    /// As [`Rollout::keep_revision`]; where there is no new ReplicaSet one is to be created.
    pub(super) fn ensure_new(&mut self) {
        if self.new.is_some() {
            return self.keep_revision();
        }
        let next = self.next_revision();
        let mut new = Member::fresh(self.new_set());
        revision::inherit(self.deployment.metadata.annotations.as_ref(), &mut new.annotations);
        revision::raise(&mut new.annotations, next);
        revision::note_size(&mut new.annotations, self.limits);
        new.replicas = 0;
        new.replicas = self.new_size(&new);
        self.revision = Some(next.to_string());
        if self.has_deadline() {
            let message = format!("Created new replica set \"{}\"", new.name());
            self.conditions.set(condition::new(
                PROGRESSING,
                "True",
                "NewReplicaSetCreated",
                message,
                self.now,
            ));
        }
        self.new = Some(new);
    }

    /// How large the new ReplicaSet may be now.
    pub(super) fn new_size(&self, new: &Member) -> i32 {
        if !self.limits.rolling {
            return self.limits.replicas;
        }
        let others = sum(&self.old, |member| member.replicas);
        let room = self.limits.most() - others - new.replicas;
        if room <= 0 { new.replicas } else { new.replicas + room.min(self.limits.replicas - new.replicas) }
    }

    fn new_set(&self) -> ReplicaSet {
        let collisions = self.deployment.status.as_ref().and_then(|status| status.collision_count);
        let hash = revision::template_hash(&self.spec.template, collisions);
        let mut template = self.spec.template.clone();
        let labels = template.metadata.get_or_insert_default().labels.get_or_insert_default();
        labels.insert(HASH.into(), hash.clone());
        let labels = labels.clone();
        let mut selector = self.spec.selector.clone();
        selector.match_labels.get_or_insert_default().insert(HASH.into(), hash.clone());
        ReplicaSet {
            metadata: ObjectMeta {
                name: Some(format!("{}-{hash}", self.deployment.name_any())),
                namespace: self.deployment.metadata.namespace.clone(),
                labels: Some(labels),
                owner_references: Some(vec![controller_ref(self.deployment)]),
                ..ObjectMeta::default()
            },
            spec: Some(ReplicaSetSpec {
                replicas: Some(0),
                min_ready_seconds: self.spec.min_ready_seconds,
                selector,
                template: Some(template),
            }),
            status: None,
        }
    }

    /// Deletes the oldest empty ReplicaSets beyond the history limit.
    pub(super) fn clean_up(&mut self) {
        let Some(limit) = strategy::history_limit(self.spec) else { return };
        let mut alive: Vec<&Member> =
            self.old.iter().filter(|member| member.source.metadata.deletion_timestamp.is_none()).collect();
        alive.sort_by_key(|member| revision::revision(Some(&member.annotations)));
        let surplus = alive.len().saturating_sub(limit);
        let idle = alive.into_iter().take(surplus).filter(|member| is_idle(member));
        self.surplus = idle.map(|member| Action::delete(&*member.source)).collect();
    }

    fn write(&self, plan: &mut Plan) {
        // If the new ReplicaSet cannot be created the old ones keep their pods.
        let (fresh, standing): (Vec<&Member>, Vec<&Member>) = self.all().partition(|member| member.fresh);
        for members in [fresh, standing] {
            plan.then(members.into_iter().filter_map(|member| member.action(self.deployment)).collect());
        }
        plan.then(self.surplus.clone());
        plan.then(status::note_revision(self).into_iter().collect());
        let (status, again) = status::plan(self);
        plan.then(status.into_iter().collect());
        plan.again = again;
    }
}

/// Nothing of it is left, and its controller has seen that nothing shall be.
fn is_idle(member: &Member) -> bool {
    let observed = member.status().and_then(|status| status.observed_generation);
    member.actual() == 0 && member.replicas == 0 && observed >= member.source.metadata.generation
}

/// The name of the ReplicaSet that a step creates.
pub(super) fn created(step: &Step) -> Option<String> {
    step.actions().iter().find_map(|action| match &action.write {
        Write::Create(_, object) => object["metadata"]["name"].as_str().map(str::to_owned),
        _ => None,
    })
}

/// What to do when the new ReplicaSet's name is taken by `found`: nothing if it is the new one
/// itself, else the next name is tried.
pub fn plan_collision(snapshot: &Snapshot, found: &ReplicaSet) -> Plan {
    let mut plan = Plan::default();
    let deployment = &*snapshot.deployment;
    let ours = controller_of(&found.metadata).map(|owner| &owner.uid) == deployment.metadata.uid.as_ref();
    let template = deployment.spec.as_ref().map(|spec| &spec.template);
    if ours && template.is_some_and(|template| revision::has_template(found, template)) {
        return plan;
    }
    let collisions = deployment.status.as_ref().and_then(|status| status.collision_count).unwrap_or(0);
    plan.then(vec![Action::status(deployment, &json!({ "collisionCount": collisions + 1 }))]);
    plan
}

/// Says in the status that the new ReplicaSet could not be created.
pub fn plan_refusal(snapshot: &Snapshot, name: &str, error: &str, now: Timestamp) -> Plan {
    let mut plan = Plan::default();
    let deployment = &*snapshot.deployment;
    let deadline = deployment.spec.as_ref().and_then(strategy::progress_deadline);
    let old = deployment.status.as_ref().and_then(|status| status.conditions.clone()).unwrap_or_default();
    let mut conditions = Conditions(old.clone());
    let message = format!("Failed to create new replica set \"{name}\": {error}");
    conditions.set(condition::new(PROGRESSING, "False", "ReplicaSetCreateError", message, now));
    if deadline.is_some() && conditions.0 != old {
        plan.then(vec![Action::status(deployment, &json!({ "conditions": conditions.0 }))]);
    }
    plan
}

/// The failure to show: the new ReplicaSet's own, else any other's.
pub(super) fn failure<'r>(
    rollout: &'r Rollout<'_>,
) -> Option<k8s_openapi::api::apps::v1::DeploymentCondition> {
    let found = rollout.new.iter().chain(&rollout.old).find_map(|member: &'r Member| member.failure())?;
    Some(k8s_openapi::api::apps::v1::DeploymentCondition {
        type_: FAILURE.into(),
        status: found.status.clone(),
        reason: found.reason.clone(),
        message: found.message.clone(),
        last_transition_time: found.last_transition_time.clone(),
        last_update_time: found.last_transition_time.clone(),
    })
}
