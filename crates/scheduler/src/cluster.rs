//! The scheduler's account of the cluster: which pod is where, assumed placements included.
//!
//! - A pod is accounted from the decision ([`Cluster::assume`]) until it is
//!   deleted or finished, or until its binding fails ([`Cluster::forget`]);
//!   the watch only confirms it.
//! - A pod on a node that is not known (yet) is kept and placed when the node comes.

use std::{collections::HashMap, sync::Arc};

use crate::{
    snapshot::{Node, NodeChange, Snapshot},
    template::Pod,
};

/// A pod that is accounted to a node.
#[derive(Clone, Debug)]
struct Placed {
    pod: Arc<Pod>,
    node: Arc<str>,
    assumed: bool,
}

/// What a pod event changed.
#[derive(Clone, Debug)]
pub enum PodChange {
    /// Nothing that scheduling reads.
    None,
    /// It appeared on its node.
    Placed,
    /// It was this before.
    Changed(Arc<Pod>),
}

/// Nodes, placed pods, and pods whose node is missing.
#[derive(Debug, Default)]
pub struct Cluster {
    snapshot: Snapshot,
    placed: HashMap<Arc<str>, Placed>,
    strays: HashMap<Arc<str>, HashMap<Arc<str>, Arc<Pod>>>,
}

impl Cluster {
    /// The current state, as an immutable O(1) clone.
    pub fn snapshot(&self) -> Snapshot {
        self.snapshot.clone()
    }

    /// The current state, borrowed.
    pub fn current(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Whether a pod is accounted to a node, assumed or confirmed.
    pub fn is_placed(&self, uid: &str) -> bool {
        self.placed.contains_key(uid)
    }

    /// How many pods are accounted to nodes.
    pub fn placed(&self) -> usize {
        self.placed.len()
    }

    /// The uids of all pods accounted to nodes that are not merely assumed.
    pub fn confirmed(&self) -> impl Iterator<Item = &Arc<str>> {
        self.placed.iter().filter(|(_, placed)| !placed.assumed).map(|(uid, _)| uid)
    }

    /// Adds or updates a node. Pods that waited for it are placed.
    pub fn set_node(&mut self, node: Node) -> NodeChange {
        let name = node.facts.name.clone();
        let change = self.snapshot.set_node(node);
        if change.added {
            for pod in self.strays.remove(&name).into_iter().flat_map(HashMap::into_values) {
                self.snapshot.add_pod(&name, pod);
            }
        }
        change
    }

    /// Removes a node. Its pods stay accounted until they are deleted themselves.
    pub fn remove_node(&mut self, name: &str) -> Option<Arc<Node>> {
        let node = self.snapshot.remove_node(name)?;
        if !node.pods.is_empty() {
            let pods = node.pods.iter().map(|pod| (pod.uid.clone(), pod.clone()));
            self.strays.insert(node.facts.name.clone(), pods.collect());
        }
        Some(node)
    }

    /// Accounts a pod that the API shows on a node; confirms it where it was assumed.
    pub fn set_pod(&mut self, pod: Arc<Pod>, node: &Arc<str>) -> PodChange {
        let change = match self.placed.get_mut(&pod.uid) {
            Some(placed) if placed.node == *node && placed.pod.is_like(&pod) => {
                placed.assumed = false;
                return PodChange::None;
            }
            Some(placed) => PodChange::Changed(placed.pod.clone()),
            None => PodChange::Placed,
        };
        self.remove_pod(&pod.uid.clone());
        self.place(pod, node, false);
        change
    }

    /// Takes a deleted or finished pod out of the account.
    pub fn remove_pod(&mut self, uid: &str) -> Option<Arc<Pod>> {
        let placed = self.placed.remove(uid)?;
        if self.snapshot.remove_pod(&placed.node, uid).is_none()
            && let Some(strays) = self.strays.get_mut(&placed.node)
        {
            strays.remove(uid);
        }
        Some(placed.pod)
    }

    /// Accounts a decision before the API shows it.
    pub fn assume(&mut self, pod: &Arc<Pod>, node: &Arc<str>) {
        self.remove_pod(&pod.uid);
        self.place(pod.clone(), node, true);
    }

    /// Undoes [`Cluster::assume`]; a pod that the API has confirmed since stays.
    pub fn forget(&mut self, uid: &str) -> Option<Arc<Pod>> {
        self.placed.get(uid).filter(|placed| placed.assumed)?;
        self.remove_pod(uid)
    }

    fn place(&mut self, pod: Arc<Pod>, node: &Arc<str>, assumed: bool) {
        if !self.snapshot.add_pod(node, pod.clone()) {
            self.strays.entry(node.clone()).or_default().insert(pod.uid.clone(), pod.clone());
        }
        self.placed.insert(pod.uid.clone(), Placed { pod, node: node.clone(), assumed });
    }
}
