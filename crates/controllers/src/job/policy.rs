//! What a job says about failed pods, and about how much success is enough.

use k8s_openapi::api::batch::v1::{Job, PodFailurePolicyOnExitCodesRequirement, PodFailurePolicyRule};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::ResourceExt;

use super::index::Indexes;

/// What a failed pod means for its job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// One more failure.
    Count,
    /// As if it had not failed.
    Ignore,
    /// Its index has failed for good.
    FailIndex,
    /// The whole job has, for this reason.
    FailJob(String),
}

/// The first matching rule decides; without one the failure counts.
pub(super) fn judge(job: &Job, pod: &Pod) -> Verdict {
    let policy = job.spec.as_ref().and_then(|spec| spec.pod_failure_policy.as_ref());
    let rules = policy.map_or(&[][..], |policy| &policy.rules);
    let matched = rules.iter().enumerate().find_map(|(at, rule)| {
        let why = matches(rule, pod)?;
        Some((rule, format!("{why} matching {} rule at index {at}", rule.action)))
    });
    match matched {
        Some((rule, why)) => match rule.action.as_str() {
            "Ignore" => Verdict::Ignore,
            "FailIndex" => Verdict::FailIndex,
            "FailJob" => Verdict::FailJob(why),
            _ => Verdict::Count,
        },
        None => Verdict::Count,
    }
}

fn matches(rule: &PodFailurePolicyRule, pod: &Pod) -> Option<String> {
    match &rule.on_exit_codes {
        Some(codes) => on_exit_codes(codes, pod),
        None => on_conditions(rule, pod),
    }
}

fn on_exit_codes(codes: &PodFailurePolicyOnExitCodesRequirement, pod: &Pod) -> Option<String> {
    let named =
        |status: &&ContainerStatus| codes.container_name.as_ref().is_none_or(|name| *name == status.name);
    let (name, code) = containers(pod).filter(named).find_map(|status| {
        let code = status.state.as_ref()?.terminated.as_ref()?.exit_code;
        let listed = codes.values.contains(&code);
        let hit = code != 0 && if codes.operator == "In" { listed } else { !listed };
        hit.then_some((&status.name, code))
    })?;
    Some(format!("Container {name} for pod {} failed with exit code {code}", full_name(pod)))
}

fn on_conditions(rule: &PodFailurePolicyRule, pod: &Pod) -> Option<String> {
    let patterns = rule.on_pod_conditions.iter().flatten();
    let mut conditions = pod.status.as_ref()?.conditions.iter().flatten();
    let pattern = patterns.into_iter().find(|pattern| {
        let status = pattern.status.as_deref().unwrap_or("True");
        conditions.by_ref().any(|condition| condition.type_ == pattern.type_ && condition.status == status)
    })?;
    Some(format!("Pod {} has condition {}", full_name(pod), pattern.type_))
}

fn full_name(pod: &Pod) -> String {
    format!("{}/{}", pod.namespace().unwrap_or_default(), pod.name_any())
}

/// The containers of a pod as its status shows them, init containers last.
pub(super) fn containers(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    let status = pod.status.as_ref();
    let own = status.and_then(|status| status.container_statuses.as_ref()).into_iter().flatten();
    own.chain(status.and_then(|status| status.init_container_statuses.as_ref()).into_iter().flatten())
}

/// Which rule of the success policy is met, in words.
pub(super) fn success(job: &Job, succeeded: &Indexes) -> Option<String> {
    let spec = job.spec.as_ref()?;
    let completions = spec.completions.unwrap_or(0);
    let rules = &spec.success_policy.as_ref()?.rules;
    let met = rules.iter().position(|rule| {
        let wanted = rule.succeeded_indexes.as_deref().map(|text| Indexes::parse(text, completions));
        let of_wanted = match &wanted {
            Some(wanted) => i32::try_from(wanted.0.intersection(&succeeded.0).count()).unwrap_or(i32::MAX),
            None => succeeded.len(),
        };
        let enough = rule.succeeded_count.or(wanted.map(|wanted| wanted.len()));
        enough.is_some_and(|enough| of_wanted >= enough)
    })?;
    Some(format!("Matched rules at index {met}"))
}
