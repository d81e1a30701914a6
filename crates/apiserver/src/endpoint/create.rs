//! POST: a new object.

use std::sync::Arc;

use api::meta;
use api::status::{FieldError, FieldPath, Status};
use http::StatusCode;
use serde_json::Value;

use super::{Call, as_map, storage_failure};
use crate::admission::{Attributes, Operation};
use crate::allocation::Fate;
use crate::convert::{convert, storage_kind};
use crate::custom::object as custom;
use crate::managed::{Tracking, track};
use crate::render::IncludeObject;
use crate::respond::{self, Outcome};
use crate::storage::{Place, Written};
use crate::value::{Encoded, Versioned};

/// How often a generated name may be taken before the client is told.
const GENERATE_TRIES: usize = 8;

/// Answers `create`.
///
/// # Errors
/// 400 for a body that is not understood, 409 when the name is taken, 422 when the object is invalid.
pub async fn create(call: &Call) -> Outcome {
    let (object, mut warnings) = decode(call)?;
    answer_created(call, object, Tracking::Update, &mut warnings).await
}

/// Stores a new object and answers with it.
///
/// # Errors
/// As [`create`].
pub(crate) async fn answer_created(
    call: &Call,
    object: Value,
    tracking: Tracking,
    warnings: &mut Vec<String>,
) -> Outcome {
    let include = IncludeObject::parse(&call.query.include_object)?;
    let versioned = store_new(call, object, tracking, warnings).await?;
    let renderer = call.renderer(include);
    let mut response = renderer.answer(StatusCode::CREATED, &versioned, call.shared.now())?;
    respond::warn(&mut response, warnings);
    Ok(response)
}

fn decode(call: &Call) -> Result<(Value, Vec<String>), Status> {
    let (mut object, warnings) = call.decode()?;
    place(call, &mut object)?;
    Ok((convert(object, &storage_kind(call.resource())), warnings))
}

/// Puts the object into the namespace of the path, and refuses what the server alone decides.
fn place(call: &Call, object: &mut Value) -> Result<(), Status> {
    let namespace = meta::namespace(object).to_owned();
    if call.resource().namespaced() {
        if !namespace.is_empty() && namespace != call.info.namespace {
            return Err(Status::bad_request(
                "the namespace of the provided object does not match the namespace sent on the request",
            ));
        }
        meta::set_namespace(object, &call.info.namespace);
    } else if !namespace.is_empty() {
        return Err(Status::bad_request("namespace is not allowed on this type"));
    }
    let version = meta::resource_version(object);
    if !version.is_empty() && version != "0" {
        let message = "resourceVersion should not be set on objects to be created";
        return Err(Status::failure(500, api::status::Reason::Unknown, message));
    }
    Ok(())
}

/// Runs an object through defaulting, admission, strategy and the store.
///
/// # Errors
/// As [`create`].
pub(crate) async fn store_new(
    call: &Call,
    mut object: Value,
    tracking: Tracking,
    warnings: &mut Vec<String>,
) -> Result<Versioned, Status> {
    let rules = call.rules();
    rules.default(&mut object);
    let generated = generate_name(call, &mut object)?;
    stamp(call, &mut object);
    let user = Arc::clone(&call.user);
    let dry_run = call.dry_run()?;
    let name = meta::name(&object).to_owned();
    let mut attributes = Attributes {
        user: &user,
        operation: Operation::Create,
        resource: call.resource(),
        subresource: "",
        namespace: &call.info.namespace,
        name: &name,
        object: &mut object,
        old: None,
        dry_run,
        warnings,
    };
    call.shared.admission.admit(&mut attributes).await?;
    rules.default(attributes.object);
    rules.prepare_create(attributes.object);
    if let Some(version) = call.version() {
        custom::prepare_create(version, attributes.object);
    }
    if call.resource().generation.tracked() {
        meta::set_generation(attributes.object, 1);
    }
    if tracking == Tracking::Update {
        track(call, None, attributes.object);
    }
    let allocation = &call.shared.allocation;
    let claims = allocation.claim(call.resource(), attributes.object, None, dry_run).await?;
    // What is claimed is claimed for this name.
    let retries = generated && claims.is_empty();
    let outcome = store_prepared(call, attributes, generated, retries).await;
    allocation.settle(claims, Fate::of(&outcome)).await;
    outcome
}

/// Validates and writes an object that has all it needs.
async fn store_prepared(
    call: &Call,
    mut attributes: Attributes<'_>,
    generated: bool,
    retries: bool,
) -> Result<Versioned, Status> {
    let mut errors = call.rules().validate_create(attributes.object);
    if let Some(version) = call.version() {
        errors.extend(custom::validate(version, attributes.object, None));
    }
    refuse_invalid(call, attributes.name, &errors)?;
    call.shared.admission.validate(&mut attributes).await?;
    let dry_run = attributes.dry_run;
    write(call, attributes.object, generated, if retries { GENERATE_TRIES } else { 1 }, dry_run).await
}

/// 422 with every error, if there is one.
pub(crate) fn refuse_invalid(call: &Call, name: &str, errors: &[FieldError]) -> Result<(), Status> {
    if errors.is_empty() { Ok(()) } else { Err(Status::invalid(&call.resource().group_kind(), name, errors)) }
}

/// Generates the name where the object asks for it; tells whether it did.
fn generate_name(call: &Call, object: &mut Value) -> Result<bool, Status> {
    if !meta::name(object).is_empty() {
        return Ok(false);
    }
    let base = meta::generate_name(object).to_owned();
    if base.is_empty() {
        let error = FieldError::required(
            &FieldPath::new("metadata").child("name"),
            "name or generateName is required",
        );
        return Err(Status::invalid(&call.resource().group_kind(), "", &[error]));
    }
    meta::set_name(object, &meta::name::generate(&base, call.shared.random()));
    Ok(true)
}

/// What the server decides of every new object's metadata.
fn stamp(call: &Call, object: &mut Value) {
    for field in ["deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "resourceVersion"] {
        meta::remove(object, field);
    }
    meta::set_uid(object, &call.shared.uid());
    meta::set_creation_timestamp(object, call.shared.now());
}

async fn write(
    call: &Call,
    object: &mut Value,
    generated: bool,
    tries: usize,
    dry_run: bool,
) -> Result<Versioned, Status> {
    for _ in 0..tries {
        let key = call.key(meta::name(object));
        let place = Place { prefix: call.prefix(), key: &key };
        if dry_run {
            return dry(call, place, object).await;
        }
        let written = call.shared.storage.create(place, as_map(object)?).await;
        match written.map_err(|error| storage_failure(&error))? {
            Written::Done(versioned) => return Ok(versioned),
            Written::Raced(_) if generated => {
                let base = meta::generate_name(object).to_owned();
                meta::set_name(object, &meta::name::generate(&base, call.shared.random()));
                // Some kinds derive labels from the name.
                call.rules().prepare_create(object);
            }
            Written::Raced(_) => break,
        }
    }
    Err(taken(call, object, generated))
}

fn taken(call: &Call, object: &Value, generated: bool) -> Status {
    let resource = call.resource().group_resource();
    let name = meta::name(object);
    if generated {
        Status::generate_name_conflict(&resource, name, 1)
    } else {
        Status::already_exists(&resource, name)
    }
}

async fn dry(call: &Call, place: Place<'_>, object: &Value) -> Result<Versioned, Status> {
    let found = call.shared.storage.read(place).await.map_err(|error| storage_failure(&error))?;
    if found.is_some() {
        return Err(taken(call, object, false));
    }
    Ok(Encoded::of(as_map(object)?).unversioned())
}
