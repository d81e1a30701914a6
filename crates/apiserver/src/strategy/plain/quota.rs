//! ResourceQuotas.

use serde_json::{Value, json};

use crate::strategy::field::{Faults, Field};
use crate::strategy::metadata::{self, Meta};
use crate::strategy::tree::{self, fill};
use crate::strategy::{Strategy, keep_status, resource};

pub(super) const ROW: Strategy = Strategy {
    kind: "ResourceQuota",
    default: |quota| {
        quota.as_object_mut().into_iter().for_each(|fields| fill(fields, "status", json!({})));
        for (part, list) in [("spec", "hard"), ("status", "hard"), ("status", "used")] {
            tree::fields_at(quota, part).into_iter().for_each(|part| resource::canonical_list(part, list));
        }
    },
    prepare_create: |quota| {
        quota.as_object_mut().into_iter().for_each(|fields| {
            fields.insert("status".into(), json!({}));
        });
    },
    prepare_update: keep_status,
    validate: |quota, faults| {
        Meta::NAMESPACED.check(quota, faults);
        check_spec(&quota.at("spec"), faults);
        check_status(&quota.at("status"), faults);
    },
    validate_update: |new, old, faults| {
        metadata::check_update(new, old, faults);
        check_spec(&new.at("spec"), faults);
        let scopes = new.at("spec.scopes");
        if sorted(&scopes) != sorted(&old.at("spec.scopes")) {
            faults.wrong(&scopes, "field is immutable");
        }
    },
    validate_status: |new, old, faults| {
        metadata::check_update(new, old, faults);
        if new.text_at("metadata.resourceVersion").is_empty() {
            faults.required(&new.at("resourceVersion"), "");
        }
        check_status(&new.at("status"), faults);
    },
    ..Strategy::DEFAULT
};

const SCOPES: [&str; 7] = [
    "Terminating",
    "NotTerminating",
    "BestEffort",
    "NotBestEffort",
    "PriorityClass",
    "CrossNamespacePodAffinity",
    "VolumeAttributesClass",
];

fn sorted<'a>(list: &Field<'a>) -> Vec<&'a str> {
    let mut texts: Vec<&str> = list.texts().collect();
    texts.sort_unstable();
    texts.dedup();
    texts
}

fn check_status(status: &Field<'_>, faults: &mut Faults) {
    resource::check_list(&status.at("hard"), resource::quota_resource_name, faults);
    resource::check_list(&status.at("used"), resource::quota_resource_name, faults);
}

/// Whether a scope makes sense for a resource: most are about pods, and without requests only about their number.
fn applies(scope: &str, name: &str) -> bool {
    let compute = matches!(
        name,
        "pods" | "cpu" | "memory" | "requests.cpu" | "requests.memory" | "limits.cpu" | "limits.memory"
    );
    match scope {
        "Terminating"
        | "NotTerminating"
        | "NotBestEffort"
        | "PriorityClass"
        | "CrossNamespacePodAffinity" => compute,
        "BestEffort" => name == "pods",
        "VolumeAttributesClass" => matches!(name, "persistentvolumeclaims" | "requests.storage"),
        _ => true,
    }
}

fn check_spec(spec: &Field<'_>, faults: &mut Faults) {
    let hard = spec.at("hard");
    resource::check_list(&hard, resource::quota_resource_name, faults);
    let names: Vec<&str> = hard.map().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    let misfits = |scope: &str| {
        names.iter().filter(|name| resource::is_standard_for_quota(name) && !applies(scope, name)).count()
    };
    let scopes = spec.at("scopes");
    for scope in scopes.texts() {
        if !SCOPES.contains(&scope) {
            faults.wrong(&scopes, "unsupported scope");
        }
        (0..misfits(scope)).for_each(|_| faults.wrong(&scopes, "unsupported scope applied to resource"));
    }
    check_conflicts(&scopes, &scopes.texts().collect::<Vec<_>>(), &scopes, faults);
    let selector = spec.at("scopeSelector");
    let expressions = selector.at("matchExpressions");
    let mut named: Vec<&str> = Vec::new();
    for (expression, value) in expressions.items().zip(expressions.list()) {
        let scope = value.get("scopeName").and_then(Value::as_str).unwrap_or("");
        check_expression(&expressions, &expression, faults);
        let wrong = "unsupported scope applied to resource";
        (0..misfits(scope)).for_each(|_| faults.invalid(&expressions, selector.value().clone(), wrong));
        named.push(scope);
    }
    check_conflicts(&expressions, &named, &scopes, faults);
}

/// The paths of these faults lack the expression's index, as in Kubernetes.
fn check_expression(at: &Field<'_>, expression: &Field<'_>, faults: &mut Faults) {
    let (scope, operator, values) =
        (expression.text_at("scopeName"), expression.text_at("operator"), expression.at("values"));
    if !SCOPES.contains(&scope) {
        faults.invalid(&at.at("scopeName"), scope, "unsupported scope");
    }
    let plain = !matches!(scope, "PriorityClass" | "VolumeAttributesClass") && SCOPES.contains(&scope);
    if plain && operator != "Exists" {
        let detail = "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, \
                      ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, \
                      ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity";
        faults.invalid(&at.at("operator"), operator, detail);
    }
    match operator {
        "In" | "NotIn" if values.is_empty() => {
            let detail = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector";
            faults.required(&at.at("values"), detail);
        }
        "Exists" | "DoesNotExist" if !values.is_empty() => {
            let detail = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector";
            faults.invalid(&at.at("values"), values.value().clone(), detail);
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
        _ => faults.invalid(&at.at("operator"), operator, "not a valid selector operator"),
    }
}

fn check_conflicts(at: &Field<'_>, scopes: &[&str], shown: &Field<'_>, faults: &mut Faults) {
    for pair in [["BestEffort", "NotBestEffort"], ["Terminating", "NotTerminating"]] {
        if pair.iter().all(|scope| scopes.contains(scope)) {
            faults.invalid(at, shown.value().clone(), "conflicting scopes");
        }
    }
}
