//! Who owns which field (KEP-555): what each write leaves in `metadata.managedFields`.

use api::kinds::Resource;
use api::status::{Cause, FieldError, FieldPath, Reason, Status};
use http::{HeaderMap, header};
use schema::NodeRef;
use schema::apply::{self, ApplyError, FieldSet, Request, manager_name};
use schema::decode::Shape;
use serde_json::Value;

use crate::convert::storage_kind;
use crate::endpoint::Call;

/// How a write is entered into the managed fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tracking {
    /// What changed becomes the writer's.
    Update,
    /// The fields were settled by an apply.
    Applied,
}

/// The identity of a write, with what [`Request`] borrows.
struct Writer {
    manager: String,
    api_version: String,
    subresource: String,
    time: String,
    reset: FieldSet,
}

impl Writer {
    fn of(call: &Call, api_version: String) -> Self {
        let subresource = call.info.subresource.clone();
        Self {
            manager: manager_name(&call.query.field_manager, user_agent(&call.headers)),
            api_version,
            reset: reset(call.resource(), &subresource),
            subresource,
            time: call.shared.now().to_string(),
        }
    }

    fn request<'a>(&'a self, node: Option<NodeRef<'a>>) -> Request<'a> {
        Request {
            node,
            manager: &self.manager,
            api_version: &self.api_version,
            subresource: &self.subresource,
            time: &self.time,
            reset: &self.reset,
            served: &[],
        }
    }
}

fn user_agent(headers: &HeaderMap) -> &str {
    headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// What a write cannot change, and so cannot own.
fn reset(resource: &Resource, subresource: &str) -> FieldSet {
    match subresource {
        "status" => FieldSet::of_fields(&["spec"]),
        "" if resource.has_status => FieldSet::of_fields(&["status"]),
        _ => FieldSet::new(),
    }
}

/// Enters what a write changed, in the version the object is stored in.
pub(crate) fn track(call: &Call, live: Option<&Value>, new: &mut Value) {
    let kind = storage_kind(call.resource());
    let writer = Writer::of(call, kind.group_version().to_string());
    let node = schema::builtin().kind(&kind.group, &kind.version, &kind.kind);
    apply::update(live, new, &writer.request(node));
}

/// Applies a configuration to what is there, in the version of the request.
///
/// # Errors
/// 409 with a cause for each conflict, 400 and 500 as Kubernetes answers a configuration that does not fit.
pub(crate) fn apply_configuration(
    call: &Call,
    live: Option<&Value>,
    config: &Value,
) -> Result<Value, Status> {
    let gvk = call.resource().gvk(call.target.version());
    let writer = Writer::of(call, gvk.group_version().to_string());
    let node = match call.shared.shape(&call.target) {
        Shape::Typed(node) => Some(node),
        Shape::Custom | Shape::Any => None,
    };
    let force = call.query.force.unwrap_or(false);
    apply::apply(live, config, &writer.request(node), force).map_err(|error| failure(&error))
}

fn failure(error: &ApplyError) -> Status {
    match error {
        ApplyError::Conflicts(conflicts) => {
            let causes = conflicts.0.iter().map(|conflict| Cause {
                reason: "FieldManagerConflict".into(),
                message: conflict.message(),
                field: conflict.field.clone(),
            });
            Status::apply_conflict(error.to_string(), causes.collect())
        }
        ApplyError::BadRequest(text) => Status::bad_request(text.as_str()),
        ApplyError::Unfit(text) => Status::failure(500, Reason::Unknown, text.as_str()),
    }
}

/// 422 unless an apply names its manager.
///
/// # Errors
/// The refusal, about the options of the request.
pub(crate) fn require_manager(call: &Call) -> Result<(), Status> {
    if !call.query.field_manager.is_empty() {
        return Ok(());
    }
    let error = FieldError::required(&FieldPath::new("fieldManager"), "is required for apply patch");
    Err(Status::invalid(&api::gvk::GroupKind::new("meta.k8s.io", "PatchOptions"), "", &[error]))
}
