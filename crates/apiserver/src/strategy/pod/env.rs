//! What must be right about environment variables and the fields they name.
//!
//! Source: `pkg/apis/core/validation` of Kubernetes 1.36.

use api::meta::name;

use crate::strategy::field::{Faults, Field};
use crate::strategy::{format, resource as amounts};

/// The fields a downward API volume may name.
pub(crate) const VOLUME_FIELDS: [&str; 5] =
    ["metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"];

const ENV_FIELDS: [&str; 9] = [
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];

const RESOURCE_FIELDS: [&str; 6] = [
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
];

/// Finds what is wrong with a container's `env`.
pub(crate) fn check(env: &Field<'_>, faults: &mut Faults) {
    for variable in env.items() {
        let name = variable.at("name");
        if name.text().is_empty() {
            faults.required(&name, "");
        } else {
            faults.each(&name, name.text(), format::env_name(name.text()));
        }
        if variable.has("valueFrom") {
            value_from(&variable.at("valueFrom"), variable.text_at("value"), faults);
        }
    }
}

fn value_from(from: &Field<'_>, value: &str, faults: &mut Faults) {
    let kinds = ["fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef"];
    let sources = kinds.iter().filter(|kind| from.has(kind)).count();
    if from.has("fieldRef") {
        let at = from.at("fieldRef");
        object_field(&at, &at, &ENV_FIELDS, faults);
    }
    if from.has("resourceFieldRef") {
        let at = from.at("resourceFieldRef");
        resource_field(&at, &at, false, faults);
    }
    for kind in ["configMapKeyRef", "secretKeyRef"] {
        if from.has(kind) {
            key_selector(&from.at(kind), faults);
        }
    }
    if from.has("fileKeyRef") {
        file_key(&from.at("fileKeyRef"), faults);
    }
    match sources {
        0 => faults.invalid(
            from,
            "",
            "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`",
        ),
        _ if !value.is_empty() => faults.invalid(from, "", "may not be specified when `value` is not empty"),
        1 => {}
        _ => faults.invalid(from, "", "may not have more than one field specified at a time"),
    }
}

fn file_key(file: &Field<'_>, faults: &mut Faults) {
    let (key, volume, path) = (file.at("key"), file.at("volumeName"), file.at("path"));
    if key.text().is_empty() {
        faults.required(&key, "");
    } else {
        faults.each(&key, key.text(), format::env_name(key.text()));
    }
    if volume.text().is_empty() {
        faults.required(&volume, "");
    }
    if path.text().is_empty() {
        faults.required(&path, "");
    } else {
        super::volume::descending_path(&path, path.text(), faults);
    }
}

fn key_selector(selector: &Field<'_>, faults: &mut Faults) {
    let (name, key) = (selector.at("name"), selector.at("key"));
    faults.each(&name, name.text(), name::dns1123_subdomain(name.text()));
    if key.text().is_empty() {
        faults.required(&key, "");
    } else {
        faults.each(&key, key.text(), format::data_key(key.text()));
    }
}

/// Finds what is wrong with a reference to a field of the pod; `at` is where the faults point.
pub(crate) fn object_field(field: &Field<'_>, at: &Field<'_>, known: &[&str], faults: &mut Faults) {
    let path = field.text_at("fieldPath");
    if field.text_at("apiVersion").is_empty() {
        return faults.required(&at.at("apiVersion"), "");
    }
    if path.is_empty() {
        return faults.required(&at.at("fieldPath"), "");
    }
    if field.text_at("apiVersion") != "v1" {
        let version = field.text_at("apiVersion");
        let detail = format!("error converting fieldPath: unsupported pod version: {version}");
        return faults.invalid(&at.at("fieldPath"), path, detail);
    }
    match subscript(path) {
        Some(("metadata.annotations", key)) => {
            faults.each(at, key, name::qualified_name(&key.to_lowercase()));
        }
        Some(("metadata.labels", key)) => faults.each(at, key, name::qualified_name(key)),
        Some((path, _)) => {
            let detail =
                format!("error converting fieldPath: field label does not support subscript: {path:?}");
            faults.invalid(&at.at("fieldPath"), field.text_at("fieldPath"), detail);
        }
        None if !is_pod_field(path) => {
            let detail = format!("error converting fieldPath: field label not supported: {path}");
            faults.invalid(&at.at("fieldPath"), path, detail);
        }
        None => {
            let path = if path == "spec.host" { "spec.nodeName" } else { path };
            if !known.contains(&path) {
                faults.unsupported_value(&at.at("fieldPath"), path, known);
            }
        }
    }
}

