//! What each controller may do: one ClusterRole `system:controller:NAME`, bound to the service account
//! NAME in kube-system.

use super::policy::{EVENTS, READ, Rule, named, on};

/// A controller and its rules.
#[derive(Debug, Clone, Copy)]
pub(super) struct Controller {
    pub(super) name: &'static str,
    pub(super) rules: &'static [Rule],
}

const fn row(name: &'static str, rules: &'static [Rule]) -> Controller {
    Controller { name, rules }
}

const CERTIFICATES: &str = "certificates.k8s.io";
const STORAGE: &str = "storage.k8s.io";
const NETWORKING: &str = "networking.k8s.io";
const RESOURCE: &str = "resource.k8s.io";
const DISCOVERY: &str = "discovery.k8s.io";
const ADMISSION: &str = "admissionregistration.k8s.io";
const APPS: &str = "apps extensions";
/// What controllers do to the objects they make.
const MANAGE: &str = "get list watch create update patch delete";
const KEEP: &str = "get list watch create update delete";
/// What controllers do to their pods.
const PODS: &str = "list watch create delete patch";

pub(super) const CONTROLLERS: &[Controller] = &[
    row(
        "attachdetach-controller",
        &[
            on("list watch", "core", "persistentvolumes persistentvolumeclaims"),
            on(READ, "core", "nodes"),
            on("patch update", "core", "nodes/status"),
            on("list watch", "core", "pods"),
            EVENTS,
            on("get create delete list watch", STORAGE, "volumeattachments"),
            on(READ, STORAGE, "csidrivers"),
            on(READ, STORAGE, "csinodes"),
        ],
    ),
    row(
        "clusterrole-aggregation-controller",
        &[on("escalate get list watch update patch", "rbac.authorization.k8s.io", "clusterroles")],
    ),
    row(
        "cronjob-controller",
        &[
            on("get list watch update", "batch", "cronjobs"),
            on(MANAGE, "batch", "jobs"),
            on("update", "batch", "cronjobs/status"),
            on("update", "batch", "cronjobs/finalizers"),
            on("list watch delete", "core", "pods"),
            EVENTS,
        ],
    ),
    row(
        "daemon-set-controller",
        &[
            on(READ, APPS, "daemonsets"),
            on("update", APPS, "daemonsets/status"),
            on("update", APPS, "daemonsets/finalizers"),
            on("list watch", "core", "nodes"),
            on(PODS, "core", "pods"),
            on("create", "core", "pods/binding"),
            on(MANAGE, "apps", "controllerrevisions"),
            EVENTS,
        ],
    ),
    row(
        "deployment-controller",
        &[
            on("get list watch update", APPS, "deployments"),
            on("update", APPS, "deployments/status"),
            on("update", APPS, "deployments/finalizers"),
            on(MANAGE, APPS, "replicasets"),
            on("get list watch update", "core", "pods"),
            EVENTS,
        ],
    ),
    row(
        "disruption-controller",
        &[
            on(READ, APPS, "deployments"),
            on(READ, APPS, "replicasets"),
            on(READ, "core", "replicationcontrollers"),
            on(READ, "policy", "poddisruptionbudgets"),
            on(READ, "apps", "statefulsets"),
            on("update", "policy", "poddisruptionbudgets/status"),
            on("patch update", "core", "pods/status"),
            on("get", "*", "*/scale"),
            EVENTS,
        ],
    ),
    row(
        "endpoint-controller",
        &[
            on(READ, "core", "services pods"),
            on(KEEP, "core", "endpoints"),
            on("create", "core", "endpoints/restricted"),
            EVENTS,
        ],
    ),
    row(
        "endpointslice-controller",
        &[
            on(READ, "core", "services pods nodes"),
            on("update", "core", "services/finalizers"),
            on(KEEP, DISCOVERY, "endpointslices"),
            EVENTS,
        ],
    ),
    row(
        "endpointslicemirroring-controller",
        &[
            on(READ, "core", "services endpoints"),
            on("update", "core", "services/finalizers"),
            on("update", "core", "endpoints/finalizers"),
            on(KEEP, DISCOVERY, "endpointslices"),
            EVENTS,
        ],
    ),
    row(
        "expand-controller",
        &[
            on("get list watch update patch", "core", "persistentvolumes"),
            on("update patch", "core", "persistentvolumeclaims/status"),
            on(READ, "core", "persistentvolumeclaims"),
            EVENTS,
            on("get", "core", "services"),
        ],
    ),
    row(
        "ephemeral-volume-controller",
        &[
            on(READ, "core", "pods"),
            on("update", "core", "pods/finalizers"),
            on("get list watch create", "core", "persistentvolumeclaims"),
            EVENTS,
        ],
    ),
    row(
        "resource-claim-controller",
        &[
            on(READ, "core", "pods"),
            on("update", "core", "pods/finalizers"),
            on("get list watch create delete", RESOURCE, "resourceclaims"),
            on("update patch", RESOURCE, "resourceclaims resourceclaims/status"),
            on("update patch", "core", "pods/status"),
            EVENTS,
        ],
    ),
    row(
        "device-taint-eviction-controller",
        &[
            on("get list watch delete", "core", "pods"),
            on("update patch", "core", "pods/status"),
            on(READ, RESOURCE, "resourceclaims"),
            on(READ, RESOURCE, "resourceslices"),
            on(READ, RESOURCE, "deviceclasses"),
            on(READ, RESOURCE, "devicetaintrules"),
            EVENTS,
        ],
    ),
    row("generic-garbage-collector", &[on("get list watch patch update delete", "*", "*"), EVENTS]),
    row(
        "horizontal-pod-autoscaler",
        &[
            on(READ, "autoscaling", "horizontalpodautoscalers"),
            on("update", "autoscaling", "horizontalpodautoscalers/status"),
            on("get update", "*", "*/scale"),
            on("list watch", "core", "pods"),
            on("list watch", "metrics.k8s.io", "pods"),
            on(READ, "custom.metrics.k8s.io", "*"),
            on(READ, "external.metrics.k8s.io", "*"),
            EVENTS,
        ],
    ),
    row(
        "job-controller",
        &[
            on("get list watch update patch", "batch", "jobs"),
            on("update", "batch", "jobs/status"),
            on("update", "batch", "jobs/finalizers"),
            on(PODS, "core", "pods"),
            EVENTS,
        ],
    ),
    row(
        "namespace-controller",
        &[
            on("get list watch delete", "core", "namespaces"),
            on("update", "core", "namespaces/finalize namespaces/status"),
            on("get list watch delete deletecollection", "*", "*"),
        ],
    ),
    row(
        "node-controller",
        &[
            on("get list watch update delete patch", "core", "nodes"),
            on("patch update", "core", "nodes/status"),
            on("patch update", "core", "pods/status"),
            on("list watch get delete", "core", "pods"),
            EVENTS,
        ],
    ),
    row(
        "persistent-volume-binder",
        &[
            on(KEEP, "core", "persistentvolumes"),
            on("update", "core", "persistentvolumes/status"),
            on("get list watch update", "core", "persistentvolumeclaims"),
            on("update", "core", "persistentvolumeclaims/status"),
            on("list watch get create delete", "core", "pods"),
            // Ours makes the class local-path where there is none.
            on("get list watch create", STORAGE, "storageclasses"),
            on("list watch", "core", "nodes"),
            EVENTS,
            on("watch", "core", "events"),
            on("get", "core", "services"),
        ],
    ),
    row(
        "pod-garbage-collector",
        &[
            on("list watch delete", "core", "pods"),
            on(READ, "core", "nodes"),
            on("patch", "core", "pods/status"),
        ],
    ),
    row(
        "replicaset-controller",
        &[
            on("get list watch update", APPS, "replicasets"),
            on("update", APPS, "replicasets/status"),
            on("update", APPS, "replicasets/finalizers"),
            on(PODS, "core", "pods"),
            EVENTS,
        ],
    ),
    row(
        "replication-controller",
        &[
            on("get list watch update", "core", "replicationcontrollers"),
            on("update", "core", "replicationcontrollers/status"),
            on("update", "core", "replicationcontrollers/finalizers"),
            on(PODS, "core", "pods"),
            EVENTS,
        ],
    ),
    row(
        "resourcequota-controller",
        &[on("list watch", "*", "*"), on("update", "core", "resourcequotas/status"), EVENTS],
    ),
    row(
        "route-controller",
        &[on("list watch", "core", "nodes"), on("patch", "core", "nodes/status"), EVENTS],
    ),
    row("service-account-controller", &[on("create", "core", "serviceaccounts"), EVENTS]),
    row(
        "service-controller",
        &[
            on(READ, "core", "services"),
            on("patch update", "core", "services/status"),
            on("list watch", "core", "nodes"),
            EVENTS,
        ],
    ),
    row(
        "service-cidrs-controller",
        &[
            on("get list watch patch update", NETWORKING, "servicecidrs"),
            on("patch update", NETWORKING, "servicecidrs/finalizers"),
            on("patch update", NETWORKING, "servicecidrs/status"),
            on(READ, NETWORKING, "ipaddresses"),
            EVENTS,
        ],
    ),
    row(
        "statefulset-controller",
        &[
            on("list watch", "core", "pods"),
            on(READ, "apps", "statefulsets"),
            on("update", "apps", "statefulsets/status"),
            on("update", "apps", "statefulsets/finalizers"),
            on("get create delete update patch", "core", "pods"),
            on(MANAGE, "apps", "controllerrevisions"),
            on("get create list watch", "core", "persistentvolumeclaims"),
            on("update delete", "core", "persistentvolumeclaims"),
            on("update", "core", "pods/finalizers"),
            EVENTS,
        ],
    ),
    row("ttl-controller", &[on("update patch list watch", "core", "nodes"), EVENTS]),
    row(
        "certificate-controller",
        &[
            on("get list watch delete", CERTIFICATES, "certificatesigningrequests"),
            on(
                "update",
                CERTIFICATES,
                "certificatesigningrequests/status certificatesigningrequests/approval",
            ),
            named("approve", CERTIFICATES, "signers", "kubernetes.io/kube-apiserver-client-kubelet"),
            named(
                "sign",
                CERTIFICATES,
                "signers",
                "kubernetes.io/legacy-unknown kubernetes.io/kube-apiserver-client \
                 kubernetes.io/kube-apiserver-client-kubelet kubernetes.io/kubelet-serving",
            ),
            on("create", "authorization.k8s.io", "subjectaccessreviews"),
            EVENTS,
        ],
    ),
    row(
        "pvc-protection-controller",
        &[
            on("get list watch update", "core", "persistentvolumeclaims"),
            on("list watch get", "core", "pods"),
            EVENTS,
        ],
    ),
    row("pv-protection-controller", &[on("get list watch update", "core", "persistentvolumes"), EVENTS]),
    row(
        "volumeattributesclass-protection-controller",
        &[
            on("list watch get", "core", "persistentvolumeclaims"),
            on("list watch get", "core", "persistentvolumes"),
            on("get list watch update", STORAGE, "volumeattributesclasses"),
            EVENTS,
        ],
    ),
    row("ttl-after-finished-controller", &[on("get list watch delete", "batch", "jobs"), EVENTS]),
    row("root-ca-cert-publisher", &[on("create update", "core", "configmaps"), EVENTS]),
    row(
        "validatingadmissionpolicy-status-controller",
        &[
            on(READ, ADMISSION, "validatingadmissionpolicies"),
            on("get patch update", ADMISSION, "validatingadmissionpolicies/status"),
            EVENTS,
        ],
    ),
    row(
        "legacy-service-account-token-cleaner",
        &[
            named("get", "core", "configmaps", "kube-apiserver-legacy-service-account-token-tracking"),
            on("patch delete", "core", "secrets"),
        ],
    ),
    row(
        "selinux-warning-controller",
        &[
            EVENTS,
            on(READ, "core", "persistentvolumes"),
            on(READ, "core", "persistentvolumeclaims"),
            on(READ, "core", "pods"),
            on(READ, STORAGE, "csidrivers"),
        ],
    ),
];
