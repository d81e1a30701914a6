//! Custom resources: from a CustomResourceDefinition to a kind that is served like any other.
//!
//! ```text
//! CRD objects (watch cache) ── reactor ──> names, conditions, clean-up (written back)
//!                                  └─────> Custom (row, schemas, rules, columns) ──> Catalog (one pointer)
//! request ── catalog ──> Call.custom ──> prune, default, validate, rules, scale, columns
//! ```
//!
//! Invariants:
//! - A request sees one [`Snapshot`]: a row is never without its schema.
//! - A definition that cannot be compiled is not served; the validation of definitions refuses it first.
//!
//! Follows the apiextensions API v1 of Kubernetes 1.36, KEPs 1693 (structural schemas), 2876 (rules),
//! 4008 (ratcheting) and 4358 (selectable fields).

pub mod catalog;
pub(crate) mod definition;
mod names;
pub(crate) mod object;
pub(crate) mod reactor;
mod rules;
pub(crate) mod scale;

use std::sync::Arc;

use api::columns::{ColumnError, Printer};
use api::kinds::{CustomError, List, Resource};
use api::meta;
use api::status::{FieldError, FieldErrorKind};
use schema::{FieldIssue, GroupVersionKind, IssueKind, NodeRef, Schema};
use serde_json::Value;

use rules::Programs;

pub use catalog::{Catalog, Snapshot};

/// Where definitions are stored.
pub(crate) const PREFIX: &str = "apiextensions.k8s.io/customresourcedefinitions";

/// A definition makes no kind.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// The row cannot be made.
    #[error("no row")]
    Row(#[source] CustomError),
    /// The columns of a version are wrong.
    #[error("wrong columns")]
    Columns(#[source] ColumnError),
    /// The schema or the rules of a version are wrong.
    #[error("the schema has {} faults, first: {}", .0.len(), .0.first().map(ToString::to_string).unwrap_or_default())]
    Schema(Vec<FieldError>),
}

/// A kind that a definition brings, compiled.
#[derive(Debug)]
pub struct Custom {
    /// The row, with all that any version declares.
    pub row: Resource,
    /// Its versions, in the order of the definition.
    pub versions: Vec<Arc<CustomVersion>>,
    /// Whether the definition is being deleted: nothing may be created any more.
    pub terminating: bool,
    /// The definition's uid and generation: a new pair means to compile again.
    pub(crate) identity: Identity,
}

/// What tells one state of a definition from another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    uid: String,
    generation: i64,
    accepted: String,
    terminating: bool,
}

/// One version of a custom kind.
#[derive(Debug)]
pub struct CustomVersion {
    /// Its name.
    pub name: String,
    /// The row as this version shows it: with its own subresources and selectable fields.
    pub row: Resource,
    schema: Schema,
    raw: Option<Value>,
    programs: Programs,
    printer: Arc<Printer>,
    scale: Option<scale::Paths>,
    has_status: bool,
    has_defaults: bool,
    /// The webhook that would have to convert this version from and to the stored one.
    webhook: Option<String>,
}

impl Identity {
    pub(crate) fn of(definition: &Value) -> Self {
        Self {
            uid: meta::uid(definition).to_owned(),
            generation: meta::generation(definition).unwrap_or(0),
            accepted: meta::at(definition, "status.acceptedNames").map(Value::to_string).unwrap_or_default(),
            terminating: meta::deletion_timestamp(definition).is_some(),
        }
    }
}

impl Custom {
    /// Compiles a definition.
    ///
    /// # Errors
    /// The first part that cannot be compiled; of schemas and rules, every fault of the first wrong version.
    pub fn compile(definition: &Value) -> Result<Self, CompileError> {
        let row = Resource::from_definition(definition).map_err(CompileError::Row)?;
        let versions = definition.pointer("/spec/versions").and_then(Value::as_array);
        let versions = versions.into_iter().flatten().enumerate();
        let versions = versions
            .map(|(index, version)| CustomVersion::compile(definition, &row, version, index).map(Arc::new));
        let versions = versions.collect::<Result<_, _>>()?;
        let identity = Identity::of(definition);
        Ok(Self { row, versions, terminating: identity.terminating, identity })
    }

    /// The version of that name.
    pub fn version(&self, name: &str) -> Option<&Arc<CustomVersion>> {
        self.versions.iter().find(|version| version.name == name)
    }
}

