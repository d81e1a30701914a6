//! Signs approved requests with the cluster's CA.

use std::time::Duration;

use k8s_openapi::ByteString;
use k8s_openapi::api::certificates::v1::{
    CertificateSigningRequest, CertificateSigningRequestCondition, CertificateSigningRequestSpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use rcgen::{
    CertificateSigningRequestParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SerialNumber,
};
use serde_json::json;

use super::approve::add;
use super::{CLIENT, KUBELET_CLIENT, KUBELET_SERVING, LEGACY, Request, RequestError, certificate, condition};
use crate::plan::{Action, Form, Plan, Target};

/// How long certificates last whose request does not say.
const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
/// The shortest time that can be asked for.
const SHORTEST: Duration = Duration::from_secs(600);
/// Certificates hold from a little earlier, for clocks that are behind.
const BACKDATE: Duration = Duration::from_secs(300);
/// Shorter certificates are not shortened further by the backdating.
const SHORT: Duration = Duration::from_secs(8 * 3600);

/// Why a certificate was not made.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The request breaks a rule.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// A usage that certificates do not have.
    #[error("unrecognized usage {usage:?}")]
    Usage {
        /// The usage.
        usage: String,
    },
    /// The CA is no certificate and key in PEM.
    #[error("the cluster's CA cannot be used: {reason}")]
    Authority {
        /// What is wrong.
        reason: String,
    },
    /// The certificate could not be built.
    #[error("the request cannot be signed")]
    Build(#[source] rcgen::Error),
}

/// The cluster's CA.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    expiry: i64,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Authority(until {})", self.expiry)
    }
}

impl Authority {
    /// A CA from its certificate and its private key, both in PEM.
    ///
    /// # Errors
    /// One of them is unreadable.
    pub fn new(certificate: &str, key: &str) -> Result<Self, SignError> {
        let unusable = |reason: String| SignError::Authority { reason };
        let key = KeyPair::from_pem(key).map_err(|error| unusable(error.to_string()))?;
        let issuer =
            Issuer::from_ca_cert_pem(certificate, key).map_err(|error| unusable(error.to_string()))?;
        let expiry =
            not_after(certificate.as_bytes()).ok_or_else(|| unusable("no certificate in PEM".into()))?;
        Ok(Self { issuer, expiry })
    }

    /// A certificate in PEM for what the request asks, within what its signer allows.
    ///
    /// # Errors
    /// The request breaks its signer's rules, or cannot be signed.
    pub fn sign(
        &self,
        spec: &CertificateSigningRequestSpec,
        serial: [u8; 16],
        now: Timestamp,
    ) -> Result<String, SignError> {
        let request = Request::parse(&spec.request.0)?;
        request.validate(spec)?;
        if let Some(attribute) = request.repeated {
            return Err(RequestError::Repeated { attribute }.into());
        }
        let pem = String::from_utf8_lossy(&spec.request.0);
        let mut csr = CertificateSigningRequestParams::from_pem(&pem).map_err(SignError::Build)?;
        let (usages, purposes) = usages(spec)?;
        let (from, until) = self.validity(spec, now);
        let epoch = rcgen::date_time_ymd(1970, 1, 1);
        csr.params.key_usages = usages;
        csr.params.extended_key_usages = purposes;
        csr.params.is_ca = IsCa::ExplicitNoCa;
        csr.params.not_before = epoch + Duration::from_secs(from);
        csr.params.not_after = epoch + Duration::from_secs(until);
        csr.params.serial_number = Some(positive(serial));
        csr.params.use_authority_key_identifier_extension = true;
        csr.signed_by(&self.issuer).map(|certificate| certificate.pem()).map_err(SignError::Build)
    }

    /// From when and until when, in seconds since 1970; never longer than the CA itself.
    fn validity(&self, spec: &CertificateSigningRequestSpec, now: Timestamp) -> (u64, u64) {
        let asked = spec.expiration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        let lasts = asked.map_or(YEAR, |asked| Duration::from_secs(asked).clamp(SHORTEST, YEAR));
        let lasts = if lasts < SHORT { lasts } else { lasts - BACKDATE };
        let now = u64::try_from(now.as_second()).unwrap_or(0);
        let expiry = u64::try_from(self.expiry).unwrap_or(0);
        (now.saturating_sub(BACKDATE.as_secs()), (now + lasts.as_secs()).min(expiry))
    }
}

