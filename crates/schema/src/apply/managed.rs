//! `metadata.managedFields`: who set which field last.
//!
//! ```text
//! live ─┐
//! new ──┴compare─> Diff ─> taken from every entry, given to the requester's entry
//! ```
//!
//! Rules as in `k8s.io/apimachinery/pkg/util/managedfields`: an entry is told apart by manager,
//! operation, subresource and, for updates, version; one without fields vanishes; its time moves only
//! when it gains fields; entries of updates are at most [`UPDATERS_MAX`].

use std::cmp::Ordering;
use std::collections::HashMap;
use std::mem;
use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::compare::{Diff, compare};
use super::fields::FieldSet;
use super::place::Place;
use super::zero::EMPTY;
use crate::model::NodeRef;

/// Most entries of updates; beyond it the oldest are merged into one per version.
pub const UPDATERS_MAX: usize = 10;

/// The longest name of a field manager, in bytes.
pub const MANAGER_BYTES_MAX: usize = 128;

/// The manager of what the oldest updates set.
const ANCIENT: &str = "ancient-changes";

/// Fields nobody owns.
static NEVER_OWNED: LazyLock<FieldSet> = LazyLock::new(|| {
    FieldSet::of_fields(&[
        "apiVersion",
        "kind",
        "metadata",
        "metadata.name",
        "metadata.namespace",
        "metadata.creationTimestamp",
        "metadata.selfLink",
        "metadata.uid",
        "metadata.clusterName",
        "metadata.generation",
        "metadata.managedFields",
        "metadata.resourceVersion",
    ])
});

/// Who writes what, when.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The node of the kind; `None` for a custom resource without a schema.
    pub node: Option<NodeRef<'a>>,
    /// The field manager; an empty one becomes `unknown`. See [`manager_name`].
    pub manager: &'a str,
    /// The version the request came in, such as `apps/v1`.
    pub api_version: &'a str,
    /// The subresource written to, empty for the object itself.
    pub subresource: &'a str,
    /// The time now, as `2006-01-02T15:04:05Z`.
    pub time: &'a str,
    /// Fields this request cannot change: `status` for the object itself, all else for its status.
    pub reset: &'a FieldSet,
    /// The versions the kind is served in; entries of others vanish. Empty when all are to stay.
    pub served: &'a [&'a str],
}

/// The field manager of a request: the one it names, else the first word of its user agent.
pub fn manager_name(field_manager: &str, user_agent: &str) -> String {
    if !field_manager.is_empty() {
        return field_manager.to_owned();
    }
    let mut name = String::new();
    let product = user_agent.split('/').next().unwrap_or_default();
    for c in product.chars().filter(|c| !c.is_control()) {
        if name.len() + c.len_utf8() > MANAGER_BYTES_MAX {
            break;
        }
        name.push(c);
    }
    name
}

/// What an entry of `managedFields` came from. Applied entries sort first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// Server-side apply.
    Apply,
    /// Any other write.
    Update,
}

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Self::Apply => "Apply",
            Self::Update => "Update",
        }
    }
}

/// Where entries come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// From a stored object, so written here: the sets of fields are canonical.
    Stored,
    /// From a client.
    Client,
}

/// What tells entries apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Identity {
    pub(super) manager: String,
    pub(super) operation: Operation,
    /// Empty for applied entries, whose version is not part of what they are.
    pub(super) api_version: String,
    pub(super) subresource: String,
}

/// One entry of `managedFields`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) manager: String,
    pub(super) operation: Operation,
    pub(super) api_version: String,
    pub(super) subresource: String,
    pub(super) time: Option<String>,
    pub(super) fields: FieldSet,
}

impl Entry {
    pub(super) fn new(request: &Request<'_>, operation: Operation) -> Self {
        let manager = if request.manager.is_empty() { "unknown" } else { request.manager };
        Self {
            manager: manager.to_owned(),
            operation,
            api_version: request.api_version.to_owned(),
            subresource: request.subresource.to_owned(),
            time: None,
            fields: FieldSet::new(),
        }
    }

    pub(super) fn identity(&self) -> Identity {
        let api_version = match self.operation {
            Operation::Apply => String::new(),
            Operation::Update => self.api_version.clone(),
        };
        Identity {
            manager: self.manager.clone(),
            operation: self.operation,
            api_version,
            subresource: self.subresource.clone(),
        }
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.operation == other.operation
            && self.manager == other.manager
            && self.subresource == other.subresource
            && (self.operation == Operation::Apply || self.api_version == other.api_version)
    }

