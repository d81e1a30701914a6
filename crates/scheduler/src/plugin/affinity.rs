//! InterPodAffinity: pods that want to be near other pods, or away from them, by topology domain.

use std::collections::HashMap;

use super::{
    Filter, Normalize, Plugin, PreFilter, SCORE_MAX, Score, State, Verdict, refuse, refuse_for_good,
};
use crate::{
    event::Event,
    snapshot::{Node, Snapshot},
    template::{Pod, PodTerm, Template},
};

/// What a required term of a placed pod is worth to a pod it means.
const HARD_WEIGHT: i64 = 1;

const AFFINITY: u32 = 0;
const ANTI_AFFINITY: u32 = 1;
const EXISTING: u32 = 2;

/// The row.
pub(super) const PLUGIN: Plugin = Plugin {
    name: "InterPodAffinity",
    weight: 2,
    pre_filter,
    filter: Filter::Live(filter),
    explain: |_, reason| {
        let text = match reason {
            AFFINITY => "node(s) didn't match pod affinity rules",
            ANTI_AFFINITY => "node(s) didn't match pod anti-affinity rules",
            _ => "node(s) didn't satisfy existing pods anti-affinity rules",
        };
        vec![text.into()]
    },
    pre_score,
    score: Score::Live(score),
    normalize: Normalize::Own(normalize),
    hint,
};

/// Amounts per label key and value.
#[derive(Debug, Default)]
struct Pairs<'s>(HashMap<&'s str, HashMap<&'s str, i64>>);

impl<'s> Pairs<'s> {
    /// Adds to the domain of a node, if it is in one.
    fn add(&mut self, key: &'s str, node: &'s Node, amount: i64) {
        if let Some(value) = node.label(key) {
            *self.0.entry(key).or_default().entry(value).or_default() += amount;
        }
    }

    fn at(&self, key: &str, value: &str) -> i64 {
        self.0.get(key).and_then(|values| values.get(value)).copied().unwrap_or(0)
    }

    /// The sum over all domains a node is in.
    fn of(&self, node: &Node) -> i64 {
        let amounts = self.0.iter().filter_map(|(key, values)| values.get(node.label(key)?).copied());
        amounts.sum()
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What the filter knows.
#[derive(Debug, Default)]
pub(super) struct Required<'s> {
    /// Pods that the pod wants to be near.
    near: Pairs<'s>,
    /// Pods that the pod wants to be away from.
    far: Pairs<'s>,
    /// Placed pods that want the pod to be away.
    unwelcome: Pairs<'s>,
    /// Whether it is the first of pods that want to be near each other.
    first: bool,
}

fn pre_filter<'s>(pod: &'s Pod, snapshot: &'s Snapshot, state: &mut State<'s>) -> PreFilter {
    let template = &*pod.template;
    let mut required = Required::default();
    if snapshot.choosy() > 0 {
        required.unwelcome = unwelcome(template, snapshot);
    }
    let asks = !(template.affinity.is_empty() && template.anti_affinity.is_empty());
    if asks {
        count_wanted(template, snapshot, &mut required);
    }
    if !asks && required.unwelcome.is_empty() {
        return PreFilter::Skip;
    }
    required.first = required.near.is_empty() && matches_all(&template.affinity, template);
    state.affinity = required;
    PreFilter::Run
}

fn unwelcome<'s>(pod: &Template, snapshot: &'s Snapshot) -> Pairs<'s> {
    let mut pairs = Pairs::default();
    for node in snapshot.nodes() {
        for other in &node.choosy {
            for term in other.template.anti_affinity.iter().filter(|term| term.matches(pod)) {
                pairs.add(&term.key, node, 1);
            }
        }
    }
    pairs
}

fn count_wanted<'s>(pod: &'s Template, snapshot: &'s Snapshot, required: &mut Required<'s>) {
    for node in snapshot.nodes() {
        for group in &node.groups {
            if matches_all(&pod.affinity, &group.template) {
                for term in &pod.affinity {
                    required.near.add(&term.key, node, group.all);
                }
            }
            for term in pod.anti_affinity.iter().filter(|term| term.matches(&group.template)) {
                required.far.add(&term.key, node, group.all);
            }
        }
    }
}

