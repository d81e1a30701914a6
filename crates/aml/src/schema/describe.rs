//! Schemas as JSON: the JSON schema that output and `std.describe` show, and the
//! full description that `--print-args` and `--print-schema` show.

use super::{Constraint, ListSchema, ObjectSchema, Schema, SchemaField};
use crate::diagnostics::FaultBox;
use crate::evaluation::Machine;
use crate::printing::Json;
use crate::value::{Kind, SchemaId};
use std::collections::BTreeMap;

/// The names of types and what they mean.
pub(crate) fn named_types() -> Vec<(&'static str, Schema)> {
    let kinds = [
        Kind::Null,
        Kind::String,
        Kind::Bool,
        Kind::Number,
        Kind::Array,
        Kind::Object,
        Kind::Func,
        Kind::Schema,
    ];
    let mut types: Vec<_> = kinds.into_iter().map(|kind| (kind.name(), type_of(kind))).collect();
    types.push(("int", Schema { constraints: vec![Constraint::Int], ..Schema::of(Kind::Number) }));
    types
}

/// The schema every value of a kind fits.
pub(crate) fn type_of(kind: Kind) -> Schema {
    match kind {
        Kind::Object => Schema::open_object(),
        Kind::Array => Schema { list: Some(ListSchema::default()), ..Schema::of(kind) },
        kind => Schema::of(kind),
    }
}

/// Definitions by the path of their schema.
type Defs = BTreeMap<String, Json>;

fn text(value: impl Into<String>) -> Json {
    Json::String(value.into())
}

impl<'t> Machine<'t> {
    /// The JSON schema of a schema; nothing for what JSON schema is not used for.
    pub(crate) fn schema_json(&mut self, id: SchemaId) -> Result<Option<Json>, FaultBox> {
        let mut defs = Defs::new();
        let Some(mut entries) = self.json_schema(id, &mut defs)? else { return Ok(None) };
        if !defs.is_empty() {
            entries.push(("defs".into(), Json::Object(defs.into_iter().collect())));
        }
        Ok(Some(Json::Object(entries)))
    }

    fn json_schema(
        &mut self,
        id: SchemaId,
        defs: &mut Defs,
    ) -> Result<Option<Vec<(String, Json)>>, FaultBox> {
        self.deeper(|m| {
            m.charge(256)?;
            let schema = m.schema(id);
            let name = match schema.kind {
                Kind::String => "string",
                Kind::Bool => "boolean",
                Kind::Number => "number",
                Kind::Array => return m.json_list(schema.list.as_ref(), defs),
                Kind::Object => return m.json_object(schema.object.as_ref(), defs),
                _ => return Ok(None),
            };
            Ok(Some(vec![("type".into(), text(name))]))
        })
    }

    fn json_list(
        &mut self,
        list: Option<&ListSchema>,
        defs: &mut Defs,
    ) -> Result<Option<Vec<(String, Json)>>, FaultBox> {
        let mut entries = described(list.map_or("", |l| &l.description));
        entries.push(("type".into(), text("array")));
        let mut items = Vec::new();
        for valid in list.iter().flat_map(|l| &l.valid) {
            let Some(item) = self.json_reference(*valid, defs)? else { return Ok(None) };
            items.push(Json::Object(item));
        }
        if !items.is_empty() {
            entries.push(("items".into(), Json::Array(items)));
        }
        Ok(Some(entries))
    }

    fn json_object(
        &mut self,
        object: Option<&ObjectSchema>,
        defs: &mut Defs,
    ) -> Result<Option<Vec<(String, Json)>>, FaultBox> {
        let mut entries = described(object.map_or("", |o| &o.description));
        entries.push(("type".into(), text("object")));
        let mut properties = BTreeMap::new();
        for field in object.iter().flat_map(|o| &o.fields).filter(|f| !f.key.is_empty()) {
            let Some(mut property) = self.json_reference(field.schema, defs)? else { return Ok(None) };
            property.retain(|(key, _)| matches!(key.as_str(), "type" | "$ref" | "items"));
            let mut entries = described(&field.description);
            entries.extend(property);
            properties.insert(field.key.to_string(), Json::Object(entries));
        }
        if !properties.is_empty() {
            entries.push(("properties".into(), Json::Object(properties.into_iter().collect())));
        }
        Ok(Some(entries))
    }

