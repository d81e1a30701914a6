//! PUT and PATCH: a new state of an object, written only if nothing else came between.
//!
//! Both are one loop: read, change, admit, validate, compare-and-set; a lost race starts over from the
//! state that won, unless the client named the version it meant to change.

use api::meta;
use api::status::Status;
use http::StatusCode;
use serde_json::Value;

use super::create::refuse_invalid;
use super::{Call, as_map, storage_failure};
use crate::admission::{Attributes, Operation};
use crate::allocation::{Claims, Fate};
use crate::convert::{convert, storage_kind};
use crate::custom::object as custom;
use crate::managed::{Tracking, track};
use crate::render::IncludeObject;
use crate::respond::{self, Outcome};
use crate::storage::{Current, Place, Written};
use crate::value::{Encoded, Versioned};

/// How often a change is tried again after a lost race.
const TRIES: usize = 16;

/// What a request makes of the object that is there.
pub(crate) trait Change: Send + Sync {
    /// The new state of `current`; warnings go to the client.
    fn apply(&self, call: &Call, current: &Value, warnings: &mut Vec<String>) -> Result<Value, Status>;

    /// How the change is entered into the managed fields.
    fn tracking(&self) -> Tracking {
        Tracking::Update
    }
}

/// Replaces the object by the body of the request.
struct Replace {
    object: Value,
}

impl Change for Replace {
    fn apply(&self, _call: &Call, _current: &Value, _warnings: &mut Vec<String>) -> Result<Value, Status> {
        Ok(self.object.clone())
    }
}

/// Answers `update`.
///
/// # Errors
/// 404 when there is no such object, 409 when it is not at the version the body names, 422 when the
/// new state is invalid.
pub async fn update(call: &Call) -> Outcome {
    let (mut object, warnings) = call.decode()?;
    check_place(call, &mut object)?;
    let object = convert(object, &storage_kind(call.resource()));
    run(call, &Replace { object }, warnings).await
}

/// Refuses a body about another object than the path names.
fn check_place(call: &Call, object: &mut Value) -> Result<(), Status> {
    let name = meta::name(object);
    if name.is_empty() {
        return Err(Status::bad_request("name must be provided"));
    }
    if name != call.info.name {
        return Err(Status::bad_request(format!(
            "the name of the object ({name}) does not match the name on the URL ({})",
            call.info.name
        )));
    }
    let namespace = meta::namespace(object);
    if call.resource().namespaced() {
        if !namespace.is_empty() && namespace != call.info.namespace {
            return Err(Status::bad_request(format!(
                "the namespace of the object ({namespace}) does not match the namespace on the URL ({})",
                call.info.namespace
            )));
        }
        meta::set_namespace(object, &call.info.namespace);
    }
    Ok(())
}

/// Changes an object and answers with its new state.
pub(crate) async fn run(call: &Call, change: &dyn Change, warnings: Vec<String>) -> Outcome {
    let include = IncludeObject::parse(&call.query.include_object)?;
    let mut warnings = warnings;
    let versioned = apply(call, change, &mut warnings).await?;
    let renderer = call.renderer(include);
    let mut response = renderer.answer(StatusCode::OK, &versioned, call.shared.now())?;
    respond::warn(&mut response, &warnings);
    Ok(response)
}

/// Changes an object and gives its new state.
pub(crate) async fn apply(
    call: &Call,
    change: &dyn Change,
    warnings: &mut Vec<String>,
) -> Result<Versioned, Status> {
    let key = call.key(&call.info.name);
    let place = Place { prefix: call.prefix(), key: &key };
    let read = call.shared.storage.read(place).await.map_err(|error| storage_failure(&error))?;
    let mut current = read.ok_or_else(|| call.not_found(&call.info.name))?;
    let first_warnings = warnings.len();
    for _ in 0..TRIES {
        warnings.truncate(first_warnings);
        match attempt(call, change, place, &current, warnings).await? {
            Written::Done(versioned) => return Ok(versioned),
            Written::Raced(Some(now)) => current = now,
            Written::Raced(None) => return Err(call.not_found(&call.info.name)),
        }
    }
    Err(Status::conflict(&call.resource().group_resource(), &call.info.name))
}

async fn attempt(
    call: &Call,
    change: &dyn Change,
    place: Place<'_>,
    current: &Current,
    warnings: &mut Vec<String>,
) -> Result<Written, Status> {
    let old = call.as_read(current.object.clone());
    let mut object = change.apply(call, &old, warnings)?;
    check_preconditions(call, &object, &old)?;
    prepare(call, &mut object, &old, warnings).await?;
    let allocation = &call.shared.allocation;
    let claims = match call.info.subresource.as_str() {
        "" => allocation.claim(call.resource(), &mut object, Some(&old), call.dry_run()?).await?,
        _ => Claims::default(),
    };
    let outcome = store_prepared(call, change.tracking(), place, object, current, &old, warnings).await;
    let fate = match &outcome {
        Ok(Written::Raced(_)) => Fate::Refused,
        outcome => Fate::of(outcome),
    };
    allocation.settle(claims, fate).await;
    outcome
}

