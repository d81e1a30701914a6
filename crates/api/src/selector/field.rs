//! Field selectors over the fields that a row of the table makes selectable.

use std::borrow::Cow;
use std::fmt;

use serde_json::Value;

use super::SelectorError;
use crate::gvk::Text;
use crate::kinds::{List, Resource, SelectableField};
use crate::meta;

const NAME: &str = "metadata.name";
const NAMESPACE: &str = "metadata.namespace";

/// A conjunction of comparisons of fields with texts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldSelector {
    /// The comparisons, in the order of the text.
    pub terms: Vec<FieldTerm>,
}

/// One comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldTerm {
    /// The field's name in the selector.
    pub field: String,
    /// Whether it must be equal, or must differ.
    pub equal: bool,
    /// What it is compared with.
    pub value: String,
}

/// A field selector whose fields a resource is known to have.
#[derive(Debug, Clone, Default)]
pub struct FieldMatcher {
    terms: Vec<(SelectableField, FieldTerm)>,
}

impl FieldSelector {
    /// Reads the syntax of `fieldSelector` parameters: `a=b,c==d,e!=f`, with `\` before `\`, `,` and `=` in values.
    ///
    /// # Errors
    /// A term has no operator or a value a wrong escape; worded as Kubernetes does.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        let terms = split(text).into_iter().filter(|t| !t.is_empty());
        let terms = terms.map(|term| FieldTerm::parse(text, term)).collect::<Result<_, _>>()?;
        Ok(Self { terms })
    }

    /// Whether it matches every object.
    pub fn is_everything(&self) -> bool {
        self.terms.is_empty()
    }

    /// The one value the field must have, if the selector says so.
    pub fn required(&self, field: &str) -> Option<&str> {
        self.terms.iter().find(|t| t.equal && t.field == field).map(|t| t.value.as_str())
    }

    /// The selector for objects of this resource.
    ///
    /// # Errors
    /// The resource has no such field; worded as Kubernetes does.
    pub fn bind(&self, resource: &Resource) -> Result<FieldMatcher, SelectorError> {
        let term = |t: &FieldTerm| Ok((selectable(resource, &t.field)?, t.clone()));
        Ok(FieldMatcher { terms: self.terms.iter().map(term).collect::<Result<_, _>>()? })
    }
}

impl FieldTerm {
    fn parse(selector: &str, term: &str) -> Result<Self, SelectorError> {
        let Some((at, operator)) = find_operator(term) else {
            return Err(SelectorError::FieldTerm { selector: selector.to_owned(), term: term.to_owned() });
        };
        let value = unescape(&term[at + operator.len()..])?;
        Ok(Self { field: term[..at].to_owned(), equal: operator != "!=", value })
    }
}

impl FieldMatcher {
    /// Whether it matches every object.
    pub fn is_everything(&self) -> bool {
        self.terms.is_empty()
    }

    /// Whether the object's fields match.
    pub fn matches(&self, object: &Value) -> bool {
        self.terms.iter().all(|(field, term)| (field_value(field, object) == term.value) == term.equal)
    }

    /// Whether the values match that a function looks up by the field's name.
    pub fn matches_with<'a>(&self, lookup: impl Fn(&str) -> &'a str) -> bool {
        self.terms.iter().all(|(field, term)| (lookup(&field.name) == term.value) == term.equal)
    }
}

/// The value of a selectable field as a selector sees it: the first path that is set, else the default.
pub fn field_value<'a>(field: &'a SelectableField, object: &'a Value) -> Cow<'a, str> {
    let mut found =
        field.paths.iter().filter_map(|path| meta::at(object, path)).filter(|v| !meta::is_empty(v));
    match found.next() {
        Some(Value::String(text)) => text.as_str().into(),
        Some(value @ (Value::Bool(_) | Value::Number(_))) => value.to_string().into(),
        _ => field.default.as_ref().into(),
    }
}

/// Every selectable field of the resource with the object's value, name and namespace first: what a cache indexes.
pub fn field_values(resource: &Resource, object: &Value) -> Vec<(Text, String)> {
    let name = (NAME.into(), meta::name(object).to_owned());
    let namespace = (NAMESPACE.into(), meta::namespace(object).to_owned());
    let others = resource.selectable.iter().map(|f| (f.name.clone(), field_value(f, object).into_owned()));
    [name, namespace].into_iter().chain(others).collect()
}

fn selectable(resource: &Resource, name: &str) -> Result<SelectableField, SelectorError> {
    let own = resource.selectable.iter().find(|f| f.name == name);
    // Cluster-scoped kinds with fields of their own list the namespace as unsupported.
    let general =
        name == NAME || name == NAMESPACE && (resource.namespaced() || resource.selectable.is_empty());
    match own {
        Some(field) => Ok(field.clone()),
        None if general => Ok(metadata(if name == NAME { NAME } else { NAMESPACE })),
        None if resource.selectable.is_empty() => Err(SelectorError::FieldUnknown(name.to_owned())),
        None => Err(SelectorError::FieldUnsupported(name.to_owned())),
    }
}

fn metadata(path: &'static str) -> SelectableField {
    SelectableField { name: path.into(), paths: List::Owned(vec![path.into()]), default: "".into() }
}

/// The terms: what commas separate that no backslash precedes.
fn split(text: &str) -> Vec<&str> {
    let (mut terms, mut start, mut escaped) = (Vec::new(), 0, false);
    for (i, c) in text.char_indices() {
        match c {
            ',' if !escaped => {
                terms.push(&text[start..i]);
                start = i + 1;
            }
            _ => escaped = c == '\\' && !escaped,
        }
    }
    terms.push(&text[start..]);
    terms
}

fn find_operator(term: &str) -> Option<(usize, &'static str)> {
    let at = |(i, _)| ["!=", "==", "="].into_iter().find(|op| term[i..].starts_with(op)).map(|op| (i, op));
    term.char_indices().find_map(at)
}

fn unescape(value: &str) -> Result<String, SelectorError> {
    let mut plain = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(c @ ('\\' | ',' | '=')) => plain.push(c),
                Some(c) => return Err(SelectorError::FieldEscape(format!("\\{c}"))),
                None => return Err(SelectorError::FieldEscape("\\".to_owned())),
            },
            ',' | '=' => return Err(SelectorError::FieldUnescaped(c.into())),
            c => plain.push(c),
        }
    }
    Ok(plain)
}

/// The syntax that [`FieldSelector::parse`] reads.
impl fmt::Display for FieldSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, term) in self.terms.iter().enumerate() {
            let value = term.value.replace('\\', "\\\\").replace(',', "\\,").replace('=', "\\=");
            let (comma, operator) = (if i > 0 { "," } else { "" }, if term.equal { "=" } else { "!=" });
            write!(f, "{comma}{}{operator}{value}", term.field)?;
        }
        Ok(())
    }
}
