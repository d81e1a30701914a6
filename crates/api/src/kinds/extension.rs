//! What extends or guards the API itself: `admissionregistration.k8s.io`, `apiextensions.k8s.io`,
//! `apiregistration.k8s.io` and `flowcontrol.apiserver.k8s.io`.

use super::row::{CLUSTER, GroupRows, Row, SPEC, STATUS};

const EXTENSION: Row = Row { categories: &["api-extensions"], ..CLUSTER };

pub(super) const ADMISSION: GroupRows = GroupRows {
    name: "admissionregistration.k8s.io",
    priority: 16700,
    definitions: "io.k8s.api.admissionregistration",
    rows: &[
        Row {
            plural: "mutatingadmissionpolicies",
            kind: "MutatingAdmissionPolicy",
            generation: SPEC,
            ..EXTENSION
        },
        Row {
            plural: "mutatingadmissionpolicybindings",
            kind: "MutatingAdmissionPolicyBinding",
            generation: SPEC,
            ..EXTENSION
        },
        Row {
            plural: "mutatingwebhookconfigurations",
            kind: "MutatingWebhookConfiguration",
            generation: &["webhooks"],
            ..EXTENSION
        },
        Row {
            plural: "validatingadmissionpolicies",
            kind: "ValidatingAdmissionPolicy",
            subresources: &[STATUS],
            generation: SPEC,
            ..EXTENSION
        },
        Row {
            plural: "validatingadmissionpolicybindings",
            kind: "ValidatingAdmissionPolicyBinding",
            generation: SPEC,
            ..EXTENSION
        },
        Row {
            plural: "validatingwebhookconfigurations",
            kind: "ValidatingWebhookConfiguration",
            generation: &["webhooks"],
            ..EXTENSION
        },
    ],
};

pub(super) const APIEXTENSIONS: GroupRows = GroupRows {
    name: "apiextensions.k8s.io",
    priority: 16700,
    definitions: "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions",
    rows: &[Row {
        plural: "customresourcedefinitions",
        kind: "CustomResourceDefinition",
        short: &["crd", "crds"],
        subresources: &[STATUS],
        generation: SPEC,
        ..EXTENSION
    }],
};

pub(super) const APIREGISTRATION: GroupRows = GroupRows {
    name: "apiregistration.k8s.io",
    priority: 20000,
    definitions: "io.k8s.kube-aggregator.pkg.apis.apiregistration",
    rows: &[Row { plural: "apiservices", kind: "APIService", subresources: &[STATUS], ..EXTENSION }],
};

pub(super) const FLOWCONTROL: GroupRows = GroupRows {
    name: "flowcontrol.apiserver.k8s.io",
    priority: 16100,
    definitions: "io.k8s.api.flowcontrol",
    rows: &[
        Row {
            plural: "flowschemas",
            kind: "FlowSchema",
            subresources: &[STATUS],
            generation: SPEC,
            ..CLUSTER
        },
        Row {
            plural: "prioritylevelconfigurations",
            kind: "PriorityLevelConfiguration",
            subresources: &[STATUS],
            generation: SPEC,
            ..CLUSTER
        },
    ],
};
