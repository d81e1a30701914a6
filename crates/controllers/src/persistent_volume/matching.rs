//! Which volume fits a claim.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Node, NodeSelectorRequirement, NodeSelectorTerm, PersistentVolume, PersistentVolumeClaim,
};
use kube::core::{Selector, SelectorExt};

use super::quantity::bytes;

/// The name of the claim's class; empty where it has none.
pub(super) fn class(claim: &PersistentVolumeClaim) -> &str {
    claim.spec.as_ref().and_then(|spec| spec.storage_class_name.as_deref()).unwrap_or_default()
}

pub(super) fn requested(claim: &PersistentVolumeClaim) -> u128 {
    let requests = claim.spec.as_ref().and_then(|spec| spec.resources.as_ref()?.requests.as_ref());
    requests.and_then(|requests| requests.get("storage")).and_then(bytes).unwrap_or(0)
}

pub(super) fn capacity(volume: &PersistentVolume) -> u128 {
    let capacity = volume.spec.as_ref().and_then(|spec| spec.capacity.as_ref());
    capacity.and_then(|capacity| capacity.get("storage")).and_then(bytes).unwrap_or(0)
}

/// Why a volume that a claim names cannot serve it, in Kubernetes' words.
pub(super) fn mismatch(volume: &PersistentVolume, claim: &PersistentVolumeClaim) -> Option<&'static str> {
    let (volume_spec, claim_spec) = (volume.spec.as_ref()?, claim.spec.as_ref()?);
    let mode = |mode: &Option<String>| mode.clone().unwrap_or_else(|| "Filesystem".into());
    let modes = volume_spec.access_modes.as_deref().unwrap_or_default();
    if capacity(volume) < requested(claim) {
        Some("requested PV is too small")
    } else if volume_spec.storage_class_name.as_deref().unwrap_or_default() != class(claim) {
        Some("storageClassName does not match")
    } else if mode(&volume_spec.volume_mode) != mode(&claim_spec.volume_mode) {
        Some("incompatible volumeMode")
    } else if !claim_spec.access_modes.iter().flatten().all(|mode| modes.contains(mode)) {
        Some("incompatible accessMode")
    } else {
        None
    }
}

/// The smallest volume that is free and fits, on `node` where one is given.
pub(super) fn best<'a>(
    claim: &PersistentVolumeClaim,
    volumes: impl IntoIterator<Item = &'a PersistentVolume>,
    node: Option<&Node>,
) -> Option<&'a PersistentVolume> {
    let selector = claim.spec.as_ref().and_then(|spec| spec.selector.clone());
    let selector = selector.and_then(|selector| Selector::try_from(selector).ok());
    let fits = |volume: &&PersistentVolume| {
        let labels = volume.metadata.labels.clone().unwrap_or_default();
        is_free(volume)
            && mismatch(volume, claim).is_none()
            && selector.as_ref().is_none_or(|selector| selector.matches(&labels))
            && node.is_none_or(|node| reaches(volume, node))
    };
    volumes.into_iter().filter(fits).min_by_key(|volume| (capacity(volume), volume.metadata.name.clone()))
}

fn is_free(volume: &PersistentVolume) -> bool {
    let phase = volume.status.as_ref().and_then(|status| status.phase.as_deref());
    let unclaimed = volume.spec.as_ref().is_some_and(|spec| spec.claim_ref.is_none());
    unclaimed && volume.metadata.deletion_timestamp.is_none() && !matches!(phase, Some("Released" | "Failed"))
}

/// Whether pods on the node can use the volume.
pub(super) fn reaches(volume: &PersistentVolume, node: &Node) -> bool {
    let affinity = volume.spec.as_ref().and_then(|spec| spec.node_affinity.as_ref());
    let required = affinity.and_then(|affinity| affinity.required.as_ref());
    required.is_none_or(|required| required.node_selector_terms.iter().any(|term| holds(term, node)))
}

fn holds(term: &NodeSelectorTerm, node: &Node) -> bool {
    let labels = node.metadata.labels.clone().unwrap_or_default();
    let fields =
        BTreeMap::from([("metadata.name".to_owned(), node.metadata.name.clone().unwrap_or_default())]);
    let expressions = term.match_expressions.as_deref().unwrap_or_default();
    let field_expressions = term.match_fields.as_deref().unwrap_or_default();
    let empty = expressions.is_empty() && field_expressions.is_empty();
    !empty
        && expressions.iter().all(|requirement| meets(requirement, &labels))
        && field_expressions.iter().all(|requirement| meets(requirement, &fields))
}

fn meets(requirement: &NodeSelectorRequirement, labels: &BTreeMap<String, String>) -> bool {
    let value = labels.get(&requirement.key);
    let values = requirement.values.as_deref().unwrap_or_default();
    let listed = value.is_some_and(|value| values.contains(value));
    let number = |text: Option<&String>| text.and_then(|text| text.parse::<i64>().ok());
    let numbers = number(value).zip(number(values.first()));
    match requirement.operator.as_str() {
        "In" => listed,
        "NotIn" => !listed,
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        "Gt" => numbers.is_some_and(|(value, bound)| value > bound),
        "Lt" => numbers.is_some_and(|(value, bound)| value < bound),
        _ => false,
    }
}
