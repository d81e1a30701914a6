//! PodTopologySpread: keeps the pods a selector counts within `maxSkew` between topology domains.
//!
//! Pods without constraints of their own are spread softly over hosts and
//! zones, counting the pods of the same controller (Kubernetes counts by the
//! selectors of the Services, ReplicaSets and StatefulSets the pod belongs to).

use std::collections::HashMap;

use super::{
    Filter, Normalize, Plugin, PreFilter, SCORE_MAX, Score, State, Verdict, node_affinity, refuse,
    refuse_for_good,
};
use crate::{
    event::Event,
    label::Selector,
    snapshot::{Group, Node, Snapshot},
    taint,
    tally::{Tallies, Tally, TallyKey},
    template::{Pod, Spread, Template, TemplateId},
};

/// The label whose every value is one node.
const HOSTNAME: &str = "kubernetes.io/hostname";
/// The label of a failure zone.
const ZONE: &str = "topology.kubernetes.io/zone";
/// The skew Kubernetes tolerates by default over hosts, and over zones.
const DEFAULT_SKEW: [(&str, i32); 2] = [(HOSTNAME, 3), (ZONE, 5)];

const SKEW: u32 = 0;
const MISSING_LABEL: u32 = 1;

/// The row.
pub(super) const PLUGIN: Plugin = Plugin {
    name: "PodTopologySpread",
    weight: 2,
    pre_filter,
    filter: Filter::Live(filter),
    explain: |_, reason| {
        let text = "node(s) didn't match pod topology spread constraints";
        vec![if reason == MISSING_LABEL { format!("{text} (missing required label)") } else { text.into() }]
    },
    pre_score,
    score: Score::Live(score),
    normalize: Normalize::Own(normalize),
    hint,
};

/// Tallies of soft constraints are numbered from here, those of required ones from zero.
const SOFT: usize = 1 << 16;

/// What the filter knows: per required constraint, its counts.
#[derive(Debug, Default)]
pub(super) struct Required<'s>(Vec<Domains<'s>>);

#[derive(Debug)]
struct Domains<'s> {
    key: TallyKey,
    constraint: &'s Spread,
    tally: Tally,
    least: i64,
    itself: i64,
}

/// Which pods a constraint counts, remembered per template.
struct Counted<'p> {
    namespace: &'p str,
    by: By<'p>,
    known: HashMap<TemplateId, bool>,
}

enum By<'p> {
    Selector(&'p Selector),
    Owner(&'p str),
}

impl<'p> Counted<'p> {
    fn new(pod: &'p Template, by: By<'p>) -> Self {
        Self { namespace: &pod.namespace, by, known: HashMap::new() }
    }

    fn on(&mut self, node: &Node) -> i64 {
        node.groups.iter().map(|group| if self.counts(group) { group.staying } else { 0 }).sum()
    }

    fn counts(&mut self, group: &Group) -> bool {
        match &self.by {
            By::Owner(uid) => group.template.owner.as_deref() == Some(uid),
            By::Selector(selector) => *self.known.entry(group.template_id).or_insert_with(|| {
                *group.template.namespace == *self.namespace && selector.matches(&group.template.labels)
            }),
        }
    }
}

fn pre_filter<'s>(pod: &'s Pod, snapshot: &'s Snapshot, state: &mut State<'s>) -> PreFilter {
    let required: Vec<&Spread> = pod.template.spread.iter().filter(|one| one.required).collect();
    if required.is_empty() {
        return PreFilter::Skip;
    }
    for (index, constraint) in required.iter().enumerate() {
        let key = (pod.template_id, index);
        let tally = state.tallies.take(key);
        state.spread.0.push(count_domains(pod, snapshot, constraint, &required, key, tally));
    }
    PreFilter::Run
}

fn count_domains<'s>(
    pod: &'s Pod,
    snapshot: &Snapshot,
    constraint: &'s Spread,
    required: &[&Spread],
    key: TallyKey,
    mut tally: Tally,
) -> Domains<'s> {
    let template = &*pod.template;
    let mut counted = Counted::new(template, By::Selector(&constraint.selector));
    let eligible = |node: &Node| has_all(node, required) && includes(constraint, template, node);
    tally.refresh(snapshot, &constraint.key, eligible, |node| counted.on(node));
    let (domains, fewest) = tally.least();
    let least = if domains >= i64::from(constraint.min_domains) { fewest } else { 0 };
    let itself = i64::from(constraint.selector.matches(&template.labels));
    Domains { key, constraint, tally, least, itself }
}

/// Gives the tallies back, for the next pods made alike.
pub(super) fn give_back(state: &mut State<'_>) {
    for domains in std::mem::take(&mut state.spread.0) {
        state.tallies.give_back(domains.key, domains.tally);
    }
    for soft in std::mem::take(&mut state.spread_preference.constraints) {
        state.tallies.give_back(soft.tally_key, soft.tally);
    }
}

fn has_all(node: &Node, constraints: &[&Spread]) -> bool {
    constraints.iter().all(|constraint| node.label(&constraint.key).is_some())
}

/// Whether a node is part of a domain at all (KEP-3094).
fn includes(constraint: &Spread, pod: &Template, node: &Node) -> bool {
    (!constraint.honors_affinity || node_affinity::admits(pod, node))
        && (!constraint.honors_taints || taint::admits(&node.facts.taints, &pod.tolerations))
}

fn filter(_: &Pod, node: &Node, state: &State<'_>) -> Verdict {
    for domains in &state.spread.0 {
        let Some(domain) = domains.tally.domain(node) else { return refuse_for_good(MISSING_LABEL) };
        let here = domains.tally.within(domain);
        if here + domains.itself - domains.least > i64::from(domains.constraint.max_skew) {
            return refuse(SKEW);
        }
    }
    Ok(())
}

