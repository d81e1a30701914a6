//! ValidatingAdmissionPolicies, MutatingAdmissionPolicies and their bindings.
//!
//! Expressions are not compiled here: whoever evaluates them refuses what does not compile.

use serde_json::{Map, Value};

use crate::strategy::field::{Faults, Field};
use crate::strategy::metadata::{self, Meta};
use crate::strategy::tree::{Fields, each, fields_at, fill, inner};
use crate::strategy::{Generation, Strategy, drop_status, keep_status};

const GROUP: &str = "admissionregistration.k8s.io";

pub(super) const VALIDATING: Strategy = Strategy {
    group: GROUP,
    kind: "ValidatingAdmissionPolicy",
    generation: Generation::OfSpec,
    default: default_policy,
    prepare_create: drop_status,
    prepare_update: keep_status,
    validate: |policy, faults| {
        Meta::CLUSTER.check(policy, faults);
        check_validating(&policy.at("spec"), faults);
    },
    validate_update: |new, old, faults| {
        metadata::check_update(new, old, faults);
        check_validating(&new.at("spec"), faults);
    },
    ..Strategy::DEFAULT
};

pub(super) const MUTATING: Strategy = Strategy {
    kind: "MutatingAdmissionPolicy",
    validate: |policy, faults| {
        Meta::CLUSTER.check(policy, faults);
        check_mutating(&policy.at("spec"), faults);
    },
    validate_update: |new, old, faults| {
        metadata::check_update(new, old, faults);
        check_mutating(&new.at("spec"), faults);
    },
    ..VALIDATING
};

pub(super) const VALIDATING_BINDING: Strategy = Strategy {
    kind: "ValidatingAdmissionPolicyBinding",
    generation: Generation::OfSpec,
    default: default_binding,
    validate: |binding, faults| {
        Meta::CLUSTER.check(binding, faults);
        check_binding(&binding.at("spec"), faults);
        check_actions(&binding.at("spec"), faults);
    },
    validate_update: |new, old, faults| {
        metadata::check_update(new, old, faults);
        check_binding(&new.at("spec"), faults);
        check_actions(&new.at("spec"), faults);
    },
    group: GROUP,
    ..Strategy::DEFAULT
};

pub(super) const MUTATING_BINDING: Strategy = Strategy {
    kind: "MutatingAdmissionPolicyBinding",
    validate: |binding, faults| {
        Meta::CLUSTER.check(binding, faults);
        check_binding(&binding.at("spec"), faults);
    },
    validate_update: |new, old, faults| {
        metadata::check_update(new, old, faults);
        check_binding(&new.at("spec"), faults);
    },
    ..VALIDATING_BINDING
};

fn default_policy(policy: &mut Value) {
    let Some(spec) = fields_at(policy, "spec") else { return };
    fill(spec, "failurePolicy", "Fail");
    if let Some(matches) = inner(spec, "matchConstraints") {
        default_matches(matches);
    }
}

fn default_binding(binding: &mut Value) {
    if let Some(matches) = fields_at(binding, "spec.matchResources") {
        default_matches(matches);
    }
}

fn default_matches(matches: &mut Fields) {
    fill(matches, "matchPolicy", "Equivalent");
    fill(matches, "namespaceSelector", Map::new());
    fill(matches, "objectSelector", Map::new());
    for list in ["resourceRules", "excludeResourceRules"] {
        each(matches, list).for_each(|rule| fill(rule, "scope", "*"));
    }
}

fn check_validating(spec: &Field<'_>, faults: &mut Faults) {
    check_policy(spec, faults);
    let (validations, audits) = (spec.at("validations"), spec.at("auditAnnotations"));
    if validations.is_empty() && audits.is_empty() {
        for list in [&validations, &audits] {
            faults.required(list, "validations or auditAnnotations must contain at least one item");
        }
    }
    for validation in validations.items() {
        check_expression(&validation.at("expression"), "expression is not specified", faults);
    }
    for audit in audits.items() {
        check_expression(&audit.at("valueExpression"), "valueExpression is not specified", faults);
    }
}

fn check_mutating(spec: &Field<'_>, faults: &mut Faults) {
    check_policy(spec, faults);
    let mutations = spec.at("mutations");
    if mutations.is_empty() {
        faults.required(&mutations, "mutations must contain at least one item");
    }
    faults.one_of(&spec.at("reinvocationPolicy"), &["IfNeeded", "Never"]);
}

fn check_policy(spec: &Field<'_>, faults: &mut Faults) {
    faults.optional_one_of(&spec.at("failurePolicy"), &["Fail", "Ignore"]);
    let matches = spec.at("matchConstraints");
    if matches.is_set() {
        check_matches(&matches, faults);
        let rules = matches.at("resourceRules");
        if rules.is_empty() {
            faults.required(&rules, "");
        }
    } else {
        faults.required(&matches, "");
    }
}

fn check_matches(matches: &Field<'_>, faults: &mut Faults) {
    faults.optional_one_of(&matches.at("matchPolicy"), &["Equivalent", "Exact"]);
    metadata::selector(&matches.at("namespaceSelector"), faults);
    metadata::selector(&matches.at("objectSelector"), faults);
}

fn check_expression(expression: &Field<'_>, missing: &str, faults: &mut Faults) {
    if expression.text().trim().is_empty() {
        faults.required(expression, missing);
    }
}

fn check_binding(spec: &Field<'_>, faults: &mut Faults) {
    let policy = spec.at("policyName");
    if policy.text().is_empty() {
        faults.required(&policy, "");
    } else {
        faults.each(&policy, policy.text(), api::meta::name::dns1123_subdomain(policy.text()));
    }
    check_matches(&spec.at("matchResources"), faults);
}

fn check_actions(spec: &Field<'_>, faults: &mut Faults) {
    let actions = spec.at("validationActions");
    if actions.is_empty() {
        return faults.required(&actions, "");
    }
    let texts: Vec<&str> = actions.texts().collect();
    for (index, action) in actions.items().enumerate() {
        if !matches!(action.text(), "Audit" | "Deny" | "Warn") {
            faults.unsupported(&action, &["Audit", "Deny", "Warn"]);
        }
        if texts[..index.min(texts.len())].contains(&action.text()) {
            faults.duplicate(&action, action.text());
        }
    }
    if texts.contains(&"Deny") && texts.contains(&"Warn") {
        let detail = "must not contain both Deny and Warn (repeating the same validation failure information in \
            the API response and headers serves no purpose)";
        faults.wrong(&actions, detail);
    }
}
