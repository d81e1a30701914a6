//! Scripts under `testdata/`: objects, deletions and time in; decisions and messages out.

use std::{fs, path::Path, sync::Arc, time::Duration};

use k8s_openapi::{
    api::core::v1::{Node, Pod},
    apimachinery::pkg::api::resource::Quantity,
};
use proptest::prelude::*;
use serde::Deserialize;

use crate::{
    cluster::Cluster,
    engine::{Engine, Step},
    event::Event,
    plugin::{FIXED_SCORES, Filter, PLUGINS, Score},
    queue::Counts,
    schedule::{Cycle, Decision, nodes_to_find, schedule},
    template::Templates,
    time::Time,
};

/// One line of a script; each does what it names.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Line {
    /// Adds or updates a node. Without allocatable it has 4 cpus, 8Gi and 110 pods.
    node: Option<Node>,
    /// Adds or updates a pod. Without uid it has its name as one.
    pod: Option<Pod>,
    delete_pod: Option<String>,
    delete_node: Option<String>,
    /// Lets seconds pass.
    after: Option<u64>,
    /// The next bindings of these pods fail.
    bindings_fail: Option<Vec<String>>,
    /// Decides until nothing is ready, and compares: `pod -> node` or `pod: message`.
    decide: Option<Vec<String>>,
    /// Compares the counts of the queue, zeros left out: `active 1, backoff 2`.
    queue: Option<String>,
}

struct Play {
    engine: Engine,
    elapsed: Duration,
    pods: Vec<Pod>,
    failing: Vec<String>,
}

impl Play {
    fn now(&self) -> Time {
        Time::since_start(self.elapsed)
    }

    fn act(&mut self, line: Line) -> Option<(String, String)> {
        if let Some(seconds) = line.after {
            self.elapsed += Duration::from_secs(seconds);
        }
        if let Some(node) = line.node {
            self.engine.set_node(&with_allocatable(node), self.now());
        }
        if let Some(pod) = line.pod {
            self.set_pod(with_identity(pod));
        }
        if let Some(name) = line.delete_pod {
            self.engine.remove_pod(&name, self.now());
        }
        if let Some(name) = line.delete_node {
            self.engine.remove_node(&name, self.now());
        }
        self.failing = line.bindings_fail.unwrap_or_else(|| std::mem::take(&mut self.failing));
        if let Some(expected) = line.queue {
            return Some((expected, in_words(self.engine.counts())));
        }
        let expected = line.decide?;
        Some((expected.join("\n"), self.decide().join("\n")))
    }

    fn set_pod(&mut self, pod: Pod) {
        self.engine.set_pod(&pod, self.now());
        self.pods.retain(|other| other.metadata.uid != pod.metadata.uid);
        self.pods.push(pod);
    }

    fn decide(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(step) = self.engine.step(self.now()) {
            lines.push(match step {
                Step::Refuse { pod, message } => format!("{}: {message}", pod.name),
                Step::Bind { pod, node } => {
                    self.bind(&pod.uid, &node);
                    format!("{} -> {node}", pod.name)
                }
            });
            assert!(lines.len() < 100, "decisions without end: {lines:#?}");
        }
        lines
    }

    fn bind(&mut self, uid: &str, node: &str) {
        if let Some(at) = self.failing.iter().position(|name| name == uid) {
            self.failing.remove(at);
            return self.engine.bind_failed(uid, self.now());
        }
        self.engine.bound(uid);
        let at = self.pods.iter().position(|pod| pod.metadata.uid.as_deref() == Some(uid));
        let mut pod = self.pods[at.expect("only known pods are bound")].clone();
        pod.spec.get_or_insert_default().node_name = Some(node.into());
        self.set_pod(pod);
    }
}

fn with_allocatable(mut node: Node) -> Node {
    let quantity = |(name, text): (&str, &str)| (name.to_owned(), Quantity(text.to_owned()));
    let offered = node.status.get_or_insert_default().allocatable.get_or_insert_default();
    for (name, amount) in [("cpu", "4"), ("memory", "8Gi"), ("pods", "110")].map(quantity) {
        offered.entry(name).or_insert(amount);
    }
    let name = node.metadata.name.clone().expect("a node has a name");
    let labels = node.metadata.labels.get_or_insert_default();
    labels.entry("kubernetes.io/hostname".into()).or_insert(name);
    node
}

fn with_identity(mut pod: Pod) -> Pod {
    let meta = &mut pod.metadata;
    meta.namespace.get_or_insert_with(|| "default".into());
    meta.uid.get_or_insert_with(|| meta.name.clone().unwrap_or_default());
    pod.spec.get_or_insert_default();
    pod
}

fn in_words(counts: Counts) -> String {
    let all = [
        ("gated", counts.gated),
        ("active", counts.active),
        ("backoff", counts.backoff),
        ("unschedulable", counts.unschedulable),
        ("in flight", counts.in_flight),
    ];
    let some = all.iter().filter(|(_, count)| *count > 0);
    some.map(|(place, count)| format!("{place} {count}")).collect::<Vec<_>>().join(", ")
}

