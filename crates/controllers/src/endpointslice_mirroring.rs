//! EndpointSliceMirroring: slices for the Endpoints that people write by hand.
//!
//! Endpoints of a Service without a selector are mirrored, unless their label says not to or a
//! leader election lives in them. Each subset is cut to 1000 addresses. Source: KEP-752 and the
//! behaviour of the 1.36 controller.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{EndpointAddress, EndpointSubset, Endpoints, Service};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointConditions, EndpointPort, EndpointSlice};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::json;

use crate::endpointslice::pack::{Group, Packed, Slot, pack};
use crate::endpointslice::{MANAGED_BY, SERVICE_NAME, of_service, subscribe_slices};
use crate::informer::{Informer, Key};
use crate::owner::controller_ref;
use crate::plan::{Action, Plan, difference};
use crate::queue::Queue;
use crate::service::{Family, TRIGGER_TIME};
use crate::{Context, Shutdown, endpoints as selected, run as run_plans, service};

const MANAGER: &str = "endpointslicemirroring-controller.k8s.io";
const SKIP: &str = "endpointslice.kubernetes.io/skip-mirror";
const LEADER: &str = "control-plane.alpha.kubernetes.io/leader";
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The most addresses mirrored of one subset, and the most endpoints in one slice.
const MAX: usize = 1000;

/// What a mirror is planned from.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The object to mirror, where there is one.
    pub endpoints: Option<Arc<Endpoints>>,
    /// The Service of its name.
    pub service: Option<Arc<Service>>,
    /// The slices that this controller keeps for it.
    pub slices: Vec<Arc<EndpointSlice>>,
}

/// Mirrors every object of Endpoints that is to be mirrored until `shutdown`.
pub async fn run(
    context: Context,
    endpoints: Informer<Endpoints>,
    services: Informer<Service>,
    slices: Informer<EndpointSlice>,
    shutdown: Shutdown,
) {
    let queue = Queue::default();
    let keys = queue.clone();
    endpoints.subscribe(move |change| keys.add(change.last().map(Key::of).unwrap_or_default()));
    let keys = queue.clone();
    services.subscribe(move |change| keys.add(change.last().map(Key::of).unwrap_or_default()));
    subscribe_slices(&queue, &slices, MANAGER);
    let watched: Vec<Arc<dyn crate::informer::Watched>> =
        vec![Arc::new(services.clone()), Arc::new(endpoints.clone()), Arc::new(slices.clone())];
    let context = context.named("endpoint-slice-mirroring-controller");
    run_plans(context, watched, queue, shutdown, move |key, _| {
        let slices = of_service(&slices, key, MANAGER);
        Ok(Some(plan(&Snapshot { endpoints: endpoints.get(key), service: services.get(key), slices })))
    })
    .await;
}

/// Makes the slices show the object; without one to mirror the slices go.
pub fn plan(snapshot: &Snapshot) -> Plan {
    let mut plan = Plan::default();
    let Some(endpoints) = mirrored(snapshot) else {
        plan.then(snapshot.slices.iter().map(|slice| Action::delete(&**slice)).collect());
        return plan;
    };
    let mut writes = Vec::new();
    for family in [Family::V4, Family::V6] {
        let of_family = |slice: &&Arc<EndpointSlice>| slice.address_type == family.as_str();
        let slices: Vec<_> = snapshot.slices.iter().filter(of_family).cloned().collect();
        let Packed { slots, stale } = pack(groups(endpoints, family), &slices, MAX, false);
        writes.extend(slots.iter().filter_map(|slot| write(slot, endpoints, family)));
        writes.extend(stale.iter().map(|slice| Action::delete(&**slice)));
    }
    plan.then(writes);
    plan
}

fn mirrored(snapshot: &Snapshot) -> Option<&Endpoints> {
    let endpoints = snapshot.endpoints.as_deref()?;
    let meta = &endpoints.metadata;
    let skipped = meta.labels.as_ref().and_then(|labels| labels.get(SKIP)).is_some_and(|skip| skip == "true");
    let elected = meta.annotations.as_ref().is_some_and(|annotations| annotations.contains_key(LEADER));
    let service = snapshot.service.as_deref()?;
    let custom = service::selector(service).is_none() && !selected::is_ours(endpoints);
    (custom && !skipped && !elected && meta.deletion_timestamp.is_none()).then_some(endpoints)
}

