//! A tally that is kept agrees with one that is counted anew.

use std::sync::Arc;

use k8s_openapi::api::core::v1 as core;
use proptest::prelude::*;

use super::Tally;
use crate::{
    snapshot::{Node, Snapshot},
    template::{Pod, Templates},
};

const ZONES: [Option<&str>; 4] = [Some("a"), Some("b"), Some("c"), None];

#[derive(Clone, Debug)]
enum Act {
    Node(usize, usize),
    NodeGone(usize),
    Add(usize),
    Remove,
    /// Many placements between two looks: more than a snapshot remembers.
    Churn(usize),
    Look,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        2 => (0..6_usize, 0..4_usize).prop_map(|(name, zone)| Act::Node(name, zone)),
        1 => (0..6_usize).prop_map(Act::NodeGone),
        6 => (0..6_usize).prop_map(Act::Add),
        3 => Just(Act::Remove),
        1 => (0..6_usize).prop_map(Act::Churn),
        3 => Just(Act::Look),
    ];
    proptest::collection::vec(act, 1..60)
}

fn node(name: usize, zone: usize) -> Node {
    let mut node = core::Node::default();
    node.metadata.name = Some(format!("n{name}"));
    let zone = ZONES[zone].map(|zone| ("zone".to_owned(), zone.to_owned()));
    node.metadata.labels = Some(zone.into_iter().collect());
    Node::decode(&node)
}

fn pod(number: usize) -> Arc<Pod> {
    let mut pod = core::Pod::default();
    pod.metadata.uid = Some(number.to_string());
    Arc::new(Templates::default().decode(&pod))
}

fn refreshed(mut tally: Tally, snapshot: &Snapshot) -> Tally {
    tally.refresh(snapshot, "zone", |node| node.name() != "n5", |node| node.pods.len() as i64);
    tally
}

/// What a tally says about every node.
fn said(tally: &Tally, snapshot: &Snapshot) -> Vec<(i64, Option<i64>)> {
    let of = |node: &Arc<Node>| (tally.on(node), tally.domain(node).map(|domain| tally.within(domain)));
    snapshot.nodes().map(of).collect()
}

proptest! {
    #[test]
    fn a_kept_tally_agrees_with_a_new_one(acts in acts()) {
        let mut snapshot = Snapshot::default();
        let mut kept = Tally::default();
        let mut placed: Vec<(String, usize)> = Vec::new();
        for (number, act) in acts.into_iter().enumerate() {
            match act {
                Act::Node(name, zone) => {
                    snapshot.set_node(node(name, zone));
                },
                Act::NodeGone(name) => drop(snapshot.remove_node(&format!("n{name}"))),
                Act::Add(name) => {
                    snapshot.add_pod(&format!("n{name}"), pod(number));
                    placed.push((format!("n{name}"), number));
                }
                Act::Remove => {
                    if let Some((node, number)) = placed.pop() {
                        snapshot.remove_pod(&node, &number.to_string());
                    }
                }
                Act::Churn(name) => {
                    let (node, passing) = (format!("n{name}"), pod(usize::MAX));
                    for _ in 0..2100 {
                        snapshot.add_pod(&node, passing.clone());
                        snapshot.remove_pod(&node, &passing.uid);
                    }
                }
                Act::Look => {
                    kept = refreshed(kept, &snapshot);
                    let fresh = refreshed(Tally::default(), &snapshot);
                    prop_assert_eq!(said(&kept, &snapshot), said(&fresh, &snapshot));
                    prop_assert_eq!(kept.least(), fresh.least());
                }
            }
        }
    }
}
