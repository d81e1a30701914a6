//! What happens to a custom resource on its way in and out: one module for all kinds there will ever be.
//!
//! ```text
//! body -> prune (unknown fields are reported) -> default -> ... -> validate: schema, then rules -> store
//! store -> default (what the schema gained since) -> answer
//! ```

use api::meta;
use api::status::{FieldError, Reason, Status};
use schema::decode::{Decoded, Issue};
use serde_json::Value;

use super::{CustomVersion, fault};
use crate::endpoint::Call;

/// Drops what the schema does not specify and fills in its defaults. What was dropped becomes issues.
pub(crate) fn conform(version: &CustomVersion, decoded: &mut Decoded) {
    let dropped = schema::prune(&mut decoded.value, version.root());
    decoded.issues.extend(dropped.into_iter().map(Issue::UnknownField));
    schema::default(&mut decoded.value, version.root());
}

/// A stored object as a client sees it: with the defaults that the schema has by now.
pub(crate) fn read(version: &CustomVersion, mut object: Value) -> Value {
    if version.has_defaults {
        schema::default(&mut object, version.root());
    }
    object
}

/// Readies a new object: a status is written by its subresource only.
pub(crate) fn prepare_create(version: &CustomVersion, object: &mut Value) {
    if version.has_status
        && let Some(fields) = object.as_object_mut()
    {
        fields.remove("status");
    }
}

/// Readies a changed object: `/status` changes nothing but the status, and all else not the status.
pub(crate) fn prepare_update(version: &CustomVersion, subresource: &str, object: &mut Value, old: &Value) {
    if subresource == "status" {
        let mut kept = old.clone();
        put(&mut kept, "status", object.get("status"));
        let managed = object.pointer("/metadata/managedFields").cloned();
        let revision = meta::resource_version(object).to_owned();
        match managed {
            Some(managed) => meta::set(&mut kept, "managedFields", managed),
            None => drop(meta::remove(&mut kept, "managedFields")),
        }
        meta::set(&mut kept, "resourceVersion", revision);
        *object = kept;
    } else if version.has_status {
        put(object, "status", old.get("status"));
    }
}

fn put(object: &mut Value, name: &str, value: Option<&Value>) {
    let Some(fields) = object.as_object_mut() else { return };
    match value {
        Some(value) => fields.insert(name.to_owned(), value.clone()),
        None => fields.remove(name),
    };
}

/// What is wrong with an object by its schema, and if nothing is, by its rules.
pub(crate) fn validate(version: &CustomVersion, object: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let issues = schema::validate(version.root(), object, old);
    if issues.is_empty() {
        return version.programs.evaluate(version.root(), object, old);
    }
    issues.into_iter().map(fault).collect()
}

/// Refuses what this version of the kind does not have, and what needs a webhook.
pub(crate) fn check(call: &Call, verb: &str) -> Result<(), Status> {
    let Some((custom, version)) = &call.custom else { return Ok(()) };
    let resource = call.resource();
    let subresource = call.info.subresource.as_str();
    if !subresource.is_empty() && version.row.subresource(subresource).is_none() {
        return Err(Status::path_not_found());
    }
    if custom.terminating && verb == "create" && subresource.is_empty() {
        let message = "create not allowed while custom resource definition is terminating";
        let refused = Status::method_not_supported(&resource.group_resource(), "create");
        return Err(Status { message: message.to_owned(), ..refused });
    }
    if let Some(webhook) = &version.webhook {
        let gvk = resource.gvk(call.target.version());
        let message = format!(
            "conversion webhook for {}, Kind={} failed: webhook conversion ({webhook}) is not served by this \
             version of Coracle; version {} is stored and needs none",
            gvk.group_version(),
            gvk.kind,
            resource.storage_version().name
        );
        return Err(Status::failure(500, Reason::InternalError, message));
    }
    let fields = api::selector::FieldSelector::parse(&call.query.field_selector)
        .map_err(|error| Status::bad_request(error.to_string()))?;
    fields.bind(&version.row).map(drop).map_err(|error| Status::bad_request(error.to_string()))
}
