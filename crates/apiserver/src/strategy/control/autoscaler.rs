//! HorizontalPodAutoscalers, in the form of `autoscaling/v2`.

use api::meta::name;
use serde_json::{Value, json};

use crate::strategy::field::{Faults, Field};
use crate::strategy::metadata::{self, Meta};
use crate::strategy::tree::{each, fields_at, fill, inner, is_zero};
use crate::strategy::{Strategy, keep_status, resource};

pub(super) const ROW: Strategy = Strategy {
    group: "autoscaling",
    kind: "HorizontalPodAutoscaler",
    default,
    prepare_create: |scaler| {
        if let Some(fields) = scaler.as_object_mut() {
            fields.insert("status".into(), json!({"desiredReplicas": 0, "currentMetrics": null}));
        }
    },
    prepare_update: keep_status,
    validate: |scaler, faults| {
        Meta::NAMESPACED.check(scaler, faults);
        check_spec(&scaler.at("spec"), 1, faults);
    },
    validate_update: |new, old, faults| {
        metadata::check_update(new, old, faults);
        let floor = i64::from(old.at("spec.minReplicas").number() != Some(0));
        check_spec(&new.at("spec"), floor, faults);
    },
    validate_status: |new, old, faults| {
        metadata::check_update(new, old, faults);
        faults.nonnegative(&new.at("status.currentReplicas"));
        faults.nonnegative(&new.at("status.desiredReplicas"));
    },
    ..Strategy::DEFAULT
};

fn default(scaler: &mut Value) {
    let Some(spec) = fields_at(scaler, "spec") else { return };
    fill(spec, "minReplicas", 1);
    // `autoscaling/v1` has its one metric in a field of its own.
    if is_zero(spec, "metrics") && !spec.contains_key("targetCPUUtilizationPercentage") {
        let target = json!({"type": "Utilization", "averageUtilization": 80});
        spec.insert(
            "metrics".into(),
            json!([{"type": "Resource", "resource": {"name": "cpu", "target": target}}]),
        );
    }
    for metric in each(spec, "metrics") {
        for source in ["object", "pods", "resource", "external", "containerResource"] {
            let target = inner(metric, source).and_then(|source| inner(source, "target"));
            for amount in target.into_iter().flat_map(|target| target.iter_mut()) {
                if let (true, Ok(quantity)) =
                    (amount.0.ends_with("alue"), api::quantity::Quantity::from_value(amount.1))
                {
                    *amount.1 = quantity.into();
                }
            }
        }
    }
    let Some(behavior) = inner(spec, "behavior") else { return };
    let policy = |kind: &str, value: i32| json!({"type": kind, "value": value, "periodSeconds": 15});
    let rules = [
        ("scaleUp", vec![policy("Pods", 4), policy("Percent", 100)], Some(0)),
        ("scaleDown", vec![policy("Percent", 100)], None),
    ];
    for (direction, policies, window) in rules {
        let Some(rules) = crate::strategy::tree::make(behavior, direction) else { continue };
        fill(rules, "selectPolicy", "Max");
        fill(rules, "policies", policies);
        if let Some(window) = window {
            fill(rules, "stabilizationWindowSeconds", window);
        }
    }
}

fn check_spec(spec: &Field<'_>, floor: i64, faults: &mut Faults) {
    let (min, max) = (spec.at("minReplicas"), spec.at("maxReplicas"));
    let most = max.number().unwrap_or(0);
    if min.number().is_some_and(|least| least < floor) {
        faults.wrong(&min, format!("must be greater than or equal to {floor}"));
    }
    if most < 1 {
        faults.invalid(&max, most, "must be greater than 0");
    }
    if min.number().is_some_and(|least| most < least) {
        faults.invalid(&max, most, "must be greater than or equal to `minReplicas`");
    }
    check_reference(&spec.at("scaleTargetRef"), faults);
    let metrics = spec.at("metrics");
    metrics.items().for_each(|metric| check_metric(&metric, faults));
    let outside = metrics.items().any(|metric| matches!(metric.text_at("type"), "Object" | "External"));
    if min.number() == Some(0) && !outside {
        let detail =
            "must specify at least one Object or External metric to support scaling to zero replicas";
        faults.forbidden(&metrics, detail);
    }
    for direction in ["scaleUp", "scaleDown"] {
        let behavior = spec.at("behavior");
        let rules = behavior.at(direction);
        if rules.is_set() {
            check_rules(&rules, faults);
        }
    }
}

fn check_reference(reference: &Field<'_>, faults: &mut Faults) {
    for field in ["kind", "name"] {
        let at = reference.at(field);
        if at.text().is_empty() {
            faults.required(&at, "");
        } else {
            faults.each(&at, at.text(), name::path_segment(at.text()));
        }
    }
}

