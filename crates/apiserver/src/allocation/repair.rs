//! Claims and Services brought together again, as Kubernetes' repair loops do.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Duration;

use api::meta::{self, Time};
use serde_json::Value;

use super::claim::{ADDRESSES, Claim, MANAGED_BY, Owner, PORTS};
use super::service;
use crate::cache::WatchCache;
use crate::server::Environment;
use crate::storage::{Place, Storage, StorageError};

/// Where Services are.
pub(super) const SERVICES: &str = "core/services";

/// What a repair has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Repaired {
    /// Claims without a Service that were freed.
    pub freed: usize,
    /// Claims that Services lacked and now have.
    pub made: usize,
    /// Claims that a Service lacks because another has them: its owner must choose others.
    pub disputed: usize,
}

/// Frees claims that no Service has, once they are older than `grace`, and makes up those that Services lack.
///
/// At the start, before anybody else writes, `grace` is zero. Later it must be longer than any request
/// takes, as a claim is made before its Service: Kubernetes waits 60 s, and repairs every 3 minutes. The
/// cache must be ready.
///
/// # Errors
/// When the store fails; what was done stays done, and repairing again is safe.
pub async fn repair(
    storage: &Storage,
    cache: &WatchCache,
    environment: &Environment,
    grace: Duration,
) -> Result<Repaired, StorageError> {
    let (wanted, disputed) = wanted(&all(cache, SERVICES));
    let mut repaired = Repaired { disputed, ..Repaired::default() };
    let oldest = Time::from((environment.now)()).unix() - i64::try_from(grace.as_secs()).unwrap_or(i64::MAX);
    for prefix in [ADDRESSES, PORTS] {
        for object in all(cache, prefix) {
            let Some(leak) = leaked(&object, prefix, &wanted, oldest) else { continue };
            repaired.freed += usize::from(free(storage, leak, &Owner::recorded(&object)).await?);
        }
    }
    for (claim, owner) in &wanted {
        match missing(storage, *claim, owner).await? {
            State::Held => {}
            State::Foreign => repaired.disputed += 1,
            State::Absent => {
                repaired.made += usize::from(claim.make(storage, environment, owner).await?);
            }
        }
    }
    Ok(repaired)
}

fn all(cache: &WatchCache, prefix: &str) -> Vec<Value> {
    let (objects, _) = cache.shard(prefix).snapshot();
    objects.values().filter_map(|object| serde_json::from_slice(object.versioned.json()).ok()).collect()
}

/// Whose each claim ought to be: of two Services with the same, the older one's. And how many are those of two.
fn wanted(services: &[Value]) -> (BTreeMap<Claim, Owner>, usize) {
    let mut by_age: Vec<&Value> = services.iter().collect();
    by_age.sort_by_key(|service| meta::creation_timestamp(service).map(Time::unix));
    let (mut wanted, mut disputed) = (BTreeMap::new(), 0);
    for service in by_age {
        for claim in service::claims(&service["spec"]) {
            let owner = Owner::of(service);
            match wanted.entry(claim) {
                Entry::Vacant(free) => drop(free.insert(owner)),
                Entry::Occupied(older) => {
                    tracing::warn!(?claim, ?owner, older = ?older.get(), "two Services have the same");
                    disputed += 1;
                }
            }
        }
    }
    (wanted, disputed)
}

/// The claim, if its owner does not have it, and it is ours to judge and old enough.
fn leaked(object: &Value, prefix: &str, wanted: &BTreeMap<Claim, Owner>, oldest: i64) -> Option<Claim> {
    let claim = Claim::parse(prefix, meta::name(object))?;
    let ours = prefix == PORTS || meta::label(object, MANAGED_BY.0) == Some(MANAGED_BY.1);
    let old = meta::creation_timestamp(object).is_none_or(|made| made.unix() <= oldest);
    let held = wanted.get(&claim) == Some(&Owner::recorded(object));
    (ours && old && !held).then_some(claim)
}

/// Frees a claim unless the store knows a Service of that name with it; tells whether it did.
async fn free(storage: &Storage, claim: Claim, owner: &Owner) -> Result<bool, StorageError> {
    let service = storage.read(Place { prefix: SERVICES, key: &owner.key() }).await?;
    if service.is_some_and(|current| service::claims(&current.object["spec"]).contains(&claim)) {
        return Ok(false);
    }
    tracing::warn!(?claim, ?owner, "freed: its Service is gone");
    claim.free(storage, owner).await?;
    Ok(true)
}

enum State {
    Held,
    Foreign,
    Absent,
}

async fn missing(storage: &Storage, claim: Claim, owner: &Owner) -> Result<State, StorageError> {
    let Some(current) = claim.read(storage).await? else { return Ok(State::Absent) };
    if Owner::recorded(&current.object) == *owner {
        return Ok(State::Held);
    }
    tracing::warn!(?claim, ?owner, "belongs to another object: recreate the Service with a new one");
    Ok(State::Foreign)
}
