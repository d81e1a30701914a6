//! The core group and `events.k8s.io`, which shows core's events in another shape.

use super::row::{ALL, CLUSTER, Field, GroupRows, NAMESPACED, Row, SCALE, SPEC, STATUS, Sub};
use super::{Verb, Verbs};

pub(super) const CORE: GroupRows =
    GroupRows { name: "", priority: 18000, definitions: "io.k8s.api.core", rows: ROWS };

pub(super) const EVENTS: GroupRows = GroupRows {
    name: "events.k8s.io",
    priority: 17750,
    definitions: "io.k8s.api.events",
    rows: &[Row {
        plural: "events",
        kind: "Event",
        short: &["ev"],
        storage: "core/events",
        selectable: EVENT_FIELDS,
        ..NAMESPACED
    }],
};

const ROWS: &[Row] = &[
    Row { plural: "bindings", kind: "Binding", verbs: Verbs::CREATE, ..NAMESPACED },
    Row {
        plural: "componentstatuses",
        kind: "ComponentStatus",
        short: &["cs"],
        verbs: Verbs::READ,
        ..CLUSTER
    },
    Row { plural: "configmaps", kind: "ConfigMap", short: &["cm"], ..NAMESPACED },
    Row { plural: "endpoints", kind: "Endpoints", short: &["ep"], ..NAMESPACED },
    Row { plural: "events", kind: "Event", short: &["ev"], selectable: CORE_EVENT_FIELDS, ..NAMESPACED },
    Row { plural: "limitranges", kind: "LimitRange", short: &["limits"], ..NAMESPACED },
    Row {
        plural: "namespaces",
        kind: "Namespace",
        short: &["ns"],
        verbs: Verbs::STANDARD.without(Verb::DeleteCollection),
        subresources: &[Sub::own("finalize", Verbs::of(&[Verb::Update])), STATUS],
        selectable: &[Field::path(&["status.phase"])],
        ..CLUSTER
    },
    Row {
        plural: "nodes",
        kind: "Node",
        short: &["no"],
        subresources: &[Sub::proxy("NodeProxyOptions"), STATUS],
        selectable: &[Field::path(&["spec.unschedulable"]).or("false")],
        ..CLUSTER
    },
    Row {
        plural: "persistentvolumeclaims",
        kind: "PersistentVolumeClaim",
        short: &["pvc"],
        subresources: &[STATUS],
        ..NAMESPACED
    },
    Row {
        plural: "persistentvolumes",
        kind: "PersistentVolume",
        short: &["pv"],
        subresources: &[STATUS],
        ..CLUSTER
    },
    Row {
        plural: "pods",
        kind: "Pod",
        short: &["po"],
        categories: ALL,
        subresources: POD_SUBRESOURCES,
        selectable: POD_FIELDS,
        generation: SPEC,
        graceful: true,
        ..NAMESPACED
    },
    Row { plural: "podtemplates", kind: "PodTemplate", generation: &["template"], ..NAMESPACED },
    Row {
        plural: "replicationcontrollers",
        kind: "ReplicationController",
        short: &["rc"],
        categories: ALL,
        subresources: &[SCALE, STATUS],
        selectable: &[Field::path(&["status.replicas"]).or("0")],
        generation: SPEC,
        ..NAMESPACED
    },
    Row {
        plural: "resourcequotas",
        kind: "ResourceQuota",
        short: &["quota"],
        subresources: &[STATUS],
        ..NAMESPACED
    },
    Row { plural: "secrets", kind: "Secret", selectable: &[Field::path(&["type"])], ..NAMESPACED },
    Row {
        plural: "serviceaccounts",
        kind: "ServiceAccount",
        short: &["sa"],
        subresources: &[Sub::foreign("token", "authentication.k8s.io", "v1", "TokenRequest", Verbs::CREATE)],
        ..NAMESPACED
    },
    Row {
        plural: "services",
        kind: "Service",
        short: &["svc"],
        categories: ALL,
        subresources: &[Sub::proxy("ServiceProxyOptions"), STATUS],
        selectable: &[Field::path(&["spec.clusterIP"]), Field::path(&["spec.type"])],
        ..NAMESPACED
    },
];

const POD_SUBRESOURCES: &[Sub] = &[
    Sub::stream("attach", "PodAttachOptions"),
    Sub::foreign("binding", "", "v1", "Binding", Verbs::CREATE),
    Sub::own("ephemeralcontainers", Verbs::MODIFY),
    Sub::foreign("eviction", "policy", "v1", "Eviction", Verbs::CREATE),
    Sub::stream("exec", "PodExecOptions"),
    Sub::own("log", Verbs::of(&[Verb::Get])),
    Sub::stream("portforward", "PodPortForwardOptions"),
    Sub::proxy("PodProxyOptions"),
    Sub::own("resize", Verbs::MODIFY),
    STATUS,
];

const POD_FIELDS: &[Field] = &[
    Field::path(&["spec.nodeName"]),
    // What v1 clients before 1.0 sent; Kubernetes still takes it.
    Field::named("spec.host", &["spec.nodeName"]),
    Field::path(&["spec.restartPolicy"]),
    Field::path(&["spec.schedulerName"]),
    Field::path(&["spec.serviceAccountName"]),
    Field::path(&["spec.hostNetwork"]).or("false"),
    Field::path(&["status.phase"]),
    Field::path(&["status.podIP"]),
    // Accepted by Kubernetes, which then never finds a value for it.
    Field::named("status.podIPs", &[]),
    Field::path(&["status.nominatedNodeName"]),
];

const CORE_EVENT_FIELDS: &[Field] = &[
    Field::path(&["involvedObject.kind"]),
    Field::path(&["involvedObject.namespace"]),
    Field::path(&["involvedObject.name"]),
    Field::path(&["involvedObject.uid"]),
    Field::path(&["involvedObject.apiVersion"]),
    Field::path(&["involvedObject.resourceVersion"]),
    Field::path(&["involvedObject.fieldPath"]),
    Field::path(&["reason"]),
    Field::path(&["reportingComponent"]),
    Field::named("source", &["source.component", "reportingComponent"]),
    Field::path(&["type"]),
];

// Both shapes are named, since events are stored in core's.
const EVENT_FIELDS: &[Field] = &[
    Field::named("regarding.kind", &["regarding.kind", "involvedObject.kind"]),
    Field::named("regarding.namespace", &["regarding.namespace", "involvedObject.namespace"]),
    Field::named("regarding.name", &["regarding.name", "involvedObject.name"]),
    Field::named("regarding.uid", &["regarding.uid", "involvedObject.uid"]),
    Field::named("regarding.apiVersion", &["regarding.apiVersion", "involvedObject.apiVersion"]),
    Field::named(
        "regarding.resourceVersion",
        &["regarding.resourceVersion", "involvedObject.resourceVersion"],
    ),
    Field::named("regarding.fieldPath", &["regarding.fieldPath", "involvedObject.fieldPath"]),
    Field::path(&["reason"]),
    Field::named("reportingController", &["reportingController", "reportingComponent"]),
    Field::path(&["type"]),
];
