//! Why a pod was rejected, in Kubernetes' words, and which plugins to wait for.
//!
//! `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint(s). preemption: …`
//! The reasons are a histogram over nodes, each node counted with the reasons
//! of the first plugin that refused it, sorted as text.

use std::collections::BTreeMap;

use crate::{
    plugin::{PLUGINS, PluginSet, Refusal},
    preempt,
    schedule::{Prepared, Refused},
    snapshot::Snapshot,
    template::Pod,
};

/// Why no node takes a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rejection {
    /// For the event and the pod's condition.
    pub message: String,
    /// The plugins that refused nodes; events that concern none of them cannot help.
    pub plugins: PluginSet,
}

impl Rejection {
    /// The rejection by a cluster without nodes; any event may help.
    pub fn no_nodes() -> Self {
        Self { message: "no nodes available to schedule pods".into(), plugins: PluginSet::default() }
    }
}

/// Explains a rejection after all nodes have been looked at.
pub fn reject(pod: &Pod, snapshot: &Snapshot, prepared: &Prepared<'_>, refused: &[Refused<'_>]) -> Rejection {
    let mut plugins = PluginSet::default();
    let mut reasons = Histogram::default();
    for one in refused {
        plugins.insert(one.plugin);
        reasons.add_refusal(one.plugin, one.refusal);
    }
    if let Some((_, rows)) = &prepared.only {
        let names: Vec<&str> = rows.rows().map(|row| row.name).collect();
        let text = format!("node(s) didn't satisfy plugin(s) [{}]", names.join(" "));
        reasons.add(&text, snapshot.len() - refused.len());
        let narrowing = PLUGINS.iter().enumerate().filter(|(_, row)| names.contains(&row.name));
        narrowing.for_each(|(index, _)| plugins.insert(index));
    }
    let preemption = preempt::outcome(pod, snapshot, prepared, refused);
    Rejection { message: format!("{} {preemption}", reasons.sentence(pod, snapshot.len())), plugins }
}

/// Explains a rejection by a plugin that looked at no node.
pub fn reject_early(pod: &Pod, snapshot: &Snapshot, plugin: usize, message: &str) -> Rejection {
    let mut plugins = PluginSet::default();
    plugins.insert(plugin);
    let nodes = snapshot.len();
    let preemption = preempt::not_helpful(pod, nodes);
    Rejection { message: format!("0/{nodes} nodes are available: {message}. {preemption}"), plugins }
}

/// Reasons with the number of nodes that gave them.
#[derive(Debug, Default)]
pub struct Histogram {
    refusals: BTreeMap<(usize, u32), usize>,
    other: BTreeMap<String, usize>,
}

impl Histogram {
    /// Counts nodes with a reason of the framework's own.
    pub fn add(&mut self, reason: &str, nodes: usize) {
        if nodes > 0 {
            *self.other.entry(reason.to_owned()).or_default() += nodes;
        }
    }

    /// Counts a node refused by a row of [`PLUGINS`].
    pub fn add_refusal(&mut self, plugin: usize, refusal: Refusal) {
        *self.refusals.entry((plugin, refusal.reasons)).or_default() += 1;
    }

    /// `0/N nodes are available: ….`
    pub fn sentence(&self, pod: &Pod, nodes: usize) -> String {
        let mut total = self.other.clone();
        for ((plugin, reasons), count) in &self.refusals {
            for text in (PLUGINS[*plugin].explain)(pod, *reasons) {
                *total.entry(text).or_default() += count;
            }
        }
        let mut counted: Vec<String> = total.iter().map(|(reason, n)| format!("{n} {reason}")).collect();
        counted.sort();
        format!("0/{nodes} nodes are available: {}.", counted.join(", "))
    }
}
