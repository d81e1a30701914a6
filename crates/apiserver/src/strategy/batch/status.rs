//! What must be right about the status of a Job, so that nobody is told of an end that is none.

use serde_json::Value;

use super::indexes;
use crate::strategy::field::{Faults, Field};
use crate::strategy::tree::same;

fn is_true(job: &Field<'_>, kind: &str) -> bool {
    let conditions = job.at("status.conditions");
    conditions.items().any(|c| c.text_at("type") == kind && c.text_at("status") == "True")
}

/// Finds what is wrong with a change of a Job's status.
pub(super) fn check(new: &Field<'_>, old: &Field<'_>, faults: &mut Faults) {
    let status = new.at("status");
    for count in ["active", "succeeded", "failed", "ready", "terminating"] {
        faults.nonnegative(&status.at(count));
    }
    check_uncounted(&status.at("uncountedTerminatedPods"), faults);
    check_conditions(new, faults);
    check_times(new, faults);
    check_finished(new, faults);
    check_indexes(new, faults);
    let ready = status.at("ready");
    if ready.number().is_some_and(|ready| ready > status.number_at("active")) {
        faults.wrong(&ready, "cannot set more ready pods than active");
    }
    check_success(new, faults);
    check_change(new, old, faults);
}

fn check_uncounted(uncounted: &Field<'_>, faults: &mut Faults) {
    let mut seen: Vec<&Value> = Vec::new();
    for list in ["succeeded", "failed"] {
        for uid in uncounted.at(list).items() {
            if uid.text().is_empty() {
                faults.wrong_text(&uid, "must not be empty");
            } else if seen.contains(&uid.value()) {
                faults.duplicate(&uid, uid.text());
            }
        }
        seen.extend(uncounted.at(list).list());
    }
}

fn check_conditions(job: &Field<'_>, faults: &mut Faults) {
    let conditions = job.at("status.conditions");
    let complete = is_true(job, "Complete");
    if complete && is_true(job, "Failed") {
        faults.invalid_unshown(&conditions, "cannot set Complete=True and Failed=true conditions");
    }
    if complete && is_true(job, "FailureTarget") {
        faults.invalid_unshown(&conditions, "cannot set Complete=True and FailureTarget=true conditions");
    }
}

fn check_times(job: &Field<'_>, faults: &mut Faults) {
    let (status, complete) = (job.at("status"), is_true(job, "Complete"));
    let (start, end) = (status.at("startTime"), status.at("completionTime"));
    if end.is_set() && !complete {
        faults.wrong(&end, "cannot set completionTime when there is no Complete=True condition");
    }
    if !end.is_set() && complete {
        faults.required(&end, "completionTime is required for Complete jobs");
    }
    let time = |at: &Field<'_>| api::meta::Time::parse(at.text());
    if let (Some(start), Some(finish)) = (time(&start), time(&end))
        && finish < start
    {
        faults.wrong(&end, "must be equal to or after `startTime`");
    }
}

fn check_finished(job: &Field<'_>, faults: &mut Faults) {
    let status = job.at("status");
    let conditions = status.at("conditions");
    let (complete, failed) = (is_true(job, "Complete"), is_true(job, "Failed"));
    if failed && !is_true(job, "FailureTarget") {
        let detail = "cannot set Failed=True condition without the FailureTarget=true condition";
        faults.invalid_unshown(&conditions, detail);
    }
    if complete && !is_true(job, "SuccessCriteriaMet") {
        let detail = "cannot set Complete=True condition without the SuccessCriteriaMet=true condition";
        faults.invalid_unshown(&conditions, detail);
    }
    if !complete && !failed {
        return;
    }
    if status.number_at("active") > 0 {
        faults.wrong(&status.at("active"), "active>0 is invalid for finished job");
    }
    if !status.has("startTime") {
        faults.required(&status.at("startTime"), "startTime is required for finished job");
    }
    let uncounted = status.at("uncountedTerminatedPods");
    if !uncounted.at("failed").is_empty() || !uncounted.at("succeeded").is_empty() {
        faults.wrong(&uncounted, "must be empty for finished job");
    }
    if status.number_at("terminating") > 0 {
        faults.wrong(&status.at("terminating"), "terminating>0 is invalid for finished job");
    }
}

