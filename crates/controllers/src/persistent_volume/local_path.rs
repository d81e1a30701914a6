//! Class `local-path`: volumes that are directories on a node.
//!
//! The contract with the node, which owns the data:
//! - A volume of provisioner `coracle.dev/local-path` carries the annotation
//!   `coracle.dev/local-path-node: NODE` and the finalizer `coracle.dev/local-path`. Its directory is
//!   `spec.hostPath.path`, made by the kubelet of NODE when the first pod mounts it
//!   (`DirectoryOrCreate`).
//! - When its claim is gone and the policy is Delete, this controller deletes the volume object. It
//!   stays, being deleted, until the kubelet of NODE has removed the directory and then the finalizer.
//! - When NODE itself is gone, so is the data, and this controller removes the finalizer.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{
    HostPathVolumeSource, Node, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, ObjectReference,
    PersistentVolume, PersistentVolumeClaim, PersistentVolumeSpec, VolumeNodeAffinity,
};
use k8s_openapi::api::storage::v1::StorageClass;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::{matching, protection};
use crate::plan::{Action, Plan};

/// The provisioner's name, and the name of the finalizer that the node removes.
pub const PROVISIONER: &str = "coracle.dev/local-path";
/// The annotation that names the node with the data.
pub const NODE: &str = "coracle.dev/local-path-node";
/// The class that is made at start.
pub const CLASS: &str = "local-path";

pub(super) const PROVISIONED_BY: &str = "pv.kubernetes.io/provisioned-by";
const DEFAULT: &str = "storageclass.kubernetes.io/is-default-class";
const HOSTNAME: &str = "kubernetes.io/hostname";

/// Makes the class where it is missing, the default one unless another is.
pub fn plan_class(classes: &[Arc<StorageClass>]) -> Plan {
    let mut plan = Plan::default();
    if classes.iter().any(|class| class.metadata.name.as_deref() == Some(CLASS)) {
        return plan;
    }
    let default = default_class(classes).is_none().to_string();
    let class = StorageClass {
        metadata: ObjectMeta {
            name: Some(CLASS.into()),
            annotations: Some(BTreeMap::from([(DEFAULT.to_owned(), default)])),
            ..ObjectMeta::default()
        },
        provisioner: PROVISIONER.into(),
        reclaim_policy: Some("Delete".into()),
        volume_binding_mode: Some("WaitForFirstConsumer".into()),
        ..StorageClass::default()
    };
    plan.then(vec![Action::create(&class).lenient()]);
    plan
}

/// The default class; of several the youngest.
pub(super) fn default_class(classes: &[Arc<StorageClass>]) -> Option<String> {
    let annotation = |class: &StorageClass| class.metadata.annotations.as_ref()?.get(DEFAULT).cloned();
    let default = classes.iter().filter(|class| annotation(class).as_deref() == Some("true"));
    let youngest = default.max_by_key(|class| {
        (class.metadata.creation_timestamp.clone(), std::cmp::Reverse(class.metadata.name.clone()))
    });
    youngest.and_then(|class| class.metadata.name.clone())
}

/// The node that holds the volume's data, where the volume is one of ours.
pub(super) fn node_of(volume: &PersistentVolume) -> Option<&str> {
    let annotations = volume.metadata.annotations.as_ref()?;
    let ours = annotations.get(PROVISIONED_BY).is_some_and(|by| by == PROVISIONER);
    annotations.get(NODE).filter(|_| ours).map(String::as_str)
}

/// The name of the volume that is made for a claim.
pub(super) fn volume_name(claim: &PersistentVolumeClaim) -> String {
    format!("pvc-{}", claim.metadata.uid.as_deref().unwrap_or_default())
}

/// A volume below `base` on `node`, bound to the claim from its beginning.
pub(super) fn volume(
    claim: &PersistentVolumeClaim,
    claim_ref: ObjectReference,
    class: &StorageClass,
    node: &Node,
    base: &str,
) -> PersistentVolume {
    let (name, spec) = (volume_name(claim), claim.spec.clone().unwrap_or_default());
    let node_name = node.metadata.name.clone().unwrap_or_default();
    let annotations = [(PROVISIONED_BY, PROVISIONER), (NODE, node_name.as_str())];
    let annotations = annotations.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let finalizers = [protection::VOLUME, PROVISIONER].map(ToOwned::to_owned);
    PersistentVolume {
        spec: Some(PersistentVolumeSpec {
            capacity: spec.resources.and_then(|resources| resources.requests),
            access_modes: spec.access_modes,
            claim_ref: Some(claim_ref),
            host_path: Some(HostPathVolumeSource {
                path: format!("{}/{name}", base.trim_end_matches('/')),
                type_: Some("DirectoryOrCreate".into()),
            }),
            node_affinity: Some(only_on(node)),
            persistent_volume_reclaim_policy: class.reclaim_policy.clone().or_else(|| Some("Delete".into())),
            storage_class_name: Some(matching::class(claim).to_owned()),
            volume_mode: Some("Filesystem".into()),
            ..PersistentVolumeSpec::default()
        }),
        metadata: ObjectMeta {
            name: Some(name),
            annotations: Some(annotations.into()),
            finalizers: Some(finalizers.into()),
            ..ObjectMeta::default()
        },
        status: None,
    }
}

fn only_on(node: &Node) -> VolumeNodeAffinity {
    let name = node.metadata.name.clone().unwrap_or_default();
    let hostname = node.metadata.labels.as_ref().and_then(|labels| labels.get(HOSTNAME)).cloned();
    let requirement = NodeSelectorRequirement {
        key: HOSTNAME.into(),
        operator: "In".into(),
        values: Some(vec![hostname.unwrap_or(name)]),
    };
    let term = NodeSelectorTerm { match_expressions: Some(vec![requirement]), match_fields: None };
    VolumeNodeAffinity { required: Some(NodeSelector { node_selector_terms: vec![term] }) }
}
