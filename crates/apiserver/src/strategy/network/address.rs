//! ServiceCIDRs and IPAddresses: where Services' addresses come from.

use crate::strategy::field::{Faults, Field};
use crate::strategy::metadata::{self, Meta};
use crate::strategy::{Strategy, drop_status, format, keep_status};

const GROUP: &str = "networking.k8s.io";

pub(super) const RANGE: Strategy = Strategy {
    group: GROUP,
    kind: "ServiceCIDR",
    prepare_create: drop_status,
    prepare_update: keep_status,
    validate: check_range,
    validate_update: |new, old, faults| {
        metadata::check_update(new, old, faults);
        faults.immutable(&new.at("spec.cidrs"), &old.at("spec.cidrs"));
    },
    ..Strategy::DEFAULT
};

fn check_range(range: &Field<'_>, faults: &mut Faults) {
    Meta::CLUSTER.check(range, faults);
    let cidrs = range.at("spec.cidrs");
    match cidrs.list().len() {
        0 => return faults.required(&cidrs, "at least one CIDR required"),
        1 => {}
        2 => {
            let families: Vec<_> =
                cidrs.texts().filter_map(format::parse_cidr).map(|(ip, _)| ip.is_ipv4()).collect();
            if matches!(families[..], [first, second] if first == second) {
                let detail = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64";
                faults.wrong(&cidrs, detail);
            }
        }
        _ => return faults.wrong(&cidrs, "may only hold up to 2 values"),
    }
    for cidr in cidrs.items() {
        faults.each(&cidr, cidr.text(), format::cidr(cidr.text()));
    }
}

pub(super) const ADDRESS: Strategy = Strategy {
    group: GROUP,
    kind: "IPAddress",
    validate: check_address,
    validate_update: |new, old, faults| {
        metadata::check_update(new, old, faults);
        faults.immutable(&new.at("spec.parentRef"), &old.at("spec.parentRef"));
    },
    ..Strategy::DEFAULT
};

fn check_address(address: &Field<'_>, faults: &mut Faults) {
    Meta { name: canonical_ip, ..Meta::CLUSTER }.check(address, faults);
    let parent = address.at("spec.parentRef");
    if !parent.is_set() {
        return faults.required(&parent, "");
    }
    for field in ["resource", "name"] {
        let field = parent.at(field);
        if field.text().is_empty() {
            faults.required(&field, "");
        }
    }
}

fn canonical_ip(name: &str) -> Vec<String> {
    match format::parse_ip(name) {
        Some(ip) if ip.to_string() == name => Vec::new(),
        _ => vec!["must be a canonical IP address".to_owned()],
    }
}
