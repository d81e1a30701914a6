//! PodDisruptionBudgets.

use serde_json::json;

use crate::strategy::field::{Faults, Field};
use crate::strategy::metadata::{self, Meta};
use crate::strategy::workload::rollout;
use crate::strategy::{Generation, Strategy, keep_status};

pub(super) const ROW: Strategy = Strategy {
    group: "policy",
    kind: "PodDisruptionBudget",
    generation: Generation::OfSpec,
    prepare_create: |budget| {
        let counts = ["disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"];
        let status = counts.map(|count| (count.to_owned(), json!(0)));
        if let Some(fields) = budget.as_object_mut() {
            fields.insert("status".into(), status.into_iter().collect());
        }
    },
    prepare_update: keep_status,
    validate: |budget, faults| {
        Meta::NAMESPACED.check(budget, faults);
        check_spec(&budget.at("spec"), faults);
    },
    validate_update: |new, old, faults| {
        metadata::check_update(new, old, faults);
        check_spec(&new.at("spec"), faults);
    },
    validate_status: |new, old, faults| {
        metadata::check_update(new, old, faults);
        let status = new.at("status");
        metadata::conditions(&status.at("conditions"), faults);
        for count in ["disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"] {
            faults.nonnegative(&status.at(count));
        }
    },
    ..Strategy::DEFAULT
};

fn check_spec(spec: &Field<'_>, faults: &mut Faults) {
    if spec.has("minAvailable") && spec.has("maxUnavailable") {
        faults.wrong(spec, "minAvailable and maxUnavailable cannot be both set");
    }
    for field in ["minAvailable", "maxUnavailable"] {
        let at = spec.at(field);
        if at.is_set() {
            rollout::check(&at, faults);
            rollout::check_at_most_all(&at, faults);
        }
    }
    metadata::selector(&spec.at("selector"), faults);
    let policy = spec.at("unhealthyPodEvictionPolicy");
    faults.optional_one_of(&policy, &["AlwaysAllow", "IfHealthyBudget"]);
}
