//! The table as a value: looked up without a lock, replaced as a whole.

use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;
use std::sync::Arc;

use super::row::GroupRows;
use super::{Resource, Version, access, core, devices, extension, network, scheduling, storage, workloads};
use crate::gvk::{GroupResource, GroupVersion, Text};

const BUILTIN: [&GroupRows; 21] = [
    &core::CORE,
    &core::EVENTS,
    &workloads::APPS,
    &workloads::BATCH,
    &workloads::AUTOSCALING,
    &workloads::POLICY,
    &network::NETWORKING,
    &network::DISCOVERY,
    &access::RBAC,
    &access::AUTHENTICATION,
    &access::AUTHORIZATION,
    &access::CERTIFICATES,
    &storage::STORAGE,
    &scheduling::SCHEDULING,
    &scheduling::NODE,
    &scheduling::COORDINATION,
    &devices::RESOURCE,
    &extension::ADMISSION,
    &extension::APIEXTENSIONS,
    &extension::APIREGISTRATION,
    &extension::FLOWCONTROL,
];

/// The priority of a group that a CustomResourceDefinition brings, as Kubernetes registers it.
const CUSTOM_PRIORITY: u32 = 1000;

/// A row cannot be added.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// The kind belongs to another row of the group.
    #[error("kind {kind} of group {group:?} is already served as {plural}")]
    KindTaken {
        /// The group.
        group: Text,
        /// The kind.
        kind: Text,
        /// The plural that has it.
        plural: Text,
    },
    /// Not exactly one version is the storage version.
    #[error("{resource} has {count} storage versions: exactly one is needed")]
    StorageVersions {
        /// The row.
        resource: GroupResource,
        /// How many it has.
        count: usize,
    },
}

/// An immutable snapshot of the table of kinds; cloning shares it.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    groups: Arc<BTreeMap<Text, Arc<Group>>>,
}

/// One group: its place in discovery and its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The name, `""` for core.
    pub name: Text,
    /// Its place in `/apis`, higher first.
    pub priority: u32,
    /// The served versions, the preferred one first.
    pub versions: Vec<Text>,
    plurals: BTreeMap<Text, Arc<Resource>>,
    kinds: BTreeMap<Text, Text>,
}

/// A row and the version of it that was asked for.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// The row.
    pub resource: Arc<Resource>,
    version: usize,
}

impl Resolved {
    /// The version that was asked for.
    pub fn version(&self) -> &Version {
        &self.resource.versions[self.version]
    }
}

impl Registry {
    /// The GA kinds of Kubernetes 1.36.
    pub fn builtin() -> Self {
        let mut groups = BTreeMap::new();
        for rows in BUILTIN {
            let mut group = Group::empty(rows.name.into(), rows.priority);
            for resource in rows.resources() {
                group.insert(resource).expect("the built-in table is consistent, which a test walks");
            }
            groups.insert(group.name.clone(), Arc::new(group));
        }
        Self { groups: Arc::new(groups) }
    }

    /// The row of a path: group, version and plural, if that version is served.
    pub fn resource(&self, group: &str, version: &str, plural: &str) -> Option<Resolved> {
        resolve(self.groups.get(group)?.plurals.get(plural)?, version)
    }

    /// The row of an object: group, version and kind, if that version is served.
    pub fn kind(&self, group: &str, version: &str, kind: &str) -> Option<Resolved> {
        let group = self.groups.get(group)?;
        resolve(group.plurals.get(group.kinds.get(kind)?)?, version)
    }

    /// The row of a group and plural, whatever the version.
    pub fn get(&self, group: &str, plural: &str) -> Option<&Arc<Resource>> {
        self.groups.get(group)?.plurals.get(plural)
    }

    /// The group of that name.
    pub fn group(&self, name: &str) -> Option<&Group> {
        self.groups.get(name).map(AsRef::as_ref)
    }

    /// All groups in the order of discovery: by priority, then by name.
    pub fn groups(&self) -> Vec<&Group> {
        let mut groups: Vec<&Group> = self.groups.values().map(AsRef::as_ref).collect();
        groups.sort_by_key(|g| (Reverse(g.priority), &g.name));
        groups
    }

    /// All groups and versions, in the order of discovery.
    pub fn group_versions(&self) -> Vec<GroupVersion> {
        let versions = |g: &Group| {
            g.versions.iter().map(|v| GroupVersion::new(g.name.clone(), v.clone())).collect::<Vec<_>>()
        };
        self.groups().into_iter().flat_map(versions).collect()
    }

