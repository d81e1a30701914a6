//! Whether a user may do what a request asks for.
//!
//! ```text
//! Action ── Chain ── Node (kubelets) ── Masters ── Rbac ──> Decision
//! ```
//!
//! Authorizers decide from the watch cache alone and never wait: a decision costs microseconds, since
//! every request needs one.

use std::sync::Arc;

use api::gvk::GroupResource;
use api::status::{Attributes, Status};

use crate::authn::{MASTERS, User};
use crate::request::{Query, RequestInfo, ResourceInfo};

#[cfg(test)]
pub(crate) mod cluster;
pub mod node;
pub mod rbac;
pub mod rule;

use rule::Rule;

/// What one authorizer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// The request is allowed; the text says by what, or is empty.
    Allow(String),
    /// The request is refused, whatever later authorizers would say.
    Deny(String),
    /// Somebody else has to decide; the text says why this one did not.
    NoOpinion(String),
}

impl Decision {
    /// Whether the request is allowed.
    pub fn is_allowed(&self) -> bool {
        matches!(self, Self::Allow(_))
    }
}

/// What somebody wants to do, as authorizers see it.
#[derive(Debug, Clone, Copy)]
pub struct Action<'a> {
    /// A verb of the API, or one that only authorization knows (`bind`, `impersonate`, `approve`).
    pub verb: &'a str,
    /// The path of a request for no resource.
    pub path: &'a str,
    /// The resource, if it is one.
    pub resource: Option<&'a ResourceInfo>,
    /// The field selector of a list, a watch or a deletion of several, as typed.
    pub field_selector: &'a str,
}

impl<'a> Action<'a> {
    /// What a request asks for.
    pub fn of(info: &'a RequestInfo, query: &'a Query) -> Self {
        let (path, resource) = (&info.path, info.resource.as_ref());
        Self { verb: info.verb, path, resource, field_selector: &query.field_selector }
    }

    /// A verb on a resource.
    pub fn on(verb: &'a str, resource: &'a ResourceInfo) -> Self {
        Self { verb, path: "", resource: Some(resource), field_selector: "" }
    }

    /// The namespace, empty at the cluster scope.
    pub fn namespace(&self) -> &'a str {
        self.resource.map_or("", |resource| &resource.namespace)
    }
}

/// What a user is known to be allowed, as a SelfSubjectRulesReview shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// The rules, in no order that means something.
    pub rules: Vec<Rule>,
    /// Whether the user may do more than the rules say.
    pub incomplete: bool,
    /// Why rules may be missing.
    pub faults: Vec<String>,
}

/// Decides from state in memory; never waits.
pub trait Authorizer: Send + Sync {
    /// Decides about one action.
    fn authorize(&self, user: &User, action: &Action<'_>) -> Decision;

    /// What the user may do in a namespace, as far as this authorizer can list it.
    fn known(&self, _user: &User, _namespace: &str) -> Known {
        Known::default()
    }
}

impl<A: Authorizer + ?Sized> Authorizer for Arc<A> {
    fn authorize(&self, user: &User, action: &Action<'_>) -> Decision {
        (**self).authorize(user, action)
    }

    fn known(&self, user: &User, namespace: &str) -> Known {
        (**self).known(user, namespace)
    }
}

/// Allows everything to `system:masters`, as Kubernetes' privileged group.
#[derive(Debug, Default)]
pub struct Masters;

impl Authorizer for Masters {
    fn authorize(&self, user: &User, _action: &Action<'_>) -> Decision {
        let nothing = String::new();
        if user.is_member(MASTERS) { Decision::Allow(nothing) } else { Decision::NoOpinion(nothing) }
    }
}

/// Asks authorizers in order; the first that decides wins, and nobody deciding is a refusal.
pub struct Chain(pub Vec<Box<dyn Authorizer>>);

impl Authorizer for Chain {
    fn authorize(&self, user: &User, action: &Action<'_>) -> Decision {
        let mut reasons = Vec::new();
        for authorizer in &self.0 {
            match authorizer.authorize(user, action) {
                Decision::NoOpinion(reason) if reason.is_empty() => {}
                Decision::NoOpinion(reason) => reasons.push(reason),
                decided => return decided,
            }
        }
        Decision::NoOpinion(reasons.join("\n"))
    }

    fn known(&self, user: &User, namespace: &str) -> Known {
        let mut all = Known::default();
        for known in self.0.iter().map(|authorizer| authorizer.known(user, namespace)) {
            all.rules.extend(known.rules);
            all.faults.extend(known.faults);
            all.incomplete |= known.incomplete;
        }
        all
    }
}

/// A 403 unless the action is allowed.
///
/// # Errors
/// The refusal, as Kubernetes words it.
pub fn require(authorizer: &dyn Authorizer, user: &User, action: &Action<'_>) -> Result<(), Status> {
    match authorizer.authorize(user, action) {
        Decision::Allow(_) => Ok(()),
        Decision::Deny(reason) | Decision::NoOpinion(reason) => Err(refusal(user, action, &reason)),
    }
}

fn refusal(user: &User, action: &Action<'_>, reason: &str) -> Status {
    let none = ResourceInfo::default();
    let asked = action.resource.unwrap_or(&none);
    let resource = GroupResource::new(asked.group.clone(), asked.resource.clone());
    let attributes = Attributes {
        user: &user.name,
        verb: action.verb,
        resource: &resource,
        subresource: &asked.subresource,
        name: &asked.name,
        namespace: &asked.namespace,
        path: action.path,
    };
    Status::forbidden(&attributes, reason)
}
