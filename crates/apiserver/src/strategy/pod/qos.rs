//! The quality-of-service class of a pod.
//!
//! Source: `pkg/apis/core/helper/qos` of Kubernetes 1.36.

use std::collections::BTreeMap;

use api::quantity::Quantity;

use crate::strategy::field::Field;
use crate::strategy::resource;

/// `Guaranteed`, `Burstable` or `BestEffort`, from the pod's spec.
pub(crate) fn class(spec: &Field<'_>) -> &'static str {
    let (mut requests, mut limits) = (BTreeMap::new(), BTreeMap::new());
    let mut guaranteed = true;
    let pod = spec.at("resources");
    if has_amounts(&pod) {
        collect(&pod, &mut requests, &mut limits);
        guaranteed = limits.len() == 2;
    } else {
        for list in ["containers", "initContainers"] {
            for container in spec.at(list).items() {
                guaranteed &= collect(&container.at("resources"), &mut requests, &mut limits);
            }
        }
    }
    if requests.is_empty() && limits.is_empty() {
        "BestEffort"
    } else if guaranteed && requests == limits {
        "Guaranteed"
    } else {
        "Burstable"
    }
}

fn has_amounts(resources: &Field<'_>) -> bool {
    !resources.at("requests").is_empty() || !resources.at("limits").is_empty()
}

/// Adds up CPU and memory; tells whether both are limited.
fn collect<'a>(
    resources: &Field<'_>,
    requests: &mut BTreeMap<&'a str, Quantity>,
    limits: &mut BTreeMap<&'a str, Quantity>,
) -> bool {
    let mut limited = 0;
    for name in ["cpu", "memory"] {
        for (which, sums) in [("requests", &mut *requests), ("limits", &mut *limits)] {
            let amount = resource::of(resources.at(which).key(name).value());
            if amount.signum() > 0 {
                limited += usize::from(which == "limits");
                let sum = sums.entry(name).or_default();
                *sum = *sum + amount;
            }
        }
    }
    limited == 2
}