    fn parse(value: Value, source: Source) -> Result<Self, String> {
        let Value::Object(mut map) = value else {
            return Err("an entry of managedFields must be an object".to_owned());
        };
        let mut text = |name: &str| match map.remove(name) {
            Some(Value::String(text)) => text,
            _ => String::new(),
        };
        let operation = match text("operation").as_str() {
            "Apply" => Operation::Apply,
            "Update" => Operation::Update,
            _ => return Err("operation must be `Apply` or `Update`".to_owned()),
        };
        let (manager, api_version) = (text("manager"), text("apiVersion"));
        let (subresource, time, fields_type) = (text("subresource"), text("time"), text("fieldsType"));
        if api_version.is_empty() {
            return Err("apiVersion must not be empty".to_owned());
        }
        match fields_type.as_str() {
            "FieldsV1" => {}
            "" => return Err("missing fieldsType in managed fields entry".to_owned()),
            other => return Err(format!("invalid fieldsType {other:?} in managed fields entry")),
        }
        let fields = match (source, map.remove("fieldsV1")) {
            (Source::Stored, Some(Value::Object(fields))) => FieldSet(fields),
            (_, fields) => FieldSet::from_value(fields.unwrap_or_default())?,
        };
        let time = (!time.is_empty()).then_some(time);
        Ok(Self { manager, operation, api_version, subresource, time, fields })
    }

    fn into_value(self) -> Value {
        let mut map = Map::new();
        let mut set = |name: &str, value: Value| map.insert(name.to_owned(), value);
        set("apiVersion", Value::String(self.api_version));
        set("fieldsType", Value::from("FieldsV1"));
        set("fieldsV1", self.fields.into_value());
        set("manager", Value::String(self.manager));
        set("operation", Value::from(self.operation.name()));
        if !self.subresource.is_empty() {
            set("subresource", Value::String(self.subresource));
        }
        if let Some(time) = self.time {
            set("time", Value::String(time));
        }
        Value::Object(map)
    }

    fn order(&self, other: &Self) -> Ordering {
        let by_time = self.operation.cmp(&other.operation).then_with(|| self.time.cmp(&other.time));
        by_time
            .then_with(|| self.manager.cmp(&other.manager))
            .then_with(|| self.api_version.cmp(&other.api_version))
            .then_with(|| self.subresource.cmp(&other.subresource))
    }
}

/// Brings `metadata.managedFields` of `new` up to date with a create (no `live`), update or patch.
///
/// `new` is the object as the request wants it, defaults filled in. Entries are taken from `new`, as
/// its sender may change them: `[]` or `[{}]` drops all, none or invalid ones mean those of `live`;
/// through a subresource they are always those of `live`. An object without entries is not tracked.
pub fn update(live: Option<&Value>, new: &mut Value, request: &Request<'_>) {
    let supplied = take(new);
    let root = Place::root(request.node);
    let diff = compare(root, live.unwrap_or(&EMPTY), new);
    let current = live.and_then(managed_fields);
    if diff.is_empty() && supplied.is_some() && supplied.as_ref() == current {
        put(new, supplied);
        return;
    }
    let mut entries = match supplied {
        Some(supplied) if request.subresource.is_empty() => supplied_entries(supplied, current),
        _ => parse_or_none(current),
    };
    if entries.is_empty() && live.is_some() {
        return;
    }
    track(&mut entries, diff, request);
    cap(&mut entries);
    put(new, encode(entries));
}

fn supplied_entries(supplied: Value, current: Option<&Value>) -> Vec<Entry> {
    let source = if Some(&supplied) == current { Source::Stored } else { Source::Client };
    let resets = match &supplied {
        Value::Array(list) => match &list[..] {
            [] => true,
            [Value::Object(only)] => only.is_empty(),
            _ => false,
        },
        _ => false,
    };
    if resets {
        return Vec::new();
    }
    match parse(supplied, source) {
        Ok(entries) if !entries.is_empty() => entries,
        _ => parse_or_none(current),
    }
}

/// The entries of a live object; none when they cannot be read.
fn parse_or_none(managed: Option<&Value>) -> Vec<Entry> {
    managed.and_then(|value| parse(value.clone(), Source::Stored).ok()).unwrap_or_default()
}

