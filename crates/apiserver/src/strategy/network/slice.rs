//! EndpointSlices.

use api::meta::name;
use serde_json::Value;

use crate::strategy::field::{Faults, Field};
use crate::strategy::metadata::{self, Meta};
use crate::strategy::tree::{each, fill, same};
use crate::strategy::{Generation, Strategy, format};

pub(super) const ROW: Strategy = Strategy {
    group: "discovery.k8s.io",
    kind: "EndpointSlice",
    generation: Generation::OfContent,
    default,
    validate: |slice, faults| {
        check(slice, faults);
        check_endpoints(slice, faults);
    },
    validate_update: |new, old, faults| {
        check(new, faults);
        if !same(new.at("endpoints").value(), old.at("endpoints").value()) {
            check_endpoints(new, faults);
        }
        let kind = new.at("addressType");
        if kind.text() != old.text_at("addressType") {
            faults.wrong_text(&kind, "field is immutable");
        }
    },
    ..Strategy::DEFAULT
};

fn default(slice: &mut Value) {
    for port in slice.as_object_mut().into_iter().flat_map(|fields| each(fields, "ports")) {
        fill(port, "name", "");
        fill(port, "protocol", "TCP");
    }
}

fn check(slice: &Field<'_>, faults: &mut Faults) {
    const MAX_PORTS: usize = 20_000;
    Meta::NAMESPACED.check(slice, faults);
    faults.one_of(&slice.at("addressType"), &["FQDN", "IPv4", "IPv6"]);
    let ports = slice.at("ports");
    if ports.list().len() > MAX_PORTS {
        return faults.too_many(&ports, ports.list().len(), MAX_PORTS);
    }
    let mut names: Vec<String> = Vec::new();
    for port in ports.items() {
        let (name, number, protocol, app) =
            (port.at("name"), port.at("port"), port.at("protocol"), port.at("appProtocol"));
        if !name.text().is_empty() {
            faults.each(&name, name.text(), name::dns1123_label(name.text()));
        }
        if names.iter().any(|taken| taken == name.text()) {
            faults.duplicate(&name, name.text());
        }
        names.push(name.text().to_owned());
        if let Some(value) = number.number() {
            faults.each_number(&number, format::port_number(value));
        }
        faults.one_of(&protocol, &["SCTP", "TCP", "UDP"]);
        if app.is_set() {
            faults.each(&app, app.text(), name::qualified_name(app.text()));
        }
    }
}

fn check_endpoints(slice: &Field<'_>, faults: &mut Faults) {
    const MAX_ENDPOINTS: usize = 1000;
    const MAX_ADDRESSES: usize = 100;
    let endpoints = slice.at("endpoints");
    if endpoints.list().len() > MAX_ENDPOINTS {
        return faults.too_many(&endpoints, endpoints.list().len(), MAX_ENDPOINTS);
    }
    for endpoint in endpoints.items() {
        let addresses = endpoint.at("addresses");
        match addresses.list().len() {
            0 => faults.required(&addresses, "must contain at least 1 address"),
            count if count > MAX_ADDRESSES => faults.too_many(&addresses, count, MAX_ADDRESSES),
            _ => {}
        }
        for address in addresses.items() {
            check_address(&address, slice.text_at("addressType"), faults);
        }
        let (node, host) = (endpoint.at("nodeName"), endpoint.at("hostname"));
        if node.is_set() {
            faults.each(&node, node.text(), name::dns1123_subdomain(node.text()));
        }
        let topology = endpoint.at("deprecatedTopology");
        let count = topology.map().map_or(0, serde_json::Map::len);
        if count > 16 {
            faults.too_many(&topology, count, 16);
        }
        metadata::labels(&topology, faults);
        if host.is_set() {
            faults.each(&host, host.text(), name::dns1123_label(host.text()));
        }
        check_hints(&endpoint.at("hints"), faults);
    }
}

fn check_address(address: &Field<'_>, kind: &str, faults: &mut Faults) {
    let text = address.text();
    let ip = format::parse_ip(text);
    match kind {
        "IPv4" if !ip.is_some_and(|ip| ip.is_ipv4()) => {
            faults.wrong_text(address, "must be a valid IPv4 address");
        }
        "IPv6" if !ip.is_some_and(|ip| ip.is_ipv6()) => {
            faults.wrong_text(address, "must be a valid IPv6 address");
        }
        "FQDN" => {
            if text.is_empty() {
                faults.required(address, "");
            }
            for (part, fault) in format::fully_qualified_domain(text).into_iter().filter(|_| !text.is_empty())
            {
                faults.invalid(address, part, fault);
            }
        }
        _ => {}
    }
    if matches!(kind, "IPv4" | "IPv6") {
        faults.each(address, text, format::non_special_ip(text));
    }
}

fn check_hints(hints: &Field<'_>, faults: &mut Faults) {
    for list in ["forZones", "forNodes"] {
        let places = hints.at(list);
        if places.list().len() > 8 {
            faults.too_many(&places, places.list().len(), 8);
            continue;
        }
        let mut names: Vec<String> = Vec::new();
        for place in places.items() {
            let name = place.at("name");
            if names.iter().any(|taken| taken == name.text()) {
                faults.duplicate(&name, name.text());
            }
            names.push(name.text().to_owned());
            let messages = match list {
                "forZones" => name::label_value(name.text()),
                _ => name::dns1123_subdomain(name.text()),
            };
            faults.each(&name, name.text(), messages);
        }
    }
}
