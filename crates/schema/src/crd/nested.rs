//! Value validation: bounds, and what stands under `allOf`, `anyOf`, `oneOf` and `not`.
//!
//! Nested schemas may only restrict what the structural skeleton specifies: keywords that would
//! add to it must be empty there, and every field they name must be specified outside as well.

use serde_json::{Number, Value};

use super::{Builder, Raw, field, flag, names, text};
use crate::issue::FieldIssue;
use crate::model::{Extra, Format, Name, Node, NodeId, Pattern, Type, Validation};
use crate::path::Path;

/// What a nested schema must not say.
const SKELETON: &[&str] = &[
    "type",
    "default",
    "title",
    "description",
    "nullable",
    "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-embedded-resource",
    "x-kubernetes-int-or-string",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-map-type",
];

fn number(raw: &Raw, key: &str) -> Option<Number> {
    raw.get(key).and_then(Value::as_number).cloned()
}

fn count(raw: &Raw, key: &str) -> Option<u64> {
    raw.get(key).and_then(Value::as_u64)
}

impl Builder {
    /// Bounds of this schema, and its nested schemas.
    pub(super) fn validation(&mut self, raw: &Raw, path: &Path<'_>) -> Validation {
        let mut many = |key| self.nested_list(raw, key, path);
        let (all_of, any_of, one_of) = (many("allOf"), many("anyOf"), many("oneOf"));
        let not = raw.get("not").and_then(Value::as_object).map(|not| {
            let here = path.field("not");
            self.nested(not, Some(raw), &here, path, false)
        });
        Validation {
            minimum: number(raw, "minimum"),
            exclusive_minimum: flag(raw, "exclusiveMinimum"),
            maximum: number(raw, "maximum"),
            exclusive_maximum: flag(raw, "exclusiveMaximum"),
            multiple_of: number(raw, "multipleOf"),
            min_length: count(raw, "minLength"),
            max_length: count(raw, "maxLength"),
            pattern: self.pattern(raw, path),
            min_items: count(raw, "minItems"),
            max_items: count(raw, "maxItems"),
            unique_items: flag(raw, "uniqueItems"),
            min_properties: count(raw, "minProperties"),
            max_properties: count(raw, "maxProperties"),
            all_of,
            any_of,
            one_of,
            not,
        }
    }

    fn pattern(&mut self, raw: &Raw, path: &Path<'_>) -> Option<Pattern> {
        let source = raw.get("pattern").and_then(Value::as_str)?;
        match super::pattern::compile(source) {
            Ok(pattern) => Some(pattern),
            Err(error) => {
                let detail = format!("must be a valid regular expression, but isn't: {error}");
                self.issues.push(FieldIssue::invalid(path.field("pattern"), source, detail));
                None
            }
        }
    }

    fn nested_list(&mut self, raw: &Raw, key: &str, path: &Path<'_>) -> Vec<NodeId> {
        let list_path = path.field(key);
        let listed = raw.get(key).and_then(Value::as_array);
        let mut ids = Vec::new();
        for (index, nested) in listed.into_iter().flatten().filter_map(Value::as_object).enumerate() {
            // `anyOf: [{type: integer}, {type: string}]` is how int-or-string is also written.
            let typed = flag(raw, "x-kubernetes-int-or-string");
            ids.push(self.nested(nested, Some(raw), &list_path.index(index), path, typed));
        }
        ids
    }

    /// A nested schema. `outer` is the skeleton's schema for the same value, if it has one.
    fn nested(
        &mut self,
        raw: &Raw,
        outer: Option<&Raw>,
        path: &Path<'_>,
        outer_path: &Path<'_>,
        typed: bool,
    ) -> NodeId {
        for key in SKELETON.iter().filter(|key| raw.contains_key(**key) && !(typed && **key == "type")) {
            self.issues.push(FieldIssue::forbidden(path.field(key), "must be empty to be structural"));
        }
        let outer = outer.filter(|_| self.depth < super::DEPTH_MAX);
        self.depth += 1;
        let format = text(raw, "format");
        let extra = Extra {
            enumeration: raw.get("enum").and_then(Value::as_array).cloned().unwrap_or_default(),
            format: (!format.is_empty()).then(|| Name::Owned(format.to_owned())),
            validation: self.nested_validation(raw, outer, path, outer_path, typed),
            rules: self.rules(raw, path),
            ..Extra::default()
        };
        let node = Node {
            ty: if typed { super::named_type(text(raw, "type")) } else { Type::Any },
            format: Format::named(format),
            nullable: true,
            required: names(raw, "required"),
            fields: self.nested_fields(raw, outer, path, outer_path),
            element: self.nested_items(raw, outer, path, outer_path),
            extra: Some(Box::new(extra)),
            ..Node::default()
        };
        self.depth -= 1;
        self.schema.push(node)
    }

    /// Lists within a nested schema still describe the outer value, so they keep the outer skeleton.
    fn nested_validation(
        &mut self,
        raw: &Raw,
        outer: Option<&Raw>,
        path: &Path<'_>,
        outer_path: &Path<'_>,
        typed: bool,
    ) -> Validation {
        let mut plain = raw.clone();
        let mut many = |builder: &mut Self, key: &str| {
            let listed = plain.remove(key);
            let list_path = path.field(key);
            let mut ids = Vec::new();
            for (index, nested) in listed.iter().filter_map(Value::as_array).flatten().enumerate() {
                if let Some(nested) = nested.as_object() {
                    ids.push(builder.nested(nested, outer, &list_path.index(index), outer_path, typed));
                }
            }
            ids
        };
        let (all_of, any_of, one_of) = (many(self, "allOf"), many(self, "anyOf"), many(self, "oneOf"));
        let not = plain.remove("not");
        let not = not
            .as_ref()
            .and_then(Value::as_object)
            .map(|not| self.nested(not, outer, &path.field("not"), outer_path, false));
        Validation { all_of, any_of, one_of, not, ..self.validation(&plain, path) }
    }

    fn nested_fields(
        &mut self,
        raw: &Raw,
        outer: Option<&Raw>,
        path: &Path<'_>,
        outer_path: &Path<'_>,
    ) -> (u32, u32) {
        let (here, outside) = (path.field("properties"), outer_path.field("properties"));
        let mut fields = Vec::new();
        for (name, property) in raw.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let Some(property) = property.as_object() else { continue };
            let specified = outer.and_then(|o| o.get("properties")).and_then(|p| p.get(name)?.as_object());
            let (place, outside) = (here.key(name), outside.key(name));
            if specified.is_none() && outer.is_some() {
                let detail = format!("because it is defined in {place}");
                self.issues.push(FieldIssue::required(outside, detail));
            }
            let node = self.nested(property, specified, &place, &outside, false);
            fields.push(field(name.clone(), node));
        }
        self.schema.push_fields(fields)
    }

    fn nested_items(
        &mut self,
        raw: &Raw,
        outer: Option<&Raw>,
        path: &Path<'_>,
        outer_path: &Path<'_>,
    ) -> Option<NodeId> {
        let here = path.field("additionalProperties");
        if raw.contains_key("additionalProperties") {
            self.issues.push(FieldIssue::forbidden(here, "must be empty to be structural"));
        }
        let items = raw.get("items").and_then(Value::as_object)?;
        let specified = outer.and_then(|o| o.get("items")).and_then(Value::as_object);
        let (place, outside) = (path.field("items"), outer_path.field("items"));
        if specified.is_none() && outer.is_some() {
            let detail = format!("because it is defined in {place}");
            self.issues.push(FieldIssue::required(outside, detail));
        }
        Some(self.nested(items, specified, &place, &outside, false))
    }
}
