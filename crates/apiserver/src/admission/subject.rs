//! CertificateSubjectRestriction: nobody becomes a cluster administrator through a signing request.

use api::meta;
use api::status::Status;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::future::BoxFuture;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::pem::Pem;
use x509_parser::prelude::FromDer;

use super::{Attributes, Operation, Plugin};

const SIGNER: &str = "kubernetes.io/kube-apiserver-client";
const MASTERS: &str = "system:masters";

/// The plugin.
pub struct CertificateSubjectRestriction;

/// The organizations of a request, which are the user's groups.
fn organizations(request: &str) -> Result<Vec<String>, &'static str> {
    const NO_PEM: &str = "PEM block type must be CERTIFICATE REQUEST";
    let text = STANDARD.decode(request).map_err(|_| "the request is not base64")?;
    let pem = Pem::iter_from_buffer(&text).next().and_then(Result::ok).ok_or(NO_PEM)?;
    if pem.label != "CERTIFICATE REQUEST" {
        return Err(NO_PEM);
    }
    let (_, parsed) = X509CertificationRequest::from_der(&pem.contents).map_err(|_| "malformed PKCS #10")?;
    let names = parsed.certification_request_info.subject.iter_organization();
    // A name in a string type that cannot be read could hide the group.
    names.map(|name| name.as_str().map(str::to_owned).map_err(|_| "unreadable organization")).collect()
}

fn check(attributes: &Attributes<'_>) -> Result<(), Status> {
    let object = &*attributes.object;
    if meta::text(object, "spec.signerName") != SIGNER {
        return Ok(());
    }
    let groups = organizations(meta::text(object, "spec.request"))
        .map_err(|why| attributes.forbidden(format!("failed to parse CSR: {why}")))?;
    if groups.iter().any(|group| group == MASTERS) {
        let why = format!("use of {SIGNER} signer with {MASTERS} group is not allowed");
        return Err(attributes.forbidden(why));
    }
    Ok(())
}

impl Plugin for CertificateSubjectRestriction {
    fn name(&self) -> &'static str {
        "CertificateSubjectRestriction"
    }

    fn validate<'a>(&'a self, attributes: &'a mut Attributes<'_>) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(async move {
            let created = attributes.operation == Operation::Create;
            let request = attributes.is("certificates.k8s.io", "certificatesigningrequests");
            if created && request { check(attributes) } else { Ok(()) }
        })
    }
}
