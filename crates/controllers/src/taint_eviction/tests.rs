use k8s_openapi::api::core::v1::{Node, Taint};
use k8s_openapi::jiff::Timestamp;

use super::{dated, plan};
use crate::plan::tests::{Case, check_all};

/// `seen` dates the taints as an earlier look at the node would have.
fn check(case: &Case) {
    let node: Node = case.must("node");
    let seen: Option<Timestamp> = case.get::<Option<String>>("seen").map(|seen| seen.parse().unwrap());
    let before: Vec<(Taint, Timestamp)> = seen.map(|seen| dated(&[], &node, seen)).unwrap_or_default();
    let planned = plan(&case.must("pod"), &dated(&before, &node, case.now()), case.now());
    case.compare("expect", &planned);
    case.compare_again(&planned);
}

#[test]
fn taint_eviction_cases() {
    check_all("taint_eviction", check);
}
