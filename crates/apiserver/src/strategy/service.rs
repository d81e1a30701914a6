//! Services.
//!
//! What an allocator must give (addresses, node ports) is given between preparation and validation, by the
//! registry. Sources: `pkg/apis/core/validation`, `pkg/registry/core/service` of Kubernetes 1.36.

mod address;
mod prepare;
mod rules;

use serde_json::{Value, json};

use super::Strategy;
use super::tree::{self, Fields, each, fill, fill_zero, inner, is_unset, text};

pub(crate) use rules::check_host;

/// The rows of Services.
pub(super) static ROWS: &[Strategy] = &[Strategy {
    kind: "Service",
    default,
    prepare_create: prepare::create,
    prepare_update: prepare::update,
    validate: rules::check,
    validate_update: rules::check_update,
    validate_status: rules::check_status,
    ..Strategy::DEFAULT
}];

fn default(service: &mut Value) {
    let Some(fields) = service.as_object_mut() else { return };
    if let Some(spec) = inner(fields, "spec") {
        default_spec(spec);
    }
    let balanced = fields.get("spec").and_then(|spec| spec["type"].as_str()) == Some("LoadBalancer");
    let Some(balancer) = tree::make(fields, "status").and_then(|status| tree::make(status, "loadBalancer"))
    else {
        return;
    };
    for ingress in each(balancer, "ingress").filter(|ingress| balanced && !text(ingress, "ip").is_empty()) {
        fill(ingress, "ipMode", "VIP");
    }
}

fn default_spec(spec: &mut Fields) {
    fill_zero(spec, "sessionAffinity", "None");
    match text(spec, "sessionAffinity") {
        "None" => {
            spec.remove("sessionAffinityConfig");
        }
        "ClientIP" => {
            let timeout =
                &spec.get("sessionAffinityConfig").cloned().unwrap_or_default()["clientIP"]["timeoutSeconds"];
            if timeout.is_null() {
                spec.insert("sessionAffinityConfig".into(), json!({"clientIP": {"timeoutSeconds": 10800}}));
            }
        }
        _ => {}
    }
    fill_zero(spec, "type", "ClusterIP");
    for port in each(spec, "ports") {
        fill_zero(port, "protocol", "TCP");
        if let Some(number) = port.get("port").cloned() {
            fill_zero(port, "targetPort", number);
        }
    }
    if is_external(spec) {
        fill_zero(spec, "externalTrafficPolicy", "Cluster");
    }
    if matches!(text(spec, "type"), "ClusterIP" | "NodePort" | "LoadBalancer") {
        fill(spec, "internalTrafficPolicy", "Cluster");
    }
    if text(spec, "type") == "LoadBalancer" {
        fill(spec, "allocateLoadBalancerNodePorts", true);
    }
}

/// Whether the Service can be reached from outside of the cluster.
fn is_external(spec: &Fields) -> bool {
    let kind = text(spec, "type");
    let addresses = spec.get("externalIPs").and_then(Value::as_array).is_some_and(|ips| !ips.is_empty());
    matches!(kind, "NodePort" | "LoadBalancer") || (kind == "ClusterIP" && addresses)
}

/// Whether the Service has, or will have, an address of its own in the cluster.
fn needs_cluster_ip(spec: &Fields) -> bool {
    matches!(text(spec, "type"), "ClusterIP" | "NodePort" | "LoadBalancer")
}

fn needs_node_ports(spec: &Fields) -> bool {
    let kind = text(spec, "type");
    let wanted = is_unset(spec, "allocateLoadBalancerNodePorts")
        || spec.get("allocateLoadBalancerNodePorts") == Some(&Value::Bool(true));
    kind == "NodePort" || (kind == "LoadBalancer" && wanted)
}

fn needs_health_port(spec: &Fields) -> bool {
    text(spec, "type") == "LoadBalancer" && text(spec, "externalTrafficPolicy") == "Local"
}
