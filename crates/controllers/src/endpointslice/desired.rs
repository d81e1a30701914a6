//! The endpoints that a Service should have, before they are packed into slices.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Node, Pod, Service};
use k8s_openapi::api::discovery::v1::{
    Endpoint, EndpointConditions, EndpointHints, EndpointPort, ForNode, ForZone,
};

use super::pack::Group;
use super::{Snapshot, node_of};
use crate::pod;
use crate::service::{self, Family};

/// The zone that a node says it is in.
pub(super) fn zone(node: &Node) -> Option<String> {
    let zone = node.metadata.labels.as_ref()?.get("topology.kubernetes.io/zone");
    zone.filter(|zone| !zone.is_empty()).cloned()
}

/// The Service's endpoints of one family, grouped by the ports that the pods give them. Pods of a
/// node that is not known are left out, unless the Service publishes what is not ready.
pub(super) fn groups(snapshot: &Snapshot, family: Family) -> Vec<Group> {
    let service = &*snapshot.service;
    let zones: HashMap<&str, Option<String>> =
        snapshot.nodes.iter().filter_map(|node| Some((node.metadata.name.as_deref()?, zone(node)))).collect();
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    for pod in snapshot.pods.iter().filter(|pod| service::has_endpoint(pod)) {
        let addresses = service::addresses(pod, family);
        let known = node_of(pod).is_none_or(|node| zones.contains_key(node));
        if addresses.is_empty() || !(known || service::publishes_unready(service)) {
            continue;
        }
        let zone = node_of(pod).and_then(|node| zones.get(node).cloned().flatten());
        let ports = ports(service, pod);
        let group = groups.entry(ports_key(&ports)).or_insert_with(|| Group { ports, endpoints: Vec::new() });
        group.endpoints.push(endpoint(service, pod, addresses, zone));
    }
    groups.into_values().collect()
}

/// The text by which ports are compared; their order says nothing.
pub(super) fn ports_key(ports: &[EndpointPort]) -> String {
    let mut texts: Vec<String> = ports
        .iter()
        .map(|port| {
            let EndpointPort { name, port, protocol, app_protocol } = port;
            format!("{port:?} {protocol:?} {} {app_protocol:?}", name.as_deref().unwrap_or_default())
        })
        .collect();
    texts.sort();
    texts.join(",")
}

fn ports(service: &Service, pod: &Pod) -> Vec<EndpointPort> {
    let resolved = service::ports(service).iter().filter_map(|port| {
        Some(EndpointPort {
            name: Some(port.name.clone().unwrap_or_default()),
            port: Some(service::target_port(pod, port)?),
            protocol: Some(service::protocol(port).to_owned()),
            app_protocol: port.app_protocol.clone(),
        })
    });
    resolved.collect()
}

/// Serving says whether the pod is ready; ready is never said of a pod that is going away, unless
/// the Service publishes what is not ready.
fn endpoint(service: &Service, pod: &Arc<Pod>, addresses: Vec<String>, zone: Option<String>) -> Endpoint {
    let serving = pod::is_ready(pod);
    let terminating = pod.metadata.deletion_timestamp.is_some();
    let ready = service::publishes_unready(service) || (serving && !terminating);
    let node_name = node_of(pod).map(ToOwned::to_owned);
    Endpoint {
        addresses,
        conditions: Some(EndpointConditions {
            ready: Some(ready),
            serving: Some(serving),
            terminating: Some(terminating),
        }),
        hints: if ready { hints(service, zone.as_ref(), node_name.as_ref()) } else { None },
        hostname: service::hostname(pod, service),
        node_name,
        target_ref: Some(service::target_ref(pod)),
        zone,
        deprecated_topology: None,
    }
}

/// Where an endpoint's traffic should come from (KEP-4444, KEP-3015).
fn hints(service: &Service, zone: Option<&String>, node: Option<&String>) -> Option<EndpointHints> {
    let wish = service.spec.as_ref()?.traffic_distribution.as_deref()?;
    let for_zones = zone.map(|zone| vec![ForZone { name: zone.clone() }]);
    let for_nodes = node.map(|node| vec![ForNode { name: node.clone() }]);
    match wish {
        "PreferClose" | "PreferSameZone" => {
            for_zones.map(|zones| EndpointHints { for_zones: Some(zones), for_nodes: None })
        }
        "PreferSameNode" => for_nodes.map(|nodes| EndpointHints { for_nodes: Some(nodes), for_zones }),
        _ => None,
    }
}
