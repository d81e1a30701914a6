//! What the scheduler writes to the API: bindings, the `PodScheduled` condition, events.
//!
//! The only module, with [`crate::run`], that knows the client. Conditions are
//! patched under the resource version they were decided on, so that a late
//! refusal cannot overwrite a binding.

use k8s_openapi::{
    api::{
        core::v1::{Binding, ObjectReference, Pod, PodCondition, PodStatus},
        events::v1::{Event, EventSeries},
    },
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta, Status, Time},
    jiff::Timestamp,
};
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

/// The longest note of an event, in bytes (`events.k8s.io/v1`).
const NOTE_MAX: usize = 1024;

/// Why the API did not take a write.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The pod is gone, or is another one of the same name, or is assigned already.
    #[error("pod is gone or assigned")]
    Outdated(#[source] kube::Error),
    /// Anything else.
    #[error("the API refused the binding")]
    Refused(#[source] kube::Error),
}

impl BindError {
    /// For the pod's owner, as Kubernetes words it.
    pub fn message(&self) -> String {
        let (Self::Outdated(cause) | Self::Refused(cause)) = self;
        let text = match cause {
            kube::Error::Api(status) => status.message.clone(),
            other => other.to_string(),
        };
        format!("running Bind plugin \"DefaultBinder\": {text}")
    }

    fn new(error: kube::Error) -> Self {
        match &error {
            kube::Error::Api(status) if matches!(status.code, 404 | 409) => Self::Outdated(error),
            _ => Self::Refused(error),
        }
    }
}

/// Which pod is meant: its namespace, name and uid.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PodKey {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
    /// The uid.
    pub uid: String,
}

/// Assigns a pod to a node: `POST pods/NAME/binding`. The uid guards against a pod of the same name.
pub async fn assign(client: Client, pod: &PodKey, node: &str) -> Result<(), BindError> {
    let binding = Binding {
        metadata: ObjectMeta {
            name: Some(pod.name.clone()),
            namespace: Some(pod.namespace.clone()),
            uid: Some(pod.uid.clone()),
            ..ObjectMeta::default()
        },
        target: ObjectReference {
            kind: Some("Node".into()),
            name: Some(node.into()),
            ..ObjectReference::default()
        },
    };
    let pods: Api<Pod> = Api::namespaced(client, &pod.namespace);
    let params = PostParams::default();
    let answer = pods.create_subresource::<_, Status>("binding", &pod.name, &params, &binding);
    answer.await.map(drop).map_err(BindError::new)
}

/// Why a pod is not scheduled, in the words of its condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// No node takes it.
    Unschedulable,
    /// The scheduler could not do its work.
    SchedulerError,
}

impl Reason {
    fn text(self) -> &'static str {
        match self {
            Self::Unschedulable => "Unschedulable",
            Self::SchedulerError => "SchedulerError",
        }
    }
}

/// Sets `PodScheduled=False`, unless it is set so already. The pod is the newest one known.
pub async fn set_unscheduled(
    client: Client,
    pod: &Pod,
    reason: Reason,
    message: &str,
) -> Result<(), kube::Error> {
    let Some(patch) = condition_patch(pod, reason, message, Timestamp::now()) else { return Ok(()) };
    let meta = &pod.metadata;
    let pods: Api<Pod> = Api::namespaced(client, meta.namespace.as_deref().unwrap_or_default());
    let name = meta.name.as_deref().unwrap_or_default();
    pods.patch_status(name, &PatchParams::default(), &Patch::Strategic(patch)).await.map(drop)
}

