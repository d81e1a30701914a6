//! RuntimeClass: the class exists, and its overhead and placement become the pod's.

use api::status::Status;
use futures::future::BoxFuture;
use serde_json::{Map, Value};

use super::lookup::Lookup;
use super::{Attributes, Operation, Plugin};
use crate::storage::Place;
use crate::strategy::tree::same;

const CLASSES: &str = "node.k8s.io/runtimeclasses";

/// The plugin.
pub struct RuntimeClass {
    lookup: Lookup,
}

impl RuntimeClass {
    /// A plugin that reads runtime classes from `lookup`.
    pub fn new(lookup: Lookup) -> Self {
        Self { lookup }
    }

    async fn class(&self, attributes: &Attributes<'_>) -> Result<Option<Value>, Status> {
        let Some(name) = attributes.object["spec"]["runtimeClassName"].as_str() else { return Ok(None) };
        let found = self.lookup.find(Place { prefix: CLASSES, key: name }).await?;
        let missing = || attributes.forbidden(format!("pod rejected: RuntimeClass {name:?} not found"));
        found.map(Some).ok_or_else(missing)
    }
}

/// The overhead a class defines for its pods.
fn overhead(class: Option<&Value>) -> Option<&Value> {
    class
        .and_then(|class| class.get("overhead"))
        .filter(|overhead| !overhead.is_null())
        .map(|o| &o["podFixed"])
}

fn mismatch(attributes: &Attributes<'_>) -> Status {
    attributes.forbidden("pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead")
}

fn set_overhead(attributes: &mut Attributes<'_>, class: &Value) -> Result<(), Status> {
    let Some(fixed) = overhead(Some(class)) else { return Ok(()) };
    let own = &attributes.object["spec"]["overhead"];
    if !own.is_null() && !same(own, fixed) {
        return Err(mismatch(attributes));
    }
    attributes.object["spec"]["overhead"] = fixed.clone();
    Ok(())
}

fn set_scheduling(attributes: &mut Attributes<'_>, class: &Value) -> Result<(), Status> {
    let scheduling = &class["scheduling"];
    let mut selector = attributes.object["spec"]["nodeSelector"].as_object().cloned().unwrap_or_default();
    for (key, value) in scheduling["nodeSelector"].as_object().unwrap_or(&Map::new()) {
        let wanted = value.as_str().unwrap_or("");
        match selector.get(key).and_then(Value::as_str) {
            Some(own) if own != wanted => {
                return Err(attributes.forbidden(format!(
                    "conflict: runtimeClass.scheduling.nodeSelector[{key}] = {wanted}; \
                     pod.spec.nodeSelector[{key}] = {own}"
                )));
            }
            _ => drop(selector.insert(key.clone(), value.clone())),
        }
    }
    if !selector.is_empty() {
        attributes.object["spec"]["nodeSelector"] = selector.into();
    }
    merge_tolerations(attributes.object, &scheduling["tolerations"]);
    Ok(())
}

fn merge_tolerations(pod: &mut Value, added: &Value) {
    let mut tolerations = pod["spec"]["tolerations"].as_array().cloned().unwrap_or_default();
    let added = added.as_array().into_iter().flatten();
    let missing: Vec<Value> =
        added.filter(|new| !tolerations.iter().any(|known| same(known, new))).cloned().collect();
    if !missing.is_empty() {
        tolerations.extend(missing);
        pod["spec"]["tolerations"] = tolerations.into();
    }
}

fn check_overhead(attributes: &Attributes<'_>, class: Option<&Value>) -> Result<(), Status> {
    let own = &attributes.object["spec"]["overhead"];
    match overhead(class) {
        Some(fixed) if !same(own, fixed) => Err(mismatch(attributes)),
        None if own.as_object().is_some_and(|own| !own.is_empty()) => Err(attributes
            .forbidden("pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead")),
        _ => Ok(()),
    }
}

impl Plugin for RuntimeClass {
    fn name(&self) -> &'static str {
        "RuntimeClass"
    }

    fn admit<'a>(&'a self, attributes: &'a mut Attributes<'_>) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(async move {
            if attributes.operation != Operation::Create || !attributes.is("", "pods") {
                return Ok(());
            }
            let Some(class) = self.class(attributes).await? else { return Ok(()) };
            set_overhead(attributes, &class)?;
            set_scheduling(attributes, &class)
        })
    }

    fn validate<'a>(&'a self, attributes: &'a mut Attributes<'_>) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(async move {
            if attributes.operation != Operation::Create || !attributes.is("", "pods") {
                return Ok(());
            }
            let class = self.class(attributes).await?;
            check_overhead(attributes, class.as_ref())
        })
    }
}
