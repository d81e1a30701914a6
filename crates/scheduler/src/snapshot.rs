//! Nodes and what is placed on them: changed a little by every event, read as one by every decision.
//!
//! ```text
//!  Snapshot { nodes: [Arc<Node>, …], index: name -> slot, images: name -> spread, generation }
//!  Node     { facts: Arc<Facts>, allocatable, requested, usage, ports, pods: [Arc<Pod>, …] }
//! ```
//! A clone of a snapshot is O(1); changing a node afterwards copies that node
//! and a path to it, never the rest.
//! - `requested` is the sum over `pods`, assumed ones included.
//! - `generation` changes whenever anything in it does, and is never reused.
//! - `Node::declared` changes whenever `facts` or `allocatable` do.

use std::{collections::HashMap, sync::Arc};

use imbl::Vector;
use k8s_openapi::api::core::v1 as core;

use crate::{
    label::Labels,
    resources::{self, Resources, Usage},
    taint::Taint,
    template::{HostPort, Pod, Template, TemplateId},
};

/// What a node says about itself that changes seldom.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Its name.
    pub name: Arc<str>,
    /// Its labels.
    pub labels: Labels,
    /// Its taints.
    pub taints: Vec<Taint>,
    /// Whether it is cordoned.
    pub unschedulable: bool,
    /// Images it holds: each of their names with their size in bytes.
    pub images: HashMap<Box<str>, i64>,
}

/// A node and what is placed on it.
#[derive(Clone, Debug, Default)]
pub struct Node {
    /// What it says about itself.
    pub facts: Arc<Facts>,
    /// The generation of `facts` and `allocatable`.
    pub declared: u64,
    /// Where it is in the snapshot.
    pub slot: usize,
    /// What it offers to pods.
    pub allocatable: Resources,
    /// How many pods it takes.
    pub pods_max: i64,
    /// What its pods ask for.
    pub requested: Resources,
    /// What its pods are scored by.
    pub usage: Usage,
    /// Ports its pods take.
    pub ports: Vec<HostPort>,
    /// Its pods.
    pub pods: Vec<Arc<Pod>>,
    /// Those of its pods that have pod affinity or anti-affinity of any sort.
    pub choosy: Vec<Arc<Pod>>,
    /// Its pods, counted by template.
    pub groups: Vec<Group>,
}

/// How many pods of one template a node has.
#[derive(Clone, Debug)]
pub struct Group {
    /// The identity of `template`.
    pub template_id: TemplateId,
    /// The template.
    pub template: Arc<Template>,
    /// All of them.
    pub all: i64,
    /// Those that are not being deleted.
    pub staying: i64,
}

impl Node {
    /// Decodes a node without pods.
    pub fn decode(node: &core::Node) -> Self {
        let spec = node.spec.as_ref();
        let status = node.status.as_ref();
        let allocatable = status.and_then(|status| status.allocatable.as_ref());
        let images = status.and_then(|status| status.images.as_ref()).into_iter().flatten();
        let named = images.flat_map(|image| {
            let size = image.size_bytes.unwrap_or(0);
            image.names.iter().flatten().map(move |name| (name.as_str().into(), size))
        });
        let taints = spec.and_then(|spec| spec.taints.as_ref()).into_iter().flatten();
        let facts = Facts {
            name: node.metadata.name.as_deref().unwrap_or_default().into(),
            labels: Labels::decode(node.metadata.labels.as_ref()),
            taints: taints.filter_map(Taint::decode).collect(),
            unschedulable: spec.and_then(|spec| spec.unschedulable).unwrap_or(false),
            images: named.collect(),
        };
        Self {
            facts: Arc::new(facts),
            allocatable: Resources::decode(allocatable),
            pods_max: resources::allowed_pods(allocatable),
            ..Self::default()
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.facts.name
    }

    /// The value of one of its labels.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.facts.labels.get(key)
    }

    /// Places a pod.
    pub fn add(&mut self, pod: Arc<Pod>) {
        let template = &pod.template;
        self.requested.add(&template.requests);
        self.usage.milli_cpu += template.usage.milli_cpu;
        self.usage.memory += template.usage.memory;
        self.ports.extend_from_slice(&template.ports);
        if is_choosy(&pod) {
            self.choosy.push(pod.clone());
        }
        self.count(&pod, 1);
        self.pods.push(pod);
    }

