//! The three kinds of patch a client sends: JSON patch, merge patch, strategic merge patch.
//!
//! ```text
//! body ─parse─> JsonPatch | MergePatch | StrategicPatch ─apply(current)─> Value
//!                └ issues(): what fieldValidation is about
//! ```
//!
//! A patch is parsed once and applied as often as a write is tried again. What an application can
//! make of a small body is bounded: [`DEPTH_MAX`] levels, [`OPERATIONS_MAX`] operations,
//! [`COPY_MAX`] copied bytes.

pub mod json;
pub mod merge;
pub(crate) mod show;
pub mod strategic;

pub use json::JsonPatch;
pub use merge::MergePatch;
pub use strategic::StrategicPatch;

use serde_json::{Map, Value};
use thiserror::Error;

#[cfg(doc)]
use crate::decode::DEPTH_MAX;
use crate::decode::{self, Decoded, Shape};

/// Most operations of a JSON patch, as in Kubernetes.
pub const OPERATIONS_MAX: usize = 10_000;

/// Most bytes of JSON that the `copy` operations of one JSON patch add, as in Kubernetes.
pub const COPY_MAX: usize = 3 * 1024 * 1024;

/// Why a patch was not applied. The variants are the Status to answer with; `Display` is its message.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum PatchError {
    /// The body is no patch of its kind: 400, `BadRequest`.
    #[error("{0}")]
    Malformed(String),
    /// Too many operations: 413, `RequestEntityTooLarge`.
    #[error("The allowed maximum operations in a JSON patch is {OPERATIONS_MAX}, got {0}")]
    TooManyOperations(usize),
    /// The patch does not apply to this object: 422, `Invalid`. Kubernetes does not tell the client
    /// why; the reason held here is for a log.
    #[error("the server rejected our request due to an error in our request")]
    Rejected(String),
    /// The patch does not fit the object's schema: 500 without a reason, as in Kubernetes.
    #[error("{0}")]
    Unfit(String),
}

/// Reads a body that must be one JSON object; duplicate fields become texts for `fieldValidation`.
fn parse_object(body: &[u8], prefix: &str) -> Result<(Map<String, Value>, Vec<String>), PatchError> {
    let Decoded { value, issues } =
        decode::json(body, Shape::Any).map_err(|error| PatchError::Malformed(format!("{prefix}{error}")))?;
    match value {
        Value::Object(map) => Ok((map, issues.iter().map(ToString::to_string).collect())),
        Value::Null => Ok((Map::new(), Vec::new())),
        other => Err(PatchError::Malformed(format!(
            "{prefix}json: cannot unmarshal {} into Go value of type map[string]interface {{}}",
            go_name(&other)
        ))),
    }
}

/// What Go's JSON decoder calls a value in its errors.
fn go_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests;
