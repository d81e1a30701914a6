//! `networking.k8s.io` and `discovery.k8s.io`: how traffic finds pods.

use super::row::{CLUSTER, GroupRows, NAMESPACED, Row, SPEC, STATUS};

pub(super) const NETWORKING: GroupRows = GroupRows {
    name: "networking.k8s.io",
    priority: 17200,
    definitions: "io.k8s.api.networking",
    rows: &[
        Row { plural: "ingressclasses", kind: "IngressClass", generation: SPEC, ..CLUSTER },
        Row {
            plural: "ingresses",
            kind: "Ingress",
            short: &["ing"],
            subresources: &[STATUS],
            generation: SPEC,
            ..NAMESPACED
        },
        Row { plural: "ipaddresses", kind: "IPAddress", short: &["ip"], ..CLUSTER },
        Row {
            plural: "networkpolicies",
            kind: "NetworkPolicy",
            short: &["netpol"],
            generation: SPEC,
            ..NAMESPACED
        },
        Row { plural: "servicecidrs", kind: "ServiceCIDR", subresources: &[STATUS], ..CLUSTER },
    ],
};

pub(super) const DISCOVERY: GroupRows = GroupRows {
    name: "discovery.k8s.io",
    priority: 16200,
    definitions: "io.k8s.api.discovery",
    rows: &[Row {
        plural: "endpointslices",
        kind: "EndpointSlice",
        generation: &["addressType", "endpoints", "ports"],
        ..NAMESPACED
    }],
};
