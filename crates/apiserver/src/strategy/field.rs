//! A cursor over an object's tree: a value and the path that leads to it, moved together.
//!
//! ```text
//! Field(root) -> Field("spec") -> Field("containers") -> Field([0]) -> Field("image")
//!      value        value              value                value         value
//! ```
//!
//! Each step borrows the step before it, so nothing is copied and the path is written out only when a
//! fault is found. What is absent, null or of another type reads as Go's zero value, as it does in the
//! structs of Kubernetes.

use std::fmt;

use api::status::{FieldError, FieldErrorKind};
use serde_json::{Map, Value};

static NULL: Value = Value::Null;

/// A value of an object and where it is.
#[derive(Clone, Copy)]
pub(crate) struct Field<'a> {
    value: &'a Value,
    parent: Option<&'a Field<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Name(&'a str),
    Index(usize),
    Key(&'a str),
}

impl<'a> Field<'a> {
    /// The object itself.
    pub(crate) fn root(value: &'a Value) -> Self {
        Self { value, parent: None, step: Step::Name("") }
    }

    /// The value at a dotted path below this one.
    pub(crate) fn at<'b>(&'b self, path: &'b str) -> Field<'b> {
        let value = path.split('.').try_fold(self.value, |value, name| value.get(name)).unwrap_or(&NULL);
        Field { value, parent: Some(self), step: Step::Name(path) }
    }

    /// The same value under another name, where Kubernetes' path is not the field's own.
    pub(crate) fn named<'b>(&'b self, name: &'b str) -> Field<'b> {
        Field { value: self.value, parent: self.parent, step: Step::Name(name) }
    }

    /// The same value at another path.
    pub(crate) fn moved_to(&self, path: &Field<'a>) -> Field<'a> {
        Field { value: self.value, ..*path }
    }

    /// An entry of this map, written `path[key]`.
    pub(crate) fn key<'b>(&'b self, key: &'b str) -> Field<'b> {
        Field { value: self.value.get(key).unwrap_or(&NULL), parent: Some(self), step: Step::Key(key) }
    }

    /// An item of this list.
    pub(crate) fn index<'b>(&'b self, index: usize) -> Field<'b> {
        Field { value: self.value.get(index).unwrap_or(&NULL), parent: Some(self), step: Step::Index(index) }
    }

    /// The items of this list.
    pub(crate) fn items<'b>(&'b self) -> impl Iterator<Item = Field<'b>> {
        self.list().iter().enumerate().map(|(index, value)| Field {
            value,
            parent: Some(self),
            step: Step::Index(index),
        })
    }

    /// The entries of this map.
    pub(crate) fn entries<'b>(&'b self) -> impl Iterator<Item = (&'b str, Field<'b>)> {
        self.map()
            .into_iter()
            .flatten()
            .map(|(key, value)| (key.as_str(), Field { value, parent: Some(self), step: Step::Key(key) }))
    }

    /// The value.
    pub(crate) fn value(&self) -> &'a Value {
        self.value
    }

    /// Whether there is a value other than null: Go's non-nil pointer.
    pub(crate) fn is_set(&self) -> bool {
        !self.value.is_null()
    }

    /// Whether the field below is set.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.at(path).is_set()
    }

    /// The text, `""` if there is none.
    pub(crate) fn text(&self) -> &'a str {
        self.value.as_str().unwrap_or("")
    }

    /// The text of the field below.
    pub(crate) fn text_at(&self, path: &str) -> &'a str {
        path.split('.')
            .try_fold(self.value, |value, name| value.get(name))
            .and_then(Value::as_str)
            .unwrap_or("")
    }

    /// The number, if there is one.
    pub(crate) fn number(&self) -> Option<i64> {
        self.value.as_i64()
    }

    /// The number of the field below, 0 if there is none.
    pub(crate) fn number_at(&self, path: &str) -> i64 {
        self.at(path).number().unwrap_or(0)
    }

    /// The boolean, if there is one.
    pub(crate) fn truth(&self) -> Option<bool> {
        self.value.as_bool()
    }

    /// Whether the field below is `true`.
    pub(crate) fn is_true(&self, path: &str) -> bool {
        self.at(path).truth() == Some(true)
    }

    /// The list, empty if there is none.
    pub(crate) fn list(&self) -> &'a [Value] {
        self.value.as_array().map_or(&[], Vec::as_slice)
    }

    /// The map, if there is one.
    pub(crate) fn map(&self) -> Option<&'a Map<String, Value>> {
        self.value.as_object()
    }

    /// Whether this list, map or text has nothing in it.
    pub(crate) fn is_empty(&self) -> bool {
        api::meta::is_empty(self.value)
    }

    /// The texts of this list.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.list().iter().filter_map(Value::as_str)
    }

    fn path(&self) -> String {
        let text = self.to_string();
        if text.is_empty() { "<nil>".to_owned() } else { text }
    }

    fn fault(&self, kind: FieldErrorKind, bad_value: Option<Value>, detail: String) -> FieldError {
        FieldError { kind, path: self.path(), bad_value, detail }
    }
}

impl fmt::Display for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
        }
        let dot = if self.parent.is_some_and(|parent| parent.parent.is_some()) { "." } else { "" };
        match self.step {
            Step::Name(name) => write!(f, "{dot}{name}"),
            Step::Index(index) => write!(f, "[{index}]"),
            Step::Key(key) => write!(f, "[{key}]"),
        }
    }
}

