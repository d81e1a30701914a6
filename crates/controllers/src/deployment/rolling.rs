//! RollingUpdate: up by the surge, down by what is available.

use super::member::{Member, sum};
use super::rollout::Rollout;
use super::status;

/// One move: the new ReplicaSet grows, or else the old ones shrink, or else all is done.
pub(super) fn advance(rollout: &mut Rollout<'_>) {
    rollout.ensure_new();
    if resize_new(rollout) || shrink_old(rollout) {
        return;
    }
    if status::is_complete(rollout) {
        rollout.clean_up();
    }
}

fn resize_new(rollout: &mut Rollout<'_>) -> bool {
    let limits = rollout.limits;
    let Some(mut new) = rollout.new.take() else { return false };
    // A fresh one was created with its first size.
    let moved = !new.fresh && {
        let size = if new.replicas > limits.replicas { limits.replicas } else { rollout.new_size(&new) };
        new.scale(size, limits)
    };
    rollout.new = Some(new);
    moved
}

/// Old pods go as far as the wanted minimum stays available, those that are not available first:
/// they serve nobody and may never come up.
fn shrink_old(rollout: &mut Rollout<'_>) -> bool {
    if sum(&rollout.old, |member| member.replicas) == 0 {
        return false;
    }
    let unready = rollout.new.as_ref().map_or(0, |new| new.replicas - new.available());
    let spare = rollout.count(|member| member.replicas) - rollout.limits.fewest() - unready;
    if spare <= 0 {
        return false;
    }
    let limits = rollout.limits;
    let cleaned = take(&mut rollout.old, spare, limits, |member| member.replicas - member.available());
    let spare = rollout.count(Member::available) - rollout.limits.fewest();
    let shrunk = spare > 0 && take(&mut rollout.old, spare, limits, |member| member.replicas);
    cleaned || shrunk
}

/// Takes up to `budget` pods, oldest ReplicaSet first and from each at most what `spare` says.
fn take(
    members: &mut [Member],
    mut budget: i32,
    limits: super::strategy::Limits,
    spare: impl Fn(&Member) -> i32,
) -> bool {
    let before = budget;
    for member in members {
        let surplus = spare(member).clamp(0, budget.max(0)).min(member.replicas);
        if surplus > 0 {
            member.scale(member.replicas - surplus, limits);
            budget -= surplus;
        }
    }
    budget < before
}
