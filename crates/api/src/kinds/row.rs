//! The compact form in which built-in rows are written, and its expansion to a [`Resource`].

use std::borrow::Cow;

use super::{
    GenerationRule, List, Resource, Scope, SelectableField, StorageKey, Subresource, Verb, Verbs, Version,
};
use crate::gvk::{GroupVersionKind, Text};

/// A group of built-in rows.
pub(super) struct GroupRows {
    /// The group's name.
    pub(super) name: &'static str,
    /// Its place in `/apis`, higher first; Kubernetes' `groupPriorityMinimum`.
    pub(super) priority: u32,
    /// What OpenAPI definition names begin with, up to the version.
    pub(super) definitions: &'static str,
    /// Its resources.
    pub(super) rows: &'static [Row],
}

/// A built-in resource; `NAMESPACED` and `CLUSTER` hold what most rows share.
#[derive(Clone, Copy)]
pub(super) struct Row {
    pub(super) plural: &'static str,
    pub(super) kind: &'static str,
    pub(super) short: &'static [&'static str],
    pub(super) categories: &'static [&'static str],
    pub(super) scope: Scope,
    pub(super) verbs: Verbs,
    /// The first is preferred and stored.
    pub(super) versions: &'static [&'static str],
    pub(super) subresources: &'static [Sub],
    /// `""` means group and plural.
    pub(super) storage: &'static str,
    pub(super) selectable: &'static [Field],
    /// Fields whose change raises the generation.
    pub(super) generation: &'static [&'static str],
    pub(super) graceful: bool,
}

/// A built-in subresource; no kind means the parent's.
#[derive(Clone, Copy)]
pub(super) struct Sub {
    pub(super) name: &'static str,
    pub(super) kind: Option<(&'static str, &'static str, &'static str)>,
    pub(super) verbs: Verbs,
}

/// A built-in selectable field.
#[derive(Clone, Copy)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) paths: &'static [&'static str],
    pub(super) default: &'static str,
}

pub(super) const NAMESPACED: Row = Row {
    plural: "",
    kind: "",
    short: &[],
    categories: &[],
    scope: Scope::Namespaced,
    verbs: Verbs::STANDARD,
    versions: &["v1"],
    subresources: &[],
    storage: "",
    selectable: &[],
    generation: &[],
    graceful: false,
};
pub(super) const CLUSTER: Row = Row { scope: Scope::Cluster, ..NAMESPACED };

pub(super) const ALL: &[&str] = &["all"];
pub(super) const SPEC: &[&str] = &["spec"];
pub(super) const STATUS: Sub = Sub::own("status", Verbs::MODIFY);
pub(super) const SCALE: Sub = Sub::foreign("scale", "autoscaling", "v1", "Scale", Verbs::MODIFY);

const PROXY_VERBS: Verbs = Verbs::of(&[Verb::Create, Verb::Delete, Verb::Get, Verb::Patch, Verb::Update]);

impl Sub {
    /// A subresource that speaks its parent's kind.
    pub(super) const fn own(name: &'static str, verbs: Verbs) -> Self {
        Self { name, kind: None, verbs }
    }

    /// A subresource that speaks a kind of its own.
    pub(super) const fn foreign(
        name: &'static str,
        group: &'static str,
        version: &'static str,
        kind: &'static str,
        verbs: Verbs,
    ) -> Self {
        Self { name, kind: Some((group, version, kind)), verbs }
    }

    /// A stream to a container: exec, attach, port-forward.
    pub(super) const fn stream(name: &'static str, options: &'static str) -> Self {
        Self::foreign(name, "", "v1", options, Verbs::of(&[Verb::Create, Verb::Get]))
    }

    /// An HTTP proxy to what the object stands for.
    pub(super) const fn proxy(options: &'static str) -> Self {
        Self::foreign("proxy", "", "v1", options, PROXY_VERBS)
    }
}

impl Field {
    /// A field whose selector name is its path.
    pub(super) const fn path(path: &'static [&'static str; 1]) -> Self {
        Self { name: path[0], paths: path, default: "" }
    }

    /// The same with another value where the field is absent.
    pub(super) const fn or(self, default: &'static str) -> Self {
        Self { default, ..self }
    }

    /// A field whose selector name differs from its path.
    pub(super) const fn named(name: &'static str, paths: &'static [&'static str]) -> Self {
        Self { name, paths, default: "" }
    }
}

impl GroupRows {
    /// The rows in full.
    pub(super) fn resources(&self) -> impl Iterator<Item = Resource> {
        self.rows.iter().map(|row| self.resource(row))
    }

    fn resource(&self, row: &Row) -> Resource {
        Resource {
            group: self.name.into(),
            plural: row.plural.into(),
            singular: row.kind.to_lowercase().into(),
            kind: row.kind.into(),
            list_kind: format!("{}List", row.kind).into(),
            short_names: texts(row.short),
            categories: texts(row.categories),
            scope: row.scope,
            verbs: row.verbs,
            versions: self.versions(row),
            subresources: row.subresources.iter().map(Sub::expand).collect(),
            storage: self.storage(row),
            selectable: row.selectable.iter().map(Field::expand).collect(),
            has_status: row.subresources.iter().any(|s| s.name == "status"),
            generation: match row.generation {
                [] => GenerationRule::None,
                fields => GenerationRule::Fields(texts(fields)),
            },
            graceful: row.graceful,
        }
    }

    fn versions(&self, row: &Row) -> List<Version> {
        let version = |(i, name): (usize, &&'static str)| Version {
            name: (*name).into(),
            definition: format!("{}.{name}.{}", self.definitions, row.kind).into(),
            served: true,
            storage: i == 0,
        };
        row.versions.iter().enumerate().map(version).collect()
    }

    fn storage(&self, row: &Row) -> StorageKey {
        StorageKey(match (row.storage, self.name) {
            ("", "") => format!("core/{}", row.plural).into(),
            ("", group) => format!("{group}/{}", row.plural).into(),
            (key, _) => key.into(),
        })
    }
}

impl Sub {
    fn expand(&self) -> Subresource {
        let kind = self.kind.map(|(group, version, kind)| GroupVersionKind::new(group, version, kind));
        Subresource { name: self.name.into(), kind, verbs: self.verbs }
    }
}

impl Field {
    fn expand(&self) -> SelectableField {
        SelectableField { name: self.name.into(), paths: texts(self.paths), default: self.default.into() }
    }
}

fn texts(names: &'static [&'static str]) -> List<Text> {
    names.iter().map(|n| Cow::Borrowed(*n)).collect()
}
