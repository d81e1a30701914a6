//! The default roles and bindings of Kubernetes 1.36, as data.
//!
//! Lists are separated by spaces; the core group is written `core`. Feature gates are at their defaults.
//! One thing differs, by design: nothing is bound to `system:unauthenticated`, so that anonymous requests
//! get nothing but health.
//!
//! Source: the bootstrap policy of Kubernetes' RBAC authorizer, read in versions around 1.30 (this file)
//! and 1.35 (`controllers.rs`), with what is known of later ones: rules for `resource.k8s.io`, the
//! scheduler's volumeattachments, the fine-grained kubelet API. Not compared with a running 1.36.

/// A rule.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rule {
    pub(super) verbs: &'static str,
    pub(super) groups: &'static str,
    pub(super) resources: &'static str,
    pub(super) names: &'static str,
    pub(super) urls: &'static str,
}

/// A ClusterRole, or with a namespace a Role.
#[derive(Debug, Clone, Copy)]
pub(super) struct Role {
    pub(super) namespace: &'static str,
    pub(super) name: &'static str,
    /// The role its label aggregates it to, or empty.
    pub(super) aggregated_to: &'static str,
    /// Whether its rules are those of the roles aggregated to it.
    pub(super) aggregates: bool,
    pub(super) rules: &'static [Rule],
}

/// A binding to the role of the same name, unless it says otherwise.
#[derive(Debug, Clone, Copy)]
pub(super) struct Binding {
    pub(super) namespace: &'static str,
    pub(super) name: &'static str,
    pub(super) role: &'static str,
    pub(super) users: &'static str,
    pub(super) groups: &'static str,
    /// Service accounts in kube-system.
    pub(super) accounts: &'static str,
}

pub(super) const fn on(verbs: &'static str, groups: &'static str, resources: &'static str) -> Rule {
    Rule { verbs, groups, resources, names: "", urls: "" }
}

pub(super) const fn named(
    verbs: &'static str,
    groups: &'static str,
    resources: &'static str,
    names: &'static str,
) -> Rule {
    Rule { names, ..on(verbs, groups, resources) }
}

const fn get(urls: &'static str) -> Rule {
    Rule { urls, ..on("get", "", "") }
}

const fn role(name: &'static str, rules: &'static [Rule]) -> Role {
    Role { namespace: "", name, aggregated_to: "", aggregates: false, rules }
}

const fn in_namespace(namespace: &'static str, name: &'static str, rules: &'static [Rule]) -> Role {
    Role { namespace, ..role(name, rules) }
}

pub(super) const READ: &str = "get list watch";
pub(super) const WRITE: &str = "create update patch delete deletecollection";
const ALL: &str = "get list watch create update patch delete deletecollection";
const CHANGE: &str = "get list watch update patch";
pub(super) const EVENTS: Rule = on("create update patch", "core events.k8s.io", "events");
const RBAC: &str = "rbac.authorization.k8s.io";
const CERTIFICATES: &str = "certificates.k8s.io";
const AUTHENTICATION: &str = "authentication.k8s.io";
const AUTHORIZATION: &str = "authorization.k8s.io";
const STORAGE: &str = "storage.k8s.io";
const RESOURCE: &str = "resource.k8s.io";
const LEASES: &str = "coordination.k8s.io";

/// What a node may do; the Node authorizer narrows most of it to what the node has to do with.
pub(super) const NODE: &[Rule] = &[
    on("create", AUTHENTICATION, "tokenreviews"),
    on("create", AUTHORIZATION, "subjectaccessreviews localsubjectaccessreviews"),
    on(READ, "core", "services"),
    on("create get list watch", "core", "nodes"),
    on("update patch", "core", "nodes/status"),
    on("update patch", "core", "nodes"),
    on("create update patch", "core", "events"),
    on(READ, "core", "pods"),
    on("create delete", "core", "pods"),
    on("update patch", "core", "pods/status"),
    on("create", "core", "pods/eviction"),
    on(READ, "core", "secrets configmaps"),
    on("get", "core", "persistentvolumeclaims persistentvolumes"),
    on("get", "core", "endpoints"),
    on("create get list watch", CERTIFICATES, "certificatesigningrequests"),
    on("get create update patch delete", LEASES, "leases"),
    on("get", STORAGE, "volumeattachments"),
    on("create", "core", "serviceaccounts/token"),
    on("get update patch", "core", "persistentvolumeclaims/status"),
    on(READ, STORAGE, "csidrivers"),
    on("get create update patch delete", STORAGE, "csinodes"),
    on(READ, "node.k8s.io", "runtimeclasses"),
    on("get", RESOURCE, "resourceclaims"),
    on("deletecollection", RESOURCE, "resourceslices"),
    on("get list watch create update patch delete", RESOURCE, "resourceslices"),
];

