//! Whether to create, change or delete the object of a Service.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use k8s_openapi::api::core::v1::{EndpointAddress, EndpointSubset, Endpoints, Pod, Service};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Value, json};

use super::{MANAGED_BY, MANAGER, subsets};
use crate::plan::{Action, Plan, difference};
use crate::recorder::Note;
use crate::service::{self, TRIGGER_TIME};

const OVER_CAPACITY: &str = "endpoints.kubernetes.io/over-capacity";

/// What a Service's Endpoints are planned from.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The Service, where there is one.
    pub service: Option<Arc<Service>>,
    /// The pods it selects.
    pub pods: Vec<Arc<Pod>>,
    /// The object of its name.
    pub endpoints: Option<Arc<Endpoints>>,
}

/// Shows the Service's pods in the object of its name. Without a Service the object goes; without a
/// selector it is somebody else's.
pub fn plan(snapshot: &Snapshot) -> Plan {
    let mut plan = Plan::default();
    let action = match (&snapshot.service, &snapshot.endpoints) {
        (None, Some(endpoints)) => Some(Action::delete(&**endpoints)),
        (None, None) => None,
        (Some(service), _) if service::selector(service).is_none() => None,
        (Some(service), old) => show(service, &snapshot.pods, old.as_deref()),
    };
    plan.then(action.into_iter().collect());
    plan
}

fn show(service: &Service, pods: &[Arc<Pod>], old: Option<&Endpoints>) -> Option<Action> {
    let mut subsets = subsets::pack(service, pods.iter().map(|pod| &**pod));
    let truncated = subsets::truncate(&mut subsets);
    let mut labels = service::labels(service);
    labels.insert(MANAGED_BY.into(), MANAGER.into());
    let trigger = trigger(service, pods, &subsets, old);
    match old {
        None => Some(create(service, labels, annotations(truncated, trigger), subsets)),
        Some(old) => change(service, old, &labels, truncated, trigger, &subsets),
    }
}

fn annotations(truncated: bool, trigger: Option<String>) -> BTreeMap<String, String> {
    let truncated = truncated.then(|| (OVER_CAPACITY.to_owned(), "truncated".to_owned()));
    let trigger = trigger.map(|trigger| (TRIGGER_TIME.to_owned(), trigger));
    truncated.into_iter().chain(trigger).collect()
}

fn create(
    service: &Service,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    subsets: Vec<EndpointSubset>,
) -> Action {
    let object = Endpoints {
        metadata: ObjectMeta {
            name: service.metadata.name.clone(),
            namespace: service.metadata.namespace.clone(),
            labels: Some(labels),
            annotations: (!annotations.is_empty()).then_some(annotations),
            ..ObjectMeta::default()
        },
        subsets: (!subsets.is_empty()).then_some(subsets),
    };
    Action::create(&object).on_failure(failure(service, "FailedToCreateEndpoint", "create"))
}

fn failure(service: &Service, reason: &str, verb: &str) -> Note {
    let key = crate::Key::of(service);
    let message = format!("Failed to {verb} endpoint {}/{}: {{error}}", key.namespace, key.name);
    Note::warning(service, reason, message)
}

/// The trigger time is told only with another change.
fn change(
    service: &Service,
    old: &Endpoints,
    labels: &BTreeMap<String, String>,
    truncated: bool,
    trigger: Option<String>,
    subsets: &[EndpointSubset],
) -> Option<Action> {
    let told = old.metadata.annotations.clone().unwrap_or_default();
    let old_labels = json!(old.metadata.labels.clone().unwrap_or_default());
    let labels = difference(&old_labels, &json!(labels));
    let same = old.subsets.as_deref().unwrap_or_default() == subsets;
    let said = told.get(OVER_CAPACITY).is_some_and(|said| said == "truncated");
    if same && labels.is_none() && said == truncated {
        return None;
    }
    let mut wanted = told.clone();
    wanted.remove(OVER_CAPACITY);
    wanted.remove(TRIGGER_TIME);
    wanted.extend(annotations(truncated, trigger));
    let mut body = json!({ "metadata": { "uid": old.metadata.uid } });
    set(&mut body["metadata"], "labels", labels);
    set(&mut body["metadata"], "annotations", difference(&json!(told), &json!(wanted)));
    set(&mut body, "subsets", (!same).then(|| json!(subsets)));
    Some(Action::merge(old, body).on_failure(failure(service, "FailedToUpdateEndpoint", "update")))
}

fn set(object: &mut Value, field: &str, value: Option<Value>) {
    if let Some(value) = value {
        object[field] = value;
    }
}

/// The time of the change: of the pods whose addresses are new or have become ready or not.
fn trigger(
    service: &Service,
    pods: &[Arc<Pod>],
    subsets: &[EndpointSubset],
    old: Option<&Endpoints>,
) -> Option<String> {
    let shown = old.and_then(|old| old.subsets.as_deref()).unwrap_or_default();
    let (before, now) = (by_pod(shown), by_pod(subsets));
    let changed = pods.iter().map(|pod| &**pod).filter(|pod| {
        let name = pod.metadata.name.as_deref().unwrap_or_default();
        before.get(name) != now.get(name)
    });
    service::trigger_time(service, changed, old.is_none()).map(|at| at.to_string())
}

/// Each pod's address and whether it is ready.
fn by_pod(subsets: &[EndpointSubset]) -> HashMap<&str, (&EndpointAddress, bool)> {
    let ready = subsets.iter().flat_map(|subset| subset.addresses.iter().flatten());
    let waiting = subsets.iter().flat_map(|subset| subset.not_ready_addresses.iter().flatten());
    let all = ready.map(|address| (address, true)).chain(waiting.map(|address| (address, false)));
    all.filter_map(|(address, ready)| Some((address.target_ref.as_ref()?.name.as_deref()?, (address, ready))))
        .collect()
}
