//! Which requests may be approved, and on what grounds.

use k8s_openapi::api::certificates::v1::{CertificateSigningRequest, CertificateSigningRequestCondition};
use k8s_openapi::api::core::v1::Node;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use serde_json::json;

use super::request::NODE_USER;
use super::{KUBELET_CLIENT, KUBELET_SERVING, Request, certificate, condition};
use crate::plan::{Action, Form, Plan, Target};

/// Why a request may be approved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ground {
    /// A node renews its own client certificate.
    SelfNodeClient,
    /// Somebody, such as a bootstrap token's user, asks for a node's client certificate.
    NodeClient,
    /// A node asks for a serving certificate of its own addresses.
    NodeServing,
}

impl Ground {
    /// The subresource that the user must be allowed to create; none where no right is needed.
    pub fn subresource(self) -> Option<&'static str> {
        match self {
            Self::SelfNodeClient => Some("selfnodeclient"),
            Self::NodeClient => Some("nodeclient"),
            Self::NodeServing => None,
        }
    }

    fn message(self) -> &'static str {
        match self {
            Self::SelfNodeClient => {
                "Auto approving self kubelet client certificate after SubjectAccessReview."
            }
            Self::NodeClient => "Auto approving kubelet client certificate after SubjectAccessReview.",
            Self::NodeServing => "Auto approving kubelet serving certificate of the node's own addresses.",
        }
    }
}

/// The grounds on which the request may be approved, the strongest first; `node` is the node that
/// the request's user is.
pub fn grounds(csr: &CertificateSigningRequest, node: Option<&Node>) -> Vec<Ground> {
    let decided = condition(csr, "Approved").or_else(|| condition(csr, "Denied")).is_some();
    if decided || certificate(csr).is_some() {
        return Vec::new();
    }
    let Ok(request) = Request::parse(&csr.spec.request.0) else { return Vec::new() };
    if request.validate(&csr.spec).is_err() {
        return Vec::new();
    }
    let own = csr.spec.username.as_deref() == Some(&request.common_name);
    match csr.spec.signer_name.as_str() {
        KUBELET_CLIENT if own => vec![Ground::SelfNodeClient, Ground::NodeClient],
        KUBELET_CLIENT => vec![Ground::NodeClient],
        KUBELET_SERVING if own && node.is_some_and(|node| names_only(&request, node)) => {
            vec![Ground::NodeServing]
        }
        _ => Vec::new(),
    }
}

/// Whether all alternative names are addresses of the node, which the request's subject names.
fn names_only(request: &Request, node: &Node) -> bool {
    let known: Vec<&str> = node
        .status
        .iter()
        .flat_map(|status| status.addresses.iter().flatten())
        .map(|address| address.address.as_str())
        .collect();
    let host = |host: &String| known.iter().any(|known| known.eq_ignore_ascii_case(host));
    let address = |wanted: &std::net::IpAddr| {
        known.iter().any(|known| known.parse().is_ok_and(|known: std::net::IpAddr| known == *wanted))
    };
    request.common_name.strip_prefix(NODE_USER) == node.metadata.name.as_deref()
        && request.hosts.iter().all(host)
        && request.addresses.iter().all(address)
}

/// Approves the request, where there is a ground.
pub fn plan(csr: &CertificateSigningRequest, ground: Option<Ground>, now: Timestamp) -> Plan {
    let mut plan = Plan::default();
    let approval = ground.map(|ground| CertificateSigningRequestCondition {
        type_: "Approved".into(),
        status: "True".into(),
        reason: Some("AutoApproved".into()),
        message: Some(ground.message().into()),
        last_update_time: Some(Time(now)),
        last_transition_time: Some(Time(now)),
    });
    plan.then(approval.map(|approval| add(csr, approval, "approval")).into_iter().collect());
    plan
}

/// Adds a condition through a subresource. The list is sent whole, so the revision is a precondition.
pub(super) fn add(
    csr: &CertificateSigningRequest,
    condition: CertificateSigningRequestCondition,
    subresource: &'static str,
) -> Action {
    let mut conditions = csr.status.as_ref().and_then(|status| status.conditions.clone()).unwrap_or_default();
    conditions.push(condition);
    let meta = json!({ "uid": csr.metadata.uid, "resourceVersion": csr.metadata.resource_version });
    let body = json!({ "metadata": meta, "status": { "conditions": conditions } });
    Action::patch(Target::of(csr), subresource, Form::Merge, body)
}
