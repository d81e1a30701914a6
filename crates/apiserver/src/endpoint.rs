//! The verbs of the API on objects of any kind.
//!
//! [`Call`] is an authorized request whose path names a resource that is served; each verb has a
//! module. Nothing here knows a kind: what differs is in the table of kinds and in strategies.

use std::sync::Arc;

use api::kinds::{Resolved, Resource};
use api::status::Status;
use bytes::Bytes;
use http::HeaderMap;
use schema::decode::{Decoded, Shape};
use serde_json::Value;

use crate::authn::User;
use crate::convert::storage_kind;
use crate::custom::{Custom, CustomVersion, object as custom_object};
use crate::decode::{self, FieldValidation};
use crate::negotiate::Accepted;
use crate::render::{IncludeObject, Renderer};
use crate::request::{Query, ResourceInfo};
use crate::server::Shared;
use crate::storage::StorageError;
use crate::strategy::{self, Strategy};

pub mod apply;
pub mod binding;
pub mod create;
pub mod delete;
pub mod eviction;
pub mod finalize;
pub mod list;
pub mod patch;
pub mod read;
pub mod review;
pub mod scale;
pub mod token;
pub mod update;
pub mod watch;

/// An authorized request for a resource that is served.
pub struct Call {
    pub(crate) shared: Arc<Shared>,
    pub(crate) user: Arc<User>,
    pub(crate) info: ResourceInfo,
    pub(crate) query: Query,
    pub(crate) target: Resolved,
    /// What the resource and its version are compiled to, if it is a custom one.
    pub(crate) custom: Option<(Arc<Custom>, Arc<CustomVersion>)>,
    pub(crate) accepted: Accepted,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Call {
    /// The row of the resource.
    pub(crate) fn resource(&self) -> &Resource {
        &self.target.resource
    }

    /// The resource prefix in the store.
    pub(crate) fn prefix(&self) -> &str {
        &self.resource().storage.0
    }

    /// The key of an object of that name in the request's namespace.
    pub(crate) fn key(&self, name: &str) -> String {
        if self.resource().namespaced() { format!("{}/{name}", self.info.namespace) } else { name.to_owned() }
    }

    /// The rules of the kind, in the version it is stored in.
    pub(crate) fn rules(&self) -> &'static Strategy {
        if self.custom.is_some() {
            return &strategy::definition::CUSTOM;
        }
        let kind = storage_kind(self.resource());
        strategy::strategy(&kind.group, &kind.kind)
    }

    /// The same call about another object.
    pub(crate) fn about(&self, namespace: &str, name: &str) -> Self {
        let info =
            ResourceInfo { namespace: namespace.to_owned(), name: name.to_owned(), ..self.info.clone() };
        Self {
            shared: Arc::clone(&self.shared),
            user: Arc::clone(&self.user),
            info,
            query: self.query.clone(),
            target: self.target.clone(),
            custom: self.custom.clone(),
            accepted: self.accepted,
            headers: self.headers.clone(),
            body: self.body.clone(),
        }
    }

    /// Whether nothing may be stored.
    ///
    /// # Errors
    /// 422 for a value other than `All`.
    pub(crate) fn dry_run(&self) -> Result<bool, Status> {
        match self.query.dry_run.iter().find(|value| *value != "All") {
            None => Ok(!self.query.dry_run.is_empty()),
            Some(other) => {
                Err(Status::bad_request(format!("invalid dryRun value {other:?}: only \"All\" is known")))
            }
        }
    }

    /// The version of the custom kind, if it is one.
    pub(crate) fn version(&self) -> Option<&CustomVersion> {
        self.custom.as_ref().map(|(_, version)| &**version)
    }

    /// Finishes decoding: a custom resource is pruned and defaulted by its schema.
    pub(crate) fn conform(&self, mut decoded: Decoded) -> Decoded {
        if let Some(version) = self.version() {
            custom_object::conform(version, &mut decoded);
        }
        decoded
    }

    /// The object in the body, and the warnings about it.
    ///
    /// # Errors
    /// 415 and 400 as [`decode::object`] and [`FieldValidation::judge`] give them.
    pub(crate) fn decode(&self) -> Result<(Value, Vec<String>), Status> {
        let validation = FieldValidation::parse(&self.query.field_validation)?;
        let shape = self.shared.shape(&self.target);
        let decoded = self.conform(decode::object(&self.headers, &self.body, shape, &self.target)?);
        let warnings = validation.judge(&decoded.issues)?;
        Ok((decoded.value, warnings))
    }

    /// A stored object as this version shows it, before conversion.
    pub(crate) fn as_read(&self, object: Value) -> Value {
        match self.version() {
            Some(version) => custom_object::read(version, object),
            None => object,
        }
    }

    /// What renders the answers.
    pub(crate) fn renderer(&self, include: IncludeObject) -> Renderer {
        let renderer = Renderer::new(&self.target, self.accepted, include);
        match &self.custom {
            Some((_, version)) => renderer.of_custom(version),
            None => renderer,
        }
    }

    pub(crate) fn not_found(&self, name: &str) -> Status {
        Status::not_found(&self.resource().group_resource(), name)
    }
}

/// A storage failure, as a client sees it: the details go to the log only.
pub(crate) fn storage_failure(error: &StorageError) -> Status {
    tracing::error!(error = error as &dyn std::error::Error, "storage failed");
    Status::internal_error("the object store failed: see the server's log")
}

/// The map inside an object tree.
pub(crate) fn as_map(object: &Value) -> Result<&serde_json::Map<String, Value>, Status> {
    object.as_object().ok_or_else(|| Status::bad_request("the body of the request is not an object"))
}

/// Decodes the body of a subresource that speaks a kind of its own, and checks that it is about the
/// object of the path.
pub(crate) fn review_target(call: &Call, definition: &str) -> Result<Value, Status> {
    let shape = schema::builtin().definition(definition).map_or(Shape::Any, Shape::Typed);
    let object = crate::decode::body(&call.headers, &call.body, shape)?.value;
    let name = api::meta::name(&object);
    if !call.info.name.is_empty() && !name.is_empty() && name != call.info.name {
        return Err(Status::bad_request(format!(
            "the name of the object ({name}) does not match the name on the URL ({})",
            call.info.name
        )));
    }
    Ok(object)
}
