//! APIServices themselves: defaults and what must be right.
//!
//! Source: `pkg/apis/apiregistration/{v1,validation}` of kube-aggregator, Kubernetes 1.36.

use api::meta;
use api::status::{FieldError, FieldErrorKind};
use serde_json::{Value, json};

/// Fills in what a client left out.
pub(crate) fn default(object: &mut Value) {
    if let Some(service) = object.pointer_mut("/spec/service").and_then(Value::as_object_mut) {
        service.entry("port").or_insert(json!(443));
    }
}

fn invalid(path: &str, value: &Value, detail: &str) -> FieldError {
    let (kind, bad_value) = (FieldErrorKind::Invalid, Some(value.clone()));
    FieldError { kind, path: path.into(), bad_value, detail: detail.into() }
}

fn required(path: &str, detail: &str) -> FieldError {
    FieldError { kind: FieldErrorKind::Required, path: path.into(), bad_value: None, detail: detail.into() }
}

/// What is wrong with an APIService.
pub(crate) fn validate(object: &Value) -> Vec<FieldError> {
    let spec = object.get("spec").unwrap_or(&Value::Null);
    let mut errors = Vec::new();
    let (group, version) = (meta::text(spec, "group"), meta::text(spec, "version"));
    let wanted = format!("{version}.{group}");
    if meta::name(object) != wanted {
        let detail = format!("must be `spec.version+\".\"+spec.group`: {wanted:?}");
        errors.push(invalid("metadata.name", &meta::name(object).into(), &detail));
    }
    if group.is_empty() && version != "v1" {
        errors.push(required("spec.group", "only v1 may have an empty group and it better be legacy kube"));
    }
    for (field, most) in [("groupPriorityMinimum", 20_000), ("versionPriority", 1_000)] {
        let value = spec.get(field).and_then(Value::as_i64).unwrap_or(0);
        if !(1..=most).contains(&value) {
            let detail = format!("must be positive and less than or equal to {most}");
            errors.push(invalid(&format!("spec.{field}"), &value.into(), &detail));
        }
    }
    errors.extend(validate_reach(spec));
    errors
}

fn validate_reach(spec: &Value) -> Vec<FieldError> {
    let insecure = spec.get("insecureSkipTLSVerify") == Some(&Value::Bool(true));
    let bundle = !meta::text(spec, "caBundle").is_empty();
    let Some(service) = spec.get("service").filter(|service| service.is_object()) else {
        let mut errors = Vec::new();
        if bundle {
            errors.push(invalid(
                "spec.caBundle",
                &"<bytes>".into(),
                "local APIServices may not have a caBundle",
            ));
        }
        if insecure {
            let detail = "local APIServices may not have insecureSkipTLSVerify";
            errors.push(invalid("spec.insecureSkipTLSVerify", &true.into(), detail));
        }
        return errors;
    };
    let mut errors = Vec::new();
    for field in ["namespace", "name"] {
        if meta::text(service, field).is_empty() {
            errors.push(required(&format!("spec.service.{field}"), ""));
        }
    }
    let port = service.get("port").and_then(Value::as_i64).unwrap_or(443);
    if !(1..=65_535).contains(&port) {
        errors.push(invalid(
            "spec.service.port",
            &port.into(),
            "port is not valid: must be between 1 and 65535, inclusive",
        ));
    }
    if insecure && bundle {
        let detail = "may not be true if caBundle is present";
        errors.push(invalid("spec.insecureSkipTLSVerify", &true.into(), detail));
    }
    errors
}
