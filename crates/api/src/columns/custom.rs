//! Columns that a CustomResourceDefinition asks for.

use serde_json::Value;

use super::Column;
use super::jsonpath::{JsonPath, JsonPathError};
use crate::duration;
use crate::meta::{self, MicroTime, Time};

/// An `additionalPrinterColumns` entry and its compiled path.
#[derive(Debug, Clone)]
pub struct CustomColumn {
    /// What the Table's head says.
    pub column: Column,
    path: JsonPath,
}

/// A column cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ColumnError {
    /// It has no name.
    #[error("a printer column has no name")]
    NoName,
    /// Its type is none there is.
    #[error("printer column {name:?} has type {kind:?}: use integer, number, boolean, string or date")]
    Type {
        /// The column.
        name: String,
        /// Its type.
        kind: String,
    },
    /// Its path cannot be evaluated.
    #[error("the jsonPath of printer column {name:?} is wrong")]
    Path {
        /// The column.
        name: String,
        /// Why.
        source: JsonPathError,
    },
}

impl CustomColumn {
    /// Reads an entry of `additionalPrinterColumns`.
    ///
    /// # Errors
    /// It has no name, no known type, or a path that cannot be evaluated.
    pub fn parse(entry: &Value) -> Result<Self, ColumnError> {
        let field = |name| meta::text(entry, name).to_owned();
        let (name, kind) = (field("name"), field("type"));
        if name.is_empty() {
            return Err(ColumnError::NoName);
        }
        if !matches!(kind.as_str(), "integer" | "number" | "boolean" | "string" | "date") {
            return Err(ColumnError::Type { name, kind });
        }
        let path = JsonPath::parse(meta::text(entry, "jsonPath"))
            .map_err(|source| ColumnError::Path { name: name.clone(), source })?;
        let priority = entry.get("priority").and_then(Value::as_i64).and_then(|p| i32::try_from(p).ok());
        let column = Column {
            name: name.into(),
            kind: kind.into(),
            format: field("format").into(),
            description: field("description").into(),
            priority: priority.unwrap_or(0),
        };
        Ok(Self { column, path })
    }

    /// The cell of an object: the first value the path finds, or null where it has another type.
    pub fn cell(&self, object: &Value, now: Time) -> Value {
        let Some(value) = self.path.find(object).into_iter().next() else { return Value::Null };
        match self.column.kind.as_ref() {
            "integer" => whole(value),
            "number" if value.is_number() => value.clone(),
            "boolean" if value.is_boolean() => value.clone(),
            "string" => text(value),
            "date" => value.as_str().map_or(Value::Null, |t| date(t, now)),
            _ => Value::Null,
        }
    }
}

fn whole(value: &Value) -> Value {
    match (value.as_i64(), value.as_f64()) {
        (Some(whole), _) => whole.into(),
        #[expect(clippy::cast_possible_truncation, reason = "Kubernetes cuts decimals off too")]
        (None, Some(number)) => (number as i64).into(),
        (None, None) => Value::Null,
    }
}

fn text(value: &Value) -> Value {
    match value {
        Value::Null => "<no value>".into(),
        Value::String(text) => text.as_str().into(),
        other => other.to_string().into(),
    }
}

fn date(text: &str, now: Time) -> Value {
    MicroTime::parse(text).map_or_else(|| "<invalid>".into(), |t| duration::between(t.seconds(), now).into())
}
