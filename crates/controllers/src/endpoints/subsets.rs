//! Addresses and ports, packed into subsets and cut to capacity.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{EndpointAddress, EndpointPort, EndpointSubset, Pod, Service};

use crate::{pod, service};

/// The most addresses in one object.
const CAPACITY: usize = 1000;

/// Addresses by (IP, pod), each with whether it is ready.
type Addresses = BTreeMap<(String, String), (EndpointAddress, bool)>;

/// The subsets that show the pods: ports behind which the same addresses stand share a subset.
pub(super) fn pack<'a>(service: &Service, pods: impl IntoIterator<Item = &'a Pod>) -> Vec<EndpointSubset> {
    let mut by_port: BTreeMap<PortKey, Addresses> = BTreeMap::new();
    for pod in pods.into_iter().filter(|pod| shows(service, pod)) {
        let Some(address) = address(service, pod) else { continue };
        let ready = service::publishes_unready(service) || pod::is_ready(pod);
        let uid = pod.metadata.uid.clone().unwrap_or_default();
        for port in ports(service, pod) {
            let addresses = by_port.entry(port).or_default();
            addresses.insert((address.ip.clone(), uid.clone()), (address.clone(), ready));
        }
    }
    merge(by_port)
}

/// Pods that are going away count only where what is not ready is published.
fn shows(service: &Service, pod: &Pod) -> bool {
    let going = pod.metadata.deletion_timestamp.is_some();
    service::has_endpoint(pod) && (service::publishes_unready(service) || !going)
}

fn address(service: &Service, pod: &Pod) -> Option<EndpointAddress> {
    let family = service::families(service).into_iter().next()?;
    Some(EndpointAddress {
        ip: service::addresses(pod, family).into_iter().next()?,
        hostname: service::hostname(pod, service),
        node_name: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()),
        target_ref: Some(service::target_ref(pod)),
    })
}

/// Name, number, protocol, application protocol; none for an address without ports.
type PortKey = Option<(String, i32, String, Option<String>)>;

/// A headless Service without ports still shows addresses.
fn ports(service: &Service, pod: &Pod) -> Vec<PortKey> {
    let ports = service::ports(service);
    if ports.is_empty() && service::is_headless(service) {
        return vec![None];
    }
    let resolved = ports.iter().filter_map(|port| {
        let number = service::target_port(pod, port)?;
        let name = port.name.clone().unwrap_or_default();
        Some(Some((name, number, service::protocol(port).to_owned(), port.app_protocol.clone())))
    });
    resolved.collect()
}

fn merge(by_port: BTreeMap<PortKey, Addresses>) -> Vec<EndpointSubset> {
    let mut by_addresses: Vec<(Addresses, BTreeSet<PortKey>)> = Vec::new();
    for (port, addresses) in by_port {
        match by_addresses.iter_mut().find(|(same, _)| *same == addresses) {
            Some((_, ports)) => {
                ports.insert(port);
            }
            None => by_addresses.push((addresses, BTreeSet::from([port]))),
        }
    }
    by_addresses.into_iter().map(|(addresses, ports)| subset(addresses, ports)).collect()
}

fn subset(addresses: Addresses, ports: BTreeSet<PortKey>) -> EndpointSubset {
    let (ready, waiting): (Vec<_>, Vec<_>) = addresses.into_values().partition(|(_, ready)| *ready);
    let bare = |addresses: Vec<(EndpointAddress, bool)>| {
        (!addresses.is_empty()).then(|| addresses.into_iter().map(|(address, _)| address).collect())
    };
    let ports: Vec<EndpointPort> = ports.into_iter().flatten().map(port).collect();
    EndpointSubset {
        addresses: bare(ready),
        not_ready_addresses: bare(waiting),
        ports: (!ports.is_empty()).then_some(ports),
    }
}

fn port((name, port, protocol, app_protocol): (String, i32, String, Option<String>)) -> EndpointPort {
    let name = (!name.is_empty()).then_some(name);
    EndpointPort { name, port, protocol: Some(protocol), app_protocol }
}

/// Cuts the subsets to capacity, in proportion; ready addresses go before others. Says whether it
/// had to.
pub(super) fn truncate(subsets: &mut [EndpointSubset]) -> bool {
    let count = |list: &Option<Vec<EndpointAddress>>| list.as_ref().map_or(0, Vec::len);
    let ready: usize = subsets.iter().map(|subset| count(&subset.addresses)).sum();
    let waiting: usize = subsets.iter().map(|subset| count(&subset.not_ready_addresses)).sum();
    if ready + waiting <= CAPACITY {
        return false;
    }
    cut(subsets.iter_mut().map(|subset| &mut subset.addresses), ready, CAPACITY);
    let room = CAPACITY.saturating_sub(ready);
    cut(subsets.iter_mut().map(|subset| &mut subset.not_ready_addresses), waiting, room);
    true
}

/// Leaves `room` of `total` addresses, each list losing its share; what rounding leaves over goes
/// to the first lists.
fn cut<'a>(lists: impl Iterator<Item = &'a mut Option<Vec<EndpointAddress>>>, total: usize, room: usize) {
    if total <= room {
        return;
    }
    let mut lists: Vec<_> = lists.filter_map(Option::as_mut).collect();
    let mut shares: Vec<usize> = lists.iter().map(|list| list.len() * room / total).collect();
    let mut left = room - shares.iter().sum::<usize>();
    for (list, share) in lists.iter_mut().zip(&mut shares) {
        let extra = left.min(list.len() - *share).min(1);
        *share += extra;
        left -= extra;
        list.truncate(*share);
    }
}
