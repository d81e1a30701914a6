//! The one table of kinds: routing, discovery, OpenAPI, Table output, RBAC bootstrap and the CLI derive from it.
//!
//! Built-in rows are constants, one file per family of groups below `kinds/`; a CustomResourceDefinition adds a
//! [`Resource`] to a [`Registry`] at run time and is from then on like any other.
//! Source: the OpenAPI description and discovery documents of Kubernetes 1.36, GA versions only.

mod access;
mod core;
mod devices;
mod extension;
mod network;
mod registry;
mod row;
mod scheduling;
mod storage;
mod verbs;
mod workloads;

use std::borrow::Cow;

use serde_json::Value;

use crate::gvk::{GroupKind, GroupResource, GroupVersionKind, GroupVersionResource, Text};
use crate::meta;

pub use registry::{Group, Registry, RegistryError, Resolved, compare_versions};
pub use verbs::{Verb, Verbs};

/// A list that is static for built-in rows and owned for rows added at run time.
pub type List<T> = Cow<'static, [T]>;

/// One row: all that the machinery needs to know about a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// The API group, `""` for core.
    pub group: Text,
    /// The name in paths, such as `pods`.
    pub plural: Text,
    /// The name of one, such as `pod`.
    pub singular: Text,
    /// The kind of one, such as `Pod`.
    pub kind: Text,
    /// The kind of a list, such as `PodList`.
    pub list_kind: Text,
    /// Abbreviations a client may use, such as `po`.
    pub short_names: List<Text>,
    /// Groups of resources that a client may name at once, such as `all`.
    pub categories: List<Text>,
    /// Whether objects live in a namespace.
    pub scope: Scope,
    /// What can be done to it.
    pub verbs: Verbs,
    /// Its versions, the preferred one first.
    pub versions: List<Version>,
    /// What can be reached below one object.
    pub subresources: List<Subresource>,
    /// Where its objects are stored.
    pub storage: StorageKey,
    /// Fields a field selector may name, besides `metadata.name` and `metadata.namespace`.
    pub selectable: List<SelectableField>,
    /// Whether it has a `status` that only the status subresource writes.
    pub has_status: bool,
    /// Which changes raise `metadata.generation`.
    pub generation: GenerationRule,
    /// Whether deletion waits for a grace period (pods).
    pub graceful: bool,
}

/// Whether objects of a resource live in a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Every object is in a namespace.
    Namespaced,
    /// Objects belong to the whole cluster.
    Cluster,
}

/// One version of a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The name, such as `v1`.
    pub name: Text,
    /// The OpenAPI definition, such as `io.k8s.api.core.v1.Pod`.
    pub definition: Text,
    /// Whether clients may use it.
    pub served: bool,
    /// Whether objects are stored in it; true for exactly one version of a row.
    pub storage: bool,
}

/// Something below one object: `status`, `scale`, `log` …
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subresource {
    /// The last part of its path.
    pub name: Text,
    /// The kind it speaks; `None` is the parent's own kind in the request's version.
    pub kind: Option<GroupVersionKind>,
    /// What can be done to it.
    pub verbs: Verbs,
}

/// The prefix below which a resource's objects are stored.
///
/// Two rows with the same key share their objects: core events and `events.k8s.io` events.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StorageKey(pub Text);

/// A field that a field selector may name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectableField {
    /// The name in the selector, such as `status.phase`.
    pub name: Text,
    /// Dotted paths in the object, tried in order until one is set.
    pub paths: List<Text>,
    /// The value where no path is set.
    pub default: Text,
}

/// Which changes raise `metadata.generation`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GenerationRule {
    /// The kind has no generation.
    None,
    /// A change below one of these top-level fields, or of `metadata.annotations` where it is named.
    Fields(List<Text>),
    /// Any change outside `metadata` (custom resources without a status subresource).
    ExceptMetadata,
    /// Any change outside `metadata` and `status` (custom resources with a status subresource).
    ExceptMetadataAndStatus,
}

impl Resource {
    /// Whether objects live in a namespace.
    pub fn namespaced(&self) -> bool {
        self.scope == Scope::Namespaced
    }

    /// Its group and plural, as messages name it.
    pub fn group_resource(&self) -> GroupResource {
        GroupResource { group: self.group.clone(), resource: self.plural.clone() }
    }

    /// Its group and kind, as validation messages name it.
    pub fn group_kind(&self) -> GroupKind {
        GroupKind { group: self.group.clone(), kind: self.kind.clone() }
    }

    /// Its group, the version and its kind.
    pub fn gvk(&self, version: &Version) -> GroupVersionKind {
        GroupVersionKind { group: self.group.clone(), version: version.name.clone(), kind: self.kind.clone() }
    }

    /// Its group, the version and its plural.
    pub fn gvr(&self, version: &Version) -> GroupVersionResource {
        GroupVersionResource {
            group: self.group.clone(),
            version: version.name.clone(),
            resource: self.plural.clone(),
        }
    }

    /// The version objects are stored in.
    ///
    /// # Panics
    /// Never for a row of a [`Registry`], which refuses rows without exactly one.
    pub fn storage_version(&self) -> &Version {
        self.versions.iter().find(|v| v.storage).expect("a registered row has exactly one storage version")
    }

    /// The version of that name, if it is served.
    pub fn served_version(&self, name: &str) -> Option<&Version> {
        self.versions.iter().find(|v| v.served && v.name == name)
    }

    /// The subresource of that name.
    pub fn subresource(&self, name: &str) -> Option<&Subresource> {
        self.subresources.iter().find(|s| s.name == name)
    }
}

impl GenerationRule {
    /// Whether the kind has a generation at all: a new object then starts at 1.
    pub fn tracked(&self) -> bool {
        *self != Self::None
    }

    /// Whether replacing `old` by `new` raises the generation.
    pub fn raised(&self, old: &Value, new: &Value) -> bool {
        match self {
            Self::None => false,
            Self::Fields(fields) => fields.iter().any(|f| at(old, f) != at(new, f)),
            Self::ExceptMetadata => differ_outside(old, new, &META),
            Self::ExceptMetadataAndStatus => differ_outside(old, new, &[META[0], META[1], META[2], "status"]),
        }
    }
}

const META: [&str; 3] = ["apiVersion", "kind", "metadata"];

fn at<'a>(object: &'a Value, field: &str) -> Option<&'a Value> {
    meta::at(object, field).filter(|v| !meta::is_empty(v))
}

fn differ_outside(old: &Value, new: &Value, skip: &[&str]) -> bool {
    let rest = |object: &Value| -> Vec<(String, Value)> {
        let map = object.as_object().into_iter().flatten();
        map.filter(|(k, _)| !skip.contains(&k.as_str())).map(|(k, v)| (k.clone(), v.clone())).collect()
    };
    rest(old) != rest(new)
}

#[cfg(test)]
mod tests;
