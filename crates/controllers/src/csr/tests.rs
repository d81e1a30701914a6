use k8s_openapi::ByteString;
use k8s_openapi::api::certificates::v1::CertificateSigningRequest;
use k8s_openapi::api::core::v1::Node;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair};
use serde::Deserialize;
use x509_parser::prelude::*;

use super::sign::{Authority, SignError};
use super::{approve, clean, sign};
use crate::plan::Write;
use crate::plan::tests::{Case, check_all};

/// What a case's request asks for; `text` instead is sent as it is.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Wish {
    text: Option<String>,
    cn: String,
    o: Option<String>,
    names: Vec<String>,
}

fn request(wish: &Wish) -> Vec<u8> {
    if let Some(text) = &wish.text {
        return text.clone().into_bytes();
    }
    let mut params = CertificateParams::new(wish.names.clone()).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, wish.cn.as_str());
    if let Some(organization) = &wish.o {
        params.distinguished_name.push(DnType::OrganizationName, organization.as_str());
    }
    params.serialize_request(&KeyPair::generate().unwrap()).unwrap().pem().unwrap().into_bytes()
}

fn csr(case: &Case) -> CertificateSigningRequest {
    let mut csr: CertificateSigningRequest = case.must("csr");
    csr.spec.request = ByteString(request(&case.get("wish")));
    csr
}

/// A CA that ends at the end of 2030.
fn authority() -> Authority {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "coracle");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.not_after = rcgen::date_time_ymd(2031, 1, 1);
    let certificate = params.self_signed(&key).unwrap();
    Authority::new(&certificate.pem(), &key.serialize_pem()).unwrap()
}

fn check_approval(case: &Case) {
    let csr = csr(case);
    let node: Option<Node> = case.get("node");
    let grounds = approve::grounds(&csr, node.as_ref());
    let shown: Vec<String> = grounds.iter().map(|ground| format!("{ground:?}")).collect();
    assert_eq!(shown, case.get::<Vec<String>>("grounds"), "{}", case.name);
    case.compare("expect", &approve::plan(&csr, grounds.first().copied(), case.now()));
}

#[test]
fn approval_cases() {
    check_all("csr_approval", check_approval);
}

/// `certificate` lists what the certificate must show.
fn check_signing(case: &Case) {
    let plan = sign::plan(&csr(case), &authority(), [7; 16], case.now());
    let Some(expected) = case.get::<Option<Vec<String>>>("certificate") else {
        return case.compare("expect", &plan);
    };
    let Write::Patch { body, subresource: "status", .. } = &plan.steps[0].actions()[0].write else {
        panic!("{}: {plan:?}", case.name)
    };
    let pem: ByteString = serde_json::from_value(body["status"]["certificate"].clone())
        .unwrap_or_else(|_| panic!("{}: {body}", case.name));
    assert_eq!(describe(&pem.0), expected, "{}", case.name);
}

fn describe(pem: &[u8]) -> Vec<String> {
    let (_, pem) = x509_parser::pem::parse_x509_pem(pem).unwrap();
    let certificate = pem.parse_x509().unwrap();
    let usage = certificate.key_usage().unwrap().map(|usage| usage.value.to_string());
    let purposes = certificate.extended_key_usage().unwrap().unwrap().value;
    let names = certificate.subject_alternative_name().unwrap();
    let day =
        |time: ASN1Time| k8s_openapi::jiff::Timestamp::from_second(time.timestamp()).unwrap().to_string();
    let ca = certificate.basic_constraints().unwrap().is_some_and(|constraints| constraints.value.ca);
    vec![
        certificate.subject().to_string(),
        format!("issued by {}", certificate.issuer()),
        format!("{} to {}", day(certificate.validity().not_before), day(certificate.validity().not_after)),
        format!("usage {}", usage.unwrap_or_default()),
        format!("client {} server {} ca {ca}", purposes.client_auth, purposes.server_auth),
        format!("names {}", names.map_or(0, |names| names.value.general_names.len())),
    ]
}

#[test]
fn signing_cases() {
    check_all("csr_signing", check_signing);
}

/// With `issued` the status gets a certificate that ends at that time at the latest.
fn check_cleaning(case: &Case) {
    let mut csr: CertificateSigningRequest = case.must("csr");
    if let Some(issued) = case.get::<Option<String>>("issued") {
        let wish = Wish { cn: "jane".into(), ..Wish::default() };
        let mut spec = csr.spec.clone();
        spec.request = ByteString(request(&wish));
        let pem = authority().sign(&spec, [1; 16], issued.parse().unwrap()).unwrap();
        csr.status.get_or_insert_default().certificate = Some(ByteString(pem.into_bytes()));
    }
    let plan = clean::plan(&csr, case.now());
    case.compare("expect", &plan);
    case.compare_again(&plan);
}

#[test]
fn cleaning_cases() {
    check_all("csr_cleaning", check_cleaning);
}

#[test]
fn a_damaged_authority_is_refused() {
    let key = KeyPair::generate().unwrap().serialize_pem();
    let refused = |certificate: &str, key: &str| {
        matches!(Authority::new(certificate, key), Err(SignError::Authority { .. }))
    };
    assert!(refused("", &key));
    assert!(refused("", "-----BEGIN PRIVATE KEY-----"));
}