/// Reads `managedFields`; of entries with the same identity the last one counts.
pub(super) fn parse(managed: Value, source: Source) -> Result<Vec<Entry>, String> {
    let list = match managed {
        Value::Array(list) => list,
        Value::Null => return Ok(Vec::new()),
        _ => return Err("managedFields must be a list".to_owned()),
    };
    let mut entries: Vec<Entry> = Vec::with_capacity(list.len());
    for value in list {
        let entry = Entry::parse(value, source)?;
        match entries.iter_mut().find(|other| other.is_same(&entry)) {
            Some(other) => *other = entry,
            None => entries.push(entry),
        }
    }
    Ok(entries)
}

/// Gives what an update changed to its sender, and takes it from all others.
pub(super) fn track(entries: &mut Vec<Entry>, mut diff: Diff, request: &Request<'_>) {
    diff.exclude(request.reset);
    take_from(entries.iter_mut(), &diff);
    drop_dead(entries, request);
    let mut gained = diff.changed;
    gained.subtract(&NEVER_OWNED);
    if gained.is_empty() {
        return;
    }
    let mut own = Entry::new(request, Operation::Update);
    if let Some(at) = entries.iter().position(|entry| entry.is_same(&own)) {
        own = entries.swap_remove(at);
    }
    own.fields.union(gained);
    own.time = Some(request.time.to_owned());
    entries.push(own);
}

/// Takes what changed or is gone from these entries.
pub(super) fn take_from<'e>(entries: impl Iterator<Item = &'e mut Entry>, diff: &Diff) {
    for entry in entries {
        entry.fields.subtract(&diff.changed);
        entry.fields.subtract(&diff.removed);
    }
}

/// Drops entries without fields, and those of versions no longer served.
pub(super) fn drop_dead(entries: &mut Vec<Entry>, request: &Request<'_>) {
    let served = |version: &str| request.served.is_empty() || request.served.contains(&version);
    entries.retain(|entry| !entry.fields.is_empty() && served(&entry.api_version));
}

/// Takes the fields nobody owns out of a set.
pub(super) fn strip(fields: &mut FieldSet) {
    fields.subtract(&NEVER_OWNED);
}

/// Merges the oldest entries of updates, version by version, until there are few enough.
fn cap(entries: &mut Vec<Entry>) {
    let updates = |entries: &[Entry]| entries.iter().filter(|e| e.operation == Operation::Update).count();
    let mut count = updates(entries);
    if count <= UPDATERS_MAX {
        return;
    }
    let all = mem::take(entries);
    let (mut updaters, applied): (Vec<Entry>, Vec<Entry>) =
        all.into_iter().partition(|entry| entry.operation == Operation::Update);
    updaters.sort_by_cached_key(|entry| (entry.manager != ANCIENT, entry.time.clone(), entry.identity()));
    // version -> index of the entry that others are merged into: the bucket of before, else the oldest.
    let mut buckets: HashMap<String, usize> = HashMap::new();
    let mut kept: Vec<Entry> = Vec::with_capacity(UPDATERS_MAX);
    for entry in updaters {
        match buckets.get(&entry.api_version) {
            Some(&at) if count > UPDATERS_MAX => {
                let bucket = &mut kept[at];
                bucket.manager = ANCIENT.to_owned();
                bucket.subresource = String::new();
                bucket.fields.union(entry.fields);
                bucket.time = entry.time;
                count -= 1;
            }
            _ => {
                buckets.entry(entry.api_version.clone()).or_insert(kept.len());
                kept.push(entry);
            }
        }
    }
    *entries = applied;
    entries.append(&mut kept);
}

/// Writes entries in Kubernetes' order; nothing when there are none.
pub(super) fn encode(mut entries: Vec<Entry>) -> Option<Value> {
    if entries.is_empty() {
        return None;
    }
    entries.sort_by(Entry::order);
    Some(Value::Array(entries.into_iter().map(Entry::into_value).collect()))
}

/// The `managedFields` of an object.
pub(super) fn managed_fields(object: &Value) -> Option<&Value> {
    object.get("metadata")?.get("managedFields")
}

fn take(object: &mut Value) -> Option<Value> {
    object.get_mut("metadata")?.as_object_mut()?.remove("managedFields")
}

/// Sets or removes the `managedFields` of an object.
pub(super) fn put(object: &mut Value, managed: Option<Value>) {
    let Some(managed) = managed else {
        take(object);
        return;
    };
    if let Value::Object(map) = object {
        let metadata = map.entry("metadata").or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(metadata) = metadata {
            metadata.insert("managedFields".to_owned(), managed);
        }
    }
}
