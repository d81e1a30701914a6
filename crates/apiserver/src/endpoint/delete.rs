//! DELETE of one object and of a collection.
//!
//! ```text
//! pods               grace period first, then gone
//! finalizers         deletionTimestamp is set; the object goes with its last finalizer
//! propagation        Foreground and Orphan are finalizers that the garbage collector serves
//! ```

use std::sync::Arc;

use api::meta;
use api::status::Status;
use http::StatusCode;
use schema::decode::Shape;
use serde::Deserialize;
use serde_json::{Value, json};

use super::read::freshen;
use super::{Call, as_map, storage_failure};
use crate::admission::{Attributes, Operation};
use crate::cache::shard::range;
use crate::decode;
use crate::render::IncludeObject;
use crate::respond::{self, Outcome};
use crate::selection::Selection;
use crate::storage::{Current, Place, Written};
use crate::value::Versioned;

const TRIES: usize = 16;
/// Kubernetes' default for pods.
const DEFAULT_GRACE_SECONDS: i64 = 30;
const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";

/// `metav1.DeleteOptions` as far as the server reads them.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Options {
    grace_period_seconds: Option<i64>,
    preconditions: Preconditions,
    orphan_dependents: Option<bool>,
    propagation_policy: Option<String>,
    dry_run: Vec<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Preconditions {
    uid: Option<String>,
    resource_version: Option<String>,
}

/// What a deletion left behind.
pub(crate) enum Deleted {
    /// The object is gone; this was its last state.
    Gone(Versioned),
    /// The object is on its way out.
    Pending(Versioned),
}

/// Answers `delete`.
///
/// # Errors
/// 404 when there is no such object, 409 when a precondition does not hold.
pub async fn delete(call: &Call) -> Outcome {
    let options = options(call)?;
    let include = IncludeObject::parse(&call.query.include_object)?;
    let deleted = remove(call, &options, &call.info.name).await?;
    let renderer = call.renderer(include);
    let now = call.shared.now();
    match deleted {
        Deleted::Pending(versioned) => renderer.answer(StatusCode::OK, &versioned, now),
        Deleted::Gone(versioned) if returns_object(call) => renderer.answer(StatusCode::OK, &versioned, now),
        Deleted::Gone(versioned) => {
            let last: Value = serde_json::from_slice(versioned.json()).unwrap_or_default();
            let resource = call.resource().group_resource();
            Ok(respond::status(&Status::deleted(&resource, &call.info.name, meta::uid(&last))))
        }
    }
}

/// Kinds whose deletion is answered with the object.
fn returns_object(call: &Call) -> bool {
    const KINDS: [&str; 13] = [
        "Pod",
        "Service",
        "ServiceAccount",
        "PersistentVolume",
        "PersistentVolumeClaim",
        "PodTemplate",
        "ResourceQuota",
        "StorageClass",
        "VolumeAttachment",
        "CSIDriver",
        "CSINode",
        "VolumeAttributesClass",
        "ResourceClaim",
    ];
    KINDS.contains(&call.resource().kind.as_ref())
}

/// Answers `deletecollection` with the list of what was deleted.
///
/// # Errors
/// As [`delete`]; objects that are gone meanwhile are none.
pub async fn delete_collection(call: &Call) -> Outcome {
    let options = options(call)?;
    let selection = Selection::of(call.resource(), &call.info, &call.query)?;
    let revision = freshen(call, &call.query.resource_version).await?;
    let (objects, _) = call.shared.cache.shard(call.prefix()).snapshot();
    let limit = usize::try_from(call.query.limit).ok().filter(|limit| *limit > 0).unwrap_or(usize::MAX);
    let selected: Vec<_> = range(&objects, &selection.prefix, None)
        .filter(|o| selection.matches(o))
        .take(limit)
        .cloned()
        .collect();
    let mut items = Vec::new();
    for object in selected {
        let (namespace, name) = object.key.split_once('/').unwrap_or(("", &object.key));
        let one = call.about(namespace, name);
        match remove(&one, &options, name).await {
            Ok(Deleted::Gone(versioned) | Deleted::Pending(versioned)) => {
                items.push(serde_json::from_slice::<Value>(versioned.json()).unwrap_or_default());
            }
            Err(status) if status.code == 404 => {}
            Err(status) => return Err(status),
        }
    }
    let row = call.resource();
    let api_version = row.gvk(call.target.version()).group_version().to_string();
    Ok(respond::value(&json!({
        "kind": row.list_kind, "apiVersion": api_version,
        "metadata": {"resourceVersion": revision.to_string()}, "items": items,
    })))
}

