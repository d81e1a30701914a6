//! Which form of an answer the client asks for, and which form its body has.

use api::status::Status;

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The object itself.
    Object,
    /// `meta.k8s.io/v1` Table.
    Table,
    /// `meta.k8s.io/v1` PartialObjectMetadata.
    Partial,
}

/// The encoding of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// `application/json`.
    Json,
    /// `application/yaml`.
    Yaml,
    /// `application/vnd.kubernetes.protobuf`, in requests only.
    Protobuf,
}

/// The form and encoding of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// The form.
    pub form: Form,
    /// The encoding.
    pub encoding: Encoding,
}

/// What kubectl and Go clients send typed objects as.
const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";
/// What the server produces and reads.
const OFFERED: [&str; 2] = ["application/json", "application/yaml"];

/// Chooses the form of an answer from an `Accept` header; `convertible` tells whether the resource has
/// Table and PartialObjectMetadata forms.
///
/// Protobuf and CBOR are answered with JSON, which every client of the API reads.
///
/// # Errors
/// 406 when nothing acceptable can be produced.
pub fn accept(header: &str, convertible: bool) -> Result<Accepted, Status> {
    if header.trim().is_empty() {
        return Ok(Accepted { form: Form::Object, encoding: Encoding::Json });
    }
    header.split(',').find_map(|clause| accept_clause(clause, convertible)).ok_or_else(not_acceptable)
}

fn not_acceptable() -> Status {
    Status::not_acceptable(&OFFERED)
}

fn accept_clause(clause: &str, convertible: bool) -> Option<Accepted> {
    let mut parts = clause.split(';').map(str::trim);
    let encoding = match parts.next()? {
        "application/json" | "application/*" | "*/*" | PROTOBUF | "application/cbor" => Encoding::Json,
        "application/yaml" => Encoding::Yaml,
        _ => return None,
    };
    let (mut form, mut group, mut version) = (None, None, None);
    for (name, value) in parts.filter_map(|part| part.split_once('=')) {
        match name {
            "as" => form = Some(value),
            "g" => group = Some(value),
            "v" => version = Some(value),
            _ => {}
        }
    }
    let form = match form {
        None => Form::Object,
        Some(_) if !convertible || group != Some("meta.k8s.io") || version != Some("v1") => return None,
        Some("Table") => Form::Table,
        Some("PartialObjectMetadata" | "PartialObjectMetadataList") => Form::Partial,
        Some(_) => return None,
    };
    Some(Accepted { form, encoding })
}

/// The encoding of a request body.
///
/// # Errors
/// 415 for anything else.
pub fn body_encoding(content_type: &str) -> Result<Encoding, Status> {
    let media = content_type.split(';').next().unwrap_or_default().trim();
    match media {
        "" | "application/json" | "*/*" => Ok(Encoding::Json),
        "application/yaml" => Ok(Encoding::Yaml),
        PROTOBUF => Ok(Encoding::Protobuf),
        _ => Err(Status::unsupported_media_type(&OFFERED)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(header: &str, expected: Option<(Form, Encoding)>) {
        let got = accept(header, true).ok().map(|accepted| (accepted.form, accepted.encoding));
        assert_eq!(got, expected, "{header}");
    }

    #[test]
    fn the_first_clause_that_can_be_met_wins() {
        check("", Some((Form::Object, Encoding::Json)));
        check("*/*", Some((Form::Object, Encoding::Json)));
        check("application/vnd.kubernetes.protobuf,application/json", Some((Form::Object, Encoding::Json)));
        check(
            "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
            Some((Form::Table, Encoding::Json)),
        );
        check(
            "application/json;as=Table;v=v9;g=meta.k8s.io, application/json",
            Some((Form::Object, Encoding::Json)),
        );
        check(
            "application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
            Some((Form::Partial, Encoding::Json)),
        );
        check("application/yaml", Some((Form::Object, Encoding::Yaml)));
        check("text/html", None);
        assert!(accept("application/json;as=Table;v=v1;g=meta.k8s.io", false).is_err());
    }
}
