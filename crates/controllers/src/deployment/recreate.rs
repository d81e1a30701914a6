//! Recreate: all old pods end before the first new one begins.

use std::ops::BitOr;

use crate::owner::controller_of;
use crate::pod;

use super::member::{Member, sum};
use super::rollout::Rollout;
use super::status;

pub(super) fn advance(rollout: &mut Rollout<'_>) {
    rollout.keep_revision();
    let limits = rollout.limits;
    let shrunk = rollout.old.iter_mut().map(|member| member.scale(0, limits)).fold(false, BitOr::bitor);
    if shrunk || old_pods_run(rollout) {
        return;
    }
    rollout.ensure_new();
    if let Some(new) = &mut rollout.new
        && !new.fresh
    {
        new.scale(limits.replicas, limits);
    }
    if status::is_complete(rollout) {
        rollout.clean_up();
    }
}

/// Whether a pod of an old ReplicaSet has not ended yet, terminating ones included.
fn old_pods_run(rollout: &Rollout<'_>) -> bool {
    let new = rollout.new.as_ref().and_then(|new| new.source.metadata.uid.as_ref());
    let of_old = |uid| new != Some(uid);
    sum(&rollout.old, Member::actual) > 0
        || rollout.pods.iter().any(|pod| {
            controller_of(&pod.metadata).is_some_and(|owner| of_old(&owner.uid)) && !pod::is_finished(pod)
        })
}