/// Validates and writes a new state that has all it needs; `old` is `current` with late defaults.
async fn store_prepared(
    call: &Call,
    tracking: Tracking,
    place: Place<'_>,
    mut object: Value,
    current: &Current,
    old: &Value,
    warnings: &mut Vec<String>,
) -> Result<Written, Status> {
    check(call, tracking, &mut object, old, warnings).await?;
    if object == current.object || same_but_managed(&object, &current.object) {
        return Ok(Written::Done(current.versioned.clone()));
    }
    if call.dry_run()? {
        return Ok(Written::Done(Encoded::of(as_map(&object)?).at(current.revision)));
    }
    if !is_finished(&object, &current.object) {
        let written = call.shared.storage.replace(place, as_map(&object)?, current.revision).await;
        return written.map_err(|error| storage_failure(&error));
    }
    let written =
        call.shared.storage.delete(place, current).await.map_err(|error| storage_failure(&error))?;
    if let Written::Done(_) = written {
        for state in [&object, &current.object] {
            call.shared.allocation.release(call.resource(), state).await;
        }
    }
    Ok(written)
}

/// Whether nothing changed but the time of the last change in managedFields.
fn same_but_managed(new: &Value, old: &Value) -> bool {
    let without = |object: &Value| {
        let mut object = object.clone();
        meta::remove(&mut object, "managedFields");
        object
    };
    let managers = |object: &Value| -> Vec<Value> {
        let mut entries = meta::managed_fields(object).to_vec();
        entries.iter_mut().filter_map(Value::as_object_mut).for_each(|entry| drop(entry.remove("time")));
        entries
    };
    managers(new) == managers(old) && without(new) == without(old)
}

fn check_preconditions(call: &Call, object: &Value, current: &Value) -> Result<(), Status> {
    let (resource, name) = (call.resource().group_resource(), &call.info.name);
    let (uid, actual) = (meta::uid(object), meta::uid(current));
    if !uid.is_empty() && uid != actual {
        return Err(Status::uid_precondition(&resource, name, uid, actual));
    }
    let version = meta::resource_version(object);
    let stale = !version.is_empty() && version != "0" && version != meta::resource_version(current);
    if stale { Err(Status::conflict(&resource, name)) } else { Ok(()) }
}

/// Defaulting, strategy and admission of a new state.
async fn prepare(
    call: &Call,
    object: &mut Value,
    old: &Value,
    warnings: &mut Vec<String>,
) -> Result<(), Status> {
    let rules = call.rules();
    rules.default(object);
    keep_server_metadata(object, old);
    call.shared.admission.admit(&mut attributes(call, object, old, warnings)?).await?;
    match call.info.subresource.as_str() {
        "status" => rules.prepare_status_update(object, old),
        "" => rules.prepare_update(object, old),
        // The other subresources change only what is theirs.
        _ => {}
    }
    if let Some(version) = call.version() {
        custom::prepare_update(version, &call.info.subresource, object, old);
    }
    Ok(())
}

/// The generation, the managed fields and the validation of a new state.
async fn check(
    call: &Call,
    tracking: Tracking,
    object: &mut Value,
    old: &Value,
    warnings: &mut Vec<String>,
) -> Result<(), Status> {
    let rules = call.rules();
    let counts = matches!(call.info.subresource.as_str(), "" | "scale");
    let raised = counts && call.resource().generation.raised(old, object);
    let generation = meta::generation(old).unwrap_or(0) + i64::from(raised);
    if call.resource().generation.tracked() {
        meta::set_generation(object, generation);
    }
    if tracking == Tracking::Update {
        track(call, Some(old), object);
    }
    let mut errors = match call.info.subresource.as_str() {
        "status" => rules.validate_status_update(object, old),
        "" | "scale" => rules.validate_update(object, old),
        _ => Vec::new(),
    };
    if let Some(version) = call.version() {
        errors.extend(custom::validate(version, object, Some(old)));
    }
    refuse_invalid(call, &call.info.name, &errors)?;
    call.shared.admission.validate(&mut attributes(call, object, old, warnings)?).await
}

fn attributes<'a>(
    call: &'a Call,
    object: &'a mut Value,
    old: &'a Value,
    warnings: &'a mut Vec<String>,
) -> Result<Attributes<'a>, Status> {
    Ok(Attributes {
        user: &call.user,
        operation: Operation::Update,
        resource: call.resource(),
        subresource: &call.info.subresource,
        namespace: &call.info.namespace,
        name: &call.info.name,
        object,
        old: Some(old),
        dry_run: call.dry_run()?,
        warnings,
    })
}

/// A client may leave out what only the server sets.
fn keep_server_metadata(object: &mut Value, old: &Value) {
    const KEPT: [&str; 5] =
        ["uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation"];
    let fields: Vec<(&str, Option<Value>)> =
        KEPT.iter().map(|field| (*field, old.pointer(&format!("/metadata/{field}")).cloned())).collect();
    for (field, value) in fields {
        match value {
            Some(value) => meta::set(object, field, value),
            None => drop(meta::remove(object, field)),
        }
    }
    meta::set(object, "resourceVersion", meta::resource_version(old));
}

/// Whether the object was only waiting for this: it is being deleted and its last finalizer is gone.
fn is_finished(object: &Value, old: &Value) -> bool {
    meta::deletion_timestamp(object).is_some()
        && meta::finalizers(object).next().is_none()
        && meta::deletion_grace_period_seconds(object).unwrap_or(0) == 0
        && object.pointer("/spec/finalizers").and_then(Value::as_array).is_none_or(Vec::is_empty)
        && old.get("metadata").is_some()
}
