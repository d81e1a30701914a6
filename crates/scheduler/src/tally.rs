//! Pods counted per node and summed per topology domain, kept from one decision to the next.
//!
//! ```text
//!  slot:      0   1   2   3        domain:   a     b
//!  domain of: a   b   a   -        pods:     3     1     sums over counted nodes
//!  pods:      2   1   1   0        nodes:    2     1     counted nodes
//! ```
//! Counting all nodes is O(nodes); a decision later only the nodes on which
//! pods came or went are counted again. What a node is to a tally depends on
//! what nodes declare, so a tally starts anew when any of that changes.

use std::collections::HashMap;

use crate::{
    snapshot::{Node, Snapshot},
    template::TemplateId,
};

/// Tallies kept at once.
const TALLIES_MAX: usize = 64;
/// The domain of a node that lacks the label.
const NO_DOMAIN: u32 = u32::MAX;

/// What a tally is for: the pods made from a template, and which of their constraints.
pub type TallyKey = (TemplateId, usize);

/// The tallies of the templates that were decided about lately.
#[derive(Debug, Default)]
pub struct Tallies(HashMap<TallyKey, Tally>);

impl Tallies {
    /// Takes a tally out, to be refreshed and used.
    pub fn take(&mut self, key: TallyKey) -> Tally {
        self.0.remove(&key).unwrap_or_default()
    }

    /// Gives a tally back.
    pub fn give_back(&mut self, key: TallyKey, tally: Tally) {
        if self.0.len() >= TALLIES_MAX {
            self.0.clear();
        }
        self.0.insert(key, tally);
    }
}

/// One count.
#[derive(Debug, Default)]
pub struct Tally {
    declared: u64,
    generation: u64,
    slots: Vec<Slot>,
    domains: Vec<Domain>,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    domain: u32,
    counted: bool,
    pods: i64,
}

/// A domain: the nodes with one value of the label.
#[derive(Clone, Copy, Debug, Default)]
struct Domain {
    pods: i64,
    nodes: usize,
}

impl Tally {
    /// Counts the snapshot: domains by the label `key`, nodes where `counts`, and `pods` on each.
    ///
    /// `counts` must depend on nothing but what the node declares, and `pods`
    /// on nothing but what is placed on it, the same on every call.
    pub fn refresh(
        &mut self,
        snapshot: &Snapshot,
        key: &str,
        counts: impl Fn(&Node) -> bool,
        mut pods: impl FnMut(&Node) -> i64,
    ) {
        let same = self.declared == snapshot.declared();
        match snapshot.changed_since(self.generation).filter(|_| same) {
            Some(changed) => {
                for slot in changed {
                    let node = snapshot.at(slot).expect("slots move only when a node is declared anew");
                    self.recount(slot, pods(node));
                }
            }
            None => self.rebuild(snapshot, key, counts, pods),
        }
        self.declared = snapshot.declared();
        self.generation = snapshot.generation();
    }

    fn recount(&mut self, slot: usize, pods: i64) {
        let slot = &mut self.slots[slot];
        if slot.counted {
            self.domains[slot.domain as usize].pods += pods - slot.pods;
        }
        slot.pods = pods;
    }

    fn rebuild(
        &mut self,
        snapshot: &Snapshot,
        key: &str,
        counts: impl Fn(&Node) -> bool,
        mut pods: impl FnMut(&Node) -> i64,
    ) {
        let mut names: HashMap<&str, u32> = HashMap::new();
        self.domains.clear();
        self.slots.clear();
        for node in snapshot.nodes() {
            let next = names.len() as u32;
            let domain = node.label(key).map_or(NO_DOMAIN, |value| *names.entry(value).or_insert(next));
            let slot = Slot { domain, counted: domain != NO_DOMAIN && counts(node), pods: pods(node) };
            self.domains.resize(names.len(), Domain::default());
            if slot.counted {
                let domain = &mut self.domains[domain as usize];
                domain.pods += slot.pods;
                domain.nodes += 1;
            }
            self.slots.push(slot);
        }
    }

    /// The domain of a node.
    pub fn domain(&self, node: &Node) -> Option<usize> {
        let domain = self.slots.get(node.slot)?.domain;
        (domain != NO_DOMAIN).then_some(domain as usize)
    }

    /// Pods on a node.
    pub fn on(&self, node: &Node) -> i64 {
        self.slots.get(node.slot).map_or(0, |slot| slot.pods)
    }

    /// Pods on the counted nodes of a domain.
    pub fn within(&self, domain: usize) -> i64 {
        self.domains[domain].pods
    }

    /// How many values the label has, counted or not.
    pub fn values(&self) -> usize {
        self.domains.len()
    }

    /// How many domains have a counted node, and the fewest pods in one of them.
    pub fn least(&self) -> (i64, i64) {
        let counted = self.domains.iter().filter(|domain| domain.nodes > 0);
        let fewest = counted.clone().map(|domain| domain.pods).min().unwrap_or(0);
        (counted.count() as i64, fewest)
    }
}

#[cfg(test)]
mod tests;
