//! From the `openAPIV3Schema` of a CustomResourceDefinition to an arena.
//!
//! Only structural schemas (KEP 1693) become one; for all others every reason is told with the
//! path Kubernetes would name. The root and embedded resources get `apiVersion`, `kind` and
//! `metadata` even where the schema leaves them out, with the facts of the built-in ObjectMeta.
//!
//! ```text
//! {type: object, properties: {spec: {…}}}      Object ┬ apiVersion, kind: String
//!                                         ──>         ├ metadata: Object (ObjectMeta)
//!                                                     └ spec: …
//! ```

mod keywords;
mod nested;
mod pattern;

use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::facts::builtin;
use crate::issue::FieldIssue;
use crate::model::{
    Definition, Extra, Field, Format, GroupVersionKind, ListType, MapType, Name, Node, NodeId, NodeRef,
    PatchStrategy, Rule, Schema, Type,
};
use crate::path::Path;

/// Deepest nesting of a schema, far below what the body's own limit allows.
const DEPTH_MAX: usize = 60;

/// The arena of one version of a CustomResourceDefinition.
///
/// `raw` is the `openAPIV3Schema`; `path` is where it lies, for the issues' paths, e.g.
/// `spec.versions[0].schema.openAPIV3Schema`. The definition gets the name that OpenAPI publishes
/// (see [`definition_name`]).
///
/// # Errors
/// Every reason why the schema is not structural or not valid, defaults included.
pub fn schema(raw: &Value, path: &str, kind: GroupVersionKind) -> Result<Schema, Vec<FieldIssue>> {
    let root_path = Path::root(path);
    let Some(object) = raw.as_object() else {
        return Err(vec![FieldIssue::required(root_path, "schemas are required")]);
    };
    let mut builder = Builder::default();
    let definition =
        Definition { name: Name::Owned(definition_name(&kind)), node: NodeId(0), kinds: vec![kind] };
    let root = builder.structural(object, &root_path, Level::Root);
    builder.schema.nodes[root.0 as usize].definition = Some(0);
    builder.schema.definitions.push(Definition { node: root, ..definition });
    let mut issues = builder.issues;
    if issues.is_empty() {
        check_defaults(builder.schema.at(root), &root_path, &mut issues);
    }
    if issues.is_empty() { Ok(builder.schema) } else { Err(issues) }
}

/// The schema of a version that states none: everything is kept, only `metadata` is known.
pub fn permissive(kind: GroupVersionKind) -> Schema {
    let raw = serde_json::json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    schema(&raw, "", kind).expect("the permissive schema is structural")
}

/// The name under which a kind of a custom group is published: `com.example.stable.v1.CronTab`.
pub fn definition_name(kind: &GroupVersionKind) -> String {
    let mut group: Vec<&str> = kind.group.split('.').collect();
    group.reverse();
    format!("{}.{}.{}", group.join("."), kind.version, kind.kind)
}

/// Where a node lies, for the words of an issue.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Root,
    Field,
    Item,
}

impl Level {
    fn words(self) -> &'static str {
        match self {
            Self::Root => "must not be empty at the root",
            Self::Field => "must not be empty for specified object fields",
            Self::Item => "must not be empty for specified array items",
        }
    }
}

#[derive(Default)]
struct Builder {
    schema: Schema,
    issues: Vec<FieldIssue>,
    depth: usize,
}

type Raw = Map<String, Value>;

/// The keywords that make a node's [`Extra`].
const EXTRA: &[&str] = &[
    "allOf",
    "anyOf",
    "default",
    "enum",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "not",
    "oneOf",
    "pattern",
    "uniqueItems",
    "x-kubernetes-validations",
];

fn flag(raw: &Raw, key: &str) -> bool {
    raw.get(key).and_then(Value::as_bool).unwrap_or(false)
}

fn text<'r>(raw: &'r Raw, key: &str) -> &'r str {
    raw.get(key).and_then(Value::as_str).unwrap_or_default()
}

