//! What a controller has decided to write: data, with nothing left to decide.
//!
//! A plan is a list of steps; a step runs when all before it succeeded. The actions of a step are
//! independent of each other. Patches hold only what the controller owns, and carry the uid (and,
//! where it matters, the resourceVersion) of the object they were planned for as a precondition.

use std::time::Duration;

use kube::Resource;
use serde_json::{Value, json};

use crate::informer::{Key, Kind};
use crate::recorder::Note;

/// The collection that an action goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collection {
    /// The plural resource name, such as `pods`.
    pub resource: String,
    /// The URL path of the collection, such as `/api/v1/namespaces/default/pods`.
    pub path: String,
    /// The namespace, or empty.
    pub namespace: String,
}

impl Collection {
    /// The collection of a built-in kind in a namespace (empty: cluster-scoped).
    pub fn of<K: Resource<DynamicType = ()>>(namespace: &str) -> Self {
        let scope = (!namespace.is_empty()).then_some(namespace);
        let path = K::url_path(&(), scope);
        Self { resource: K::plural(&()).into_owned(), path, namespace: namespace.to_owned() }
    }

    fn named(self, name: String, uid: String) -> Target {
        Target { collection: self, name, uid }
    }
}

/// One existing object that an action is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Where it lives.
    pub collection: Collection,
    /// Its name.
    pub name: String,
    /// Its uid as it was planned for; empty where any object of the name will do.
    pub uid: String,
}

impl Target {
    /// The target that is `object`.
    pub fn of<K: Kind>(object: &K) -> Self {
        let meta = object.meta();
        let collection = Collection::of::<K>(meta.namespace.as_deref().unwrap_or_default());
        collection.named(meta.name.clone().unwrap_or_default(), meta.uid.clone().unwrap_or_default())
    }

    /// The target's key within its kind.
    pub fn key(&self) -> Key {
        Key::new(&self.collection.namespace, &self.name)
    }
}

/// How a patch's body is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// RFC 7386: null removes, lists are replaced.
    Merge,
    /// Kubernetes' strategic merge patch: lists merge by key. For built-in kinds only.
    Strategic,
    /// RFC 6902: a list of operations.
    Json,
}

/// What happens to the dependents of a deleted object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    /// The kind's default.
    Default,
    /// The garbage collector removes dependents afterwards.
    Background,
    /// Dependents go first.
    Foreground,
    /// Dependents stay.
    Orphan,
}

/// One write (or, for `Verify`, one read that must hold).
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    /// Creates the object.
    Create(Collection, Value),
    /// Patches the object or its subresource (empty: the object itself).
    Patch {
        /// The object.
        target: Target,
        /// Such as `status`, or empty.
        subresource: &'static str,
        /// How the body is read.
        form: Form,
        /// The patch.
        body: Value,
    },
    /// Deletes the object, if it still has its uid (and the revision, where one is given).
    Delete {
        /// The object.
        target: Target,
        /// The resourceVersion it must have, or empty.
        revision: String,
        /// The grace period in seconds, where it is not the object's own.
        grace: Option<u32>,
        /// What becomes of dependents.
        propagation: Propagation,
    },
    /// Replaces a subresource by POST or PUT of a whole object, for those that know no patch.
    Put {
        /// The object.
        target: Target,
        /// Such as `finalize`.
        subresource: &'static str,
        /// The whole object.
        body: Value,
    },
    /// Reads the object live; the step fails unless it has its uid and is not being deleted.
    Verify(Target),
}

/// A write and what is said about it. In messages `{name}` stands for the object's name as the
/// server answered it, `{error}` for the server's message.
#[derive(Clone, Debug, PartialEq)]
pub struct Action {
    /// The write.
    pub write: Write,
    /// The event to record when it was done.
    pub success: Option<Note>,
    /// The event to record when it was refused.
    pub failure: Option<Note>,
    /// Whether an object that already exists (create) or no longer exists (patch) is as good.
    pub lenient: bool,
}

impl Action {
    fn new(write: Write) -> Self {
        Self { write, success: None, failure: None, lenient: false }
    }

    /// Creates an object of a built-in kind, where `object` says; adds its apiVersion and kind.
    pub fn create<K: Kind + serde::Serialize>(object: &K) -> Self {
        let namespace = object.meta().namespace.clone().unwrap_or_default();
        let mut body = serde_json::to_value(object).expect("a built-in type is serialisable");
        body["apiVersion"] = json!(K::api_version(&()));
        body["kind"] = json!(K::kind(&()));
        Self::new(Write::Create(Collection::of::<K>(&namespace), body))
    }

