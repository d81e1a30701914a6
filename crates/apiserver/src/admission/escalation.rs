//! Nobody grants what he does not hold: the checks of Roles and bindings.
//!
//! Kubernetes makes them in the registry of these kinds, after mutating admission and before validation;
//! so this plugin belongs at the end of the mutating half. Members of `system:masters` are not checked.
//!
//! - A Role or ClusterRole needs all its rules, or the verb `escalate` on it; an aggregation rule needs
//!   everything.
//! - A binding needs all rules of its role, or the verb `bind` on the role.

use std::sync::Arc;

use api::meta;
use api::status::Status;
use futures::future::BoxFuture;
use serde::Deserialize;
use serde_json::Value;

use super::{Attributes, Operation, Plugin};
use crate::authn::MASTERS;
use crate::authz::rbac::index::RoleRef;
use crate::authz::rbac::{GROUP, Rbac};
use crate::authz::rule::Rule;
use crate::authz::{Action, Authorizer};
use crate::request::ResourceInfo;

/// The plugin.
pub struct Escalation {
    rbac: Arc<Rbac>,
    authorizer: Arc<dyn Authorizer>,
}

impl Escalation {
    /// Checks against the rules that `rbac` knows; `authorizer` decides about `escalate` and `bind`.
    pub fn new(rbac: Arc<Rbac>, authorizer: Arc<dyn Authorizer>) -> Self {
        Self { rbac, authorizer }
    }

    fn check(&self, attributes: &Attributes<'_>) -> Result<(), Status> {
        let written = matches!(attributes.operation, Operation::Create | Operation::Update);
        if attributes.resource.group != GROUP || !written || attributes.user.is_member(MASTERS) {
            return Ok(());
        }
        if attributes.old.is_some_and(|old| differs_for_collector_only(attributes.object, old)) {
            return Ok(());
        }
        match &*attributes.resource.plural {
            "roles" => self.role(attributes),
            "clusterroles" => self.cluster_role(attributes),
            _ => self.binding(attributes),
        }
    }

    fn role(&self, attributes: &Attributes<'_>) -> Result<(), Status> {
        let name = if attributes.operation == Operation::Create { "" } else { attributes.name };
        let plural = &attributes.resource.plural;
        if self.may(attributes, "escalate", plural, name) {
            return Ok(());
        }
        let rules: Vec<Rule> = read(attributes.object.get("rules"));
        self.confirm(attributes, &rules)
    }

    fn cluster_role(&self, attributes: &Attributes<'_>) -> Result<(), Status> {
        let name = if attributes.operation == Operation::Create { "" } else { attributes.name };
        if self.may(attributes, "escalate", "clusterroles", name) {
            return Ok(());
        }
        let rules: Vec<Rule> = read(attributes.object.get("rules"));
        self.confirm(attributes, &rules)?;
        let aggregates = |role: &Value| {
            role.pointer("/aggregationRule/clusterRoleSelectors")
                .and_then(Value::as_array)
                .is_some_and(|s| !s.is_empty())
        };
        if !aggregates(attributes.object) && !attributes.old.is_some_and(aggregates) {
            return Ok(());
        }
        self.confirm(attributes, &Rule::everything()).map_err(|_| {
            forbidden(attributes, "must have cluster-admin privileges to use the aggregationRule")
        })
    }

    fn binding(&self, attributes: &Attributes<'_>) -> Result<(), Status> {
        let role: RoleRef = read(attributes.object.get("roleRef"));
        let plural = match role.kind.as_str() {
            "Role" => "roles",
            "ClusterRole" => "clusterroles",
            // Validation refuses it.
            _ => return Ok(()),
        };
        if self.may(attributes, "bind", plural, &role.name) {
            return Ok(());
        }
        let rules = self.rbac.resolve(&role, attributes.namespace).map_err(|why| {
            let kind = api::gvk::GroupResource::new(GROUP, role.kind.to_lowercase());
            let mut status = Status::not_found(&kind, &role.name);
            status.message = why;
            status
        })?;
        self.confirm(attributes, &rules)
    }

    fn may(&self, attributes: &Attributes<'_>, verb: &str, plural: &str, name: &str) -> bool {
        let asked = ResourceInfo {
            group: GROUP.to_owned(),
            version: "v1".to_owned(),
            resource: plural.to_owned(),
            namespace: attributes.namespace.to_owned(),
            name: name.to_owned(),
            ..ResourceInfo::default()
        };
        self.authorizer.authorize(attributes.user, &Action::on(verb, &asked)).is_allowed()
    }

    fn confirm(&self, attributes: &Attributes<'_>, rules: &[Rule]) -> Result<(), Status> {
        let confirmed = self.rbac.confirm_no_escalation(attributes.user, attributes.namespace, rules);
        confirmed.map_err(|why| forbidden(attributes, &why))
    }
}

impl Plugin for Escalation {
    fn name(&self) -> &'static str {
        "RBACEscalation"
    }

    fn admit<'a>(&'a self, attributes: &'a mut Attributes<'_>) -> BoxFuture<'a, Result<(), Status>> {
        let checked = self.check(attributes);
        Box::pin(async { checked })
    }
}

fn forbidden(attributes: &Attributes<'_>, why: &str) -> Status {
    Status::forbidden_because(&attributes.resource.group_resource(), meta::name(attributes.object), why)
}

/// A part of an object; what cannot be read is empty, and validation refuses it afterwards.
fn read<T: Default + for<'de> Deserialize<'de>>(value: Option<&Value>) -> T {
    value.and_then(|value| T::deserialize(value).ok()).unwrap_or_default()
}

/// Whether only what the garbage collector changes has changed.
fn differs_for_collector_only(new: &Value, old: &Value) -> bool {
    let stripped = |object: &Value| {
        let mut object = object.clone();
        for field in ["finalizers", "ownerReferences", "managedFields", "resourceVersion"] {
            meta::remove(&mut object, field);
        }
        object
    };
    stripped(new) == stripped(old)
}
