//! What must be right about Services.

use api::meta::name;

use super::address::{self, is_headless};
use super::{is_external, needs_health_port};
use crate::strategy::field::{Faults, Field};
use crate::strategy::format;
use crate::strategy::metadata::{self, Meta, Scope};
use crate::strategy::pod::probe;
use crate::strategy::tree::Fields;

const META: Meta = Meta { scope: Scope::Namespaced, name: name::dns1035_label };
const ONLY_BALANCED: &str = "may only be used when `type` is 'LoadBalancer'";

/// Finds what is wrong with a Service.
pub(super) fn check(service: &Field<'_>, faults: &mut Faults) {
    META.check(service, faults);
    check_topology(&service.at("metadata.annotations"), faults);
    let spec = service.at("spec");
    let kind = spec.at("type");
    let ports = spec.at("ports");
    if ports.is_empty() && !is_headless(&spec) && kind.text() != "ExternalName" {
        faults.required(&ports, "");
    }
    check_type(&spec, kind.text(), faults);
    check_ports(&ports, faults);
    metadata::labels(&spec.at("selector"), faults);
    check_affinity(&spec, faults);
    address::check(&spec, faults);
    for ip in spec.at("externalIPs").items() {
        let messages = format::ip(ip.text());
        let good = messages.is_empty();
        faults.each(&ip, ip.text(), messages);
        if good {
            faults.each(&ip, ip.text(), format::non_special_ip(ip.text()));
        }
    }
    faults.one_of(&kind, &["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"]);
    check_port_numbers(&ports, kind.text(), faults);
    check_balancer(service, &spec, faults);
    check_policies(&spec, faults);
    address::check_cluster(&spec, faults);
}

fn check_topology(annotations: &Field<'_>, faults: &mut Faults) {
    const HINTS: &str = "service.kubernetes.io/topology-aware-hints";
    let (mode, hints) = (annotations.key("service.kubernetes.io/topology-mode"), annotations.key(HINTS));
    if mode.is_set() && hints.is_set() && mode.text() != hints.text() {
        faults.wrong_text(&mode, format!("must match annotations[{HINTS}] when both are specified"));
    }
}

fn check_type(spec: &Field<'_>, kind: &str, faults: &mut Faults) {
    match kind {
        "LoadBalancer" | "NodePort" if is_headless(spec) => {
            let ips = spec.at("clusterIPs");
            faults.wrong_text(&ips.index(0), format!("may not be set to 'None' for {kind} services"));
        }
        "ExternalName" => {
            for field in ["clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
                if !spec.at(field).is_empty() {
                    faults.forbidden(&spec.at(field), "may not be set for ExternalName services");
                }
            }
            let external = spec.at("externalName");
            let domain = external.text().strip_suffix('.').unwrap_or(external.text());
            if domain.is_empty() {
                faults.required(&external, "");
            } else {
                faults.each(&external, domain, name::dns1123_subdomain(domain));
            }
        }
        _ => {}
    }
}

fn check_ports(ports: &Field<'_>, faults: &mut Faults) {
    let named = ports.list().len() > 1;
    let mut names: Vec<String> = Vec::new();
    for port in ports.items() {
        let name = port.at("name");
        if named && name.text().is_empty() {
            faults.required(&name, "");
        } else if !name.text().is_empty() {
            faults.each(&name, name.text(), name::dns1123_label(name.text()));
            if names.iter().any(|taken| taken == name.text()) {
                faults.duplicate(&name, name.text());
            }
            names.push(name.text().to_owned());
        }
        let number = port.at("port");
        faults.each_number(&number, format::port_number(number.number().unwrap_or(0)));
        faults.one_of(&port.at("protocol"), &["SCTP", "TCP", "UDP"]);
        probe::port(&port.at("targetPort"), faults);
        let protocol = port.at("appProtocol");
        if protocol.is_set() {
            faults.each(&protocol, protocol.text(), name::qualified_name(protocol.text()));
        }
    }
}

