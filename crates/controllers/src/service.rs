//! What the endpoint controllers want to know of a Service and of a pod behind it.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Container, ObjectReference, Pod, Service, ServicePort};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use k8s_openapi::jiff::Timestamp;

use crate::informer::{Change, Informer, Key};
use crate::pod;
use crate::queue::Queue;

/// The label that says that a Service has no cluster IP.
pub(crate) const HEADLESS: &str = "service.kubernetes.io/headless";

/// When what the endpoints show began to be true, RFC 3339.
pub(crate) const TRIGGER_TIME: &str = "endpoints.kubernetes.io/last-change-trigger-time";

/// The family of an IP address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Family {
    V4,
    V6,
}

impl Family {
    /// The family of an address in text; none where it is no address.
    pub(crate) fn of(address: &str) -> Option<Self> {
        match address.parse().ok()? {
            std::net::IpAddr::V4(_) => Some(Self::V4),
            std::net::IpAddr::V6(_) => Some(Self::V6),
        }
    }

    /// As Services and EndpointSlices write it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        }
    }
}

/// The selector, where the Service has one and receives endpoints by it.
pub(crate) fn selector(service: &Service) -> Option<&BTreeMap<String, String>> {
    let spec = service.spec.as_ref()?;
    if spec.type_.as_deref() == Some("ExternalName") {
        return None;
    }
    spec.selector.as_ref().filter(|selector| !selector.is_empty())
}

/// Whether the Service selects this pod, which is taken to be of its namespace.
pub(crate) fn selects(service: &Service, pod: &Pod) -> bool {
    let labels = pod.metadata.labels.as_ref();
    let has = |(key, value): (&String, &String)| labels.and_then(|labels| labels.get(key)) == Some(value);
    selector(service).is_some_and(|selector| selector.iter().all(has))
}

pub(crate) fn is_headless(service: &Service) -> bool {
    service.spec.as_ref().and_then(|spec| spec.cluster_ip.as_deref()) == Some("None")
}

pub(crate) fn publishes_unready(service: &Service) -> bool {
    service.spec.as_ref().and_then(|spec| spec.publish_not_ready_addresses) == Some(true)
}

pub(crate) fn ports(service: &Service) -> &[ServicePort] {
    service.spec.as_ref().and_then(|spec| spec.ports.as_deref()).unwrap_or_default()
}

/// The families the Service serves, the first one first.
pub(crate) fn families(service: &Service) -> Vec<Family> {
    let spec = service.spec.as_ref();
    let named = spec.and_then(|spec| spec.ip_families.as_deref()).unwrap_or_default();
    let families: Vec<Family> =
        named.iter().map(|name| if name == "IPv6" { Family::V6 } else { Family::V4 }).collect();
    if !families.is_empty() {
        return families;
    }
    let address = spec.and_then(|spec| spec.cluster_ip.as_deref()).unwrap_or_default();
    vec![Family::of(address).unwrap_or(Family::V4)]
}

/// The pod's addresses of one family.
pub(crate) fn addresses(pod: &Pod, family: Family) -> Vec<String> {
    let of_family = |ip: &&String| Family::of(ip) == Some(family);
    let Some(status) = pod.status.as_ref() else { return Vec::new() };
    let all: Vec<&String> = status.pod_ips.iter().flatten().map(|ip| &ip.ip).collect();
    let all = if all.is_empty() { status.pod_ip.iter().collect() } else { all };
    all.into_iter().filter(of_family).cloned().collect()
}

/// Whether the pod has an address and may receive traffic, or is about to stop receiving it.
pub(crate) fn has_endpoint(pod: &Pod) -> bool {
    let status = pod.status.as_ref();
    let addressed = status.is_some_and(|status| {
        status.pod_ip.as_ref().is_some_and(|ip| !ip.is_empty())
            || status.pod_ips.as_ref().is_some_and(|ips| !ips.is_empty())
    });
    addressed && !pod::is_finished(pod)
}

/// The pod's port behind a Service's port; none where the pod has no port of that name.
pub(crate) fn target_port(pod: &Pod, port: &ServicePort) -> Option<i32> {
    match &port.target_port {
        None | Some(IntOrString::Int(0)) => Some(port.port),
        Some(IntOrString::Int(number)) => Some(*number),
        Some(IntOrString::String(name)) if name.is_empty() => Some(port.port),
        Some(IntOrString::String(name)) => named_port(pod, name, protocol(port)),
    }
}

