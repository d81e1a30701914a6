//! Server-side apply and the tracking of who owns which field (KEP-555), by the rules of
//! `sigs.k8s.io/structured-merge-diff`.
//!
//! ```text
//! update: live, new ──────── compare ─> Diff ─> managedFields of new
//! apply:  live, config ─ merge ─ prune ─> merged ─ compare ─> conflicts, or managedFields of merged
//! ```
//!
//! The schema says what is owned as a whole and what part by part; a part without a schema
//! is taken as Kubernetes takes it: maps field by field, lists as a whole.
//!
//! Entries written in another version of the kind are compared in the version of the request.

mod check;
mod compare;
mod conflict;
mod element;
mod extract;
mod fields;
mod kubectl;
pub mod managed;
mod merge;
mod place;
mod prune;
mod zero;

pub use conflict::{Conflict, Conflicts};
pub use fields::FieldSet;
pub use managed::{Request, manager_name, update};

use serde_json::Value;
use thiserror::Error;

use compare::{Diff, alike, compare};
use managed::{Entry, Identity, Operation, Source};
use place::Place;
use zero::EMPTY;

/// The manager of what was set before an object was first applied.
const BEFORE_FIRST_APPLY: &str = "before-first-apply";

/// Why a configuration was not applied. The variants are the Status to answer with.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ApplyError {
    /// Others own fields of the configuration that have another value: 409, `Conflict`, with one
    /// cause for each.
    #[error("{0}")]
    Conflicts(Conflicts),
    /// The request is wrong: 400, `BadRequest`.
    #[error("{0}")]
    BadRequest(String),
    /// The configuration does not fit the schema: 500 without a reason, as in Kubernetes.
    #[error("{0}")]
    Unfit(String),
}

/// Applies a configuration, taking over fields of others if `force`.
///
/// `config` is the body as sent, unknown fields included; without `live` the object is created.
/// Returns the whole object with its new `managedFields`, defaults not yet filled in. It equals
/// `live` when nothing changes. A manager that joins without changing anything has no time.
///
/// # Errors
/// As [`ApplyError`] tells, in Kubernetes' words.
pub fn apply(
    live: Option<&Value>,
    config: &Value,
    request: &Request<'_>,
    force: bool,
) -> Result<Value, ApplyError> {
    let root = Place::root(request.node);
    check_config(root, config, request)?;
    let mut entries = live_entries(live, request)?;
    let live = live.unwrap_or(&EMPTY);
    let mut own = Entry::new(request, Operation::Apply);
    if let Some(at) = entries.iter().position(|entry| entry.is_same(&own)) {
        own = entries.swap_remove(at);
    }
    let last = std::mem::take(&mut own.fields);
    own.fields = extract::extract(root, config);
    own.fields.subtract_below(request.reset);
    own.api_version = request.api_version.to_owned();

    let merged = merge::merge(root, Some(live), config);
    let mut merged = prune::prune(root, merged, &last, &union(&entries, &own));
    let mut diff = compare(root, live, &merged);
    let changes = !alike(root, live, &merged);
    if !changes {
        merged = live.clone();
    }
    diff.exclude(request.reset);
    check_conflicts(root, live, &entries, &diff, request, force)?;

    managed::take_from(entries.iter_mut(), &diff);
    managed::strip(&mut own.fields);
    if changes {
        own.time = Some(request.time.to_owned());
    }
    entries.push(own);
    managed::drop_dead(&mut entries, request);
    managed::put(&mut merged, managed::encode(entries));
    if request.manager == kubectl::MANAGER {
        kubectl::record(&mut merged, config);
    }
    Ok(merged)
}

fn check_config(root: Place<'_>, config: &Value, request: &Request<'_>) -> Result<(), ApplyError> {
    let version = config.get("apiVersion").and_then(Value::as_str).unwrap_or_default();
    if version != request.api_version {
        return Err(ApplyError::BadRequest(format!(
            "Incorrect version specified in apply patch. Specified patch version: {version}, expected: {}",
            request.api_version
        )));
    }
    if managed::managed_fields(config).is_some_and(|managed| !managed.is_null()) {
        return Err(ApplyError::BadRequest("metadata.managedFields must be nil".to_owned()));
    }
    check::check(root, config).map_err(|problem| {
        ApplyError::Unfit(format!("failed to create typed patch object ({}): {problem}", describe(config)))
    })
}

/// An object as Kubernetes names it in such errors: `default/web; apps/v1, Kind=Deployment`.
fn describe(object: &Value) -> String {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    let metadata = |name: &str| text(object.get("metadata").and_then(|m| m.get(name)));
    let version = text(object.get("apiVersion"));
    let slash = if version.contains('/') { "" } else { "/" };
    let kind = text(object.get("kind"));
    format!("{}/{}; {slash}{version}, Kind={kind}", metadata("namespace"), metadata("name"))
}

/// The entries of the live object; an object that has none belongs to [`BEFORE_FIRST_APPLY`].
fn live_entries(live: Option<&Value>, request: &Request<'_>) -> Result<Vec<Entry>, ApplyError> {
    let Some(live) = live else { return Ok(Vec::new()) };
    let managed = managed::managed_fields(live).cloned().unwrap_or_default();
    let mut entries = managed::parse(managed, Source::Stored)
        .map_err(|error| ApplyError::Unfit(format!("failed to decode managed fields: {error}")))?;
    if entries.is_empty() {
        let diff = compare(Place::root(request.node), &EMPTY, live);
        managed::track(&mut entries, diff, &Request { manager: BEFORE_FIRST_APPLY, ..*request });
    }
    Ok(entries)
}

fn union(entries: &[Entry], own: &Entry) -> FieldSet {
    let mut all = own.fields.clone();
    for entry in entries {
        all.union(entry.fields.clone());
    }
    all
}

fn check_conflicts(
    root: Place<'_>,
    live: &Value,
    entries: &[Entry],
    diff: &Diff,
    request: &Request<'_>,
    force: bool,
) -> Result<(), ApplyError> {
    if force || diff.changed.is_empty() {
        return Ok(());
    }
    let conflict = |entry: &Entry| (entry.identity(), entry.fields.intersection(&diff.changed));
    let mut sets: Vec<(Identity, FieldSet)> = entries.iter().map(conflict).collect();
    sets.retain(|(_, set)| !set.is_empty());
    if !sets.is_empty() && request.manager == kubectl::MANAGER {
        let allowed = kubectl::applied_before(root, live);
        sets.iter_mut().for_each(|(_, set)| set.subtract(&allowed));
        sets.retain(|(_, set)| !set.is_empty());
    }
    if sets.is_empty() { Ok(()) } else { Err(ApplyError::Conflicts(Conflicts::of(sets))) }
}

#[cfg(test)]
mod tests;
