//! `scale` of the built-in workloads, as `autoscaling/v1` Scale.

use api::meta;
use api::selector::LabelSelector;
use api::status::{FieldError, FieldPath, Status};
use http::StatusCode;
use schema::decode::Shape;
use serde_json::{Value, json};

use super::Call;
use super::read::freshen;
use super::update::{Change, apply};
use crate::decode;
use crate::respond::{self, Outcome};

/// The Scale of an object.
fn scale_of(object: &Value) -> Value {
    let copied = ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"];
    let metadata: serde_json::Map<String, Value> = copied
        .iter()
        .filter_map(|field| {
            Some(((*field).to_owned(), object.pointer(&format!("/metadata/{field}"))?.clone()))
        })
        .collect();
    let replicas = |pointer: &str| object.pointer(pointer).and_then(Value::as_i64).unwrap_or(0);
    let mut status = json!({"replicas": replicas("/status/replicas")});
    if let Some(selector) = selector_text(object) {
        status["selector"] = json!(selector);
    }
    json!({
        "kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata,
        "spec": {"replicas": replicas("/spec/replicas")}, "status": status,
    })
}

/// The selector in the string form that autoscalers use.
fn selector_text(object: &Value) -> Option<String> {
    let selector = object.pointer("/spec/selector")?;
    let structured = selector.get("matchLabels").is_some() || selector.get("matchExpressions").is_some();
    let parsed = if structured {
        LabelSelector::from_object(Some(selector))
    } else {
        LabelSelector::from_map(Some(selector))
    };
    Some(parsed.ok()?.to_string())
}

/// Answers `get` of a scale.
///
/// # Errors
/// 404 when there is no such object.
pub async fn get(call: &Call) -> Outcome {
    freshen(call, &call.query.resource_version).await?;
    let shard = call.shared.cache.shard(call.prefix());
    let object = shard.get(&call.key(&call.info.name)).ok_or_else(|| call.not_found(&call.info.name))?;
    let object: Value = serde_json::from_slice(object.versioned.json()).map_err(Status::internal_error)?;
    Ok(respond::value(&scale_of(&object)))
}

/// How a request changes a Scale.
enum Rescale {
    Replace(Value),
    Patch(super::patch::Patch),
}

impl Rescale {
    fn of(&self, current: Value) -> Result<Value, Status> {
        match self {
            Self::Replace(scale) => Ok(scale.clone()),
            Self::Patch(patch) => {
                let node = schema::builtin().kind("autoscaling", "v1", "Scale");
                let shape = node.map_or(Shape::Any, Shape::Typed);
                patch.apply(shape, current).map_err(|error| Status::bad_request(error.to_string()))
            }
        }
    }
}

impl Change for Rescale {
    fn apply(&self, call: &Call, current: &Value, _warnings: &mut Vec<String>) -> Result<Value, Status> {
        let scale = self.of(scale_of(current))?;
        let replicas = scale.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(0);
        if replicas < 0 {
            let path = FieldPath::new("spec").child("replicas");
            let error = FieldError::invalid(&path, replicas, "must be greater than or equal to 0");
            let kind = api::gvk::GroupKind::new("autoscaling", "Scale");
            return Err(Status::invalid(&kind, &call.info.name, &[error]));
        }
        let mut object = current.clone();
        object["spec"]["replicas"] = json!(replicas);
        let version = meta::resource_version(&scale);
        if !version.is_empty() {
            meta::set(&mut object, "resourceVersion", version);
        }
        Ok(object)
    }
}

/// Answers `update` of a scale.
///
/// # Errors
/// As an update of the object itself.
pub async fn update(call: &Call) -> Outcome {
    let node = schema::builtin().kind("autoscaling", "v1", "Scale");
    let decoded = decode::body(&call.headers, &call.body, node.map_or(Shape::Any, Shape::Typed))?;
    rescale(call, &Rescale::Replace(decoded.value)).await
}

/// Answers `patch` of a scale.
///
/// # Errors
/// As a patch of the object itself.
pub async fn patch(call: &Call) -> Outcome {
    rescale(call, &Rescale::Patch(super::patch::parse(call)?)).await
}

async fn rescale(call: &Call, change: &Rescale) -> Outcome {
    let versioned = apply(call, change, &mut Vec::new()).await?;
    let object: Value = serde_json::from_slice(versioned.json()).map_err(Status::internal_error)?;
    Ok(respond::json(StatusCode::OK, scale_of(&object).to_string()))
}