    /// A schema with a path is defined once and referred to.
    fn json_reference(
        &mut self,
        id: SchemaId,
        defs: &mut Defs,
    ) -> Result<Option<Vec<(String, Json)>>, FaultBox> {
        let path = self.path_text(self.schema(id).path);
        let reference = vec![("$ref".to_owned(), text(format!("#/$defs/{path}")))];
        if !path.is_empty() && defs.contains_key(&path) {
            return Ok(Some(reference));
        }
        let Some(entries) = self.json_schema(id, defs)? else { return Ok(None) };
        if path.is_empty() {
            return Ok(Some(entries));
        }
        defs.insert(path, Json::Object(entries));
        Ok(Some(reference))
    }

    /// The full description of a schema.
    pub(crate) fn schema_description(&mut self, id: SchemaId) -> Result<Json, FaultBox> {
        let schema = self.schema(id);
        self.deeper(|m| m.describe_with(&schema, Self::schema_description))
    }

    fn describe_with(
        &mut self,
        schema: &Schema,
        mut inner: impl FnMut(&mut Self, SchemaId) -> Result<Json, FaultBox>,
    ) -> Result<Json, FaultBox> {
        let inner: &mut dyn FnMut(&mut Self, SchemaId) -> Result<Json, FaultBox> = &mut inner;
        self.charge(1024)?;
        self.step()?;
        let object = schema.object.as_ref().map(|o| self.describe_object(o, inner)).transpose()?;
        let list = schema.list.as_ref().map(|l| self.describe_list(l, inner)).transpose()?;
        let mut constraints = Vec::new();
        for constraint in &schema.constraints {
            constraints.push(self.describe_constraint(constraint, inner)?);
        }
        let mut alternates = Vec::new();
        for alternate in &schema.alternates {
            alternates.push(inner(self, *alternate)?);
        }
        let default = match &schema.default {
            Some(value) => self.json_of(value)?.unwrap_or(Json::Null),
            None => Json::Null,
        };
        Ok(Json::Object(vec![
            ("kindValue".into(), text(schema.kind.name())),
            ("object".into(), object.unwrap_or(Json::Null)),
            ("array".into(), list.unwrap_or(Json::Null)),
            ("func".into(), Json::Null),
            ("constraints".into(), or_null(constraints)),
            ("alternates".into(), or_null(alternates)),
            ("defaultValue".into(), default),
            ("path".into(), text(self.path_text(schema.path))),
            ("reference".into(), Json::Bool(false)),
        ]))
    }

    fn describe_object(
        &mut self,
        object: &ObjectSchema,
        inner: &mut dyn FnMut(&mut Self, SchemaId) -> Result<Json, FaultBox>,
    ) -> Result<Json, FaultBox> {
        let mut fields = Vec::new();
        for field in &object.fields {
            let schema = inner(self, field.schema)?;
            fields.push(describe_field(field, schema));
        }
        Ok(Json::Object(vec![
            ("allowNewKeys".into(), Json::Bool(object.open)),
            ("description".into(), text(&*object.description)),
            ("fields".into(), or_null(fields)),
        ]))
    }

    fn describe_list(
        &mut self,
        list: &ListSchema,
        inner: &mut dyn FnMut(&mut Self, SchemaId) -> Result<Json, FaultBox>,
    ) -> Result<Json, FaultBox> {
        let mut valid = Vec::new();
        for schema in &list.valid {
            valid.push(inner(self, *schema)?);
        }
        Ok(Json::Object(vec![
            ("description".into(), text(&*list.description)),
            ("valid".into(), or_null(valid)),
        ]))
    }

