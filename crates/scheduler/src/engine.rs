//! The whole scheduler without its I/O: watch events and results in, steps out.
//!
//! ```text
//!  pod, node events ──> Engine { templates, cluster, queue, cycle } ──> Step::Bind | Step::Refuse
//!  bound, bind_failed ──┘
//! ```

use std::sync::Arc;

use k8s_openapi::api::core::v1 as core;

use crate::{
    cluster::{Cluster, PodChange},
    event::Event,
    queue::{Counts, Queue},
    schedule::{Cycle, Decision, schedule},
    snapshot::{Node, Snapshot},
    template::{Pod, Templates},
    time::Time,
};

/// What is to be done about a pod.
#[derive(Clone, Debug)]
pub enum Step {
    /// Bind it to a node; then report with [`Engine::bound`] or [`Engine::bind_failed`].
    Bind {
        /// The pod.
        pod: Arc<Pod>,
        /// The node.
        node: Arc<str>,
    },
    /// Tell why it is not placed.
    Refuse {
        /// The pod.
        pod: Arc<Pod>,
        /// Why.
        message: String,
    },
}

/// The state of the scheduler.
#[derive(Debug)]
pub struct Engine {
    name: String,
    templates: Templates,
    cluster: Cluster,
    queue: Queue,
    cycle: Cycle,
}

impl Engine {
    /// A scheduler for the pods that name it; `seed` decides ties.
    pub fn new(name: &str, seed: u64) -> Self {
        Self {
            name: name.into(),
            templates: Templates::default(),
            cluster: Cluster::default(),
            queue: Queue::default(),
            cycle: Cycle::new(seed),
        }
    }

    /// Takes in a pod as the API shows it.
    pub fn set_pod(&mut self, pod: &core::Pod, now: Time) {
        let uid = pod.metadata.uid.as_deref().unwrap_or_default();
        if is_finished(pod) {
            return self.remove_pod(uid, now);
        }
        let decoded = Arc::new(self.templates.decode(pod));
        match decoded.node.clone() {
            Some(node) => self.set_placed(&decoded, &node, now),
            None if decoded.terminating => self.queue.remove(uid),
            None if self.is_mine(pod) && !self.cluster.is_placed(uid) => self.queue.add(decoded, now),
            None => {}
        }
    }

    fn set_placed(&mut self, pod: &Arc<Pod>, node: &Arc<str>, now: Time) {
        self.queue.done(&pod.uid);
        match self.cluster.set_pod(pod.clone(), node) {
            PodChange::None => {}
            PodChange::Placed => self.queue.event(&Event::Placed(pod), now),
            PodChange::Changed(old) => self.queue.event(&Event::Changed(&old, pod), now),
        }
    }

    fn is_mine(&self, pod: &core::Pod) -> bool {
        let named = pod.spec.as_ref().and_then(|spec| spec.scheduler_name.as_deref());
        named.unwrap_or("default-scheduler") == self.name
    }

    /// Takes a deleted or finished pod out.
    pub fn remove_pod(&mut self, uid: &str, now: Time) {
        self.queue.remove(uid);
        if let Some(pod) = self.cluster.remove_pod(uid) {
            self.queue.event(&Event::Freed(&pod), now);
        }
    }

    /// Takes in a node as the API shows it.
    pub fn set_node(&mut self, node: &core::Node, now: Time) {
        let node = Node::decode(node);
        let name = node.facts.name.clone();
        let change = self.cluster.set_node(node);
        if let (true, Some((_, node))) = (change.any(), self.cluster.current().node(&name)) {
            self.queue.event(&Event::Node(node, change), now);
        }
    }

    /// Takes a deleted node out.
    pub fn remove_node(&mut self, name: &str, now: Time) {
        if let Some(node) = self.cluster.remove_node(name) {
            self.queue.event(&Event::NodeGone(&node), now);
        }
    }

    /// Decides about the next pod, if one is ready.
    pub fn step(&mut self, now: Time) -> Option<Step> {
        let pod = self.queue.pop(now)?;
        Some(match schedule(&pod, self.cluster.current(), &mut self.cycle) {
            Decision::Assigned { node, .. } => {
                self.cluster.assume(&pod, &node);
                self.queue.event(&Event::Placed(&pod), now);
                Step::Bind { pod, node }
            }
            Decision::Rejected(rejection) => {
                self.queue.reject(&pod.uid, rejection.plugins, now);
                Step::Refuse { pod, message: rejection.message }
            }
        })
    }

    /// The API has accepted the binding.
    pub fn bound(&mut self, uid: &str) {
        self.queue.done(uid);
    }

    /// The API has not accepted the binding: what was assumed is undone, and the pod tried again later.
    pub fn bind_failed(&mut self, uid: &str, now: Time) {
        self.queue.retry(uid, now);
        if let Some(pod) = self.cluster.forget(uid) {
            self.queue.event(&Event::Freed(&pod), now);
        }
    }

    /// When [`Engine::step`] has something to do without a further event.
    pub fn deadline(&self, now: Time) -> Option<Time> {
        if self.queue.is_ready(now) { Some(now) } else { self.queue.deadline() }
    }

    /// How many pods are accounted to nodes.
    pub fn placed(&self) -> usize {
        self.cluster.placed()
    }

    /// How many pods wait where.
    pub fn counts(&self) -> Counts {
        self.queue.counts()
    }

    /// The nodes and what is placed on them.
    pub fn snapshot(&self) -> Snapshot {
        self.cluster.snapshot()
    }
}

fn is_finished(pod: &core::Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}