/// The protocol of a port, TCP where it says none.
pub(crate) fn protocol(port: &ServicePort) -> &str {
    port.protocol.as_deref().unwrap_or("TCP")
}

fn named_port(pod: &Pod, name: &str, protocol: &str) -> Option<i32> {
    let spec = pod.spec.as_ref()?;
    let sidecar = |container: &&Container| container.restart_policy.as_deref() == Some("Always");
    let sidecars = spec.init_containers.iter().flatten().filter(sidecar);
    let mut ports =
        spec.containers.iter().chain(sidecars).flat_map(|container| container.ports.iter().flatten());
    let wanted = ports.find(|port| {
        port.name.as_deref() == Some(name) && port.protocol.as_deref().unwrap_or("TCP") == protocol
    });
    wanted.map(|port| port.container_port)
}

/// The host name that DNS gives the pod below the Service's name.
pub(crate) fn hostname(pod: &Pod, service: &Service) -> Option<String> {
    let spec = pod.spec.as_ref()?;
    let below = spec.subdomain.is_some() && spec.subdomain == service.metadata.name;
    spec.hostname.clone().filter(|hostname| below && !hostname.is_empty())
}

/// How endpoints refer to their pod.
pub(crate) fn target_ref(pod: &Pod) -> ObjectReference {
    ObjectReference {
        kind: Some("Pod".into()),
        namespace: pod.metadata.namespace.clone(),
        name: pod.metadata.name.clone(),
        uid: pod.metadata.uid.clone(),
        ..ObjectReference::default()
    }
}

/// When the earliest of the changes happened: the moment each pod became ready, and the Service's
/// creation where `first` says that it has no endpoints yet.
pub(crate) fn trigger_time<'a>(
    service: &Service,
    changed: impl IntoIterator<Item = &'a Pod>,
    first: bool,
) -> Option<Timestamp> {
    let created = service.metadata.creation_timestamp.as_ref().filter(|_| first).map(|time| time.0);
    changed.into_iter().filter_map(pod::ready_since).chain(created).min()
}

/// The Service's labels for its endpoints: its own, and whether it is headless.
pub(crate) fn labels(service: &Service) -> BTreeMap<String, String> {
    let mut labels = service.metadata.labels.clone().unwrap_or_default();
    labels.remove(HEADLESS);
    if is_headless(service) {
        labels.insert(HEADLESS.into(), String::new());
    }
    labels
}

/// The pods of the Service's namespace that it selects.
pub(crate) fn selected(service: &Service, pods: &Informer<Pod>) -> Vec<Arc<Pod>> {
    let namespace = service.metadata.namespace.as_deref().unwrap_or_default();
    let mut pods = pods.in_namespace(namespace);
    pods.retain(|pod| selects(service, pod));
    pods
}

/// Wakes the Services themselves and those that select a pod, before or after its change.
pub(crate) fn subscribe(queue: &Queue<Key>, services: &Informer<Service>, pods: &Informer<Pod>) {
    let keys = queue.clone();
    services.subscribe(move |change| keys.add(change.last().map(Key::of).unwrap_or_default()));
    let (keys, services) = (queue.clone(), services.clone());
    pods.subscribe(move |change| {
        if matters(change) {
            change.both().flat_map(|pod| selecting(pod, &services)).for_each(|key| keys.add(key));
        }
    });
}

/// The Services that select a pod.
pub(crate) fn selecting(pod: &Pod, services: &Informer<Service>) -> Vec<Key> {
    let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
    let services = services.in_namespace(namespace);
    services.iter().filter(|service| selects(service, pod)).map(|service| Key::of(&**service)).collect()
}

/// Whether a change of a pod can change any endpoints.
fn matters(change: Change<'_, Pod>) -> bool {
    let (Some(old), Some(new)) = (change.old, change.new) else { return true };
    fn aspects(pod: &Pod) -> impl PartialEq {
        let (spec, status) = (pod.spec.clone().unwrap_or_default(), pod.status.as_ref());
        (
            (
                pod.metadata.uid.clone(),
                pod.metadata.labels.clone(),
                pod.metadata.deletion_timestamp.is_some(),
            ),
            (spec.node_name, spec.hostname, spec.subdomain),
            (pod::is_finished(pod), pod::is_ready(pod)),
            status.map(|status| (status.pod_ip.clone(), status.pod_ips.clone())),
        )
    }
    aspects(old) != aspects(new)
}
