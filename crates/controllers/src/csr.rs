//! Certificate signing requests: approves those of kubelets, signs what is approved, clears away
//! what is old.
//!
//! ```text
//! request --approve (SubjectAccessReview, node addresses)--> Approved --sign (cluster CA)--> certificate
//!        \--------------------------- clean (an hour, a day) ---------------------------> gone
//! ```
//!
//! Invariants: what is approved is decided by the user's rights and, for serving certificates, by
//! the addresses of the user's own node; a signature covers only what the signer's name allows.
//! Source: KEP-1513, the documented signers and the behaviour of the 1.36 controllers. Ours: serving
//! certificates of kubelets are approved when they name nothing but their node.

use std::sync::Arc;

use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use k8s_openapi::api::certificates::v1::{CertificateSigningRequest, CertificateSigningRequestCondition};
use k8s_openapi::api::core::v1::Node;
use kube::Api;
use kube::api::PostParams;

use crate::informer::{Informer, Key, Watched};
use crate::queue::Queue;
use crate::{Context, Error, Shutdown, run as run_plans, run_with};

pub mod approve;
pub mod clean;
mod request;
pub mod sign;

pub use request::{Request, RequestError};

/// The signer of client certificates.
pub const CLIENT: &str = "kubernetes.io/kube-apiserver-client";
/// The signer of kubelets' client certificates.
pub const KUBELET_CLIENT: &str = "kubernetes.io/kube-apiserver-client-kubelet";
/// The signer of kubelets' serving certificates.
pub const KUBELET_SERVING: &str = "kubernetes.io/kubelet-serving";
/// The signer that asks no questions.
pub const LEGACY: &str = "kubernetes.io/legacy-unknown";

fn condition<'a>(
    csr: &'a CertificateSigningRequest,
    kind: &str,
) -> Option<&'a CertificateSigningRequestCondition> {
    csr.status.as_ref()?.conditions.as_ref()?.iter().find(|condition| condition.type_ == kind)
}

fn certificate(csr: &CertificateSigningRequest) -> Option<&[u8]> {
    let certificate = csr.status.as_ref()?.certificate.as_ref()?;
    (!certificate.0.is_empty()).then_some(&*certificate.0)
}

/// Approves requests until `shutdown`.
pub async fn run_approver(
    context: Context,
    csrs: Informer<CertificateSigningRequest>,
    nodes: Informer<Node>,
    shutdown: Shutdown,
) {
    let queue = Queue::default();
    wake(&queue, &csrs);
    let (keys, pending) = (queue.clone(), csrs.clone());
    nodes.subscribe(move |change| {
        let addresses = |node: &Node| node.status.as_ref().and_then(|status| status.addresses.clone());
        if change.old.map(addresses) != change.new.map(addresses) {
            let serving = |csr: &Arc<CertificateSigningRequest>| csr.spec.signer_name == KUBELET_SERVING;
            pending.all().iter().filter(|csr| serving(csr)).for_each(|csr| keys.add(Key::of(&**csr)));
        }
    });
    let watched: Vec<Arc<dyn Watched>> = vec![Arc::new(csrs.clone()), Arc::new(nodes.clone())];
    let context = context.named("csrapproving");
    run_with(context, watched, queue, shutdown, move |context, gate, key| {
        let (csrs, nodes) = (csrs.clone(), nodes.clone());
        Box::pin(async move {
            let Some(csr) = csrs.get(&key) else { return Ok(None) };
            let user = csr.spec.username.as_deref().unwrap_or_default();
            let node = user.strip_prefix(request::NODE_USER).and_then(|name| nodes.get(&Key::new("", name)));
            let grounds = approve::grounds(&csr, node.as_deref());
            let mut granted = None;
            for ground in &grounds {
                if may(&context, &csr, ground.subresource()).await? {
                    granted = Some(*ground);
                    break;
                }
            }
            if granted.is_none() && !grounds.is_empty() {
                let reason = "no rule allows its user to have it approved".to_owned();
                return Err(Error::Invalid { target: key, reason });
            }
            let plan = approve::plan(&csr, granted, context.now());
            context.carry_out(&gate, &key, &plan).await?;
            Ok(None)
        })
    })
    .await;
}

/// Asks whether the request's user may `create` this subresource; without one no right is needed.
async fn may(
    context: &Context,
    csr: &CertificateSigningRequest,
    subresource: Option<&str>,
) -> Result<bool, Error> {
    let Some(subresource) = subresource else { return Ok(true) };
    let review = SubjectAccessReview {
        spec: SubjectAccessReviewSpec {
            user: csr.spec.username.clone(),
            uid: csr.spec.uid.clone(),
            groups: csr.spec.groups.clone(),
            extra: csr.spec.extra.clone(),
            resource_attributes: Some(ResourceAttributes {
                group: Some("certificates.k8s.io".into()),
                resource: Some("certificatesigningrequests".into()),
                verb: Some("create".into()),
                subresource: Some(subresource.into()),
                version: Some("*".into()),
                ..ResourceAttributes::default()
            }),
            ..SubjectAccessReviewSpec::default()
        },
        ..SubjectAccessReview::default()
    };
    let answer = Api::all(context.client.clone()).create(&PostParams::default(), &review).await?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}

/// Signs what is approved until `shutdown`; `serial` gives random numbers.
pub async fn run_signer(
    context: Context,
    authority: sign::Authority,
    serial: impl Fn() -> [u8; 16] + Send + Sync + 'static,
    csrs: Informer<CertificateSigningRequest>,
    shutdown: Shutdown,
) {
    let queue = Queue::default();
    wake(&queue, &csrs);
    let watched: Vec<Arc<dyn Watched>> = vec![Arc::new(csrs.clone())];
    run_plans(context.named("csrsigning"), watched, queue, shutdown, move |key, now| {
        let Some(csr) = csrs.get(key) else { return Ok(None) };
        Ok(Some(sign::plan(&csr, &authority, serial(), now)))
    })
    .await;
}

/// Deletes old requests until `shutdown`.
pub async fn run_cleaner(context: Context, csrs: Informer<CertificateSigningRequest>, shutdown: Shutdown) {
    let queue = Queue::default();
    wake(&queue, &csrs);
    let watched: Vec<Arc<dyn Watched>> = vec![Arc::new(csrs.clone())];
    run_plans(context.named("csrcleaner"), watched, queue, shutdown, move |key, now| {
        Ok(csrs.get(key).map(|csr| clean::plan(&csr, now)))
    })
    .await;
}

fn wake(queue: &Queue<Key>, csrs: &Informer<CertificateSigningRequest>) {
    let keys = queue.clone();
    csrs.subscribe(move |change| keys.add(change.last().map(Key::of).unwrap_or_default()));
}

#[cfg(test)]
mod tests;