    /// Every row, by group name and plural.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.groups.values().flat_map(|g| g.resources())
    }

    /// A registry that has this row too, in place of one with the same group and plural.
    ///
    /// # Errors
    /// Another plural of the group has the kind, or there is not exactly one storage version.
    pub fn with(&self, resource: Resource) -> Result<Self, RegistryError> {
        let mut groups = BTreeMap::clone(&self.groups);
        let name = resource.group.clone();
        let group =
            groups.entry(name.clone()).or_insert_with(|| Arc::new(Group::empty(name, CUSTOM_PRIORITY)));
        Arc::make_mut(group).insert(resource)?;
        Ok(Self { groups: Arc::new(groups) })
    }

    /// A registry without the row of that group and plural; a group goes with its last row.
    pub fn without(&self, group: &str, plural: &str) -> Self {
        let mut groups = BTreeMap::clone(&self.groups);
        if let Some(found) = groups.get_mut(group) {
            Arc::make_mut(found).remove(plural);
            if found.plurals.is_empty() {
                groups.remove(group);
            }
        }
        Self { groups: Arc::new(groups) }
    }
}

impl Group {
    fn empty(name: Text, priority: u32) -> Self {
        Self { name, priority, versions: Vec::new(), plurals: BTreeMap::new(), kinds: BTreeMap::new() }
    }

    /// Its rows, by plural.
    pub fn resources(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.plurals.values()
    }

    /// Its rows that serve the version, by plural.
    pub fn served<'a>(&'a self, version: &'a str) -> impl Iterator<Item = Resolved> + 'a {
        self.plurals.values().filter_map(move |r| resolve(r, version))
    }

    /// The version a client should use, if any is served.
    pub fn preferred(&self) -> Option<&Text> {
        self.versions.first()
    }

    fn insert(&mut self, resource: Resource) -> Result<(), RegistryError> {
        let count = resource.versions.iter().filter(|v| v.storage).count();
        if count != 1 {
            return Err(RegistryError::StorageVersions { resource: resource.group_resource(), count });
        }
        if let Some(plural) = self.kinds.get(&resource.kind).filter(|p| **p != resource.plural) {
            let (group, kind) = (resource.group.clone(), resource.kind.clone());
            return Err(RegistryError::KindTaken { group, kind, plural: plural.clone() });
        }
        self.remove(&resource.plural);
        self.kinds.insert(resource.kind.clone(), resource.plural.clone());
        self.plurals.insert(resource.plural.clone(), Arc::new(resource));
        self.sort_versions();
        Ok(())
    }

    fn remove(&mut self, plural: &str) {
        if let Some(old) = self.plurals.remove(plural) {
            self.kinds.remove(&old.kind);
            self.sort_versions();
        }
    }

    fn sort_versions(&mut self) {
        let served = self.plurals.values().flat_map(|r| r.versions.iter()).filter(|v| v.served);
        self.versions = served.map(|v| v.name.clone()).collect();
        self.versions.sort_by(|a, b| compare_versions(a, b));
        self.versions.dedup();
    }
}

fn resolve(resource: &Arc<Resource>, version: &str) -> Option<Resolved> {
    let version = resource.versions.iter().position(|v| v.served && v.name == version)?;
    Some(Resolved { resource: resource.clone(), version })
}

/// Kubernetes' order of versions, the preferred one first: GA, beta, alpha, each with the highest number first,
/// then all other names by text.
pub fn compare_versions(a: &str, b: &str) -> Ordering {
    match (rank(a), rank(b)) {
        (Some(a), Some(b)) => b.cmp(&a),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => a.cmp(b),
    }
}

/// Stability (GA is 2), major and minor number of `v1`, `v2beta1`, `v1alpha3`.
fn rank(version: &str) -> Option<(u8, u64, u64)> {
    let rest = version.strip_prefix('v')?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (major, rest) = rest.split_at(digits);
    let major = number(major)?;
    if rest.is_empty() {
        return Some((2, major, 0));
    }
    let beta = rest.strip_prefix("beta").map(|n| (1, n));
    let (stability, minor) = beta.or_else(|| rest.strip_prefix("alpha").map(|n| (0, n)))?;
    Some((stability, major, number(minor)?))
}

fn number(digits: &str) -> Option<u64> {
    let plain = digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
    if plain { digits.parse().ok() } else { None }
}
