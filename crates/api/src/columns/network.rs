//! Lines of services, endpoints, ingresses and addresses.

use std::collections::BTreeSet;

use serde_json::Value;

use super::cell::{self, NONE, UNKNOWN, UNSET};
use super::{AGE, Head, NAME, SELECTOR, Spec, items};
use crate::gvk::GroupResource;
use crate::meta::{self, Time};

pub(super) const SPECS: &[Spec] = &[
    Spec {
        group: "",
        kind: "Service",
        columns: &[
            NAME,
            Head::text("Type", "How it is reached"),
            Head::text("Cluster-IP", "Its address within the cluster"),
            Head::text("External-IP", "Its addresses from outside"),
            Head::text("Port(s)", "Its ports, with node ports"),
            AGE,
            SELECTOR,
        ],
        cells: service,
    },
    Spec {
        group: "",
        kind: "Endpoints",
        columns: &[NAME, Head::text("Endpoints", "Where its traffic goes"), AGE],
        cells: |o, now| vec![cell::name(o), endpoints(o).into(), cell::age(o, now)],
    },
    Spec {
        group: "discovery.k8s.io",
        kind: "EndpointSlice",
        columns: &[
            NAME,
            Head::text("AddressType", "What its addresses are"),
            Head::text("Ports", "Where its endpoints listen"),
            Head::text("Endpoints", "Their addresses"),
            AGE,
        ],
        cells: endpoint_slice,
    },
    Spec {
        group: "networking.k8s.io",
        kind: "Ingress",
        columns: &[
            NAME,
            Head::text("Class", "Who serves it"),
            Head::text("Hosts", "The hosts it answers for"),
            Head::text("Address", "Where it answers"),
            Head::text("Ports", "The ports it answers on"),
            AGE,
        ],
        cells: ingress,
    },
    Spec {
        group: "networking.k8s.io",
        kind: "IngressClass",
        columns: &[
            NAME,
            Head::text("Controller", "Who serves ingresses of the class"),
            Head::text("Parameters", "Where more is said about it"),
            AGE,
        ],
        cells: ingress_class,
    },
    Spec {
        group: "networking.k8s.io",
        kind: "NetworkPolicy",
        columns: &[NAME, Head::text("Pod-Selector", "Which pods it is for"), AGE],
        cells: |o, now| {
            vec![cell::name(o), cell::selector_or_all(o, "spec.podSelector").into(), cell::age(o, now)]
        },
    },
    Spec {
        group: "networking.k8s.io",
        kind: "IPAddress",
        columns: &[NAME, Head::text("ParentRef", "Whose address it is")],
        cells: |o, _| vec![cell::name(o), parent(o).into()],
    },
    Spec {
        group: "networking.k8s.io",
        kind: "ServiceCIDR",
        columns: &[NAME, Head::text("CIDRs", "The ranges addresses are taken from"), AGE],
        cells: |o, now| vec![cell::name(o), cell::texts(o, "spec.cidrs").join(",").into(), cell::age(o, now)],
    },
];

/// How many addresses or ports are shown before the rest is counted.
const SHOWN_MAX: usize = 3;

fn service(object: &Value, now: Time) -> Vec<Value> {
    let address = cell::texts(object, "spec.clusterIPs").first().copied();
    let ports: Vec<String> = items(object, "spec.ports").iter().map(port).collect();
    vec![
        cell::name(object),
        cell::text(object, "spec.type"),
        address.unwrap_or(NONE).into(),
        external_address(object).into(),
        if ports.is_empty() { NONE.to_owned() } else { ports.join(",") }.into(),
        cell::age(object, now),
        cell::labels(object, "spec.selector").into(),
    ]
}

fn port(port: &Value) -> String {
    let (number, protocol) = (cell::int(port, "port"), meta::text(port, "protocol"));
    match cell::int(port, "nodePort") {
        0 => format!("{number}/{protocol}"),
        node => format!("{number}:{node}/{protocol}"),
    }
}

fn external_address(service: &Value) -> String {
    let given = cell::texts(service, "spec.externalIPs");
    match meta::text(service, "spec.type") {
        "ClusterIP" | "NodePort" if given.is_empty() => NONE.to_owned(),
        "ClusterIP" | "NodePort" => given.join(","),
        "LoadBalancer" => {
            let balanced = balancer(service);
            let all: Vec<&str> = balanced.iter().copied().chain(given).collect();
            if all.is_empty() { "<pending>".to_owned() } else { all.join(",") }
        }
        "ExternalName" => meta::text(service, "spec.externalName").to_owned(),
        _ => UNKNOWN.to_owned(),
    }
}

