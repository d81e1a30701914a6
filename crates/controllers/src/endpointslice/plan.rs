//! Which slices to create, change and delete.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Node, Pod, Service};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointSlice};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::pack::{Packed, Slot, pack};
use super::{MANAGED_BY, MANAGER, SERVICE_NAME, desired};
use crate::owner::controller_ref;
use crate::plan::{Action, Plan, difference};
use crate::recorder::Note;
use crate::service::{self, Family, TRIGGER_TIME};

/// The most endpoints in one slice.
const MAX: usize = 100;

/// What a Service's slices are planned from.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The Service.
    pub service: Arc<Service>,
    /// The pods it selects.
    pub pods: Vec<Arc<Pod>>,
    /// The nodes of those pods.
    pub nodes: Vec<Arc<Node>>,
    /// The slices that this controller keeps for the Service.
    pub slices: Vec<Arc<EndpointSlice>>,
}

/// Creates, patches and deletes slices so that they show the Service's pods. A Service without a
/// selector, or being deleted, is left alone.
pub fn plan(snapshot: &Snapshot) -> Plan {
    let service = &*snapshot.service;
    let mut plan = Plan::default();
    if service::selector(service).is_none() || service.metadata.deletion_timestamp.is_some() {
        return plan;
    }
    let families = service::families(service);
    let (ours, alien) = sort_out(snapshot, &families);
    let packed: Vec<(Family, Packed)> = families
        .iter()
        .map(|family| {
            let slices = ours.get(family.as_str()).map(Vec::as_slice).unwrap_or_default();
            (*family, pack(desired::groups(snapshot, *family), slices, MAX, true))
        })
        .collect();
    let wanted: Vec<&Endpoint> =
        packed.iter().flat_map(|(_, packed)| &packed.slots).flat_map(|slot| &slot.endpoints).collect();
    let trigger = trigger_time(snapshot, &wanted);
    let labels = labels(service);
    let mut writes = Vec::new();
    for (family, Packed { slots, stale }) in &packed {
        let look = Look { owner: controller_ref(service), labels: &labels, trigger, family: *family };
        writes.extend(slots.iter().filter_map(|slot| write(slot, service, &look)));
        writes.extend(stale.iter().map(|slice| Action::delete(&**slice)));
    }
    writes.extend(alien.iter().map(|slice| Action::delete(&**slice)));
    plan.then(writes.into_iter().map(|write| failing(service, write)).collect());
    plan
}

fn failing(service: &Service, action: Action) -> Action {
    let meta = &service.metadata;
    let (namespace, name) = (meta.namespace.as_deref(), meta.name.as_deref());
    let message = format!(
        "Error updating Endpoint Slices for Service {}/{}: {{error}}",
        namespace.unwrap_or_default(),
        name.unwrap_or_default()
    );
    action.on_failure(Note::warning(service, "FailedToUpdateEndpointSlices", message))
}

type ByFamily = HashMap<String, Vec<Arc<EndpointSlice>>>;

/// The slices by family, apart from those of a family that is no longer served and those of an
/// earlier Service of the same name.
fn sort_out(snapshot: &Snapshot, families: &[Family]) -> (ByFamily, Vec<Arc<EndpointSlice>>) {
    let (mut ours, mut alien) = (ByFamily::new(), Vec::new());
    let uid = snapshot.service.metadata.uid.as_ref();
    for slice in snapshot.slices.iter().filter(|slice| slice.metadata.deletion_timestamp.is_none()) {
        let served = families.iter().any(|family| family.as_str() == slice.address_type);
        let owned = slice.metadata.owner_references.iter().flatten().any(|owner| Some(&owner.uid) == uid);
        if served && owned {
            ours.entry(slice.address_type.clone()).or_default().push(Arc::clone(slice));
        } else {
            alien.push(Arc::clone(slice));
        }
    }
    (ours, alien)
}