/// Plays all scripts of a file and gives back what came out otherwise than written.
fn check(path: &Path) -> Vec<String> {
    let mut wrong = Vec::new();
    let text = fs::read_to_string(path).expect("a script can be read");
    for (number, script) in text.split("\n---\n").enumerate() {
        let lines: Vec<Line> =
            serde_saphyr::from_str(script).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        let engine = Engine::new("default-scheduler", 7);
        let mut play = Play { engine, elapsed: Duration::ZERO, pods: Vec::new(), failing: Vec::new() };
        let mut compared = 0;
        for (at, line) in lines.into_iter().enumerate() {
            if let Some((expected, got)) = play.act(line) {
                let place = format!("{}, script {}, line {}", path.display(), number + 1, at + 1);
                wrong.extend(
                    (got != expected).then(|| format!("{place}:\n expected {expected}\n      got {got}")),
                );
                compared += 1;
            }
        }
        assert!(compared > 0, "{path:?}, script {}, compares nothing", number + 1);
    }
    wrong
}

#[test]
fn scripts_play_as_written() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let mut paths: Vec<_> =
        fs::read_dir(&directory).expect("testdata").map(|e| e.expect("entry").path()).collect();
    paths.sort();
    assert!(paths.len() >= 10, "scripts are missing from {directory:?}");
    let wrong: Vec<String> = paths.iter().flat_map(|path| check(path)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_table_keeps_its_rules() {
    let live = |row: &crate::plugin::Plugin| matches!(row.filter, Filter::Live(_));
    let fixed = |row: &crate::plugin::Plugin| matches!(row.filter, Filter::Fixed(_));
    let first_live = PLUGINS.iter().position(live).expect("a live filter");
    let last_fixed = PLUGINS.iter().rposition(fixed).expect("a fixed filter");
    assert!(last_fixed < first_live, "a fixed filter after a live one would be asked too early");
    let scores = PLUGINS.iter().filter(|row| matches!(row.score, Score::Fixed(_))).count();
    assert_eq!(scores, FIXED_SCORES);
    for row in PLUGINS {
        let has_score = !matches!(row.score, Score::None);
        assert_eq!(row.weight > 0, has_score, "{}: a weight needs a score", row.name);
    }
}

#[test]
fn fewer_nodes_are_compared_the_more_there_are() {
    let cases = [(0, 0), (1, 1), (99, 99), (100, 100), (150, 100), (1000, 420), (5000, 500), (20_000, 1000)];
    for (nodes, expected) in cases {
        assert_eq!(nodes_to_find(nodes), expected, "{nodes} nodes");
    }
}

fn pod(name: usize, milli_cpu: u16, port: u16) -> Pod {
    let mut container = k8s_openapi::api::core::v1::Container::default();
    let requests = [("cpu".to_owned(), Quantity(format!("{milli_cpu}m")))];
    container.resources.get_or_insert_default().requests = Some(requests.into());
    if port > 0 {
        let port =
            k8s_openapi::api::core::v1::ContainerPort { host_port: Some(port.into()), ..Default::default() };
        container.ports = Some(vec![port]);
    }
    let mut pod = Pod::default();
    pod.metadata.name = Some(format!("p{name}"));
    pod.spec.get_or_insert_default().containers.push(container);
    with_identity(pod)
}

fn node(name: usize, cpus: u8, pods: u8) -> Node {
    let mut node = Node::default();
    node.metadata.name = Some(format!("n{name}"));
    let offered = [("cpu", cpus.to_string()), ("pods", pods.to_string())];
    let offered = offered.map(|(name, amount)| (name.to_owned(), Quantity(amount)));
    node.status.get_or_insert_default().allocatable = Some(offered.into());
    with_allocatable(node)
}

/// A plain pod, one spread strictly, one spread softly, one with a controller.
fn of_sort(mut pod: Pod, sort: u8) -> Pod {
    let text = match sort {
        1 => "DoNotSchedule",
        2 => "ScheduleAnyway",
        _ => "",
    };
    pod.metadata.labels = Some([("app".to_owned(), "web".to_owned())].into());
    if sort == 3 {
        let owner = k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference {
            uid: "owner".into(),
            controller: Some(true),
            ..Default::default()
        };
        pod.metadata.owner_references = Some(vec![owner]);
    }
    if !text.is_empty() {
        let mut constraint = k8s_openapi::api::core::v1::TopologySpreadConstraint {
            max_skew: 1,
            topology_key: "zone".into(),
            when_unsatisfiable: text.into(),
            ..Default::default()
        };
        constraint.label_selector.get_or_insert_default().match_labels = pod.metadata.labels.clone();
        pod.spec.get_or_insert_default().topology_spread_constraints = Some(vec![constraint]);
    }
    pod
}

/// What happens to a cluster.
#[derive(Clone, Debug)]
enum Act {
    Node(usize, u8, u8),
    NodeGone(usize),
    Pod(usize, u16, u16),
    PodGone(usize),
    Decide { bindings_fail: bool },
    Wait(u64),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        1 => (0..6_usize, 1..5_u8, 1..6_u8).prop_map(|(name, cpus, pods)| Act::Node(name, cpus, pods)),
        1 => (0..6_usize).prop_map(Act::NodeGone),
        4 => (0..40_usize, 1..3000_u16, 0..4_u16).prop_map(|(name, cpu, port)| Act::Pod(name, cpu, port)),
        1 => (0..40_usize).prop_map(Act::PodGone),
        3 => any::<bool>().prop_map(|bindings_fail| Act::Decide { bindings_fail }),
        1 => (1..400_u64).prop_map(Act::Wait),
    ];
    proptest::collection::vec(act, 1..80)
}