    fn count(&mut self, pod: &Pod, change: i64) {
        let found = self.groups.iter().position(|group| group.template_id == pod.template_id);
        let at = found.unwrap_or_else(|| {
            let (template_id, template) = (pod.template_id, pod.template.clone());
            self.groups.push(Group { template_id, template, all: 0, staying: 0 });
            self.groups.len() - 1
        });
        let group = &mut self.groups[at];
        group.all += change;
        group.staying += if pod.terminating { 0 } else { change };
        if group.all == 0 {
            self.groups.swap_remove(at);
        }
    }

    /// Takes a pod away; `None` where it is not here.
    pub fn remove(&mut self, uid: &str) -> Option<Arc<Pod>> {
        let at = self.pods.iter().position(|pod| pod.uid.as_ref() == uid)?;
        let pod = self.pods.swap_remove(at);
        let template = &pod.template;
        self.requested.subtract(&template.requests);
        self.usage.milli_cpu -= template.usage.milli_cpu;
        self.usage.memory -= template.usage.memory;
        for port in &template.ports {
            if let Some(at) = self.ports.iter().position(|taken| taken == port) {
                self.ports.swap_remove(at);
            }
        }
        self.choosy.retain(|other| other.uid != pod.uid);
        self.count(&pod, -1);
        Some(pod)
    }
}

fn is_choosy(pod: &Pod) -> bool {
    let template = &pod.template;
    !(template.affinity.is_empty()
        && template.anti_affinity.is_empty()
        && template.pod_preferences.is_empty())
}

/// Where an image is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImageSpread {
    /// Its size in bytes.
    pub size: i64,
    /// How many nodes hold it.
    pub nodes: usize,
}

/// What of a node changed, for the plugins that wait for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeChange {
    /// The node is new.
    pub added: bool,
    /// What it offers.
    pub allocatable: bool,
    /// Its labels.
    pub labels: bool,
    /// Its taints, or whether it is cordoned.
    pub taints: bool,
}

impl NodeChange {
    /// Whether anything that a waiting pod could wait for changed.
    pub fn any(self) -> bool {
        self.added || self.allocatable || self.labels || self.taints
    }
}

/// All nodes at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    nodes: Vector<Arc<Node>>,
    index: imbl::HashMap<Arc<str>, usize>,
    images: imbl::HashMap<Box<str>, ImageSpread>,
    generation: u64,
    declared: u64,
    choosy: usize,
    changes: Vector<(u64, usize)>,
}

/// Placements remembered for those who count along.
const CHANGES_MAX: usize = 4096;

impl Snapshot {
    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Which state of the cluster this is.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The generation since which no node came, went or said something else about itself.
    pub fn declared(&self) -> u64 {
        self.declared
    }

    /// The slots of nodes on which pods came or went after `generation`; `None` where that is too long ago.
    pub fn changed_since(&self, generation: u64) -> Option<impl Iterator<Item = usize>> {
        let forgotten = self.changes.len() == CHANGES_MAX
            && self.changes.front().is_some_and(|(oldest, _)| *oldest > generation);
        let newer = self.changes.iter().rev().take_while(move |(at, _)| *at > generation);
        (!forgotten).then(|| newer.map(|(_, slot)| *slot))
    }

    /// How many pods with pod affinity or anti-affinity are placed.
    pub fn choosy(&self) -> usize {
        self.choosy
    }

    /// All nodes, by slot.
    pub fn nodes(&self) -> impl Iterator<Item = &Arc<Node>> {
        self.nodes.iter()
    }

    /// All nodes with their slots, beginning at slot `start` and wrapping round.
    pub fn nodes_from(&self, start: usize) -> impl Iterator<Item = (usize, &Node)> {
        let tail = self.nodes.focus().narrow(start..).into_iter();
        let head = self.nodes.focus().narrow(..start).into_iter();
        (start..).zip(tail).chain((0..).zip(head)).map(|(slot, node)| (slot, node.as_ref()))
    }

