//! Lines of nodes and of what classes of pods they offer.

use std::collections::BTreeSet;

use serde_json::Value;

use super::cell::{self, NONE, UNKNOWN};
use super::{AGE, Head, NAME, Spec, items};
use crate::meta::{self, Time};

pub(super) const SPECS: &[Spec] = &[
    Spec { group: "", kind: "Node", columns: NODE, cells: node },
    Spec {
        group: "node.k8s.io",
        kind: "RuntimeClass",
        columns: &[NAME, Head::text("Handler", "What runs its containers"), AGE],
        cells: |o, now| vec![cell::name(o), cell::text(o, "handler"), cell::age(o, now)],
    },
    Spec {
        group: "scheduling.k8s.io",
        kind: "PriorityClass",
        columns: &[
            NAME,
            Head::integer("Value", "The priority of its pods"),
            Head::boolean("Global-Default", "Whether pods without a class get it"),
            AGE,
            Head::text("PreemptionPolicy", "Whether its pods may push others out"),
        ],
        cells: |o, now| {
            vec![
                cell::name(o),
                cell::integer(o, "value"),
                cell::flag(o, "globalDefault", false).into(),
                cell::age(o, now),
                cell::text(o, "preemptionPolicy"),
            ]
        },
    },
];

const NODE: &[Head] = &[
    NAME,
    Head::text("Status", "Whether it is ready and takes pods"),
    Head::text("Roles", "What it is for"),
    AGE,
    Head::text("Version", "The version of its kubelet"),
    Head::text("Internal-IP", "Its address within the cluster").wide(),
    Head::text("External-IP", "Its address from outside").wide(),
    Head::text("OS-Image", "Its operating system").wide(),
    Head::text("Kernel-Version", "The version of its kernel").wide(),
    Head::text("Container-Runtime", "What runs its containers, and the version").wide(),
];

fn node(object: &Value, now: Time) -> Vec<Value> {
    vec![
        cell::name(object),
        status(object).into(),
        roles(object).into(),
        cell::age(object, now),
        cell::text(object, "status.nodeInfo.kubeletVersion"),
        address(object, "InternalIP").into(),
        address(object, "ExternalIP").into(),
        cell::text_or(object, "status.nodeInfo.osImage", UNKNOWN),
        cell::text_or(object, "status.nodeInfo.kernelVersion", UNKNOWN),
        cell::text_or(object, "status.nodeInfo.containerRuntimeVersion", UNKNOWN),
    ]
}

fn status(node: &Value) -> String {
    let ready = match cell::condition(node, "Ready") {
        None => "Unknown",
        Some(_) if cell::holds(node, "Ready") => "Ready",
        Some(_) => "NotReady",
    };
    let closed = if cell::flag(node, "spec.unschedulable", false) { ",SchedulingDisabled" } else { "" };
    format!("{ready}{closed}")
}

/// The roles that labels name: `node-role.kubernetes.io/ROLE` or `kubernetes.io/role=ROLE`.
fn roles(node: &Value) -> String {
    let role = |(key, value): (&String, &Value)| match key.strip_prefix("node-role.kubernetes.io/") {
        Some(role) => Some(role.to_owned()),
        None => value.as_str().filter(|_| key == "kubernetes.io/role").map(str::to_owned),
    };
    let labels = meta::labels(node).into_iter().flatten();
    let roles: BTreeSet<String> = labels.filter_map(role).filter(|r| !r.is_empty()).collect();
    if roles.is_empty() { NONE.to_owned() } else { roles.into_iter().collect::<Vec<_>>().join(",") }
}

fn address<'a>(node: &'a Value, kind: &str) -> &'a str {
    let found = items(node, "status.addresses").iter().find(|a| meta::text(a, "type") == kind);
    found.map_or(NONE, |a| meta::text(a, "address"))
}
