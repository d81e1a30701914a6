//! What Kubernetes fills in for pods and pod templates.
//!
//! Source: `pkg/apis/core/v1/defaults.go` of Kubernetes 1.36.

use serde_json::{Value, json};

use super::level;
use crate::strategy::resource;
use crate::strategy::tree::{self, Fields, each, fill, fill_zero, inner, is_unset, make, text};

/// Defaults of a Pod.
pub(crate) fn pod(object: &mut Value) {
    let Some(spec) = tree::fields_at(object, "spec") else { return };
    pod_spec(spec);
    for list in ["containers", "initContainers"] {
        each(spec, list).for_each(requests_from_limits);
    }
    level::default_resources(spec);
    fill(spec, "enableServiceLinks", true);
    if spec.get("hostNetwork") == Some(&Value::Bool(true)) {
        for list in ["containers", "initContainers"] {
            each(spec, list).flat_map(|container| each(container, "ports")).for_each(host_port);
        }
    }
}

/// Defaults of the pod template under `name`.
pub(crate) fn template(fields: &mut Fields, name: &str) {
    if let Some(spec) = inner(fields, name).and_then(|template| inner(template, "spec")) {
        pod_spec(spec);
    }
}

/// Defaults of a pod's spec, wherever it is.
fn pod_spec(spec: &mut Fields) {
    fill_zero(spec, "dnsPolicy", "ClusterFirst");
    fill_zero(spec, "restartPolicy", "Always");
    fill(spec, "securityContext", json!({}));
    fill(spec, "terminationGracePeriodSeconds", 30);
    fill_zero(spec, "schedulerName", "default-scheduler");
    service_account(spec);
    each(spec, "volumes").for_each(volume);
    for list in ["initContainers", "containers", "ephemeralContainers"] {
        each(spec, list).for_each(container);
    }
    resource::canonical_list(spec, "overhead");
    if let Some(resources) = inner(spec, "resources") {
        resource::canonical_requirements(resources);
    }
}

/// The old name of the service account's field always says what the new one says.
pub(crate) fn service_account(spec: &mut Fields) {
    let name = [text(spec, "serviceAccountName"), text(spec, "serviceAccount")];
    let Some(name) = name.into_iter().find(|name| !name.is_empty()).map(Value::from) else { return };
    spec.insert("serviceAccountName".into(), name.clone());
    spec.insert("serviceAccount".into(), name);
}

fn container(container: &mut Fields) {
    let policy = pull_policy(text(container, "image"));
    fill_zero(container, "imagePullPolicy", policy);
    fill_zero(container, "terminationMessagePath", "/dev/termination-log");
    fill_zero(container, "terminationMessagePolicy", "File");
    each(container, "ports").for_each(|port| fill_zero(port, "protocol", "TCP"));
    for env in each(container, "env") {
        let Some(source) = inner(env, "valueFrom") else { continue };
        field_ref(source);
        if let Some(file) = inner(source, "fileKeyRef") {
            fill(file, "optional", false);
        }
    }
    if let Some(resources) = make(container, "resources") {
        resource::canonical_requirements(resources);
    }
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        inner(container, name).into_iter().for_each(probe);
    }
    if let Some(lifecycle) = inner(container, "lifecycle") {
        for name in ["postStart", "preStop"] {
            inner(lifecycle, name).into_iter().for_each(http_get);
        }
    }
}

/// `Always` for the tag `latest`, also where it is only meant; `IfNotPresent` for all else.
fn pull_policy(image: &str) -> &'static str {
    let (name, digest) = image.split_once('@').map_or((image, None), |(name, digest)| (name, Some(digest)));
    let tag_start = name.rfind(':').filter(|colon| !name[*colon..].contains('/'));
    let (repository, tag) =
        tag_start.map_or((name, None), |colon| (&name[..colon], Some(&name[colon + 1..])));
    let path = match repository.split_once('/') {
        Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => path,
        _ => repository,
    };
    let is_name = !path.is_empty() && !path.contains(|c: char| c.is_ascii_uppercase() || c.is_whitespace());
    let latest = tag == Some("latest") || (tag.is_none() && digest.is_none());
    if is_name && latest { "Always" } else { "IfNotPresent" }
}