proptest! {
    /// No decision gives a node more than it offers, and no pod is ever lost.
    #[test]
    fn nodes_are_never_overcommitted_and_no_pod_is_lost(acts in acts()) {
        let mut engine = Engine::new("default-scheduler", 3);
        let mut now = Time::default();
        let mut known = std::collections::BTreeSet::new();
        for act in acts {
            match act {
                // A node that shrinks below its pods is the node's doing: nodes keep their size.
                Act::Node(name, ..) if engine.snapshot().node(&format!("n{name}")).is_some() => {}
                Act::Node(name, cpus, pods) => engine.set_node(&node(name, cpus, pods), now),
                Act::NodeGone(name) => engine.remove_node(&format!("n{name}"), now),
                Act::Pod(name, cpu, port) => {
                    if known.insert(name) {
                        engine.set_pod(&pod(name, cpu, port), now);
                    }
                }
                Act::PodGone(name) => {
                    known.remove(&name);
                    engine.remove_pod(&format!("p{name}"), now);
                }
                Act::Wait(seconds) => now = now + Duration::from_secs(seconds),
                Act::Decide { bindings_fail } => {
                    let Some(step) = engine.step(now) else { continue };
                    let Step::Bind { pod, node } = step else { continue };
                    let snapshot = engine.snapshot();
                    let (_, node) = snapshot.node(&node).expect("a node that exists");
                    prop_assert!(node.requested.milli_cpu <= node.allocatable.milli_cpu);
                    prop_assert!(node.pods.len() as i64 <= node.pods_max);
                    let mut ports: Vec<_> = node.ports.iter().map(|port| port.port).collect();
                    ports.sort_unstable();
                    ports.dedup();
                    prop_assert_eq!(ports.len(), node.ports.len(), "a port given twice");
                    match bindings_fail {
                        true => engine.bind_failed(&pod.uid, now),
                        false => engine.bound(&pod.uid),
                    }
                }
            }
            let counts = engine.counts();
            let queued = counts.gated + counts.active + counts.backoff + counts.unschedulable + counts.in_flight;
            prop_assert_eq!(queued + engine.placed(), known.len(), "{:?}", counts);
        }
    }

    /// Memos and shared snapshots change nothing: a fresh cycle on a rebuilt cluster decides alike.
    #[test]
    fn decisions_do_not_depend_on_memos(
        sizes in proptest::collection::vec((1..5_u8, 1..6_u8), 1..8),
        requests in proptest::collection::vec((1..3000_u16, 0..3_u16, 0..4_u8), 1..40),
    ) {
        let mut templates = Templates::default();
        let (mut cluster, mut placed) = (Cluster::default(), Vec::new());
        let mut nodes = Vec::new();
        for (name, (cpus, pods)) in sizes.into_iter().enumerate() {
            let mut node = node(name, cpus, pods);
            node.metadata.labels.get_or_insert_default().insert("zone".into(), (name % 3).to_string());
            nodes.push(crate::snapshot::Node::decode(&node));
        }
        for node in &nodes {
            cluster.set_node(node.clone());
        }
        let mut warm = Cycle::new(5);
        for (name, (cpu, port, sort)) in requests.into_iter().enumerate() {
            // Few sizes, so that templates recur.
            let pod = of_sort(pod(name, cpu / 1000 * 400 + 50, port), sort);
            let pod = Arc::new(templates.decode(&pod));
            let mut rebuilt = Cluster::default();
            for node in &nodes {
                rebuilt.set_node(node.clone());
            }
            placed.iter().for_each(|(pod, node)| rebuilt.assume(pod, node));
            let mut cold = warm.without_memos();
            let decided = schedule(&pod, &cluster.snapshot(), &mut warm);
            let fresh = schedule(&pod, &rebuilt.snapshot(), &mut cold);
            prop_assert_eq!(&decided, &fresh);
            if let Decision::Assigned { node, .. } = decided {
                cluster.assume(&pod, &node);
                placed.push((pod, node));
            }
        }
    }
}

#[test]
fn a_hint_never_hides_what_helps() {
    // Every plugin that refuses nodes must hope for something, or its pods would wait five minutes.
    let mut templates = Templates::default();
    let pod = templates.decode(&pod(1, 100, 80));
    let node = crate::snapshot::Node::decode(&node(1, 4, 10));
    let added = crate::snapshot::NodeChange { added: true, ..Default::default() };
    for row in PLUGINS.iter().filter(|row| !matches!(row.filter, Filter::None)) {
        let event = Event::Node(&node, added);
        assert!((row.hint)(&pod, &event), "{}: a new node that takes the pod helps", row.name);
    }
}
