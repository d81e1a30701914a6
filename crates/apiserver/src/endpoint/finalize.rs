//! `namespaces/finalize`: the one way to change a namespace's `spec.finalizers`.

use api::meta;
use api::status::Status;
use serde_json::Value;

use super::Call;
use super::update::{Change, run};
use crate::decode;
use crate::respond::Outcome;

struct Finalize {
    finalizers: Value,
    version: String,
}

impl Change for Finalize {
    fn apply(&self, _call: &Call, current: &Value, _warnings: &mut Vec<String>) -> Result<Value, Status> {
        let mut namespace = current.clone();
        namespace["spec"]["finalizers"] = self.finalizers.clone();
        if !self.version.is_empty() {
            meta::set(&mut namespace, "resourceVersion", self.version.as_str());
        }
        Ok(namespace)
    }
}

/// Answers `update` of the finalizers; the namespace goes with its last one.
///
/// # Errors
/// As an update of the namespace itself.
pub async fn update(call: &Call) -> Outcome {
    let decoded = decode::object(&call.headers, &call.body, call.shared.shape(&call.target), &call.target)?;
    let finalizers =
        meta::at(&decoded.value, "spec.finalizers").cloned().unwrap_or_else(|| Vec::<Value>::new().into());
    let version = meta::resource_version(&decoded.value).to_owned();
    run(call, &Finalize { finalizers, version }, Vec::new()).await
}
