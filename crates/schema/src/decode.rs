//! Strict decoding of a request body into a tree, in one pass over the bytes.
//!
//! ```text
//! bytes ─ json ─> Value without unknown fields + [Issue] (unknown and duplicate fields, with paths)
//!       └ yaml ─> JSON ─┘                         or one DecodeError (syntax, wrong type)
//! ```
//!
//! What is accepted and how it is worded follows Kubernetes' JSON decoder (`sigs.k8s.io/json`):
//! names are case-sensitive, `null` is an absent field, the first wrong type is the error, at most
//! 100 issues are kept and none twice. Quantities and times of built-in kinds get the one form
//! Kubernetes gives back (`0.5` is `500m`, times are UTC); all else keeps its spelling.

mod json;
mod quantity;
mod scalar;
mod time;
mod yaml;

use std::fmt;

use serde_json::Value;
use thiserror::Error;

use crate::model::NodeRef;
use crate::quote::Quoted;

/// Deepest nesting of arrays and objects. One less than what `serde_json` reads back by default,
/// leaving room for the list and the watch event an object is later wrapped in.
pub const DEPTH_MAX: usize = 120;

/// Most issues kept of one body, as in Kubernetes.
const ISSUES_MAX: usize = 100;

/// What a body is decoded as.
#[derive(Clone, Copy, Debug)]
pub enum Shape<'a> {
    /// An object of this node: unknown fields are reported and dropped, types are checked.
    Typed(NodeRef<'a>),
    /// A custom resource: only `metadata` is checked here, all else is kept as it is.
    Custom,
    /// Any JSON. Duplicate fields are reported.
    Any,
}

/// A decoded body.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded {
    /// The tree.
    pub value: Value,
    /// What `fieldValidation` is about, in the order of the body.
    pub issues: Vec<Issue>,
}

/// Something in a body that strict decoding refuses. Its `Display` is the text of the warning.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Issue {
    /// A field the schema does not know, by its path from the root.
    UnknownField(String),
    /// A field that occurs twice; the later one was taken.
    DuplicateField(String),
    /// Keys that occur twice in a YAML mapping, as go-yaml words it.
    Yaml(String),
}

impl fmt::Display for Issue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownField(path) => write!(f, "unknown field {}", Quoted(path)),
            Self::DuplicateField(path) => write!(f, "duplicate field {}", Quoted(path)),
            Self::Yaml(text) => f.write_str(text),
        }
    }
}

/// The one message under `fieldValidation=Strict`.
///
/// ```
/// # use schema::decode::{Issue, strict_error};
/// let issues = [Issue::UnknownField("spec.foo".into()), Issue::DuplicateField("spec.replicas".into())];
/// assert_eq!(
///     strict_error(&issues),
///     r#"strict decoding error: unknown field "spec.foo", duplicate field "spec.replicas""#
/// );
/// ```
pub fn strict_error(issues: &[Issue]) -> String {
    let texts: Vec<String> = issues.iter().map(ToString::to_string).collect();
    format!("strict decoding error: {}", texts.join(", "))
}

/// Why a body cannot be decoded at all, worded as Kubernetes does.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum DecodeError {
    /// The bytes are no JSON. The offset is where the reader stopped.
    #[error("{message}")]
    Syntax {
        /// What was met where.
        message: String,
        /// Byte offset into the body.
        offset: usize,
    },
    /// The body nests deeper than [`DEPTH_MAX`].
    #[error("exceeded max depth")]
    Depth,
    /// A value has the wrong type.
    #[error("json: cannot unmarshal {found} into Go {place} of type {expected}")]
    Type {
        /// What was found, e.g. `string` or `number 1.5`.
        found: String,
        /// `value`, or `struct field Struct.path`.
        place: String,
        /// The type Kubernetes' implementation has there.
        expected: String,
    },
    /// A string has the wrong form for its format.
    #[error("{0}")]
    Format(String),
    /// The bytes are no YAML.
    #[error("error converting YAML to JSON: yaml: {0}")]
    Yaml(String),
}

/// Decodes a JSON body.
///
/// # Errors
/// The first syntax error, else the first value of a wrong type.
pub fn json(body: &[u8], shape: Shape<'_>) -> Result<Decoded, DecodeError> {
    json::decode(body, shape)
}

/// Decodes the first document of a YAML body. Scalars resolve as go-yaml v2 does it (YAML 1.1:
/// `yes` is true, `0777` is octal); duplicate keys are one issue that names their lines.
///
/// # Errors
/// As [`json()`], and YAML's own syntax.
pub fn yaml(body: &[u8], shape: Shape<'_>) -> Result<Decoded, DecodeError> {
    let (bytes, duplicates) = yaml::to_json(body)?;
    let mut decoded = json::decode(&bytes, shape)?;
    if let Some(text) = duplicates {
        decoded.issues.insert(0, Issue::Yaml(text));
    }
    Ok(decoded)
}

#[cfg(test)]
mod tests;