const ADMIN: &[Rule] =
    &[on("create", AUTHORIZATION, "localsubjectaccessreviews"), on(ALL, RBAC, "roles rolebindings")];

const EDIT: &[Rule] = &[
    on(READ, "core", "pods/attach pods/proxy pods/exec pods/portforward secrets services/proxy"),
    on("impersonate", "core", "serviceaccounts"),
    on(WRITE, "core", "pods pods/attach pods/proxy pods/exec pods/portforward"),
    on("create", "core", "pods/eviction"),
    on(
        WRITE,
        "core",
        "replicationcontrollers replicationcontrollers/scale serviceaccounts services services/proxy \
         persistentvolumeclaims configmaps secrets events",
    ),
    on("create", "core", "serviceaccounts/token"),
    on(
        WRITE,
        "apps",
        "statefulsets statefulsets/scale daemonsets deployments deployments/scale deployments/rollback replicasets \
         replicasets/scale",
    ),
    on(WRITE, "autoscaling", "horizontalpodautoscalers"),
    on(WRITE, "batch", "jobs cronjobs"),
    on(
        WRITE,
        "extensions",
        "daemonsets deployments deployments/scale deployments/rollback ingresses replicasets replicasets/scale \
         replicationcontrollers/scale networkpolicies",
    ),
    on(WRITE, "policy", "poddisruptionbudgets"),
    on(WRITE, "networking.k8s.io", "networkpolicies ingresses"),
    on(ALL, LEASES, "leases"),
    on(WRITE, RESOURCE, "resourceclaims resourceclaimtemplates"),
];

const VIEW: &[Rule] = &[
    on(
        READ,
        "core",
        "pods replicationcontrollers replicationcontrollers/scale serviceaccounts services services/status endpoints \
         persistentvolumeclaims persistentvolumeclaims/status configmaps",
    ),
    on(
        READ,
        "core",
        "limitranges resourcequotas bindings events pods/status resourcequotas/status namespaces/status \
         replicationcontrollers/status pods/log",
    ),
    on(READ, "core", "namespaces"),
    on(READ, "discovery.k8s.io", "endpointslices"),
    on(
        READ,
        "apps",
        "controllerrevisions statefulsets statefulsets/status statefulsets/scale daemonsets daemonsets/status \
         deployments deployments/status deployments/scale replicasets replicasets/status replicasets/scale",
    ),
    on(READ, "autoscaling", "horizontalpodautoscalers horizontalpodautoscalers/status"),
    on(READ, "batch", "jobs cronjobs cronjobs/status jobs/status"),
    on(
        READ,
        "extensions",
        "daemonsets daemonsets/status deployments deployments/scale deployments/status ingresses ingresses/status \
         replicasets replicasets/scale replicasets/status replicationcontrollers/scale networkpolicies",
    ),
    on(READ, "policy", "poddisruptionbudgets poddisruptionbudgets/status"),
    on(READ, "networking.k8s.io", "networkpolicies ingresses ingresses/status"),
    on(READ, RESOURCE, "resourceclaims resourceclaims/status resourceclaimtemplates"),
];

const CONTROLLER_MANAGER: &[Rule] = &[
    EVENTS,
    on("create", LEASES, "leases"),
    named("get update", LEASES, "leases", "kube-controller-manager"),
    on("create", "core", "secrets serviceaccounts"),
    on("delete", "core", "secrets"),
    on("get", "core", "namespaces secrets serviceaccounts configmaps"),
    on("update", "core", "secrets serviceaccounts"),
    on("create", AUTHENTICATION, "tokenreviews"),
    on("create", AUTHORIZATION, "subjectaccessreviews"),
    on("list watch", "*", "*"),
    on("create", "core", "serviceaccounts/token"),
];

const SCHEDULER: &[Rule] = &[
    EVENTS,
    on("create", LEASES, "leases"),
    named("get update", LEASES, "leases", "kube-scheduler"),
    on(READ, "core", "nodes"),
    on("get list watch delete", "core", "pods"),
    on("create", "core", "pods/binding bindings"),
    on("patch update", "core", "pods/status"),
    on(READ, "core", "services replicationcontrollers"),
    on(READ, "apps extensions", "replicasets"),
    on(READ, "apps", "statefulsets"),
    on(READ, "policy", "poddisruptionbudgets"),
    on(READ, "core", "persistentvolumeclaims persistentvolumes"),
    on("create", AUTHENTICATION, "tokenreviews"),
    on("create", AUTHORIZATION, "subjectaccessreviews"),
    on(READ, STORAGE, "csinodes"),
    on(READ, "core", "namespaces"),
    on(READ, STORAGE, "csidrivers"),
    on(READ, STORAGE, "csistoragecapacities"),
    on(READ, STORAGE, "volumeattachments"),
    on(READ, RESOURCE, "deviceclasses"),
    on(CHANGE, RESOURCE, "resourceclaims"),
    on(CHANGE, RESOURCE, "resourceclaims/status"),
    on(CHANGE, "core", "pods/finalizers"),
    on(READ, RESOURCE, "resourceslices"),
];

