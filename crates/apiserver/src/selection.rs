//! Which objects of a resource a list or watch is about: a key prefix and two selectors.

use api::kinds::Resource;
use api::selector::{FieldSelector, LabelSelector};
use api::status::Status;

use crate::cache::shard::Object;
use crate::request::{Query, ResourceInfo};

/// A compiled selection.
#[derive(Debug, Clone)]
pub struct Selection {
    /// What the keys of selected objects begin with.
    pub prefix: String,
    labels: Option<LabelSelector>,
    fields: Vec<FieldTerm>,
}

#[derive(Debug, Clone)]
struct FieldTerm {
    source: Source,
    value: String,
    equal: bool,
}

#[derive(Debug, Clone, Copy)]
enum Source {
    Name,
    Namespace,
    Indexed(usize),
}

impl Selection {
    /// Reads the selectors of a request.
    ///
    /// # Errors
    /// 400 for a selector that cannot be read, or names a field that the kind does not support.
    pub fn of(resource: &Resource, info: &ResourceInfo, query: &Query) -> Result<Self, Status> {
        let labels = match query.label_selector.as_str() {
            "" => None,
            text => Some(LabelSelector::parse(text).map_err(|error| Status::bad_request(error.to_string()))?),
        };
        let fields =
            FieldSelector::parse(&query.field_selector).map_err(|e| Status::bad_request(e.to_string()))?;
        fields.bind(resource).map_err(|error| Status::bad_request(error.to_string()))?;
        let fields = fields.terms.into_iter().filter_map(|term| field_term(resource, term)).collect();
        let namespace = if resource.namespaced() { info.namespace.as_str() } else { "" };
        let prefix = if namespace.is_empty() { String::new() } else { format!("{namespace}/") };
        Ok(Self { prefix, labels, fields })
    }

    /// Whether an object is selected.
    pub fn matches(&self, object: &Object) -> bool {
        object.key.starts_with(&self.prefix)
            && self.labels.as_ref().is_none_or(|labels| labels.matches_with(|key| object.indexed.label(key)))
            && self.fields.iter().all(|term| term.matches(object))
    }

    /// Whether every object under the prefix is selected.
    pub fn is_everything(&self) -> bool {
        self.labels.is_none() && self.fields.is_empty()
    }
}

/// The term with its field found in the index; `bind` has refused what is not there.
fn field_term(resource: &Resource, term: api::selector::FieldTerm) -> Option<FieldTerm> {
    let source = match term.field.as_str() {
        "metadata.name" => Source::Name,
        "metadata.namespace" => Source::Namespace,
        other => Source::Indexed(resource.selectable.iter().position(|field| field.name == other)?),
    };
    Some(FieldTerm { source, value: term.value, equal: term.equal })
}

impl FieldTerm {
    fn matches(&self, object: &Object) -> bool {
        let value = match self.source {
            Source::Name => object.key.rsplit('/').next().unwrap_or_default(),
            Source::Namespace => object.key.split_once('/').map_or("", |(namespace, _)| namespace),
            Source::Indexed(index) => object.indexed.fields.get(index).map_or("", AsRef::as_ref),
        };
        (value == self.value) == self.equal
    }
}
