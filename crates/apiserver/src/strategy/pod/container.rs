//! What must be right about containers: regular, init, sidecar and ephemeral.
//!
//! Source: `pkg/apis/core/validation` of Kubernetes 1.36.

use api::meta::name;

use super::volume::Volumes;
use super::{env, mount, probe, security};
use crate::strategy::field::{Faults, Field};
use crate::strategy::{format, resource};

/// What the rules of containers need to know of their pod.
pub(crate) struct Surroundings<'a> {
    /// The volumes that may be mounted.
    pub(crate) volumes: Volumes<'a>,
    /// The names of the pod's resource claims.
    pub(crate) claims: Vec<&'a str>,
    /// How long the pod has to end, in seconds.
    pub(crate) grace: Option<i64>,
    /// The pod's restart policy.
    pub(crate) restart: &'a str,
    /// Whether the pod shares the host's users.
    pub(crate) host_users: bool,
}

/// Finds what is wrong with the regular containers.
pub(crate) fn check_all(containers: &Field<'_>, pod: &Surroundings<'_>, faults: &mut Faults) {
    if containers.is_empty() {
        return faults.required(containers, "");
    }
    let mut names: Vec<String> = Vec::new();
    for container in containers.items() {
        check_common(&container, pod, faults);
        let name = container.at("name");
        if names.iter().any(|taken| taken == name.text()) {
            faults.duplicate(&name, name.text());
        }
        names.push(name.text().to_owned());
        check_running(&container, pod, faults);
        check_restart(&container, faults);
    }
    check_host_ports(containers, None, faults);
}

/// Finds what is wrong with the init containers.
pub(crate) fn check_init(spec: &Field<'_>, pod: &Surroundings<'_>, faults: &mut Faults) {
    let (containers, inits) = (spec.at("containers"), spec.at("initContainers"));
    let mut names: Vec<String> = containers.items().map(|c| c.text_at("name").to_owned()).collect();
    for (index, container) in inits.items().enumerate() {
        check_common(&container, pod, faults);
        check_restart(&container, faults);
        let name = container.at("name");
        if names.iter().any(|taken| taken == name.text()) {
            faults.duplicate(&name, name.text());
        } else if !name.text().is_empty() {
            names.push(name.text().to_owned());
        }
        check_host_ports(&inits, Some(index), faults);
        if container.text_at("restartPolicy") == "Always" {
            check_running(&container, pod, faults);
        } else {
            for field in ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"] {
                if container.has(field) {
                    let detail = "may not be set for init containers without restartPolicy=Always";
                    faults.forbidden(&container.at(field), detail);
                }
            }
        }
    }
}

/// Finds what is wrong with the ephemeral containers.
pub(crate) fn check_ephemeral(spec: &Field<'_>, pod: &Surroundings<'_>, faults: &mut Faults) {
    const NOT_HERE: &str = "cannot be set for an Ephemeral Container";
    const FIELDS: [&str; 9] = [
        "ports",
        "resources",
        "resizePolicy",
        "restartPolicy",
        "restartPolicyRules",
        "livenessProbe",
        "readinessProbe",
        "startupProbe",
        "lifecycle",
    ];
    let (containers, inits, ephemerals) =
        (spec.at("containers"), spec.at("initContainers"), spec.at("ephemeralContainers"));
    let others: Vec<String> =
        containers.items().chain(inits.items()).map(|c| c.text_at("name").to_owned()).collect();
    let mut names = others.clone();
    for container in ephemerals.items() {
        check_common(&container, pod, faults);
        check_image_space(&container, faults);
        let (name, target) = (container.at("name"), container.at("targetContainerName"));
        if names.iter().any(|taken| taken == name.text()) {
            faults.duplicate(&name, name.text());
        }
        names.push(name.text().to_owned());
        if !target.text().is_empty() && !others.iter().any(|other| other == target.text()) {
            faults.not_found(&target, target.text(), "");
        }
        for field in FIELDS {
            if !container.at(field).is_empty() {
                faults.forbidden(&container.at(field), NOT_HERE);
            }
        }
        for mount in container.at("volumeMounts").items() {
            for field in ["subPath", "subPathExpr"] {
                if !mount.text_at(field).is_empty() {
                    faults.forbidden(&mount.at(field), NOT_HERE);
                }
            }
        }
    }
}

/// Finds an image with space around it: pods refuse it, templates do not.
pub(crate) fn check_image_space(container: &Field<'_>, faults: &mut Faults) {
    let image = container.at("image");
    if image.text().trim() != image.text() {
        faults.wrong_text(&image, "must not have leading or trailing whitespace");
    }
}

