//! DefaultTolerationSeconds: pods stay five minutes on a node that is gone.

use api::status::Status;
use futures::future::BoxFuture;
use serde_json::{Value, json};

use super::{Attributes, Operation, Plugin};

const TAINTS: [&str; 2] = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"];
const SECONDS: u32 = 300;

/// The plugin.
pub struct DefaultTolerationSeconds;

fn tolerates(tolerations: &[Value], taint: &str) -> bool {
    let one_of = |toleration: &Value, field: &str, value: &str| {
        let text = toleration[field].as_str().unwrap_or("");
        text.is_empty() || text == value
    };
    tolerations
        .iter()
        .any(|toleration| one_of(toleration, "key", taint) && one_of(toleration, "effect", "NoExecute"))
}

fn add(pod: &mut Value) {
    let tolerations = pod["spec"]["tolerations"].as_array().cloned().unwrap_or_default();
    let missing = TAINTS.iter().filter(|taint| !tolerates(&tolerations, taint));
    let added: Vec<Value> = missing
        .map(|taint| {
            json!({"key": taint, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": SECONDS})
        })
        .collect();
    if !added.is_empty() {
        pod["spec"]["tolerations"] = tolerations.into_iter().chain(added).collect();
    }
}

impl Plugin for DefaultTolerationSeconds {
    fn name(&self) -> &'static str {
        "DefaultTolerationSeconds"
    }

    fn admit<'a>(&'a self, attributes: &'a mut Attributes<'_>) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(async move {
            let written = matches!(attributes.operation, Operation::Create | Operation::Update);
            if written && attributes.is("", "pods") {
                add(attributes.object);
            }
            Ok(())
        })
    }
}