impl Builder {
    /// A node of the structural skeleton, with its value validation.
    fn structural(&mut self, raw: &Raw, path: &Path<'_>, level: Level) -> NodeId {
        if self.depth >= DEPTH_MAX {
            self.issues.push(FieldIssue::forbidden(path, "the schema nests too deep"));
            return self.schema.push(Node::default());
        }
        self.depth += 1;
        keywords::check(raw, path, &mut self.issues);
        let mut node = Node {
            ty: self.type_of(raw, path, level),
            format: Format::named(text(raw, "format")),
            nullable: flag(raw, "nullable"),
            preserve_unknown: flag(raw, "x-kubernetes-preserve-unknown-fields"),
            embedded_resource: flag(raw, "x-kubernetes-embedded-resource"),
            ..Node::default()
        };
        self.list_facts(raw, path, &mut node);
        self.map_facts(raw, path, &mut node);
        node.required = names(raw, "required");
        node.element = self.element(raw, path, level);
        node.fields = self.fields(raw, path, level == Level::Root || node.embedded_resource);
        node.extra = self.extra(raw, path);
        if level == Level::Root || node.embedded_resource {
            self.check_resource(raw, path, level);
        }
        self.depth -= 1;
        self.schema.push(node)
    }

    fn type_of(&mut self, raw: &Raw, path: &Path<'_>, level: Level) -> Type {
        let name = text(raw, "type");
        if flag(raw, "x-kubernetes-int-or-string") {
            if !name.is_empty() {
                let detail = "must be empty if x-kubernetes-int-or-string is true";
                self.issues.push(FieldIssue::invalid(path.field("type"), name, detail));
            }
            return Type::IntOrString;
        }
        let preserves = flag(raw, "x-kubernetes-preserve-unknown-fields");
        if name.is_empty() && !preserves && level != Level::Root {
            self.issues.push(FieldIssue::required(path.field("type"), level.words()));
        }
        let ty = named_type(name);
        if ty == Type::Object && raw.contains_key("additionalProperties") { Type::Map } else { ty }
    }

    /// Items of a list or values of a map.
    fn element(&mut self, raw: &Raw, path: &Path<'_>, level: Level) -> Option<NodeId> {
        if let Some(items) = raw.get("items").and_then(Value::as_object) {
            return Some(self.structural(items, &path.field("items"), Level::Item));
        }
        if text(raw, "type") == "array" {
            self.issues.push(FieldIssue::required(path.field("items"), "must be specified"));
        }
        let here = path.field("additionalProperties");
        let values = raw.get("additionalProperties")?;
        if level == Level::Root {
            self.issues.push(FieldIssue::forbidden(here, "must not be used at the root"));
        }
        values.as_object().map(|values| self.structural(values, &here, Level::Field))
    }

    fn fields(&mut self, raw: &Raw, path: &Path<'_>, resource: bool) -> (u32, u32) {
        let here = path.field("properties");
        let mut fields = Vec::new();
        for (name, property) in raw.get("properties").and_then(Value::as_object).into_iter().flatten() {
            if resource && name == "metadata" {
                continue;
            }
            if let Some(property) = property.as_object() {
                let node = self.structural(property, &here.key(name), Level::Field);
                fields.push(field(name.clone(), node));
            }
        }
        if resource {
            self.resource_fields(raw, &here, &mut fields);
        }
        self.schema.push_fields(fields)
    }

    /// `apiVersion`, `kind` and `metadata`, where the schema leaves them out or restricts them.
    fn resource_fields(&mut self, raw: &Raw, properties: &Path<'_>, fields: &mut Vec<Field>) {
        for name in ["apiVersion", "kind"] {
            if !fields.iter().any(|field| field.name == name) {
                let node = self.schema.push(Node { ty: Type::String, ..Node::default() });
                fields.push(field(name, node));
            }
        }
        let meta = builtin()
            .definition("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta")
            .expect("the committed table has ObjectMeta");
        let node = self.import(meta, &mut HashMap::new());
        let declared = raw.get("properties").and_then(|p| p.get("metadata")).and_then(Value::as_object);
        if let Some(declared) = declared {
            self.restrict_metadata(node, declared, &properties.key("metadata"));
        }
        fields.push(field("metadata", node));
    }

