//! One decision: the node a pod goes to, or why there is none. Pure: everything it reads is an argument.

use std::{collections::HashMap, sync::Arc};

use crate::{
    explain::{self, Rejection},
    plugin::{self, FIXED_SCORES, Filter, PLUGINS, PluginSet, PreFilter, Refusal, Score, State},
    snapshot::{Node, Snapshot},
    tally::Tallies,
    template::{Pod, TemplateId},
};

/// At least this many nodes are looked for before they are compared.
const FEASIBLE_MIN: usize = 100;
/// At least this share of all nodes, in percent.
const PERCENT_MIN: usize = 5;
/// Templates whose fixed verdicts are remembered.
const MEMO_TEMPLATES_MAX: usize = 64;

/// What the scheduler decided about a pod.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// It goes to this node.
    Assigned {
        /// The node's name.
        node: Arc<str>,
        /// How many nodes were looked at.
        evaluated: usize,
        /// How many of them would have done.
        feasible: usize,
    },
    /// No node takes it.
    Rejected(Rejection),
}

/// A node that refused the pod.
#[derive(Clone, Copy, Debug)]
pub struct Refused<'s> {
    /// The node.
    pub node: &'s Node,
    /// The row of [`PLUGINS`] that did.
    pub plugin: usize,
    /// Its reason.
    pub refusal: Refusal,
}

/// What one decision hands to the next: where the search goes on, randomness for ties, and memos.
///
/// Memos never change a decision: they are keyed by the template and by the
/// generation of what was read.
#[derive(Debug)]
pub struct Cycle {
    start: usize,
    random: u64,
    fixed: HashMap<TemplateId, Vec<Fixed>>,
    tallies: Tallies,
    rejected: Option<(TemplateId, u64, Rejection)>,
}

/// What the fixed functions of all rows say about a template on a node.
#[derive(Clone, Copy, Debug, Default)]
struct Fixed {
    declared: u64,
    refused: Option<(u8, Refusal)>,
    scores: [i64; FIXED_SCORES],
}

impl Cycle {
    /// Begins with the first node; `seed` decides ties.
    pub fn new(seed: u64) -> Self {
        Self { start: 0, random: seed, fixed: HashMap::new(), tallies: Tallies::default(), rejected: None }
    }

    /// Goes on where this one would, but remembers nothing.
    #[cfg(test)]
    pub(crate) fn without_memos(&self) -> Self {
        Self { start: self.start, ..Self::new(self.random) }
    }

    /// The next number of the splitmix64 sequence.
    fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn take_memo(&mut self, pod: &Pod, nodes: usize) -> Vec<Fixed> {
        let mut memo = match pod.node {
            None => self.fixed.remove(&pod.template_id).unwrap_or_default(),
            Some(_) => Vec::new(),
        };
        memo.resize(nodes, Fixed::default());
        memo
    }

    fn keep_memo(&mut self, pod: &Pod, memo: Vec<Fixed>) {
        if pod.node.is_some() {
            return;
        }
        if self.fixed.len() >= MEMO_TEMPLATES_MAX {
            self.fixed.clear();
        }
        self.fixed.insert(pod.template_id, memo);
    }
}

/// How many nodes that would do are looked for, as Kubernetes chooses by default:
/// half of them, less one percent for every 125 nodes, but 5 percent and 100 nodes at least.
pub fn nodes_to_find(nodes: usize) -> usize {
    let percent = 50_usize.saturating_sub(nodes / 125).max(PERCENT_MIN);
    (nodes * percent / 100).max(FEASIBLE_MIN).min(nodes)
}

/// Decides where a pod goes.
///
/// Follows Kubernetes' scheduling cycle with the default profile. The pod must
/// not be placed in the snapshot. A pod rejected at a generation of the
/// snapshot is rejected again, without a search, until the generation changes.
pub fn schedule(pod: &Pod, snapshot: &Snapshot, cycle: &mut Cycle) -> Decision {
    if let Some((template, generation, rejection)) = &cycle.rejected
        && (*template, *generation) == (pod.template_id, snapshot.generation())
        && pod.node.is_none()
    {
        return Decision::Rejected(rejection.clone());
    }
    let decision = decide(pod, snapshot, cycle);
    if let (Decision::Rejected(rejection), None) = (&decision, &pod.node) {
        cycle.rejected = Some((pod.template_id, snapshot.generation(), rejection.clone()));
    }
    decision
}