fn options(call: &Call) -> Result<Options, Status> {
    let mut options = body_options(call)?;
    let query = &call.query;
    options.grace_period_seconds = query.grace_period_seconds.or(options.grace_period_seconds);
    options.propagation_policy = query.propagation_policy.clone().or(options.propagation_policy);
    options.orphan_dependents = query.orphan_dependents.or(options.orphan_dependents);
    check(&options)?;
    Ok(options)
}

fn body_options(call: &Call) -> Result<Options, Status> {
    if call.body.is_empty() {
        return Ok(Options::default());
    }
    let decoded = decode::body(&call.headers, &call.body, Shape::Any)?;
    serde_json::from_value(decoded.value)
        .map_err(|error| Status::bad_request(format!("DeleteOptions: {error}")))
}

fn check(options: &Options) -> Result<(), Status> {
    let wrong = |text: String| Err(Status::bad_request(text));
    match options.propagation_policy.as_deref() {
        None | Some("Background" | "Foreground" | "Orphan") => {}
        Some(other) => {
            return wrong(format!(
                "propagationPolicy: Unsupported value: {other:?}: supported values: \"Foreground\", \"Background\", \"Orphan\""
            ));
        }
    }
    if options.propagation_policy.is_some() && options.orphan_dependents.is_some() {
        return wrong("orphanDependents and deletionPropagation cannot be both set".into());
    }
    if options.dry_run.iter().any(|value| value != "All") {
        return wrong("dryRun: Unsupported value: supported values: \"All\"".into());
    }
    Ok(())
}

/// Deletes one object, or starts its deletion.
pub(crate) async fn remove(call: &Call, options: &Options, name: &str) -> Result<Deleted, Status> {
    let key = call.key(name);
    let place = Place { prefix: call.prefix(), key: &key };
    let read = call.shared.storage.read(place).await.map_err(|error| storage_failure(&error))?;
    let mut current = read.ok_or_else(|| call.not_found(name))?;
    for _ in 0..TRIES {
        check_preconditions(call, options, name, &current)?;
        admit(call, name, &current).await?;
        match attempt(call, options, place, &current).await? {
            (Written::Done(versioned), true) => return Ok(Deleted::Gone(versioned)),
            (Written::Done(versioned), false) => return Ok(Deleted::Pending(versioned)),
            (Written::Raced(Some(now)), _) => current = now,
            (Written::Raced(None), _) => return Err(call.not_found(name)),
        }
    }
    Err(Status::conflict(&call.resource().group_resource(), name))
}

fn check_preconditions(call: &Call, options: &Options, name: &str, current: &Current) -> Result<(), Status> {
    let resource = call.resource().group_resource();
    let (uid, version) = (meta::uid(&current.object), meta::resource_version(&current.object));
    match (&options.preconditions.uid, &options.preconditions.resource_version) {
        (Some(wanted), _) if wanted != uid => {
            Err(Status::delete_uid_precondition(&resource, name, wanted, uid))
        }
        (_, Some(wanted)) if wanted != version => {
            Err(Status::delete_version_precondition(&resource, name, wanted, version))
        }
        _ => Ok(()),
    }
}

