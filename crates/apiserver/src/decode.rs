//! From a request body to one tree, checked against the kind that the path names.

use api::kinds::Resolved;
use api::meta;
use api::status::Status;
use bytes::Bytes;
use http::{HeaderMap, header};
use schema::decode::{Decoded, Issue, Shape, strict_error};
use serde_json::Value;

use crate::negotiate::{Encoding, body_encoding};

/// What happens to unknown and duplicate fields (`fieldValidation`, KEP-2885).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldValidation {
    /// They are dropped.
    Ignore,
    /// They are dropped, and the client is warned.
    Warn,
    /// They are an error.
    Strict,
}

impl FieldValidation {
    /// Reads the query parameter; empty is `Warn`.
    ///
    /// # Errors
    /// 400 for any other word.
    pub fn parse(text: &str) -> Result<Self, Status> {
        match text {
            "" | "Warn" => Ok(Self::Warn),
            "Ignore" => Ok(Self::Ignore),
            "Strict" => Ok(Self::Strict),
            other => Err(Status::bad_request(format!(
                "invalid fieldValidation value {other:?}: supported values are \"Ignore\", \"Strict\", \"Warn\""
            ))),
        }
    }

    /// The warnings to send, or the refusal.
    ///
    /// # Errors
    /// 400 with every issue under `Strict`.
    pub fn judge(self, issues: &[Issue]) -> Result<Vec<String>, Status> {
        match self {
            Self::Strict if !issues.is_empty() => Err(Status::bad_request(strict_error(issues))),
            Self::Warn => Ok(issues.iter().map(ToString::to_string).collect()),
            Self::Ignore | Self::Strict => Ok(Vec::new()),
        }
    }

    /// The same of issues that are texts already.
    ///
    /// # Errors
    /// As [`FieldValidation::judge`].
    pub fn judge_texts(self, issues: &[String]) -> Result<Vec<String>, Status> {
        match self {
            Self::Strict if !issues.is_empty() => {
                Err(Status::bad_request(format!("strict decoding error: {}", issues.join(", "))))
            }
            Self::Warn => Ok(issues.to_vec()),
            Self::Ignore | Self::Strict => Ok(Vec::new()),
        }
    }
}

/// Decodes a body in the encoding its `Content-Type` names.
///
/// # Errors
/// 415 for an encoding that is not read, 400 for a body that is not well-formed.
pub fn body(headers: &HeaderMap, body: &Bytes, shape: Shape<'_>) -> Result<Decoded, Status> {
    let content_type =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let decoded = match body_encoding(content_type)? {
        Encoding::Json => schema::decode::json(body, shape),
        Encoding::Yaml => schema::decode::yaml(body, shape),
        Encoding::Protobuf => return protobuf(body, shape),
    };
    decoded.map_err(|error| Status::bad_request(error.to_string()))
}

fn protobuf(body: &Bytes, shape: Shape<'_>) -> Result<Decoded, Status> {
    let expected = match shape {
        Shape::Typed(node) => Some(node),
        Shape::Custom | Shape::Any => None,
    };
    schema::protobuf::decode(body, expected).map_err(|error| Status::bad_request(error.to_string()))
}

/// Decodes an object of the kind and version that a path names, and puts in the apiVersion and kind
/// that the body may leave out.
///
/// # Errors
/// As [`body()`], and 400 when the body is of another kind or version.
pub fn object(
    headers: &HeaderMap,
    bytes: &Bytes,
    shape: Shape<'_>,
    target: &Resolved,
) -> Result<Decoded, Status> {
    let gvk = target.resource.gvk(target.version());
    let decoded = body(headers, bytes, shape).map_err(|status| in_words_of(status, &gvk))?;
    expect_kind(decoded, &gvk)
}

fn in_words_of(status: Status, gvk: &api::gvk::GroupVersionKind) -> Status {
    if status.code != 400 {
        return status;
    }
    let (kind, version) = (&gvk.kind, &gvk.version);
    Status::bad_request(format!(
        "{kind} in version {version:?} cannot be handled as a {kind}: {}",
        status.message
    ))
}

/// Checks the apiVersion and kind of a decoded object, filling in what is absent.
///
/// # Errors
/// 400 when they name another kind.
pub fn expect_kind(mut decoded: Decoded, gvk: &api::gvk::GroupVersionKind) -> Result<Decoded, Status> {
    let expected = gvk.group_version().to_string();
    let (version, kind) = (meta::api_version(&decoded.value), meta::kind(&decoded.value));
    if !version.is_empty() && version != expected {
        return Err(Status::bad_request(format!(
            "the API version in the data ({version}) does not match the expected API version ({expected})"
        )));
    }
    if !kind.is_empty() && kind != gvk.kind {
        return Err(Status::bad_request(format!(
            "{kind} in version {:?} cannot be handled as a {}: converting ({kind}) to ({}): unknown conversion",
            gvk.version, gvk.kind, gvk.kind
        )));
    }
    let Value::Object(map) = &mut decoded.value else {
        return Err(Status::bad_request("the body of the request is not an object"));
    };
    map.insert("apiVersion".into(), expected.into());
    map.insert("kind".into(), gvk.kind.to_string().into());
    Ok(decoded)
}
