//! What must be right about a pod's volumes.
//!
//! Source: `pkg/apis/core/validation` of Kubernetes 1.36.

use std::collections::HashMap;

use api::meta::name;
use serde_json::Value;

use super::env::{VOLUME_FIELDS, object_field, resource_field};
use crate::strategy::field::{Faults, Field};
use crate::strategy::{format, metadata, resource};

/// The volumes that are right, by name.
pub(crate) type Volumes<'a> = HashMap<&'a str, &'a Value>;

/// Finds what is wrong with a pod's volumes; `pod` is the pod's name, where the spec is that of a pod.
pub(crate) fn check_all<'a>(
    volumes: &Field<'a>,
    pod: Option<&str>,
    is_pod: bool,
    faults: &mut Faults,
) -> Volumes<'a> {
    let mut good = Volumes::new();
    let created = |claim: &str| {
        let pod = pod.filter(|pod| !pod.is_empty())?;
        let volume = claim.strip_prefix(pod)?.strip_prefix('-')?;
        volumes.items().find(|v| v.has("ephemeral") && v.text_at("name") == volume).map(|_| ())
    };
    for (volume, value) in volumes.items().zip(volumes.list()) {
        let before = faults.count();
        check_source(&volume, pod, is_pod, faults);
        let at = volume.at("name");
        if at.text().is_empty() {
            faults.required(&at, "");
        } else {
            faults.each(&at, at.text(), name::dns1123_label(at.text()));
        }
        if good.contains_key(at.text()) {
            faults.duplicate(&at, at.text());
        }
        if faults.count() == before {
            good.insert(value.get("name").and_then(Value::as_str).unwrap_or(""), value);
        }
        let claim = volume.at("persistentVolumeClaim.claimName");
        if volume.has("persistentVolumeClaim") && created(claim.text()).is_some() {
            faults.wrong_text(&claim, "must not reference a PVC that gets created for an ephemeral volume");
        }
    }
    good
}

