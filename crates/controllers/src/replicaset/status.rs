//! What a ReplicaSet says of its pods.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::apps::v1::{ReplicaSetCondition, ReplicaSetStatus};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::{Replicated, Replicator, Snapshot};
use crate::owner::{Claim, claim};
use crate::plan::{Action, Plan, difference};
use crate::pod;

pub(super) fn plan<K: Replicated>(snapshot: &Snapshot<K>, failure: Option<&str>, now: Timestamp) -> Plan {
    let set = &snapshot.set;
    let active = snapshot.claimed().ours;
    let new = status(snapshot, &active, failure, now);
    let mut plan = Plan::default();
    if let Some(change) = difference(&shown(&set.status), &shown(&new)) {
        plan.then(vec![Action::status(&*set.object, &change)]);
    }
    plan.again = next_available(set, &active, now);
    plan
}

fn status<K: Replicated>(
    snapshot: &Snapshot<K>,
    active: &[Arc<Pod>],
    failure: Option<&str>,
    now: Timestamp,
) -> ReplicaSetStatus {
    let set = &snapshot.set;
    let count = |test: &dyn Fn(&Pod) -> bool| active.iter().filter(|pod| test(pod)).count();
    let available =
        |pod: &Pod| pod::available_in(pod, min_ready(set), now).is_some_and(|left| left.is_zero());
    ReplicaSetStatus {
        replicas: int(active.len()),
        fully_labeled_replicas: Some(int(count(&|pod| carries(pod, template_labels(set))))),
        ready_replicas: Some(int(count(&pod::is_ready))),
        available_replicas: Some(int(count(&available))),
        terminating_replicas: K::COUNTS_TERMINATING.then(|| int(terminating(snapshot))),
        observed_generation: set.object.meta().generation,
        conditions: conditions(set, active.len(), failure, now),
    }
}

fn int(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

fn min_ready<K>(set: &Replicator<K>) -> Duration {
    Duration::from_secs(u64::try_from(set.min_ready_seconds).unwrap_or(0))
}

fn template_labels<K>(set: &Replicator<K>) -> Option<&BTreeMap<String, String>> {
    set.template.metadata.as_ref().and_then(|meta| meta.labels.as_ref())
}

/// Whether the pod has all the template's labels; a pod adopted by hand may lack some.
fn carries(pod: &Pod, wanted: Option<&BTreeMap<String, String>>) -> bool {
    let labels = pod.metadata.labels.as_ref();
    let has = |(key, value): (&String, &String)| labels.and_then(|labels| labels.get(key)) == Some(value);
    wanted.is_none_or(|wanted| wanted.iter().all(has))
}

fn terminating<K: Replicated>(snapshot: &Snapshot<K>) -> usize {
    let set = &snapshot.set;
    let ours = |pod: &&Arc<Pod>| claim(set.object.meta(), &set.selector, &pod.metadata) == Claim::Ours;
    snapshot.pods.iter().filter(|pod| pod::is_terminating(pod)).filter(ours).count()
}

/// ReplicaFailure stands as long as the writes fail, and keeps its first message.
fn conditions<K: Replicated>(
    set: &Replicator<K>,
    active: usize,
    failure: Option<&str>,
    now: Timestamp,
) -> Option<Vec<ReplicaSetCondition>> {
    let mut conditions = set.status.conditions.clone().unwrap_or_default();
    let standing = conditions.iter().any(|condition| condition.type_ == "ReplicaFailure");
    match failure {
        Some(message) if !standing => {
            let wanted = usize::try_from(set.replicas).unwrap_or(0);
            let reason = if active > wanted { "FailedDelete" } else { "FailedCreate" };
            conditions.push(ReplicaSetCondition {
                type_: "ReplicaFailure".into(),
                status: "True".into(),
                reason: Some(reason.into()),
                message: Some(message.into()),
                last_transition_time: Some(Time(now)),
            });
        }
        Some(_) => {}
        None => conditions.retain(|condition| condition.type_ != "ReplicaFailure"),
    }
    (!conditions.is_empty()).then_some(conditions)
}

/// The status as the API server shows it: counts that may be absent are absent when zero, but
/// `replicas` and `terminatingReplicas`, where zero says something, stay.
fn shown(status: &ReplicaSetStatus) -> Value {
    let mut value = serde_json::to_value(status).expect("a status is serialisable");
    if let Value::Object(fields) = &mut value {
        let zero =
            |name: &str| matches!(name, "fullyLabeledReplicas" | "readyReplicas" | "availableReplicas");
        fields.retain(|name, value| !(zero(name) && *value == json!(0)));
    }
    value
}

/// The next moment at which a ready pod becomes available.
fn next_available<K>(set: &Replicator<K>, active: &[Arc<Pod>], now: Timestamp) -> Option<Duration> {
    let left = active.iter().filter_map(|pod| pod::available_in(pod, min_ready(set), now));
    left.filter(|left| !left.is_zero()).min()
}
