//! The scale subresource of custom resources: `autoscaling/v1` Scale, by the paths that a definition names.

use api::gvk::GroupVersionKind;
use api::meta;
use api::status::{FieldError, FieldPath, Status};
use schema::decode::Shape;
use serde_json::{Map, Value, json};

use super::CustomVersion;
use crate::decode::{self, FieldValidation};
use crate::endpoint::Call;
use crate::endpoint::patch::{self, Patch};
use crate::endpoint::read::freshen;
use crate::endpoint::update::{self, Change};
use crate::respond::{self, Outcome};

/// Where a kind keeps its replicas; dotted paths.
#[derive(Debug, Clone)]
pub(crate) struct Paths {
    spec: String,
    status: String,
    selector: Option<String>,
}

impl Paths {
    /// Reads `subresources.scale` of a version.
    pub(crate) fn of(scale: &Value) -> Self {
        let path = |field| meta::text(scale, field).trim_start_matches('.').to_owned();
        let selector = Some(path("labelSelectorPath")).filter(|path| !path.is_empty());
        Self { spec: path("specReplicasPath"), status: path("statusReplicasPath"), selector }
    }

    /// The scale of an object.
    fn read(&self, object: &Value) -> Result<Value, Status> {
        let replicas = meta::at(object, &self.spec).and_then(Value::as_i64).ok_or_else(|| {
            Status::internal_error(format!("the spec replicas field \".{}\" does not exist", self.spec))
        })?;
        let mut metadata = Map::new();
        for field in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
            if let Some(value) = object.pointer(&format!("/metadata/{field}")) {
                metadata.insert(field.into(), value.clone());
            }
        }
        let ready = meta::at(object, &self.status).and_then(Value::as_i64).unwrap_or(0);
        let mut status = json!({"replicas": ready});
        let selector =
            self.selector.as_ref().map(|path| meta::text(object, path)).filter(|text| !text.is_empty());
        if let Some(selector) = selector {
            status["selector"] = json!(selector);
        }
        Ok(json!({"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata,
            "spec": {"replicas": replicas}, "status": status}))
    }

    fn write(&self, object: &mut Value, replicas: i64) {
        let mut at = object;
        let mut names = self.spec.split('.').peekable();
        while let Some(name) = names.next() {
            let Some(fields) = at.as_object_mut() else { return };
            let value = if names.peek().is_some() { json!({}) } else { json!(replicas) };
            if names.peek().is_none() {
                fields.insert(name.to_owned(), value);
                return;
            }
            at = fields.entry(name).or_insert(value);
        }
    }
}

fn kind() -> GroupVersionKind {
    GroupVersionKind::new("autoscaling", "v1", "Scale")
}

fn shape() -> Shape<'static> {
    schema::builtin().kind("autoscaling", "v1", "Scale").map_or(Shape::Any, Shape::Typed)
}

/// How a request changes a scale.
enum Wanted {
    Replaced(Value),
    Patched(Patch, FieldValidation),
}

/// A change of the object through its scale.
struct Rescale<'a> {
    paths: &'a Paths,
    wanted: Wanted,
}

impl Change for Rescale<'_> {
    fn apply(&self, call: &Call, current: &Value, warnings: &mut Vec<String>) -> Result<Value, Status> {
        let scale = match &self.wanted {
            Wanted::Replaced(scale) => scale.clone(),
            Wanted::Patched(patch, validation) => {
                let patched = patch
                    .apply(schema::decode::Shape::Any, self.paths.read(current)?)
                    .map_err(|error| patch::refusal(call.resource(), &call.info.name, &error))?;
                let decoded = schema::decode::json(patched.to_string().as_bytes(), shape())
                    .map_err(|error| Status::bad_request(error.to_string()))?;
                warnings.extend(validation.judge(&decoded.issues)?);
                decode::expect_kind(decoded, &kind())?.value
            }
        };
        let replicas = meta::at(&scale, "spec.replicas").and_then(Value::as_i64).unwrap_or(0);
        if replicas < 0 {
            let path = FieldPath::new("spec").child("replicas");
            let error = FieldError::invalid(&path, replicas, "should be a non-negative integer");
            let scale = api::gvk::GroupKind { group: "autoscaling".into(), kind: "Scale".into() };
            return Err(Status::invalid(&scale, &call.info.name, &[error]));
        }
        let mut object = current.clone();
        self.paths.write(&mut object, replicas);
        for field in ["resourceVersion", "uid"] {
            meta::remove(&mut object, field);
            if let Some(value) = scale.pointer(&format!("/metadata/{field}")) {
                meta::set(&mut object, field, value.clone());
            }
        }
        Ok(object)
    }
}

/// Answers `scale` requests for custom resources.
///
/// # Errors
/// 404 where the version has no scale; otherwise as GET, PUT and PATCH of the object.
pub(crate) async fn answer(call: &Call, verb: &str) -> Outcome {
    let paths = call.version().and_then(CustomVersion::scale).ok_or_else(Status::path_not_found)?;
    let mut warnings = Vec::new();
    let object = if verb == "get" {
        freshen(call, &call.query.resource_version).await?;
        let shard = call.shared.cache.shard(call.prefix());
        let object = shard.get(&call.key(&call.info.name)).ok_or_else(|| call.not_found(&call.info.name))?;
        object.versioned.clone()
    } else {
        let wanted = wanted(call, verb, &mut warnings)?;
        update::apply(call, &Rescale { paths, wanted }, &mut warnings).await?
    };
    let object: Value = serde_json::from_slice(object.json()).map_err(Status::internal_error)?;
    let mut response = respond::value(&paths.read(&call.as_read(object))?);
    respond::warn(&mut response, &warnings);
    Ok(response)
}

fn wanted(call: &Call, verb: &str, warnings: &mut Vec<String>) -> Result<Wanted, Status> {
    let validation = FieldValidation::parse(&call.query.field_validation)?;
    if verb == "patch" {
        let patch = patch::parse(call)?;
        warnings.extend(validation.judge_texts(patch.issues())?);
        return Ok(Wanted::Patched(patch, validation));
    }
    let decoded = decode::expect_kind(decode::body(&call.headers, &call.body, shape())?, &kind())?;
    warnings.extend(validation.judge(&decoded.issues)?);
    let name = meta::name(&decoded.value);
    if name != call.info.name {
        return Err(Status::bad_request(format!(
            "the name of the object ({name}) does not match the name on the URL ({})",
            call.info.name
        )));
    }
    Ok(Wanted::Replaced(decoded.value))
}