fn probe(probe: &mut Fields) {
    for (name, value) in
        [("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3)]
    {
        fill_zero(probe, name, value);
    }
    http_get(probe);
    if let Some(grpc) = inner(probe, "grpc") {
        fill(grpc, "service", "");
    }
}

fn http_get(handler: &mut Fields) {
    if let Some(get) = inner(handler, "httpGet") {
        fill_zero(get, "path", "/");
        fill_zero(get, "scheme", "HTTP");
    }
}

fn field_ref(source: &mut Fields) {
    if let Some(field) = inner(source, "fieldRef") {
        fill_zero(field, "apiVersion", "v1");
    }
}

fn requests_from_limits(container: &mut Fields) {
    let Some(resources) = inner(container, "resources") else { return };
    let Some(limits) = resources.get("limits").and_then(Value::as_object).cloned() else { return };
    let Some(requests) = make(resources, "requests") else { return };
    for (name, limit) in limits {
        fill(requests, &name, limit);
    }
}

fn host_port(port: &mut Fields) {
    if let Some(number) = port.get("containerPort").cloned() {
        fill_zero(port, "hostPort", number);
    }
}

/// The names of the sources a volume may have.
const SOURCES: [&str; 31] = [
    "hostPath",
    "emptyDir",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "gitRepo",
    "secret",
    "nfs",
    "iscsi",
    "glusterfs",
    "persistentVolumeClaim",
    "rbd",
    "flexVolume",
    "cinder",
    "cephfs",
    "flocker",
    "downwardAPI",
    "fc",
    "azureFile",
    "configMap",
    "vsphereVolume",
    "quobyte",
    "azureDisk",
    "photonPersistentDisk",
    "projected",
    "portworxVolume",
    "scaleIO",
    "storageos",
    "csi",
    "ephemeral",
    "image",
    "resourceClaim",
];

fn volume(volume: &mut Fields) {
    if SOURCES.iter().all(|source| is_unset(volume, source)) {
        volume.insert("emptyDir".into(), json!({}));
    }
    for source in ["secret", "configMap", "downwardAPI", "projected"] {
        inner(volume, source).into_iter().for_each(|source| fill(source, "defaultMode", 0o644));
    }
    for file in inner(volume, "downwardAPI").into_iter().flat_map(|source| each(source, "items")) {
        field_ref(file);
    }
    for source in inner(volume, "projected").into_iter().flat_map(|source| each(source, "sources")) {
        projection(source);
    }
    if let Some(image) = inner(volume, "image") {
        let policy = pull_policy(text(image, "reference"));
        fill_zero(image, "pullPolicy", policy);
    }
    if let Some(claim) = inner(volume, "ephemeral")
        .and_then(|source| inner(source, "volumeClaimTemplate"))
        .and_then(|template| inner(template, "spec"))
    {
        claim_spec(claim);
    }
    volume_source(volume);
}

fn projection(source: &mut Fields) {
    for file in inner(source, "downwardAPI").into_iter().flat_map(|source| each(source, "items")) {
        field_ref(file);
    }
    if let Some(token) = inner(source, "serviceAccountToken") {
        fill(token, "expirationSeconds", 3600);
    }
}

/// Defaults of the spec of a claim.
pub(crate) fn claim_spec(spec: &mut Fields) {
    fill(spec, "volumeMode", "Filesystem");
    if let Some(resources) = make(spec, "resources") {
        resource::canonical_requirements(resources);
    }
}

/// Defaults of the sources that volumes and PersistentVolumes share.
pub(crate) fn volume_source(fields: &mut Fields) {
    let zero: [(&str, &[(&str, &str)]); 3] = [
        ("iscsi", &[("iscsiInterface", "default")]),
        ("rbd", &[("pool", "rbd"), ("user", "admin"), ("keyring", "/etc/ceph/keyring")]),
        ("scaleIO", &[("storageMode", "ThinProvisioned"), ("fsType", "xfs")]),
    ];
    for (source, defaults) in zero {
        let Some(source) = inner(fields, source) else { continue };
        defaults.iter().for_each(|(name, value)| fill_zero(source, name, *value));
    }
    inner(fields, "hostPath").into_iter().for_each(|source| fill(source, "type", ""));
    if let Some(disk) = inner(fields, "azureDisk") {
        for (name, value) in [("cachingMode", "ReadWrite"), ("kind", "Shared"), ("fsType", "ext4")] {
            fill(disk, name, value);
        }
        fill(disk, "readOnly", false);
    }
}