impl CustomVersion {
    fn compile(
        definition: &Value,
        row: &Resource,
        version: &Value,
        index: usize,
    ) -> Result<Self, CompileError> {
        let name = meta::text(version, "name").to_owned();
        let gvk = kind(row, &name);
        let raw = version.pointer("/schema/openAPIV3Schema").cloned();
        let path = schema_path(index);
        let schema = match &raw {
            Some(raw) => schema::crd::schema(raw, &path, gvk)
                .map_err(|issues| CompileError::Schema(issues.into_iter().map(fault).collect()))?,
            None => schema::crd::permissive(gvk),
        };
        let programs = Programs::compile(schema.root(), &path).map_err(CompileError::Schema)?;
        let columns = version.get("additionalPrinterColumns").and_then(Value::as_array);
        let printer = Printer::custom(columns.map_or(&[], Vec::as_slice)).map_err(CompileError::Columns)?;
        let subresources = version.get("subresources").unwrap_or(&Value::Null);
        Ok(Self {
            row: own_row(row, version),
            has_defaults: any_default(schema.root()),
            has_status: subresources.get("status").is_some(),
            scale: subresources.get("scale").map(scale::Paths::of),
            webhook: webhook(definition, version),
            printer: Arc::new(printer),
            name,
            schema,
            raw,
            programs,
        })
    }

    /// The columns of its tables.
    pub(crate) fn printer(&self) -> Arc<Printer> {
        Arc::clone(&self.printer)
    }

    /// Where it keeps its replicas, if it has a scale.
    pub(crate) fn scale(&self) -> Option<&scale::Paths> {
        self.scale.as_ref()
    }

    /// Whether reading may have to fill something in.
    pub(crate) fn has_defaults(&self) -> bool {
        self.has_defaults
    }

    /// The schema as the definition states it.
    pub(crate) fn raw(&self) -> Option<&Value> {
        self.raw.as_ref()
    }

    fn root(&self) -> NodeRef<'_> {
        self.schema.root()
    }
}

/// Where the schema of a version lies in its definition.
pub(crate) fn schema_path(index: usize) -> String {
    format!("spec.versions[{index}].schema.openAPIV3Schema")
}

pub(crate) fn kind(row: &Resource, version: &str) -> GroupVersionKind {
    GroupVersionKind {
        group: row.group.to_string().into(),
        version: version.to_owned().into(),
        kind: row.kind.to_string().into(),
    }
}

/// The row with nothing but what this version declares.
fn own_row(row: &Resource, version: &Value) -> Resource {
    let declared = |name: &str| version.pointer(&format!("/subresources/{name}")).is_some();
    let paths: Vec<&str> = version
        .get("selectableFields")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|entry| meta::text(entry, "jsonPath").trim_start_matches('.'))
        .collect();
    let own = |name: &str| name == "metadata.name" || paths.contains(&name);
    Resource {
        subresources: row.subresources.iter().filter(|sub| declared(&sub.name)).cloned().collect(),
        selectable: List::Owned(row.selectable.iter().filter(|field| own(&field.name)).cloned().collect()),
        ..row.clone()
    }
}

fn any_default(node: NodeRef<'_>) -> bool {
    node.default().is_some()
        || node.fields().any(|field| any_default_below(field.name(), field.node()))
        || node.items().is_some_and(any_default)
        || node.values().is_some_and(any_default)
}

/// Metadata is imported from the built-in facts, which have no defaults and may refer to themselves.
fn any_default_below(name: &str, node: NodeRef<'_>) -> bool {
    name != "metadata" && any_default(node)
}

/// The webhook that converts a version that is not the stored one, as messages name it.
fn webhook(definition: &Value, version: &Value) -> Option<String> {
    let stored = version.get("storage").and_then(Value::as_bool).unwrap_or(false);
    if stored || meta::text(definition, "spec.conversion.strategy") != "Webhook" {
        return None;
    }
    let config = definition.pointer("/spec/conversion/webhook/clientConfig").unwrap_or(&Value::Null);
    Some(match meta::text(config, "url") {
        "" => format!(
            "service {}/{}",
            meta::text(config, "service.namespace"),
            meta::text(config, "service.name")
        ),
        url => url.to_owned(),
    })
}

/// An issue of the schema engine as a fault of the API.
pub(crate) fn fault(issue: FieldIssue) -> FieldError {
    let kind = match issue.kind {
        IssueKind::Required => FieldErrorKind::Required,
        IssueKind::Invalid => FieldErrorKind::Invalid,
        IssueKind::NotSupported => FieldErrorKind::NotSupported,
        IssueKind::Duplicate => FieldErrorKind::Duplicate,
        IssueKind::TooLong => FieldErrorKind::TooLong,
        IssueKind::TooMany => FieldErrorKind::TooMany,
        IssueKind::TypeInvalid => FieldErrorKind::TypeInvalid,
        IssueKind::Forbidden => FieldErrorKind::Forbidden,
    };
    FieldError { kind, path: issue.path, bad_value: issue.value, detail: issue.detail }
}
