//! ImageLocality: prefers nodes that hold the pod's images, large ones above all, unless few nodes do.

use super::{Plugin, SCORE_MAX, Score, State};
use crate::{
    snapshot::{Node, Snapshot},
    template::Pod,
};

/// Images smaller than this in all are not worth a preference, in bytes.
const SIZE_MIN: i64 = 23 * 1024 * 1024;
/// Per container, an image larger than this is not worth more, in bytes.
const SIZE_MAX_PER_CONTAINER: i64 = 1000 * 1024 * 1024;

/// The row.
pub(super) const PLUGIN: Plugin =
    Plugin { name: "ImageLocality", weight: 1, pre_score, score: Score::Live(score), ..Plugin::BLANK };

fn pre_score<'s>(pod: &'s Pod, snapshot: &'s Snapshot, _: &[&'s Node], state: &mut State<'s>) -> bool {
    let found = pod.template.images.iter().map(|image| snapshot.image(image).unwrap_or_default());
    state.images = found.collect();
    state.nodes = snapshot.len();
    state.images.iter().any(|image| image.nodes > 0)
}

fn score(pod: &Pod, node: &Node, state: &State<'_>) -> i64 {
    let images = pod.template.images.iter().zip(&state.images);
    let held = images.filter_map(|(name, spread)| {
        let size = *node.facts.images.get(name)?;
        Some((size as f64 * spread.nodes as f64 / state.nodes as f64) as i64)
    });
    scale(held.sum(), pod.template.images.len() as i64)
}

fn scale(sum: i64, containers: i64) -> i64 {
    let max = SIZE_MAX_PER_CONTAINER * containers;
    SCORE_MAX * (sum.clamp(SIZE_MIN, max) - SIZE_MIN) / (max - SIZE_MIN)
}