fn check_rules(rules: &Field<'_>, faults: &mut Faults) {
    let (window, policies) = (rules.at("stabilizationWindowSeconds"), rules.at("policies"));
    if window.number().is_some_and(|seconds| seconds < 0) {
        faults.wrong(&window, "must be greater than or equal to zero");
    }
    if window.number().is_some_and(|seconds| seconds > 3600) {
        faults.wrong(&window, "must be less than or equal to 3600");
    }
    faults.optional_one_of(&rules.at("selectPolicy"), &["Disabled", "Max", "Min"]);
    if policies.is_empty() {
        faults.required(&policies, "must specify at least one Policy");
    }
    for policy in policies.items() {
        let kind = policy.at("type");
        if !matches!(kind.text(), "Pods" | "Percent") {
            faults.unsupported(&kind, &["Percent", "Pods"]);
        }
        for field in ["value", "periodSeconds"] {
            let at = policy.at(field);
            if at.number().unwrap_or(0) <= 0 {
                faults.invalid(&at, at.number().unwrap_or(0), "must be greater than zero");
            }
        }
        let period = policy.at("periodSeconds");
        if period.number().is_some_and(|seconds| seconds > 1800) {
            faults.wrong(&period, "must be less than or equal to 1800");
        }
    }
}

const TYPES: [&str; 5] = ["ContainerResource", "External", "Object", "Pods", "Resource"];
const SOURCES: [(&str, &str); 5] = [
    ("object", "Object"),
    ("external", "External"),
    ("pods", "Pods"),
    ("resource", "Resource"),
    ("containerResource", "ContainerResource"),
];

fn check_metric(metric: &Field<'_>, faults: &mut Faults) {
    let kind = metric.at("type");
    if kind.text().is_empty() {
        faults.required(&kind, "must specify a metric source type");
    }
    if !TYPES.contains(&kind.text()) {
        faults.unsupported(&kind, &TYPES);
    }
    let present: Vec<&str> =
        SOURCES.iter().map(|(source, _)| *source).filter(|source| metric.has(source)).collect();
    if let Some(first) = present.first() {
        check_source(first, &metric.at(first), faults);
    }
    let expected = SOURCES.iter().find(|(_, name)| *name == kind.text()).map(|(source, _)| *source);
    match expected {
        Some(source) if !metric.has(source) => {
            faults.required(&metric.at(source), "must populate information for the given metric source");
        }
        Some(_) => {}
        None => faults.unsupported(&kind, &TYPES),
    }
    if present.len() != 1 {
        for source in present.iter().filter(|source| Some(**source) != expected) {
            faults.forbidden(&metric.at(source), "must populate the given metric source only");
        }
    }
}

fn check_source(kind: &str, source: &Field<'_>, faults: &mut Faults) {
    const RAW_OR_USE: &str = "must set either a target raw value or a target utilization";
    let target = source.at("target");
    let (value, average, usage) =
        (target.at("value"), target.at("averageValue"), target.at("averageUtilization"));
    match kind {
        "object" => {
            check_reference(&source.at("describedObject"), faults);
            check_identifier(&source.at("metric"), faults);
        }
        "external" | "pods" => check_identifier(&source.at("metric"), faults),
        _ => check_resource(kind, source, faults),
    }
    check_target(&target, faults);
    match kind {
        "object" if !value.is_set() && !average.is_set() => {
            faults.required(&average, "must set either a target value or averageValue");
        }
        "external" => match (value.is_set(), average.is_set()) {
            (false, false) => {
                faults.required(&average, "must set either a target value for metric or a per-pod target");
            }
            (true, true) => {
                let detail = "may not set both a target value for metric and a per-pod target";
                faults.forbidden(&value, detail);
            }
            _ => {}
        },
        "pods" if !average.is_set() => {
            faults.required(&average, "must specify a positive target averageValue");
        }
        "resource" | "containerResource" => match (usage.is_set(), average.is_set()) {
            (false, false) => faults.required(&usage, RAW_OR_USE),
            (true, true) => {
                faults.forbidden(&average, "may not set both a target raw value and a target utilization");
            }
            _ => {}
        },
        _ => {}
    }
}

fn check_resource(kind: &str, source: &Field<'_>, faults: &mut Faults) {
    let (name, container) = (source.at("name"), source.at("container"));
    if name.text().is_empty() {
        faults.required(&name, "must specify a resource name");
    } else if kind == "containerResource" {
        resource::container_resource_name(name.text(), &name, faults);
    }
    if kind != "containerResource" {
        return;
    }
    if container.text().is_empty() {
        faults.required(&container, "must specify a container");
    } else {
        faults.each(&container, container.text(), name::dns1123_label(container.text()));
    }
}

fn check_identifier(metric: &Field<'_>, faults: &mut Faults) {
    let name = metric.at("name");
    if name.text().is_empty() {
        faults.required(&name, "must specify a metric name");
    } else {
        faults.each(&name, name.text(), name::path_segment(name.text()));
    }
}

fn check_target(target: &Field<'_>, faults: &mut Faults) {
    let kind = target.at("type");
    if kind.text().is_empty() {
        faults.required(&kind, "must specify a metric target type");
    }
    if !matches!(kind.text(), "Utilization" | "Value" | "AverageValue") {
        faults.wrong_text(&kind, "must be either Utilization, Value, or AverageValue");
    }
    for field in ["value", "averageValue"] {
        let at = target.at(field);
        if at.is_set() && resource::of(at.value()).signum() <= 0 {
            faults.wrong(&at, "must be positive");
        }
    }
    let usage = target.at("averageUtilization");
    if usage.number().is_some_and(|percent| percent < 1) {
        faults.wrong(&usage, "must be greater than 0");
    }
}