    /// A schema may say more of `metadata.name` and `generateName`; their nodes replace the built-in ones.
    fn restrict_metadata(&mut self, node: NodeId, declared: &Raw, path: &Path<'_>) {
        keywords::check(declared, path, &mut self.issues);
        let here = path.field("properties");
        for (name, property) in declared.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let Some(property) = property.as_object() else { continue };
            let own = self.structural(property, &here.key(name), Level::Field);
            let (start, end) = self.schema.nodes[node.0 as usize].fields;
            let run = &mut self.schema.fields[start as usize..end as usize];
            if let Some(field) = run.iter_mut().find(|field| field.name == *name) {
                field.node = own;
            }
        }
    }

    /// Copies a node of another arena with all it reaches.
    fn import(&mut self, from: NodeRef<'static>, done: &mut HashMap<NodeId, NodeId>) -> NodeId {
        if let Some(&id) = done.get(&from.id()) {
            return id;
        }
        let id = self.schema.push(Node::default());
        done.insert(from.id(), id);
        let fields = from
            .fields()
            .map(|f| Field {
                name: Name::Borrowed(f.name()),
                node: self.import(f.node(), done),
                patch: f.patch_strategy(),
                merge_key: f.merge_key().map(Into::into),
            })
            .collect();
        let run = self.schema.push_fields(fields);
        let element = from.items().or_else(|| from.values()).map(|inner| self.import(inner, done));
        self.schema.nodes[id.0 as usize] =
            Node { fields: run, element, definition: None, ..from.node().clone() };
        id
    }

    fn list_facts(&mut self, raw: &Raw, path: &Path<'_>, node: &mut Node) {
        node.keys = names(raw, "x-kubernetes-list-map-keys");
        node.list = match text(raw, "x-kubernetes-list-type") {
            "atomic" => Some(ListType::Atomic),
            "set" => Some(ListType::Set),
            "map" => Some(ListType::Map),
            _ => None,
        };
        if node.list.is_some() && node.ty != Type::Array {
            let detail = "must be array if x-kubernetes-list-type is specified";
            self.issues.push(FieldIssue::invalid(path.field("type"), text(raw, "type"), detail));
        }
        keywords::check_list_keys(raw, node, path, &mut self.issues);
    }

    fn map_facts(&mut self, raw: &Raw, path: &Path<'_>, node: &mut Node) {
        node.map = match text(raw, "x-kubernetes-map-type") {
            "atomic" => Some(MapType::Atomic),
            "granular" => Some(MapType::Granular),
            _ => None,
        };
        if node.map.is_some() && !matches!(node.ty, Type::Object | Type::Map) {
            let detail = "must be object if x-kubernetes-map-type is specified";
            self.issues.push(FieldIssue::invalid(path.field("type"), text(raw, "type"), detail));
        }
    }

    /// What few nodes say; most say nothing, and a large CRD has thousands of nodes.
    fn extra(&mut self, raw: &Raw, path: &Path<'_>) -> Option<Box<Extra>> {
        if !raw.keys().any(|key| EXTRA.contains(&key.as_str())) {
            return None;
        }
        let validation = self.validation(raw, path);
        let format = text(raw, "format");
        let extra = Extra {
            default: raw.get("default").cloned(),
            enumeration: raw.get("enum").and_then(Value::as_array).cloned().unwrap_or_default(),
            format: (!format.is_empty()).then(|| Name::Owned(format.to_owned())),
            validation,
            rules: self.rules(raw, path),
        };
        Some(Box::new(extra))
    }

    fn rules(&mut self, raw: &Raw, path: &Path<'_>) -> Vec<Rule> {
        let here = path.field("x-kubernetes-validations");
        let mut rules = Vec::new();
        let listed = raw.get("x-kubernetes-validations").and_then(Value::as_array);
        for (index, rule) in listed.into_iter().flatten().filter_map(Value::as_object).enumerate() {
            let own = |key| rule.get(key).and_then(Value::as_str).map(str::to_owned);
            let rule_text = text(rule, "rule").trim();
            if rule_text.is_empty() {
                self.issues
                    .push(FieldIssue::required(here.index(index).field("rule"), "rule is not specified"));
            }
            rules.push(Rule {
                rule: rule_text.to_owned(),
                message: own("message"),
                message_expression: own("messageExpression"),
                reason: own("reason"),
                field_path: own("fieldPath"),
                optional_old_self: flag(rule, "optionalOldSelf"),
            });
        }
        rules
    }

    /// What holds for the root and for embedded resources.
    fn check_resource(&mut self, raw: &Raw, path: &Path<'_>, level: Level) {
        let detail = match level {
            Level::Root => "must be object at the root",
            _ => "must be object if x-kubernetes-embedded-resource is true",
        };
        match text(raw, "type") {
            "object" => {}
            "" => self.issues.push(FieldIssue::required(path.field("type"), detail)),
            other => self.issues.push(FieldIssue::invalid(path.field("type"), other, detail)),
        }
        let properties = raw.get("properties").and_then(Value::as_object);
        let empty = properties.is_none_or(Map::is_empty);
        if level != Level::Root && empty && !flag(raw, "x-kubernetes-preserve-unknown-fields") {
            let detail = "must not be empty if x-kubernetes-embedded-resource is true without \
                          x-kubernetes-preserve-unknown-fields";
            self.issues.push(FieldIssue::required(path.field("properties"), detail));
        }
        for (name, expected) in [("apiVersion", "string"), ("kind", "string"), ("metadata", "object")] {
            let declared = properties.and_then(|p| p.get(name)).and_then(Value::as_object);
            if let Some(found) = declared.map(|declared| text(declared, "type")).filter(|t| *t != expected) {
                let properties = path.field("properties");
                let here = properties.key(name);
                let detail = format!("must be {expected}");
                self.issues.push(FieldIssue::invalid(here.field("type"), found, detail));
            }
        }
        self.check_metadata(properties, path);
    }

    fn check_metadata(&mut self, properties: Option<&Raw>, path: &Path<'_>) {
        let metadata = properties.and_then(|p| p.get("metadata")).and_then(|m| m.get("properties"));
        let only_names = |raw: &Raw| raw.keys().all(|key| key == "name" || key == "generateName");
        if metadata.and_then(Value::as_object).is_some_and(|raw| !only_names(raw)) {
            let detail = "must not specify anything other than name and generateName, but metadata is implicitly specified";
            let properties = path.field("properties");
            self.issues.push(FieldIssue::forbidden(properties.key("metadata"), detail));
        }
    }
}

