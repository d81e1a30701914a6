//! Structs and lists in a schema, where every value means "of this type".

use super::{Constraint, ListSchema, ObjectSchema, Schema, SchemaField};
use crate::diagnostics::FaultBox;
use crate::evaluation::structs::{Contribution, Part, State, Which};
use crate::evaluation::{Machine, PathElement};
use crate::source::Span;
use crate::tree::{Body, Comments, DeclNode, Field, LabelNode, List};
use crate::value::{Env, FuncId, Key, Kind, SchemaId, ScopeId, ThunkId, Value};
use std::collections::HashMap;

/// An object schema being put together.
#[derive(Default)]
struct Built {
    object: ObjectSchema,
    positions: HashMap<Key, usize>,
    spans: Vec<Span>,
    /// Schemas embedded that are not plain objects.
    others: Vec<(SchemaId, Span)>,
    any: bool,
}

impl<'t> Machine<'t> {
    /// The schema a struct stands for.
    pub(crate) fn eval_schema_struct(
        &mut self,
        body: &'t Body,
        env: Env,
        which: Which,
        root: bool,
    ) -> Result<Value, FaultBox> {
        let scope = self.open_struct(body, env, which)?;
        self.scopes[scope.0 as usize].root = root;
        self.expand_all(scope, body.span)?;
        let mut built = Built::default();
        for index in 0..self.fields(scope).parts.len() {
            self.add_part(&mut built, scope, index, env)?;
        }
        self.finish_schema(built, env)
    }