async fn admit(call: &Call, name: &str, current: &Current) -> Result<(), Status> {
    let user = Arc::clone(&call.user);
    let mut attributes = Attributes {
        user: &user,
        operation: Operation::Delete,
        resource: call.resource(),
        subresource: "",
        namespace: &call.info.namespace,
        name,
        object: &mut Value::Null,
        old: Some(&current.object),
        dry_run: call.dry_run()?,
        warnings: &mut Vec::new(),
    };
    call.shared.admission.admit(&mut attributes).await?;
    call.shared.admission.validate(&mut attributes).await
}

/// One try; the flag says whether the object is gone with it.
async fn attempt(
    call: &Call,
    options: &Options,
    place: Place<'_>,
    current: &Current,
) -> Result<(Written, bool), Status> {
    let mut object = current.object.clone();
    let dry_run = call.dry_run()? || !options.dry_run.is_empty();
    let waits = mark(call, options, &mut object);
    let unchanged = object == current.object;
    if dry_run || (waits && unchanged) {
        return Ok((Written::Done(current.versioned.clone()), !waits));
    }
    let storage = &call.shared.storage;
    let written = if waits {
        storage.replace(place, as_map(&object)?, current.revision).await
    } else {
        storage.delete(place, current).await
    };
    let written = written.map_err(|error| storage_failure(&error))?;
    if let (Written::Done(_), false) = (&written, waits) {
        call.shared.allocation.release(call.resource(), &current.object).await;
    }
    Ok((written, !waits))
}

/// Marks the object as being deleted; tells whether something still has to happen before it goes.
fn mark(call: &Call, options: &Options, object: &mut Value) -> bool {
    propagate(options, object);
    let grace = grace_seconds(call, options, object);
    let namespace = call.resource().kind == "Namespace" && call.resource().group.is_empty();
    let held = meta::finalizers(object).next().is_some()
        || (namespace
            && object.pointer("/spec/finalizers").and_then(Value::as_array).is_some_and(|f| !f.is_empty()));
    if !held && grace == 0 {
        return false;
    }
    let earlier = meta::deletion_grace_period_seconds(object);
    if earlier.is_none_or(|earlier| grace < earlier) {
        let since =
            meta::deletion_timestamp(object).map_or(call.shared.now(), |at| at.plus(-earlier.unwrap_or(0)));
        let generation = meta::generation(object);
        meta::set_deletion(object, since.plus(grace), grace);
        if let Some(generation) = generation.filter(|_| call.resource().generation.tracked()) {
            meta::set_generation(object, generation + 1);
        }
    }
    if namespace {
        object["status"]["phase"] = json!("Terminating");
    }
    true
}

/// The grace period: only kinds with graceful deletion have one, and only while they may be running.
fn grace_seconds(call: &Call, options: &Options, object: &Value) -> i64 {
    let phase = meta::text(object, "status.phase");
    let running = !meta::text(object, "spec.nodeName").is_empty() && !matches!(phase, "Succeeded" | "Failed");
    if !call.resource().graceful || !running {
        return 0;
    }
    let own = || object.pointer("/spec/terminationGracePeriodSeconds").and_then(Value::as_i64);
    options.grace_period_seconds.or_else(own).unwrap_or(DEFAULT_GRACE_SECONDS).max(0)
}

/// Adds or removes the finalizers through which the garbage collector learns what becomes of dependents.
fn propagate(options: &Options, object: &mut Value) {
    let wanted = match (options.propagation_policy.as_deref(), options.orphan_dependents) {
        (Some("Foreground"), _) => Some(FOREGROUND),
        (Some("Orphan"), _) | (None, Some(true)) => Some(ORPHAN),
        (Some(_), _) | (None, Some(false)) => None,
        (None, None) => return,
    };
    for finalizer in [FOREGROUND, ORPHAN] {
        if wanted != Some(finalizer) {
            meta::remove_finalizer(object, finalizer);
        }
    }
    if let Some(wanted) = wanted
        && !meta::finalizers(object).any(|finalizer| finalizer == wanted)
    {
        let kept: Vec<String> =
            meta::finalizers(object).map(str::to_owned).chain([wanted.to_owned()]).collect();
        meta::set_finalizers(object, &kept.iter().map(String::as_str).collect::<Vec<_>>());
    }
}