/// A source, the name by which its path calls it, and its check.
type Source = (&'static str, &'static str, fn(&Field<'_>, &mut Faults));

/// The sources in Kubernetes' order, with the paths it really writes.
const SOURCES: [Source; 27] = [
    ("hostPath", "hostPath", host_path),
    ("gitRepo", "gitRepo", git_repo),
    ("gcePersistentDisk", "persistentDisk", gce_disk),
    ("awsElasticBlockStore", "awsElasticBlockStore", aws_disk),
    ("secret", "secret", secret),
    ("nfs", "nfs", nfs),
    ("iscsi", "iscsi", iscsi),
    ("glusterfs", "glusterfs", glusterfs),
    ("flocker", "flocker", flocker),
    ("persistentVolumeClaim", "persistentVolumeClaim", claim),
    ("rbd", "rbd", rbd),
    ("cinder", "cinder", cinder),
    ("cephfs", "cephfs", ceph),
    ("quobyte", "quobyte", quobyte),
    ("downwardAPI", "downwardAPI", downward),
    ("fc", "fc", fibre_channel),
    ("flexVolume", "flexVolume", flex),
    ("configMap", "configMap", config_map),
    ("azureFile", "azureFile", azure_file),
    ("vsphereVolume", "vsphereVolume", vsphere),
    ("photonPersistentDisk", "photonPersistentDisk", photon),
    ("portworxVolume", "portworxVolume", portworx),
    ("azureDisk", "azureDisk", azure_disk),
    ("storageos", "storageos", storageos),
    ("projected", "projected", projected),
    ("scaleIO", "scaleIO", scale_io),
    ("csi", "csi", csi),
];

fn check_source(volume: &Field<'_>, pod: Option<&str>, is_pod: bool, faults: &mut Faults) {
    let mut sources = 0;
    if volume.has("emptyDir") {
        sources = 1;
        let limit = volume.at("emptyDir.sizeLimit");
        if resource::is_negative(limit.value()) {
            faults.forbidden(&limit, "SizeLimit field must be a valid resource quantity");
        }
    }
    for (source, path, check) in SOURCES {
        let at = volume.at(source);
        if !at.is_set() {
            continue;
        }
        if sources > 0 {
            faults.forbidden(&at, "may not specify more than 1 volume type");
        } else {
            check(&at.named(path), faults);
        }
        sources += 1;
        if source == "iscsi" {
            iscsi_name(volume, &at, faults);
        }
    }
    for (source, check) in [("ephemeral", ephemeral as fn(&Field<'_>, &mut Faults)), ("image", |_, _| {})] {
        let at = volume.at(source);
        if !at.is_set() {
            continue;
        }
        if sources > 0 {
            faults.forbidden(&at, "may not specify more than 1 volume type");
        } else {
            check(&at, faults);
            match source {
                "ephemeral" => claim_name(volume, pod, faults),
                _ => image(&at, is_pod, faults),
            }
        }
        sources += 1;
    }
    if sources == 0 {
        faults.required(volume, "must specify a volume type");
    }
}

/// The names of the fields that must be set.
fn needs(at: &Field<'_>, fields: &[&str], faults: &mut Faults) {
    for field in fields {
        let at = at.at(field);
        if at.is_empty() {
            faults.required(&at, "");
        }
    }
}

/// Finds what is wrong with a host path.
pub(crate) fn host_path(at: &Field<'_>, faults: &mut Faults) {
    const TYPES: [&str; 8] =
        ["", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"];
    let path = at.at("path");
    if path.text().is_empty() {
        return faults.required(&path, "");
    }
    no_backsteps(&path, path.text(), faults);
    faults.optional_one_of(&at.at("type"), &TYPES);
}

fn git_repo(at: &Field<'_>, faults: &mut Faults) {
    needs(at, &["repository"], faults);
    descending_path(&at.at("directory"), at.text_at("directory"), faults);
}

pub(crate) fn gce_disk(at: &Field<'_>, faults: &mut Faults) {
    needs(at, &["pdName"], faults);
    partition(at, faults);
}

pub(crate) fn aws_disk(at: &Field<'_>, faults: &mut Faults) {
    needs(at, &["volumeID"], faults);
    partition(at, faults);
}

fn partition(at: &Field<'_>, faults: &mut Faults) {
    let partition = at.at("partition");
    if partition.number().is_some_and(|number| !(0..=255).contains(&number)) {
        faults.wrong(&partition, format::range_rule(1, 255));
    }
}

fn secret(at: &Field<'_>, faults: &mut Faults) {
    needs(at, &["secretName"], faults);
    mode(&at.at("defaultMode"), faults);
    at.at("items").items().for_each(|item| key_to_path(&item, faults));
}

fn config_map(at: &Field<'_>, faults: &mut Faults) {
    needs(at, &["name"], faults);
    mode(&at.at("defaultMode"), faults);
    at.at("items").items().for_each(|item| key_to_path(&item, faults));
}

fn mode(at: &Field<'_>, faults: &mut Faults) {
    if at.number().is_some_and(|mode| !(0..=0o777).contains(&mode)) {
        faults.wrong(at, "must be a number between 0 and 0777 (octal), both inclusive");
    }
}

fn key_to_path(item: &Field<'_>, faults: &mut Faults) {
    needs(item, &["key", "path"], faults);
    local_path(&item.at("path"), item.text_at("path"), faults);
    mode(&item.at("mode"), faults);
}

pub(crate) fn nfs(at: &Field<'_>, faults: &mut Faults) {
    needs(at, &["server", "path"], faults);
    let path = at.at("path");
    if !path.text().starts_with('/') {
        faults.wrong_text(&path, "must be an absolute path");
    }
}

pub(crate) fn iscsi(at: &Field<'_>, faults: &mut Faults) {
    needs(at, &["targetPortal", "iqn"], faults);
    let iqn = at.at("iqn");
    if !iqn.text().is_empty() {
        initiator(&iqn, faults);
    }
    let lun = at.at("lun");
    faults.each_number(&lun, format::in_range(lun.number().unwrap_or(0), 0, 255));
    if (at.is_true("chapAuthDiscovery") || at.is_true("chapAuthSession")) && !at.has("secretRef") {
        faults.required(&at.at("secretRef"), "");
    }
    let name = at.at("initiatorName");
    if name.is_set() {
        initiator(&name.named("initiatorname"), faults);
    }
}

fn initiator(at: &Field<'_>, faults: &mut Faults) {
    let text = at.text();
    let alphanumeric =
        |rest: &str, length| rest.len() == length && rest.bytes().all(|b| b.is_ascii_alphanumeric());
    let good = match text.get(..3) {
        Some("iqn") => is_iqn(text),
        Some("eui") => alphanumeric(text.get(4..).unwrap_or(""), 16),
        Some("naa") => alphanumeric(text.get(4..).unwrap_or(""), 32),
        _ => return faults.wrong_text(at, "must be valid format starting with iqn, eui, or naa"),
    };
    if !good {
        faults.wrong_text(at, "must be valid format");
    }
}

/// `iqn.yyyy-mm.domain:target`.
fn is_iqn(text: &str) -> bool {
    let Some((name, target)) = text.strip_prefix("iqn.").and_then(|rest| rest.split_once(':')) else {
        return false;
    };
    let digits = |range| name.get(range).is_some_and(|part: &str| part.bytes().all(|b| b.is_ascii_digit()));
    let domain = name.get(8..).unwrap_or("");
    digits(0..4)
        && name.get(4..5) == Some("-")
        && digits(5..7)
        && name.get(7..8) == Some(".")
        && !domain.is_empty()
        && domain.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.".contains(&b))
        && !target.is_empty()
        && !target.contains(|c: char| ",;*&$|".contains(c) || c.is_whitespace())
}

fn iscsi_name(volume: &Field<'_>, at: &Field<'_>, faults: &mut Faults) {
    let name = volume.at("name");
    if at.has("initiatorName") && name.text().len() + 1 + at.text_at("targetPortal").len() > 64 {
        faults.wrong_text(
            &name,
            "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is \
             specified.",
        );
    }
}

fn glusterfs(at: &Field<'_>, faults: &mut Faults) {
    needs(at, &["endpoints", "path"], faults);
}

pub(crate) fn flocker(at: &Field<'_>, faults: &mut Faults) {
    let (name, uuid) = (at.text_at("datasetName"), at.text_at("datasetUUID"));
    if name.is_empty() && uuid.is_empty() {
        faults.required(at, "one of datasetName and datasetUUID is required");
    }
    if !name.is_empty() && !uuid.is_empty() {
        faults.invalid(at, "resource", "datasetName and datasetUUID can not be specified simultaneously");
    }
    if name.contains('/') {
        faults.wrong(&at.at("datasetName"), "must not contain '/'");
    }
}

fn claim(at: &Field<'_>, faults: &mut Faults) {
    needs(at, &["claimName"], faults);
}

pub(crate) fn rbd(at: &Field<'_>, faults: &mut Faults) {
    needs(at, &["monitors", "image"], faults);
}

fn cinder(at: &Field<'_>, faults: &mut Faults) {
    needs(at, &["volumeID"], faults);
    if at.has("secretRef") {
        needs(at, &["secretRef.name"], faults);
    }
}

pub(crate) fn ceph(at: &Field<'_>, faults: &mut Faults) {
    needs(at, &["monitors"], faults);
}

pub(crate) fn quobyte(at: &Field<'_>, faults: &mut Faults) {
    const PAIRS: &str = "must be a host:port pair or multiple pairs separated by commas";
    let registry = at.at("registry");
    if registry.text().is_empty() {
        faults.required(&registry, PAIRS);
    } else if at.text_at("tenant").len() >= 65 {
        faults.required(&at.at("tenant"), "must be a UUID and may not exceed a length of 64 characters");
    } else {
        let unpaired = registry.text().split(',').filter(|pair| !pair.contains(':')).count();
        (0..unpaired).for_each(|_| faults.wrong_text(&registry, PAIRS));
    }
    needs(at, &["volume"], faults);
}

fn downward(at: &Field<'_>, faults: &mut Faults) {
    mode(&at.at("defaultMode"), faults);
    at.at("items").items().for_each(|file| downward_file(&file, at, faults));
}

/// The paths of these faults lack the item's index, as in Kubernetes: `at` is where they point.
fn downward_file(file: &Field<'_>, at: &Field<'_>, faults: &mut Faults) {
    let path = at.at("path");
    if file.text_at("path").is_empty() {
        faults.required(&path, "");
    }
    local_path(&path, file.text_at("path"), faults);
    if file.has("fieldRef") {
        object_field(&file.at("fieldRef"), &at.at("fieldRef"), &VOLUME_FIELDS, faults);
        if file.has("resourceFieldRef") {
            faults.invalid(
                at,
                "resource",
                "fieldRef and resourceFieldRef can not be specified simultaneously",
            );
        }
    } else if file.has("resourceFieldRef") {
        resource_field(&file.at("resourceFieldRef"), &at.at("resourceFieldRef"), true, faults);
    } else {
        faults.required(at, "one of fieldRef and resourceFieldRef is required");
    }
    let number = file.at("mode");
    if number.number().is_some_and(|mode| !(0..=0o777).contains(&mode)) {
        let detail = "must be a number between 0 and 0777 (octal), both inclusive";
        faults.invalid(&at.at("mode"), number.value().clone(), detail);
    }
}

pub(crate) fn fibre_channel(at: &Field<'_>, faults: &mut Faults) {
    let (names, ids, lun) = (at.at("targetWWNs"), at.at("wwids"), at.at("lun"));
    if names.is_empty() && ids.is_empty() {
        faults.required(&names, "must specify either targetWWNs or wwids, but not both");
    }
    if !names.is_empty() && !ids.is_empty() {
        faults.wrong(&names, "targetWWNs and wwids can not be specified simultaneously");
    }
    match lun.number() {
        _ if names.is_empty() => {}
        None => faults.required(&lun, "lun is required if targetWWNs is specified"),
        Some(number) => faults.each_number(&lun, format::in_range(number, 0, 255)),
    }
}

pub(crate) fn flex(at: &Field<'_>, faults: &mut Faults) {
    needs(at, &["driver"], faults);
    for (key, option) in at.at("options").entries() {
        let namespace = key.split_once('/').map_or(key, |(namespace, _)| namespace);
        let namespace = format!(".{}", namespace.to_lowercase());
        if namespace.ends_with(".kubernetes.io") || namespace.ends_with(".k8s.io") {
            faults.invalid(&option, key, "kubernetes.io and k8s.io namespaces are reserved");
        }
    }
}

fn azure_file(at: &Field<'_>, faults: &mut Faults) {
    needs(at, &["secretName", "shareName"], faults);
}

pub(crate) fn vsphere(at: &Field<'_>, faults: &mut Faults) {
    needs(at, &["volumePath"], faults);
}

pub(crate) fn photon(at: &Field<'_>, faults: &mut Faults) {
    needs(at, &["pdID"], faults);
}

pub(crate) fn portworx(at: &Field<'_>, faults: &mut Faults) {
    needs(at, &["volumeID"], faults);
}

pub(crate) fn azure_disk(at: &Field<'_>, faults: &mut Faults) {
    needs(at, &["diskName", "diskURI"], faults);
    faults.optional_one_of(&at.at("cachingMode"), &["None", "ReadOnly", "ReadWrite"]);
    let (kind, uri) = (at.at("kind"), at.at("diskURI"));
    faults.optional_one_of(&kind, &["Dedicated", "Managed", "Shared"]);
    let managed =
        "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}";
    let blob = "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd";
    if kind.text() == "Managed" && !uri.text().starts_with("/subscriptions/") {
        faults.unsupported(&uri, &[managed]);
    }
    if kind.is_set() && kind.text() != "Managed" && !uri.text().starts_with("https://") {
        faults.unsupported(&uri, &[blob]);
    }
}

fn storageos(at: &Field<'_>, faults: &mut Faults) {
    let (name, namespace) = (at.at("volumeName"), at.at("volumeNamespace"));
    if name.text().is_empty() {
        faults.required(&name, "");
    } else {
        faults.each(&name, name.text(), name::dns1123_label(name.text()));
    }
    if !namespace.text().is_empty() {
        faults.each(&namespace, namespace.text(), name::dns1123_label(namespace.text()));
    }
    if at.has("secretRef") {
        needs(at, &["secretRef.name"], faults);
    }
}

fn scale_io(at: &Field<'_>, faults: &mut Faults) {
    needs(at, &["gateway", "system", "volumeName"], faults);
}

fn csi(at: &Field<'_>, faults: &mut Faults) {
    csi_driver(&at.at("driver"), faults);
    if at.has("nodePublishSecretRef") {
        let name = at.at("nodePublishSecretRef.name");
        if name.text().is_empty() {
            faults.required(&name, "");
        } else {
            faults.each(&name, name.text(), name::dns1123_subdomain(name.text()));
        }
    }
}

/// Finds what is wrong with the name of a CSI driver.
pub(crate) fn csi_driver(driver: &Field<'_>, faults: &mut Faults) {
    if driver.text().is_empty() {
        faults.required(driver, "");
    }
    if driver.text().len() > 63 {
        faults.too_long(driver, 63);
    }
    faults.each(driver, driver.text(), format::csi_driver(driver.text()));
}

fn ephemeral(at: &Field<'_>, faults: &mut Faults) {
    let template = at.at("volumeClaimTemplate");
    if !template.is_set() {
        return faults.required(&template, "");
    }
    metadata::labels(&template.at("metadata.labels"), faults);
    metadata::annotations(&template.at("metadata.annotations"), faults);
    let metadata = template.at("metadata");
    for (field, value) in metadata.map().into_iter().flatten() {
        if !matches!(field.as_str(), "labels" | "annotations") && !api::meta::is_empty(value) {
            faults.forbidden(&metadata.at(field), "cannot be set for an Ephemeral Container");
        }
    }
    crate::strategy::storage::claim::check_spec(&template.at("spec"), faults);
}

fn claim_name(volume: &Field<'_>, pod: Option<&str>, faults: &mut Faults) {
    let name = volume.at("name");
    let Some(pod) = pod.filter(|pod| !pod.is_empty() && !name.text().is_empty()) else { return };
    let claim = format!("{pod}-{}", name.text());
    for fault in name::dns1123_subdomain(&claim) {
        faults.wrong_text(&name, format!("PVC name {claim:?}: {fault}"));
    }
}

fn image(at: &Field<'_>, is_pod: bool, faults: &mut Faults) {
    if is_pod && at.text_at("reference").is_empty() {
        faults.required(&at.at("reference"), "");
    }
    faults.one_of(&at.at("pullPolicy"), &["Always", "IfNotPresent", "Never"]);
}

fn projected(at: &Field<'_>, faults: &mut Faults) {
    mode(&at.at("defaultMode"), faults);
    let mut paths: Vec<String> = Vec::new();
    let sources = at.at("sources");
    for source in sources.items() {
        let kinds = ["secret", "configMap", "downwardAPI", "serviceAccountToken", "clusterTrustBundle"];
        let given = kinds.iter().filter(|kind| source.has(kind)).count();
        for kind in ["secret", "configMap"] {
            projected_keys(at, &source.at(kind), &mut paths, faults);
        }
        projected_downward(at, &source.at("downwardAPI"), &mut paths, faults);
        projected_token(at, &source.at("serviceAccountToken"), faults);
        projected_bundle(at, &source.at("clusterTrustBundle"), &mut paths, faults);
        if given > 1 {
            faults.forbidden(&source, "may not specify more than 1 volume type per source");
        }
    }
}

fn projected_keys(at: &Field<'_>, source: &Field<'_>, paths: &mut Vec<String>, faults: &mut Faults) {
    if !source.is_set() {
        return;
    }
    needs(source, &["name"], faults);
    for item in source.at("items").items() {
        key_to_path(&item, faults);
        take_path(at, item.text_at("path"), source.text_at("name"), paths, faults);
    }
}

fn take_path(at: &Field<'_>, path: &str, shown: &str, paths: &mut Vec<String>, faults: &mut Faults) {
    if path.is_empty() {
        return;
    }
    if paths.iter().any(|taken| taken == path) {
        faults.invalid(at, shown, "conflicting duplicate paths");
    } else {
        paths.push(path.to_owned());
    }
}

fn projected_downward(at: &Field<'_>, source: &Field<'_>, paths: &mut Vec<String>, faults: &mut Faults) {
    for file in source.at("items").items() {
        downward_file(&file, source, faults);
        let path = file.text_at("path");
        take_path(at, path, path, paths, faults);
    }
}

fn projected_token(at: &Field<'_>, token: &Field<'_>, faults: &mut Faults) {
    if !token.is_set() {
        return;
    }
    let expiration = token.at("expirationSeconds");
    let seconds = expiration.number().unwrap_or(0);
    if seconds < 600 {
        faults.invalid(&expiration, seconds, "may not specify a duration less than 10 minutes");
    }
    if seconds > 1 << 32 {
        faults.invalid(&expiration, seconds, "may not specify a duration larger than 2^32 seconds");
    }
    let path = at.at("path");
    if token.text_at("path").is_empty() {
        faults.required(&path, "");
    } else {
        local_path(&path, token.text_at("path"), faults);
    }
}

fn projected_bundle(at: &Field<'_>, bundle: &Field<'_>, paths: &mut Vec<String>, faults: &mut Faults) {
    if !bundle.is_set() {
        return;
    }
    match (bundle.has("name"), bundle.has("signerName")) {
        (true, true) => faults.wrong(bundle, "only one of name and signerName may be used"),
        (true, false) => {
            let name = bundle.at("name");
            if name.text().is_empty() {
                faults.required(&name, "must be a valid object name");
            }
            let local = name.text().rsplit(':').next().unwrap_or("");
            for fault in name::dns1123_subdomain(local) {
                faults.wrong_text(&name, format!("not a valid clustertrustbundlename: {fault}"));
            }
            if bundle.has("labelSelector") {
                faults.wrong(&bundle.at("labelSelector"), "labelSelector must be unset if name is specified");
            }
        }
        (false, true) => {
            if bundle.text_at("signerName").is_empty() {
                faults.required(&bundle.at("signerName"), "must be a valid signer name");
            }
            crate::strategy::certificate::signer_name(&bundle.at("signerName"), faults);
            metadata::selector(&bundle.at("labelSelector"), faults);
        }
        (false, false) => faults.required(bundle, "either name or signerName must be specified"),
    }
    let path = bundle.at("path");
    if path.text().is_empty() {
        faults.required(&path, "");
    }
    local_path(&path, path.text(), faults);
    take_path(at, path.text(), path.text(), paths, faults);
}

/// Finds what is wrong with a path below a volume: it may not leave it.
pub(crate) fn descending_path(at: &Field<'_>, path: &str, faults: &mut Faults) {
    if path.starts_with('/') {
        faults.invalid(at, path, "must be a relative path");
    }
    no_backsteps(at, path, faults);
}

/// Finds what is wrong with a path below a volume that may not look like the kubelet's own.
fn local_path(at: &Field<'_>, path: &str, faults: &mut Faults) {
    descending_path(at, path, faults);
    if path.starts_with("..") && !path.starts_with("../") {
        faults.invalid(at, path, "must not start with '..'");
    }
}

/// Finds `..` in a path.
pub(crate) fn no_backsteps(at: &Field<'_>, path: &str, faults: &mut Faults) {
    if path.split('/').any(|part| part == "..") {
        faults.invalid(at, path, "must not contain '..'");
    }
}