fn decide(pod: &Pod, snapshot: &Snapshot, cycle: &mut Cycle) -> Decision {
    if snapshot.is_empty() {
        return Decision::Rejected(Rejection::no_nodes());
    }
    let state = State::new(std::mem::take(&mut cycle.tallies));
    let prepared = match prepare(pod, snapshot, state) {
        Ok(prepared) => prepared,
        Err(rejection) => return Decision::Rejected(rejection),
    };
    let mut memo = cycle.take_memo(pod, snapshot.len());
    let found = search(pod, snapshot, &prepared, cycle.start, &mut memo);
    cycle.start = (cycle.start + found.evaluated()) % snapshot.len();
    let mut prepared = prepared;
    let decision = match found.feasible.as_slice() {
        [] => Decision::Rejected(explain::reject(pod, snapshot, &prepared, &found.refused)),
        feasible => {
            let best = select(pod, snapshot, feasible, &mut prepared.state, &memo, cycle);
            Decision::Assigned {
                node: best.facts.name.clone(),
                evaluated: found.evaluated(),
                feasible: feasible.len(),
            }
        }
    };
    cycle.keep_memo(pod, memo);
    cycle.tallies = prepared.state.into_tallies();
    decision
}

/// What the rows said before nodes were looked at.
#[derive(Debug)]
pub struct Prepared<'s> {
    /// What they found out.
    pub state: State<'s>,
    /// Rows whose live filter has to be asked.
    pub live: PluginSet,
    /// The only nodes that can do, and the rows that say so.
    pub only: Option<(Vec<Box<str>>, PluginSet)>,
}

fn prepare<'s>(pod: &'s Pod, snapshot: &'s Snapshot, state: State<'s>) -> Result<Prepared<'s>, Rejection> {
    let mut prepared = Prepared { state, live: PluginSet::default(), only: None };
    for (index, row) in PLUGINS.iter().enumerate() {
        match (row.pre_filter)(pod, snapshot, &mut prepared.state) {
            PreFilter::Skip => {}
            PreFilter::Run => prepared.live.insert(index),
            PreFilter::Only(names) => {
                let (_, rows) = prepared.only.get_or_insert((names, PluginSet::default()));
                rows.insert(index);
            }
            PreFilter::Reject(message) => return Err(explain::reject_early(pod, snapshot, index, &message)),
        }
    }
    Ok(prepared)
}

struct Found<'s> {
    feasible: Vec<(usize, &'s Node)>,
    refused: Vec<Refused<'s>>,
}

impl Found<'_> {
    fn evaluated(&self) -> usize {
        self.feasible.len() + self.refused.len()
    }
}

fn search<'s>(
    pod: &Pod,
    snapshot: &'s Snapshot,
    prepared: &Prepared<'_>,
    start: usize,
    memo: &mut [Fixed],
) -> Found<'s> {
    let start = start % snapshot.len();
    match &prepared.only {
        Some((names, _)) => {
            let named = names.iter().filter_map(|name| snapshot.node(name));
            look_at(pod, named, names.len(), prepared, memo)
        }
        None => look_at(pod, snapshot.nodes_from(start), nodes_to_find(snapshot.len()), prepared, memo),
    }
}

fn look_at<'s>(
    pod: &Pod,
    nodes: impl Iterator<Item = (usize, &'s Node)>,
    enough: usize,
    prepared: &Prepared<'_>,
    memo: &mut [Fixed],
) -> Found<'s> {
    let live = live_filters(prepared.live);
    let mut found = Found { feasible: Vec::with_capacity(enough), refused: Vec::new() };
    for (slot, node) in nodes {
        match examine(pod, node, &mut memo[slot], &live, &prepared.state) {
            Ok(()) => found.feasible.push((slot, node)),
            Err((plugin, refusal)) => found.refused.push(Refused { node, plugin, refusal }),
        }
        if found.feasible.len() >= enough {
            break;
        }
    }
    found
}

