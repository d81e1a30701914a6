//! Who owns whom, as the watches have told it. Pure data.
//!
//! A node is real (its object was seen) or virtual (only a reference to it was). Every change
//! answers with the uids that deserve a look.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

use super::plan;
use crate::discovery::Served;
use crate::informer::Key;

/// How many uids known to be gone are remembered.
const GONE: usize = 8192;

/// One object.
#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    pub(super) uid: String,
    pub(super) key: Key,
    /// Its resource; none while only a reference is known.
    pub(super) served: Option<Arc<Served>>,
    /// How a virtual node was named.
    pub(super) reference: Option<OwnerReference>,
    owners: Vec<OwnerReference>,
    dependents: BTreeSet<String>,
    /// It is being deleted in the foreground: it waits for its dependents.
    pub(super) deleting_dependents: bool,
}

impl Node {
    /// Whether its reference to this owner blocks the owner's foreground deletion.
    pub(super) fn blocks(&self, owner: &str) -> bool {
        self.owners
            .iter()
            .any(|reference| reference.uid == owner && reference.block_owner_deletion == Some(true))
    }
}

/// The graph of all objects.
#[derive(Debug, Default)]
pub(super) struct Graph {
    nodes: HashMap<String, Node>,
    gone: HashSet<String>,
}

impl Graph {
    pub(super) fn node(&self, uid: &str) -> Option<Node> {
        self.nodes.get(uid).cloned()
    }

    pub(super) fn dependents(&self, uid: &str) -> Vec<Node> {
        let uids = self.nodes.get(uid).into_iter().flat_map(|node| &node.dependents);
        uids.filter_map(|uid| self.nodes.get(uid).cloned()).collect()
    }

    /// Whether the object of this uid was seen to go.
    pub(super) fn is_gone(&self, uid: &str) -> bool {
        self.gone.contains(uid)
    }

    /// The uids of a resource's real nodes.
    pub(super) fn of(&self, served: &Arc<Served>) -> Vec<String> {
        let same = |node: &&Node| node.served.as_ref().is_some_and(|own| Arc::ptr_eq(own, served));
        self.nodes.values().filter(same).map(|node| node.uid.clone()).collect()
    }

    /// Takes in an object as it is now.
    pub(super) fn upsert(&mut self, served: &Arc<Served>, meta: &ObjectMeta) -> Vec<String> {
        let uid = meta.uid.clone().unwrap_or_default();
        let owners = meta.owner_references.clone().unwrap_or_default();
        let node = self.nodes.entry(uid.clone()).or_default();
        let before = std::mem::replace(&mut node.owners, owners.clone());
        node.uid.clone_from(&uid);
        node.key = Key::of_meta(meta);
        node.served = Some(Arc::clone(served));
        node.reference = None;
        node.deleting_dependents = plan::is_foreground(meta);
        let dependents: Vec<String> = node.dependents.iter().cloned().collect();
        let mut visit = self.relink(&uid, &Key::of_meta(meta), &before, &owners);
        if plan::is_foreground(meta) {
            visit.extend(dependents);
            visit.push(uid);
        } else if plan::is_orphaning(meta) || self.misses_owner(&owners) {
            visit.push(uid);
        }
        visit
    }

    fn misses_owner(&self, owners: &[OwnerReference]) -> bool {
        owners.iter().any(|owner| self.gone.contains(&owner.uid) || self.waits(&owner.uid))
    }

    fn waits(&self, uid: &str) -> bool {
        self.nodes.get(uid).is_some_and(|node| node.deleting_dependents)
    }

    /// Ties a node to its owners; owners it lost, or no longer blocks, may be free to go, and owners
    /// never seen deserve a look.
    fn relink(
        &mut self,
        uid: &str,
        key: &Key,
        before: &[OwnerReference],
        now: &[OwnerReference],
    ) -> Vec<String> {
        let mut visit = Vec::new();
        for old in before.iter().filter(|old| !now.contains(old)) {
            visit.extend(self.waits(&old.uid).then(|| old.uid.clone()));
            if !now.iter().any(|owner| owner.uid == old.uid)
                && let Some(owner) = self.nodes.get_mut(&old.uid)
            {
                owner.dependents.remove(uid);
                // A lost reference may have been the last solid one of the node itself.
                visit.push(uid.to_owned());
            }
        }
        for owner in now {
            let gone = self.gone.contains(&owner.uid);
            let node = self.nodes.entry(owner.uid.clone()).or_insert_with(|| {
                visit.extend((!gone).then(|| owner.uid.clone()));
                virtual_node(owner, key)
            });
            node.dependents.insert(uid.to_owned());
        }
        visit
    }

    /// Takes out an object that is gone. Its dependents deserve a look, and owners that waited for it.
    pub(super) fn remove(&mut self, uid: &str) -> Vec<String> {
        let Some(node) = self.nodes.remove(uid) else { return Vec::new() };
        // A virtual node was only looked for in its dependent's namespace: the object may exist in
        // another, so that nothing is proved for objects there.
        if node.served.is_some() {
            if self.gone.len() >= GONE {
                self.gone.clear();
            }
            self.gone.insert(uid.to_owned());
        }
        let mut visit: Vec<String> = node.dependents.into_iter().collect();
        for owner in &node.owners {
            if let Some(owner) = self.nodes.get_mut(&owner.uid) {
                owner.dependents.remove(uid);
            }
            visit.extend(self.waits(&owner.uid).then(|| owner.uid.clone()));
        }
        visit
    }
}

/// An owner that only a reference has named; it is looked for in its dependent's namespace.
fn virtual_node(reference: &OwnerReference, dependent: &Key) -> Node {
    Node {
        uid: reference.uid.clone(),
        key: Key::new(&dependent.namespace, &reference.name),
        reference: Some(reference.clone()),
        ..Node::default()
    }
}
