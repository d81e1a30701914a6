//! Objects as a client asked for them: in its version, whole, as metadata only, or as table rows.

use std::sync::Arc;

use api::columns::{Column, Printer};
use api::gvk::GroupVersionKind;
use api::kinds::Resolved;
use api::meta::Time;
use api::status::Status;
use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};

use crate::convert::convert;
use crate::custom::{self, CustomVersion};
use crate::negotiate::{Accepted, Encoding, Form};
use crate::respond::{self, Outcome};
use crate::value::Versioned;

/// What a table row says of its object (`includeObject`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IncludeObject {
    /// Nothing.
    None,
    /// Its metadata.
    Metadata,
    /// All of it.
    Object,
}

impl IncludeObject {
    /// Reads the query parameter; empty is `Metadata`.
    ///
    /// # Errors
    /// 400 for any other word.
    pub fn parse(text: &str) -> Result<Self, Status> {
        match text {
            "" | "Metadata" => Ok(Self::Metadata),
            "None" => Ok(Self::None),
            "Object" => Ok(Self::Object),
            other => Err(Status::bad_request(format!("unrecognized includeObject value: {other:?}"))),
        }
    }
}

/// Renders objects of one resource for one request.
#[derive(Clone)]
pub struct Renderer {
    form: Form,
    encoding: Encoding,
    gvk: GroupVersionKind,
    /// Whether stored bytes are already what the client wants.
    as_stored: bool,
    include: IncludeObject,
    printer: Arc<Printer>,
    target: Resolved,
    custom: Option<Arc<CustomVersion>>,
}

impl Renderer {
    /// A renderer for the version of `target` and the accepted form.
    pub fn new(target: &Resolved, accepted: Accepted, include: IncludeObject) -> Self {
        let row = &target.resource;
        let version = target.version();
        let own_storage =
            row.storage.0.split('/').next() == Some(if row.group.is_empty() { "core" } else { &row.group });
        let same_version = version.storage && own_storage;
        Self {
            form: accepted.form,
            encoding: accepted.encoding,
            gvk: row.gvk(version),
            as_stored: same_version && accepted.form == Form::Object && accepted.encoding == Encoding::Json,
            include,
            printer: Arc::new(Printer::builtin(&row.group, &row.kind)),
            target: target.clone(),
            custom: None,
        }
    }

    /// The same for a custom kind: with its columns, and the defaults that its schema has by now.
    #[must_use]
    pub fn of_custom(self, version: &Arc<CustomVersion>) -> Self {
        let as_stored = self.as_stored && !version.has_defaults();
        Self { as_stored, printer: version.printer(), custom: Some(Arc::clone(version)), ..self }
    }

    /// The kind and apiVersion of a list of such answers.
    pub fn list_kind(&self) -> (String, String) {
        match self.form {
            Form::Object => {
                (self.target.resource.list_kind.to_string(), self.gvk.group_version().to_string())
            }
            Form::Table => ("Table".into(), "meta.k8s.io/v1".into()),
            Form::Partial => ("PartialObjectMetadataList".into(), "meta.k8s.io/v1".into()),
        }
    }

    /// The form of the answer.
    pub fn form(&self) -> Form {
        self.form
    }

    /// The encoding of the answer.
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// The table's column definitions.
    pub fn column_definitions(&self) -> Value {
        self.printer.columns().iter().map(Column::to_value).collect()
    }

    /// The bytes of one list item: an object, or a table row.
    pub fn item(&self, versioned: &Versioned, now: Time) -> Bytes {
        if self.as_stored {
            return versioned.json().clone();
        }
        let object = self.tree(versioned);
        match self.form {
            Form::Object => object.to_string().into(),
            Form::Partial => partial(&object).to_string().into(),
            Form::Table => self.row(&object, now).to_string().into(),
        }
    }

    /// The bytes of one object on its own, as GET and watch events have it; a table names its columns
    /// where `with_columns` says so.
    pub fn single(&self, versioned: &Versioned, now: Time, with_columns: bool) -> Bytes {
        if self.form != Form::Table {
            return self.item(versioned, now);
        }
        let object = self.tree(versioned);
        let columns = if with_columns { self.column_definitions() } else { Value::Null };
        let version = api::meta::resource_version(&object).to_owned();
        let rows = [self.row(&object, now)];
        table(&columns, &rows, json!({"resourceVersion": version})).to_string().into()
    }

    /// A bookmark's object: the kind asked for, with metadata only.
    pub fn bookmark(&self, metadata: Value) -> Value {
        let mut object = match self.form {
            Form::Object => {
                json!({"kind": self.gvk.kind, "apiVersion": self.gvk.group_version().to_string()})
            }
            Form::Partial => json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}),
            Form::Table => return table(&Value::Null, &[], metadata),
        };
        object["metadata"] = metadata;
        object
    }

    /// One object as the answer to a request.
    pub fn answer(&self, code: StatusCode, versioned: &Versioned, now: Time) -> Outcome {
        self.encode(code, self.single(versioned, now, true))
    }

    /// Bytes of JSON in the encoding that was asked for.
    pub fn encode(&self, code: StatusCode, json: Bytes) -> Outcome {
        match self.encoding {
            // Protobuf is read, never written: clients that ask for it take JSON too.
            Encoding::Json | Encoding::Protobuf => Ok(respond::json(code, json)),
            Encoding::Yaml => {
                let tree: Value = serde_json::from_slice(&json).map_err(Status::internal_error)?;
                let yaml = serde_saphyr::to_string(&tree).map_err(Status::internal_error)?;
                Ok(respond::answer(code, "application/yaml", respond::full(yaml)))
            }
        }
    }

    fn tree(&self, versioned: &Versioned) -> Value {
        let object = serde_json::from_slice(versioned.json()).unwrap_or_default();
        let object = convert(object, &self.gvk);
        match &self.custom {
            Some(version) => custom::object::read(version, object),
            None => object,
        }
    }

    fn row(&self, object: &Value, now: Time) -> Value {
        let row = self.printer.row(object, now);
        let mut value = json!({"cells": row.cells});
        if !row.conditions.is_empty() {
            value["conditions"] = row.conditions.into();
        }
        match self.include {
            IncludeObject::None => {}
            IncludeObject::Metadata => value["object"] = partial(object),
            IncludeObject::Object => value["object"] = object.clone(),
        }
        value
    }
}

/// A `meta.k8s.io/v1` Table.
pub fn table(columns: &Value, rows: &[Value], metadata: Value) -> Value {
    let mut table = json!({"kind": "Table", "apiVersion": "meta.k8s.io/v1", "rows": rows});
    table["metadata"] = metadata;
    table["columnDefinitions"] = if columns.is_null() { json!([]) } else { columns.clone() };
    table
}

fn partial(object: &Value) -> Value {
    json!({
        "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
        "metadata": object.get("metadata").cloned().unwrap_or_default(),
    })
}
