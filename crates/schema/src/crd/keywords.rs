//! Keywords of JSON Schema that Kubernetes restricts or refuses.

use serde_json::Value;

use super::{Raw, flag, text};
use crate::issue::FieldIssue;
use crate::model::{ListType, Node};
use crate::path::Path;

/// Keywords that are refused whatever their value.
const REFUSED: &[&str] = &[
    "$ref",
    "additionalItems",
    "definitions",
    "dependencies",
    "deprecated",
    "discriminator",
    "id",
    "patternProperties",
    "readOnly",
    "writeOnly",
    "xml",
];

const TYPES: &[&str] = &["array", "boolean", "integer", "number", "object", "string"];

pub(super) fn check(raw: &Raw, path: &Path<'_>, issues: &mut Vec<FieldIssue>) {
    for keyword in REFUSED.iter().filter(|keyword| raw.contains_key(**keyword)) {
        issues.push(FieldIssue::forbidden(path.field(keyword), format!("{keyword} is not supported")));
    }
    check_type(raw, path, issues);
    check_properties(raw, path, issues);
    check_exclusions(raw, path, issues);
    check_choice(raw, "x-kubernetes-list-type", &["atomic", "map", "set"], path, issues);
    check_choice(raw, "x-kubernetes-map-type", &["atomic", "granular"], path, issues);
}

fn check_type(raw: &Raw, path: &Path<'_>, issues: &mut Vec<FieldIssue>) {
    let name = text(raw, "type");
    let here = path.field("type");
    if name == "null" {
        let detail = "type cannot be set to null, use nullable as an alternative";
        issues.push(FieldIssue::forbidden(here, detail));
    } else if !name.is_empty() && !TYPES.contains(&name) {
        issues.push(FieldIssue::not_supported(here, name, TYPES.iter().copied()));
    }
}

fn check_properties(raw: &Raw, path: &Path<'_>, issues: &mut Vec<FieldIssue>) {
    if flag(raw, "uniqueItems") {
        let detail = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic";
        issues.push(FieldIssue::forbidden(path.field("uniqueItems"), detail));
    }
    if raw.get("items").is_some_and(Value::is_array) {
        let detail = "items must be a schema object and not an array";
        issues.push(FieldIssue::forbidden(path.field("items"), detail));
    }
    let here = path.field("additionalProperties");
    let listed = raw.get("properties").and_then(Value::as_object).is_some_and(|p| !p.is_empty());
    match raw.get("additionalProperties") {
        Some(Value::Bool(false)) => {
            issues.push(FieldIssue::forbidden(here, "additionalProperties cannot be set to false"));
        }
        Some(_) if listed => {
            let detail = "additionalProperties and properties are mutual exclusive";
            issues.push(FieldIssue::forbidden(here, detail));
        }
        _ => {}
    }
}

fn check_exclusions(raw: &Raw, path: &Path<'_>, issues: &mut Vec<FieldIssue>) {
    if !flag(raw, "x-kubernetes-int-or-string") {
        return;
    }
    for keyword in ["x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource"] {
        if flag(raw, keyword) {
            let detail = "must be false if x-kubernetes-int-or-string is true";
            issues.push(FieldIssue::invalid(path.field(keyword), true, detail));
        }
    }
}

fn check_choice(raw: &Raw, keyword: &str, allowed: &[&str], path: &Path<'_>, issues: &mut Vec<FieldIssue>) {
    if let Some(value) = raw.get(keyword)
        && !value.as_str().is_some_and(|value| allowed.contains(&value))
    {
        let shown = value.clone();
        issues.push(FieldIssue::not_supported(path.field(keyword), shown, allowed.iter().copied()));
    }
}

/// The keys of a list map: present, scalar fields of the items, and never absent in an item.
pub(super) fn check_list_keys(raw: &Raw, node: &Node, path: &Path<'_>, issues: &mut Vec<FieldIssue>) {
    let here = path.field("x-kubernetes-list-map-keys");
    if node.list != Some(ListType::Map) {
        if !node.keys.is_empty() {
            let detail = "must be empty if x-kubernetes-list-type is not map";
            issues.push(FieldIssue::forbidden(here, detail));
        }
        return;
    }
    if node.keys.is_empty() {
        let detail = "must not be empty if x-kubernetes-list-type is map";
        issues.push(FieldIssue::required(here, detail));
    }
    let items = raw.get("items").and_then(Value::as_object);
    let items_path = path.field("items");
    let properties_path = items_path.field("properties");
    for (index, key) in node.keys.iter().enumerate() {
        let property = items.and_then(|items| items.get("properties")).and_then(|p| p.get(key.as_ref()));
        let Some(property) = property.and_then(Value::as_object) else {
            let detail = "entries must all be names of item properties";
            issues.push(FieldIssue::invalid(here.index(index), key.as_ref(), detail));
            continue;
        };
        let key_path = properties_path.key(key);
        if matches!(text(property, "type"), "array" | "object") {
            let detail = "must be a scalar type if parent array's x-kubernetes-list-type is map";
            issues.push(FieldIssue::invalid(key_path.field("type"), text(property, "type"), detail));
        }
        let required = items.is_some_and(|items| super::names(items, "required").contains(key));
        if !required && !property.contains_key("default") {
            let detail = "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property";
            issues.push(FieldIssue::required(key_path.field("default"), detail));
        }
    }
}
