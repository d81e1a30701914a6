//! `pods/binding` and `bindings`: assigns a pod to a node, once.

use api::meta;
use api::status::Status;
use http::StatusCode;
use serde_json::{Value, json};

use super::update::{Change, apply};
use super::{Call, review_target};
use crate::respond::{self, Outcome};

struct Bind {
    target: String,
    uid: String,
    version: String,
    annotations: Value,
    labels: Value,
}

/// Answers `create` of a binding.
///
/// # Errors
/// 409 when the pod is assigned already, is being deleted, or is not the one meant.
pub async fn bind(call: &Call) -> Outcome {
    let binding = review_target(call, "io.k8s.api.core.v1.Binding")?;
    let bind = Bind::of(&binding)?;
    let named = call.about(&call.info.namespace, pod_name(call, &binding));
    apply(&named, &bind, &mut Vec::new()).await?;
    let success =
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201});
    Ok(respond::json(StatusCode::CREATED, success.to_string()))
}

/// The pod that is meant: by the path, or by the name of the binding itself.
fn pod_name<'a>(call: &'a Call, binding: &'a Value) -> &'a str {
    if call.info.name.is_empty() { meta::name(binding) } else { &call.info.name }
}

impl Bind {
    fn of(binding: &Value) -> Result<Self, Status> {
        let kind = meta::text(binding, "target.kind");
        if !matches!(kind, "" | "Node") {
            return Err(Status::bad_request(format!(
                "target.kind: Unsupported value: {kind:?}: supported values: \"Node\""
            )));
        }
        let target = meta::text(binding, "target.name").to_owned();
        if target.is_empty() {
            return Err(Status::bad_request("target.name: Required value"));
        }
        Ok(Self {
            target,
            uid: meta::uid(binding).to_owned(),
            version: meta::resource_version(binding).to_owned(),
            annotations: meta::at(binding, "metadata.annotations").cloned().unwrap_or_default(),
            labels: meta::at(binding, "metadata.labels").cloned().unwrap_or_default(),
        })
    }

    fn check(&self, call: &Call, pod: &Value) -> Result<(), Status> {
        let (resource, name) = (call.resource().group_resource(), meta::name(pod));
        let refuse = |why: String| Err(Status::conflict_because(&resource, name, why));
        if !self.uid.is_empty() && self.uid != meta::uid(pod) {
            return Err(Status::uid_precondition(&resource, name, &self.uid, meta::uid(pod)));
        }
        if !self.version.is_empty() && self.version != meta::resource_version(pod) {
            return Err(Status::conflict(&resource, name));
        }
        if meta::deletion_timestamp(pod).is_some() {
            return refuse(format!("pod {name} is being deleted, cannot be assigned to a host"));
        }
        let node = meta::text(pod, "spec.nodeName");
        if !node.is_empty() {
            return refuse(format!("pod {name} is already assigned to node {node:?}"));
        }
        match meta::at(pod, "spec.schedulingGates").and_then(Value::as_array) {
            Some(gates) if !gates.is_empty() => {
                refuse(format!("pod {name} has non-empty .spec.schedulingGates"))
            }
            _ => Ok(()),
        }
    }
}

impl Change for Bind {
    fn apply(&self, call: &Call, current: &Value, _warnings: &mut Vec<String>) -> Result<Value, Status> {
        self.check(call, current)?;
        let mut pod = current.clone();
        pod["spec"]["nodeName"] = json!(self.target);
        for (field, entries) in [("annotations", &self.annotations), ("labels", &self.labels)] {
            for (key, value) in entries.as_object().into_iter().flatten() {
                pod["metadata"][field][key] = value.clone();
            }
        }
        pod["status"]["conditions"] = scheduled(current, call.shared.now()).into();
        Ok(pod)
    }
}

/// The pod's conditions with `PodScheduled` true.
fn scheduled(pod: &Value, now: api::meta::Time) -> Vec<Value> {
    let conditions =
        meta::at(pod, "status.conditions").and_then(Value::as_array).cloned().unwrap_or_default();
    let others = conditions.into_iter().filter(|condition| condition["type"] != "PodScheduled");
    let generation = meta::generation(pod);
    let mut condition = json!({
        "type": "PodScheduled", "status": "True", "lastProbeTime": null, "lastTransitionTime": now.to_string(),
    });
    if let Some(generation) = generation {
        condition["observedGeneration"] = json!(generation);
    }
    others.chain([condition]).collect()
}
