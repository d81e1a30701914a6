//! The plugins, as rows of one table with their extension points.
//!
//! ```text
//!  pre_filter ─> filter (per node) ─> pre_score ─> score (per node) ─> normalize ─> x weight, summed
//!       └─ skip / only these nodes / no node at all
//! ```
//! A row's `Fixed` functions read nothing but the pod's template and what the
//! node declares, so their results are remembered per template and node;
//! `Live` functions also read what is placed. All fixed filters come before
//! all live ones. `hint` answers whether an event may let a pod pass that the
//! row's filter refused.
//!
//! Names, order, weights and words follow Kubernetes 1.36's default profile.
//! SchedulingGates and PrioritySort live in [`crate::queue`].

mod affinity;
mod balanced;
mod fit;
mod image;
mod node_affinity;
mod node_name;
mod ports;
mod spread;
mod taint;
mod unschedulable;
mod unsupported;

use crate::{
    event::Event,
    snapshot::{ImageSpread, Node, Snapshot},
    tally::Tallies,
    template::Pod,
};

/// The best score of a plugin.
pub const SCORE_MAX: i64 = 100;

/// What a plugin says before nodes are looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PreFilter {
    /// It has nothing to check for this pod.
    Skip,
    /// Its filter has to be asked.
    Run,
    /// Only the nodes with these names can pass.
    Only(Vec<Box<str>>),
    /// No node can pass, and eviction does not help.
    Reject(String),
}

/// Why a plugin refuses a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Refusal {
    /// Whether evicting pods from the node could help.
    pub resolvable: bool,
    /// Which of the plugin's reasons, in the plugin's own coding.
    pub reasons: u32,
}

/// What a filter says about a node.
pub type Verdict = Result<(), Refusal>;

/// A plugin's check of a node.
#[derive(Clone, Copy)]
pub enum Filter {
    /// It checks none.
    None,
    /// It reads only the pod's template and what the node declares.
    Fixed(fn(&Pod, &Node) -> Verdict),
    /// It also reads what is placed.
    Live(fn(&Pod, &Node, &State) -> Verdict),
}

/// A plugin's preference among nodes.
#[derive(Clone, Copy)]
pub enum Score {
    /// It has none.
    None,
    /// It reads only the pod's template and what the node declares.
    Fixed(fn(&Pod, &Node) -> i64),
    /// It also reads what is placed.
    Live(fn(&Pod, &Node, &State) -> i64),
}

/// How raw scores become scores from 0 to [`SCORE_MAX`].
#[derive(Clone, Copy)]
pub enum Normalize {
    /// They are already.
    None,
    /// The largest becomes the best.
    Largest,
    /// The largest becomes the worst.
    Smallest,
    /// The plugin's own way.
    Own(fn(&State, &mut [i64])),
}

/// What plugins found out about this pod before looking at single nodes.
#[derive(Debug, Default)]
pub struct State<'s> {
    spread: spread::Required<'s>,
    spread_preference: spread::Preferred<'s>,
    affinity: affinity::Required<'s>,
    affinity_preference: affinity::Preferred<'s>,
    images: Vec<ImageSpread>,
    nodes: usize,
    tallies: Tallies,
}

impl State<'_> {
    /// Begins with what earlier decisions have counted.
    pub fn new(tallies: Tallies) -> Self {
        Self { tallies, ..Self::default() }
    }

    /// Gives back what has been counted, for later decisions.
    pub fn into_tallies(mut self) -> Tallies {
        spread::give_back(&mut self);
        self.tallies
    }
}

/// A row of the table.
pub struct Plugin {
    /// Its name in Kubernetes.
    pub name: &'static str,
    /// What its scores are multiplied by.
    pub weight: i64,
    /// Asked once per pod.
    pub pre_filter: for<'s> fn(&'s Pod, &'s Snapshot, &mut State<'s>) -> PreFilter,
    /// Asked per node.
    pub filter: Filter,
    /// Puts a refusal's reasons into words.
    pub explain: fn(&Pod, u32) -> Vec<String>,
    /// Asked once the nodes that pass are known; `false` leaves the plugin out.
    pub pre_score: for<'s> fn(&'s Pod, &'s Snapshot, &[&'s Node], &mut State<'s>) -> bool,
    /// Asked per node that passes.
    pub score: Score,
    /// Applied to all its scores.
    pub normalize: Normalize,
    /// Whether an event may let a refused pod pass.
    pub hint: fn(&Pod, &Event<'_>) -> bool,
}

impl Plugin {
    /// A row that does nothing, to be filled in.
    const BLANK: Self = Self {
        name: "",
        weight: 0,
        pre_filter: |_, _, _| PreFilter::Skip,
        filter: Filter::None,
        explain: |_, _| Vec::new(),
        pre_score: |_, _, _, _| false,
        score: Score::None,
        normalize: Normalize::None,
        hint: |_, _| false,
    };
}

/// The plugins, in the order in which their filters run.
pub const PLUGINS: &[Plugin] = &[
    unsupported::PLUGIN,
    unschedulable::PLUGIN,
    node_name::PLUGIN,
    taint::PLUGIN,
    node_affinity::PLUGIN,
    ports::PLUGIN,
    fit::PLUGIN,
    spread::PLUGIN,
    affinity::PLUGIN,
    balanced::PLUGIN,
    image::PLUGIN,
];

/// How many rows have a fixed score.
pub const FIXED_SCORES: usize = 2;

/// A set of rows of [`PLUGINS`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PluginSet(u32);

impl PluginSet {
    /// Adds a row.
    pub fn insert(&mut self, index: usize) {
        self.0 |= 1 << index;
    }

    /// Whether it has a row.
    pub fn contains(self, index: usize) -> bool {
        self.0 & (1 << index) != 0
    }

    /// Whether it has none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Its rows.
    pub fn rows(self) -> impl Iterator<Item = &'static Plugin> {
        PLUGINS.iter().enumerate().filter(move |(index, _)| self.contains(*index)).map(|(_, row)| row)
    }

    /// Whether an event may help a pod that these rows refused.
    pub fn may_pass(self, pod: &Pod, event: &Event<'_>) -> bool {
        self.is_empty() || self.rows().any(|row| (row.hint)(pod, event))
    }
}

/// Spreads raw scores over 0 to [`SCORE_MAX`].
pub fn normalize(how: Normalize, state: &State<'_>, scores: &mut [i64]) {
    let largest = scores.iter().copied().max().unwrap_or(0);
    match how {
        Normalize::None => {}
        Normalize::Own(own) => own(state, scores),
        Normalize::Largest if largest == 0 => {}
        Normalize::Largest => scores.iter_mut().for_each(|score| *score = SCORE_MAX * *score / largest),
        Normalize::Smallest if largest == 0 => scores.fill(SCORE_MAX),
        Normalize::Smallest => {
            scores.iter_mut().for_each(|score| *score = SCORE_MAX - SCORE_MAX * *score / largest);
        }
    }
}

/// A refusal that evicting pods can resolve.
fn refuse(reasons: u32) -> Verdict {
    Err(Refusal { resolvable: true, reasons })
}

/// A refusal that stands whatever pods are on the node.
fn refuse_for_good(reasons: u32) -> Verdict {
    Err(Refusal { resolvable: false, reasons })
}
