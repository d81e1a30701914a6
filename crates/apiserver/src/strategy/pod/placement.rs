//! What must be right about where a pod may run: affinity, tolerations, spread constraints.
//!
//! Source: `pkg/apis/core/validation` of Kubernetes 1.36.

use api::meta::name;
use serde_json::Value;

use crate::strategy::field::{Faults, Field};
use crate::strategy::metadata;

/// Finds what is wrong with a pod's affinity.
pub(crate) fn affinity(affinity: &Field<'_>, faults: &mut Faults) {
    let node = affinity.at("nodeAffinity");
    let required = node.at("requiredDuringSchedulingIgnoredDuringExecution");
    if required.is_set() {
        node_selector(&required, faults);
    }
    for term in node.at("preferredDuringSchedulingIgnoredDuringExecution").items() {
        weight(&term.at("weight"), faults);
        node_term(&term.at("preference"), false, faults);
    }
    for kind in ["podAffinity", "podAntiAffinity"] {
        let pods = affinity.at(kind);
        for term in pods.at("requiredDuringSchedulingIgnoredDuringExecution").items() {
            pod_term(&term, faults);
        }
        for term in pods.at("preferredDuringSchedulingIgnoredDuringExecution").items() {
            weight(&term.at("weight"), faults);
            pod_term(&term.at("podAffinityTerm"), faults);
        }
    }
}

fn weight(weight: &Field<'_>, faults: &mut Faults) {
    if !(1..=100).contains(&weight.number().unwrap_or(0)) {
        faults.invalid(weight, weight.number().unwrap_or(0), "must be in the range 1-100");
    }
}

/// Finds what is wrong with a selector of nodes that must match.
pub(crate) fn node_selector(selector: &Field<'_>, faults: &mut Faults) {
    let terms = selector.at("nodeSelectorTerms");
    if terms.is_empty() {
        return faults.required(&terms, "must have at least one node selector term");
    }
    terms.items().for_each(|term| node_term(&term, true, faults));
}

