//! Kinds that steer the cluster itself: PriorityClass, RuntimeClass, Lease, PodDisruptionBudget,
//! HorizontalPodAutoscaler, webhook configurations, admission policies, flow control, device claims, APIService.
//!
//! Sources: `pkg/apis/{scheduling,node,coordination,policy,autoscaling,admissionregistration,flowcontrol}/validation`,
//! `kube-aggregator/pkg/apis/apiregistration/validation` of Kubernetes 1.36.

mod admission;
mod autoscaler;
mod budget;
mod class;
mod device;
mod flow;
mod service;
mod webhook;

use api::meta::name;

use super::Strategy;
use super::field::{Faults, Field};
use super::metadata::{self, Meta};

/// The rows of control.
pub(super) static ROWS: &[Strategy] = &[
    class::PRIORITY,
    class::RUNTIME,
    Strategy {
        group: "coordination.k8s.io",
        kind: "Lease",
        validate: |lease, faults| {
            Meta::NAMESPACED.check(lease, faults);
            check_lease(&lease.at("spec"), faults);
        },
        validate_update: |new, old, faults| {
            metadata::check_update(new, old, faults);
            check_lease(&new.at("spec"), faults);
        },
        ..Strategy::DEFAULT
    },
    budget::ROW,
    autoscaler::ROW,
    webhook::MUTATING,
    webhook::VALIDATING,
    service::ROW,
    flow::SCHEMA,
    flow::LEVEL,
    admission::VALIDATING,
    admission::VALIDATING_BINDING,
    admission::MUTATING,
    admission::MUTATING_BINDING,
    device::CLAIM,
    device::TEMPLATE,
    device::CLASS,
    device::SLICE,
];

fn check_lease(spec: &Field<'_>, faults: &mut Faults) {
    let (duration, strategy, preferred) =
        (spec.at("leaseDurationSeconds"), spec.at("strategy"), spec.at("preferredHolder"));
    if duration.number().is_some_and(|seconds| seconds <= 0) {
        faults.wrong(&duration, "must be greater than 0");
    }
    faults.nonnegative(&spec.at("leaseTransitions"));
    if strategy.is_set() {
        let at = strategy.at("strategy");
        if strategy.text().contains('/') {
            faults.each(&at, strategy.text(), name::qualified_name(strategy.text()));
        } else if strategy.text() != "OldestEmulationVersion" {
            faults.unsupported_value(&at, strategy.text(), &["OldestEmulationVersion"]);
        }
    }
    if !preferred.text().is_empty() && strategy.text().is_empty() {
        faults.forbidden(&preferred, "may only be specified if `strategy` is defined");
    }
}