    fn describe_constraint(
        &mut self,
        constraint: &Constraint,
        inner: &mut dyn FnMut(&mut Self, SchemaId) -> Result<Json, FaultBox>,
    ) -> Result<Json, FaultBox> {
        let (op, right) = match constraint {
            Constraint::Int => ("mustBeInt", None),
            Constraint::Alternate => ("mustMatchAlternate", None),
            Constraint::Schema(schema) => ("mustMatchSchema", Some(inner(self, *schema)?)),
            Constraint::Compare(op, crate::value::Value::Schema(schema)) => {
                (op.text(), Some(inner(self, *schema)?))
            }
            Constraint::Compare(op, value) => (op.text(), self.json_of(value)?),
        };
        let mut entries = vec![("op".to_owned(), text(op))];
        entries.extend(right.map(|right| ("right".to_owned(), right)));
        Ok(Json::Object(entries))
    }

    /// The schemas reachable from one, by path; nested ones are references.
    pub(crate) fn schema_summary(&mut self, id: SchemaId) -> Result<Json, FaultBox> {
        let mut types = BTreeMap::new();
        let root = self.schema(id);
        let name = match self.path_text(root.path) {
            path if path.is_empty() => "$".to_owned(),
            path => path,
        };
        let mut described = self.summarize(&root, &mut types)?;
        if let Json::Object(entries) = &mut described {
            for (key, value) in entries.iter_mut().filter(|(key, _)| key == "path") {
                debug_assert_eq!(key, "path");
                *value = text(&*name);
            }
        }
        types.insert(name, described);
        Ok(Json::Object(vec![("types".into(), Json::Object(types.into_iter().collect()))]))
    }

    fn summarize(&mut self, schema: &Schema, types: &mut BTreeMap<String, Json>) -> Result<Json, FaultBox> {
        let mut nested = Vec::new();
        let described = self.describe_with(schema, |m, id| {
            let path = m.path_text(m.schema(id).path);
            if path.is_empty() {
                return m.deeper(|m| m.schema_description(id));
            }
            nested.push((path, id));
            let mut reference = (*m.schema(id)).clone();
            reference.object = None;
            reference.list = None;
            Ok(reference_to(m.path_text(reference.path)))
        })?;
        for (path, id) in nested {
            if types.contains_key(&path) {
                continue;
            }
            types.insert(path.clone(), Json::Null);
            let schema = self.schema(id);
            let described = self.deeper(|m| m.summarize(&schema, types))?;
            types.insert(path, described);
        }
        Ok(described)
    }

    /// What a function takes, as `--print-args` shows it.
    pub(crate) fn signature_description(
        &mut self,
        args: SchemaId,
        profiles: &[(String, String)],
    ) -> Result<Json, FaultBox> {
        let schema = self.schema(args);
        let mut fields = Vec::new();
        for field in schema.object.iter().flat_map(|o| &o.fields) {
            let inner = self.schema_description(field.schema)?;
            fields.push(describe_field(field, inner));
        }
        let profiles = profiles.iter().map(|(name, description)| {
            Json::Object(vec![("Name".into(), text(&**name)), ("Description".into(), text(&**description))])
        });
        let profiles = or_null(profiles.collect());
        Ok(Json::Object(vec![("args".into(), or_null(fields)), ("profileNames".into(), profiles)]))
    }
}

fn reference_to(path: String) -> Json {
    Json::Object(vec![
        ("kindValue".into(), text("")),
        ("object".into(), Json::Null),
        ("array".into(), Json::Null),
        ("func".into(), Json::Null),
        ("constraints".into(), Json::Null),
        ("alternates".into(), Json::Null),
        ("defaultValue".into(), Json::Null),
        ("path".into(), text(path)),
        ("reference".into(), Json::Bool(true)),
    ])
}

fn described(description: &str) -> Vec<(String, Json)> {
    if description.is_empty() { Vec::new() } else { vec![("Description".into(), text(description))] }
}

fn describe_field(field: &SchemaField, schema: Json) -> Json {
    Json::Object(vec![
        ("key".into(), text(&*field.key)),
        ("match".into(), Json::Bool(field.matches)),
        ("optional".into(), Json::Bool(field.optional)),
        ("description".into(), text(&*field.description)),
        ("schema".into(), schema),
    ])
}

/// An empty Go slice is null.
fn or_null(items: Vec<Json>) -> Json {
    if items.is_empty() { Json::Null } else { Json::Array(items) }
}
