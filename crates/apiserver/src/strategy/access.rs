//! RBAC: roles and bindings.
//!
//! Source: `pkg/apis/rbac/{v1/defaults,validation}` of Kubernetes 1.36. Escalation is the registry's to check.

use api::meta::name;
use serde_json::Value;

use super::Strategy;
use super::field::{Faults, Field};
use super::metadata::{self, Meta, Scope};
use super::tree::{each, fill_zero, inner, text};

const GROUP: &str = "rbac.authorization.k8s.io";

/// The rows of access control.
pub(super) static ROWS: &[Strategy] = &[
    Strategy {
        group: GROUP,
        kind: "Role",
        validate: |role, faults| check_role(role, true, faults),
        validate_update: |new, old, faults| {
            check_role(new, true, faults);
            metadata::check_update(new, old, faults);
        },
        ..Strategy::DEFAULT
    },
    Strategy {
        group: GROUP,
        kind: "ClusterRole",
        validate: |role, faults| check_role(role, false, faults),
        validate_update: |new, old, faults| {
            check_role(new, false, faults);
            metadata::check_update(new, old, faults);
        },
        ..Strategy::DEFAULT
    },
    Strategy {
        group: GROUP,
        kind: "RoleBinding",
        default: default_binding,
        validate: |binding, faults| check_binding(binding, true, faults),
        validate_update: |new, old, faults| {
            check_binding(new, true, faults);
            check_same_role(new, old, faults);
        },
        ..Strategy::DEFAULT
    },
    Strategy {
        group: GROUP,
        kind: "ClusterRoleBinding",
        default: default_binding,
        validate: |binding, faults| check_binding(binding, false, faults),
        validate_update: |new, old, faults| {
            check_binding(new, false, faults);
            check_same_role(new, old, faults);
        },
        ..Strategy::DEFAULT
    },
];

/// Names need only fit into a path: `system:node` is one.
const fn meta(namespaced: bool) -> Meta {
    Meta { scope: if namespaced { Scope::Namespaced } else { Scope::Cluster }, name: name::path_segment }
}

fn default_binding(binding: &mut Value) {
    let Some(fields) = binding.as_object_mut() else { return };
    inner(fields, "roleRef").into_iter().for_each(|role| fill_zero(role, "apiGroup", GROUP));
    for subject in each(fields, "subjects") {
        if matches!(text(subject, "kind"), "User" | "Group") {
            fill_zero(subject, "apiGroup", GROUP);
        }
    }
}

fn check_role(role: &Field<'_>, namespaced: bool, faults: &mut Faults) {
    meta(namespaced).check(role, faults);
    role.at("rules").items().for_each(|rule| check_rule(&rule, namespaced, faults));
    for selector in role.at("aggregationRule.clusterRoleSelectors").items().filter(|_| !namespaced) {
        metadata::selector(&selector, faults);
    }
    if !namespaced
        && role.has("aggregationRule")
        && role.at("aggregationRule.clusterRoleSelectors").is_empty()
    {
        let detail = "at least one clusterRoleSelector required if aggregationRule is non-nil";
        faults.required(&role.at("aggregationRule.clusterRoleSelectors"), detail);
    }
}

fn check_rule(rule: &Field<'_>, namespaced: bool, faults: &mut Faults) {
    let (verbs, urls) = (rule.at("verbs"), rule.at("nonResourceURLs"));
    let (groups, resources, names) = (rule.at("apiGroups"), rule.at("resources"), rule.at("resourceNames"));
    if verbs.is_empty() {
        faults.required(&verbs, "verbs must contain at least one value");
    }
    if !urls.is_empty() {
        if namespaced {
            faults.wrong(&urls, "namespaced rules cannot apply to non-resource URLs");
        }
        if [&groups, &resources, &names].iter().any(|list| !list.is_empty()) {
            faults.wrong(&urls, "rules cannot apply to both regular resources and non-resource URLs");
        }
        return;
    }
    if groups.is_empty() {
        faults.required(&groups, "resource rules must supply at least one api group");
    }
    if resources.is_empty() {
        faults.required(&resources, "resource rules must supply at least one resource");
    }
}

fn check_binding(binding: &Field<'_>, namespaced: bool, faults: &mut Faults) {
    meta(namespaced).check(binding, faults);
    let role = binding.at("roleRef");
    let (group, kind, name) = (role.at("apiGroup"), role.at("kind"), role.at("name"));
    if group.text() != GROUP {
        faults.unsupported(&group, &[GROUP]);
    }
    let kinds: &[&str] = if namespaced { &["Role", "ClusterRole"] } else { &["ClusterRole"] };
    if !kinds.contains(&kind.text()) {
        faults.unsupported(&kind, kinds);
    }
    if name.text().is_empty() {
        faults.required(&name, "");
    } else {
        faults.each(&name, name.text(), name::path_segment(name.text()));
    }
    binding.at("subjects").items().for_each(|subject| check_subject(&subject, namespaced, faults));
}

fn check_subject(subject: &Field<'_>, namespaced: bool, faults: &mut Faults) {
    let (kind, name, group) = (subject.at("kind"), subject.at("name"), subject.at("apiGroup"));
    if name.text().is_empty() {
        faults.required(&name, "");
    }
    match kind.text() {
        "ServiceAccount" => {
            if !name.text().is_empty() {
                faults.each(&name, name.text(), name::dns1123_subdomain(name.text()));
            }
            if !group.text().is_empty() {
                faults.unsupported(&group, &[""]);
            }
            if !namespaced && subject.text_at("namespace").is_empty() {
                faults.required(&subject.at("namespace"), "");
            }
        }
        "User" | "Group" => {
            if group.text() != GROUP {
                faults.unsupported(&group, &[GROUP]);
            }
        }
        _ => faults.unsupported(&kind, &["ServiceAccount", "User", "Group"]),
    }
}

fn check_same_role(new: &Field<'_>, old: &Field<'_>, faults: &mut Faults) {
    metadata::check_update(new, old, faults);
    let (role, before) = (new.at("roleRef"), old.at("roleRef"));
    if !super::tree::same(role.value(), before.value()) {
        faults.wrong(&role, "cannot change roleRef");
    }
}
