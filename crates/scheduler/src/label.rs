//! Labels and what selects by them: one requirement form for label selectors and node selectors.

use std::{collections::BTreeMap, sync::Arc};

use k8s_openapi::{api::core::v1 as core, apimachinery::pkg::apis::meta::v1::LabelSelector};

/// Labels of an object, sorted by key; a clone shares them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Labels(Arc<[(Box<str>, Box<str>)]>);

impl Labels {
    /// Takes over a label map.
    pub fn decode(map: Option<&BTreeMap<String, String>>) -> Self {
        Self(map.into_iter().flatten().map(|(k, v)| (k.as_str().into(), v.as_str().into())).collect())
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        let at = self.0.binary_search_by(|(k, _)| k.as_ref().cmp(key)).ok()?;
        Some(&self.0[at].1)
    }
}

/// One requirement on a label.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Requirement {
    key: Box<str>,
    test: Test,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Test {
    In(Box<[Box<str>]>),
    NotIn(Box<[Box<str>]>),
    Exists,
    Absent,
    Above(i64),
    Below(i64),
    /// A requirement that cannot be read matches nothing.
    Never,
}

impl Requirement {
    /// `key = value`.
    pub fn equals(key: &str, value: &str) -> Self {
        Self { key: key.into(), test: Test::In([value.into()].into()) }
    }

    /// `key in (values)` or `key notin (values)`.
    pub fn within(key: &str, values: &[&str], inside: bool) -> Self {
        let values: Box<[Box<str>]> = values.iter().map(|value| (*value).into()).collect();
        Self { key: key.into(), test: if inside { Test::In(values) } else { Test::NotIn(values) } }
    }

    /// Decodes an operator and its values, as node selectors and label selectors share them.
    pub fn decode(key: &str, operator: &str, values: Option<&[String]>) -> Self {
        let list = || values.into_iter().flatten().map(|v| v.as_str().into()).collect::<Box<[Box<str>]>>();
        let number = || match values {
            Some([one]) => one.parse::<i64>().ok(),
            _ => None,
        };
        let test = match operator {
            "In" => Test::In(list()),
            "NotIn" => Test::NotIn(list()),
            "Exists" => Test::Exists,
            "DoesNotExist" => Test::Absent,
            "Gt" => number().map_or(Test::Never, Test::Above),
            "Lt" => number().map_or(Test::Never, Test::Below),
            _ => Test::Never,
        };
        Self { key: key.into(), test }
    }

    /// Whether the labels satisfy it.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.admits(labels.get(&self.key))
    }

    /// Whether a value, or its absence, satisfies it.
    pub fn admits(&self, value: Option<&str>) -> bool {
        let among = |values: &[Box<str>]| value.is_some_and(|v| values.iter().any(|one| one.as_ref() == v));
        let number = || value.and_then(|v| v.parse::<i64>().ok());
        match &self.test {
            Test::In(values) => among(values),
            Test::NotIn(values) => !among(values),
            Test::Exists => value.is_some(),
            Test::Absent => value.is_none(),
            Test::Above(bound) => number().is_some_and(|n| n > *bound),
            Test::Below(bound) => number().is_some_and(|n| n < *bound),
            Test::Never => false,
        }
    }

    /// The values of an `In`; `None` for every other test.
    pub fn allowed(&self) -> Option<&[Box<str>]> {
        match &self.test {
            Test::In(values) => Some(values),
            _ => None,
        }
    }
}

/// A label selector. An absent one selects nothing, an empty one everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Selector(Option<Vec<Requirement>>);

impl Selector {
    /// Takes over a label selector of the API.
    pub fn decode(selector: Option<&LabelSelector>) -> Self {
        Self(selector.map(|selector| {
            let equal = selector.match_labels.iter().flatten().map(|(k, v)| Requirement::equals(k, v));
            let other = selector.match_expressions.iter().flatten();
            equal
                .chain(other.map(|e| Requirement::decode(&e.key, &e.operator, e.values.as_deref())))
                .collect()
        }))
    }

    /// Adds a requirement; a selector that selects nothing keeps doing so.
    pub fn and(&mut self, requirement: Requirement) {
        if let Some(requirements) = &mut self.0 {
            requirements.push(requirement);
        }
    }

    /// Whether the labels are selected.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.0.as_ref().is_some_and(|requirements| requirements.iter().all(|one| one.matches(labels)))
    }

    /// Whether it selects everything.
    pub fn is_everything(&self) -> bool {
        self.0.as_ref().is_some_and(Vec::is_empty)
    }

    /// Whether it selects nothing, whatever the labels.
    pub fn is_nothing(&self) -> bool {
        self.0.is_none()
    }
}

/// One alternative of a node selector: requirements on labels and on the node's name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NodeTerm {
    labels: Vec<Requirement>,
    fields: Vec<Requirement>,
}

impl NodeTerm {
    /// Takes over a term. The API knows one field, `metadata.name`; any other makes the term match nothing.
    pub fn decode(term: &core::NodeSelectorTerm) -> Self {
        let read = |r: &core::NodeSelectorRequirement, operator: &str| {
            Requirement::decode(&r.key, operator, r.values.as_deref())
        };
        let field = |r: &core::NodeSelectorRequirement| match r.key.as_str() {
            "metadata.name" => read(r, &r.operator),
            _ => read(r, ""),
        };
        Self {
            labels: term.match_expressions.iter().flatten().map(|r| read(r, &r.operator)).collect(),
            fields: term.match_fields.iter().flatten().map(field).collect(),
        }
    }

    /// Whether a node satisfies all of it; an empty term matches no node.
    pub fn matches(&self, name: &str, labels: &Labels) -> bool {
        !(self.labels.is_empty() && self.fields.is_empty())
            && self.fields.iter().all(|one| one.admits(Some(name)))
            && self.labels.iter().all(|one| one.matches(labels))
    }

    /// The only nodes it can match, where it names them.
    pub fn names(&self) -> Option<Vec<&str>> {
        let mut lists = self.fields.iter().filter_map(Requirement::allowed);
        let first = lists.next()?;
        let named = first.iter().map(AsRef::as_ref);
        Some(named.filter(|name| self.fields.iter().all(|one| one.admits(Some(name)))).collect())
    }
}