fn check_indexes(job: &Field<'_>, faults: &mut Faults) {
    let (spec, status) = (job.at("spec"), job.at("status"));
    let (completed, failed) = (status.at("completedIndexes"), status.at("failedIndexes"));
    let per_index = spec.has("backoffLimitPerIndex");
    if let Some(completions) = spec.at("completions").number() {
        if let Err(fault) = indexes::count(completed.text(), completions) {
            faults.wrong_text(&completed, format!("error parsing completedIndexes: {fault}"));
        }
        if per_index && let Err(fault) = indexes::count(failed.text(), completions) {
            faults.wrong_text(&failed, format!("error parsing failedIndexes: {fault}"));
        }
        if let Some(index) = indexes::overlap(completed.text(), failed.text(), completions) {
            let detail = format!("failedIndexes and completedIndexes overlap at index: {index}");
            faults.wrong_text(&failed, detail);
        }
    }
    if !completed.text().is_empty() && spec.text_at("completionMode") != "Indexed" {
        let detail = "cannot set non-empty completedIndexes when non-indexed completion mode";
        faults.wrong_text(&completed, detail);
    }
    if failed.is_set() && !per_index {
        faults.wrong_text(&failed, "cannot set non-null failedIndexes when backoffLimitPerIndex is null");
    }
}

fn check_success(job: &Field<'_>, faults: &mut Faults) {
    let conditions = job.at("status.conditions");
    let met = is_true(job, "SuccessCriteriaMet");
    for (kind, name) in [("Failed", "Failed"), ("FailureTarget", "FailureTarget")] {
        if met && is_true(job, kind) {
            let detail = format!("cannot set SuccessCriteriaMet=True and {name}=true conditions");
            faults.invalid_unshown(&conditions, detail);
        }
    }
    if job.has("spec.successPolicy") && !met && is_true(job, "Complete") {
        let detail = "cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True";
        faults.invalid_unshown(&conditions, detail);
    }
}

fn check_change(new: &Field<'_>, old: &Field<'_>, faults: &mut Faults) {
    let (status, before) = (new.at("status"), old.at("status"));
    let conditions = status.at("conditions");
    for kind in ["Failed", "Complete", "FailureTarget"] {
        if is_true(old, kind) && !is_true(new, kind) {
            let detail = format!("cannot disable the terminal {kind}=True condition");
            faults.invalid_unshown(&conditions, detail);
        }
    }
    for count in ["failed", "succeeded"] {
        let number = status.number_at(count);
        if number < before.number_at(count) {
            faults.invalid(&status.at(count), number, format!("cannot decrease the {count} counter"));
        }
    }
    let (end, end_before) = (status.at("completionTime"), before.at("completionTime"));
    if end.is_set() && end_before.is_set() && !same(end.value(), end_before.value()) {
        faults.wrong(&end, "field is immutable");
    }
    let (start, start_before) = (status.at("startTime"), before.at("startTime"));
    if start_before.is_set() && !same(start.value(), start_before.value()) && !new.is_true("spec.suspend") {
        faults.required(&start, "startTime cannot be removed for unsuspended job");
    }
    let (met, was_met) = (is_true(new, "SuccessCriteriaMet"), is_true(old, "SuccessCriteriaMet"));
    if was_met && !met {
        faults.invalid_unshown(&conditions, "cannot disable the SuccessCriteriaMet=True condition");
    }
    if is_true(old, "Complete") && !was_met && met {
        let detail = "cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions";
        faults.invalid_unshown(&conditions, detail);
    }
}
