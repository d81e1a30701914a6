//! NamespaceLifecycle: nothing is made in a namespace that is absent or being deleted.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use api::gvk::GroupResource;
use api::meta;
use api::status::{Cause, Status};
use futures::future::BoxFuture;
use serde_json::Value;

use super::lookup::Lookup;
use super::{Attributes, Operation, Plugin};
use crate::storage::Place;

const NAMESPACES: &str = "core/namespaces";
const IMMORTAL: [&str; 3] = ["default", "kube-system", "kube-public"];

/// The plugin.
pub struct NamespaceLifecycle {
    lookup: Lookup,
    /// Namespaces whose deletion has been asked for: the cache may not know it yet.
    deleted: Mutex<HashSet<String>>,
}

impl NamespaceLifecycle {
    /// A plugin that reads namespaces from `lookup`.
    pub fn new(lookup: Lookup) -> Self {
        Self { lookup, deleted: Mutex::default() }
    }

    fn deleted(&self) -> MutexGuard<'_, HashSet<String>> {
        self.deleted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn namespace_itself(&self, attributes: &Attributes<'_>) -> Result<(), Status> {
        if attributes.operation != Operation::Delete {
            return Ok(());
        }
        if IMMORTAL.contains(&attributes.name) {
            return Err(attributes.forbidden("this namespace may not be deleted"));
        }
        if !attributes.dry_run {
            self.deleted().insert(attributes.name.to_owned());
        }
        Ok(())
    }

    /// The namespace: from the cache while it lives there and nobody has asked for its deletion.
    async fn namespace(&self, name: &str) -> Result<Option<Value>, Status> {
        let place = Place { prefix: NAMESPACES, key: name };
        match self.lookup.cached(place).filter(|namespace| !is_terminating(namespace)) {
            Some(namespace) if !self.deleted().contains(name) => Ok(Some(namespace)),
            Some(_) => self.lookup.live(place).await,
            None => {
                // The cache has seen the deletion, or never knew the namespace: the store decides.
                self.deleted().remove(name);
                self.lookup.live(place).await
            }
        }
    }

    async fn content(&self, attributes: &Attributes<'_>) -> Result<(), Status> {
        let resource = GroupResource { group: "".into(), resource: "namespaces".into() };
        let namespace = self
            .namespace(attributes.namespace)
            .await?
            .ok_or_else(|| Status::not_found(&resource, attributes.namespace))?;
        if attributes.operation == Operation::Create && is_terminating(&namespace) {
            return Err(terminating(attributes));
        }
        Ok(())
    }
}

fn is_terminating(namespace: &Value) -> bool {
    meta::text(namespace, "status.phase") == "Terminating"
}

fn terminating(attributes: &Attributes<'_>) -> Status {
    let namespace = attributes.namespace;
    let why = format!("unable to create new content in namespace {namespace} because it is being terminated");
    let mut status = attributes.forbidden(why);
    if let Some(details) = &mut status.details {
        details.causes.push(Cause {
            reason: "NamespaceTerminating".into(),
            message: format!("namespace {namespace} is being terminated"),
            field: "metadata.namespace".into(),
        });
    }
    status
}

fn is_access_review(attributes: &Attributes<'_>) -> bool {
    attributes.resource.group == "authorization.k8s.io"
        && attributes.resource.plural == "localsubjectaccessreviews"
}

impl Plugin for NamespaceLifecycle {
    fn name(&self) -> &'static str {
        "NamespaceLifecycle"
    }

    fn admit<'a>(&'a self, attributes: &'a mut Attributes<'_>) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(async move {
            let resource = attributes.resource;
            if resource.group.is_empty() && resource.kind == "Namespace" {
                return self.namespace_itself(attributes);
            }
            let free = attributes.namespace.is_empty()
                || attributes.operation == Operation::Delete
                || is_access_review(attributes);
            if free { Ok(()) } else { self.content(attributes).await }
        })
    }
}
