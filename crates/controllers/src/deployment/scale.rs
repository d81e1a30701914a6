//! Resizing a Deployment without moving its rollout.

use std::cmp::Reverse;

use super::member::{Member, sum};
use super::revision::{self, DESIRED, MOST};
use super::rollout::Rollout;
use super::strategy::Limits;

/// Where one ReplicaSet has all pods it takes the change; where the new one is complete the old
/// ones end; in the midst of a rolling update all grow or shrink in proportion.
pub(super) fn in_proportion(rollout: &mut Rollout<'_>) {
    let limits = rollout.limits;
    let active = rollout.all().filter(|member| member.replicas > 0).count();
    if active <= 1 {
        if let Some(only) = active_or_latest(rollout) {
            // Even where the size fits already: the note must follow, or the resize never ends.
            only.resize(limits.replicas, limits);
        }
    } else if rollout.new.as_ref().is_some_and(|new| is_saturated(new, limits)) {
        for member in &mut rollout.old {
            member.scale(0, limits);
        }
    } else if limits.rolling {
        let status_replicas =
            rollout.deployment.status.as_ref().and_then(|status| status.replicas).unwrap_or(0);
        let members: Vec<&mut Member> =
            rollout.old.iter_mut().chain(&mut rollout.new).filter(|member| member.replicas > 0).collect();
        spread(members, limits, status_replicas);
    }
}

fn active_or_latest<'r>(rollout: &'r mut Rollout<'_>) -> Option<&'r mut Member> {
    let Rollout { old, new, .. } = rollout;
    match old.iter().position(|member| member.replicas > 0) {
        Some(active) => old.get_mut(active),
        None => new.as_mut().or(old.last_mut()),
    }
}

fn is_saturated(new: &Member, limits: Limits) -> bool {
    let noted = revision::noted(&new.annotations, DESIRED);
    new.replicas == limits.replicas && noted == Some(limits.replicas) && new.available() == limits.replicas
}

/// Shares the change in size among the active ReplicaSets by their share of the pods; the rounding
/// rest goes to the largest (of equals the newest when growing, the oldest when shrinking).
fn spread(mut members: Vec<&mut Member>, limits: Limits, status_replicas: i32) {
    let allowed = if limits.replicas > 0 { limits.most() } else { 0 };
    let change = allowed - sum(members.iter().map(|member| &**member), |member| member.replicas);
    members.sort_by_key(|member| (Reverse(member.replicas), member.created()));
    if change > 0 {
        members.sort_by_key(|member| (Reverse(member.replicas), Reverse(member.created())));
    }
    let mut left = change;
    let shares: Vec<i32> = members
        .iter()
        .map(|member| {
            let share = share(member, limits, status_replicas, left);
            left -= share;
            share
        })
        .collect();
    for (index, (member, share)) in members.into_iter().zip(shares).enumerate() {
        let rest = if index == 0 { left } else { 0 };
        member.resize(member.replicas + share + rest, limits);
    }
}

/// The part of `left` that falls to one ReplicaSet.
fn share(member: &Member, limits: Limits, status_replicas: i32, left: i32) -> i32 {
    if left == 0 {
        return 0;
    }
    let fraction = fraction(member, limits, status_replicas);
    if left > 0 { fraction.min(left) } else { fraction.max(left) }
}

/// How much a ReplicaSet grows if it keeps its share of the Deployment's most pods.
fn fraction(member: &Member, limits: Limits, status_replicas: i32) -> i32 {
    if limits.replicas == 0 {
        return -member.replicas;
    }
    let noted = revision::noted(&member.annotations, MOST).filter(|most| *most != 0);
    let before = noted.unwrap_or(status_replicas);
    if before == 0 {
        return 0;
    }
    let size = f64::from(member.replicas) * f64::from(limits.most()) / f64::from(before);
    rounded(size) - member.replicas
}

#[expect(clippy::cast_possible_truncation, reason = "sizes are far below 2^31, and `as` saturates")]
fn rounded(size: f64) -> i32 {
    size.round() as i32
}
