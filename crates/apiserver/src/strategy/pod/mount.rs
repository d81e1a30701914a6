//! What must be right about what containers mount.

use super::volume::{Volumes, descending_path, no_backsteps};
use crate::strategy::field::{Faults, Field};

/// Finds what is wrong with a container's `volumeMounts`.
pub(crate) fn check(container: &Field<'_>, volumes: &Volumes<'_>, faults: &mut Faults) {
    let (mounts, devices) = (container.at("volumeMounts"), container.at("volumeDevices"));
    let mut paths: Vec<String> = Vec::new();
    for mount in mounts.items() {
        let (name, path) = (mount.at("name"), mount.at("mountPath"));
        check_target(&name, volumes.contains_key(name.text()), faults);
        if path.text().is_empty() {
            faults.required(&path, "");
        }
        if paths.iter().any(|taken| taken == path.text()) {
            faults.wrong_text(&path, "must be unique");
        }
        paths.push(path.text().to_owned());
        if devices.items().any(|device| device.text_at("name") == name.text()) {
            faults.wrong_text(&name, "must not already exist in volumeDevices");
        }
        if devices.items().any(|device| device.text_at("devicePath") == path.text()) {
            faults.wrong_text(&path, "must not already exist as a path in volumeDevices");
        }
        check_sub_path(&mounts, &mount, faults);
        check_propagation(container, &mounts, &mount, faults);
    }
}

fn check_target(name: &Field<'_>, known: bool, faults: &mut Faults) {
    if name.text().is_empty() {
        faults.required(name, "");
    }
    if !known {
        faults.not_found(name, name.text(), "");
    }
}

/// The paths of these faults lack the mount's index, as in Kubernetes.
fn check_sub_path(mounts: &Field<'_>, mount: &Field<'_>, faults: &mut Faults) {
    let (path, expression) = (mount.text_at("subPath"), mount.text_at("subPathExpr"));
    if !path.is_empty() {
        descending_path(&mounts.at("subPath"), path, faults);
    }
    if !expression.is_empty() {
        if !path.is_empty() {
            faults.wrong(&mount.at("subPathExpr"), "subPathExpr and subPath are mutually exclusive");
        }
        descending_path(&mounts.at("subPathExpr"), expression, faults);
    }
}

fn check_propagation(container: &Field<'_>, mounts: &Field<'_>, mount: &Field<'_>, faults: &mut Faults) {
    const MODES: [&str; 3] = ["Bidirectional", "HostToContainer", "None"];
    let propagation = mount.at("mountPropagation");
    if propagation.is_set() {
        let at = mounts.at("mountPropagation");
        if !MODES.contains(&propagation.text()) {
            faults.unsupported_value(&at, propagation.text(), &MODES);
        }
        if propagation.text() == "Bidirectional" && !container.is_true("securityContext.privileged") {
            faults
                .forbidden(&at, "Bidirectional mount propagation is available only to privileged containers");
        }
    }
    let at = mounts.at("recursiveReadOnly");
    match mount.text_at("recursiveReadOnly") {
        _ if !mount.has("recursiveReadOnly") => {}
        "Disabled" => {}
        "Enabled" | "IfPossible" => {
            if !mount.is_true("readOnly") {
                faults.forbidden(&at, "may only be specified when readOnly is true");
            }
            if propagation.is_set() && propagation.text() != "None" {
                let detail = "may only be specified when mountPropagation is None or not specified";
                faults.forbidden(&at, detail);
            }
        }
        other => faults.unsupported_value(&at, other, &["Disabled", "Enabled", "IfPossible"]),
    }
}

/// Finds what is wrong with a container's `volumeDevices`.
pub(crate) fn check_devices(container: &Field<'_>, volumes: &Volumes<'_>, faults: &mut Faults) {
    let (mounts, devices) = (container.at("volumeMounts"), container.at("volumeDevices"));
    let (mut names, mut paths): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    for device in devices.items() {
        let (name, path) = (device.at("name"), device.at("devicePath"));
        check_device_name(&name, &names, volumes, faults);
        if path.text().is_empty() {
            faults.required(&path, "");
        }
        if paths.iter().any(|taken| taken == path.text()) {
            faults.wrong_text(&path, "must be unique");
        }
        let mut steps = Faults::default();
        no_backsteps(&path, path.text(), &mut steps);
        if steps.count() > 0 {
            faults.wrong_text(&path, "can not contain backsteps ('..')");
        } else {
            paths.push(path.text().to_owned());
        }
        if mounts.items().any(|mount| mount.text_at("name") == name.text()) {
            faults.wrong_text(&name, "must not already exist in volumeMounts");
        }
        if mounts.items().any(|mount| mount.text_at("mountPath") == path.text()) {
            faults.wrong_text(&path, "must not already exist as a path in volumeMounts");
        }
        if !name.text().is_empty() {
            names.push(name.text().to_owned());
        }
    }
}

fn check_device_name(name: &Field<'_>, names: &[String], volumes: &Volumes<'_>, faults: &mut Faults) {
    if name.text().is_empty() {
        faults.required(name, "");
    }
    if names.iter().any(|taken| taken == name.text()) {
        faults.wrong_text(name, "must be unique");
    }
    match volumes.get(name.text()).map(|volume| Field::root(volume)) {
        None => faults.not_found(name, name.text(), ""),
        Some(volume) if !volume.has("persistentVolumeClaim") && !volume.has("ephemeral") => {
            let detail =
                "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode";
            faults.wrong_text(name, detail);
        }
        Some(_) => {}
    }
}