fn matches_all(terms: &[PodTerm], pod: &Template) -> bool {
    !terms.is_empty() && terms.iter().all(|term| term.matches(pod))
}

fn filter(pod: &Pod, node: &Node, state: &State<'_>) -> Verdict {
    let required = &state.affinity;
    let template = &pod.template;
    if !is_near(&template.affinity, node, required) {
        return refuse_for_good(AFFINITY);
    }
    let occupied = |term: &PodTerm| node.label(&term.key).is_some_and(|v| required.far.at(&term.key, v) > 0);
    if template.anti_affinity.iter().any(occupied) {
        return refuse(ANTI_AFFINITY);
    }
    if required.unwelcome.of(node) > 0 {
        return refuse(EXISTING);
    }
    Ok(())
}

/// Whether every term finds its pods in the node's domain, or would, were this pod not the first of them.
fn is_near(terms: &[PodTerm], node: &Node, required: &Required<'_>) -> bool {
    let labelled = || terms.iter().all(|term| node.label(&term.key).is_some());
    let found = |term: &PodTerm| node.label(&term.key).is_some_and(|v| required.near.at(&term.key, v) > 0);
    terms.iter().all(found) || (required.first && labelled())
}

fn hint(pod: &Pod, event: &Event<'_>) -> bool {
    let template = &pod.template;
    let wanted = |other: &Pod| matches_all(&template.affinity, &other.template);
    let in_the_way = |other: &Pod| {
        template.anti_affinity.iter().any(|term| term.matches(&other.template))
            || other.template.anti_affinity.iter().any(|term| term.matches(template))
    };
    match event {
        Event::Placed(other) => wanted(other),
        Event::Freed(other) => in_the_way(other),
        Event::Changed(old, new) => in_the_way(old) || wanted(new),
        Event::Node(_, change) => change.added || change.labels,
        Event::NodeGone(_) => false,
    }
}

/// What the score knows: the worth of each domain.
#[derive(Debug, Default)]
pub(super) struct Preferred<'s>(Pairs<'s>);

fn pre_score<'s>(pod: &'s Pod, snapshot: &'s Snapshot, _: &[&'s Node], state: &mut State<'s>) -> bool {
    let template = &*pod.template;
    let mut worth = Pairs::default();
    if !template.pod_preferences.is_empty() {
        for node in snapshot.nodes() {
            add_own(template, node, &mut worth);
        }
    }
    if snapshot.choosy() > 0 {
        for node in snapshot.nodes() {
            node.choosy.iter().for_each(|other| add_theirs(template, &other.template, node, &mut worth));
        }
    }
    let counts = !worth.is_empty();
    state.affinity_preference = Preferred(worth);
    counts
}

fn add_own<'s>(pod: &'s Template, node: &'s Node, worth: &mut Pairs<'s>) {
    for group in &node.groups {
        for (weight, term) in pod.pod_preferences.iter().filter(|(_, term)| term.matches(&group.template)) {
            worth.add(&term.key, node, i64::from(*weight) * group.all);
        }
    }
}

fn add_theirs<'s>(pod: &Template, other: &'s Template, node: &'s Node, worth: &mut Pairs<'s>) {
    for term in other.affinity.iter().filter(|term| term.matches(pod)) {
        worth.add(&term.key, node, HARD_WEIGHT);
    }
    for (weight, term) in other.pod_preferences.iter().filter(|(_, term)| term.matches(pod)) {
        worth.add(&term.key, node, i64::from(*weight));
    }
}

fn score(_: &Pod, node: &Node, state: &State<'_>) -> i64 {
    state.affinity_preference.0.of(node)
}

fn normalize(_: &State<'_>, scores: &mut [i64]) {
    let least = scores.iter().copied().min().unwrap_or(0);
    let range = scores.iter().copied().max().unwrap_or(0) - least;
    for score in scores {
        *score = if range > 0 { SCORE_MAX * (*score - least) / range } else { 0 };
    }
}
