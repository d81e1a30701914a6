//! Server-side apply: PATCH with a configuration that says what its manager wants to own.

use api::meta;
use api::status::Status;
use schema::decode::{self as strict, Shape};
use serde_json::Value;

use super::create::answer_created;
use super::update::{Change, run};
use super::{Call, storage_failure};
use crate::convert::{convert, storage_kind};
use crate::decode::{FieldValidation, expect_kind};
use crate::managed::{self, Tracking, apply_configuration};
use crate::respond::Outcome;
use crate::storage::Place;

/// The content type of an applied configuration, which may be YAML or JSON.
pub const MEDIA: &str = "application/apply-patch+yaml";

struct Applied {
    config: Value,
}

/// Answers `patch` with an applied configuration; what does not exist is created.
///
/// # Errors
/// 409 when others own fields with other values, 400 for a configuration that is not understood.
pub async fn apply(call: &Call) -> Outcome {
    managed::require_manager(call)?;
    let (config, mut warnings) = read(call)?;
    let key = call.key(&call.info.name);
    let place = Place { prefix: call.prefix(), key: &key };
    let found = call.shared.storage.read(place).await.map_err(|error| storage_failure(&error))?;
    if found.is_some() {
        return run(call, &Applied { config }, warnings).await;
    }
    if !call.info.subresource.is_empty() {
        return Err(call.not_found(&call.info.name));
    }
    let mut object = settle(call, None, &config)?;
    meta::set_name(&mut object, &call.info.name);
    if call.resource().namespaced() {
        meta::set_namespace(&mut object, &call.info.namespace);
    }
    answer_created(call, object, Tracking::Applied, &mut warnings).await
}

/// The configuration as sent, and the warnings about its fields.
fn read(call: &Call) -> Result<(Value, Vec<String>), Status> {
    let validation = FieldValidation::parse(&call.query.field_validation)?;
    let malformed = |error: strict::DecodeError| Status::bad_request(format!("error decoding YAML: {error}"));
    let typed = strict::yaml(&call.body, call.shared.shape(&call.target)).map_err(malformed)?;
    let warnings = validation.judge(&typed.issues)?;
    let config = strict::yaml(&call.body, Shape::Any).map_err(malformed)?.value;
    let name = meta::name(&config);
    if !name.is_empty() && name != call.info.name {
        let url = &call.info.name;
        return Err(Status::bad_request(format!(
            "name in request body ({name}) does not match name in URL ({url})"
        )));
    }
    Ok((config, warnings))
}

/// The whole object after the apply, decoded again, in the version it is stored in.
fn settle(call: &Call, live: Option<&Value>, config: &Value) -> Result<Value, Status> {
    let gvk = call.resource().gvk(call.target.version());
    let live = live.map(|live| convert(live.clone(), &gvk));
    let merged = apply_configuration(call, live.as_ref(), config)?;
    let decoded = strict::json(merged.to_string().as_bytes(), call.shared.shape(&call.target))
        .map_err(|error| Status::bad_request(error.to_string()))?;
    let decoded = expect_kind(decoded, &gvk)?;
    Ok(convert(decoded.value, &storage_kind(call.resource())))
}

impl Change for Applied {
    fn apply(&self, call: &Call, current: &Value, _warnings: &mut Vec<String>) -> Result<Value, Status> {
        settle(call, Some(current), &self.config)
    }

    fn tracking(&self) -> Tracking {
        Tracking::Applied
    }
}