fn check_affinity(spec: &Field<'_>, faults: &mut Faults) {
    const WHEN: &str = "when session affinity type is ClientIP";
    const DAY_SECONDS: i64 = 86_400;
    let (affinity, config) = (spec.at("sessionAffinity"), spec.at("sessionAffinityConfig"));
    faults.one_of(&affinity, &["ClientIP", "None"]);
    match affinity.text() {
        "None" if config.is_set() => {
            faults.forbidden(&config, "must not be set when session affinity is None");
        }
        "ClientIP" => {
            let (client, timeout) = (config.at("clientIP"), config.at("clientIP.timeoutSeconds"));
            if let Some(missing) = [&config, &client, &timeout].into_iter().find(|at| !at.is_set()) {
                faults.required(missing, WHEN);
            } else if !(1..=DAY_SECONDS).contains(&timeout.number().unwrap_or(0)) {
                faults.wrong(&timeout, format!("must be greater than 0 and less than {DAY_SECONDS}"));
            }
        }
        _ => {}
    }
}

fn check_port_numbers(ports: &Field<'_>, kind: &str, faults: &mut Faults) {
    for port in ports.items().filter(|port| kind == "ClusterIP" && port.number_at("nodePort") != 0) {
        faults.forbidden(&port.at("nodePort"), "may not be used when `type` is 'ClusterIP'");
    }
    let (mut node_ports, mut numbers): (Vec<_>, Vec<_>) = (Vec::new(), Vec::new());
    for port in ports.items() {
        let number = port.number_at("nodePort");
        let key = (port.text_at("protocol").to_owned(), number);
        if number != 0 && node_ports.contains(&key) {
            faults.duplicate(&port.at("nodePort"), number);
        }
        node_ports.push(key);
    }
    for port in ports.items() {
        let key = (port.text_at("protocol").to_owned(), port.number_at("port"));
        if numbers.contains(&key) {
            let shown = serde_json::json!({"protocol": key.0, "port": key.1});
            faults.duplicate(&port, shown);
        }
        numbers.push(key);
    }
}

fn check_balancer(service: &Field<'_>, spec: &Field<'_>, faults: &mut Faults) {
    const RANGES: &str = "service.beta.kubernetes.io/load-balancer-source-ranges";
    let balanced = spec.text_at("type") == "LoadBalancer";
    let ranges = spec.at("loadBalancerSourceRanges");
    let shown = ranges.named("LoadBalancerSourceRanges");
    let annotation = service.at("metadata.annotations");
    let annotated = annotation.key(RANGES);
    if !ranges.is_empty() {
        if !balanced {
            faults.forbidden(&shown, ONLY_BALANCED);
        }
        for range in shown.items() {
            faults.each(&range, range.text().trim(), format::cidr(range.text().trim()));
        }
    } else if annotated.is_set() {
        if !balanced {
            faults.forbidden(&annotated, ONLY_BALANCED);
        }
        let ranges = annotated.text().trim();
        for range in ranges.split(',').map(str::trim).filter(|_| !ranges.is_empty()) {
            faults.each(&annotated, range, format::cidr(range));
        }
    }
    let allocate = spec.at("allocateLoadBalancerNodePorts");
    if allocate.is_set() && !balanced {
        faults.forbidden(&allocate, ONLY_BALANCED);
    } else if balanced && !allocate.is_set() {
        faults.required(&service.at("allocateLoadBalancerNodePorts"), "");
    }
    check_class(spec, faults);
}

fn check_class(spec: &Field<'_>, faults: &mut Faults) {
    let class = spec.at("loadBalancerClass");
    if !class.is_set() {
        return;
    }
    if spec.text_at("type") == "LoadBalancer" {
        faults.each(&class, class.text(), name::qualified_name(class.text()));
    } else {
        faults.forbidden(&class, ONLY_BALANCED);
    }
}

