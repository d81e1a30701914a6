//! Jobs.

use api::meta::name;
use serde_json::{Value, json};

use super::{policy, status};
use crate::strategy::field::{Faults, Field};
use crate::strategy::metadata::{self, Meta};
use crate::strategy::tree::{self, Fields, each, fields_at, fill, fill_zero, inner, make, same};
use crate::strategy::{Generation, Strategy, format, keep_status, pod};

pub(super) const ROW: Strategy = Strategy {
    group: "batch",
    kind: "Job",
    generation: Generation::OfSpec,
    default,
    prepare_create,
    prepare_update: keep_status,
    validate,
    validate_update,
    validate_status: |new, old, faults| {
        metadata::check_update(new, old, faults);
        status::check(new, old, faults);
    },
    ..Strategy::DEFAULT
};

fn default(job: &mut Value) {
    let labels = job["spec"]["template"]["metadata"]["labels"].clone();
    if let Some(fields) = job.as_object_mut() {
        fill(fields, "status", json!({}));
    }
    if let Some(metadata) = fields_at(job, "metadata").filter(|_| labels.is_object()) {
        fill_zero(metadata, "labels", labels);
    }
    if let Some(spec) = fields_at(job, "spec") {
        default_spec(spec);
    }
}

fn default_spec(spec: &mut Fields) {
    if tree::is_unset(spec, "completions") && tree::is_unset(spec, "parallelism") {
        fill(spec, "completions", 1);
    }
    fill(spec, "parallelism", 1);
    let retries = if tree::is_unset(spec, "backoffLimitPerIndex") { 6 } else { i32::MAX };
    fill(spec, "backoffLimit", retries);
    fill(spec, "completionMode", "NonIndexed");
    fill(spec, "suspend", false);
    let has_policy = !tree::is_unset(spec, "podFailurePolicy");
    fill(spec, "podReplacementPolicy", if has_policy { "Failed" } else { "TerminatingOrFailed" });
    fill(spec, "manualSelector", false);
    default_failure_policy(spec);
    pod::default_template(spec, "template");
}

fn default_failure_policy(spec: &mut Fields) {
    let rules = inner(spec, "podFailurePolicy").into_iter().flat_map(|policy| each(policy, "rules"));
    for condition in rules.flat_map(|rule| each(rule, "onPodConditions")) {
        fill_zero(condition, "status", "True");
    }
}

/// Defaults of the template of a CronJob, which leaves the rest to the Job.
pub(super) fn default_template(template: &mut Fields) {
    let Some(spec) = inner(template, "spec") else { return };
    default_failure_policy(spec);
    pod::default_template(spec, "template");
}

/// The labels by which a Job finds its pods, with their old names.
const UID_LABELS: [&str; 2] = ["batch.kubernetes.io/controller-uid", "controller-uid"];
const NAME_LABELS: [&str; 2] = ["batch.kubernetes.io/job-name", "job-name"];

/// Drops the status and, unless the user brings a selector, makes one from the Job's uid.
fn prepare_create(job: &mut Value) {
    let (uid, name) = (api::meta::uid(job).to_owned(), api::meta::name(job).to_owned());
    if let Some(fields) = job.as_object_mut() {
        fields.insert("status".into(), json!({}));
    }
    let Some(spec) = fields_at(job, "spec") else { return };
    if spec.get("manualSelector") == Some(&Value::Bool(true)) {
        return;
    }
    if let Some(selector) = make(spec, "selector").and_then(|selector| make(selector, "matchLabels")) {
        fill(selector, UID_LABELS[0], uid.clone());
    }
    let template = make(spec, "template").and_then(|template| make(template, "metadata"));
    if let Some(labels) = template.and_then(|metadata| make(metadata, "labels")) {
        NAME_LABELS.iter().for_each(|label| fill(labels, label, name.clone()));
        UID_LABELS.iter().for_each(|label| fill(labels, label, uid.clone()));
    }
}

fn validate(job: &Field<'_>, faults: &mut Faults) {
    Meta::NAMESPACED.check(job, faults);
    check_generated(job, faults);
    let spec = job.at("spec");
    check_spec(&spec, faults);
    let completions = spec.number_at("completions");
    if spec.text_at("completionMode") == "Indexed" && completions > 0 {
        let name = job.at("metadata.name");
        let host = format!("{}-{}", name.text(), completions - 1);
        if !name::dns1123_label(&host).is_empty() {
            faults.wrong_text(&name, format!("will not able to create pod with invalid DNS label: {host}"));
        }
    }
}

