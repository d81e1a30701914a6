use std::sync::Arc;

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_openapi::jiff::Timestamp;

use super::{Grace, Heard, Snapshot, observe, plan, plan_outage};
use crate::plan::tests::{Case, check_all};

fn check(case: &Case) {
    let nodes: Option<Vec<Node>> = case.get("nodes");
    let planned = if let Some(nodes) = nodes {
        let nodes: Vec<Arc<Node>> = nodes.into_iter().map(Arc::new).collect();
        plan_outage(&nodes, case.now())
    } else {
        let heard: Timestamp = case.must::<String>("heard").parse().unwrap();
        let snapshot = Snapshot {
            node: Arc::new(case.must("node")),
            heard: Heard { at: heard, heartbeat: None, renewal: None },
            pods: case.get::<Vec<Pod>>("pods").into_iter().map(Arc::new).collect(),
        };
        plan(&snapshot, Grace::default(), case.now())
    };
    case.compare("expect", &planned);
    case.compare_again(&planned);
}

#[test]
fn node_lifecycle_cases() {
    check_all("node_lifecycle", check);
}

/// Each step: heartbeat and renewal as seconds of the node's clock, our time; and when it was heard.
#[test]
fn a_node_is_heard_of_when_heartbeat_or_lease_change() {
    let at = |second: i64| Timestamp::from_second(1_000_000 + second).unwrap();
    let node = |heartbeat: Option<i64>| -> Node {
        let conditions = heartbeat.map(|second| {
            serde_json::json!([{ "type": "Ready", "status": "True", "lastHeartbeatTime": at(second).to_string() }])
        });
        let meta = serde_json::json!({ "name": "n1", "creationTimestamp": at(-500).to_string() });
        serde_json::from_value(
            serde_json::json!({ "metadata": meta, "status": { "conditions": conditions } }),
        )
        .unwrap()
    };
    let lease = |renewal: i64| -> Lease {
        let text = at(renewal).strftime("%Y-%m-%dT%H:%M:%S.000000Z").to_string();
        serde_json::from_value(serde_json::json!({ "metadata": {}, "spec": { "renewTime": text } })).unwrap()
    };
    let check = |steps: &[(Option<i64>, Option<i64>, i64, i64)]| {
        let mut heard = None;
        for (heartbeat, renewal, now, expected) in steps {
            let lease = renewal.map(lease);
            let next = observe(heard.as_ref(), &node(*heartbeat), lease.as_ref(), at(*now));
            assert_eq!(next.at, at(*expected), "{steps:?} at {now}");
            heard = Some(next);
        }
    };
    check(&[(Some(-90), None, 0, 0), (Some(-90), None, 10, 0), (Some(-80), None, 20, 20)]);
    check(&[(Some(-90), Some(-90), 0, 0), (Some(-90), Some(-80), 10, 10), (Some(-90), Some(-80), 20, 10)]);
    check(&[(Some(-90), Some(-90), 0, 0), (Some(-90), None, 10, 0)]);
    check(&[(None, None, 0, -500), (None, None, 10, -500), (Some(15), None, 20, 20)]);
}
