//! EndpointSlice: the addresses behind each Service that has a selector.
//!
//! ```text
//! Service + its pods + their nodes -> groups (family, ports, endpoints) -> packed into slices
//! ```
//!
//! Invariants: a slice holds at most 100 endpoints; one change of one pod writes at most one slice
//! where there is room; a Service of any family has at least one slice, if only an empty one.
//! Source: KEP-752, discovery.k8s.io/v1 and the behaviour of the 1.36 controller.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{Node, Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;

use crate::informer::{Change, Informer, Key};
use crate::queue::Queue;
use crate::{Context, Shutdown, run as run_plans, service};

mod desired;
pub(crate) mod pack;
mod plan;

pub use plan::{Snapshot, plan};

/// The label that names a slice's Service.
pub(crate) const SERVICE_NAME: &str = "kubernetes.io/service-name";
/// The label that names a slice's writer.
pub(crate) const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
/// This controller as that writer.
const MANAGER: &str = "endpointslice-controller.k8s.io";

/// Keeps the slices of every Service with a selector until `shutdown`.
pub async fn run(
    context: Context,
    services: Informer<Service>,
    pods: Informer<Pod>,
    nodes: Informer<Node>,
    slices: Informer<EndpointSlice>,
    shutdown: Shutdown,
) {
    let queue = Queue::default();
    service::subscribe(&queue, &services, &pods);
    subscribe_slices(&queue, &slices, MANAGER);
    subscribe_nodes(&queue, &nodes, &services, &pods);
    let watched: Vec<Arc<dyn crate::informer::Watched>> = vec![
        Arc::new(services.clone()),
        Arc::new(pods.clone()),
        Arc::new(nodes.clone()),
        Arc::new(slices.clone()),
    ];
    let context = context.named("endpoint-slice-controller");
    run_plans(context, watched, queue, shutdown, move |key, _| {
        let Some(service) = services.get(key) else { return Ok(None) };
        let pods = service::selected(&service, &pods);
        let nodes = pods.iter().filter_map(|pod| nodes.get(&Key::new("", node_of(pod)?))).collect();
        let slices = of_service(&slices, key, MANAGER);
        Ok(Some(plan(&Snapshot { service, pods, nodes, slices })))
    })
    .await;
}

fn node_of(pod: &Pod) -> Option<&str> {
    pod.spec.as_ref()?.node_name.as_deref()
}

/// The slices that `manager` keeps for the Service of this name.
pub(crate) fn of_service(
    slices: &Informer<EndpointSlice>,
    service: &Key,
    manager: &str,
) -> Vec<Arc<EndpointSlice>> {
    let mut slices = slices.in_namespace(&service.namespace);
    slices.retain(|slice| service_of(slice, manager).as_ref() == Some(service));
    slices
}

/// The Service whose slice this is, where `manager` keeps it.
fn service_of(slice: &EndpointSlice, manager: &str) -> Option<Key> {
    let labels = slice.metadata.labels.as_ref()?;
    let ours = labels.get(MANAGED_BY).is_some_and(|by| by == manager);
    let name = labels.get(SERVICE_NAME).filter(|_| ours)?;
    Some(Key::new(slice.metadata.namespace.clone().unwrap_or_default(), name))
}

/// Wakes the Services whose slices change, so that a slice changed or removed by hand is repaired.
pub(crate) fn subscribe_slices(queue: &Queue<Key>, slices: &Informer<EndpointSlice>, manager: &'static str) {
    let keys = queue.clone();
    slices.subscribe(move |change| {
        change.both().filter_map(|slice| service_of(slice, manager)).for_each(|key| keys.add(key));
    });
}

/// A node's zone is part of its pods' endpoints.
fn subscribe_nodes(
    queue: &Queue<Key>,
    nodes: &Informer<Node>,
    services: &Informer<Service>,
    pods: &Informer<Pod>,
) {
    let (keys, services, pods) = (queue.clone(), services.clone(), pods.clone());
    nodes.subscribe(move |change: Change<'_, Node>| {
        if change.old.map(desired::zone) == change.new.map(desired::zone) {
            return;
        }
        let name = change.last().and_then(|node| node.metadata.name.clone());
        let on_node = pods.all().into_iter().filter(|pod| node_of(pod) == name.as_deref());
        on_node.flat_map(|pod| service::selecting(&pod, &services)).for_each(|key| keys.add(key));
    });
}

#[cfg(test)]
mod tests;
