//! PATCH: the body says how to change the object that is there.

use api::kinds::Resource;
use api::status::Status;
use http::header;
use schema::decode as strict;
use schema::decode::Shape;
use schema::patch::{JsonPatch, MergePatch, PatchError, StrategicPatch};
use serde_json::Value;

use super::Call;
use super::update::{Change, run};
use crate::convert::{convert, storage_kind};
use crate::decode::{FieldValidation, expect_kind};
use crate::respond::Outcome;

const JSON: &str = "application/json-patch+json";
const MERGE: &str = "application/merge-patch+json";
const STRATEGIC: &str = "application/strategic-merge-patch+json";
/// Custom resources have no strategic merge: their lists have no merge keys.
const CUSTOM_OFFERED: [&str; 3] = [JSON, MERGE, super::apply::MEDIA];
const OFFERED: [&str; 4] = [JSON, MERGE, STRATEGIC, super::apply::MEDIA];

/// A parsed patch of any kind.
pub(crate) enum Patch {
    Json(JsonPatch),
    Merge(MergePatch),
    Strategic(StrategicPatch),
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
    if media(call) == super::apply::MEDIA {
        return super::apply::apply(call).await;
    }
    let validation = FieldValidation::parse(&call.query.field_validation)?;
    let patch = parse(call)?;
    let warnings = validation.judge_texts(patch.issues())?;
    run(call, &Patched { patch, validation }, warnings).await
}

/// The kind of patch that the request says it is.
fn media(call: &Call) -> &str {
    let content_type = call.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim()
}

/// Reads the patch in a request's body.
pub(crate) fn parse(call: &Call) -> Result<Patch, Status> {
    let refuse = |error| refusal(call.resource(), &call.info.name, &error);
    let custom = !matches!(call.shared.shape(&call.target), Shape::Typed(_));
    match media(call) {
        JSON => JsonPatch::parse(&call.body).map(Patch::Json).map_err(refuse),
        MERGE => MergePatch::parse(&call.body).map(Patch::Merge).map_err(refuse),
        STRATEGIC if !custom => StrategicPatch::parse(&call.body).map(Patch::Strategic).map_err(refuse),
        _ if custom => Err(Status::unsupported_media_type(&CUSTOM_OFFERED)),
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
            Self::Strategic(patch) => patch.issues(),
        }
    }

    pub(crate) fn apply(&self, shape: Shape<'_>, current: Value) -> Result<Value, PatchError> {
        match (self, shape) {
            (Self::Json(patch), _) => patch.apply(current),
            (Self::Merge(patch), _) => Ok(patch.apply(current)),
            (Self::Strategic(patch), Shape::Typed(node)) => patch.apply(node, current),
            (Self::Strategic(_), _) => Err(PatchError::Unfit("no strategic merge for this kind".to_owned())),
        }
    }
}

impl Change for Patched {
    fn apply(&self, call: &Call, current: &Value, warnings: &mut Vec<String>) -> Result<Value, Status> {
        let gvk = call.resource().gvk(call.target.version());
        let current = convert(current.clone(), &gvk);
        let shape = call.shared.shape(&call.target);
        let patched =
            self.patch.apply(shape, current).map_err(|e| refusal(call.resource(), &call.info.name, &e))?;
        let body = patched.to_string();
        let decoded =
            strict::json(body.as_bytes(), shape).map_err(|error| Status::bad_request(error.to_string()))?;
        let decoded = call.conform(decoded);
        warnings.extend(self.validation.judge(&decoded.issues)?);
        let decoded = expect_kind(decoded, &gvk)?;
        Ok(convert(decoded.value, &storage_kind(call.resource())))
    }
}