fn named_type(name: &str) -> Type {
    match name {
        "object" => Type::Object,
        "array" => Type::Array,
        "string" => Type::String,
        "integer" => Type::Integer,
        "number" => Type::Number,
        "boolean" => Type::Boolean,
        _ => Type::Any,
    }
}

fn field(name: impl Into<Name>, node: NodeId) -> Field {
    Field { name: name.into(), node, patch: PatchStrategy::default(), merge_key: None }
}

fn names(raw: &Raw, key: &str) -> Box<[Name]> {
    let listed = raw.get(key).and_then(Value::as_array).into_iter().flatten();
    listed.filter_map(Value::as_str).map(|name| Name::Owned(name.to_owned())).collect()
}

/// Defaults must be values of their own schema, without unknown fields.
fn check_defaults(node: NodeRef<'_>, path: &Path<'_>, issues: &mut Vec<FieldIssue>) {
    if let Some(default) = node.default() {
        let here = path.field("default");
        let mut pruned = default.clone();
        if !crate::prune::prune(&mut pruned, node).is_empty() {
            issues.push(FieldIssue::invalid(here, default.clone(), "must not have unknown fields"));
        }
        issues.extend(crate::validate::validate_at(node, default, &here.to_string()));
    }
    let properties = path.field("properties");
    for field in node.fields() {
        check_defaults(field.node(), &properties.key(field.name()), issues);
    }
    if let Some(items) = node.items() {
        check_defaults(items, &path.field("items"), issues);
    }
    if let Some(values) = node.values() {
        check_defaults(values, &path.field("additionalProperties"), issues);
    }
}

#[cfg(test)]
mod tests;
