//! NodeResourcesFit: what a pod asks for is free on the node; the least allocated node is preferred.

use super::{Filter, Plugin, PreFilter, Refusal, SCORE_MAX, Score, Verdict};
use crate::{event::Event, resources::Resources, snapshot::Node, template::Pod};

/// The row.
pub(super) const PLUGIN: Plugin = Plugin {
    name: "NodeResourcesFit",
    weight: 1,
    pre_filter: |_, _, _| PreFilter::Run,
    filter: Filter::Live(|pod, node, _| filter(&pod.template.requests, node)),
    explain,
    pre_score: |_, _, _, _| true,
    score: Score::Live(|pod, node, _| score(pod, node)),
    hint,
    ..Plugin::BLANK
};

const PODS: u32 = 1;
const CPU: u32 = 1 << 1;
const MEMORY: u32 = 1 << 2;
const STORAGE: u32 = 1 << 3;
/// Extended resources take the bits from here on, in the order of the pod's requests; the last bit
/// stands for all that have none of their own.
const EXTENDED: u32 = 4;

fn extended_bit(at: usize) -> u32 {
    1 << (EXTENDED as usize + at).min(31)
}

/// What is missing on a node, and whether the node would lack it even when empty.
#[derive(Default)]
struct Shortage {
    reasons: u32,
    hopeless: bool,
}

impl Shortage {
    fn check(&mut self, bit: u32, asked: i64, used: i64, offered: i64) {
        if asked > 0 && asked > offered - used {
            self.reasons |= bit;
            self.hopeless |= asked > offered;
        }
    }
}

fn filter(asked: &Resources, node: &Node) -> Verdict {
    let (used, offered) = (&node.requested, &node.allocatable);
    let mut shortage = Shortage::default();
    if node.pods.len() as i64 + 1 > node.pods_max {
        shortage.reasons |= PODS;
        shortage.hopeless |= node.pods_max == 0;
    }
    shortage.check(CPU, asked.milli_cpu, used.milli_cpu, offered.milli_cpu);
    shortage.check(MEMORY, asked.memory, used.memory, offered.memory);
    shortage.check(STORAGE, asked.ephemeral_storage, used.ephemeral_storage, offered.ephemeral_storage);
    for (at, (name, amount)) in asked.extended.iter().enumerate() {
        shortage.check(extended_bit(at), *amount, used.extended(name), offered.extended(name));
    }
    match shortage.reasons {
        0 => Ok(()),
        reasons => Err(Refusal { resolvable: !shortage.hopeless, reasons }),
    }
}

fn explain(pod: &Pod, reasons: u32) -> Vec<String> {
    let plain = [
        (PODS, "Too many pods"),
        (CPU, "Insufficient cpu"),
        (MEMORY, "Insufficient memory"),
        (STORAGE, "Insufficient ephemeral-storage"),
    ];
    let has = |bit: u32| reasons & bit != 0;
    let plain = plain.iter().filter(|(bit, _)| has(*bit)).map(|(_, text)| (*text).to_owned());
    let extended = pod.template.requests.extended.iter().enumerate();
    let extended = extended.filter(|(at, _)| has(extended_bit(*at)));
    plain.chain(extended.map(|(_, (name, _))| format!("Insufficient {name}"))).collect()
}

/// The mean of the free shares of cpu and memory once the pod is placed.
fn score(pod: &Pod, node: &Node) -> i64 {
    let usage = pod.template.usage;
    let shares = [
        (node.usage.milli_cpu + usage.milli_cpu, node.allocatable.milli_cpu),
        (node.usage.memory + usage.memory, node.allocatable.memory),
    ];
    let (mut sum, mut counted) = (0, 0);
    for (used, offered) in shares.into_iter().filter(|(_, offered)| *offered > 0) {
        counted += 1;
        sum += if used > offered { 0 } else { share(offered - used, offered) };
    }
    if counted == 0 { 0 } else { sum / counted }
}

/// `part / whole` in hundredths. Whole bytes times a hundred stay far below the range of `i64`.
fn share(part: i64, whole: i64) -> i64 {
    part.saturating_mul(SCORE_MAX) / whole
}

fn hint(pod: &Pod, event: &Event<'_>) -> bool {
    match event {
        Event::Freed(_) => true,
        Event::Changed(old, new) => is_smaller(&new.template.requests, &old.template.requests),
        Event::Node(node, change) => (change.added || change.allocatable) && fits_empty(pod, node),
        Event::NodeGone(_) | Event::Placed(_) => false,
    }
}

/// Whether less of some resource is asked for.
fn is_smaller(new: &Resources, old: &Resources) -> bool {
    let mut largest = new.clone();
    largest.raise_to(old);
    largest != *new
}

fn fits_empty(pod: &Pod, node: &Node) -> bool {
    !matches!(filter(&pod.template.requests, node), Err(Refusal { resolvable: false, .. }))
}
