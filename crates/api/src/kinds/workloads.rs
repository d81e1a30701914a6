//! `apps`, `batch`, `autoscaling` and `policy`: what keeps pods running.

use super::row::{ALL, Field, GroupRows, NAMESPACED, Row, SCALE, SPEC, STATUS};

pub(super) const APPS: GroupRows = GroupRows {
    name: "apps",
    priority: 17800,
    definitions: "io.k8s.api.apps",
    rows: &[
        Row { plural: "controllerrevisions", kind: "ControllerRevision", ..NAMESPACED },
        Row {
            plural: "daemonsets",
            kind: "DaemonSet",
            short: &["ds"],
            categories: ALL,
            subresources: &[STATUS],
            generation: SPEC,
            ..NAMESPACED
        },
        Row {
            plural: "deployments",
            kind: "Deployment",
            short: &["deploy"],
            categories: ALL,
            subresources: &[SCALE, STATUS],
            // The controller must see changes to a Deployment's annotations too.
            generation: &["spec", "metadata.annotations"],
            ..NAMESPACED
        },
        Row {
            plural: "replicasets",
            kind: "ReplicaSet",
            short: &["rs"],
            categories: ALL,
            subresources: &[SCALE, STATUS],
            selectable: &[Field::path(&["status.replicas"]).or("0")],
            generation: SPEC,
            ..NAMESPACED
        },
        Row {
            plural: "statefulsets",
            kind: "StatefulSet",
            short: &["sts"],
            categories: ALL,
            subresources: &[SCALE, STATUS],
            generation: SPEC,
            ..NAMESPACED
        },
    ],
};

pub(super) const BATCH: GroupRows = GroupRows {
    name: "batch",
    priority: 17400,
    definitions: "io.k8s.api.batch",
    rows: &[
        Row {
            plural: "cronjobs",
            kind: "CronJob",
            short: &["cj"],
            categories: ALL,
            subresources: &[STATUS],
            generation: SPEC,
            ..NAMESPACED
        },
        Row {
            plural: "jobs",
            kind: "Job",
            categories: ALL,
            subresources: &[STATUS],
            selectable: &[Field::named("status.successful", &["status.succeeded"]).or("0")],
            generation: SPEC,
            ..NAMESPACED
        },
    ],
};

pub(super) const AUTOSCALING: GroupRows = GroupRows {
    name: "autoscaling",
    priority: 17500,
    definitions: "io.k8s.api.autoscaling",
    rows: &[Row {
        plural: "horizontalpodautoscalers",
        kind: "HorizontalPodAutoscaler",
        short: &["hpa"],
        categories: ALL,
        versions: &["v2", "v1"],
        subresources: &[STATUS],
        ..NAMESPACED
    }],
};

pub(super) const POLICY: GroupRows = GroupRows {
    name: "policy",
    priority: 17100,
    definitions: "io.k8s.api.policy",
    rows: &[Row {
        plural: "poddisruptionbudgets",
        kind: "PodDisruptionBudget",
        short: &["pdb"],
        subresources: &[STATUS],
        generation: SPEC,
        ..NAMESPACED
    }],
};
