//! What a request asks for, read from its PKCS #10 form (RFC 2986).

use std::collections::BTreeSet;
use std::net::IpAddr;

use k8s_openapi::api::certificates::v1::CertificateSigningRequestSpec;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::FromDer;

use super::{CLIENT, KUBELET_CLIENT, KUBELET_SERVING};

/// How the users of nodes are called, and their certificates.
pub(super) const NODE_USER: &str = "system:node:";
const NODE_GROUP: &str = "system:nodes";

/// Why a request cannot be signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// It is not a request in PEM.
    #[error("spec.request holds no certificate request in PEM")]
    Unreadable,
    /// It breaks a rule of its signer.
    #[error("{rule}")]
    Rule {
        /// The rule.
        rule: &'static str,
    },
    /// Its subject has two values of one type, which our certificates cannot hold.
    #[error("the subject names {attribute} more than once, which this signer does not support")]
    Repeated {
        /// The attribute's OID.
        attribute: String,
    },
}

/// The parts of a request that decide.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The subject's common name.
    pub common_name: String,
    /// The subject's organizations.
    pub organizations: Vec<String>,
    /// Alternative names that are host names.
    pub hosts: Vec<String>,
    /// Alternative names that are addresses.
    pub addresses: Vec<IpAddr>,
    /// Whether there are alternative names of other sorts.
    pub others: bool,
    /// The OID of a subject attribute that comes twice.
    pub repeated: Option<String>,
}

impl Request {
    /// Reads the PEM form.
    ///
    /// # Errors
    /// It is not one.
    pub fn parse(pem: &[u8]) -> Result<Self, RequestError> {
        let (_, pem) = x509_parser::pem::parse_x509_pem(pem).map_err(|_| RequestError::Unreadable)?;
        let (_, csr) =
            X509CertificationRequest::from_der(&pem.contents).map_err(|_| RequestError::Unreadable)?;
        let mut request = Self::default();
        request.read_subject(&csr);
        for extension in csr.requested_extensions().into_iter().flatten() {
            if let ParsedExtension::SubjectAlternativeName(names) = extension {
                names.general_names.iter().for_each(|name| request.read_name(name));
            }
        }
        Ok(request)
    }

    fn read_subject(&mut self, csr: &X509CertificationRequest<'_>) {
        let subject = &csr.certification_request_info.subject;
        let text = |value: &x509_parser::x509::AttributeTypeAndValue<'_>| {
            value.as_str().map(ToOwned::to_owned).unwrap_or_default()
        };
        self.common_name = subject.iter_common_name().map(text).next().unwrap_or_default();
        self.organizations = subject.iter_organization().map(text).collect();
        let mut seen = BTreeSet::new();
        let types = subject.iter_attributes().map(|attribute| attribute.attr_type().to_id_string());
        self.repeated = types.into_iter().find(|kind| !seen.insert(kind.clone()));
    }

    fn read_name(&mut self, name: &GeneralName<'_>) {
        match name {
            GeneralName::DNSName(host) => self.hosts.push((*host).to_owned()),
            GeneralName::IPAddress(bytes) => match address(bytes) {
                Some(address) => self.addresses.push(address),
                None => self.others = true,
            },
            _ => self.others = true,
        }
    }

    /// Whether the signer's rules allow this request with the spec's usages.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn validate(&self, spec: &CertificateSigningRequestSpec) -> Result<(), RequestError> {
        match spec.signer_name.as_str() {
            KUBELET_CLIENT => self.validate_kubelet_client(spec),
            KUBELET_SERVING => self.validate_kubelet_serving(spec),
            CLIENT => usages(spec, "client auth"),
            _ => Ok(()),
        }
    }

    fn validate_kubelet_client(&self, spec: &CertificateSigningRequestSpec) -> Result<(), RequestError> {
        self.validate_node_subject()?;
        rule(self.hosts.is_empty(), "DNS subjectAltNames are not allowed")?;
        rule(self.addresses.is_empty(), "IP subjectAltNames are not allowed")?;
        rule(!self.others, "email and URI subjectAltNames are not allowed")?;
        usages(spec, "client auth")
    }

    fn validate_kubelet_serving(&self, spec: &CertificateSigningRequestSpec) -> Result<(), RequestError> {
        self.validate_node_subject()?;
        let named = !(self.hosts.is_empty() && self.addresses.is_empty());
        rule(named, "at least one DNS or IP subjectAltName is required")?;
        rule(!self.others, "email and URI subjectAltNames are not allowed")?;
        usages(spec, "server auth")
    }

    fn validate_node_subject(&self) -> Result<(), RequestError> {
        rule(self.organizations == [NODE_GROUP], "the organization in the subject must be system:nodes")?;
        let named = self.common_name.len() > NODE_USER.len() && self.common_name.starts_with(NODE_USER);
        rule(named, "the common name in the subject must begin with system:node:")
    }
}

fn rule(holds: bool, rule: &'static str) -> Result<(), RequestError> {
    if holds { Ok(()) } else { Err(RequestError::Rule { rule }) }
}

/// The purpose itself and `digital signature` are required, `key encipherment` is allowed.
fn usages(spec: &CertificateSigningRequestSpec, purpose: &str) -> Result<(), RequestError> {
    let given: BTreeSet<&str> = spec.usages.iter().flatten().map(String::as_str).collect();
    let client = spec.signer_name == CLIENT;
    let required = if client { vec![purpose] } else { vec![purpose, "digital signature"] };
    let allowed = |usage: &&str| [purpose, "digital signature", "key encipherment"].contains(usage);
    let fine = required.iter().all(|usage| given.contains(usage)) && given.iter().all(allowed);
    rule(fine, "the usages are not those of the signer: its purpose, digital signature, key encipherment")
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}