    /// Patches the object itself by merge patch.
    pub fn merge<K: Kind>(object: &K, body: Value) -> Self {
        Self::patch(Target::of(object), "", Form::Merge, body)
    }

    /// Patches the object itself by strategic merge patch.
    pub fn strategic<K: Kind>(object: &K, body: Value) -> Self {
        Self::patch(Target::of(object), "", Form::Strategic, body)
    }

    /// Patches the object's status by merge patch; `status` is what changes in it.
    pub fn status<K: Kind>(object: &K, status: &Value) -> Self {
        let body = json!({ "metadata": { "uid": object.meta().uid }, "status": status });
        Self::patch(Target::of(object), "status", Form::Merge, body)
    }

    /// Any patch.
    pub fn patch(target: Target, subresource: &'static str, form: Form, body: Value) -> Self {
        Self::new(Write::Patch { target, subresource, form, body })
    }

    /// Deletes the object with its own grace period and its kind's default propagation.
    pub fn delete<K: Kind>(object: &K) -> Self {
        Self::remove(Target::of(object), None, Propagation::Default)
    }

    /// Deletes any target.
    pub fn remove(target: Target, grace: Option<u32>, propagation: Propagation) -> Self {
        Self::new(Write::Delete { target, revision: String::new(), grace, propagation })
    }

    /// The same deletion, only if the object has not changed since.
    pub fn at_revision(mut self, wanted: String) -> Self {
        if let Write::Delete { revision, .. } = &mut self.write {
            *revision = wanted;
        }
        self
    }

    /// Replaces a subresource.
    pub fn put(target: Target, subresource: &'static str, body: Value) -> Self {
        Self::new(Write::Put { target, subresource, body })
    }

    /// Reads the object live and fails unless it is the same and not being deleted.
    pub fn verify<K: Kind>(object: &K) -> Self {
        Self::new(Write::Verify(Target::of(object)))
    }

    /// Records `note` when the write was done.
    pub fn on_success(mut self, note: Note) -> Self {
        self.success = Some(note);
        self
    }

    /// Records `note` when the write was refused.
    pub fn on_failure(mut self, note: Note) -> Self {
        self.failure = Some(note);
        self
    }

    /// Takes a create of what exists, or a patch of what is gone, for done.
    pub fn lenient(mut self) -> Self {
        self.lenient = true;
        self
    }
}

/// Actions that need no order among themselves.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// All at once; the first refusal ends the plan after the step.
    All(Vec<Action>),
    /// In batches of 1, 2, 4 …; a refusal ends the plan after its batch, so that a quota or an
    /// admission plugin is not asked a thousand times for what it refuses once.
    SlowStart(Vec<Action>),
}

impl Step {
    /// The actions of the step.
    pub fn actions(&self) -> &[Action] {
        match self {
            Self::All(actions) | Self::SlowStart(actions) => actions,
        }
    }
}

/// What one reconcile has decided.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// The writes, in order.
    pub steps: Vec<Step>,
    /// Events to record in any case.
    pub notes: Vec<Note>,
    /// When to look again although nothing may have changed: only where time itself matters.
    pub again: Option<Duration>,
}

impl Plan {
    /// Appends a step, unless it is empty.
    pub fn then(&mut self, actions: Vec<Action>) {
        if !actions.is_empty() {
            self.steps.push(Step::All(actions));
        }
    }

    /// Appends a slow-start step, unless it is empty.
    pub fn then_slowly(&mut self, actions: Vec<Action>) {
        if !actions.is_empty() {
            self.steps.push(Step::SlowStart(actions));
        }
    }

    /// Asks to be planned again after `delay` at the latest.
    pub fn within(&mut self, delay: Duration) {
        self.again = Some(self.again.map_or(delay, |again| again.min(delay)));
    }
}

/// The merge patch (RFC 7386) that turns `old` into `new`; none where they are equal.
pub fn difference(old: &Value, new: &Value) -> Option<Value> {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            let mut patch = serde_json::Map::new();
            for (field, value) in new {
                let change = difference(old.get(field).unwrap_or(&Value::Null), value);
                patch.extend(change.map(|change| (field.clone(), change)));
            }
            let removed = old.keys().filter(|field| !new.contains_key(*field));
            patch.extend(removed.map(|field| (field.clone(), Value::Null)));
            (!patch.is_empty()).then_some(Value::Object(patch))
        }
        _ => (old != new).then(|| new.clone()),
    }
}

#[cfg(test)]
pub(crate) mod tests;
