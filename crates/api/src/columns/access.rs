//! Lines of role bindings and certificate requests.

use serde_json::Value;

use super::cell::{self, NONE};
use super::{AGE, Head, NAME, Spec, items};
use crate::duration;
use crate::meta::{self, Time};

pub(super) const SPECS: &[Spec] = &[
    Spec { group: "rbac.authorization.k8s.io", kind: "RoleBinding", columns: BINDING, cells: binding },
    Spec { group: "rbac.authorization.k8s.io", kind: "ClusterRoleBinding", columns: BINDING, cells: binding },
    Spec {
        group: "certificates.k8s.io",
        kind: "CertificateSigningRequest",
        columns: &[
            NAME,
            AGE,
            Head::text("SignerName", "Who is to sign it"),
            Head::text("Requestor", "Who asks for it"),
            Head::text("RequestedDuration", "How long it should be valid"),
            Head::text("Condition", "Whether it is approved and issued"),
        ],
        cells: certificate,
    },
];

const BINDING: &[Head] = &[
    NAME,
    Head::text("Role", "The role it grants"),
    AGE,
    Head::text("Users", "The users it grants it to").wide(),
    Head::text("Groups", "The groups it grants it to").wide(),
    Head::text("ServiceAccounts", "The service accounts it grants it to").wide(),
];

fn binding(object: &Value, now: Time) -> Vec<Value> {
    let role = format!("{}/{}", meta::text(object, "roleRef.kind"), meta::text(object, "roleRef.name"));
    vec![
        cell::name(object),
        role.into(),
        cell::age(object, now),
        subjects(object, "User").into(),
        subjects(object, "Group").into(),
        subjects(object, "ServiceAccount").into(),
    ]
}

fn subjects(object: &Value, kind: &str) -> String {
    let name = |subject: &Value| match meta::text(subject, "namespace") {
        namespace if kind == "ServiceAccount" && !namespace.is_empty() => {
            format!("{namespace}/{}", meta::text(subject, "name"))
        }
        _ => meta::text(subject, "name").to_owned(),
    };
    let all = items(object, "subjects").iter().filter(|s| meta::text(s, "kind") == kind);
    all.map(name).collect::<Vec<_>>().join(", ")
}

fn certificate(object: &Value, now: Time) -> Vec<Value> {
    let seconds = meta::at(object, "spec.expirationSeconds").and_then(Value::as_i64);
    vec![
        cell::name(object),
        cell::age(object, now),
        cell::text_or(object, "spec.signerName", NONE),
        cell::text(object, "spec.username"),
        seconds.map_or_else(|| NONE.to_owned(), duration::human).into(),
        certificate_state(object).into(),
    ]
}

fn certificate_state(object: &Value) -> String {
    let has = |kind| cell::condition(object, kind).is_some();
    let verdict = match (has("Denied"), has("Approved")) {
        (true, _) => "Denied",
        (false, true) => "Approved",
        (false, false) => "Pending",
    };
    let failed = if has("Failed") { ",Failed" } else { "" };
    let issued = if meta::text(object, "status.certificate").is_empty() { "" } else { ",Issued" };
    format!("{verdict}{failed}{issued}")
}