fn check_common(container: &Field<'_>, pod: &Surroundings<'_>, faults: &mut Faults) {
    let name = container.at("name");
    if name.text().is_empty() {
        faults.required(&name, "");
    } else {
        faults.each(&name, name.text(), name::dns1123_label(name.text()));
    }
    if container.text_at("image").is_empty() {
        faults.required(&container.at("image"), "");
    }
    faults.one_of(&container.at("terminationMessagePolicy"), &["File", "FallbackToLogsOnError"]);
    check_ports(&container.at("ports"), faults);
    env::check(&container.at("env"), faults);
    env::check_from(&container.at("envFrom"), faults);
    mount::check(container, &pod.volumes, faults);
    mount::check_devices(container, &pod.volumes, faults);
    faults.one_of(&container.at("imagePullPolicy"), &["Always", "IfNotPresent", "Never"]);
    let resources = container.at("resources");
    resource::check_requirements(&resources, resource::container_resource_name, &pod.claims, faults);
    check_resize(&container.at("resizePolicy"), pod.restart, faults);
    security::check_container(&container.at("securityContext"), pod.host_users, faults);
}

fn check_ports(ports: &Field<'_>, faults: &mut Faults) {
    let mut names: Vec<String> = Vec::new();
    for port in ports.items() {
        let name = port.at("name");
        if !name.text().is_empty() {
            check_port_name(&name, &mut names, faults);
        }
        let number = port.at("containerPort");
        match number.number().unwrap_or(0) {
            0 => faults.required(&number, ""),
            value => faults.each_number(&number, format::port_number(value)),
        }
        let host = port.at("hostPort");
        if host.number().is_some_and(|value| value != 0) {
            faults.each_number(&host, format::port_number(host.number().unwrap_or(0)));
        }
        faults.one_of(&port.at("protocol"), &["SCTP", "TCP", "UDP"]);
    }
}

fn check_port_name(name: &Field<'_>, taken: &mut Vec<String>, faults: &mut Faults) {
    let messages = format::port_name(name.text());
    if !messages.is_empty() {
        faults.each(name, name.text(), messages);
    } else if taken.iter().any(|taken| taken == name.text()) {
        faults.duplicate(name, name.text());
    } else {
        taken.push(name.text().to_owned());
    }
}

/// Finds host ports used twice: among all containers, or within the one at `only`.
fn check_host_ports(containers: &Field<'_>, only: Option<usize>, faults: &mut Faults) {
    let mut taken: Vec<String> = Vec::new();
    for (index, container) in containers.items().enumerate() {
        if only.is_some_and(|only| only != index) {
            continue;
        }
        // Kubernetes checks init containers one by one and calls each the first.
        let shown = if only.is_some() { containers.index(0) } else { containers.index(index) };
        let shown_ports = shown.at("ports");
        for (port_index, port) in container.at("ports").items().enumerate() {
            let host = port.number_at("hostPort");
            if host == 0 {
                continue;
            }
            let key = format!("{}/{}/{host}", port.text_at("protocol"), port.text_at("hostIP"));
            if taken.contains(&key) {
                let shown_port = shown_ports.index(port_index);
                faults.duplicate(&shown_port.at("hostPort"), key);
            } else {
                taken.push(key);
            }
        }
    }
}

fn check_running(container: &Field<'_>, pod: &Surroundings<'_>, faults: &mut Faults) {
    if container.has("lifecycle") {
        probe::check_lifecycle(&container.at("lifecycle"), pod.grace, faults);
    }
    probe::check(&container.at("livenessProbe"), pod.grace, faults);
    probe::check_readiness(&container.at("readinessProbe"), pod.grace, faults);
    probe::check(&container.at("startupProbe"), pod.grace, faults);
}

/// A container's own restart policy and rules (KEP-5307).
fn check_restart(container: &Field<'_>, faults: &mut Faults) {
    let (policy, rules) = (container.at("restartPolicy"), container.at("restartPolicyRules"));
    faults.optional_one_of(&policy, &["Always", "Never", "OnFailure"]);
    if rules.is_empty() {
        return;
    }
    if !policy.is_set() {
        faults.required(&policy, "must specify restartPolicy when restart rules are used");
    }
    if rules.list().len() > 20 {
        faults.too_many(&rules, rules.list().len(), 20);
    }
    for rule in rules.items() {
        faults.one_of(&rule.at("action"), &["Restart"]);
        let codes = rule.at("exitCodes");
        if !codes.is_set() {
            faults.required(&codes, "must be specified");
            continue;
        }
        faults.one_of(&codes.at("operator"), &["In", "NotIn"]);
        let values = codes.at("values");
        if values.list().len() > 255 {
            faults.too_many(&values, values.list().len(), 255);
        }
    }
}

fn check_resize(policies: &Field<'_>, restart: &str, faults: &mut Faults) {
    let mut seen: Vec<String> = Vec::new();
    for policy in policies.items() {
        let (resource, action) = (policy.text_at("resourceName"), policy.text_at("restartPolicy"));
        if seen.iter().any(|taken| taken == resource) {
            faults.duplicate(&policy, resource);
        }
        seen.push(resource.to_owned());
        for (value, known) in [(resource, ["cpu", "memory"]), (action, ["NotRequired", "RestartContainer"])] {
            if value.is_empty() {
                faults.required(policies, "");
            } else if !known.contains(&value) {
                faults.unsupported_value(policies, value, &known);
            }
        }
        if restart == "Never" && action != "NotRequired" {
            let detail = "must be 'NotRequired' when `restartPolicy` is 'Never'";
            faults.invalid(policies, action, detail);
        }
    }
}
