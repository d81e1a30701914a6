//! What a Service has and needs, read from its `spec`.

use std::net::{IpAddr, Ipv4Addr};

use serde_json::Value;

use super::claim::Claim;
use crate::strategy::format::parse_ip;

/// Whether Services of this type have an address in the cluster.
pub(super) fn has_address(spec: &Value) -> bool {
    matches!(spec["type"].as_str(), Some("ClusterIP" | "NodePort" | "LoadBalancer"))
}

/// Whether Services of this type are reached through ports of nodes.
pub(super) fn has_ports(spec: &Value) -> bool {
    matches!(spec["type"].as_str(), Some("NodePort" | "LoadBalancer"))
}

/// Whether ports without a node port get one.
pub(super) fn wants_ports(spec: &Value) -> bool {
    spec["type"] == "NodePort"
        || (spec["type"] == "LoadBalancer" && spec["allocateLoadBalancerNodePorts"] != false)
}

/// Whether a load balancer asks for the health of its nodes at a port.
pub(super) fn has_health_port(spec: &Value) -> bool {
    spec["type"] == "LoadBalancer" && spec["externalTrafficPolicy"] == "Local"
}

/// The texts of `clusterIPs`, without `None`.
pub(super) fn address_texts(spec: &Value) -> Vec<String> {
    let texts = spec["clusterIPs"].as_array().into_iter().flatten().filter_map(Value::as_str);
    texts.filter(|text| *text != "None").map(str::to_owned).collect()
}

/// The addresses that a Service has.
pub(super) fn addresses(spec: &Value) -> Vec<Ipv4Addr> {
    let parsed = address_texts(spec).into_iter().filter_map(|text| parse_ip(&text));
    let v4 = parsed.filter_map(|ip| match ip {
        IpAddr::V4(ip) => Some(ip),
        IpAddr::V6(_) => None,
    });
    if has_address(spec) { v4.collect() } else { Vec::new() }
}

/// The number of a field, where 0 is none.
pub(super) fn number(fields: &Value, field: &str) -> i64 {
    fields[field].as_i64().unwrap_or(0)
}

/// The node ports that a Service's ports have.
pub(super) fn ports(spec: &Value) -> Vec<u16> {
    let ports = spec["ports"].as_array().into_iter().flatten().map(|port| number(port, "nodePort"));
    let numbers = ports.filter_map(|port| u16::try_from(port).ok()).filter(|port| *port != 0);
    if has_ports(spec) { numbers.collect() } else { Vec::new() }
}

/// The port at which a Service's health is told.
pub(super) fn health_port(spec: &Value) -> Option<u16> {
    let port = u16::try_from(number(spec, "healthCheckNodePort")).ok().filter(|port| *port != 0);
    port.filter(|_| has_health_port(spec))
}

/// All that a Service has, each once.
pub(super) fn claims(spec: &Value) -> Vec<Claim> {
    let addresses = addresses(spec).into_iter().map(Claim::Address);
    let ports = ports(spec).into_iter().chain(health_port(spec)).map(Claim::Port);
    let mut claims: Vec<Claim> = addresses.chain(ports).collect();
    claims.sort_unstable();
    claims.dedup();
    claims
}
