//! What must be right about a pod's spec, in a pod and in a template.
//!
//! Source: `pkg/apis/core/validation` of Kubernetes 1.36.

use api::meta::name;

use super::container::{self, Surroundings};
use super::{level, placement, security, volume};
use crate::strategy::field::{Faults, Field};
use crate::strategy::{format, metadata, resource};

/// Finds what is wrong with a pod's spec; `pod` is the pod's name, where it is that of a pod.
pub(crate) fn check(spec: &Field<'_>, pod: Option<&str>, is_pod: bool, faults: &mut Faults) {
    let grace = spec.at("terminationGracePeriodSeconds");
    if !grace.is_set() {
        faults.required(&grace, "");
    }
    let volumes_at = spec.at("volumes");
    let volumes = volume::check_all(&volumes_at, pod, is_pod, faults);
    let claims_at = spec.at("resourceClaims");
    check_claims(&claims_at, faults);
    let names = claims_at.list().iter().filter_map(|claim| claim.get("name")?.as_str());
    let surroundings = Surroundings {
        volumes,
        claims: names.filter(|name| !name.is_empty()).collect(),
        grace: grace.number(),
        restart: spec.text_at("restartPolicy"),
        host_users: spec.at("hostUsers").truth().unwrap_or(true),
    };
    container::check_all(&spec.at("containers"), &surroundings, faults);
    container::check_init(spec, &surroundings, faults);
    container::check_ephemeral(spec, &surroundings, faults);
    level::check(spec, &surroundings.claims, faults);
    check_host_network(spec, is_pod, faults);
    check_policies(spec, faults);
    security::check_host_process(spec, faults);
    check_host_users(spec, faults);
    check_names(spec, faults);
    check_rest(spec, faults);
    security::check_os(spec, faults);
}

fn check_claims(claims: &Field<'_>, faults: &mut Faults) {
    let mut names: Vec<String> = Vec::new();
    for claim in claims.items() {
        let name = claim.at("name");
        if name.text().is_empty() {
            faults.required(&name, "");
        } else if names.iter().any(|taken| taken == name.text()) {
            faults.duplicate(&name, name.text());
        } else {
            faults.each(&name, name.text(), name::dns1123_label(name.text()));
            names.push(name.text().to_owned());
        }
        match (claim.has("resourceClaimName"), claim.has("resourceClaimTemplateName")) {
            (true, true) => {
                let detail =
                    "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified";
                faults.wrong(&claim, detail);
            }
            (false, false) => {
                faults.wrong(&claim, "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`");
            }
            _ => {}
        }
        for field in ["resourceClaimName", "resourceClaimTemplateName"] {
            subdomain(&claim.at(field), faults);
        }
    }
}

/// Finds what is wrong with a reference by name, where it is set.
fn subdomain(at: &Field<'_>, faults: &mut Faults) {
    if at.is_set() {
        faults.each(at, at.text(), name::dns1123_subdomain(at.text()));
    }
}

/// A pod in the host's network has its container ports there.
fn check_host_network(spec: &Field<'_>, is_pod: bool, faults: &mut Faults) {
    if !spec.is_true("hostNetwork") {
        return;
    }
    for container in spec.at("containers").items() {
        for port in container.at("ports").items() {
            let (host, own) = (port.number_at("hostPort"), port.number_at("containerPort"));
            if (is_pod || host != 0) && host != own {
                let detail = "must match `containerPort` when `hostNetwork` is true";
                faults.invalid(&port.at("hostPort"), host, detail);
            }
        }
    }
}

fn check_policies(spec: &Field<'_>, faults: &mut Faults) {
    faults.one_of(&spec.at("restartPolicy"), &["Always", "OnFailure", "Never"]);
    faults.one_of(&spec.at("dnsPolicy"), &["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"]);
    metadata::labels(&spec.at("nodeSelector"), faults);
    security::check_pod(spec, faults);
    placement::affinity(&spec.at("affinity"), faults);
    check_dns(&spec.at("dnsConfig"), spec.text_at("dnsPolicy"), faults);
    for gate in spec.at("readinessGates").items() {
        let condition = gate.at("conditionType");
        faults.each(&condition, condition.text(), name::qualified_name(condition.text()));
    }
    check_scheduling_gates(&spec.at("schedulingGates"), faults);
    placement::spread(&spec.at("topologySpreadConstraints"), faults);
}

fn check_scheduling_gates(gates: &Field<'_>, faults: &mut Faults) {
    let mut names: Vec<String> = Vec::new();
    for gate in gates.items() {
        let name = gate.text_at("name");
        faults.each(&gate, name, name::qualified_name(name));
        if names.iter().any(|taken| taken == name) {
            faults.duplicate(&gate, name);
        }
        names.push(name.to_owned());
    }
}

