//! When a Job's pods count as failed, replaced or enough.

use api::meta::name;
use serde_json::Value;

use super::indexes;
use crate::strategy::field::{Faults, Field};

/// Finds what is wrong with a Job's policies.
pub(super) fn check(spec: &Field<'_>, faults: &mut Faults) {
    let failure = spec.at("podFailurePolicy");
    if failure.is_set() {
        check_failure(spec, &failure.at("rules"), faults);
    }
    let success = spec.at("successPolicy");
    if success.is_set() {
        if spec.text_at("completionMode") == "Indexed" {
            check_success(&success.at("rules"), spec.number_at("completions"), faults);
        } else {
            faults.wrong(&success, "requires indexed completion mode");
        }
    }
    let replacement = spec.at("podReplacementPolicy");
    let supported: &[&str] = if failure.is_set() { &["Failed"] } else { &["Failed", "TerminatingOrFailed"] };
    faults.optional_one_of(&replacement, supported);
}

fn check_failure(spec: &Field<'_>, rules: &Field<'_>, faults: &mut Faults) {
    const ACTIONS: [&str; 4] = ["Count", "FailIndex", "FailJob", "Ignore"];
    if rules.list().len() > 20 {
        faults.too_many(rules, rules.list().len(), 20);
    }
    for rule in rules.items() {
        let action = rule.at("action");
        match action.text() {
            "" => faults.required(&action, valid_values(&ACTIONS)),
            "FailIndex" if !spec.has("backoffLimitPerIndex") => {
                faults.wrong_text(&action, "requires the backoffLimitPerIndex to be set");
            }
            _ => faults.optional_one_of(&action, &ACTIONS),
        }
        let (codes, conditions) = (rule.at("onExitCodes"), rule.at("onPodConditions"));
        if codes.is_set() {
            check_codes(spec, &codes, faults);
        }
        check_conditions(&conditions, faults);
        match (codes.is_set(), !conditions.is_empty()) {
            (true, true) => {
                let detail = "specifying both OnExitCodes and OnPodConditions is not supported";
                faults.invalid_unshown(&rule, detail);
            }
            (false, false) => {
                let detail = "specifying one of OnExitCodes and OnPodConditions is required";
                faults.invalid_unshown(&rule, detail);
            }
            _ => {}
        }
    }
}

fn valid_values(values: &[&str]) -> String {
    let quoted: Vec<String> = values.iter().map(|value| format!("{value:?}")).collect();
    format!("valid values: [{}]", quoted.join(" "))
}

fn check_codes(spec: &Field<'_>, codes: &Field<'_>, faults: &mut Faults) {
    let (operator, container, values) = (codes.at("operator"), codes.at("containerName"), codes.at("values"));
    if operator.text().is_empty() {
        faults.required(&operator, valid_values(&["In", "NotIn"]));
    } else {
        faults.optional_one_of(&operator, &["In", "NotIn"]);
    }
    let (containers, inits) = (spec.at("template.spec.containers"), spec.at("template.spec.initContainers"));
    let known = containers.items().chain(inits.items()).any(|c| c.text_at("name") == container.text());
    if container.is_set() && !known {
        let detail = "must be one of the container or initContainer names in the pod template";
        faults.wrong_text(&container, detail);
    }
    let numbers: Vec<i64> = values.list().iter().filter_map(Value::as_i64).collect();
    if numbers.is_empty() {
        faults.wrong(&values, "at least one value is required");
    } else if numbers.len() > 255 {
        faults.too_many(&values, numbers.len(), 255);
    }
    for (index, value) in values.items().enumerate() {
        if operator.text() == "In" && value.number() == Some(0) {
            faults.wrong(&value, "must not be 0 for the In operator");
        }
        if values.list()[..index].contains(value.value()) {
            faults.duplicate(&value, value.value().clone());
        }
    }
    if !numbers.is_sorted() {
        faults.wrong(&values, "must be ordered");
    }
}

fn check_conditions(conditions: &Field<'_>, faults: &mut Faults) {
    const STATUSES: [&str; 3] = ["False", "True", "Unknown"];
    if conditions.list().len() > 20 {
        faults.too_many(conditions, conditions.list().len(), 20);
    }
    for condition in conditions.items() {
        let (kind, status) = (condition.at("type"), condition.at("status"));
        faults.each(&kind, kind.text(), name::qualified_name(kind.text()));
        if status.text().is_empty() {
            faults.required(&status, valid_values(&STATUSES));
        } else {
            faults.optional_one_of(&status, &STATUSES);
        }
    }
}

fn check_success(rules: &Field<'_>, completions: i64, faults: &mut Faults) {
    if rules.is_empty() {
        faults.required(rules, "at least one rules must be specified when the successPolicy is specified");
    }
    if rules.list().len() > 20 {
        faults.too_many(rules, rules.list().len(), 20);
    }
    for rule in rules.items() {
        let (count, given) = (rule.at("succeededCount"), rule.at("succeededIndexes"));
        if !count.is_set() && !given.is_set() {
            let detail = "at least one of succeededCount or succeededIndexes must be specified";
            faults.required(&rule, detail);
        }
        if given.text().len() > 64 * 1024 {
            faults.too_long(&given, 64 * 1024);
        }
        let total = indexes::count(given.text(), completions).unwrap_or_else(|fault| {
            faults.wrong_text(&given, format!("error parsing succeededIndexes: {fault}"));
            0
        });
        let Some(wanted) = count.number() else { continue };
        faults.nonnegative(&count);
        if wanted > completions {
            let detail =
                format!("must be less than or equal to {completions} (the number of specified completions)");
            faults.wrong(&count, detail);
        }
        if given.is_set() && wanted > total {
            let detail = format!(
                "must be less than or equal to {total} (the number of indexes in the specified succeededIndexes field)"
            );
            faults.wrong(&count, detail);
        }
    }
}