/// Subsets with the same ports are one group.
fn groups(endpoints: &Endpoints, family: Family) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for subset in endpoints.subsets.iter().flatten() {
        let (ports, found) = (ports(subset), addresses(subset, family));
        match groups.iter_mut().find(|group| group.ports == ports) {
            Some(group) => group.endpoints.extend(found),
            None if found.is_empty() => {}
            None => groups.push(Group { ports, endpoints: found }),
        }
    }
    groups
}

fn ports(subset: &EndpointSubset) -> Vec<EndpointPort> {
    let mirror = |port: &k8s_openapi::api::core::v1::EndpointPort| EndpointPort {
        name: Some(port.name.clone().unwrap_or_default()),
        port: Some(port.port),
        protocol: Some(port.protocol.clone().unwrap_or_else(|| "TCP".into())),
        app_protocol: port.app_protocol.clone(),
    };
    subset.ports.iter().flatten().map(mirror).collect()
}

fn addresses(subset: &EndpointSubset, family: Family) -> Vec<Endpoint> {
    let ready = subset.addresses.iter().flatten().map(|address| (address, true));
    let waiting = subset.not_ready_addresses.iter().flatten().map(|address| (address, false));
    let all = ready.chain(waiting).take(MAX);
    all.filter(|(address, _)| Family::of(&address.ip) == Some(family)).map(endpoint).collect()
}

fn endpoint((address, ready): (&EndpointAddress, bool)) -> Endpoint {
    Endpoint {
        addresses: vec![address.ip.clone()],
        conditions: Some(EndpointConditions { ready: Some(ready), serving: None, terminating: None }),
        hostname: address.hostname.clone(),
        node_name: address.node_name.clone(),
        target_ref: address.target_ref.clone(),
        ..Endpoint::default()
    }
}

fn labels(endpoints: &Endpoints) -> BTreeMap<String, String> {
    let mut labels = endpoints.metadata.labels.clone().unwrap_or_default();
    labels.remove(SKIP);
    labels.insert(SERVICE_NAME.into(), endpoints.metadata.name.clone().unwrap_or_default());
    labels.insert(MANAGED_BY.into(), MANAGER.into());
    labels
}

fn annotations(endpoints: &Endpoints) -> BTreeMap<String, String> {
    let mut annotations = endpoints.metadata.annotations.clone().unwrap_or_default();
    annotations.remove(LAST_APPLIED);
    annotations.remove(TRIGGER_TIME);
    annotations
}

fn write(slot: &Slot, endpoints: &Endpoints, family: Family) -> Option<Action> {
    match &slot.slice {
        None => Some(Action::create(&fresh(slot, endpoints, family))),
        Some(slice) => change(slot, slice, endpoints),
    }
}

fn fresh(slot: &Slot, endpoints: &Endpoints, family: Family) -> EndpointSlice {
    EndpointSlice {
        metadata: ObjectMeta {
            generate_name: Some(format!("{}-", endpoints.metadata.name.as_deref().unwrap_or_default())),
            namespace: endpoints.metadata.namespace.clone(),
            labels: Some(labels(endpoints)),
            annotations: Some(annotations(endpoints)),
            owner_references: Some(vec![controller_ref(endpoints)]),
            ..ObjectMeta::default()
        },
        address_type: family.as_str().to_owned(),
        endpoints: Some(slot.endpoints.clone()),
        ports: Some(slot.ports.clone()),
    }
}

fn change(slot: &Slot, slice: &EndpointSlice, endpoints: &Endpoints) -> Option<Action> {
    let shown = |map: &Option<BTreeMap<String, String>>| json!(map.clone().unwrap_or_default());
    let labels = difference(&shown(&slice.metadata.labels), &json!(labels(endpoints)));
    let annotations = difference(&shown(&slice.metadata.annotations), &json!(annotations(endpoints)));
    if labels.is_none() && annotations.is_none() && !slot.differs() {
        return None;
    }
    let mut body = json!({ "metadata": { "uid": slice.metadata.uid } });
    for (field, value) in [("labels", labels), ("annotations", annotations)] {
        if let Some(value) = value {
            body["metadata"][field] = value;
        }
    }
    if slot.differs() {
        body["endpoints"] = json!(slot.endpoints);
        body["ports"] = json!(slot.ports);
    }
    Some(Action::merge(slice, body))
}

#[cfg(test)]
mod tests;
