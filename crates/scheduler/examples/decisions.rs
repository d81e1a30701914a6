//! Prints how many decisions per second the scheduler makes, each accounted before the next.
//!
//! `cargo run --release -p scheduler --example decisions`
#![expect(clippy::print_stdout, reason = "a program whose purpose is to print a table")]

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use k8s_openapi::{
    api::core::v1::{Container, Node, NodeStatus, Pod, PodSpec, ResourceRequirements},
    apimachinery::pkg::{
        api::resource::Quantity,
        apis::meta::v1::{LabelSelector, ObjectMeta, OwnerReference},
    },
};
use scheduler::{
    engine::{Engine, Step},
    time::Time,
};

/// A workload: its name, and what it changes in a pod.
type Workload = (&'static str, fn(&mut PodSpec));

fn main() {
    let workloads: [Workload; 4] = [
        ("plain", |_| {}),
        ("node selector", |spec| {
            spec.node_selector = Some(map(&[("topology.kubernetes.io/zone", "zone-1")]));
        }),
        ("spread over zones", |spec| {
            spec.topology_spread_constraints =
                Some(vec![k8s_openapi::api::core::v1::TopologySpreadConstraint {
                    max_skew: 5,
                    topology_key: "topology.kubernetes.io/zone".into(),
                    when_unsatisfiable: "DoNotSchedule".into(),
                    label_selector: Some(LabelSelector {
                        match_labels: Some(map(&[("app", "web")])),
                        ..LabelSelector::default()
                    }),
                    ..Default::default()
                }]);
        }),
        ("unschedulable", |spec| {
            spec.node_selector = Some(map(&[("disk", "none")]));
        }),
    ];
    println!("{:>6}  {:<18} {:>8}  {:>12}  {:>8}", "nodes", "workload", "pods", "decisions/s", "us each");
    for nodes in [1000, 5000] {
        for workload in workloads {
            measure(nodes, 10 * nodes, workload);
        }
    }
}

fn measure(nodes: usize, pods: usize, (name, change): Workload) {
    let mut engine = Engine::new("default-scheduler", 1);
    for index in 0..nodes {
        engine.set_node(&node(index), Time::default());
    }
    for index in 0..pods {
        engine.set_pod(&pod(index, change), Time::default());
    }
    let start = Instant::now();
    let mut decisions = 0_u32;
    while let Some(step) = engine.step(Time::since_start(start.elapsed())) {
        decisions += 1;
        if let Step::Bind { pod, .. } = step {
            engine.bound(&pod.uid);
        }
        if start.elapsed() > Duration::from_secs(10) {
            break;
        }
    }
    let took = start.elapsed().as_secs_f64();
    let rate = f64::from(decisions) / took;
    println!("{nodes:>6}  {name:<18} {decisions:>8}  {rate:>12.0}  {:>8.1}", 1e6 / rate);
}

fn node(index: usize) -> Node {
    let name = format!("node-{index}");
    let zone = format!("zone-{}", index % 3);
    let labels = [("kubernetes.io/hostname", name.as_str()), ("topology.kubernetes.io/zone", &zone)];
    Node {
        metadata: ObjectMeta { labels: Some(map(&labels)), name: Some(name.clone()), ..Default::default() },
        status: Some(NodeStatus {
            allocatable: Some(quantities(&[("cpu", "8"), ("memory", "32Gi"), ("pods", "110")])),
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn pod(index: usize, change: fn(&mut PodSpec)) -> Pod {
    let mut spec = PodSpec {
        containers: vec![Container {
            image: Some("registry.local/web:1".into()),
            resources: Some(ResourceRequirements {
                requests: Some(quantities(&[("cpu", "100m"), ("memory", "128Mi")])),
                ..Default::default()
            }),
            ..Default::default()
        }],
        ..Default::default()
    };
    change(&mut spec);
    Pod {
        metadata: ObjectMeta {
            name: Some(format!("web-{index}")),
            namespace: Some("default".into()),
            uid: Some(format!("uid-{index}")),
            labels: Some(map(&[("app", "web")])),
            owner_references: Some(vec![OwnerReference {
                controller: Some(true),
                uid: "replica-set".into(),
                ..Default::default()
            }]),
            ..Default::default()
        },
        spec: Some(spec),
        ..Default::default()
    }
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()
}

fn quantities(pairs: &[(&str, &str)]) -> BTreeMap<String, Quantity> {
    pairs.iter().map(|(key, value)| ((*key).into(), Quantity((*value).into()))).collect()
}
