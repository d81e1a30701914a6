//! Who may do what: `rbac.authorization.k8s.io`, `authentication.k8s.io`, `authorization.k8s.io` and
//! `certificates.k8s.io`.

use super::Verbs;
use super::row::{CLUSTER, Field, GroupRows, NAMESPACED, Row, STATUS, Sub};

pub(super) const RBAC: GroupRows = GroupRows {
    name: "rbac.authorization.k8s.io",
    priority: 17000,
    definitions: "io.k8s.api.rbac",
    rows: &[
        Row { plural: "clusterrolebindings", kind: "ClusterRoleBinding", ..CLUSTER },
        Row { plural: "clusterroles", kind: "ClusterRole", ..CLUSTER },
        Row { plural: "rolebindings", kind: "RoleBinding", ..NAMESPACED },
        Row { plural: "roles", kind: "Role", ..NAMESPACED },
    ],
};

/// A question to the server: created, answered, not kept.
const REVIEW: Row = Row { verbs: Verbs::CREATE, ..CLUSTER };

pub(super) const AUTHENTICATION: GroupRows = GroupRows {
    name: "authentication.k8s.io",
    priority: 17700,
    definitions: "io.k8s.api.authentication",
    rows: &[
        Row { plural: "selfsubjectreviews", kind: "SelfSubjectReview", ..REVIEW },
        Row { plural: "tokenreviews", kind: "TokenReview", ..REVIEW },
    ],
};

pub(super) const AUTHORIZATION: GroupRows = GroupRows {
    name: "authorization.k8s.io",
    priority: 17600,
    definitions: "io.k8s.api.authorization",
    rows: &[
        Row {
            plural: "localsubjectaccessreviews",
            kind: "LocalSubjectAccessReview",
            verbs: Verbs::CREATE,
            ..NAMESPACED
        },
        Row { plural: "selfsubjectaccessreviews", kind: "SelfSubjectAccessReview", ..REVIEW },
        Row { plural: "selfsubjectrulesreviews", kind: "SelfSubjectRulesReview", ..REVIEW },
        Row { plural: "subjectaccessreviews", kind: "SubjectAccessReview", ..REVIEW },
    ],
};

pub(super) const CERTIFICATES: GroupRows = GroupRows {
    name: "certificates.k8s.io",
    priority: 17300,
    definitions: "io.k8s.api.certificates",
    rows: &[Row {
        plural: "certificatesigningrequests",
        kind: "CertificateSigningRequest",
        short: &["csr"],
        subresources: &[Sub::own("approval", Verbs::MODIFY), STATUS],
        selectable: &[Field::path(&["spec.signerName"])],
        ..CLUSTER
    }],
};