fn check_generated(job: &Field<'_>, faults: &mut Faults) {
    let (spec, selector) = (job.at("spec"), job.at("spec.selector"));
    if spec.is_true("manualSelector") || !selector.is_set() {
        return;
    }
    let (uid, name) = (job.text_at("metadata.uid"), job.text_at("metadata.name"));
    if uid.is_empty() {
        faults.required(&job.at("metadata.uid"), "");
    }
    let labels = spec.at("template.metadata.labels");
    let mut expected = Fields::new();
    for index in [1, 0] {
        for (label, value) in [(UID_LABELS[index], uid), (NAME_LABELS[index], name)] {
            expected.insert(label.to_owned(), value.into());
            let at = labels.key(label);
            if !at.is_set() {
                faults.required(&at, format!("must be '{value}'"));
            } else if at.text() != value {
                faults.invalid(&at, labels.value().clone(), format!("must be '{value}'"));
            }
        }
    }
    let expected = Value::Object(expected);
    if metadata::selects(&selector, &Field::root(&expected)) == Some(false) {
        faults.wrong(&selector, "`selector` not auto-generated");
    }
}

fn check_spec(spec: &Field<'_>, faults: &mut Faults) {
    check_common(spec, faults);
    let selector = spec.at("selector");
    if selector.is_set() {
        metadata::selector(&selector, faults);
    } else {
        faults.required(&selector, "");
    }
    let labels = spec.at("template.metadata.labels");
    if !selector.is_set() || metadata::selects(&selector, &labels) == Some(false) {
        faults.wrong(&labels, "`selector` does not match template `labels`");
    }
}

/// Finds what is wrong with the spec of a Job, or of a CronJob's template for one.
pub(super) fn check_common(spec: &Field<'_>, faults: &mut Faults) {
    const COUNTS: [&str; 6] = [
        "parallelism",
        "completions",
        "activeDeadlineSeconds",
        "backoffLimit",
        "ttlSecondsAfterFinished",
        "backoffLimitPerIndex",
    ];
    COUNTS.iter().for_each(|count| faults.nonnegative(&spec.at(count)));
    if spec.has("maxFailedIndexes") {
        faults.nonnegative(&spec.at("maxFailedIndexes"));
        if !spec.has("backoffLimitPerIndex") {
            faults.required(&spec.at("backoffLimitPerIndex"), "when maxFailedIndexes is specified");
        }
    }
    let manager = spec.at("managedBy");
    if manager.is_set() {
        check_manager(&manager, faults);
    }
    faults.optional_one_of(&spec.at("completionMode"), &["NonIndexed", "Indexed"]);
    if spec.text_at("completionMode") == "Indexed" {
        check_indexed(spec, faults);
    } else if matches!(spec.text_at("completionMode"), "" | "NonIndexed") {
        for field in ["backoffLimitPerIndex", "maxFailedIndexes"] {
            if spec.has(field) {
                faults.wrong(&spec.at(field), "requires indexed completion mode");
            }
        }
    }
    policy::check(spec, faults);
    pod::check_template(&spec.at("template"), faults);
    check_restart(spec, faults);
}

fn check_manager(manager: &Field<'_>, faults: &mut Faults) {
    if manager.text().is_empty() {
        faults.required(manager, "");
    } else {
        for (part, fault) in format::domain_prefixed_path(manager.text()) {
            faults.invalid(manager, part, fault);
        }
    }
    if manager.text().len() > 63 {
        faults.too_long(manager, 63);
    }
}

