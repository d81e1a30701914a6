//! What happens in the cluster, as plugins see it when they are asked whether it may help a waiting pod.

use crate::{
    snapshot::{Node, NodeChange},
    template::Pod,
};

/// A change of the cluster.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A node came, or changed in the named ways.
    Node(&'a Node, NodeChange),
    /// A node went.
    NodeGone(&'a Node),
    /// A pod was placed on a node.
    Placed(&'a Pod),
    /// A placed pod went or finished.
    Freed(&'a Pod),
    /// A placed pod changed on its node: what it was, and what it is.
    Changed(&'a Pod, &'a Pod),
}
