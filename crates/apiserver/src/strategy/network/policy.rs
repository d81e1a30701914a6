//! NetworkPolicies.

use std::net::IpAddr;

use serde_json::{Value, json};

use crate::strategy::field::{Faults, Field};
use crate::strategy::metadata::{self, Meta};
use crate::strategy::tree::{each, fields_at, fill, is_zero};
use crate::strategy::{Generation, Strategy, format};

pub(super) const ROW: Strategy = Strategy {
    group: "networking.k8s.io",
    kind: "NetworkPolicy",
    generation: Generation::OfSpec,
    default,
    validate: |policy, faults| {
        Meta::NAMESPACED.check(policy, faults);
        check_spec(&policy.at("spec"), faults);
    },
    validate_update: |new, old, faults| {
        metadata::check_update(new, old, faults);
        check_spec(&new.at("spec"), faults);
    },
    ..Strategy::DEFAULT
};

fn default(policy: &mut Value) {
    let Some(spec) = fields_at(policy, "spec") else { return };
    fill(spec, "podSelector", json!({}));
    for rules in ["ingress", "egress"] {
        let ports = each(spec, rules).flat_map(|rule| each(rule, "ports"));
        ports.for_each(|port| fill(port, "protocol", "TCP"));
    }
    if is_zero(spec, "policyTypes") {
        let types = if is_zero(spec, "egress") { json!(["Ingress"]) } else { json!(["Ingress", "Egress"]) };
        spec.insert("policyTypes".into(), types);
    }
}

fn check_spec(spec: &Field<'_>, faults: &mut Faults) {
    metadata::selector(&spec.at("podSelector"), faults);
    for (rules, peers) in [("ingress", "from"), ("egress", "to")] {
        for rule in spec.at(rules).items() {
            rule.at("ports").items().for_each(|port| check_port(&port, faults));
            rule.at(peers).items().for_each(|peer| check_peer(&peer, faults));
        }
    }
    let types = spec.at("policyTypes");
    if types.list().len() > 2 {
        return faults.wrong(&types, "may not specify more than two policyTypes");
    }
    for kind in types.items() {
        faults.optional_one_of(&kind, &["Ingress", "Egress"]);
    }
}

fn check_port(item: &Field<'_>, faults: &mut Faults) {
    faults.optional_one_of(&item.at("protocol"), &["TCP", "UDP", "SCTP"]);
    let (port, end) = (item.at("port"), item.at("endPort"));
    if !port.is_set() {
        if end.is_set() {
            faults.wrong(&end, "may not be specified when `port` is not specified");
        }
        return;
    }
    if port.value().is_string() {
        if end.is_set() {
            faults.wrong(&end, "may not be specified when `port` is non-numeric");
        }
        return faults.each(&port, port.text(), format::port_name(port.text()));
    }
    let number = port.number().unwrap_or(0);
    faults.each_number(&port, format::port_number(number));
    if let Some(last) = end.number() {
        if last < number {
            faults.invalid(&end, number, "must be greater than or equal to `port`");
        }
        faults.each_number(&end, format::port_number(last));
    }
}

fn check_peer(peer: &Field<'_>, faults: &mut Faults) {
    let kinds = ["podSelector", "namespaceSelector", "ipBlock"];
    let given = kinds.iter().filter(|kind| peer.has(kind)).count();
    metadata::selector(&peer.at("podSelector"), faults);
    metadata::selector(&peer.at("namespaceSelector"), faults);
    if peer.has("ipBlock") {
        check_block(&peer.at("ipBlock"), faults);
    }
    if given == 0 {
        faults.required(peer, "must specify a peer");
    } else if given > 1 && peer.has("ipBlock") {
        faults.forbidden(peer, "may not specify both ipBlock and another peer");
    }
}

fn check_block(block: &Field<'_>, faults: &mut Faults) {
    let cidr = block.at("cidr");
    if cidr.text().is_empty() {
        return faults.required(&cidr, "");
    }
    faults.each(&cidr, cidr.text(), format::cidr(cidr.text()));
    let Some((network, bits)) = format::parse_cidr(cidr.text()) else { return };
    for except in block.at("except").items() {
        faults.each(&except, except.text(), format::cidr(except.text()));
        let Some((inner, inner_bits)) = format::parse_cidr(except.text()) else { continue };
        if bits >= inner_bits || !contains(network, bits, inner) {
            faults.wrong_text(&except, "must be a strict subset of `cidr`");
        }
    }
}

fn contains(network: IpAddr, bits: u8, ip: IpAddr) -> bool {
    let prefix = |number: u128, width: u8| number.checked_shr(u32::from(width - bits)).unwrap_or(0);
    match (network, ip) {
        (IpAddr::V4(network), IpAddr::V4(ip)) => {
            prefix(u32::from(network).into(), 32) == prefix(u32::from(ip).into(), 32)
        }
        (IpAddr::V6(network), IpAddr::V6(ip)) => prefix(network.into(), 128) == prefix(ip.into(), 128),
        _ => false,
    }
}
