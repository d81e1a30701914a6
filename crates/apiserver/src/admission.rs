//! The admission chain: what may still change or refuse a request that is authorized.
//!
//! Mutating plugins run before defaulting and validation of the strategy, validating ones after it,
//! each in the order of the chain (reference: Kubernetes' recommended plugin order).

use std::fmt::Display;
use std::sync::Arc;

use api::kinds::Resource;
use api::status::Status;
use futures::future::BoxFuture;
use serde_json::Value;

use crate::authn::User;
use crate::cache::WatchCache;
use crate::storage::Storage;

pub mod defaultclass;
pub mod inuse;
pub mod lifecycle;
pub mod lookup;
pub mod priority;
pub mod resize;
pub mod runtimeclass;
pub mod subject;
pub mod taint;
pub mod toleration;

pub mod escalation;
pub mod serviceaccount;

/// What is done to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// It is created.
    Create,
    /// It is changed, by PUT, PATCH or a subresource.
    Update,
    /// It is deleted.
    Delete,
    /// A connection to it is opened (exec, attach, port-forward, proxy).
    Connect,
}

/// One request as plugins see it.
pub struct Attributes<'a> {
    /// Who asks.
    pub user: &'a User,
    /// What is done.
    pub operation: Operation,
    /// The resource.
    pub resource: &'a Resource,
    /// The subresource, or empty.
    pub subresource: &'a str,
    /// The namespace, or empty.
    pub namespace: &'a str,
    /// The object's name, empty while it is still to be generated.
    pub name: &'a str,
    /// The object as it will be; `Null` for a deletion.
    pub object: &'a mut Value,
    /// The object as it is, for updates and deletions.
    pub old: Option<&'a Value>,
    /// Whether nothing will be stored.
    pub dry_run: bool,
    /// Warnings for the client.
    pub warnings: &'a mut Vec<String>,
}

impl Attributes<'_> {
    /// Whether the request is about this resource itself, not a subresource.
    pub fn is(&self, group: &str, plural: &str) -> bool {
        self.resource.group == group && self.resource.plural == plural && self.subresource.is_empty()
    }

    /// 403 for a reason of the plugin's.
    pub fn forbidden(&self, why: impl Display) -> Status {
        Status::forbidden_because(&self.resource.group_resource(), self.name, why)
    }
}

/// One plugin. The default of each half does nothing.
pub trait Plugin: Send + Sync {
    /// The name Kubernetes gives to this plugin.
    fn name(&self) -> &'static str;

    /// Changes the object, or refuses the request.
    fn admit<'a>(&'a self, _attributes: &'a mut Attributes<'_>) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(async { Ok(()) })
    }

    /// Refuses the request, or not.
    fn validate<'a>(&'a self, _attributes: &'a mut Attributes<'_>) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(async { Ok(()) })
    }
}

/// What plugins are made of.
#[derive(Clone)]
pub struct Deps {
    /// The watch cache.
    pub cache: Arc<WatchCache>,
    /// The store under it.
    pub storage: Storage,
}

/// The plugins that are always on, in Kubernetes' order (reference 5.4).
pub fn default_plugins(deps: &Deps) -> Vec<Box<dyn Plugin>> {
    let lookup = || lookup::Lookup::new(Arc::clone(&deps.cache), deps.storage.clone());
    vec![
        Box::new(lifecycle::NamespaceLifecycle::new(lookup())),
        // LimitRanger
        // ServiceAccount
        // NodeRestriction
        Box::new(taint::TaintNodesByCondition),
        // PodSecurity
        Box::new(priority::Priority::new(lookup())),
        Box::new(toleration::DefaultTolerationSeconds),
        Box::new(defaultclass::DefaultClass::storage(lookup())),
        Box::new(inuse::StorageObjectInUseProtection),
        Box::new(resize::PersistentVolumeClaimResize::new(lookup())),
        Box::new(runtimeclass::RuntimeClass::new(lookup())),
        // CertificateApproval, CertificateSigning
        Box::new(subject::CertificateSubjectRestriction),
        Box::new(defaultclass::DefaultClass::ingress(lookup())),
        // Escalation checks of RBAC objects, then webhooks, then ResourceQuota as the last
    ]
}

/// The plugins in order.
#[derive(Clone, Default)]
pub struct Chain(pub Arc<[Box<dyn Plugin>]>);

impl Chain {
    /// A chain of plugins.
    pub fn new(plugins: Vec<Box<dyn Plugin>>) -> Self {
        Self(plugins.into())
    }

    /// Runs the mutating halves.
    ///
    /// # Errors
    /// The first refusal.
    pub async fn admit(&self, attributes: &mut Attributes<'_>) -> Result<(), Status> {
        for plugin in self.0.iter() {
            plugin.admit(attributes).await?;
        }
        Ok(())
    }

    /// Runs the validating halves.
    ///
    /// # Errors
    /// The first refusal.
    pub async fn validate(&self, attributes: &mut Attributes<'_>) -> Result<(), Status> {
        for plugin in self.0.iter() {
            plugin.validate(attributes).await?;
        }
        Ok(())
    }
}
