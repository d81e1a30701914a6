//! Endpoints.

use api::meta::name;

use crate::strategy::field::{Faults, Field};
use crate::strategy::metadata::{self, Meta};
use crate::strategy::tree::{each, fill_zero};
use crate::strategy::{Strategy, format};

pub(super) const ROW: Strategy = Strategy {
    kind: "Endpoints",
    default: |endpoints| {
        let subsets = endpoints.as_object_mut().into_iter().flat_map(|fields| each(fields, "subsets"));
        let ports = subsets.flat_map(|subset| each(subset, "ports"));
        ports.for_each(|port| fill_zero(port, "protocol", "TCP"));
    },
    validate: check,
    validate_update: |new, old, faults| {
        metadata::check_update(new, old, faults);
        check(new, faults);
    },
    ..Strategy::DEFAULT
};

fn check(endpoints: &Field<'_>, faults: &mut Faults) {
    Meta::NAMESPACED.check(endpoints, faults);
    for subset in endpoints.at("subsets").items() {
        let (ready, unready, ports) =
            (subset.at("addresses"), subset.at("notReadyAddresses"), subset.at("ports"));
        if ready.is_empty() && unready.is_empty() {
            faults.required(&subset, "must specify `addresses` or `notReadyAddresses`");
        }
        ready.items().chain(unready.items()).for_each(|address| check_address(&address, faults));
        let named = ports.list().len() > 1;
        ports.items().for_each(|port| check_port(&port, named, faults));
    }
}

fn check_address(address: &Field<'_>, faults: &mut Faults) {
    let (ip, host, node) = (address.at("ip"), address.at("hostname"), address.at("nodeName"));
    faults.each(&ip, ip.text(), format::ip(ip.text()));
    if !host.text().is_empty() {
        faults.each(&host, host.text(), name::dns1123_label(host.text()));
    }
    if node.is_set() {
        faults.each(&node, node.text(), name::dns1123_subdomain(node.text()));
    }
    faults.each(&ip, ip.text(), format::non_special_ip(ip.text()));
}

fn check_port(port: &Field<'_>, named: bool, faults: &mut Faults) {
    let (name, number, protocol) = (port.at("name"), port.at("port"), port.at("appProtocol"));
    if !name.text().is_empty() {
        faults.each(&name, name.text(), name::dns1123_label(name.text()));
    } else if named {
        faults.required(&name, "");
    }
    faults.each_number(&number, format::port_number(number.number().unwrap_or(0)));
    faults.one_of(&port.at("protocol"), &["SCTP", "TCP", "UDP"]);
    if protocol.is_set() {
        faults.each(&protocol, protocol.text(), name::qualified_name(protocol.text()));
    }
}
