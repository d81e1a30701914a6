//! Who owns what: controller references, adoption and release.
//!
//! An object has at most one controller (an owner reference with `controller: true`). A controller
//! adopts matching objects that have none and releases its own that no longer match; each of the
//! two patches names the uid of the object it was planned for.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::core::{Selector, SelectorExt};
use serde_json::{Value, json};

use crate::informer::Kind;
use crate::plan::Action;

/// The reference to the controller of an object.
pub fn controller_of(meta: &ObjectMeta) -> Option<&OwnerReference> {
    meta.owner_references.iter().flatten().find(|reference| reference.controller == Some(true))
}

/// A reference that makes `owner` the controller of an object.
pub fn controller_ref<K: Kind>(owner: &K) -> OwnerReference {
    OwnerReference {
        api_version: K::api_version(&()).into_owned(),
        kind: K::kind(&()).into_owned(),
        name: owner.meta().name.clone().unwrap_or_default(),
        uid: owner.meta().uid.clone().unwrap_or_default(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}

/// Whether a reference names the kind `K`, in any version of its group.
pub fn refers_to<K: Kind>(reference: &OwnerReference) -> bool {
    let group = reference.api_version.rsplit_once('/').map_or("", |(group, _)| group);
    reference.kind == K::kind(&()) && group == K::group(&())
}

/// What an owner has to do with an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It is the object's controller and selects it.
    Ours,
    /// It selects the object, which has no controller.
    Adopt,
    /// It is the object's controller but no longer selects it.
    Release,
    /// The object is another's, or nobody's business.
    None,
}

/// Decides what `owner` has to do with an object, as upstream's controller reference manager does.
pub fn claim(owner: &ObjectMeta, selector: &Selector, object: &ObjectMeta) -> Claim {
    let selected = selector.matches(object.labels.as_ref().unwrap_or(&std::collections::BTreeMap::new()));
    let owner_goes = owner.deletion_timestamp.is_some();
    match controller_of(object) {
        Some(controller) if Some(&controller.uid) != owner.uid.as_ref() => Claim::None,
        Some(_) if selected => Claim::Ours,
        Some(_) if owner_goes => Claim::None,
        Some(_) => Claim::Release,
        None if owner_goes || !selected || object.deletion_timestamp.is_some() => Claim::None,
        None => Claim::Adopt,
    }
}

/// The objects an owner may count on, and the patches that make them its own.
#[derive(Debug)]
pub struct Claimed<T> {
    /// Objects that are the owner's once the patches are applied.
    pub ours: Vec<T>,
    /// Adoptions; to be preceded by a live check that the owner is not being deleted.
    pub adopt: Vec<Action>,
    /// Releases.
    pub release: Vec<Action>,
}

/// Sorts objects by [`claim`] and plans adoption and release.
pub fn claim_all<O: Kind, K: Kind, T: AsRef<K>>(
    owner: &O,
    selector: &Selector,
    objects: impl IntoIterator<Item = T>,
    finalizer: Option<&str>,
) -> Claimed<T> {
    let mut claimed = Claimed { ours: Vec::new(), adopt: Vec::new(), release: Vec::new() };
    for object in objects {
        match claim(owner.meta(), selector, object.as_ref().meta()) {
            Claim::None => continue,
            Claim::Release => {
                claimed.release.push(release(owner, object.as_ref(), finalizer));
                continue;
            }
            Claim::Adopt => claimed.adopt.push(adopt(owner, object.as_ref(), finalizer)),
            Claim::Ours => {}
        }
        claimed.ours.push(object);
    }
    claimed
}

fn adopt<O: Kind, K: Kind>(owner: &O, object: &K, finalizer: Option<&str>) -> Action {
    let mut meta = json!({ "uid": object.meta().uid, "ownerReferences": [controller_ref(owner)] });
    if let Some(finalizer) = finalizer {
        meta["finalizers"] = json!([finalizer]);
    }
    Action::strategic(object, json!({ "metadata": meta }))
}

/// The object may be gone: then there is nothing to release.
fn release<O: Kind, K: Kind>(owner: &O, object: &K, finalizer: Option<&str>) -> Action {
    let reference: Value = json!({ "$patch": "delete", "uid": owner.meta().uid });
    let mut meta = json!({ "uid": object.meta().uid, "ownerReferences": [reference] });
    if let Some(finalizer) = finalizer {
        meta["$deleteFromPrimitiveList/finalizers"] = json!([finalizer]);
    }
    Action::strategic(object, json!({ "metadata": meta })).lenient()
}