/// `strict` also checks that values could be those of labels.
fn node_term(term: &Field<'_>, strict: bool, faults: &mut Faults) {
    for expression in term.at("matchExpressions").items() {
        let (values, operator) = (expression.at("values"), expression.at("operator"));
        match operator.text() {
            "In" | "NotIn" if values.is_empty() => {
                faults.required(&values, "must be specified when `operator` is 'In' or 'NotIn'");
            }
            "Exists" | "DoesNotExist" if !values.is_empty() => {
                faults
                    .forbidden(&values, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
            }
            "Gt" | "Lt" if values.list().len() != 1 => {
                faults.required(&values, "must be specified single value when `operator` is 'Lt' or 'Gt'");
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt" => {}
            _ => faults.wrong_text(&operator, "not a valid selector operator"),
        }
        metadata::label_key(&expression.at("key"), expression.text_at("key"), faults);
        for value in values.items().filter(|_| strict) {
            faults.each(&value, value.text(), name::label_value(value.text()));
        }
    }
    term.at("matchFields").items().for_each(|field| node_field(&field, faults));
}

fn node_field(field: &Field<'_>, faults: &mut Faults) {
    let (values, operator, key) = (field.at("values"), field.at("operator"), field.at("key"));
    match operator.text() {
        "In" | "NotIn" if values.list().len() != 1 => {
            let detail = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector";
            faults.required(&values, detail);
        }
        "In" | "NotIn" => {}
        _ => faults.wrong_text(&operator, "not a valid selector operator"),
    }
    if key.text() != "metadata.name" {
        return faults.wrong_text(&key, "not a valid field selector key");
    }
    for value in values.items() {
        faults.each(&value, value.text(), name::dns1123_subdomain(value.text()));
    }
}

fn pod_term(term: &Field<'_>, faults: &mut Faults) {
    metadata::selector(&term.at("labelSelector"), faults);
    metadata::selector(&term.at("namespaceSelector"), faults);
    for namespace in term.at("namespaces").texts() {
        faults.each(&term.at("namespace"), namespace, name::dns1123_label(namespace));
    }
    label_keys(term, faults);
    let topology = term.at("topologyKey");
    if topology.text().is_empty() {
        faults.required(&topology, "can not be empty");
    }
    metadata::label_key(&topology, topology.text(), faults);
}

fn label_keys(term: &Field<'_>, faults: &mut Faults) {
    let (matched, mismatched, selector) =
        (term.at("matchLabelKeys"), term.at("mismatchLabelKeys"), term.at("labelSelector"));
    for keys in [&matched, &mismatched] {
        if !keys.is_empty() && !selector.is_set() {
            faults.forbidden(keys, "must not be specified when labelSelector is not set");
            continue;
        }
        keys.items().for_each(|key| metadata::label_key(&key, key.text(), faults));
    }
    let labels = selector.at("matchLabels");
    let mut seen: Vec<&str> = labels.map().into_iter().flatten().map(|(key, _)| key.as_str()).collect();
    for expression in selector.at("matchExpressions").list() {
        let key = expression.get("key").and_then(Value::as_str).unwrap_or("");
        if let Some(index) = matched.texts().position(|matched| matched == key)
            && seen.contains(&key)
        {
            faults.invalid(&term.index(index), key, "exists in both matchLabelKeys and labelSelector");
        }
        seen.push(key);
    }
    for key in matched.items().filter(|key| mismatched.texts().any(|other| other == key.text())) {
        faults.wrong_text(&key, "exists in both matchLabelKeys and mismatchLabelKeys");
    }
}

/// Finds what is wrong with tolerations.
pub(crate) fn tolerations(tolerations: &Field<'_>, faults: &mut Faults) {
    for toleration in tolerations.items() {
        let (key, operator, effect) =
            (toleration.at("key"), toleration.at("operator"), toleration.at("effect"));
        let value = toleration.text_at("value");
        if !key.text().is_empty() {
            metadata::label_key(&key, key.text(), faults);
        }
        if key.text().is_empty() && operator.text() != "Exists" {
            let detail =
                "operator must be Exists when `key` is empty, which means \"match all values and all keys\"";
            faults.wrong_text(&operator, detail);
        }
        if toleration.has("tolerationSeconds") && effect.text() != "NoExecute" {
            faults.wrong_text(&effect, "effect must be 'NoExecute' when `tolerationSeconds` is set");
        }
        match operator.text() {
            "Equal" | "" => {
                let messages = name::label_value(value);
                if !messages.is_empty() {
                    faults.invalid(&operator, value, messages.join(";"));
                }
            }
            "Exists" if !value.is_empty() => {
                faults.invalid(&operator, value, "value must be empty when `operator` is 'Exists'");
            }
            "Exists" => {}
            _ => faults.unsupported(&operator, &["Equal", "Exists"]),
        }
        if !effect.text().is_empty() {
            taint_effect(&effect, faults);
        }
    }
}

/// Finds an effect that no taint has.
pub(crate) fn taint_effect(effect: &Field<'_>, faults: &mut Faults) {
    faults.one_of(effect, &["NoSchedule", "PreferNoSchedule", "NoExecute"]);
}

/// Finds what is wrong with spread constraints.
pub(crate) fn spread(constraints: &Field<'_>, faults: &mut Faults) {
    for (index, constraint) in constraints.items().enumerate() {
        let (skew, topology, action) =
            (constraint.at("maxSkew"), constraint.at("topologyKey"), constraint.at("whenUnsatisfiable"));
        if skew.number().unwrap_or(0) <= 0 {
            faults.invalid(&skew, skew.number().unwrap_or(0), "must be greater than zero");
        }
        if topology.text().is_empty() {
            faults.required(&topology, "can not be empty");
        }
        if !matches!(action.text(), "DoNotSchedule" | "ScheduleAnyway") {
            faults.unsupported(&action, &["DoNotSchedule", "ScheduleAnyway"]);
        }
        let pair = |other: &Value| {
            let text = |field| other.get(field).and_then(Value::as_str).unwrap_or("");
            text("topologyKey") == topology.text() && text("whenUnsatisfiable") == action.text()
        };
        if constraints.list()[index + 1..].iter().any(pair) {
            let shown = format!("{{{}, {}}}", topology.text(), action.text());
            faults.duplicate(&constraint.at("{topologyKey, whenUnsatisfiable}"), shown);
        }
        min_domains(&constraint.at("minDomains"), action.text(), faults);
        faults.optional_one_of(&constraint.at("nodeAffinityPolicy"), &["Honor", "Ignore"]);
        faults.optional_one_of(&constraint.at("nodeTaintsPolicy"), &["Honor", "Ignore"]);
        spread_keys(&constraint, faults);
        metadata::selector(&constraint.at("labelSelector"), faults);
    }
}

fn min_domains(domains: &Field<'_>, action: &str, faults: &mut Faults) {
    let Some(number) = domains.number() else { return };
    if number <= 0 {
        faults.wrong(domains, "must be greater than zero");
    }
    if action != "DoNotSchedule" {
        let detail = format!("can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}");
        faults.wrong(domains, detail);
    }
}

/// The keys that selectors already name; keys merged in at creation are told by their `In` expression.
fn spread_keys(constraint: &Field<'_>, faults: &mut Faults) {
    let (keys, selector) = (constraint.at("matchLabelKeys"), constraint.at("labelSelector"));
    if keys.is_empty() {
        return;
    }
    if !selector.is_set() {
        faults.forbidden(&keys, "must not be specified when labelSelector is not set");
    }
    let labels = selector.at("matchLabels");
    let expressions = selector.at("matchExpressions");
    for key in keys.items() {
        metadata::label_key(&key, key.text(), faults);
        let named = expressions.items().filter(|e| e.text_at("key") == key.text()).count();
        if labels.key(key.text()).is_set() || named > 1 {
            faults.wrong_text(&key, "exists in both matchLabelKeys and labelSelector");
        }
    }
}
