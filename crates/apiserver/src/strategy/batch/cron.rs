//! CronJobs.

use serde_json::{Value, json};

use super::{job, schedule};
use crate::strategy::field::{Faults, Field};
use crate::strategy::metadata::{self, Meta};
use crate::strategy::tree::{fields_at, fill, fill_zero, inner, same};
use crate::strategy::{Generation, Strategy, format, keep_status};

pub(super) const ROW: Strategy = Strategy {
    group: "batch",
    kind: "CronJob",
    generation: Generation::OfSpec,
    default,
    prepare_create: |cron| {
        if let Some(fields) = cron.as_object_mut() {
            fields.insert("status".into(), json!({}));
        }
    },
    prepare_update: keep_status,
    validate,
    validate_update: |new, old, faults| {
        metadata::check_update(new, old, faults);
        check_spec(&new.at("spec"), Some(&old.at("spec")), faults);
    },
    ..Strategy::DEFAULT
};

fn default(cron: &mut Value) {
    if let Some(fields) = cron.as_object_mut() {
        fill(fields, "status", json!({}));
    }
    let Some(spec) = fields_at(cron, "spec") else { return };
    fill_zero(spec, "concurrencyPolicy", "Allow");
    fill(spec, "suspend", false);
    fill(spec, "successfulJobsHistoryLimit", 3);
    fill(spec, "failedJobsHistoryLimit", 1);
    inner(spec, "jobTemplate").into_iter().for_each(job::default_template);
}

fn validate(cron: &Field<'_>, faults: &mut Faults) {
    // A Job's name gets eleven more characters.
    const MAX_BYTES: usize = 63 - 11;
    Meta::NAMESPACED.check(cron, faults);
    check_spec(&cron.at("spec"), None, faults);
    let name = cron.at("metadata.name");
    if name.text().len() > MAX_BYTES {
        faults.wrong_text(&name, format::longest(MAX_BYTES));
    }
}

fn check_spec(spec: &Field<'_>, old: Option<&Field<'_>>, faults: &mut Faults) {
    let (schedule, zone) = (spec.at("schedule"), spec.at("timeZone"));
    if schedule.text().is_empty() {
        faults.required(&schedule, "");
    } else {
        check_schedule(&schedule, &zone, old, faults);
    }
    faults.nonnegative(&spec.at("startingDeadlineSeconds"));
    let moved = old.is_none_or(|old| !same(old.at("timeZone").value(), zone.value()));
    if zone.is_set() && moved {
        check_zone(&zone, faults);
    }
    faults.one_of(&spec.at("concurrencyPolicy"), &["Allow", "Forbid", "Replace"]);
    let job = spec.at("jobTemplate.spec");
    job::check_common(&job, faults);
    let (selector, manual) = (job.at("selector"), job.at("manualSelector"));
    if selector.is_set() {
        faults.wrong(&selector, "`selector` will be auto-generated");
    }
    if manual.truth() == Some(true) {
        faults.unsupported(&manual, &["nil", "false"]);
    }
    faults.nonnegative(&spec.at("successfulJobsHistoryLimit"));
    faults.nonnegative(&spec.at("failedJobsHistoryLimit"));
}

fn check_schedule(schedule: &Field<'_>, zone: &Field<'_>, old: Option<&Field<'_>>, faults: &mut Faults) {
    if let Err(fault) = schedule::parse(schedule.text()) {
        faults.wrong_text(schedule, fault);
    }
    let tolerated = old.is_some_and(|old| old.text_at("schedule").contains("TZ"));
    match (tolerated, schedule.text().contains("TZ")) {
        (true, true) if zone.is_set() => {
            faults.wrong_text(schedule, "cannot use both timeZone field and TZ or CRON_TZ in schedule");
        }
        (false, true) => {
            faults.wrong_text(schedule, "cannot use TZ or CRON_TZ in schedule, use timeZone field instead");
        }
        _ => {}
    }
}

/// Whether a zone exists is for the controller to find out: the server has no zone database.
fn check_zone(zone: &Field<'_>, faults: &mut Faults) {
    let text = zone.text();
    if text.is_empty() {
        return faults.wrong_text(zone, "timeZone must be nil or non-empty string");
    }
    let good = |part: &str| {
        let legal = part.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_+".contains(&b));
        legal && (1..=14).contains(&part.len()) && part != "." && part != ".." && !part.starts_with('-')
    };
    if !text.split('/').all(good) {
        return faults.wrong_text(zone, format!("unknown time zone {text}"));
    }
    if text.eq_ignore_ascii_case("local") {
        let detail = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones";
        faults.wrong_text(zone, detail);
    }
}
