//! Addresses and node ports of Services: given out once, and taken back.
//!
//! ```text
//! Service ── claim ──> IPAddress 10.96.3.7      (networking.k8s.io/v1, made only if absent)
//!                      internal/nodeports 30123 (a key of the store that no API shows)
//!         ── write ──> settle: what the old state had and the new has not is freed;
//!                      a refused write frees what was claimed for it
//! ```
//! Invariants:
//! - An address or port belongs to the Service whose create of its key won; nothing is kept in memory.
//! - A claim is made before the Service is written and freed after: what a crash leaves behind is a claim
//!   without a Service, never a Service without a claim. [`repair`] frees the former and makes up the latter.
//! - When a write's fate is unknown its claims stay, for [`repair`] to judge.
//!
//! Source: KEP-1880 (multiple service CIDRs) and Kubernetes 1.36 `pkg/registry/core/service/storage`.

use std::collections::HashSet;
use std::net::Ipv4Addr;
use std::ops::RangeInclusive;
use std::sync::Arc;

use api::kinds::Resource;
use api::meta;
use api::status::Status;
use serde_json::Value;

use crate::cache::WatchCache;
use crate::endpoint::storage_failure;
use crate::server::Environment;
use crate::storage::{Storage, StorageError};

mod address;
mod claim;
mod default;
mod draw;
mod port;
mod range;
mod repair;
mod service;
#[cfg(test)]
mod tests;

pub use default::{ensure_kubernetes_service, ensure_service_cidr};
pub use range::{Cidr, CidrError};
pub use repair::{Repaired, repair};

use claim::{Claim, Owner};

/// What there is to give out.
#[derive(Debug, Clone)]
pub struct Ranges {
    /// Cluster addresses, as long as no ServiceCIDR object adds others.
    pub services: Cidr,
    /// Node ports.
    pub node_ports: RangeInclusive<u16>,
}

impl Default for Ranges {
    fn default() -> Self {
        Self { services: Cidr::DEFAULT, node_ports: 30000..=32767 }
    }
}

/// Gives addresses and ports to Services.
pub struct Allocation {
    storage: Storage,
    cache: Arc<WatchCache>,
    environment: Environment,
    ranges: Ranges,
}

/// What one request has claimed, and what its success makes free.
#[derive(Debug, Default)]
#[must_use = "claims must be settled when the fate of the write is known"]
pub(crate) struct Claims {
    owner: Owner,
    made: Vec<Claim>,
    outdated: Vec<Claim>,
}

/// What became of the write that claims were made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The new state is stored.
    Kept,
    /// It is certainly not.
    Refused,
    /// Nobody knows.
    Unknown,
}

impl Fate {
    /// The fate that an answer tells: after a fault of the server the write may still have happened.
    pub(crate) fn of<T>(outcome: &Result<T, Status>) -> Self {
        match outcome {
            Ok(_) => Self::Kept,
            Err(status) if status.http_code() < 500 => Self::Refused,
            Err(_) => Self::Unknown,
        }
    }
}

impl Claims {
    /// Whether nothing was claimed.
    pub(crate) fn is_empty(&self) -> bool {
        self.made.is_empty()
    }
}

fn is_service(resource: &Resource) -> bool {
    resource.group.is_empty() && resource.plural == "services"
}

impl Allocation {
    /// An allocator over the objects in `storage`; `cache` tells it where to look first.
    pub fn new(storage: Storage, cache: Arc<WatchCache>, environment: Environment, ranges: Ranges) -> Self {
        Self { storage, cache, environment, ranges }
    }

    /// Fills in what a new state of an object needs (`old` is its state before), and claims it.
    ///
    /// With `dry_run` it fills in what could be had, and claims nothing.
    ///
    /// # Errors
    /// 422 when what the client asks for is taken or outside of the ranges; 500 when nothing is left.
    pub(crate) async fn claim(
        &self,
        resource: &Resource,
        object: &mut Value,
        old: Option<&Value>,
        dry_run: bool,
    ) -> Result<Claims, Status> {
        let mut claims = Claims::default();
        if !is_service(resource) {
            return Ok(claims);
        }
        claims.owner = Owner::of(object);
        let mut draft = Draft {
            allocation: self,
            resource,
            name: meta::name(object),
            dry_run,
            shown: HashSet::new(),
            claims: &mut claims,
        };
        let mut spec = object["spec"].clone();
        let old = old.map_or(&Value::Null, |old| &old["spec"]);
        let outcome = match draft.addresses(&mut spec, old).await {
            Ok(()) => draft.ports(&mut spec, old).await,
            refused => refused,
        };
        if let Err(status) = outcome {
            self.settle(claims, Fate::Refused).await;
            return Err(status);
        }
        object["spec"] = spec;
        Ok(claims)
    }

