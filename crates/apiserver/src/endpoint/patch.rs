//! PATCH: the body says how to change the object that is there.

use api::kinds::Resource;
use api::status::Status;
use http::header;
use schema::decode as strict;
use schema::patch::{JsonPatch, MergePatch, PatchError};
use serde_json::Value;

use super::Call;
use super::update::{Change, run};
use crate::convert::{convert, storage_kind};
use crate::decode::{FieldValidation, expect_kind};
use crate::respond::Outcome;

const OFFERED: [&str; 2] = ["application/json-patch+json", "application/merge-patch+json"];

/// A patch of one of the kinds that are served.
pub(crate) enum Patch {
    Json(JsonPatch),
    Merge(MergePatch),
}

struct Patched {
    patch: Patch,
    validation: FieldValidation,
}

/// Answers `patch`.
///
/// # Errors
/// 415 for a kind of patch that is not served, 400 for a body that is no patch, 422 for one that does
/// not apply, and all of PUT's.
pub async fn patch(call: &Call) -> Outcome {
    let validation = FieldValidation::parse(&call.query.field_validation)?;
    let patch = parse(call)?;
    let warnings = validation.judge_texts(patch.issues())?;
    run(call, &Patched { patch, validation }, warnings).await
}

/// The patch in the body.
///
/// # Errors
/// 415 for a kind of patch that is not served, 400 for a body that is no patch.
pub(crate) fn parse(call: &Call) -> Result<Patch, Status> {
    let content_type =
        call.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media = content_type.split(';').next().unwrap_or_default().trim();
    let refuse = |error| refusal(call.resource(), &call.info.name, &error);
    match media {
        "application/json-patch+json" => JsonPatch::parse(&call.body).map(Patch::Json).map_err(refuse),
        "application/merge-patch+json" => MergePatch::parse(&call.body).map(Patch::Merge).map_err(refuse),
        _ => Err(Status::unsupported_media_type(&OFFERED)),
    }
}

/// Why a patch is refused, as a client is told.
pub(crate) fn refusal(resource: &Resource, name: &str, error: &PatchError) -> Status {
    match error {
        PatchError::Malformed(_) => Status::bad_request(error.to_string()),
        PatchError::TooManyOperations(_) => Status::request_entity_too_large(error),
        PatchError::Unfit(_) => Status::failure(500, api::status::Reason::Unknown, error.to_string()),
        PatchError::Rejected(reason) => {
            tracing::debug!(reason, "a patch does not apply");
            Status::invalid(&resource.group_kind(), name, &[])
        }
    }
}

impl Patch {
    /// Duplicate fields in the patch itself.
    pub(crate) fn issues(&self) -> &[String] {
        match self {
            Self::Json(patch) => patch.issues(),
            Self::Merge(patch) => patch.issues(),
        }
    }

    /// The patched object.
    pub(crate) fn apply(&self, current: Value) -> Result<Value, PatchError> {
        match self {
            Self::Json(patch) => patch.apply(current),
            Self::Merge(patch) => Ok(patch.apply(current)),
        }
    }
}

impl Change for Patched {
    fn apply(&self, call: &Call, current: &Value, warnings: &mut Vec<String>) -> Result<Value, Status> {
        let gvk = call.resource().gvk(call.target.version());
        let current = convert(current.clone(), &gvk);
        let patched = self.patch.apply(current).map_err(|e| refusal(call.resource(), &call.info.name, &e))?;
        let body = patched.to_string();
        let decoded = strict::json(body.as_bytes(), call.shared.shape(&call.target))
            .map_err(|error| Status::bad_request(error.to_string()))?;
        let decoded = call.conform(decoded);
        warnings.extend(self.validation.judge(&decoded.issues)?);
        let decoded = expect_kind(decoded, &gvk)?;
        Ok(convert(decoded.value, &storage_kind(call.resource())))
    }
}
