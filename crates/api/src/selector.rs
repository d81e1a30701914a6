//! Label and field selectors: which objects a list, a watch or a controller means.
//!
//! Sources: Kubernetes 1.36 apimachinery (`labels`, `fields`, `meta/v1` LabelSelector), messages included.

mod field;
mod label;
mod syntax;

use crate::status::FieldError;

pub use field::{FieldMatcher, FieldSelector, FieldTerm, field_value, field_values};
pub use label::{LabelSelector, Operator, Requirement};

/// A selector cannot be read or used; the text is what a client gets in a 400.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SelectorError {
    /// The text of a label selector is malformed.
    #[error("{0}")]
    Syntax(String),
    /// A requirement's key or values are wrong.
    #[error("{0}")]
    Requirement(FieldError),
    /// A `matchExpressions` operator is none of the four there are.
    #[error("{0:?} is not a valid label selector operator")]
    Operator(String),
    /// A term of a field selector has no operator.
    #[error("invalid selector: '{selector}'; can't understand '{term}'")]
    FieldTerm {
        /// The whole selector.
        selector: String,
        /// The term.
        term: String,
    },
    /// A value of a field selector has an unknown escape.
    #[error("invalid field selector: invalid escape sequence: {0}")]
    FieldEscape(String),
    /// A value of a field selector has a character that needs an escape.
    #[error("invalid field selector: unescaped character in value: {0}")]
    FieldUnescaped(u32),
    /// The resource has selectable fields, but not this one.
    #[error("field label not supported: {0}")]
    FieldUnsupported(String),
    /// The resource has no selectable fields but its name and namespace.
    #[error("{0:?} is not a known field selector: only \"metadata.name\", \"metadata.namespace\"")]
    FieldUnknown(String),
}

#[cfg(test)]
mod tests;
