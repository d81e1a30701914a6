//! Events: what controllers tell people about what they did.
//!
//! ```text
//! record(note) -> bounded queue -> one task: correlate -> POST or PATCH /api/v1/…/events
//! ```
//!
//! Equal events of one object are one Event whose count grows; more than ten events of one object
//! that differ only in their message within ten minutes are folded into one. Recording never
//! blocks and never fails a reconcile: when the queue is full the event is dropped.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Event, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::json;
use tokio::sync::mpsc;

use crate::Clock;
use crate::informer::Kind;

/// Events that may wait to be written.
const QUEUE: usize = 4096;
/// How many objects' events are remembered for counting.
const REMEMBERED: usize = 4096;
/// After this many similar events within [`FOLD_WINDOW`] the rest is folded.
const FOLD_AFTER: usize = 10;
const FOLD_WINDOW: Duration = Duration::from_secs(600);
const FOLD_PREFIX: &str = "(combined from similar events): ";

/// Whether an event is good news.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Level {
    /// As intended.
    Normal,
    /// Something needs attention.
    Warning,
}

impl Level {
    fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::Warning => "Warning",
        }
    }
}

/// One thing to say about one object.
#[derive(Clone, Debug, PartialEq)]
pub struct Note {
    /// The object.
    pub regarding: ObjectReference,
    /// Good or bad.
    pub level: Level,
    /// A word in CamelCase.
    pub reason: String,
    /// A sentence.
    pub message: String,
}

impl Note {
    /// Good news about `object`.
    pub fn normal<K: Kind>(object: &K, reason: &str, message: impl Into<String>) -> Self {
        Self::new(object, Level::Normal, reason, message.into())
    }

    /// Bad news about `object`.
    pub fn warning<K: Kind>(object: &K, reason: &str, message: impl Into<String>) -> Self {
        Self::new(object, Level::Warning, reason, message.into())
    }

    fn new<K: Kind>(object: &K, level: Level, reason: &str, message: String) -> Self {
        Self { regarding: object.object_ref(&()), level, reason: reason.to_owned(), message }
    }

    /// The note with `placeholder` replaced in its message.
    pub(crate) fn filled(&self, placeholder: &str, text: &str) -> Self {
        Self { message: self.message.replace(placeholder, text), ..self.clone() }
    }
}

struct Entry {
    component: Arc<str>,
    note: Note,
    at: Timestamp,
}

/// Records events in the name of one component. Clones write to the same task.
#[derive(Clone)]
pub struct Recorder {
    component: Arc<str>,
    clock: Clock,
    queue: mpsc::Sender<Entry>,
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recorder({})", self.component)
    }
}

impl Recorder {
    /// Starts the writing task on the current runtime; it ends when the last clone is dropped.
    pub fn start(client: Client, clock: Clock) -> Self {
        let (queue, entries) = mpsc::channel(QUEUE);
        tokio::spawn(write_all(client, entries));
        Self { component: "controllers".into(), clock, queue }
    }

    /// The same recorder in the name of `component`, such as `replicaset-controller`.
    pub fn named(&self, component: &str) -> Self {
        Self { component: component.into(), ..self.clone() }
    }

    /// Hands `note` to the writing task.
    pub fn record(&self, note: Note) {
        let entry = Entry { component: Arc::clone(&self.component), note, at: (self.clock)() };
        if self.queue.try_send(entry).is_err() {
            tracing::warn!("an event was dropped: too many are waiting to be written");
        }
    }
}

async fn write_all(client: Client, mut entries: mpsc::Receiver<Entry>) {
    let mut memory = Memory::default();
    while let Some(entry) = entries.recv().await {
        if let Err(error) = write(&client, &mut memory, entry).await {
            tracing::debug!(error = &error as &dyn std::error::Error, "an event was not written");
        }
    }
}

async fn write(client: &Client, memory: &mut Memory, entry: Entry) -> Result<(), kube::Error> {
    let (identity, decision) = memory.correlate(&entry);
    match decision {
        Decision::Create(event) => create(client, memory, identity, *event).await,
        Decision::Increment { namespace, name, count, at, message } => {
            let api: Api<Event> = Api::namespaced(client.clone(), &namespace);
            let patch = json!({ "count": count, "lastTimestamp": Time(at), "message": message });
            match api.patch(&name, &PatchParams::default(), &Patch::Merge(patch)).await {
                Ok(_) => Ok(()),
                Err(error) => {
                    // The Event has expired: the next one starts afresh.
                    memory.written.remove(&identity);
                    Err(error)
                }
            }
        }
    }
}

