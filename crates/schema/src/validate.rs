//! Validating a custom resource against its structural schema.
//!
//! Checks run in the order and with the words of Kubernetes' validator (`kube-openapi`
//! `pkg/validation`): type, combinations, string, format, number, list, enumeration, object; then
//! the uniqueness of list sets and list maps, and what embedded resources must have. CEL rules are
//! evaluated elsewhere; [`rule_sites`] tells where.
//!
//! With an old value, whatever is equal to its old counterpart is not checked again (KEP 4008,
//! ratcheting), so that a stricter schema does not lock existing objects.

mod correlate;
mod format;
mod rules;

use std::fmt;

use serde_json::{Number, Value};

use crate::issue::FieldIssue;
use crate::model::{ListType, NodeId, NodeRef, Type, Validation};
use crate::path::Path;
use crate::quote::Quoted;
use correlate::Correlation;

pub use rules::{RuleSite, rule_sites};

/// What is wrong with `value`. `old` is the stored object at an update.
pub fn validate(node: NodeRef<'_>, value: &Value, old: Option<&Value>) -> Vec<FieldIssue> {
    let mut check = Check { issues: Vec::new(), prefix: "" };
    check.value(node, value, old, &Path::root(""));
    check.issues
}

/// What is wrong with a default that lies at `prefix`.
pub(crate) fn validate_at(node: NodeRef<'_>, value: &Value, prefix: &str) -> Vec<FieldIssue> {
    let mut check = Check { issues: Vec::new(), prefix };
    check.value(node, value, None, &Path::root(""));
    check.issues
}

struct Check<'p> {
    issues: Vec<FieldIssue>,
    /// Where the validated value lies.
    prefix: &'p str,
}