/// The strategic merge patch for the condition; `None` where the pod has it.
pub(crate) fn condition_patch(pod: &Pod, reason: Reason, message: &str, now: Timestamp) -> Option<Value> {
    let old = pod.status.as_ref().and_then(scheduled_condition);
    let is_false = old.is_some_and(|old| old.status == "False");
    let same = |old: &PodCondition| {
        old.reason.as_deref() == Some(reason.text()) && old.message.as_deref() == Some(message)
    };
    if is_false && old.is_some_and(same) {
        return None;
    }
    let kept = old.filter(|_| is_false).and_then(|old| old.last_transition_time.clone());
    let condition = PodCondition {
        type_: "PodScheduled".into(),
        status: "False".into(),
        reason: Some(reason.text().into()),
        message: Some(message.into()),
        last_transition_time: kept.or(Some(Time(now))),
        observed_generation: pod.metadata.generation,
        last_probe_time: None,
    };
    Some(json!({
        "metadata": { "uid": pod.metadata.uid, "resourceVersion": pod.metadata.resource_version },
        "status": { "conditions": [condition] },
    }))
}

fn scheduled_condition(status: &PodStatus) -> Option<&PodCondition> {
    status.conditions.iter().flatten().find(|condition| condition.type_ == "PodScheduled")
}

/// Something to tell about a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    /// The pod.
    pub pod: PodKey,
    /// `Normal` or `Warning`.
    pub kind: &'static str,
    /// `Scheduled` or `FailedScheduling`.
    pub reason: &'static str,
    /// `Binding` or `Scheduling`.
    pub action: &'static str,
    /// What happened.
    pub note: String,
}

impl News {
    /// The pod is on its node.
    pub fn scheduled(pod: PodKey, node: &str) -> Self {
        let note = format!("Successfully assigned {}/{} to {node}", pod.namespace, pod.name);
        Self { pod, kind: "Normal", reason: "Scheduled", action: "Binding", note }
    }

    /// The pod is not.
    pub fn failed(pod: PodKey, why: &str) -> Self {
        let note = why.to_owned();
        Self { pod, kind: "Warning", reason: "FailedScheduling", action: "Scheduling", note }
    }
}

/// Creates an event and returns its name.
pub async fn create_event(client: Client, reporter: &str, news: &News) -> Result<String, kube::Error> {
    let event = event(reporter, news, Timestamp::now());
    let events: Api<Event> = Api::namespaced(client, &news.pod.namespace);
    let name = event.metadata.name.clone().unwrap_or_default();
    events.create(&PostParams::default(), &event).await.map(|_| name)
}

/// Says that an event has happened `count` times by now.
pub async fn repeat_event(
    client: Client,
    namespace: &str,
    name: &str,
    count: i32,
) -> Result<(), kube::Error> {
    let series = EventSeries { count, last_observed_time: MicroTime(Timestamp::now()) };
    let events: Api<Event> = Api::namespaced(client, namespace);
    let patch = Patch::Merge(json!({ "series": series }));
    events.patch(name, &PatchParams::default(), &patch).await.map(drop)
}

pub(crate) fn event(reporter: &str, news: &News, now: Timestamp) -> Event {
    let pod = &news.pod;
    Event {
        metadata: ObjectMeta {
            name: Some(format!("{}.{:x}", pod.name, now.as_nanosecond())),
            namespace: Some(pod.namespace.clone()),
            ..ObjectMeta::default()
        },
        event_time: Some(MicroTime(now)),
        reporting_controller: Some(reporter.into()),
        reporting_instance: Some(reporter.into()),
        action: Some(news.action.into()),
        reason: Some(news.reason.into()),
        type_: Some(news.kind.into()),
        note: Some(shortened(&news.note)),
        regarding: Some(ObjectReference {
            api_version: Some("v1".into()),
            kind: Some("Pod".into()),
            namespace: Some(pod.namespace.clone()),
            name: Some(pod.name.clone()),
            uid: Some(pod.uid.clone()),
            ..ObjectReference::default()
        }),
        ..Event::default()
    }
}

/// Cuts a note to what an event may hold.
fn shortened(note: &str) -> String {
    const MARK: &str = " ...";
    if note.len() <= NOTE_MAX {
        return note.into();
    }
    let end = note.floor_char_boundary(NOTE_MAX - MARK.len());
    format!("{}{MARK}", &note[..end])
}

#[cfg(test)]
mod tests;
