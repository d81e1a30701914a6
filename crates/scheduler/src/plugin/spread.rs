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
    ..Plugin::BLANK
};

/// What the filter knows: per required constraint, its counts.
#[derive(Debug, Default)]
pub(super) struct Required<'s>(Vec<Domains<'s>>);

#[derive(Debug)]
struct Domains<'s> {
    constraint: &'s Spread,
    counts: HashMap<&'s str, i64>,
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
    let template = &*pod.template;
    let required: Vec<&Spread> = template.spread.iter().filter(|one| one.required).collect();
    if required.is_empty() {
        return PreFilter::Skip;
    }
    let eligible: Vec<&Node> = snapshot.nodes().map(AsRef::as_ref).filter(|n| has_all(n, &required)).collect();
    let domains = required.iter().map(|constraint| domains(template, constraint, &eligible));
    state.spread = Required(domains.collect());
    PreFilter::Run
}

fn domains<'s>(pod: &'s Template, constraint: &'s Spread, nodes: &[&'s Node]) -> Domains<'s> {
    let mut counted = Counted::new(pod, By::Selector(&constraint.selector));
    let mut counts = HashMap::new();
    for node in nodes.iter().filter(|node| includes(constraint, pod, node)) {
        let value = node.label(&constraint.key).unwrap_or_default();
        *counts.entry(value).or_default() += counted.on(node);
    }
    let enough = counts.len() as i64 >= i64::from(constraint.min_domains);
    let least = if enough { counts.values().copied().min().unwrap_or(0) } else { 0 };
    let itself = i64::from(constraint.selector.matches(&pod.labels));
    Domains { constraint, counts, least, itself }
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
        let Some(value) = node.label(&domains.constraint.key) else { return refuse_for_good(MISSING_LABEL) };
        let here = domains.counts.get(value).copied().unwrap_or(0);
        if here + domains.itself - domains.least > i64::from(domains.constraint.max_skew) {
            return refuse(SKEW);
        }
    }
    Ok(())
}

fn hint(pod: &Pod, event: &Event<'_>) -> bool {
    let template = &pod.template;
    let mut required = template.spread.iter().filter(|one| one.required);
    match event {
        Event::Placed(other) | Event::Freed(other) => required.any(|one| {
            other.template.namespace == template.namespace && one.selector.matches(&other.template.labels)
        }),
        Event::Node(node, change) => {
            (change.added || change.labels || change.taints) && required.all(|one| node.label(&one.key).is_some())
                || change.labels
        }
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
    key: &'s str,
    max_skew: i32,
    /// The pod's own constraint; `None` for a default one.
    spread: Option<&'s Spread>,
    /// Pods per domain, for every key but the host's name.
    counts: HashMap<&'s str, i64>,
    weight: f64,
}

fn pre_score<'s>(pod: &'s Pod, snapshot: &'s Snapshot, nodes: &[&'s Node], state: &mut State<'s>) -> bool {
    let template = &*pod.template;
    let mut soft = constraints(template);
    if soft.is_empty() {
        return false;
    }
    let strict = !template.spread.is_empty();
    let keys: Vec<&str> = soft.iter().map(|one| one.key).collect();
    let complete = |node: &Node| !strict || keys.iter().all(|key| node.label(key).is_some());
    let scored: Vec<&Node> = nodes.iter().copied().filter(|node| complete(node)).collect();
    for one in soft.iter_mut().filter(|one| one.key != HOSTNAME) {
        one.counts = scored.iter().filter_map(|node| node.label(one.key)).map(|value| (value, 0)).collect();
        if !one.counts.is_empty() {
            count(template, one, snapshot.nodes().map(AsRef::as_ref).filter(|node| complete(node)));
        }
    }
    for one in &mut soft {
        let size = if one.key == HOSTNAME { scored.len() } else { one.counts.len() };
        one.weight = ((size + 2) as f64).ln();
    }
    state.spread_preference = Preferred { constraints: soft, strict };
    true
}

fn constraints(pod: &Template) -> Vec<Soft<'_>> {
    if !pod.spread.is_empty() {
        let own = pod.spread.iter().filter(|one| !one.required);
        return own.map(|one| Soft::new(&one.key, one.max_skew, Some(one))).collect();
    }
    match pod.owner {
        Some(_) => DEFAULT_SKEW.iter().map(|(key, skew)| Soft::new(key, *skew, None)).collect(),
        None => Vec::new(),
    }
}

impl<'s> Soft<'s> {
    fn new(key: &'s str, max_skew: i32, spread: Option<&'s Spread>) -> Self {
        Self { key, max_skew, spread, counts: HashMap::new(), weight: 0.0 }
    }
}

fn counted<'p>(pod: &'p Template, soft: &Soft<'p>) -> Counted<'p> {
    let by = match soft.spread {
        Some(spread) => By::Selector(&spread.selector),
        None => By::Owner(pod.owner.as_deref().unwrap_or_default()),
    };
    Counted::new(pod, by)
}

fn count<'s>(pod: &'s Template, soft: &mut Soft<'s>, nodes: impl Iterator<Item = &'s Node>) {
    let mut counted = counted(pod, soft);
    for node in nodes {
        let included = soft.spread.is_none_or(|spread| includes(spread, pod, node));
        let domain = node.label(soft.key).and_then(|value| soft.counts.get_mut(value));
        if let (true, Some(domain)) = (included, domain) {
            *domain += counted.on(node);
        }
    }
}

/// A node's score for `normalize`: higher is worse. Nodes that are left out get [`LEFT_OUT`].
fn score(pod: &Pod, node: &Node, state: &State<'_>) -> i64 {
    let preferred = &state.spread_preference;
    let mut sum = 0.0;
    for soft in &preferred.constraints {
        let Some(value) = node.label(soft.key) else {
            if preferred.strict {
                return LEFT_OUT;
            }
            continue;
        };
        let pods = match soft.key {
            HOSTNAME => counted(&pod.template, soft).on(node),
            _ => soft.counts.get(value).copied().unwrap_or(0),
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
