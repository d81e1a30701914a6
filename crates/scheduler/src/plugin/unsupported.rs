//! Refuses pods that need what this scheduler cannot give, instead of placing them wrongly.

use super::{Plugin, PreFilter};

/// The row.
pub(super) const PLUGIN: Plugin = Plugin {
    name: "Unsupported",
    pre_filter: |pod, _, _| match pod.template.unsupported.first() {
        None => PreFilter::Skip,
        Some(what) => PreFilter::Reject(format!("pod uses {what}, which this scheduler does not support")),
    },
    ..Plugin::BLANK
};