/// The time of the change: of the pods whose endpoints are new or differ.
fn trigger_time(snapshot: &Snapshot, wanted: &[&Endpoint]) -> Option<Timestamp> {
    let shown: Vec<&Endpoint> =
        snapshot.slices.iter().flat_map(|slice| slice.endpoints.iter().flatten()).collect();
    let shown: HashMap<&[String], &Endpoint> =
        shown.into_iter().map(|endpoint| (endpoint.addresses.as_slice(), endpoint)).collect();
    let changed = wanted.iter().filter(|endpoint| shown.get(endpoint.addresses.as_slice()) != Some(endpoint));
    let changed: HashSet<&str> = changed.filter_map(|endpoint| pod_name(endpoint)).collect();
    let pods = snapshot.pods.iter().map(|pod| &**pod);
    let pods = pods.filter(|pod| pod.metadata.name.as_deref().is_some_and(|name| changed.contains(name)));
    service::trigger_time(&snapshot.service, pods, snapshot.slices.is_empty())
}

fn pod_name(endpoint: &Endpoint) -> Option<&str> {
    endpoint.target_ref.as_ref()?.name.as_deref()
}

fn labels(service: &Service) -> BTreeMap<String, String> {
    let mut labels = service::labels(service);
    labels.insert(SERVICE_NAME.into(), service.metadata.name.clone().unwrap_or_default());
    labels.insert(MANAGED_BY.into(), MANAGER.into());
    labels
}

/// What a slice shows beside its ports and endpoints.
struct Look<'a> {
    owner: OwnerReference,
    labels: &'a BTreeMap<String, String>,
    trigger: Option<Timestamp>,
    family: Family,
}

/// The write that makes a slot real; none where it already is.
fn write(slot: &Slot, service: &Service, look: &Look<'_>) -> Option<Action> {
    match &slot.slice {
        None => Some(Action::create(&fresh(slot, service, look))),
        Some(slice) => change(slot, slice, look),
    }
}

fn fresh(slot: &Slot, service: &Service, look: &Look<'_>) -> EndpointSlice {
    let annotations = look.trigger.map(|at| BTreeMap::from([(TRIGGER_TIME.to_owned(), at.to_string())]));
    EndpointSlice {
        metadata: ObjectMeta {
            generate_name: Some(format!("{}-", service.metadata.name.as_deref().unwrap_or_default())),
            namespace: service.metadata.namespace.clone(),
            labels: Some(look.labels.clone()),
            annotations,
            owner_references: Some(vec![look.owner.clone()]),
            ..ObjectMeta::default()
        },
        address_type: look.family.as_str().to_owned(),
        endpoints: Some(slot.endpoints.clone()),
        ports: Some(slot.ports.clone()),
    }
}

/// The trigger time is told only with another change.
fn change(slot: &Slot, slice: &EndpointSlice, look: &Look<'_>) -> Option<Action> {
    let old_labels = json!(slice.metadata.labels.clone().unwrap_or_default());
    let labels = difference(&old_labels, &json!(look.labels));
    if labels.is_none() && !slot.differs() {
        return None;
    }
    let mut body = json!({ "metadata": { "uid": slice.metadata.uid } });
    if let Some(labels) = labels {
        body["metadata"]["labels"] = labels;
    }
    let told = slice.metadata.annotations.as_ref().and_then(|annotations| annotations.get(TRIGGER_TIME));
    let trigger = look.trigger.map(|at| at.to_string());
    if told != trigger.as_ref() {
        body["metadata"]["annotations"] = json!({ TRIGGER_TIME: trigger });
    }
    if slot.differs() {
        body["endpoints"] = json!(slot.endpoints);
        body["ports"] = ports(slot, slice);
    }
    body.as_object_mut().expect("it was made as an object").retain(|_, value| !value.is_null());
    Some(Action::merge(slice, body))
}

/// The ports, where they are others than the slice's; else nothing.
fn ports(slot: &Slot, slice: &EndpointSlice) -> Value {
    let old = slice.ports.as_deref().unwrap_or_default();
    if desired::ports_key(old) == desired::ports_key(&slot.ports) { Value::Null } else { json!(slot.ports) }
}
