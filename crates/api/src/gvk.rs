//! Typed names of groups, versions, kinds and resources, written as Kubernetes writes them.

use std::borrow::Cow;
use std::fmt;

/// Text that is static for built-in rows and owned for rows added at run time.
pub type Text = Cow<'static, str>;

/// A string is not a group and version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unexpected GroupVersion string: {0}")]
pub struct GroupVersionError(pub String);

/// An API group and version; the core group is the empty string.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupVersion {
    /// The group, `""` for core.
    pub group: Text,
    /// The version, such as `v1`.
    pub version: Text,
}

/// A resource of a group, whatever the version.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupResource {
    /// The group, `""` for core.
    pub group: Text,
    /// The plural name, such as `pods`.
    pub resource: Text,
}

/// A kind of a group, whatever the version.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupKind {
    /// The group, `""` for core.
    pub group: Text,
    /// The kind, such as `Pod`.
    pub kind: Text,
}

/// A resource in one version.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupVersionResource {
    /// The group, `""` for core.
    pub group: Text,
    /// The version, such as `v1`.
    pub version: Text,
    /// The plural name, such as `pods`.
    pub resource: Text,
}

/// A kind in one version: what `apiVersion` and `kind` of an object say.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupVersionKind {
    /// The group, `""` for core.
    pub group: Text,
    /// The version, such as `v1`.
    pub version: Text,
    /// The kind, such as `Pod`.
    pub kind: Text,
}

impl GroupVersion {
    /// Names a group and version.
    pub fn new(group: impl Into<Text>, version: impl Into<Text>) -> Self {
        Self { group: group.into(), version: version.into() }
    }

    /// Reads an `apiVersion`: `v1` is core, `apps/v1` names its group.
    ///
    /// # Errors
    /// More than one slash; the text is Kubernetes' own.
    pub fn parse(text: &str) -> Result<Self, GroupVersionError> {
        match text.split_once('/') {
            None => Ok(Self::new("", text.to_owned())),
            Some((group, version)) if !version.contains('/') => {
                Ok(Self::new(group.to_owned(), version.to_owned()))
            }
            Some(_) => Err(GroupVersionError(text.to_owned())),
        }
    }

    /// The kind of that name in this group and version.
    pub fn kind(&self, kind: impl Into<Text>) -> GroupVersionKind {
        GroupVersionKind { group: self.group.clone(), version: self.version.clone(), kind: kind.into() }
    }

    /// The resource of that plural name in this group and version.
    pub fn resource(&self, resource: impl Into<Text>) -> GroupVersionResource {
        GroupVersionResource {
            group: self.group.clone(),
            version: self.version.clone(),
            resource: resource.into(),
        }
    }
}

impl GroupResource {
    /// Names a resource of a group.
    pub fn new(group: impl Into<Text>, resource: impl Into<Text>) -> Self {
        Self { group: group.into(), resource: resource.into() }
    }

    /// Reads `pods` or `deployments.apps`: what follows the first dot is the group.
    pub fn parse(text: &str) -> Self {
        let (resource, group) = text.split_once('.').unwrap_or((text, ""));
        Self::new(group.to_owned(), resource.to_owned())
    }
}

impl GroupKind {
    /// Names a kind of a group.
    pub fn new(group: impl Into<Text>, kind: impl Into<Text>) -> Self {
        Self { group: group.into(), kind: kind.into() }
    }

    /// Reads `Pod` or `Deployment.apps`: what follows the first dot is the group.
    pub fn parse(text: &str) -> Self {
        let (kind, group) = text.split_once('.').unwrap_or((text, ""));
        Self::new(group.to_owned(), kind.to_owned())
    }
}

impl GroupVersionResource {
    /// Names a resource in a version of its group.
    pub fn new(group: impl Into<Text>, version: impl Into<Text>, resource: impl Into<Text>) -> Self {
        Self { group: group.into(), version: version.into(), resource: resource.into() }
    }

    /// Its group and version.
    pub fn group_version(&self) -> GroupVersion {
        GroupVersion { group: self.group.clone(), version: self.version.clone() }
    }

    /// Its group and plural.
    pub fn group_resource(&self) -> GroupResource {
        GroupResource { group: self.group.clone(), resource: self.resource.clone() }
    }
}

impl GroupVersionKind {
    /// Names a kind in a version of its group.
    pub fn new(group: impl Into<Text>, version: impl Into<Text>, kind: impl Into<Text>) -> Self {
        Self { group: group.into(), version: version.into(), kind: kind.into() }
    }

    /// Reads an object's `apiVersion` and `kind`.
    ///
    /// # Errors
    /// The `apiVersion` has more than one slash.
    pub fn parse(api_version: &str, kind: &str) -> Result<Self, GroupVersionError> {
        Ok(GroupVersion::parse(api_version)?.kind(kind.to_owned()))
    }

    /// Its group and version.
    pub fn group_version(&self) -> GroupVersion {
        GroupVersion { group: self.group.clone(), version: self.version.clone() }
    }

    /// Its group and kind.
    pub fn group_kind(&self) -> GroupKind {
        GroupKind { group: self.group.clone(), kind: self.kind.clone() }
    }
}

/// `v1` or `apps/v1`: the `apiVersion` of an object.
impl fmt::Display for GroupVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.group.is_empty() {
            f.write_str(&self.version)
        } else {
            write!(f, "{}/{}", self.group, self.version)
        }
    }
}

/// `pods` or `deployments.apps`.
impl fmt::Display for GroupResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        dotted(f, &self.resource, &self.group)
    }
}

/// `Pod` or `Deployment.apps`.
impl fmt::Display for GroupKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        dotted(f, &self.kind, &self.group)
    }
}

/// `apps/v1, Resource=deployments`, as Kubernetes' messages have it.
impl fmt::Display for GroupVersionResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}, Resource={}", self.group, self.version, self.resource)
    }
}

/// `apps/v1, Kind=Deployment`, as Kubernetes' messages have it.
impl fmt::Display for GroupVersionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}, Kind={}", self.group, self.version, self.kind)
    }
}

fn dotted(f: &mut fmt::Formatter<'_>, name: &str, group: &str) -> fmt::Result {
    f.write_str(name)?;
    if group.is_empty() { Ok(()) } else { write!(f, ".{group}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn api_versions_read_and_write() {
        for (text, group, version) in
            [("v1", "", "v1"), ("apps/v1", "apps", "v1"), ("a.b/v1beta1", "a.b", "v1beta1")]
        {
            let parsed = GroupVersion::parse(text).unwrap();
            assert_eq!((parsed.group.as_ref(), parsed.version.as_ref()), (group, version));
            assert_eq!(parsed.to_string(), text);
        }
        assert_eq!(
            GroupVersion::parse("a/b/c").unwrap_err().to_string(),
            "unexpected GroupVersion string: a/b/c"
        );
    }

    #[test]
    fn dotted_names_read_and_write() {
        for text in ["pods", "deployments.apps", "leases.coordination.k8s.io"] {
            assert_eq!(GroupResource::parse(text).to_string(), text);
            assert_eq!(GroupKind::parse(text).to_string(), text);
        }
        assert_eq!(GroupVersionKind::new("", "v1", "Pod").to_string(), "/v1, Kind=Pod");
        assert_eq!(GroupVersionResource::new("apps", "v1", "x").to_string(), "apps/v1, Resource=x");
    }
}