/// The fields that are field labels of pods at all.
fn is_pod_field(path: &str) -> bool {
    ENV_FIELDS.contains(&path)
        || VOLUME_FIELDS.contains(&path)
        || matches!(path, "spec.restartPolicy" | "spec.schedulerName" | "status.phase" | "spec.host")
}

/// `metadata.labels['key']`.
fn subscript(path: &str) -> Option<(&str, &str)> {
    let (path, rest) = path.split_once("['")?;
    Some((path, rest.strip_suffix("']")?))
}

/// Finds what is wrong with a reference to a container's resource; `at` is where the faults point.
pub(crate) fn resource_field(field: &Field<'_>, at: &Field<'_>, in_volume: bool, faults: &mut Faults) {
    let resource = field.text_at("resource");
    let huge = resource.starts_with("requests.hugepages-") || resource.starts_with("limits.hugepages-");
    if in_volume && field.text_at("containerName").is_empty() {
        faults.required(&at.at("containerName"), "");
    } else if resource.is_empty() {
        faults.required(&at.at("resource"), "");
    } else if !RESOURCE_FIELDS.contains(&resource) && !huge {
        faults.unsupported_value(&at.at("resource"), resource, &RESOURCE_FIELDS);
    }
    divisor(field, at, resource, faults);
}

fn divisor(field: &Field<'_>, at: &Field<'_>, resource: &str, faults: &mut Faults) {
    let divisor = field.at("divisor");
    if amounts::of(divisor.value()).is_zero() {
        return;
    }
    let text = amounts::of(divisor.value()).to_string();
    let scale = ["1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"];
    let what = match resource.split_once('.') {
        Some(("limits" | "requests", "cpu")) => {
            if !matches!(text.as_str(), "1" | "1m") {
                let detail = "only divisor's values 1m and 1 are supported with the cpu resource";
                faults.invalid(&at.at("divisor"), resource, detail);
            }
            return;
        }
        Some(("limits" | "requests", "memory")) => "memory",
        Some(("limits" | "requests", "ephemeral-storage")) => "local ephemeral storage",
        Some(("limits" | "requests", huge)) if huge.starts_with("hugepages-") => "hugepages",
        _ => return,
    };
    if !scale.contains(&text.as_str()) {
        let all = scale.join(", ");
        let detail = format!("only divisor's values {all} are supported with the {what} resource");
        faults.invalid(&at.at("divisor"), resource, detail);
    }
}

/// Finds what is wrong with a container's `envFrom`.
pub(crate) fn check_from(from: &Field<'_>, faults: &mut Faults) {
    for source in from.items() {
        let prefix = source.at("prefix");
        if !prefix.text().is_empty() {
            faults.each(&prefix, prefix.text(), format::env_name(prefix.text()));
        }
        let kinds = ["configMapRef", "secretRef"];
        for kind in kinds.iter().filter(|kind| source.has(kind)) {
            let reference = source.at(kind);
            let name = reference.at("name");
            if name.text().is_empty() {
                faults.required(&name, "");
            } else {
                let masked = name.text().strip_suffix('-').filter(|rest| !rest.is_empty());
                faults.each(&name, name.text(), name::dns1123_subdomain(masked.unwrap_or(name.text())));
            }
        }
        match kinds.iter().filter(|kind| source.has(kind)).count() {
            0 => faults.invalid(from, "", "must specify one of: `configMapRef` or `secretRef`"),
            1 => {}
            _ => faults.invalid(from, "", "may not have more than one field specified at a time"),
        }
    }
}
