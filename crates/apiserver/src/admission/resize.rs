//! PersistentVolumeClaimResize: a claim grows only where its class says that volumes can.

use api::meta;
use api::quantity::Quantity;
use api::status::Status;
use futures::future::BoxFuture;
use serde_json::Value;

use super::lookup::Lookup;
use super::{Attributes, Operation, Plugin};
use crate::storage::Place;

const CLASSES: &str = "storage.k8s.io/storageclasses";
const CLASS_ANNOTATION: &str = "volume.beta.kubernetes.io/storage-class";

/// The plugin.
pub struct PersistentVolumeClaimResize {
    lookup: Lookup,
}

fn size(claim: &Value) -> Quantity {
    Quantity::from_value(&claim["spec"]["resources"]["requests"]["storage"]).unwrap_or_default()
}

fn class(claim: &Value) -> &str {
    meta::annotation(claim, CLASS_ANNOTATION).unwrap_or_else(|| meta::text(claim, "spec.storageClassName"))
}

impl PersistentVolumeClaimResize {
    /// A plugin that reads storage classes from `lookup`.
    pub fn new(lookup: Lookup) -> Self {
        Self { lookup }
    }

    async fn allows(&self, new: &Value, old: &Value) -> Result<bool, Status> {
        let name = class(new);
        if name.is_empty() || name != class(old) {
            return Ok(false);
        }
        let found = self.lookup.find(Place { prefix: CLASSES, key: name }).await?;
        Ok(found.is_some_and(|class| class["allowVolumeExpansion"] == true))
    }

    async fn check(&self, attributes: &Attributes<'_>, old: &Value) -> Result<(), Status> {
        if size(attributes.object) <= size(old) {
            return Ok(());
        }
        if meta::text(old, "status.phase") != "Bound" {
            return Err(attributes.forbidden("Only bound persistent volume claims can be expanded"));
        }
        if self.allows(attributes.object, old).await? {
            return Ok(());
        }
        Err(attributes.forbidden(
            "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must \
             support resize",
        ))
    }
}

impl Plugin for PersistentVolumeClaimResize {
    fn name(&self) -> &'static str {
        "PersistentVolumeClaimResize"
    }

    fn validate<'a>(&'a self, attributes: &'a mut Attributes<'_>) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(async move {
            let claim = attributes.is("", "persistentvolumeclaims");
            match attributes.old {
                Some(old) if claim && attributes.operation == Operation::Update => {
                    self.check(attributes, old).await
                }
                _ => Ok(()),
            }
        })
    }
}