fn check_indexed(spec: &Field<'_>, faults: &mut Faults) {
    const MANY: i64 = 100_000;
    const FEWER: i64 = 10_000;
    let (completions, parallelism, failed) =
        (spec.at("completions"), spec.at("parallelism"), spec.at("maxFailedIndexes"));
    let (count, workers, failures) =
        (completions.number(), parallelism.number().unwrap_or(0), failed.number().unwrap_or(0));
    if count.is_none() {
        faults.required(&completions, "when completion mode is Indexed");
    }
    if workers > MANY {
        let detail = format!("must be less than or equal to {MANY} when completion mode is Indexed");
        faults.wrong(&parallelism, detail);
    }
    if count.is_some_and(|count| failures > count) {
        faults.wrong(&failed, "must be less than or equal to completions");
    }
    if failures > MANY {
        faults.wrong(&failed, format!("must be less than or equal to {MANY}"));
    }
    if count.is_none_or(|count| count <= MANY) || !spec.has("backoffLimitPerIndex") {
        return;
    }
    if !failed.is_set() {
        faults.required(&failed, format!("must be specified when completions is above {MANY}"));
    }
    for (at, number) in [(&parallelism, workers), (&failed, failures)] {
        if number > FEWER {
            let detail = format!(
                "must be less than or equal to {FEWER} when completions are above {MANY} and used with backoff limit \
                 per index"
            );
            faults.wrong(at, detail);
        }
    }
}

fn check_restart(spec: &Field<'_>, faults: &mut Faults) {
    let restart = spec.at("template.spec.restartPolicy");
    match restart.text() {
        "Always" | "" => faults.required(&restart, "valid values: \"OnFailure\", \"Never\""),
        "OnFailure" if spec.has("podFailurePolicy") => {
            faults.wrong_text(&restart, "only \"Never\" is supported when podFailurePolicy is specified");
        }
        "OnFailure" | "Never" => {}
        _ => faults.unsupported(&restart, &["OnFailure", "Never"]),
    }
}

fn validate_update(new: &Field<'_>, old: &Field<'_>, faults: &mut Faults) {
    metadata::check_update(new, old, faults);
    let (spec, before) = (new.at("spec"), old.at("spec"));
    check_spec(&spec, faults);
    check_completions(&spec, &before, faults);
    faults.immutable(&spec.at("selector"), &before.at("selector"));
    check_template(&spec, &before, !old.has("status.startTime"), faults);
    for field in ["completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy"]
    {
        faults.immutable(&spec.at(field), &before.at(field));
    }
}

fn check_completions(spec: &Field<'_>, before: &Field<'_>, faults: &mut Faults) {
    let (now, then) = (spec.at("completions"), before.at("completions"));
    if spec.text_at("completionMode") != "Indexed" {
        faults.immutable(&now, &then);
    } else if now.is_set() && now.value() != then.value() && now.number() != spec.at("parallelism").number() {
        faults.wrong(&now, "can only be modified in tandem with spec.parallelism");
    }
}

/// A Job that is suspended may still be told where to run, before it first starts, and with how much.
fn check_template(spec: &Field<'_>, before: &Field<'_>, unstarted: bool, faults: &mut Faults) {
    let suspended = before.is_true("suspend");
    let template = spec.at("template");
    let mut reference = before.at("template").value().clone();
    if suspended && unstarted {
        keep_directives(&mut reference, template.value());
    }
    if suspended {
        keep_resources(&mut reference, template.value());
    }
    if !same(template.value(), &reference) {
        faults.wrong(&template, "field is immutable");
    }
}

fn keep_directives(reference: &mut Value, template: &Value) {
    for field in ["nodeSelector", "tolerations", "schedulingGates"] {
        tree::keep(&mut reference["spec"], &template["spec"], field);
    }
    for field in ["labels", "annotations"] {
        if let Some(metadata) = reference.as_object_mut().and_then(|fields| make(fields, "metadata")) {
            metadata.insert(field.to_owned(), template["metadata"][field].clone());
        }
    }
    let affinity = template["spec"]["affinity"]["nodeAffinity"].clone();
    if let Some(spec) = fields_at(reference, "spec")
        && let Some(own) = make(spec, "affinity")
    {
        own.insert("nodeAffinity".into(), affinity);
    }
}

fn keep_resources(reference: &mut Value, template: &Value) {
    for list in ["containers", "initContainers"] {
        let now = template["spec"][list].as_array().into_iter().flatten();
        let Some(containers) = reference["spec"].get_mut(list).and_then(Value::as_array_mut) else {
            continue;
        };
        for (container, now) in containers.iter_mut().zip(now).filter(|(old, now)| old["name"] == now["name"])
        {
            tree::keep(container, now, "resources");
        }
    }
}
