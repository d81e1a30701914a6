//! StorageObjectInUseProtection: claims and volumes that are used are not deleted under their users.

use api::meta;
use api::status::Status;
use futures::future::BoxFuture;

use super::{Attributes, Operation, Plugin};

/// The plugin.
pub struct StorageObjectInUseProtection;

const PROTECTED: [(&str, &str); 2] = [
    ("persistentvolumeclaims", "kubernetes.io/pvc-protection"),
    ("persistentvolumes", "kubernetes.io/pv-protection"),
];

impl Plugin for StorageObjectInUseProtection {
    fn name(&self) -> &'static str {
        "StorageObjectInUseProtection"
    }

    fn admit<'a>(&'a self, attributes: &'a mut Attributes<'_>) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(async move {
            let row = PROTECTED.iter().find(|(plural, _)| attributes.is("", plural));
            let (Some((_, finalizer)), Operation::Create) = (row, attributes.operation) else {
                return Ok(());
            };
            let mut finalizers: Vec<String> =
                meta::finalizers(attributes.object).map(str::to_owned).collect();
            if !finalizers.iter().any(|known| known == finalizer) {
                finalizers.push((*finalizer).to_owned());
                let finalizers: Vec<&str> = finalizers.iter().map(String::as_str).collect();
                meta::set_finalizers(attributes.object, &finalizers);
            }
            Ok(())
        })
    }
}
