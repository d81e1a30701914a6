//! The row that a CustomResourceDefinition adds.

use serde_json::Value;

use super::{
    GenerationRule, List, Resource, Scope, SelectableField, StorageKey, Subresource, Verbs, Version,
};
use crate::gvk::{GroupVersionKind, Text};
use crate::meta;

/// A CustomResourceDefinition makes no row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CustomError {
    /// A field without which there is nothing to serve is missing.
    #[error("the CustomResourceDefinition has no {0}")]
    Missing(&'static str),
    /// The scope is neither of the two there are.
    #[error("the CustomResourceDefinition has scope {0:?}: use Namespaced or Cluster")]
    Scope(String),
}

impl Resource {
    /// The row of a CustomResourceDefinition (`apiextensions.k8s.io/v1`), from its accepted names if it has any.
    ///
    /// A subresource is there if any version declares it, since rows do not differ by version.
    ///
    /// # Errors
    /// The group, plural, kind or versions are missing, or the scope is unknown.
    pub fn from_definition(definition: &Value) -> Result<Self, CustomError> {
        let spec = definition.get("spec").unwrap_or(&Value::Null);
        let accepted =
            meta::at(definition, "status.acceptedNames").filter(|n| !meta::text(n, "plural").is_empty());
        let names = accepted.or_else(|| spec.get("names")).unwrap_or(&Value::Null);
        let group = required(spec, "group", "spec.group")?;
        let plural = required(names, "plural", "spec.names.plural")?;
        let kind = required(names, "kind", "spec.names.kind")?;
        let versions = spec.get("versions").and_then(Value::as_array).filter(|v| !v.is_empty());
        let versions = versions.ok_or(CustomError::Missing("spec.versions"))?;
        let subresources = subresources(versions);
        let has_status = subresources.iter().any(|s| s.name == "status");
        let unversioned = GenerationRule::ExceptMetadata;
        Ok(Self {
            singular: or(names, "singular", || kind.to_lowercase()),
            list_kind: or(names, "listKind", || format!("{kind}List")),
            short_names: texts(names, "shortNames"),
            categories: texts(names, "categories"),
            scope: scope(meta::text(spec, "scope"))?,
            verbs: Verbs::STANDARD,
            versions: versions.iter().map(|v| version(v, &group, &kind)).collect(),
            subresources: subresources.into(),
            storage: StorageKey(format!("{group}/{plural}").into()),
            selectable: selectable(versions).into(),
            has_status,
            generation: if has_status { GenerationRule::ExceptMetadataAndStatus } else { unversioned },
            graceful: false,
            group: group.into(),
            plural: plural.into(),
            kind: kind.into(),
        })
    }
}

fn required(value: &Value, field: &str, path: &'static str) -> Result<String, CustomError> {
    match meta::text(value, field) {
        "" => Err(CustomError::Missing(path)),
        text => Ok(text.to_owned()),
    }
}

fn or(value: &Value, field: &str, absent: impl Fn() -> String) -> Text {
    match meta::text(value, field) {
        "" => absent().into(),
        text => text.to_owned().into(),
    }
}

fn texts(value: &Value, field: &str) -> List<Text> {
    let items = value.get(field).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    items.map(|t| Text::from(t.to_owned())).collect()
}

fn scope(name: &str) -> Result<Scope, CustomError> {
    match name {
        "Namespaced" => Ok(Scope::Namespaced),
        "Cluster" => Ok(Scope::Cluster),
        other => Err(CustomError::Scope(other.to_owned())),
    }
}

/// The definition's name turns the group around, as published OpenAPI does: `io.example.v1.Kind`.
fn version(version: &Value, group: &str, kind: &str) -> Version {
    let name = meta::text(version, "name");
    let flag = |field| version.get(field).and_then(Value::as_bool).unwrap_or(false);
    let reversed: Vec<&str> = group.rsplit('.').collect();
    Version {
        name: name.to_owned().into(),
        definition: format!("{}.{name}.{kind}", reversed.join(".")).into(),
        served: flag("served"),
        storage: flag("storage"),
    }
}

fn subresources(versions: &[Value]) -> Vec<Subresource> {
    let declared =
        |name| versions.iter().any(|v| v.get("subresources").is_some_and(|s| s.get(name).is_some()));
    let scale = GroupVersionKind::new("autoscaling", "v1", "Scale");
    let known = [("scale", Some(scale)), ("status", None)].into_iter();
    known
        .filter(|(name, _)| declared(*name))
        .map(|(name, kind)| Subresource { name: name.into(), kind, verbs: Verbs::MODIFY })
        .collect()
}

/// The fields that any version selects by; naming `metadata.name` first makes errors speak of unsupported labels.
fn selectable(versions: &[Value]) -> Vec<SelectableField> {
    let mut fields = vec![field("metadata.name")];
    for version in versions {
        for entry in version.get("selectableFields").and_then(Value::as_array).into_iter().flatten() {
            let path = meta::text(entry, "jsonPath").trim_start_matches('.');
            if !path.is_empty() && !fields.iter().any(|f| f.name == path) {
                fields.push(field(path));
            }
        }
    }
    fields
}

fn field(path: &str) -> SelectableField {
    let path = Text::from(path.to_owned());
    SelectableField { name: path.clone(), paths: List::Owned(vec![path]), default: "".into() }
}
