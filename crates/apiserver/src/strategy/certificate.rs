//! CertificateSigningRequests.
//!
//! Source: `pkg/apis/certificates/validation` of Kubernetes 1.36.

use api::meta::name;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::field::{Faults, Field};
use super::metadata::{self, Meta, Scope};
use super::tree;
use super::{Generation, Strategy};

/// The rows of certificates.
pub(super) static ROWS: &[Strategy] = &[Strategy {
    group: "certificates.k8s.io",
    kind: "CertificateSigningRequest",
    generation: Generation::Absent,
    prepare_create,
    prepare_update: |new, old| {
        tree::keep(new, old, "spec");
        tree::keep(new, old, "status");
    },
    validate,
    validate_update: |new, old, faults| {
        validate(new, faults);
        metadata::check_update(new, old, faults);
    },
    validate_status: |new, old, faults| {
        validate(new, faults);
        metadata::check_update(new, old, faults);
    },
    ..Strategy::DEFAULT
}];

/// Any name will do.
const META: Meta = Meta { scope: Scope::Cluster, name: |_| Vec::new() };

/// Who asks is for the server to say: it fills these in from the request's identity.
fn prepare_create(request: &mut Value) {
    super::drop_status(request);
    if let Some(spec) = tree::fields_at(request, "spec") {
        for field in ["username", "uid", "groups", "extra"] {
            spec.remove(field);
        }
    }
}

const USAGES: [&str; 23] = [
    "any",
    "cert sign",
    "client auth",
    "code signing",
    "content commitment",
    "crl sign",
    "data encipherment",
    "decipher only",
    "digital signature",
    "email protection",
    "encipher only",
    "ipsec end system",
    "ipsec tunnel",
    "ipsec user",
    "key agreement",
    "key encipherment",
    "microsoft sgc",
    "netscape sgc",
    "ocsp signing",
    "s/mime",
    "server auth",
    "signing",
    "timestamping",
];

fn validate(request: &Field<'_>, faults: &mut Faults) {
    META.check(request, faults);
    let spec = request.at("spec");
    let body = spec.at("request");
    if !is_request(body.text()) {
        faults.wrong_text(&body, "PEM block type must be CERTIFICATE REQUEST");
    }
    let usages = spec.at("usages");
    if usages.is_empty() {
        faults.required(&usages, "");
    }
    for usage in usages.items().filter(|usage| !USAGES.contains(&usage.text())) {
        faults.unsupported(&usage, &USAGES);
    }
    for (index, usage) in usages.items().enumerate() {
        if usages.list()[..index].contains(usage.value()) {
            faults.duplicate(&usage, usage.text());
        }
    }
    let signer = spec.at("signerName");
    if signer.text() == "kubernetes.io/legacy-unknown" {
        faults.wrong_text(&signer, "the legacy signerName is not allowed via this API version");
    } else {
        signer_name(&signer, faults);
    }
    let expiration = spec.at("expirationSeconds");
    if expiration.number().is_some_and(|seconds| seconds < 600) {
        faults.wrong(&expiration, "may not specify a duration less than 600 seconds (10 minutes)");
    }
    check_conditions(&request.at("status.conditions"), faults);
}

fn is_request(encoded: &str) -> bool {
    let Ok(pem) = STANDARD.decode(encoded) else { return false };
    String::from_utf8(pem).is_ok_and(|pem| pem.contains("-----BEGIN CERTIFICATE REQUEST-----"))
}

fn check_conditions(conditions: &Field<'_>, faults: &mut Faults) {
    let (mut seen, mut verdict): (Vec<String>, Option<String>) = (Vec::new(), None);
    for condition in conditions.items() {
        let (kind, status) = (condition.at("type"), condition.at("status"));
        if kind.text().is_empty() {
            faults.required(&kind, "");
        }
        let is_verdict = matches!(kind.text(), "Approved" | "Denied" | "Failed");
        match status.text() {
            "" => faults.required(&status, ""),
            "True" => {}
            "False" | "Unknown" if is_verdict => faults.unsupported(&status, &["True"]),
            "False" | "Unknown" => {}
            _ => faults.unsupported(&status, &["False", "True", "Unknown"]),
        }
        if seen.iter().any(|taken| taken == kind.text()) {
            faults.duplicate(&kind, kind.text());
        }
        seen.push(kind.text().to_owned());
        if matches!(kind.text(), "Approved" | "Denied") {
            match &verdict {
                Some(other) if other != kind.text() => {
                    faults.wrong_text(&kind, "Approved and Denied conditions are mutually exclusive");
                }
                _ => verdict = Some(kind.text().to_owned()),
            }
        }
    }
}

/// Finds what is wrong with the name of a signer: `example.com/name`.
pub(crate) fn signer_name(at: &Field<'_>, faults: &mut Faults) {
    let signer = at.text();
    if signer.is_empty() {
        faults.required(at, "");
    }
    let Some((domain, path)) = signer.split_once('/').filter(|(_, path)| !path.contains('/')) else {
        let detail = "must be a fully qualified domain and path of the form 'example.com/signer-name'";
        return faults.wrong_text(at, detail);
    };
    if domain.len() > 253 {
        faults.too_long(at, 253);
    }
    for label in domain.split('.') {
        for fault in name::dns1123_label(label) {
            faults.invalid(at, domain, format!("validating label {label:?}: {fault}"));
        }
    }
    if !domain.contains('.') {
        faults.invalid(at, domain, "should be a domain with at least two segments separated by dots");
    }
    for label in path.split('.') {
        for fault in name::dns1123_subdomain(label) {
            faults.invalid(at, path, format!("validating label {label:?}: {fault}"));
        }
    }
}