pub(super) const CLUSTER_ROLES: &[Role] = &[
    role("cluster-admin", &[on("*", "*", "*"), Rule { urls: "*", ..on("*", "", "") }]),
    role(
        "system:discovery",
        &[get("/livez /readyz /healthz /version /version/ /openapi /openapi/* /api /api/* /apis /apis/*")],
    ),
    role(
        "system:monitoring",
        &[get("/metrics /metrics/slis /livez /readyz /healthz /livez/* /readyz/* /healthz/*")],
    ),
    role(
        "system:basic-user",
        &[
            on("create", AUTHORIZATION, "selfsubjectaccessreviews selfsubjectrulesreviews"),
            on("create", AUTHENTICATION, "selfsubjectreviews"),
        ],
    ),
    role("system:public-info-viewer", &[get("/livez /readyz /healthz /version /version/")]),
    Role { aggregates: true, ..role("admin", &[]) },
    Role { aggregates: true, aggregated_to: "admin", ..role("edit", &[]) },
    Role { aggregates: true, aggregated_to: "edit", ..role("view", &[]) },
    Role { aggregated_to: "admin", ..role("system:aggregate-to-admin", ADMIN) },
    Role { aggregated_to: "edit", ..role("system:aggregate-to-edit", EDIT) },
    Role { aggregated_to: "view", ..role("system:aggregate-to-view", VIEW) },
    role(
        "system:heapster",
        &[on(READ, "core", "events pods nodes namespaces"), on(READ, "extensions", "deployments")],
    ),
    role("system:node", NODE),
    role(
        "system:node-problem-detector",
        &[on("get", "core", "nodes"), on("patch", "core", "nodes/status"), EVENTS],
    ),
    role(
        "system:kubelet-api-admin",
        &[
            on(READ, "core", "nodes"),
            on("proxy", "core", "nodes"),
            on(
                "*",
                "core",
                "nodes/proxy nodes/metrics nodes/stats nodes/log nodes/configz nodes/healthz nodes/pods",
            ),
        ],
    ),
    role(
        "system:node-bootstrapper",
        &[on("create get list watch", CERTIFICATES, "certificatesigningrequests")],
    ),
    role(
        "system:auth-delegator",
        &[on("create", AUTHENTICATION, "tokenreviews"), on("create", AUTHORIZATION, "subjectaccessreviews")],
    ),
    role("system:kube-aggregator", &[on(READ, "core", "services endpoints")]),
    role("system:kube-controller-manager", CONTROLLER_MANAGER),
    role("system:kube-dns", &[on("list watch", "core", "endpoints services")]),
    role(
        "system:persistent-volume-provisioner",
        &[
            on("get list watch create delete", "core", "persistentvolumes"),
            on("get list watch update", "core", "persistentvolumeclaims"),
            on(READ, STORAGE, "storageclasses"),
            on("watch", "core", "events"),
            EVENTS,
        ],
    ),
    role(
        "system:certificates.k8s.io:certificatesigningrequests:nodeclient",
        &[on("create", CERTIFICATES, "certificatesigningrequests/nodeclient")],
    ),
    role(
        "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient",
        &[on("create", CERTIFICATES, "certificatesigningrequests/selfnodeclient")],
    ),
    role(
        "system:volume-scheduler",
        &[
            on(CHANGE, "core", "persistentvolumes"),
            on(READ, STORAGE, "storageclasses"),
            on(CHANGE, "core", "persistentvolumeclaims"),
        ],
    ),
    role(
        "system:certificates.k8s.io:legacy-unknown-approver",
        &[named("approve", CERTIFICATES, "signers", "kubernetes.io/legacy-unknown")],
    ),
    role(
        "system:certificates.k8s.io:kubelet-serving-approver",
        &[named("approve", CERTIFICATES, "signers", "kubernetes.io/kubelet-serving")],
    ),
    role(
        "system:certificates.k8s.io:kube-apiserver-client-approver",
        &[named("approve", CERTIFICATES, "signers", "kubernetes.io/kube-apiserver-client")],
    ),
    role(
        "system:certificates.k8s.io:kube-apiserver-client-kubelet-approver",
        &[named("approve", CERTIFICATES, "signers", "kubernetes.io/kube-apiserver-client-kubelet")],
    ),
    role(
        "system:service-account-issuer-discovery",
        &[get(
            "/.well-known/openid-configuration /.well-known/openid-configuration/ /openid/v1/jwks /openid/v1/jwks/",
        )],
    ),
    role(
        "system:node-proxier",
        &[
            on("list watch", "core", "services endpoints"),
            on(READ, "core", "nodes"),
            EVENTS,
            on("list watch", "networking.k8s.io", "servicecidrs"),
            on("list watch", "discovery.k8s.io", "endpointslices"),
        ],
    ),
    role("system:kube-scheduler", SCHEDULER),
];

