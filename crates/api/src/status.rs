//! `Status`: every error of the API, and the answer to a deletion, as Kubernetes words them.
//!
//! Sources: Kubernetes 1.36 apimachinery (`api/errors`, `meta/v1`), apiserver (`endpoints/handlers`).

mod failure;
mod field;
pub(crate) mod quote;

use serde::{Deserialize, Serialize};

use crate::gvk::{GroupKind, GroupResource};
use crate::kinds::Verb;

pub use failure::Attributes;
pub use field::{FieldError, FieldErrorKind, FieldPath};

/// `metav1.Status`: the body of every answer that is not an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Always `Status`.
    pub kind: String,
    /// Always `v1`.
    pub api_version: String,
    /// The list metadata, empty but for the continue token of an expired list.
    #[serde(default)]
    pub metadata: StatusMeta,
    /// Whether the operation succeeded.
    pub status: Outcome,
    /// What went wrong, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// What went wrong, for programs.
    #[serde(default, skip_serializing_if = "Reason::is_unknown")]
    pub reason: Reason,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Details>,
    /// The HTTP status code, absent from a success.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub code: u16,
}

/// Metadata of a `Status`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusMeta {
    /// Where an expired list may be taken up again, with other objects than it began with.
    #[serde(default, rename = "continue", skip_serializing_if = "String::is_empty")]
    pub continue_token: String,
}

/// Whether an operation succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It did.
    Success,
    /// It did not.
    Failure,
}

/// The machine-readable reason of a failure.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the documentation of Kubernetes' own reasons")]
pub enum Reason {
    Unauthorized,
    Forbidden,
    NotFound,
    AlreadyExists,
    Conflict,
    Gone,
    Invalid,
    ServerTimeout,
    StoreReadError,
    Timeout,
    TooManyRequests,
    BadRequest,
    MethodNotAllowed,
    NotAcceptable,
    RequestEntityTooLarge,
    UnsupportedMediaType,
    InternalError,
    Expired,
    ServiceUnavailable,
    #[default]
    #[serde(other)]
    Unknown,
}

/// What a status is about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Details {
    /// The name of the object.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The group of the resource.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// The resource (its plural), or the kind where validation failed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// The uid of the object.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub uid: String,
    /// The single faults.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<Cause>,
    /// How long a client should wait, seconds; 0 is not sent.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retry_after_seconds: u16,
}

/// One fault.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// Its kind, such as `FieldValueRequired`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Its text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// The path of the field it is in.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub field: String,
}

impl Reason {
    /// Whether there is no reason.
    pub fn is_unknown(&self) -> bool {
        *self == Self::Unknown
    }
}

impl Details {
    fn resource(resource: &GroupResource, name: &str) -> Self {
        let GroupResource { group, resource } = resource;
        Self { name: name.into(), group: group.to_string(), kind: resource.to_string(), ..Self::default() }
    }

    fn kind(kind: &GroupKind, name: &str) -> Self {
        Self {
            name: name.into(),
            group: kind.group.to_string(),
            kind: kind.kind.to_string(),
            ..Self::default()
        }
    }

    fn retry_after(seconds: u16) -> Self {
        Self { retry_after_seconds: seconds, ..Self::default() }
    }
}

impl Status {
    /// A failure of any kind; the constructors below word the usual ones.
    pub fn failure(code: u16, reason: Reason, message: impl Into<String>) -> Self {
        Self {
            kind: "Status".into(),
            api_version: "v1".into(),
            metadata: StatusMeta::default(),
            status: Outcome::Failure,
            message: message.into(),
            reason,
            details: None,
            code,
        }
    }

    /// The answer to a deletion that is already complete.
    pub fn deleted(resource: &GroupResource, name: &str, uid: &str) -> Self {
        let details = Details { uid: uid.into(), ..Details::resource(resource, name) };
        Self { status: Outcome::Success, ..Self::failure(0, Reason::Unknown, "") }.with(details)
    }

    /// The same with other details.
    #[must_use]
    pub fn with(self, details: Details) -> Self {
        Self { details: Some(details), ..self }
    }

    /// The HTTP status code to send, 200 for a success.
    pub fn http_code(&self) -> u16 {
        if self.code == 0 { 200 } else { self.code }
    }

    /// The seconds of a `Retry-After` header, if one is due.
    pub fn retry_after(&self) -> Option<u16> {
        self.details.as_ref().map(|d| d.retry_after_seconds).filter(|s| *s > 0)
    }
}

/// A failure reads as its message.
impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Status {}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde calls")]
fn is_zero(n: &u16) -> bool {
    *n == 0
}

#[cfg(test)]
mod tests;
