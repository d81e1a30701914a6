//! What may change of a pod once it is there.
//!
//! Source: `pkg/apis/core/validation` of Kubernetes 1.36.

use api::meta::name;
use serde_json::Value;

use super::{container, placement};
use crate::strategy::field::{Faults, Field};
use crate::strategy::tree::{self, same};
use crate::strategy::{difference, format, metadata};

const UPDATABLE: &str = "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,\
                         `spec.tolerations` (only additions to existing tolerations),\
                         `spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

/// Finds what is wrong with a change of a pod.
pub(crate) fn check(new: &Field<'_>, old: &Field<'_>, faults: &mut Faults) {
    metadata::check_update(new, old, faults);
    super::check_metadata_and_spec(new, faults);
    check_annotations(new, old, faults);
    let (new, old) = (new.at("spec"), old.at("spec"));
    for list in ["containers", "initContainers"] {
        let (containers, before) = (new.at(list), old.at(list));
        if containers.list().len() != before.list().len() {
            return faults.forbidden(&containers, "pod updates may not add or remove containers");
        }
        for container in containers.items() {
            if container.text_at("image").is_empty() {
                faults.required(&container.at("image"), "");
            }
            container::check_image_space(&container, faults);
        }
    }
    if !check_deadline(&new, &old, faults) {
        return;
    }
    check_tolerations(&new, &old, faults);
    check_gates(&new, &old, faults);
    check_rest(&new, &old, faults);
}

/// Finds changed annotations that say what only the kubelet may say.
pub(crate) fn check_annotations(new: &Field<'_>, old: &Field<'_>, faults: &mut Faults) {
    const MIRROR: &str = "kubernetes.io/config.mirror";
    let (spec, new, old) = (new.at("spec"), new.at("metadata.annotations"), old.at("metadata.annotations"));
    let (mine, before) = (new.key(MIRROR), old.key(MIRROR));
    if before.is_set() && mine.value() != before.value() {
        faults.forbidden(&mine, "may not remove or update mirror pod annotation");
    } else if mine.is_set() && !before.is_set() {
        faults.forbidden(&mine, "may not add mirror pod annotation");
    }
    super::spec::check_annotations(&new, &spec, faults);
}

/// Tells whether the rest is worth checking.
fn check_deadline(new: &Field<'_>, old: &Field<'_>, faults: &mut Faults) -> bool {
    let (at, before) = (new.at("activeDeadlineSeconds"), old.at("activeDeadlineSeconds").number());
    match (at.number(), before) {
        (Some(seconds), _) if !(0..=i64::from(i32::MAX)).contains(&seconds) => {
            faults.wrong(&at, format::range_rule(0, i64::from(i32::MAX)));
            return false;
        }
        (Some(seconds), Some(before)) if before < seconds => {
            faults.wrong(&at, "must be less than or equal to previous value");
            return false;
        }
        (None, Some(_)) => faults.wrong(&at, "must not update from a positive integer to nil value"),
        _ => {}
    }
    true
}

fn check_tolerations(new: &Field<'_>, old: &Field<'_>, faults: &mut Faults) {
    let (tolerations, before) = (new.at("tolerations"), old.at("tolerations"));
    let without_seconds = |toleration: &Value| {
        let mut toleration = toleration.clone();
        if let Some(fields) = toleration.as_object_mut() {
            fields.remove("tolerationSeconds");
        }
        toleration
    };
    let now: Vec<Value> = tolerations.list().iter().map(without_seconds).collect();
    for old in before.list().iter().map(without_seconds) {
        if !now.iter().any(|new| same(new, &old)) {
            let detail = "existing toleration can not be modified except its tolerationSeconds";
            return faults.forbidden(&tolerations, detail);
        }
    }
    placement::tolerations(&tolerations, faults);
}

fn check_gates(new: &Field<'_>, old: &Field<'_>, faults: &mut Faults) {
    let before = old.at("schedulingGates");
    for gate in new.at("schedulingGates").items() {
        let name = gate.text_at("name");
        if !before.items().any(|old| old.text_at("name") == name) {
            let detail = format!("only deletion is allowed, but found new scheduling gate '{name}'");
            faults.forbidden(&gate.at("name"), detail);
        }
    }
}