    fn add_part(
        &mut self,
        built: &mut Built,
        scope: ScopeId,
        index: usize,
        env: Env,
    ) -> Result<(), FaultBox> {
        match &self.fields(scope).parts[index] {
            Part::Static { local: true, .. } => Ok(()),
            Part::Static { key, thunk, span, decl, .. } => {
                let (key, thunk, span) = (Key::clone(key), *thunk, *span);
                let optional = matches!(&decl.node, DeclNode::Field(field) if field.optional);
                let description = decl.comments.description();
                self.add_thunk(built, key, thunk, span, optional, description, env)
            }
            Part::Pattern { field, comments, span } => {
                let (field, comments, span) = (*field, *comments, *span);
                self.add_pattern(built, field, comments, span, Env { scope, ..env })
            }
            Part::Dynamic { state: State::Done(contribution), span, .. } => {
                let (contribution, span) = (contribution.clone(), *span);
                self.add_schema_contribution(built, contribution, span, env)
            }
            Part::Dynamic { .. } => Ok(()),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one field, used once")]
    fn add_thunk(
        &mut self,
        built: &mut Built,
        key: Key,
        thunk: ThunkId,
        span: Span,
        optional: bool,
        description: String,
        env: Env,
    ) -> Result<(), FaultBox> {
        let Some(value) = self.force(thunk).map_err(|f| circular(f, &key, span))? else { return Ok(()) };
        let schema = self.field_schema(value, span)?;
        let field = SchemaField { key, matches: false, optional, description, schema };
        self.add_field(built, field, span, env.open)
    }

    fn add_pattern(
        &mut self,
        built: &mut Built,
        field: &'t Field,
        comments: &Comments,
        span: Span,
        env: Env,
    ) -> Result<(), FaultBox> {
        let key: Key = match &field.label.node {
            LabelNode::Ident(_) => ".*".into(),
            LabelNode::Text(text) => Key::clone(&text.value),
            LabelNode::Interpolation(parts) => match self.interpolate(parts, env)? {
                Some(key) => key.into(),
                None => return Ok(()),
            },
        };
        let path = self.push_path(env.path, PathElement::Key(Key::clone(&key)))?;
        let Some(value) = self.eval(&field.value, Env { path, ..env })? else { return Ok(()) };
        let schema = self.field_schema(value, span)?;
        let description = comments.description();
        let field = SchemaField { key, matches: true, optional: field.optional, description, schema };
        self.add_field(built, field, span, env.open)
    }

    fn add_field(
        &mut self,
        built: &mut Built,
        field: SchemaField,
        span: Span,
        open: bool,
    ) -> Result<(), FaultBox> {
        built.any = true;
        built.object.open |= open;
        built.spans.push(span);
        match built.positions.get(&field.key) {
            None => {
                built.positions.insert(Key::clone(&field.key), built.object.fields.len());
                built.object.fields.push(field);
            }
            Some(at) => {
                let merged = self.merge_fields(&built.object.fields[*at], &field).map_err(|f| f.at(span))?;
                built.object.fields[*at] = merged;
            }
        }
        Ok(())
    }

    fn add_schema_contribution(
        &mut self,
        built: &mut Built,
        contribution: Contribution,
        span: Span,
        env: Env,
    ) -> Result<(), FaultBox> {
        match contribution {
            Contribution::Nothing | Contribution::Control(_) => Ok(()),
            Contribution::Undefined(fault) => Err(fault),
            Contribution::Entries(entries, _) => {
                for (key, thunk) in entries.iter() {
                    self.add_thunk(built, Key::clone(key), *thunk, span, false, String::new(), env)?;
                }
                Ok(())
            }
            Contribution::Value(value) => {
                let id = self.field_schema(value, span)?;
                built.others.push((id, span));
                Ok(())
            }
            Contribution::Schema(id, _) => self.add_embedded(built, id, span),
        }
    }

    /// An embedded object schema gives its fields; any other must be all there is.
    fn add_embedded(&mut self, built: &mut Built, id: SchemaId, span: Span) -> Result<(), FaultBox> {
        let schema = self.schema(id);
        let plain = schema.constraints.is_empty() && schema.alternates.is_empty() && schema.default.is_none();
        match &schema.object {
            Some(object) if plain && schema.kind == Kind::Object => {
                built.any = true;
                built.object.open |= object.open;
                for field in &object.fields {
                    self.add_field(built, field.clone(), span, false)?;
                }
            }
            _ => built.others.push((id, span)),
        }
        Ok(())
    }

    fn finish_schema(&mut self, built: Built, env: Env) -> Result<Value, FaultBox> {
        let Built { object, spans, others, any, .. } = built;
        let mut merged = None;
        if any {
            let schema = Schema { object: Some(object), spans, path: env.path, ..Schema::of(Kind::Object) };
            merged = Some(self.new_schema(schema)?);
        }
        for (other, span) in others {
            merged = Some(match merged {
                None => other,
                Some(left) => self.merge_schemas(left, other).map_err(|f| f.at(span))?,
            });
        }
        let schema = match merged {
            None => Schema { path: env.path, ..Schema::open_object() },
            Some(id) => Schema { path: env.path, ..(*self.schema(id)).clone() },
        };
        Ok(Value::Schema(self.new_schema(schema)?))
    }

    /// What a value means as the type of a field: a literal its kind, with itself as
    /// default.
    pub(crate) fn field_schema(&mut self, value: Value, span: Span) -> Result<SchemaId, FaultBox> {
        match value {
            Value::Schema(id) => Ok(id),
            value => self.new_schema(Schema::literal(value.kind(), value, span)),
        }
    }

    pub(crate) fn eval_schema_list(
        &mut self,
        list: &'t List,
        span: Span,
        env: Env,
    ) -> Result<Value, FaultBox> {
        let mut valid = Vec::new();
        let mut literals = Vec::new();
        let mut kinds: Vec<Kind> = Vec::new();
        let mut all_literal = true;
        for (index, item) in list.items.iter().enumerate() {
            let path = self.push_path(env.path, PathElement::Index(index))?;
            let Some(value) = self.eval(&item.value, Env { path, ..env })? else { continue };
            let kind = value.kind();
            literals.push(value.clone());
            match value {
                Value::Schema(id) => {
                    all_literal = false;
                    valid.push(id);
                }
                _ if kind.is_simple() => {
                    if !kinds.contains(&kind) {
                        kinds.push(kind);
                        valid.push(self.new_schema(Schema { path, ..Schema::of(kind) })?);
                    }
                }
                value => {
                    all_literal = false;
                    valid.push(self.field_schema(value, item.value.span)?);
                }
            }
        }
        let default = if all_literal && !literals.is_empty() { Some(self.new_list(literals)?) } else { None };
        let list = ListSchema { description: String::new(), valid };
        let schema = Schema {
            list: Some(list),
            default,
            path: env.path,
            spans: vec![span],
            ..Schema::of(Kind::Array)
        };
        Ok(Value::Schema(self.new_schema(schema)?))
    }

    /// A function in a schema is a function type with the function as default.
    pub(crate) fn function_schema(&mut self, func: FuncId, span: Span) -> Result<Value, FaultBox> {
        let schema = Schema { func: Some(func), ..Schema::literal(Kind::Func, Value::Func(func), span) };
        Ok(Value::Schema(self.new_schema(schema)?))
    }

    /// `any`: every kind that output can hold.
    pub(crate) fn any_schema(&mut self) -> Value {
        let kinds = [Kind::Bool, Kind::Number, Kind::String, Kind::Object, Kind::Array, Kind::Null];
        let alternates = kinds
            .into_iter()
            .map(|kind| {
                let schema = super::describe::type_of(kind);
                self.new_schema(schema).expect("a new machine is within its limits")
            })
            .collect();
        let schema = Schema { alternates, ..Schema::of(Kind::Union) };
        Value::Schema(self.new_schema(schema).expect("a new machine is within its limits"))
    }

    /// `enum(a, b, …)`: one of several values of one kind.
    pub(crate) fn enumeration(&mut self, values: &[Value]) -> Result<Value, FaultBox> {
        use crate::diagnostics::{Code, Fault};
        let Some(first) = values.first() else {
            return Err(Fault::new(Code::BadSchema, "can not create an empty enum"));
        };
        let kind = first.kind();
        let mut ids = Vec::new();
        for value in values {
            if value.kind() != kind || !kind.is_simple() {
                let message = format!("enum values must be of one kind, got {kind} and {}", value.kind());
                return Err(Fault::new(Code::BadSchema, message));
            }
            let value = value.clone().plain();
            let constraint = Constraint::Compare(crate::tree::Operator::Eq, value);
            ids.push(self.new_schema(Schema { constraints: vec![constraint], ..Schema::of(kind) })?);
        }
        let mut schema = (*self.schema(ids[0])).clone();
        schema.alternates = ids.split_off(1);
        Ok(Value::Schema(self.new_schema(schema)?))
    }
}

/// A schema that needs itself is not supported; say so.
fn circular(fault: FaultBox, key: &str, span: Span) -> FaultBox {
    if fault.is_undefined() && fault.plain.is_empty() {
        let mut fault = crate::diagnostics::Fault::undefined(format!("key not found \"{key}\""), span);
        fault.better = Some(format!("schema \"{key}\" refers to itself, which is not supported"));
        return fault;
    }
    fault
}
