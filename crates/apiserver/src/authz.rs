//! Whether a user may do what a request asks for.

use api::gvk::GroupResource;
use api::status::{Attributes, Status};

use crate::authn::{MASTERS, User};
use crate::request::RequestInfo;

/// What one authorizer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// The request is allowed.
    Allow,
    /// The request is refused, whatever later authorizers would say.
    Deny(String),
    /// Somebody else has to decide; the text says why this one did not.
    NoOpinion(String),
}

/// Decides from state in memory; never waits.
pub trait Authorizer: Send + Sync {
    /// Decides about one request.
    fn authorize(&self, user: &User, info: &RequestInfo) -> Decision;
}

/// Allows everything to `system:masters`, as Kubernetes' privileged group.
#[derive(Debug, Default)]
pub struct Masters;

impl Authorizer for Masters {
    fn authorize(&self, user: &User, _info: &RequestInfo) -> Decision {
        if user.is_member(MASTERS) { Decision::Allow } else { Decision::NoOpinion(String::new()) }
    }
}

/// Asks authorizers in order; the first that decides wins, and nobody deciding is a refusal.
pub struct Chain(pub Vec<Box<dyn Authorizer>>);

impl Authorizer for Chain {
    fn authorize(&self, user: &User, info: &RequestInfo) -> Decision {
        let mut reasons = Vec::new();
        for authorizer in &self.0 {
            match authorizer.authorize(user, info) {
                Decision::NoOpinion(reason) if reason.is_empty() => {}
                Decision::NoOpinion(reason) => reasons.push(reason),
                decided => return decided,
            }
        }
        Decision::NoOpinion(reasons.join("\n"))
    }
}

/// A 403 unless the decision is [`Decision::Allow`].
///
/// # Errors
/// The refusal, as Kubernetes words it.
pub fn require(decision: Decision, user: &User, info: &RequestInfo) -> Result<(), Status> {
    match decision {
        Decision::Allow => Ok(()),
        Decision::Deny(reason) | Decision::NoOpinion(reason) => Err(refusal(user, info, &reason)),
    }
}

fn refusal(user: &User, info: &RequestInfo, reason: &str) -> Status {
    let none = crate::request::ResourceInfo::default();
    let asked = info.resource.as_ref().unwrap_or(&none);
    let resource = GroupResource::new(asked.group.clone(), asked.resource.clone());
    let attributes = Attributes {
        user: &user.name,
        verb: info.verb,
        resource: &resource,
        subresource: &asked.subresource,
        name: &asked.name,
        namespace: &asked.namespace,
        path: &info.path,
    };
    Status::forbidden(&attributes, reason)
}
