//! The RBAC authorizer: Roles and bindings from the watch cache, held as an index by subject.
//!
//! The index is made anew when one of the four resources has changed since, which a decision sees by
//! comparing four revisions; only objects that changed are parsed again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use serde::de::DeserializeOwned;

use super::rule::{self, Rule};
use super::{Action, Authorizer, Decision, Known};
use crate::authn::{MASTERS, User};
use crate::cache::WatchCache;
use crate::cache::shard::{Objects as Cached, Shard};

pub mod index;
#[cfg(test)]
mod tests;

use index::{Binding, Index, Objects, Resolved, Role, RoleRef};

/// The group of Roles and bindings.
pub const GROUP: &str = "rbac.authorization.k8s.io";

/// What one revision of the four resources means.
#[derive(Debug, Default)]
struct State {
    /// Of roles, clusterroles, rolebindings, clusterrolebindings; `None` before the first look.
    revisions: Option<[u64; 4]>,
    objects: Objects,
    index: Index,
}

/// Objects as parsed, with the revision each was parsed at.
type Parsed<T> = HashMap<Arc<str>, (u64, Arc<T>)>;

#[derive(Debug, Default)]
struct Parser {
    roles: Parsed<Role>,
    cluster_roles: Parsed<Role>,
    bindings: Parsed<Binding>,
    cluster_bindings: Parsed<Binding>,
}

/// The RBAC authorizer.
pub struct Rbac {
    shards: [Arc<Shard>; 4],
    state: ArcSwap<State>,
    parser: Mutex<Parser>,
}

impl Rbac {
    /// An authorizer over what is in the cache.
    pub fn new(cache: &WatchCache) -> Self {
        let shard = |plural: &str| cache.shard(&format!("{GROUP}/{plural}"));
        let shards = ["roles", "clusterroles", "rolebindings", "clusterrolebindings"].map(shard);
        Self { shards, state: ArcSwap::default(), parser: Mutex::default() }
    }

    fn snapshots(&self) -> [(Cached, u64); 4] {
        [0, 1, 2, 3].map(|at: usize| self.shards[at].snapshot())
    }

    /// The state of now.
    fn state(&self) -> Arc<State> {
        let revisions = |snapshots: &[(Cached, u64); 4]| [0, 1, 2, 3].map(|at: usize| snapshots[at].1);
        let known = self.state.load_full();
        if known.revisions == Some(revisions(&self.snapshots())) {
            return known;
        }
        let mut parser = self.parser.lock().unwrap_or_else(PoisonError::into_inner);
        let snapshots = self.snapshots();
        let current = Some(revisions(&snapshots));
        let known = self.state.load_full();
        // Whoever held the lock before may have done it already.
        if known.revisions == current {
            return known;
        }
        let objects = parser.parse(&snapshots);
        let state = Arc::new(State { revisions: current, index: Index::new(&objects), objects });
        self.state.store(Arc::clone(&state));
        state
    }

    /// The rules of a role that a binding in `namespace` names (empty: a cluster binding), or that it
    /// does not exist.
    pub fn resolve(&self, role: &RoleRef, namespace: &str) -> Resolved {
        self.state().objects.resolve(role, namespace)
    }

    /// Refuses to let a user grant, in a namespace (empty: the cluster), what the user does not hold.
    ///
    /// # Errors
    /// The refusal, as Kubernetes words it.
    pub fn confirm_no_escalation(&self, user: &User, namespace: &str, wanted: &[Rule]) -> Result<(), String> {
        if user.is_member(MASTERS) {
            return Ok(());
        }
        let held = self.state().index.known(user, namespace);
        let missing = rule::missing(&held.rules, wanted);
        if missing.is_empty() { Ok(()) } else { Err(index::escalation(user, missing, &held.faults)) }
    }
}

impl Authorizer for Rbac {
    fn authorize(&self, user: &User, action: &Action<'_>) -> Decision {
        self.state().index.decide(user, action)
    }

    fn known(&self, user: &User, namespace: &str) -> Known {
        self.state().index.known(user, namespace)
    }
}

impl Parser {
    fn parse(&mut self, [roles, cluster_roles, bindings, cluster_bindings]: &[(Cached, u64); 4]) -> Objects {
        Objects {
            roles: refresh(&mut self.roles, &roles.0),
            cluster_roles: refresh(&mut self.cluster_roles, &cluster_roles.0),
            bindings: refresh(&mut self.bindings, &bindings.0),
            cluster_bindings: refresh(&mut self.cluster_bindings, &cluster_bindings.0),
        }
    }
}

/// Parses what is new in `cached`, drops what is gone, and gives everything.
fn refresh<T: DeserializeOwned>(known: &mut Parsed<T>, cached: &Cached) -> HashMap<Arc<str>, Arc<T>> {
    known.retain(|key, (revision, _)| cached.get(key).is_some_and(|object| object.revision == *revision));
    for (key, object) in cached {
        if known.contains_key(key) {
            continue;
        }
        match serde_json::from_slice(object.versioned.json()) {
            Ok(parsed) => drop(known.insert(Arc::clone(key), (object.revision, Arc::new(parsed)))),
            // Strict decoding has checked it; whatever this is, it grants nothing.
            Err(error) => tracing::error!(key = &**key, %error, "an RBAC object cannot be read"),
        }
    }
    known.iter().map(|(key, (_, parsed))| (Arc::clone(key), Arc::clone(parsed))).collect()
}