/// The faults found so far, in the order Kubernetes gives them.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<FieldError>);

impl Faults {
    /// All faults.
    pub(crate) fn into_vec(self) -> Vec<FieldError> {
        self.0
    }

    /// Faults that were found elsewhere.
    pub(crate) fn extend(&mut self, faults: Vec<FieldError>) {
        self.0.extend(faults);
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// The field must be set.
    pub(crate) fn required(&mut self, at: &Field<'_>, detail: impl Into<String>) {
        self.0.push(at.fault(FieldErrorKind::Required, None, detail.into()));
    }

    /// `value` is malformed or out of bounds.
    pub(crate) fn invalid(&mut self, at: &Field<'_>, value: impl Into<Value>, detail: impl Into<String>) {
        self.0.push(at.fault(FieldErrorKind::Invalid, Some(value.into()), detail.into()));
    }

    /// The field's own value is malformed or out of bounds.
    pub(crate) fn wrong(&mut self, at: &Field<'_>, detail: impl Into<String>) {
        self.invalid(at, at.value.clone(), detail);
    }

    /// The field's own text is malformed; an absent text shows as `""`.
    pub(crate) fn wrong_text(&mut self, at: &Field<'_>, detail: impl Into<String>) {
        self.invalid(at, at.text(), detail);
    }

    /// The field is wrong in a way that its value does not show.
    pub(crate) fn invalid_unshown(&mut self, at: &Field<'_>, detail: impl Into<String>) {
        self.0.push(at.fault(FieldErrorKind::Invalid, None, detail.into()));
    }

    /// One fault for each message about `value`.
    pub(crate) fn each(&mut self, at: &Field<'_>, value: &str, messages: Vec<String>) {
        for message in messages {
            self.invalid(at, value, message);
        }
    }

    /// One fault for each message about the field's own number.
    pub(crate) fn each_number(&mut self, at: &Field<'_>, messages: Vec<String>) {
        for message in messages {
            self.invalid(at, at.number().unwrap_or(0), message);
        }
    }

    /// The field's own value is none of those there are.
    pub(crate) fn unsupported(&mut self, at: &Field<'_>, supported: &[&str]) {
        let value = if at.is_set() { at.value.clone() } else { Value::from("") };
        self.unsupported_value(at, value, supported);
    }

    /// `value` is none of those there are.
    pub(crate) fn unsupported_value(&mut self, at: &Field<'_>, value: impl Into<Value>, supported: &[&str]) {
        let quoted: Vec<String> = supported.iter().map(|value| format!("{value:?}")).collect();
        let detail = format!("supported values: {}", quoted.join(", "));
        self.0.push(at.fault(FieldErrorKind::NotSupported, Some(value.into()), detail));
    }

    /// `value` must be unique.
    pub(crate) fn duplicate(&mut self, at: &Field<'_>, value: impl Into<Value>) {
        self.duplicate_because(at, value, "");
    }

    /// `value` must be unique, for a reason.
    pub(crate) fn duplicate_because(&mut self, at: &Field<'_>, value: impl Into<Value>, why: &str) {
        self.0.push(at.fault(FieldErrorKind::Duplicate, Some(value.into()), why.to_owned()));
    }

    /// The field may not be set here.
    pub(crate) fn forbidden(&mut self, at: &Field<'_>, detail: impl Into<String>) {
        self.0.push(at.fault(FieldErrorKind::Forbidden, None, detail.into()));
    }

    /// What `value` names does not exist.
    pub(crate) fn not_found(&mut self, at: &Field<'_>, value: impl Into<Value>, detail: impl Into<String>) {
        self.0.push(at.fault(FieldErrorKind::NotFound, Some(value.into()), detail.into()));
    }

    /// The value has more than `max_bytes` bytes.
    pub(crate) fn too_long(&mut self, at: &Field<'_>, max_bytes: usize) {
        let detail = format!("may not be more than {max_bytes} bytes");
        self.0.push(at.fault(FieldErrorKind::TooLong, None, detail));
    }

    /// The list has more than `max_items` items.
    pub(crate) fn too_many(&mut self, at: &Field<'_>, items: usize, max_items: usize) {
        let detail = format!("must have at most {max_items} items");
        self.0.push(at.fault(FieldErrorKind::TooMany, Some(items.into()), detail));
    }

    /// The number may not be negative.
    pub(crate) fn nonnegative(&mut self, at: &Field<'_>) {
        if let Some(number) = at.number().filter(|number| *number < 0) {
            self.invalid(at, number, "must be greater than or equal to 0");
        }
    }

    /// The field must be as it was.
    pub(crate) fn immutable(&mut self, new: &Field<'_>, old: &Field<'_>) {
        if !super::tree::same(new.value, old.value) {
            self.wrong(new, "field is immutable");
        }
    }

    /// The text must be set and one of `supported`.
    pub(crate) fn one_of(&mut self, at: &Field<'_>, supported: &[&str]) {
        if at.text().is_empty() {
            self.required(at, "");
        } else if !supported.contains(&at.text()) {
            self.unsupported(at, supported);
        }
    }

    /// The text, if set, must be one of `supported`.
    pub(crate) fn optional_one_of(&mut self, at: &Field<'_>, supported: &[&str]) {
        if at.is_set() && !supported.contains(&at.text()) {
            self.unsupported(at, supported);
        }
    }
}