fn check_rest(new: &Field<'_>, old: &Field<'_>, faults: &mut Faults) {
    if same(new.value(), old.value()) {
        return;
    }
    let mut munged = new.value().clone();
    for list in ["containers", "initContainers"] {
        let images = old.at(list).list();
        let containers = munged.get_mut(list).and_then(Value::as_array_mut);
        for (container, old) in containers.into_iter().flatten().zip(images) {
            tree::keep(container, old, "image");
        }
    }
    for field in ["activeDeadlineSeconds", "schedulingGates", "tolerations"] {
        tree::keep(&mut munged, old.value(), field);
    }
    if old.number_at("terminationGracePeriodSeconds") < 0
        && new.number_at("terminationGracePeriodSeconds") == 1
    {
        tree::keep(&mut munged, old.value(), "terminationGracePeriodSeconds");
    }
    if !old.at("schedulingGates").is_empty() {
        check_gated(new, old, &mut munged, faults);
    }
    if !same(&munged, old.value()) {
        let changes = difference::describe(old.value(), &munged);
        faults.forbidden(new, format!("pod updates may not change fields other than {UPDATABLE}\n{changes}"));
    }
}

/// A pod that waits at a gate may still be told more about where to run.
fn check_gated(new: &Field<'_>, old: &Field<'_>, munged: &mut Value, faults: &mut Faults) {
    let (selector, before) = (new.at("nodeSelector"), old.at("nodeSelector"));
    if before.entries().any(|(key, value)| selector.key(key).value() != value.value()) {
        let detail = "only additions to spec.nodeSelector are allowed (no mutations or deletions)";
        faults.wrong(&selector, detail);
    }
    tree::keep(munged, old.value(), "nodeSelector");
    let (affinity, before) = (new.at("affinity.nodeAffinity"), old.at("affinity.nodeAffinity"));
    if same(affinity.value(), before.value()) {
        return;
    }
    check_gated_affinity(&affinity, &before, faults);
    let old_affinity = old.at("affinity");
    if let Some(now) = munged.get_mut("affinity").filter(|now| now.is_object()) {
        tree::keep(now, old_affinity.value(), "nodeAffinity");
    } else {
        tree::keep(munged, old.value(), "affinity");
    }
}

fn check_gated_affinity(new: &Field<'_>, old: &Field<'_>, faults: &mut Faults) {
    const TERMS: &str = "requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms";
    let (terms, before) = (new.at(TERMS), old.at(TERMS));
    if before.is_empty() {
        return;
    }
    if before.list().len() != terms.list().len() {
        let detail = "no additions/deletions to non-empty NodeSelectorTerms list are allowed";
        return faults.wrong(&terms, detail);
    }
    for (term, before) in terms.items().zip(before.items()) {
        if !only_additions(&term, &before) {
            faults.wrong(&term, "only additions are allowed (no mutations or deletions)");
        }
    }
}

fn only_additions(new: &Field<'_>, old: &Field<'_>) -> bool {
    let lists = ["matchExpressions", "matchFields"];
    if lists.iter().all(|list| old.at(list).is_empty()) {
        return lists.iter().all(|list| new.at(list).is_empty());
    }
    lists.iter().all(|list| {
        let (new, old) = (new.at(list).list(), old.at(list).list());
        old.len() <= new.len() && old.iter().zip(new).all(|(old, new)| same(old, new))
    })
}

