//! What a Deployment's spec says about how fast it may change.

use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec, RollingUpdateDeployment};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// The spec's numbers, resolved against its replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    /// How many pods are wanted.
    pub(super) replicas: i32,
    /// How many there may be more than wanted; 0 for `Recreate`.
    pub(super) surge: i32,
    /// How many wanted pods may be missing; 0 for `Recreate`.
    pub(super) unavailable: i32,
    /// Whether pods are replaced little by little.
    pub(super) rolling: bool,
}

impl Limits {
    pub(super) fn of(spec: &DeploymentSpec) -> Self {
        let replicas = spec.replicas.unwrap_or(1);
        let strategy = spec.strategy.as_ref();
        let rolling = strategy.and_then(|strategy| strategy.type_.as_deref()) != Some("Recreate");
        if !rolling {
            return Self { replicas, surge: 0, unavailable: 0, rolling };
        }
        let given = strategy.and_then(|strategy| strategy.rolling_update.clone()).unwrap_or_default();
        let (surge, unavailable) = fenceposts(&given, replicas);
        let unavailable = if replicas == 0 { 0 } else { unavailable.min(replicas) };
        Self { replicas, surge, unavailable, rolling }
    }

    /// The most pods there may be.
    pub(super) fn most(self) -> i32 {
        self.replicas.saturating_add(self.surge)
    }

    /// The fewest pods that must be available.
    pub(super) fn fewest(self) -> i32 {
        self.replicas - self.unavailable
    }
}

/// The surge is rounded up, the unavailable part down; if both come to nothing one pod may be
/// missing, since nothing could move otherwise.
fn fenceposts(given: &RollingUpdateDeployment, replicas: i32) -> (i32, i32) {
    let quarter = IntOrString::String("25%".into());
    let surge = resolve(given.max_surge.as_ref().unwrap_or(&quarter), replicas, true);
    let unavailable = resolve(given.max_unavailable.as_ref().unwrap_or(&quarter), replicas, false);
    if surge == 0 && unavailable == 0 { (0, 1) } else { (surge, unavailable) }
}

/// A number as it is, or a percentage of `total`. What is neither counts as nothing; validation
/// lets no such value in.
fn resolve(value: &IntOrString, total: i32, up: bool) -> i32 {
    let text = match value {
        IntOrString::Int(number) => return *number,
        IntOrString::String(text) => text,
    };
    let percent: i64 = text.strip_suffix('%').and_then(|percent| percent.parse().ok()).unwrap_or(0);
    let hundredfold = percent * i64::from(total);
    let part = if up { (hundredfold + 99).div_euclid(100) } else { hundredfold.div_euclid(100) };
    i32::try_from(part).unwrap_or(i32::MAX)
}

/// Whether old pods must end before new ones begin.
pub(super) fn is_recreate(deployment: &Deployment) -> bool {
    deployment.spec.as_ref().is_some_and(|spec| !Limits::of(spec).rolling)
}

/// The deadline for progress in seconds; none where there is no deadline, which the largest number
/// says too.
pub(super) fn progress_deadline(spec: &DeploymentSpec) -> Option<i32> {
    spec.progress_deadline_seconds.filter(|seconds| *seconds != i32::MAX)
}

/// How many old ReplicaSets are kept; none where all are.
pub(super) fn history_limit(spec: &DeploymentSpec) -> Option<usize> {
    let limit = spec.revision_history_limit.filter(|limit| *limit != i32::MAX)?;
    usize::try_from(limit).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_round_in_favour_of_progress_and_availability() {
        let check = |surge: &str, unavailable: &str, replicas, expected| {
            let value = |text: &str| {
                Some(text.parse().map_or_else(|_| IntOrString::String(text.into()), IntOrString::Int))
            };
            let given =
                RollingUpdateDeployment { max_surge: value(surge), max_unavailable: value(unavailable) };
            assert_eq!(fenceposts(&given, replicas), expected, "{surge} {unavailable} of {replicas}");
        };
        check("25%", "25%", 3, (1, 0));
        check("25%", "25%", 10, (3, 2));
        check("0", "1%", 10, (0, 1));
        check("0%", "0%", 10, (0, 1));
        check("2", "0", 1, (2, 0));
        check("100%", "100%", 4, (4, 4));
        check("25%", "25%", 0, (0, 1));
    }
}