const fn cluster(name: &'static str) -> Binding {
    Binding { namespace: "", name, role: name, users: "", groups: "", accounts: "" }
}

const AUTHENTICATED: &str = "system:authenticated";
const SCHEDULER_USER: &str = "system:kube-scheduler";
const MANAGER_USER: &str = "system:kube-controller-manager";

pub(super) const CLUSTER_BINDINGS: &[Binding] = &[
    Binding { groups: "system:masters", ..cluster("cluster-admin") },
    Binding { groups: "system:monitoring", ..cluster("system:monitoring") },
    Binding { groups: AUTHENTICATED, ..cluster("system:discovery") },
    Binding { groups: AUTHENTICATED, ..cluster("system:basic-user") },
    Binding { groups: AUTHENTICATED, ..cluster("system:public-info-viewer") },
    Binding { users: "system:kube-proxy", ..cluster("system:node-proxier") },
    Binding { users: MANAGER_USER, ..cluster("system:kube-controller-manager") },
    Binding { accounts: "kube-dns", ..cluster("system:kube-dns") },
    Binding { users: SCHEDULER_USER, ..cluster("system:kube-scheduler") },
    Binding { users: SCHEDULER_USER, ..cluster("system:volume-scheduler") },
    // Nobody: nodes are authorized by the Node authorizer.
    cluster("system:node"),
    Binding { groups: "system:serviceaccounts", ..cluster("system:service-account-issuer-discovery") },
];

const SYSTEM: &str = "kube-system";
const PUBLIC: &str = "kube-public";

pub(super) const ROLES: &[Role] = &[
    in_namespace(
        SYSTEM,
        "extension-apiserver-authentication-reader",
        &[named(READ, "core", "configmaps", "extension-apiserver-authentication")],
    ),
    in_namespace(SYSTEM, "system:controller:bootstrap-signer", &[on(READ, "core", "secrets")]),
    in_namespace(
        SYSTEM,
        "system:controller:cloud-provider",
        &[on("create get list watch", "core", "configmaps")],
    ),
    in_namespace(
        SYSTEM,
        "system:controller:token-cleaner",
        &[on("get list watch delete", "core", "secrets"), EVENTS],
    ),
    in_namespace(
        SYSTEM,
        "system::leader-locking-kube-controller-manager",
        &[
            on("watch", "core", "configmaps"),
            named("get update", "core", "configmaps", "kube-controller-manager"),
        ],
    ),
    in_namespace(
        SYSTEM,
        "system::leader-locking-kube-scheduler",
        &[on("watch", "core", "configmaps"), named("get update", "core", "configmaps", "kube-scheduler")],
    ),
    in_namespace(
        PUBLIC,
        "system:controller:bootstrap-signer",
        &[on(READ, "core", "configmaps"), named("update", "core", "configmaps", "cluster-info"), EVENTS],
    ),
];

const fn local(namespace: &'static str, name: &'static str) -> Binding {
    Binding { namespace, ..cluster(name) }
}

pub(super) const BINDINGS: &[Binding] = &[
    Binding {
        role: "extension-apiserver-authentication-reader",
        users: "system:kube-controller-manager system:kube-scheduler",
        ..local(SYSTEM, "system::extension-apiserver-authentication-reader")
    },
    Binding {
        users: MANAGER_USER,
        accounts: "kube-controller-manager",
        ..local(SYSTEM, "system::leader-locking-kube-controller-manager")
    },
    Binding {
        users: SCHEDULER_USER,
        accounts: "kube-scheduler",
        ..local(SYSTEM, "system::leader-locking-kube-scheduler")
    },
    Binding { accounts: "bootstrap-signer", ..local(SYSTEM, "system:controller:bootstrap-signer") },
    Binding { accounts: "cloud-provider", ..local(SYSTEM, "system:controller:cloud-provider") },
    Binding { accounts: "token-cleaner", ..local(SYSTEM, "system:controller:token-cleaner") },
    Binding { accounts: "bootstrap-signer", ..local(PUBLIC, "system:controller:bootstrap-signer") },
];
