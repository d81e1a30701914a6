//! What Services keep over an update, and what follows from their type.

use serde_json::{Value, json};

use super::{is_external, needs_cluster_ip, needs_health_port, needs_node_ports};
use crate::strategy::tree::{self, Fields, each, fill, is_unset, is_zero, text};
use crate::strategy::{format, keep_status};

pub(super) fn create(service: &mut Value) {
    if let Some(fields) = service.as_object_mut() {
        fields.insert("status".into(), json!({"loadBalancer": {}}));
    }
    if let Some(spec) = tree::fields_at(service, "spec") {
        if !text(spec, "clusterIP").is_empty() && is_zero(spec, "clusterIPs") {
            let ip = spec["clusterIP"].clone();
            spec.insert("clusterIPs".into(), json!([ip]));
        }
        default_families(spec);
    }
}

/// The address families of a cluster that has IPv4 alone.
fn default_families(spec: &mut Fields) {
    if text(spec, "type") == "ExternalName" {
        return;
    }
    let first = spec.get("clusterIPs").and_then(|ips| ips.get(0)?.as_str()).unwrap_or("").to_owned();
    if first == "None" && is_zero(spec, "selector") {
        fill(spec, "ipFamilyPolicy", "RequireDualStack");
        let single = text(spec, "ipFamilyPolicy") == "SingleStack";
        if is_zero(spec, "ipFamilies") {
            spec.insert("ipFamilies".into(), if single { json!(["IPv4"]) } else { json!(["IPv4", "IPv6"]) });
        }
        return;
    }
    fill(spec, "ipFamilyPolicy", "SingleStack");
    if is_zero(spec, "ipFamilies") {
        let v6 = format::parse_ip(&first).is_some_and(|ip| ip.is_ipv6());
        spec.insert("ipFamilies".into(), if v6 { json!(["IPv6"]) } else { json!(["IPv4"]) });
    }
}

pub(super) fn update(new: &mut Value, old: &Value) {
    keep_status(new, old);
    let Some(old) = old.get("spec").and_then(Value::as_object) else { return };
    let Some(new) = tree::fields_at(new, "spec") else { return };
    keep_allocated(new, old);
    sync_addresses(new, old);
    drop_outdated(new, old);
    default_families(new);
}

/// What was allocated stays where a client left it out.
fn keep_allocated(new: &mut Fields, old: &Fields) {
    if needs_cluster_ip(old) && needs_cluster_ip(new) {
        if is_zero(new, "clusterIP") {
            copy(new, old, "clusterIP");
        }
        if is_zero(new, "clusterIPs") && text(new, "clusterIP") == text(old, "clusterIP") {
            copy(new, old, "clusterIPs");
        }
        for field in ["ipFamilies", "ipFamilyPolicy"] {
            if is_zero(new, field) {
                copy(new, old, field);
            }
        }
    }
    if needs_node_ports(old) && needs_node_ports(new) {
        let key = |port: &Fields| (text(port, "protocol").to_owned(), port.get("port").cloned());
        let before = old.get("ports").and_then(Value::as_array);
        let before: Vec<&Fields> = before.into_iter().flatten().filter_map(Value::as_object).collect();
        let given: Vec<Value> = each(new, "ports").filter_map(|port| port.get("nodePort").cloned()).collect();
        for port in each(new, "ports").filter(|port| is_zero(port, "nodePort")) {
            let node_port =
                before.iter().find(|old| key(old) == key(port)).and_then(|old| old.get("nodePort"));
            if let Some(node_port) = node_port.filter(|port| !given.contains(port)) {
                port.insert("nodePort".into(), node_port.clone());
            }
        }
    }
    if needs_health_port(old) && needs_health_port(new) && is_zero(new, "healthCheckNodePort") {
        copy(new, old, "healthCheckNodePort");
    }
}

fn copy(new: &mut Fields, old: &Fields, field: &str) {
    if let Some(value) = old.get(field) {
        new.insert(field.to_owned(), value.clone());
    }
}

/// A client may manage `clusterIP` or `clusterIPs` and leave the other alone.
fn sync_addresses(new: &mut Fields, old: &Fields) {
    let same_list = new.get("clusterIPs") == old.get("clusterIPs");
    let (now, before) = (text(new, "clusterIP").to_owned(), text(old, "clusterIP"));
    if now == before || !same_list && !is_zero(new, "clusterIPs") {
        if is_zero(new, "clusterIPs") && !now.is_empty() {
            new.insert("clusterIPs".into(), json!([now]));
        }
        return;
    }
    if now.is_empty() {
        new.remove("clusterIPs");
    } else {
        let rest = new.get("clusterIPs").and_then(Value::as_array).cloned().unwrap_or_default();
        let list: Vec<Value> = std::iter::once(now.into()).chain(rest.into_iter().skip(1)).collect();
        new.insert("clusterIPs".into(), list.into());
    }
}

/// What belonged to the old type goes with it, unless a client has changed it.
fn drop_outdated(new: &mut Fields, old: &Fields) {
    let unchanged = |new: &Fields, field: &str| new.get(field) == old.get(field);
    if needs_cluster_ip(old) && !needs_cluster_ip(new) && unchanged(new, "clusterIPs") {
        for field in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
            new.remove(field);
        }
    }
    if needs_node_ports(old) && !needs_node_ports(new) {
        let before = old.get("ports").and_then(Value::as_array).into_iter().flatten();
        let before: Vec<Value> = before.map(|port| port["nodePort"].clone()).collect();
        for port in each(new, "ports") {
            if port.get("nodePort").is_some_and(|port| before.contains(port)) {
                port.remove("nodePort");
            }
        }
    }
    let by_rule: [(&str, Applies); 5] = [
        ("healthCheckNodePort", needs_health_port),
        ("loadBalancerClass", is_balanced),
        ("allocateLoadBalancerNodePorts", is_balanced),
        ("externalTrafficPolicy", is_external),
        ("externalName", |spec| text(spec, "type") == "ExternalName"),
    ];
    for (field, applies) in by_rule {
        if applies(old) && !applies(new) && !is_unset(new, field) && unchanged(new, field) {
            new.remove(field);
        }
    }
}

/// Whether a field means something to a Service.
type Applies = fn(&Fields) -> bool;

fn is_balanced(spec: &Fields) -> bool {
    text(spec, "type") == "LoadBalancer"
}