async fn create(
    client: &Client,
    memory: &mut Memory,
    identity: Identity,
    event: Event,
) -> Result<(), kube::Error> {
    let namespace = event.metadata.namespace.clone().unwrap_or_default();
    let api: Api<Event> = Api::namespaced(client.clone(), &namespace);
    let created = api.create(&PostParams::default(), &event).await;
    if created.is_err() {
        memory.written.remove(&identity);
    }
    created.map(|_| ())
}

/// What makes two events the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Identity {
    similar: Similar,
    message: String,
}

/// What makes two events similar: all but the message.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Similar {
    component: Arc<str>,
    object: String,
    level: Level,
    reason: String,
}

#[derive(Debug)]
struct Counted {
    namespace: String,
    name: String,
    count: i32,
}

#[derive(Debug, Default)]
struct Fold {
    messages: std::collections::HashSet<String>,
    since: Timestamp,
}

/// What has been written lately.
#[derive(Debug, Default)]
struct Memory {
    written: HashMap<Identity, Counted>,
    folds: HashMap<Similar, Fold>,
}

#[derive(Debug)]
enum Decision {
    Create(Box<Event>),
    Increment { namespace: String, name: String, count: i32, at: Timestamp, message: String },
}

impl Memory {
    fn correlate(&mut self, entry: &Entry) -> (Identity, Decision) {
        if self.written.len() >= REMEMBERED || self.folds.len() >= REMEMBERED {
            *self = Self::default();
        }
        let similar = similar(entry);
        let folded = self.fold(&similar, entry);
        let message =
            if folded { format!("{FOLD_PREFIX}{}", entry.note.message) } else { entry.note.message.clone() };
        let identity =
            Identity { similar, message: if folded { FOLD_PREFIX.to_owned() } else { message.clone() } };
        if let Some(counted) = self.written.get_mut(&identity) {
            counted.count += 1;
            let Counted { namespace, name, count } = counted;
            let (namespace, name, count) = (namespace.clone(), name.clone(), *count);
            return (identity, Decision::Increment { namespace, name, count, at: entry.at, message });
        }
        let event = event(entry, message);
        let name = event.metadata.name.clone().unwrap_or_default();
        let namespace = event.metadata.namespace.clone().unwrap_or_default();
        self.written.insert(identity.clone(), Counted { namespace, name, count: 1 });
        (identity, Decision::Create(Box::new(event)))
    }

    /// Whether this event is one of too many that differ only in their message.
    fn fold(&mut self, similar: &Similar, entry: &Entry) -> bool {
        let fold = self.folds.entry(similar.clone()).or_default();
        if entry.at.duration_since(fold.since).unsigned_abs() > FOLD_WINDOW {
            *fold = Fold { since: entry.at, ..Fold::default() };
        }
        if fold.messages.contains(&entry.note.message) {
            return false;
        }
        if fold.messages.len() >= FOLD_AFTER {
            return true;
        }
        fold.messages.insert(entry.note.message.clone());
        false
    }
}

fn similar(entry: &Entry) -> Similar {
    let r = &entry.note.regarding;
    let parts = [&r.kind, &r.namespace, &r.name, &r.uid, &r.api_version, &r.field_path];
    let object = parts.map(|part| part.as_deref().unwrap_or_default()).join("/");
    Similar {
        component: Arc::clone(&entry.component),
        object,
        level: entry.note.level,
        reason: entry.note.reason.clone(),
    }
}

/// Named like client-go's: the object's name and the time in hexadecimal nanoseconds. Events of
/// cluster-scoped objects live in `default`.
fn event(entry: &Entry, message: String) -> Event {
    let regarding = entry.note.regarding.clone();
    let namespace = regarding.namespace.clone().unwrap_or_else(|| "default".to_owned());
    let name = format!("{}.{:x}", regarding.name.as_deref().unwrap_or_default(), entry.at.as_nanosecond());
    Event {
        metadata: ObjectMeta { name: Some(name), namespace: Some(namespace), ..ObjectMeta::default() },
        involved_object: regarding,
        reason: Some(entry.note.reason.clone()),
        message: Some(message),
        type_: Some(entry.note.level.as_str().to_owned()),
        source: Some(EventSource { component: Some(entry.component.to_string()), host: None }),
        reporting_component: Some(entry.component.to_string()),
        first_timestamp: Some(Time(entry.at)),
        last_timestamp: Some(Time(entry.at)),
        count: Some(1),
        ..Event::default()
    }
}

#[cfg(test)]
mod tests;