fn hint(pod: &Pod, event: &Event<'_>) -> bool {
    let template = &pod.template;
    let mut required = template.spread.iter().filter(|one| one.required);
    let counts = |other: &Pod| {
        let (other, same) = (&other.template, other.template.namespace == template.namespace);
        same && required.clone().any(|one| one.selector.matches(&other.labels))
    };
    match event {
        Event::Placed(other) | Event::Freed(other) => counts(other),
        Event::Changed(old, new) => counts(old) || counts(new),
        Event::Node(_, change) => change.added || change.labels || change.taints,
        Event::NodeGone(node) => required.any(|one| node.label(&one.key).is_some()),
    }
}

/// What the score knows: per soft constraint, its counts and weight.
#[derive(Debug, Default)]
pub(super) struct Preferred<'s> {
    constraints: Vec<Soft<'s>>,
    /// Whether a node without one of the labels is left out.
    strict: bool,
}

#[derive(Debug)]
struct Soft<'s> {
    tally_key: TallyKey,
    key: &'s str,
    max_skew: i32,
    /// The pod's own constraint; `None` for a default one.
    spread: Option<&'s Spread>,
    tally: Tally,
    weight: f64,
}

fn pre_score<'s>(pod: &'s Pod, snapshot: &'s Snapshot, nodes: &[&'s Node], state: &mut State<'s>) -> bool {
    let template = &*pod.template;
    let mut soft = constraints(pod, &mut state.tallies);
    if soft.is_empty() {
        return false;
    }
    let strict = !template.spread.is_empty();
    let keys: Vec<&str> = soft.iter().map(|one| one.key).collect();
    let complete = |node: &Node| !strict || keys.iter().all(|key| node.label(key).is_some());
    for one in &mut soft {
        let by = match one.spread {
            Some(spread) => By::Selector(&spread.selector),
            None => By::Owner(template.owner.as_deref().unwrap_or_default()),
        };
        let mut counted = Counted::new(template, by);
        let spread = one.spread;
        let counts =
            |node: &Node| complete(node) && spread.is_none_or(|spread| includes(spread, template, node));
        one.tally.refresh(snapshot, one.key, counts, |node| counted.on(node));
    }
    let preferred = Preferred { constraints: soft, strict };
    state.spread_preference = preferred.weighed(nodes);
    true
}

fn constraints<'s>(pod: &'s Pod, tallies: &mut Tallies) -> Vec<Soft<'s>> {
    let own = pod.template.spread.iter().filter(|one| !one.required);
    let own = own.map(|one| (&*one.key, one.max_skew, Some(one)));
    let default = DEFAULT_SKEW.iter().map(|(key, skew)| (*key, *skew, None));
    let none_given = pod.template.spread.is_empty() && pod.template.owner.is_some();
    let all = own.chain(default.filter(|_| none_given)).enumerate();
    let soft = all.map(|(index, (key, max_skew, spread))| {
        let tally_key = (pod.template_id, SOFT + index);
        Soft { tally_key, key, max_skew, spread, tally: tallies.take(tally_key), weight: 0.0 }
    });
    soft.collect()
}

impl Preferred<'_> {
    /// Weighs each constraint by the number of domains among the nodes to be scored, so that many
    /// small domains do not count less than a few large ones.
    fn weighed(mut self, nodes: &[&Node]) -> Self {
        let sizes: Vec<usize> = self.constraints.iter().map(|soft| self.size(soft, nodes)).collect();
        for (soft, size) in self.constraints.iter_mut().zip(sizes) {
            soft.weight = ((size + 2) as f64).ln();
        }
        self
    }

    fn size(&self, soft: &Soft<'_>, nodes: &[&Node]) -> usize {
        let scored = nodes.iter().filter(|node| !self.leaves_out(node));
        if soft.key == HOSTNAME {
            return scored.count();
        }
        let mut seen = vec![false; soft.tally.values()];
        scored.filter_map(|node| soft.tally.domain(node)).for_each(|domain| seen[domain] = true);
        seen.into_iter().filter(|seen| *seen).count()
    }

    /// Whether a node lacks a label that it would have to have.
    fn leaves_out(&self, node: &Node) -> bool {
        self.strict && self.constraints.iter().any(|soft| soft.tally.domain(node).is_none())
    }
}

/// A node's score for `normalize`: higher is worse. Nodes that are left out get [`LEFT_OUT`].
fn score(_: &Pod, node: &Node, state: &State<'_>) -> i64 {
    let preferred = &state.spread_preference;
    if preferred.leaves_out(node) {
        return LEFT_OUT;
    }
    let mut sum = 0.0;
    for soft in &preferred.constraints {
        let Some(domain) = soft.tally.domain(node) else { continue };
        let pods = match soft.key {
            HOSTNAME => soft.tally.on(node),
            _ => soft.tally.within(domain),
        };
        sum += pods as f64 * soft.weight + f64::from(soft.max_skew - 1);
    }
    sum.round() as i64
}

/// The raw score of a node that lacks a label.
const LEFT_OUT: i64 = -1;

fn normalize(_: &State<'_>, scores: &mut [i64]) {
    let valid = || scores.iter().copied().filter(|score| *score != LEFT_OUT);
    let (least, most) = (valid().min().unwrap_or(0), valid().max().unwrap_or(0));
    for score in scores {
        *score = match *score {
            LEFT_OUT => 0,
            _ if most == 0 => SCORE_MAX,
            raw => SCORE_MAX * (most + least - raw) / most,
        };
    }
}
