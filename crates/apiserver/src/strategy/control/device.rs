//! Dynamic resource allocation: ResourceClaims, their templates, DeviceClasses and ResourceSlices.

use serde_json::Value;

use crate::strategy::field::{Faults, Field};
use crate::strategy::metadata::{self, Meta};
use crate::strategy::tree::{Fields, each, fields_at, fill_zero, inner, same, text};
use crate::strategy::{Generation, Strategy, drop_status, keep_status};

const GROUP: &str = "resource.k8s.io";

pub(super) const CLAIM: Strategy = Strategy {
    group: GROUP,
    kind: "ResourceClaim",
    default: |claim| {
        if let Some(devices) = fields_at(claim, "spec.devices") {
            default_requests(devices);
        }
    },
    prepare_create: drop_status,
    prepare_update: keep_status,
    validate: |claim, faults| Meta::NAMESPACED.check(claim, faults),
    validate_update: keep_spec,
    ..Strategy::DEFAULT
};

pub(super) const TEMPLATE: Strategy = Strategy {
    kind: "ResourceClaimTemplate",
    default: |template| {
        if let Some(devices) = fields_at(template, "spec.spec.devices") {
            default_requests(devices);
        }
    },
    prepare_create: |_| {},
    prepare_update: |_, _| {},
    ..CLAIM
};

pub(super) const CLASS: Strategy = Strategy {
    group: GROUP,
    kind: "DeviceClass",
    generation: Generation::OfSpec,
    validate: |class, faults| Meta::CLUSTER.check(class, faults),
    ..Strategy::DEFAULT
};

pub(super) const SLICE: Strategy = Strategy { kind: "ResourceSlice", ..CLASS };

fn default_requests(devices: &mut Fields) {
    for request in each(devices, "requests") {
        if let Some(exactly) = inner(request, "exactly") {
            default_request(exactly);
        }
        each(request, "firstAvailable").for_each(default_request);
    }
}

fn default_request(request: &mut Fields) {
    fill_zero(request, "allocationMode", "ExactCount");
    if text(request, "allocationMode") == "ExactCount" {
        fill_zero(request, "count", 1);
    }
    each(request, "tolerations").for_each(|toleration| fill_zero(toleration, "operator", "Equal"));
}

fn keep_spec(new: &Field<'_>, old: &Field<'_>, faults: &mut Faults) {
    metadata::check_update(new, old, faults);
    let spec: &Value = new.at("spec").value();
    if !same(spec, old.at("spec").value()) {
        faults.wrong(&new.at("spec"), "field is immutable");
    }
}