fn check_dns(config: &Field<'_>, policy: &str, faults: &mut Faults) {
    let (servers, searches) = (config.at("nameservers"), config.at("searches"));
    if policy == "None" {
        if !config.is_set() {
            return faults.required(config, "must provide `dnsConfig` when `dnsPolicy` is None");
        }
        if servers.is_empty() {
            let detail = "must provide at least one DNS nameserver when `dnsPolicy` is None";
            return faults.required(&servers, detail);
        }
    }
    if servers.list().len() > 3 {
        faults.wrong(&servers, "must not have more than 3 nameservers");
    }
    for server in servers.items() {
        faults.each(&server, server.text(), format::ip(server.text()));
    }
    if searches.list().len() > 32 {
        faults.wrong(&searches, "must not have more than 32 search paths");
    }
    let joined: usize = searches.texts().map(|search| search.len() + 1).sum();
    if joined.saturating_sub(1) > 2048 {
        faults.wrong(
            &searches,
            "must not have more than 2048 characters (including spaces) in the search list",
        );
    }
    for search in searches.items().filter(|search| search.text() != ".") {
        let text = search.text().strip_suffix('.').unwrap_or(search.text());
        faults.each(&search, text, format::search_domain(text));
    }
    for option in config.at("options").items() {
        if option.text_at("name").is_empty() {
            faults.required(&option, "must not be empty");
        }
    }
}

fn check_host_users(spec: &Field<'_>, faults: &mut Faults) {
    if spec.at("hostUsers").truth() != Some(false) {
        return;
    }
    for (field, path) in [("hostNetwork", "hostNetwork"), ("hostPID", "HostPID"), ("hostIPC", "HostIPC")] {
        if spec.is_true(field) {
            faults.forbidden(&spec.at(path), "when `pod.Spec.HostUsers` is false");
        }
    }
}

fn check_names(spec: &Field<'_>, faults: &mut Faults) {
    for field in ["serviceAccountName", "nodeName"] {
        if !spec.text_at(field).is_empty() {
            subdomain(&spec.at(field), faults);
        }
    }
    let deadline = spec.at("activeDeadlineSeconds");
    if let Some(seconds) = deadline.number() {
        faults.each_number(&deadline, format::in_range(seconds, 1, i64::from(i32::MAX)));
    }
    for field in ["hostname", "subdomain"] {
        let at = spec.at(field);
        if !at.text().is_empty() {
            faults.each(&at, at.text(), name::dns1123_label(at.text()));
        }
    }
    check_hostname_override(spec, faults);
}

/// KEP-4762.
fn check_hostname_override(spec: &Field<'_>, faults: &mut Faults) {
    let hostname = spec.at("hostnameOverride");
    if !hostname.is_set() {
        return;
    }
    subdomain(&hostname, faults);
    if hostname.text().len() > 64 {
        faults.too_long(&hostname, 64);
    }
    if spec.is_true("hostNetwork") {
        faults.forbidden(&hostname, "may not be specified when `hostNetwork` is true");
    }
    if spec.is_true("setHostnameAsFQDN") {
        faults.forbidden(&hostname, "may not be specified when `setHostnameAsFQDN` is true");
    }
}

fn check_rest(spec: &Field<'_>, faults: &mut Faults) {
    placement::tolerations(&spec.at("tolerations"), faults);
    for alias in spec.at("hostAliases").items() {
        faults.each(&alias.at("ip"), alias.text_at("ip"), format::ip(alias.text_at("ip")));
        for host in alias.at("hostnames").items() {
            faults.each(&host, host.text(), name::dns1123_subdomain(host.text()));
        }
    }
    if !spec.text_at("priorityClassName").is_empty() {
        subdomain(&spec.at("priorityClassName"), faults);
    }
    subdomain(&spec.at("runtimeClassName"), faults);
    let preemption = spec.at("preemptionPolicy");
    if preemption.is_set() {
        faults.one_of(&preemption, &["PreemptLowerPriority", "Never"]);
    }
    let overhead = spec.at("overhead");
    for (name, amount) in overhead.entries() {
        let at = overhead.at("limits");
        let shown = at.key(name);
        resource::container_resource_name(name, &shown, faults);
        resource::check_amount_at(name, amount.value(), &shown, faults);
    }
}

/// Finds what is wrong with a pod's own annotations.
pub(crate) fn check_annotations(annotations: &Field<'_>, spec: &Field<'_>, faults: &mut Faults) {
    let mirror = annotations.key("kubernetes.io/config.mirror");
    if mirror.is_set() && spec.text_at("nodeName").is_empty() {
        faults.wrong_text(&mirror, "must set spec.nodeName if mirror pod annotation is set");
    }
    let cost = annotations.key("controller.kubernetes.io/pod-deletion-cost");
    if cost.is_set() && !is_deletion_cost(cost.text()) {
        faults.wrong_text(&cost, "must be a 32bit integer");
    }
}

/// A number of 32 bits without a plus sign or a leading zero.
fn is_deletion_cost(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let padded = digits.len() > 1 && digits.starts_with('0') || text.starts_with('+') || text == "-0";
    text.parse::<i32>().is_ok() && !padded
}

/// Finds what is wrong with a pod template.
pub(crate) fn check_template(template: &Field<'_>, faults: &mut Faults) {
    let spec = template.at("spec");
    let (metadata, annotations) = (template.at("metadata"), template.at("annotations"));
    // Kubernetes' paths leave `metadata` out here.
    let (labels, own) = (metadata.at("labels"), metadata.at("annotations"));
    metadata::labels(&labels.moved_to(&template.at("labels")), faults);
    metadata::annotations(&own.moved_to(&annotations), faults);
    check_annotations(&own.moved_to(&annotations), &spec, faults);
    check(&spec, None, false, faults);
    if !spec.at("ephemeralContainers").is_empty() {
        let detail = "ephemeral containers not allowed in pod template";
        faults.forbidden(&spec.at("ephemeralContainers"), detail);
    }
}