/// A serial number is positive and not zero (RFC 5280, 4.1.2.2).
fn positive(mut serial: [u8; 16]) -> SerialNumber {
    serial[0] = serial[0] & 0x7f | 0x40;
    SerialNumber::from(serial.to_vec())
}

/// When the first certificate of a PEM text ends, in seconds since 1970.
pub(super) fn not_after(pem: &[u8]) -> Option<i64> {
    let (_, pem) = x509_parser::pem::parse_x509_pem(pem).ok()?;
    Some(pem.parse_x509().ok()?.validity().not_after.timestamp())
}

type Usages = (Vec<KeyUsagePurpose>, Vec<ExtendedKeyUsagePurpose>);

fn usages(spec: &CertificateSigningRequestSpec) -> Result<Usages, SignError> {
    let (mut usages, mut purposes) = (Vec::new(), Vec::new());
    for usage in spec.usages.iter().flatten() {
        match (key_usage(usage), purpose(usage)) {
            (Some(usage), _) => usages.push(usage),
            (None, Some(purpose)) => purposes.push(purpose),
            (None, None) => return Err(SignError::Usage { usage: usage.clone() }),
        }
    }
    Ok((usages, purposes))
}

fn key_usage(usage: &str) -> Option<KeyUsagePurpose> {
    Some(match usage {
        "signing" | "digital signature" => KeyUsagePurpose::DigitalSignature,
        "content commitment" => KeyUsagePurpose::ContentCommitment,
        "key encipherment" => KeyUsagePurpose::KeyEncipherment,
        "key agreement" => KeyUsagePurpose::KeyAgreement,
        "data encipherment" => KeyUsagePurpose::DataEncipherment,
        "cert sign" => KeyUsagePurpose::KeyCertSign,
        "crl sign" => KeyUsagePurpose::CrlSign,
        "encipher only" => KeyUsagePurpose::EncipherOnly,
        "decipher only" => KeyUsagePurpose::DecipherOnly,
        _ => return None,
    })
}

fn purpose(usage: &str) -> Option<ExtendedKeyUsagePurpose> {
    Some(match usage {
        "any" => ExtendedKeyUsagePurpose::Any,
        "server auth" => ExtendedKeyUsagePurpose::ServerAuth,
        "client auth" => ExtendedKeyUsagePurpose::ClientAuth,
        "code signing" => ExtendedKeyUsagePurpose::CodeSigning,
        "email protection" | "s/mime" => ExtendedKeyUsagePurpose::EmailProtection,
        "timestamping" => ExtendedKeyUsagePurpose::TimeStamping,
        "ocsp signing" => ExtendedKeyUsagePurpose::OcspSigning,
        _ => return None,
    })
}

/// Signs an approved request of a signer of ours, or says on it why that failed.
pub fn plan(
    csr: &CertificateSigningRequest,
    authority: &Authority,
    serial: [u8; 16],
    now: Timestamp,
) -> Plan {
    let mut plan = Plan::default();
    let ours = [CLIENT, KUBELET_CLIENT, KUBELET_SERVING, LEGACY].contains(&csr.spec.signer_name.as_str());
    let approved = condition(csr, "Approved").is_some() && condition(csr, "Denied").is_none();
    let open = condition(csr, "Failed").is_none() && certificate(csr).is_none();
    if !(ours && approved && open) {
        return plan;
    }
    plan.then(vec![match authority.sign(&csr.spec, serial, now) {
        Ok(pem) => issue(csr, &pem),
        Err(error) => add(csr, failure(&error, now), "status"),
    }]);
    plan
}

fn issue(csr: &CertificateSigningRequest, pem: &str) -> Action {
    let meta = json!({ "uid": csr.metadata.uid, "resourceVersion": csr.metadata.resource_version });
    let certificate = ByteString(pem.as_bytes().to_vec());
    let body = json!({ "metadata": meta, "status": { "certificate": certificate } });
    Action::patch(Target::of(csr), "status", Form::Merge, body)
}

fn failure(error: &SignError, now: Timestamp) -> CertificateSigningRequestCondition {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    CertificateSigningRequestCondition {
        type_: "Failed".into(),
        status: "True".into(),
        reason: Some("SignerValidationFailure".into()),
        message: Some(format!("{error}{cause}")),
        last_update_time: Some(Time(now)),
        last_transition_time: Some(Time(now)),
    }
}
