//! What is wrong with one field, worded as Kubernetes words it.

use std::fmt;

use serde_json::Value;

use crate::quote::Quoted;

/// The kind of an issue, which is also the `reason` of a cause in a `Status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IssueKind {
    /// A value is missing.
    Required,
    /// A value is wrong.
    Invalid,
    /// A value is none of those allowed.
    NotSupported,
    /// A value occurs twice.
    Duplicate,
    /// A value is too long.
    TooLong,
    /// There are too many values.
    TooMany,
    /// A value has the wrong type.
    TypeInvalid,
    /// A value must not be given here.
    Forbidden,
}

impl IssueKind {
    /// The words a message begins with.
    pub fn words(self) -> &'static str {
        match self {
            Self::Required => "Required value",
            Self::Invalid | Self::TypeInvalid => "Invalid value",
            Self::NotSupported => "Unsupported value",
            Self::Duplicate => "Duplicate value",
            Self::TooLong => "Too long",
            Self::TooMany => "Too many",
            Self::Forbidden => "Forbidden",
        }
    }

    /// The `reason` of a cause in `Status.details`.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Required => "FieldValueRequired",
            Self::Invalid => "FieldValueInvalid",
            Self::NotSupported => "FieldValueNotSupported",
            Self::Duplicate => "FieldValueDuplicate",
            Self::TooLong => "FieldValueTooLong",
            Self::TooMany => "FieldValueTooMany",
            Self::TypeInvalid => "FieldValueTypeInvalid",
            Self::Forbidden => "FieldValueForbidden",
        }
    }

    fn shows_value(self) -> bool {
        !matches!(self, Self::Required | Self::Forbidden | Self::TooLong)
    }
}

/// One thing that is wrong with one field. `Display` is `path: message`, as `field.Error` in
/// Kubernetes' apimachinery.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldIssue {
    /// What kind of thing is wrong.
    pub kind: IssueKind,
    /// The field's path from the root; `<nil>` where Kubernetes says so.
    pub path: String,
    /// The value that is wrong, where it is shown.
    pub value: Option<Value>,
    /// More words, possibly none.
    pub detail: String,
}

impl FieldIssue {
    /// A required value is missing.
    pub fn required(path: impl fmt::Display, detail: impl Into<String>) -> Self {
        Self::new(IssueKind::Required, path, None, detail)
    }

    /// A value is wrong.
    pub fn invalid(path: impl fmt::Display, value: impl Into<Value>, detail: impl Into<String>) -> Self {
        Self::new(IssueKind::Invalid, path, Some(value.into()), detail)
    }

    /// A value has the wrong type.
    pub fn type_invalid(path: impl fmt::Display, value: impl Into<Value>, detail: impl Into<String>) -> Self {
        Self::new(IssueKind::TypeInvalid, path, Some(value.into()), detail)
    }

    /// A value must not be given.
    pub fn forbidden(path: impl fmt::Display, detail: impl Into<String>) -> Self {
        Self::new(IssueKind::Forbidden, path, None, detail)
    }

    /// A value occurs twice.
    pub fn duplicate(path: impl fmt::Display, value: Value) -> Self {
        Self::new(IssueKind::Duplicate, path, Some(value), "")
    }

    /// A value is none of the supported ones.
    pub fn not_supported<'a>(
        path: impl fmt::Display,
        value: impl Into<Value>,
        supported: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let names: Vec<String> = supported.into_iter().map(|name| Quoted(name).to_string()).collect();
        let detail =
            if names.is_empty() { String::new() } else { format!("supported values: {}", names.join(", ")) };
        Self::new(IssueKind::NotSupported, path, Some(value.into()), detail)
    }

    /// A string is longer than `max` bytes.
    pub fn too_long(path: impl fmt::Display, max: u64) -> Self {
        let unit = if max == 1 { "byte" } else { "bytes" };
        Self::new(IssueKind::TooLong, path, None, format!("may not be more than {max} {unit}"))
    }

    /// There are more than `max` items.
    pub fn too_many(path: impl fmt::Display, count: usize, max: u64) -> Self {
        let unit = if max == 1 { "item" } else { "items" };
        let detail = format!("must have at most {max} {unit}");
        Self::new(IssueKind::TooMany, path, Some(count.into()), detail)
    }

    fn new(
        kind: IssueKind,
        path: impl fmt::Display,
        value: Option<Value>,
        detail: impl Into<String>,
    ) -> Self {
        Self { kind, path: path.to_string(), value, detail: detail.into() }
    }

    /// The message without the path: what `causes[].message` of a `Status` holds.
    pub fn message(&self) -> String {
        let mut out = self.kind.words().to_owned();
        if let Some(value) = self.value.as_ref().filter(|_| self.kind.shows_value()) {
            out.push_str(": ");
            out.push_str(&shown(value));
        }
        if !self.detail.is_empty() {
            out.push_str(": ");
            out.push_str(&self.detail);
        }
        out
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => Quoted(text).to_string(),
        other => other.to_string(),
    }
}

impl fmt::Display for FieldIssue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message())
    }
}