fn check_policies(spec: &Field<'_>, faults: &mut Faults) {
    let empty = Fields::new();
    let fields = spec.map().unwrap_or(&empty);
    let external = spec.at("externalTrafficPolicy");
    if is_external(fields) {
        faults.one_of(&external, &["Cluster", "Local"]);
    } else if !external.text().is_empty() {
        faults.wrong_text(&external, "may only be set for externally-accessible services");
    }
    let health = spec.at("healthCheckNodePort");
    match (needs_health_port(fields), health.number().unwrap_or(0)) {
        (false, 0) => {}
        (false, port) => {
            let detail =
                "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
            faults.invalid(&health, port, detail);
        }
        (true, 0) => faults.required(&health, ""),
        (true, port) => faults.each_number(&health, format::port_number(port)),
    }
    let internal = spec.at("internalTrafficPolicy");
    if !internal.is_set() && matches!(spec.text_at("type"), "NodePort" | "LoadBalancer" | "ClusterIP") {
        faults.required(&internal, "");
    }
    faults.optional_one_of(&internal, &["Cluster", "Local"]);
    let distribution = spec.at("trafficDistribution");
    faults.optional_one_of(&distribution, &["PreferClose", "PreferSameNode", "PreferSameZone"]);
}

/// Finds what is wrong with a change of a Service.
pub(super) fn check_update(new: &Field<'_>, old: &Field<'_>, faults: &mut Faults) {
    metadata::check_update(new, old, faults);
    let (spec, before) = (new.at("spec"), old.at("spec"));
    address::check_update(&spec, &before, faults);
    let class = spec.at("loadBalancerClass");
    let balanced = |spec: &Field<'_>| spec.text_at("type") == "LoadBalancer";
    if balanced(&spec) && balanced(&before) && class.value() != before.at("loadBalancerClass").value() {
        faults.wrong(&class, "may not change once set");
    }
    check_class(&spec, faults);
    let empty = Fields::new();
    let needs_port = |spec: &Field<'_>| needs_health_port(spec.map().unwrap_or(&empty));
    let health = spec.at("healthCheckNodePort");
    if needs_port(&spec) && needs_port(&before) && health.value() != before.at("healthCheckNodePort").value()
    {
        faults.forbidden(&health, "field is immutable");
    }
    check(new, faults);
}

/// Finds what is wrong with a change of a Service's status.
pub(super) fn check_status(new: &Field<'_>, old: &Field<'_>, faults: &mut Faults) {
    metadata::check_update(new, old, faults);
    let ingresses = new.at("status.loadBalancer.ingress");
    if new.text_at("spec.type") != "LoadBalancer" && !ingresses.is_empty() {
        return faults.forbidden(&ingresses, "may only be used when `spec.type` is 'LoadBalancer'");
    }
    for ingress in ingresses.items() {
        let (ip, mode, host) = (ingress.at("ip"), ingress.at("ipMode"), ingress.at("hostname"));
        if !ip.text().is_empty() {
            faults.each(&ip, ip.text(), format::ip(ip.text()));
        }
        if !mode.is_set() {
            if !ip.text().is_empty() {
                faults.required(&mode, "must be specified when `ip` is set");
            }
        } else if ip.text().is_empty() {
            faults.forbidden(&mode, "may not be specified when `ip` is not set");
        } else {
            faults.optional_one_of(&mode, &["Proxy", "VIP"]);
        }
        check_host(&host, faults);
    }
}

/// Finds what is wrong with the host name of a load balancer.
pub(crate) fn check_host(host: &Field<'_>, faults: &mut Faults) {
    if host.text().is_empty() {
        return;
    }
    faults.each(host, host.text(), name::dns1123_subdomain(host.text()));
    if format::parse_ip(host.text()).is_some() {
        faults.wrong_text(host, "must be a DNS name, not an IP address");
    }
}
