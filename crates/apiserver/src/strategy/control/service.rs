//! APIServices.

use api::meta::name;
use serde_json::json;

use crate::strategy::field::{Faults, Field};
use crate::strategy::metadata::{self, Meta};
use crate::strategy::tree::{fields_at, fill, inner};
use crate::strategy::{Strategy, keep_status};

pub(super) const ROW: Strategy = Strategy {
    group: "apiregistration.k8s.io",
    kind: "APIService",
    default: |service| {
        let spec = fields_at(service, "spec");
        if let Some(service) = spec.and_then(|spec| inner(spec, "service")) {
            fill(service, "port", 443);
        }
    },
    prepare_create: |service| {
        let local = !service["spec"]["service"].is_object();
        let status = if local {
            json!({"conditions": [{
                "type": "Available",
                "status": "True",
                "reason": "Local",
                "message": "Local APIServices are always available",
            }]})
        } else {
            json!({})
        };
        if let Some(fields) = service.as_object_mut() {
            fields.insert("status".into(), status);
        }
    },
    prepare_update: keep_status,
    validate: check,
    validate_update: |new, old, faults| {
        metadata::check_update(new, old, faults);
        check(new, faults);
    },
    validate_status: |new, old, faults| {
        metadata::check_update(new, old, faults);
        for condition in new.at("status.conditions").items() {
            let status = condition.at("status");
            if !matches!(status.text(), "True" | "False" | "Unknown") {
                faults.unsupported(&status, &["True", "False", "Unknown"]);
            }
        }
    },
    ..Strategy::DEFAULT
};

fn check(object: &Field<'_>, faults: &mut Faults) {
    Meta { name: |_| Vec::new(), ..Meta::CLUSTER }.check(object, faults);
    let spec = object.at("spec");
    let (group, version) = (spec.at("group"), spec.at("version"));
    let (name, wanted) = (object.at("metadata.name"), format!("{}.{}", version.text(), group.text()));
    let illegal = name::path_segment(name.text());
    if illegal.is_empty() && name.text() != wanted {
        faults.wrong_text(&name, format!("must be `spec.version+\".\"+spec.group`: {wanted:?}"));
    }
    faults.each(&name, name.text(), illegal);
    if group.text().is_empty() {
        if version.text() != "v1" {
            faults.required(&group, "only v1 may have an empty group and it better be legacy kube");
        }
    } else {
        faults.each(&group, group.text(), name::dns1123_subdomain(group.text()));
    }
    faults.each(&version, version.text(), name::dns1035_label(version.text()));
    for (field, most) in [("groupPriorityMinimum", 20_000), ("versionPriority", 1000)] {
        let at = spec.at(field);
        let number = at.number().unwrap_or(0);
        if !(1..=most).contains(&number) {
            faults.invalid(&at, number, format!("must be positive and less than {most}"));
        }
    }
    check_backend(&spec, faults);
}

fn check_backend(spec: &Field<'_>, faults: &mut Faults) {
    let (service, insecure, bundle) =
        (spec.at("service"), spec.at("insecureSkipTLSVerify"), spec.at("caBundle"));
    let trusted = !bundle.text().is_empty();
    if !service.is_set() {
        if trusted {
            let bytes = bundle.text().trim_end_matches('=').len() * 3 / 4;
            let detail = "local APIServices may not have a caBundle";
            faults.invalid(&bundle, format!("{bytes} bytes"), detail);
        }
        if insecure.truth() == Some(true) {
            faults.wrong(&insecure, "local APIServices may not have insecureSkipTLSVerify");
        }
        return;
    }
    for field in ["namespace", "name"] {
        if service.text_at(field).is_empty() {
            faults.required(&service.at(field), "");
        }
    }
    let port = service.at("port");
    if port.number().is_some_and(|port| !(1..=65535).contains(&port)) {
        faults.wrong(&port, "port is not valid: must be between 1 and 65535, inclusive");
    }
    if insecure.truth() == Some(true) && trusted {
        faults.wrong(&insecure, "may not be true if caBundle is present");
    }
}