/// Finds what is wrong with a change of a pod's status.
pub(crate) fn check_status(new: &Field<'_>, old: &Field<'_>, faults: &mut Faults) {
    metadata::check_update(new, old, faults);
    check_annotations(new, old, faults);
    let (status, before) = (new.at("status"), old.at("status"));
    let metadata = new.at("metadata");
    let shown = metadata.at("conditions");
    for (index, condition) in status.at("conditions").items().enumerate() {
        let kind = condition.text_at("type");
        if !matches!(kind, "PodScheduled" | "Ready" | "Initialized") {
            faults.each(&shown.index(index).at("Type"), kind, name::qualified_name(kind));
        }
    }
    if new.text_at("spec.nodeName") != old.text_at("spec.nodeName") {
        faults.forbidden(&status.at("nodeName"), "may not be changed directly");
    }
    let nominated = status.at("nominatedNodeName");
    if !nominated.text().is_empty() && nominated.text() != before.text_at("nominatedNodeName") {
        faults.each(&nominated, nominated.text(), name::dns1123_subdomain(nominated.text()));
    }
    faults.immutable(&status.at("qosClass"), &before.at("qosClass"));
    let policy = old.text_at("spec.restartPolicy");
    for (list, policy) in [
        ("containerStatuses", policy),
        ("initContainerStatuses", policy),
        ("ephemeralContainerStatuses", "Never"),
    ] {
        check_transitions(&status.at(list), &before.at(list), policy, &old.at("spec"), faults);
    }
    check_claim_statuses(&status.at("resourceClaimStatuses"), &new.at("spec.resourceClaims"), faults);
    check_addresses(&status.at("podIPs"), faults);
    check_host_addresses(&status, faults);
}

/// A container that has ended for good does not come back.
fn check_transitions(new: &Field<'_>, old: &Field<'_>, policy: &str, spec: &Field<'_>, faults: &mut Faults) {
    if policy == "Always" {
        return;
    }
    let (regular, inits) = (spec.at("containers"), spec.at("initContainers"));
    for (index, before) in old.items().enumerate() {
        let end = before.at("state.terminated");
        let name = before.text_at("name");
        let own_policy = |c: &Field<'_>| c.text_at("name") == name && c.has("restartPolicy");
        let restarts = regular.items().chain(inits.items()).any(|container| own_policy(&container));
        if !end.is_set() || (end.number_at("exitCode") != 0 && policy == "OnFailure") || restarts {
            continue;
        }
        if new.items().any(|now| now.text_at("name") == name && !now.has("state.terminated")) {
            let item = new.index(index);
            faults.forbidden(&item.at("state"), "may not be transitioned to non-terminated state");
        }
    }
}

fn check_claim_statuses(statuses: &Field<'_>, claims: &Field<'_>, faults: &mut Faults) {
    let mut names: Vec<String> = Vec::new();
    for status in statuses.items() {
        let name = status.at("name");
        if !claims.items().any(|claim| claim.text_at("name") == name.text()) {
            faults.wrong_text(&name, "must match the name of an entry in `spec.resourceClaims`");
        }
        if names.iter().any(|taken| taken == name.text()) {
            faults.duplicate(&name, name.text());
        }
        names.push(name.text().to_owned());
        let claim = status.at("resourceClaimName");
        if claim.is_set() {
            faults.each(&name, claim.text(), name::dns1123_subdomain(claim.text()));
        }
    }
}

fn check_addresses(ips: &Field<'_>, faults: &mut Faults) {
    for ip in ips.items() {
        faults.each(&ip, ip.text_at("ip"), format::ip(ip.text_at("ip")));
    }
    let all = ips.list();
    if all.len() < 2 {
        return;
    }
    let texts = all.iter().filter_map(|ip| ip.get("ip")?.as_str());
    if format::is_dual_stack(texts) != Some(true) || all.len() > 2 {
        faults.wrong(ips, "may specify no more than one IP for each IP family");
    }
    for (index, ip) in ips.items().enumerate() {
        if all[..index].contains(ip.value()) {
            faults.duplicate(&ip, ip.value().clone());
        }
    }
}

fn check_host_addresses(status: &Field<'_>, faults: &mut Faults) {
    let ips = status.at("hostIPs");
    if ips.is_empty() {
        return;
    }
    let first = ips.index(0);
    if first.text_at("ip") != status.text_at("hostIP") {
        faults.wrong_text(&first.at("ip"), "must be equal to `hostIP`");
    }
    check_addresses(&ips, faults);
}
