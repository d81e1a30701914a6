//! Nodes.

use api::meta::name;
use serde_json::Value;

use crate::strategy::field::{Faults, Field};
use crate::strategy::metadata::{self, Meta};
use crate::strategy::pod::placement;
use crate::strategy::tree;
use crate::strategy::{Strategy, format, keep_status, resource};

pub(super) const ROW: Strategy = Strategy {
    kind: "Node",
    default,
    // A new node brings its status: there is nobody else who could know it.
    prepare_create: |_| {},
    prepare_update: keep_status,
    validate,
    validate_update: check_update,
    validate_status: check_update,
    ..Strategy::DEFAULT
};

fn default(node: &mut Value) {
    if let Some(spec) = tree::fields_at(node, "spec") {
        let cidr = tree::text(spec, "podCIDR").to_owned();
        if !cidr.is_empty() {
            tree::fill_zero(spec, "podCIDRs", serde_json::json!([cidr]));
        }
    }
    let Some(status) = tree::fields_at(node, "status") else { return };
    for list in ["capacity", "allocatable"] {
        resource::canonical_list(status, list);
    }
    if let Some(capacity) = status.get("capacity").cloned() {
        tree::fill(status, "allocatable", capacity);
    }
}

fn validate(node: &Field<'_>, faults: &mut Faults) {
    Meta::CLUSTER.check(node, faults);
    check_taints(node, faults);
    check_resources(node, faults);
    let cidrs = node.at("spec.podCIDRs");
    for (index, cidr) in cidrs.items().enumerate() {
        faults.each(&cidr, cidr.text(), format::cidr(cidr.text()));
        if index > 0 && cidrs.list()[..index].contains(cidr.value()) {
            faults.duplicate(&cidr, cidr.text());
        }
    }
    let count = cidrs.list().len();
    if count > 1 && (count > 2 || format::is_dual_stack(cidrs.texts()) != Some(true)) {
        faults.wrong(&cidrs, "may specify no more than one CIDR for each IP family");
    }
}

/// The path of these faults is below `metadata`, as in Kubernetes.
fn check_taints(node: &Field<'_>, faults: &mut Faults) {
    let metadata = node.at("metadata");
    let shown = metadata.at("taints");
    let taints = node.at("spec.taints").moved_to(&shown);
    let mut seen: Vec<(String, String)> = Vec::new();
    for taint in taints.items() {
        let (key, value, effect) = (taint.at("key"), taint.at("value"), taint.at("effect"));
        metadata::label_key(&key, key.text(), faults);
        let messages = name::label_value(value.text());
        if !messages.is_empty() {
            faults.wrong_text(&value, messages.join(";"));
        }
        placement::taint_effect(&effect, faults);
        let pair = (key.text().to_owned(), effect.text().to_owned());
        if seen.contains(&pair) {
            let why = "taints must be unique by key and effect pair";
            faults.duplicate_because(&taint, taint.value().clone(), why);
        }
        seen.push(pair);
    }
}

fn check_resources(node: &Field<'_>, faults: &mut Faults) {
    for list in ["capacity", "allocatable"] {
        let status = node.at("status");
        let amounts = status.at(list);
        for (name, amount) in amounts.entries() {
            let shown = amounts.at(name);
            resource::check_amount_at(name, amount.value(), &shown, faults);
        }
    }
}

fn check_update(new: &Field<'_>, old: &Field<'_>, faults: &mut Faults) {
    metadata::check_update(new, old, faults);
    check_resources(new, faults);
    let addresses = new.at("status.addresses");
    for (index, address) in addresses.items().enumerate() {
        if addresses.list()[..index].contains(address.value()) {
            faults.duplicate(&address, address.value().clone());
        }
    }
    let (cidrs, before) = (new.at("spec.podCIDRs"), old.at("spec.podCIDRs"));
    let detail = "node updates may not change podCIDR except from \"\" to valid";
    if !before.is_empty() {
        if cidrs.list().len() == before.list().len() {
            let changes = cidrs.list().iter().zip(before.list()).filter(|(new, old)| new != old).count();
            (0..changes).for_each(|_| faults.forbidden(&cidrs, detail));
        } else {
            faults.forbidden(&cidrs, detail);
        }
    }
    let provider = new.at("spec.providerID");
    let before = old.text_at("spec.providerID");
    if !before.is_empty() && provider.text() != before {
        faults.forbidden(&provider, "node updates may not change providerID except from \"\" to valid");
    }
    check_taints(new, faults);
}
