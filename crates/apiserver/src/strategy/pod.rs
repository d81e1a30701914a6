//! Pods and pod templates.
//!
//! Sources: `pkg/registry/core/pod/strategy.go`, `pkg/apis/core/validation` of Kubernetes 1.36.

mod container;
mod default;
mod env;
pub(crate) mod level;
mod mount;
pub(crate) mod placement;
pub(crate) mod probe;
mod qos;
mod security;
mod spec;
mod update;
pub(crate) mod volume;

use serde_json::{Value, json};

use super::field::{Faults, Field};
use super::metadata::Meta;
use super::tree::{self, Fields};
use super::{Generation, Strategy, only_status};

pub(crate) use default::{claim_spec, template as default_template, volume_source};
pub(crate) use spec::check_template;

/// The rows of pods and of templates that stand alone.
pub(super) static ROWS: &[Strategy] = &[
    Strategy {
        kind: "Pod",
        generation: Generation::OfSpec,
        default: default::pod,
        prepare_create,
        prepare_update,
        prepare_status,
        validate,
        validate_update: update::check,
        validate_status: update::check_status,
        ..Strategy::DEFAULT
    },
    Strategy {
        kind: "PodTemplate",
        generation: Generation::OfContent,
        default: |object| {
            object.as_object_mut().into_iter().for_each(|fields| default_template(fields, "template"));
        },
        validate: |object, faults| {
            Meta::NAMESPACED.check(object, faults);
            check_template(&object.at("template"), faults);
        },
        validate_update: |new, old, faults| {
            super::metadata::check_update(new, old, faults);
            check_template(&new.at("template"), faults);
        },
        ..Strategy::DEFAULT
    },
];

fn prepare_create(pod: &mut Value) {
    let labels = pod["metadata"]["labels"].clone();
    let mut status = json!({"phase": "Pending"});
    if let Some(spec) = tree::fields_at(pod, "spec") {
        default::service_account(spec);
        merge_label_keys(spec, &labels);
        if spec.get("schedulingGates").and_then(Value::as_array).is_some_and(|gates| !gates.is_empty()) {
            status["conditions"] = json!([{
                "type": "PodScheduled",
                "status": "False",
                "reason": "SchedulingGated",
                "message": "Scheduling is blocked due to non-empty scheduling gates",
            }]);
        }
    }
    let object = Field::root(pod);
    status["qosClass"] = qos::class(&object.at("spec")).into();
    if let Some(fields) = pod.as_object_mut() {
        fields.insert("status".into(), status);
    }
}

/// Turns the keys of labels that pods should share, or not, into what selectors can say (KEP-3633, KEP-3243).
fn merge_label_keys(spec: &mut Fields, labels: &Value) {
    for kind in ["podAffinity", "podAntiAffinity"] {
        let Some(affinity) = tree::inner(spec, "affinity").and_then(|affinity| tree::inner(affinity, kind))
        else {
            continue;
        };
        for term in tree::each(affinity, "requiredDuringSchedulingIgnoredDuringExecution") {
            merge_term(term, labels);
        }
        for term in tree::each(affinity, "preferredDuringSchedulingIgnoredDuringExecution") {
            tree::inner(term, "podAffinityTerm").into_iter().for_each(|term| merge_term(term, labels));
        }
    }
    for constraint in tree::each(spec, "topologySpreadConstraints") {
        merge_term(constraint, labels);
    }
}

fn merge_term(term: &mut Fields, labels: &Value) {
    for (keys, operator) in [("matchLabelKeys", "In"), ("mismatchLabelKeys", "NotIn")] {
        let keys = term.get(keys).and_then(Value::as_array).cloned().unwrap_or_default();
        let Some(selector) = tree::inner(term, "labelSelector").filter(|_| !keys.is_empty()) else {
            continue;
        };
        tree::fill(selector, "matchExpressions", json!([]));
        let Some(expressions) = selector.get_mut("matchExpressions").and_then(Value::as_array_mut) else {
            continue;
        };
        for key in keys.iter().filter_map(Value::as_str) {
            if let Some(value) = labels.get(key) {
                expressions.push(json!({"key": key, "operator": operator, "values": [value]}));
            }
        }
    }
}

fn prepare_update(new: &mut Value, old: &Value) {
    super::keep_status(new, old);
    if let Some(spec) = tree::fields_at(new, "spec") {
        default::service_account(spec);
    }
}

fn prepare_status(new: &mut Value, old: &Value) {
    only_status(new, old);
    tree::keep(&mut new["metadata"], &old["metadata"], "ownerReferences");
    if let Some(status) = tree::fields_at(new, "status")
        && let Some(class) = old["status"].get("qosClass")
    {
        tree::fill_zero(status, "qosClass", class.clone());
    }
}

fn validate(pod: &Field<'_>, faults: &mut Faults) {
    check_metadata_and_spec(pod, faults);
    let spec = pod.at("spec");
    if !spec.at("ephemeralContainers").is_empty() {
        faults.forbidden(&spec.at("ephemeralContainers"), "cannot be set on create");
    }
    if !spec.text_at("nodeName").is_empty() && !spec.at("schedulingGates").is_empty() {
        let detail = "cannot be set until all schedulingGates have been cleared";
        faults.forbidden(&spec.at("nodeName"), detail);
    }
}

/// What must be right about a pod at any time.
fn check_metadata_and_spec(pod: &Field<'_>, faults: &mut Faults) {
    Meta::NAMESPACED.check(pod, faults);
    let spec = pod.at("spec");
    spec::check_annotations(&pod.at("metadata.annotations"), &spec, faults);
    spec::check(&spec, Some(pod.text_at("metadata.name")), true, faults);
    if spec.text_at("serviceAccountName").is_empty() {
        for volume in spec.at("volumes").items() {
            for source in
                volume.at("projected.sources").items().filter(|source| source.has("serviceAccountToken"))
            {
                let detail = "must not be specified when serviceAccountName is not set";
                faults.forbidden(&source.at("serviceAccountToken"), detail);
            }
        }
    }
    for list in ["containers", "initContainers"] {
        spec.at(list).items().for_each(|container| container::check_image_space(&container, faults));
    }
}
