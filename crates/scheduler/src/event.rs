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
    /// A pod was placed on a node, or its labels changed there.
    Placed(&'a Pod),
    /// A placed pod went, finished, or asks for less.
    Freed(&'a Pod),
}