    /// Frees what the fate of the write leaves without an owner.
    pub(crate) async fn settle(&self, claims: Claims, fate: Fate) {
        let freed = match fate {
            Fate::Kept => claims.outdated,
            Fate::Refused => claims.made,
            Fate::Unknown => return,
        };
        self.free(&freed, &claims.owner).await;
    }

    /// Frees what an object had that is gone.
    pub(crate) async fn release(&self, resource: &Resource, last: &Value) {
        if is_service(resource) {
            self.free(&service::claims(&last["spec"]), &Owner::of(last)).await;
        }
    }

    /// A claim that cannot be freed now is left to [`repair`].
    async fn free(&self, claims: &[Claim], owner: &Owner) {
        for claim in claims {
            if let Err(error) = claim.free(&self.storage, owner).await {
                tracing::warn!(error = &error as &dyn std::error::Error, ?claim, "cannot be freed now");
            }
        }
    }

    async fn is_taken(&self, claim: Claim) -> Result<bool, StorageError> {
        Ok(claim.read(&self.storage).await?.is_some())
    }

    /// Claims; tells whether that was first.
    async fn try_claim(&self, claim: Claim, owner: &Owner) -> Result<bool, Status> {
        let made = claim.make(&self.storage, &self.environment, owner).await;
        made.map_err(|error| storage_failure(&error))
    }

    /// A random number below `bound`.
    fn random(&self, bound: u32) -> u32 {
        let mut bytes = [0; 8];
        (self.environment.random)(&mut bytes);
        u32::try_from(u64::from_le_bytes(bytes) % u64::from(bound.max(1))).expect("less than a u32")
    }
}

/// A Service's new state on its way to have all it needs.
struct Draft<'a> {
    allocation: &'a Allocation,
    resource: &'a Resource,
    name: &'a str,
    dry_run: bool,
    /// What a dry run has given: to this Service no second time.
    shown: HashSet<Claim>,
    claims: &'a mut Claims,
}

/// Why a given address or port cannot be had, in Kubernetes' words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum Refusal {
    #[error("provided IP is already allocated")]
    AddressTaken,
    #[error("the provided network does not match the current range")]
    ForeignNetwork,
    #[error("the provided IP ({ip}) is not in the valid range. The range of valid IPs is {range}")]
    AddressOutside { ip: Ipv4Addr, range: Cidr },
    #[error("provided port is already allocated")]
    PortTaken,
    #[error("provided port is not in the valid range. The range of valid ports is {first}-{last}")]
    PortOutside { first: u16, last: u16 },
}

impl Draft<'_> {
    /// Claims this one, or says that it is taken.
    async fn exactly(&mut self, claim: Claim, taken: Refusal) -> Result<Result<(), Refusal>, Status> {
        let got = self.take(claim).await?;
        Ok(if got { Ok(()) } else { Err(taken) })
    }

    /// Claims one; tells whether it was free.
    async fn take(&mut self, claim: Claim) -> Result<bool, Status> {
        if self.dry_run {
            let is_taken = self.allocation.is_taken(claim).await.map_err(|error| storage_failure(&error))?;
            return Ok(!is_taken && self.shown.insert(claim));
        }
        let made = self.allocation.try_claim(claim, &self.claims.owner).await?;
        if made {
            self.claims.made.push(claim);
        }
        Ok(made)
    }

    /// Claims the first of `candidates` that is free; `None` when none is.
    ///
    /// What the cache knows to be taken is passed over. As the cache may be behind, there is a second
    /// round when it has caught up.
    async fn any<C>(&mut self, prefix: &str, candidates: impl Fn() -> C) -> Result<Option<Claim>, Status>
    where
        C: Iterator<Item = Claim> + Send,
    {
        for behind in [true, false] {
            if !behind {
                let waited = self.allocation.cache.catch_up().await;
                waited.map_err(|error| Status::internal_error(&error))?;
            }
            let (taken, _) = self.allocation.cache.shard(prefix).snapshot();
            for claim in candidates().filter(|claim| !taken.contains_key(claim.key().as_str())) {
                if self.take(claim).await? {
                    return Ok(Some(claim));
                }
            }
        }
        Ok(None)
    }
}
