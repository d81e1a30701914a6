//! TaintNodesByCondition: no pod lands on a new node before its conditions are known.

use api::status::Status;
use futures::future::BoxFuture;
use serde_json::{Value, json};

use super::{Attributes, Operation, Plugin};

const NOT_READY: &str = "node.kubernetes.io/not-ready";
const EFFECT: &str = "NoSchedule";

/// The plugin.
pub struct TaintNodesByCondition;

fn taint(node: &mut Value) {
    let mut taints = node["spec"]["taints"].as_array().cloned().unwrap_or_default();
    if !taints.iter().any(|taint| taint["key"] == NOT_READY && taint["effect"] == EFFECT) {
        taints.push(json!({"key": NOT_READY, "effect": EFFECT}));
        node["spec"]["taints"] = taints.into();
    }
}

impl Plugin for TaintNodesByCondition {
    fn name(&self) -> &'static str {
        "TaintNodesByCondition"
    }

    fn admit<'a>(&'a self, attributes: &'a mut Attributes<'_>) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(async move {
            if attributes.operation == Operation::Create && attributes.is("", "nodes") {
                taint(attributes.object);
            }
            Ok(())
        })
    }
}