/// The addresses, or else host names, that a load balancer reports.
fn balancer(object: &Value) -> BTreeSet<&str> {
    let ingress = items(object, "status.loadBalancer.ingress").iter();
    let address = ingress.map(|i| [meta::text(i, "ip"), meta::text(i, "hostname")]);
    address.filter_map(|both| both.into_iter().find(|t| !t.is_empty())).collect()
}

fn endpoints(object: &Value) -> String {
    let mut all = Vec::new();
    for subset in items(object, "subsets") {
        let addresses = || items(subset, "addresses").iter().map(|a| meta::text(a, "ip"));
        match items(subset, "ports") {
            [] => all.extend(addresses().map(str::to_owned)),
            ports => {
                let ports = ports.iter().map(|p| cell::int(p, "port"));
                all.extend(ports.flat_map(|p| addresses().map(move |a| host_port(a, p))));
            }
        }
    }
    cell::some(&all, SHOWN_MAX, ",", NONE)
}

fn host_port(host: &str, port: i64) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

fn endpoint_slice(object: &Value, now: Time) -> Vec<Value> {
    let port = |port: &Value| match (port.get("port"), port.get("name").and_then(Value::as_str)) {
        (Some(Value::Number(number)), _) => number.to_string(),
        (_, Some(name)) => name.to_owned(),
        _ => "*".to_owned(),
    };
    let ports: Vec<String> = items(object, "ports").iter().map(port).collect();
    let addresses = items(object, "endpoints").iter().flat_map(|e| cell::texts(e, "addresses"));
    let addresses: Vec<String> = addresses.map(str::to_owned).collect();
    vec![
        cell::name(object),
        cell::text(object, "addressType"),
        cell::some(&ports, SHOWN_MAX, ",", UNSET).into(),
        cell::some(&addresses, SHOWN_MAX, ",", UNSET).into(),
        cell::age(object, now),
    ]
}

fn ingress(object: &Value, now: Time) -> Vec<Value> {
    let ports = if items(object, "spec.tls").is_empty() { "80" } else { "80, 443" };
    vec![
        cell::name(object),
        cell::text_or(object, "spec.ingressClassName", NONE),
        hosts(items(object, "spec.rules")).into(),
        balancer(object).into_iter().collect::<Vec<_>>().join(",").into(),
        ports.into(),
        cell::age(object, now),
    ]
}

/// The first hosts of the rules; what is left out counts rules, with or without a host.
fn hosts(rules: &[Value]) -> String {
    let named: Vec<(usize, &str)> =
        rules.iter().map(|r| meta::text(r, "host")).enumerate().filter(|(_, h)| !h.is_empty()).collect();
    let shown: Vec<&str> = named.iter().take(SHOWN_MAX).map(|(_, h)| *h).collect();
    let full = named.get(SHOWN_MAX - 1).is_some_and(|(last, _)| last + 1 < rules.len());
    match shown.as_slice() {
        [] => "*".to_owned(),
        _ if full => format!("{} + {} more...", shown.join(","), rules.len() - SHOWN_MAX),
        _ => shown.join(","),
    }
}

fn ingress_class(object: &Value, now: Time) -> Vec<Value> {
    let parameters = meta::at(object, "spec.parameters").map_or_else(
        || NONE.to_owned(),
        |p| {
            let group = p.get("apiGroup").and_then(Value::as_str).map_or(String::new(), |g| format!(".{g}"));
            format!("{}{group}/{}", meta::text(p, "kind"), meta::text(p, "name"))
        },
    );
    vec![cell::name(object), cell::text(object, "spec.controller"), parameters.into(), cell::age(object, now)]
}

fn parent(object: &Value) -> String {
    let Some(parent) = meta::at(object, "spec.parentRef") else { return NONE.to_owned() };
    let part = |field| meta::text(parent, field).to_owned();
    let resource = GroupResource::new(part("group"), part("resource")).to_string().to_lowercase();
    match part("namespace").as_str() {
        "" => format!("{resource}/{}", part("name")),
        namespace => format!("{resource}/{namespace}/{}", part("name")),
    }
}
