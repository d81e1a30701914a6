//! NodeResourcesBalancedAllocation: prefers nodes whose cpu and memory the pod fills evenly.

use super::{Plugin, SCORE_MAX, Score};
use crate::{resources::Resources, snapshot::Node, template::Pod};

/// The row.
pub(super) const PLUGIN: Plugin = Plugin {
    name: "NodeResourcesBalancedAllocation",
    weight: 1,
    pre_score: |pod, _, _, _| {
        let requests = &pod.template.requests;
        requests.milli_cpu != 0 || requests.memory != 0
    },
    score: Score::Live(|pod, node, _| score(pod, node)),
    ..Plugin::BLANK
};

/// How much evener the node is with the pod than without it: between 50 and 100 where it gets better.
fn score(pod: &Pod, node: &Node) -> i64 {
    let requests = &pod.template.requests;
    let (cpu, memory) = (node.requested.milli_cpu, node.requested.memory);
    let without = evenness(cpu, memory, &node.allocatable);
    let with = evenness(cpu + requests.milli_cpu, memory + requests.memory, &node.allocatable);
    SCORE_MAX / 2 + (SCORE_MAX / 2 + with - without) / 2
}

/// 100 less the standard deviation of the used shares in hundredths.
fn evenness(cpu: i64, memory: i64, offered: &Resources) -> i64 {
    if offered.milli_cpu == 0 || offered.memory == 0 {
        return SCORE_MAX;
    }
    let share = |used: i64, offered: i64| (used as f64 / offered as f64).min(1.0);
    let deviation = (share(cpu, offered.milli_cpu) - share(memory, offered.memory)).abs() / 2.0;
    ((1.0 - deviation) * SCORE_MAX as f64) as i64
}