    /// A node by name, with its slot.
    pub fn node(&self, name: &str) -> Option<(usize, &Node)> {
        let slot = *self.index.get(name)?;
        Some((slot, self.nodes.get(slot)?))
    }

    /// The node at a slot.
    pub fn at(&self, slot: usize) -> Option<&Node> {
        self.nodes.get(slot).map(AsRef::as_ref)
    }

    /// Where an image is; `None` where no node holds it.
    pub fn image(&self, name: &str) -> Option<ImageSpread> {
        self.images.get(name).copied()
    }

    /// Adds a node or replaces what it says about itself; its pods stay.
    pub fn set_node(&mut self, mut node: Node) -> NodeChange {
        let Some(slot) = self.index.get(&node.facts.name).copied() else {
            self.declare();
            node.declared = self.generation;
            node.slot = self.nodes.len();
            self.choosy += node.choosy.len();
            self.count_images(&Facts::default(), &node.facts);
            self.index.insert(node.facts.name.clone(), self.nodes.len());
            self.nodes.push_back(Arc::new(node));
            return NodeChange { added: true, ..NodeChange::default() };
        };
        let old = self.nodes[slot].clone();
        let allocatable = old.allocatable != node.allocatable || old.pods_max != node.pods_max;
        if !allocatable && old.facts == node.facts {
            return NodeChange::default();
        }
        let cordon = old.facts.unschedulable != node.facts.unschedulable;
        let change = NodeChange {
            added: false,
            allocatable,
            labels: old.facts.labels != node.facts.labels,
            taints: cordon || old.facts.taints != node.facts.taints,
        };
        self.count_images(&old.facts, &node.facts);
        drop(old);
        self.declare();
        let generation = self.generation;
        let current = Arc::make_mut(&mut self.nodes[slot]);
        current.facts = node.facts;
        current.allocatable = node.allocatable;
        current.pods_max = node.pods_max;
        current.declared = generation;
        change
    }

    /// Removes a node and gives it back with its pods. The last node takes its slot.
    pub fn remove_node(&mut self, name: &str) -> Option<Arc<Node>> {
        let slot = self.index.remove(name)?;
        self.declare();
        let mut last = self.nodes.pop_back()?;
        let removed = match slot == self.nodes.len() {
            true => last,
            false => {
                self.index.insert(last.facts.name.clone(), slot);
                Arc::make_mut(&mut last).slot = slot;
                std::mem::replace(&mut self.nodes[slot], last)
            }
        };
        self.choosy -= removed.choosy.len();
        self.count_images(&removed.facts, &Facts::default());
        Some(removed)
    }

    /// Places a pod on a node; `false` where there is no such node.
    pub fn add_pod(&mut self, node: &str, pod: Arc<Pod>) -> bool {
        self.change(node, |node| node.add(pod)).is_some()
    }

    /// Takes a pod from a node.
    pub fn remove_pod(&mut self, node: &str, uid: &str) -> Option<Arc<Pod>> {
        self.change(node, |node| node.remove(uid)).flatten()
    }

    fn change<T>(&mut self, name: &str, change: impl FnOnce(&mut Node) -> T) -> Option<T> {
        let slot = *self.index.get(name)?;
        self.generation += 1;
        self.changes.push_back((self.generation, slot));
        if self.changes.len() > CHANGES_MAX {
            self.changes.pop_front();
        }
        let node = Arc::make_mut(&mut self.nodes[slot]);
        let choosy = node.choosy.len();
        let result = change(node);
        self.choosy = self.choosy + node.choosy.len() - choosy;
        Some(result)
    }

    fn declare(&mut self) {
        self.generation += 1;
        self.declared = self.generation;
    }

    fn count_images(&mut self, old: &Facts, new: &Facts) {
        if old.images == new.images {
            return;
        }
        for name in old.images.keys() {
            if let Some(spread) = self.images.get_mut(name) {
                spread.nodes -= 1;
            }
        }
        for (name, size) in &new.images {
            let spread = self.images.entry(name.clone()).or_default();
            spread.nodes += 1;
            spread.size = *size;
        }
        for name in old.images.keys() {
            if self.images.get(name).is_some_and(|spread| spread.nodes == 0) {
                self.images.remove(name);
            }
        }
    }
}