type LiveFilter = fn(&Pod, &Node, &State<'_>) -> plugin::Verdict;

fn live_filters(rows: PluginSet) -> Vec<(usize, LiveFilter)> {
    let asked = PLUGINS.iter().enumerate().filter(|(index, _)| rows.contains(*index));
    let live = asked.filter_map(|(index, row)| match row.filter {
        Filter::Live(filter) => Some((index, filter)),
        Filter::None | Filter::Fixed(_) => None,
    });
    live.collect()
}

fn examine(
    pod: &Pod,
    node: &Node,
    fixed: &mut Fixed,
    live: &[(usize, LiveFilter)],
    state: &State<'_>,
) -> Result<(), (usize, Refusal)> {
    if fixed.declared != node.declared {
        *fixed = ask_fixed(pod, node);
    }
    if let Some((plugin, refusal)) = fixed.refused {
        return Err((plugin.into(), refusal));
    }
    for (index, filter) in live {
        filter(pod, node, state).map_err(|refusal| (*index, refusal))?;
    }
    Ok(())
}

/// Whether all filters pass on a node, with `state` as it was prepared. For trying a changed node.
pub fn passes(pod: &Pod, node: &Node, prepared: &Prepared<'_>) -> Result<(), (usize, Refusal)> {
    examine(pod, node, &mut Fixed::default(), &live_filters(prepared.live), &prepared.state)
}

fn ask_fixed(pod: &Pod, node: &Node) -> Fixed {
    let refused = PLUGINS.iter().enumerate().find_map(|(index, row)| match row.filter {
        Filter::Fixed(filter) => Some((index as u8, filter(pod, node).err()?)),
        Filter::None | Filter::Live(_) => None,
    });
    let mut scores = [0; FIXED_SCORES];
    for (score, ask) in scores.iter_mut().zip(PLUGINS.iter().filter_map(fixed_score)) {
        *score = ask(pod, node);
    }
    Fixed { declared: node.declared, refused, scores }
}

fn fixed_score(row: &plugin::Plugin) -> Option<fn(&Pod, &Node) -> i64> {
    match row.score {
        Score::Fixed(score) => Some(score),
        Score::None | Score::Live(_) => None,
    }
}

/// The node with the highest total score, one of them at random where several have it.
fn select<'s>(
    pod: &'s Pod,
    snapshot: &'s Snapshot,
    feasible: &[(usize, &'s Node)],
    state: &mut State<'s>,
    memo: &[Fixed],
    cycle: &mut Cycle,
) -> &'s Node {
    if let [(_, only)] = feasible {
        return only;
    }
    let totals = total_scores(pod, snapshot, feasible, state, memo);
    let best = totals.iter().copied().max().unwrap_or(0);
    let ties = totals.iter().filter(|total| **total == best).count();
    let chosen = (cycle.random() % ties.max(1) as u64) as usize;
    let mut winners = feasible.iter().zip(&totals).filter(|(_, total)| **total == best);
    winners.nth(chosen).map_or(feasible[0].1, |((_, node), _)| node)
}

fn total_scores<'s>(
    pod: &'s Pod,
    snapshot: &'s Snapshot,
    feasible: &[(usize, &'s Node)],
    state: &mut State<'s>,
    memo: &[Fixed],
) -> Vec<i64> {
    let nodes: Vec<&Node> = feasible.iter().map(|(_, node)| *node).collect();
    let mut totals = vec![0; nodes.len()];
    let mut scores = vec![0; nodes.len()];
    let mut fixed = 0;
    for row in PLUGINS {
        let column = fixed;
        fixed += usize::from(fixed_score(row).is_some());
        if !(row.pre_score)(pod, snapshot, &nodes, state) {
            continue;
        }
        match row.score {
            Score::None => continue,
            Score::Fixed(_) => {
                let known = feasible.iter().map(|(slot, _)| memo[*slot].scores[column]);
                scores.iter_mut().zip(known).for_each(|(score, known)| *score = known);
            }
            Score::Live(ask) => {
                scores.iter_mut().zip(&nodes).for_each(|(score, node)| *score = ask(pod, node, state));
            }
        }
        plugin::normalize(row.normalize, state, &mut scores);
        totals.iter_mut().zip(&scores).for_each(|(total, score)| *total += row.weight * score);
    }
    totals
}