impl Check<'_> {
    fn value(&mut self, node: NodeRef<'_>, value: &Value, old: Option<&Value>, path: &Path<'_>) {
        if old == Some(value) || (value.is_null() && node.nullable()) {
            return;
        }
        self.type_of(node, value, path);
        if let Some(facts) = node.validation() {
            self.combinations(node, facts, value, path);
            self.bounds(node, facts, value, path);
        }
        match value {
            Value::Array(items) => self.items(node, items, old, path),
            Value::Object(_) => self.members(node, value, old, path),
            _ => {}
        }
    }

    // -- reporting

    /// The field an issue is reported at.
    fn at(&self, path: &Path<'_>) -> String {
        let own = path.to_string();
        match (self.prefix, own.as_str()) {
            (prefix, "") => prefix.to_owned(),
            ("", _) => own,
            (prefix, own) => format!("{prefix}.{own}"),
        }
    }

    fn invalid(&mut self, path: &Path<'_>, value: impl Into<Value>, words: impl fmt::Display) {
        let at = self.at(path);
        self.issues.push(FieldIssue::invalid(at, value, format!("{path} in body {words}")));
    }

    fn wrong_type(&mut self, path: &Path<'_>, value: &str, expected: &str) {
        let at = self.at(path);
        let detail = format!("{path} in body must be of type {expected}: {}", Quoted(value));
        self.issues.push(FieldIssue::type_invalid(at, value, detail));
    }

    /// An issue of a combination, which Kubernetes reports at the root.
    fn combination(&mut self, path: &Path<'_>, words: &str) {
        let at = if self.prefix.is_empty() { "<nil>" } else { self.prefix };
        let quoted = Quoted(&path.to_string()).to_string();
        self.issues.push(FieldIssue::invalid(at, "", format!("{quoted} {words}")));
    }

    // -- type

    fn type_of(&mut self, node: NodeRef<'_>, value: &Value, path: &Path<'_>) {
        let expected = match node.ty() {
            Type::Any => return,
            Type::Object | Type::Map => "object",
            Type::Array => "array",
            Type::String | Type::Quantity => "string",
            Type::Integer => "integer",
            Type::Number => "number",
            Type::Boolean => "boolean",
            Type::IntOrString => "integer,string",
        };
        let found = type_name(value);
        let fits = expected.split(',').any(|ty| ty == found) || (expected == "number" && found == "integer");
        if !fits {
            self.wrong_type(path, found, expected);
        }
    }

    // -- allOf, anyOf, oneOf, not

    fn combinations(&mut self, node: NodeRef<'_>, facts: &Validation, value: &Value, path: &Path<'_>) {
        self.any_of(node, &facts.any_of, value, path);
        self.one_of(node, &facts.one_of, value, path);
        self.all_of(node, &facts.all_of, value, path);
        let not = facts.not.map(|id| self.issues_of(node.sibling(id), value, path));
        if not.is_some_and(|issues| issues.is_empty()) {
            self.combination(path, "must not validate the schema (not)");
        }
    }

    fn issues_of(&self, node: NodeRef<'_>, value: &Value, path: &Path<'_>) -> Vec<FieldIssue> {
        let mut check = Check { issues: Vec::new(), prefix: self.prefix };
        check.value(node, value, None, path);
        check.issues
    }

    /// How many of the alternatives hold, and the issues of the one that is nearest to holding.
    fn alternatives(
        &self,
        node: NodeRef<'_>,
        ids: &[NodeId],
        value: &Value,
        path: &Path<'_>,
    ) -> (usize, Vec<FieldIssue>) {
        let all: Vec<Vec<FieldIssue>> =
            ids.iter().map(|id| self.issues_of(node.sibling(*id), value, path)).collect();
        let valid = all.iter().filter(|issues| issues.is_empty()).count();
        let nearest = all.into_iter().filter(|issues| !issues.is_empty()).min_by_key(Vec::len);
        (valid, nearest.unwrap_or_default())
    }

    fn any_of(&mut self, node: NodeRef<'_>, ids: &[NodeId], value: &Value, path: &Path<'_>) {
        let (valid, nearest) = self.alternatives(node, ids, value, path);
        if !ids.is_empty() && valid == 0 {
            self.combination(path, "must validate at least one schema (anyOf)");
            self.issues.extend(nearest);
        }
    }

    fn one_of(&mut self, node: NodeRef<'_>, ids: &[NodeId], value: &Value, path: &Path<'_>) {
        let (valid, nearest) = self.alternatives(node, ids, value, path);
        if ids.is_empty() || valid == 1 {
            return;
        }
        let found = if valid == 0 {
            "Found none valid".to_owned()
        } else {
            format!("Found {valid} valid alternatives")
        };
        self.combination(path, &format!("must validate one and only one schema (oneOf). {found}"));
        if valid == 0 {
            self.issues.extend(nearest);
        }
    }

    fn all_of(&mut self, node: NodeRef<'_>, ids: &[NodeId], value: &Value, path: &Path<'_>) {
        let mut valid = 0;
        for id in ids {
            let issues = self.issues_of(node.sibling(*id), value, path);
            valid += usize::from(issues.is_empty());
            self.issues.extend(issues);
        }
        if valid == ids.len() {
            return;
        }
        let none = if valid == 0 { ". None validated" } else { "" };
        self.combination(path, &format!("must validate all the schemas (allOf){none}"));
    }

    // -- bounds of one value

    fn bounds(&mut self, node: NodeRef<'_>, facts: &Validation, value: &Value, path: &Path<'_>) {
        match value {
            Value::String(text) => self.string(node, facts, text, path),
            Value::Number(number) => self.number(facts, number, path),
            Value::Array(items) => self.list_bounds(facts, items, path),
            _ => {}
        }
        self.enumeration(node, value, path);
        if let Value::Object(map) = value {
            self.object_bounds(facts, map.len(), path);
        }
    }

    fn string(&mut self, node: NodeRef<'_>, facts: &Validation, text: &str, path: &Path<'_>) {
        let length = text.chars().count() as u64;
        if let Some(max) = facts.max_length.filter(|max| length > *max) {
            let at = self.at(path);
            self.issues.push(FieldIssue::too_long(at, max));
        }
        if let Some(min) = facts.min_length.filter(|min| length < *min) {
            self.invalid(path, text, format_args!("should be at least {min} chars long"));
        }
        if let Some(pattern) = facts.pattern.as_ref().filter(|pattern| !pattern.regex.is_match(text)) {
            self.invalid(path, text, format_args!("should match '{}'", pattern.source));
        }
        if let Some(name) = node.format_name().filter(|name| !format::holds(name, text)) {
            self.wrong_type(path, text, name);
        }
    }

    fn number(&mut self, facts: &Validation, number: &Number, path: &Path<'_>) {
        let shown = || Value::Number(number.clone());
        if let Some(factor) = facts.multiple_of.as_ref().filter(|factor| !is_multiple(number, factor)) {
            self.invalid(path, shown(), format_args!("should be a multiple of {factor}"));
        }
        if let Some(max) = &facts.maximum {
            if facts.exclusive_maximum && !less(number, max) {
                self.invalid(path, shown(), format_args!("should be less than {max}"));
            } else if less(max, number) {
                self.invalid(path, shown(), format_args!("should be less than or equal to {max}"));
            }
        }
        if let Some(min) = &facts.minimum {
            if facts.exclusive_minimum && !less(min, number) {
                self.invalid(path, shown(), format_args!("should be greater than {min}"));
            } else if less(number, min) {
                self.invalid(path, shown(), format_args!("should be greater than or equal to {min}"));
            }
        }
    }

    fn list_bounds(&mut self, facts: &Validation, items: &[Value], path: &Path<'_>) {
        let count = items.len() as u64;
        if let Some(min) = facts.min_items.filter(|min| count < *min) {
            self.invalid(path, count, format_args!("should have at least {min} items"));
        }
        if let Some(max) = facts.max_items.filter(|max| count > *max) {
            let at = self.at(path);
            self.issues.push(FieldIssue::too_many(at, items.len(), max));
        }
        if facts.unique_items && (1..items.len()).any(|at| items[..at].contains(&items[at])) {
            self.invalid(path, "", "shouldn't contain duplicates");
        }
    }

    fn object_bounds(&mut self, facts: &Validation, count: usize, path: &Path<'_>) {
        if let Some(min) = facts.min_properties.filter(|min| (count as u64) < *min) {
            self.invalid(path, count, format_args!("should have at least {min} properties"));
        }
        if let Some(max) = facts.max_properties.filter(|max| (count as u64) > *max) {
            let at = self.at(path);
            self.issues.push(FieldIssue::too_many(at, count, max));
        }
    }

    fn enumeration(&mut self, node: NodeRef<'_>, value: &Value, path: &Path<'_>) {
        let allowed = node.enumeration();
        if allowed.is_empty() || allowed.contains(value) {
            return;
        }
        let names: Vec<String> =
            allowed.iter().map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned)).collect();
        let at = self.at(path);
        let names = names.iter().map(String::as_str);
        self.issues.push(FieldIssue::not_supported(at, value.clone(), names));
    }

    // -- inside lists and objects

    fn items(&mut self, node: NodeRef<'_>, items: &[Value], old: Option<&Value>, path: &Path<'_>) {
        let correlation = Correlation::of_list(node, old);
        if let Some(inner) = node.items() {
            for (index, item) in items.iter().enumerate() {
                self.value(inner, item, correlation.item(item), &path.index(index));
            }
        }
        match node.list_type() {
            Some(ListType::Set) => self.duplicates(items, path, Value::clone),
            Some(ListType::Map) => self.duplicates(items, path, |item| correlate::keys_of(node, item)),
            _ => {}
        }
    }

    fn duplicates(&mut self, items: &[Value], path: &Path<'_>, key: impl Fn(&Value) -> Value) {
        let mut seen = std::collections::HashSet::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let key = key(item);
            if !seen.insert(key.to_string()) {
                let at = self.at(&path.index(index));
                self.issues.push(FieldIssue::duplicate(at, key));
            }
        }
    }

    fn members(&mut self, node: NodeRef<'_>, value: &Value, old: Option<&Value>, path: &Path<'_>) {
        let Some(map) = value.as_object() else { return };
        for name in node.required().iter().filter(|name| !map.contains_key(name.as_ref())) {
            let at = self.at(&path.field(name));
            self.issues.push(FieldIssue::required(at, ""));
        }
        if node.is_embedded_resource() {
            self.embedded(map, path);
        }
        for (key, value) in map {
            if let Some(child) = node.child(key) {
                let old = old.and_then(|old| old.get(key));
                self.value(child, value, old, &path.field(key));
            }
        }
    }

    fn embedded(&mut self, map: &serde_json::Map<String, Value>, path: &Path<'_>) {
        for name in ["apiVersion", "kind"] {
            if map.get(name).and_then(Value::as_str).is_none_or(str::is_empty) {
                let at = self.at(&path.field(name));
                self.issues.push(FieldIssue::required(at, "must not be empty"));
            }
        }
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() && number.as_f64().is_some_and(|f| f.fract() != 0.0) => {
            "number"
        }
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn less(a: &Number, b: &Number) -> bool {
    match (a.as_i64(), b.as_i64()) {
        (Some(a), Some(b)) => a < b,
        _ => a.as_f64() < b.as_f64(),
    }
}

fn is_multiple(number: &Number, factor: &Number) -> bool {
    match (number.as_i64(), factor.as_i64(), number.as_f64(), factor.as_f64()) {
        (Some(number), Some(factor), ..) => factor == 0 || number.checked_rem(factor).is_none_or(|r| r == 0),
        (.., Some(number), Some(factor)) => factor == 0.0 || (number / factor).fract() == 0.0,
        _ => true,
    }
}

#[cfg(test)]
mod tests;
