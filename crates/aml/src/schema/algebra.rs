//! Schemas out of schemas: `&&`, `||`, two definitions of one key, defaults.

use super::{Constraint, ListSchema, ObjectSchema, Schema, SchemaField};
use crate::diagnostics::{Code, Fault, FaultBox};
use crate::evaluation::{Evaluated, Machine};
use crate::source::Span;
use crate::tree::Operator;
use crate::value::{Kind, Object, SchemaId, Value};

fn bad(message: impl Into<String>) -> FaultBox {
    Fault::new(Code::BadSchema, message)
}

fn joined(left: &[Span], right: &[Span]) -> Vec<Span> {
    let mut out = left.to_vec();
    out.extend(right.iter().filter(|span| !left.contains(span)));
    out
}

fn joined_text(left: &str, right: &str) -> String {
    match (left, right) {
        ("", text) | (text, "") => text.to_owned(),
        _ if left.contains(right) => left.to_owned(),
        _ if right.contains(left) => right.to_owned(),
        _ => format!("{left}\n{right}"),
    }
}

impl<'t> Machine<'t> {
    /// `left && right`: both must fit.
    pub(crate) fn schema_and(&mut self, left: SchemaId, right: &Value) -> Result<Value, FaultBox> {
        let a = self.schema(left);
        let Value::Schema(right) = right.clone().plain() else {
            return Err(bad(format!("expected kind schema, got {}", right.kind())).at(a.span()));
        };
        let b = self.schema(right);
        if a.kind != Kind::Union && b.kind != Kind::Union && a.kind != b.kind {
            let message = format!("invalid schema condition ({}) && ({}) incompatible", a.kind, b.kind);
            return Err(bad(message).at(b.span()));
        }
        self.one_default(left, right)?;
        let constraints = vec![Constraint::Schema(left), Constraint::Schema(right)];
        let schema = Schema { constraints, spans: joined(&a.spans, &b.spans), ..Schema::of(a.kind) };
        Ok(Value::Schema(self.new_schema(schema)?))
    }

    /// `left || right`: one must fit; a value on the right is one and the default.
    pub(crate) fn schema_or(&mut self, left: SchemaId, right: Value) -> Result<Value, FaultBox> {
        let a = self.schema(left);
        let right = match right {
            Value::Schema(id) => id,
            value => {
                let mut schema = Schema::literal(value.kind(), value.clone(), a.span());
                schema.constraints.push(Constraint::Compare(Operator::Eq, value.plain()));
                self.new_schema(schema)?
            }
        };
        let b = self.schema(right);
        self.one_default(left, right)?;
        let kind = if a.kind == b.kind { a.kind } else { Kind::Union };
        let schema = Schema {
            constraints: vec![Constraint::Alternate],
            alternates: vec![left, right],
            spans: joined(&a.spans, &b.spans),
            ..Schema::of(kind)
        };
        Ok(Value::Schema(self.new_schema(schema)?))
    }

    fn one_default(&mut self, left: SchemaId, right: SchemaId) -> Result<(), FaultBox> {
        if self.find_default(left, false)?.is_none() || self.find_default(right, false)?.is_none() {
            return Ok(());
        }
        let fault = bad("multiple defaults can not be defined").at(self.schema(right).span());
        Err(fault.hinted(Some("keep one default and write the others as `== value`".into())))
    }

    /// The value a schema gives when there is none: a written default, else an object
    /// of the defaults of all its required fields.
    pub(crate) fn default_of(&mut self, id: SchemaId) -> Evaluated {
        match self.find_default(id, false)? {
            Some(value) => Ok(Some(value)),
            None => self.find_default(id, true),
        }
    }

    fn find_default(&mut self, id: SchemaId, implied: bool) -> Evaluated {
        let schema = self.schema(id);
        if schema.default.is_some() {
            return Ok(schema.default.clone());
        }
        for constraint in &schema.constraints {
            if let Constraint::Schema(inner) = constraint
                && let Some(value) = self.deeper(|m| m.find_default(*inner, implied))?
            {
                return Ok(Some(value));
            }
        }
        for alternate in &schema.alternates {
            let found = self.deeper(|m| {
                if implied { m.default_of(*alternate) } else { m.find_default(*alternate, false) }
            })?;
            if found.is_some() {
                return Ok(found);
            }
        }
        if !implied { Ok(None) } else { self.implied_default(id, &schema) }
    }

    fn implied_default(&mut self, id: SchemaId, schema: &Schema) -> Evaluated {
        if self.rendering.contains(&id) {
            return Err(bad("invalid circular schema, can not render default").at(schema.span()));
        }
        self.rendering.push(id);
        let value = match (&schema.object, schema.kind) {
            (Some(object), _) => self.implied_object(object),
            (None, Kind::Object) => self.new_object(Object::default()).map(Some),
            (None, Kind::Array) => self.new_list(Vec::new()).map(Some),
            _ => Ok(None),
        };
        self.rendering.pop();
        value
    }

    fn implied_object(&mut self, object: &ObjectSchema) -> Evaluated {
        let mut entries = Vec::new();
        for field in object.fields.iter().filter(|f| !f.matches && !f.optional) {
            match self.deeper(|m| m.default_of(field.schema))? {
                Some(value) => entries.push((field.key.clone(), value)),
                None => return Ok(None),
            }
        }
        entries.sort_by(|(a, _), (b, _)| a.cmp(b));
        self.object_of(entries).map(Some)
    }

    /// Two definitions of one schema as one.
    pub(crate) fn merge_schemas(&mut self, left: SchemaId, right: SchemaId) -> Result<SchemaId, FaultBox> {
        if left == right {
            return Ok(left);
        }
        let (a, b) = (self.schema(left), self.schema(right));
        if a.kind != b.kind {
            let message =
                format!("can not merge two schema of different types [{}] and [{}]", a.kind, b.kind);
            return Err(bad(message).at(b.span()));
        }
        let object = match (&a.object, &b.object) {
            (Some(a), Some(b)) => Some(self.deeper(|m| m.merge_object_schemas(a, b))?),
            (a, b) => a.clone().or_else(|| b.clone()),
        };
        let list = match (&a.list, &b.list) {
            (Some(x), Some(y)) => {
                Some(self.deeper(|m| m.merge_list_schemas(x, y)).map_err(|f| f.at(b.span()))?)
            }
            (x, y) => x.clone().or_else(|| y.clone()),
        };
        let default = match (&a.default, &b.default) {
            (Some(a), Some(b)) => Some(self.merge(a.clone(), b.clone(), Span::NONE)?),
            (a, b) => a.clone().or_else(|| b.clone()),
        };
        let merged = Schema {
            kind: a.kind,
            object,
            list,
            func: a.func.or(b.func),
            constraints: self.merge_constraints(&a.constraints, &b.constraints)?,
            alternates: self.merge_alternates(&a.alternates, &b.alternates)?,
            default,
            path: a.path,
            spans: joined(&a.spans, &b.spans),
        };
        self.new_schema(merged)
    }

    fn merge_object_schemas(&mut self, a: &ObjectSchema, b: &ObjectSchema) -> Result<ObjectSchema, FaultBox> {
        let mut fields = a.fields.clone();
        for field in &b.fields {
            match fields.iter().position(|f| f.key == field.key) {
                Some(at) => fields[at] = self.merge_fields(&fields[at], field)?,
                None => fields.push(field.clone()),
            }
        }
        let description = joined_text(&a.description, &b.description);
        Ok(ObjectSchema { open: a.open || b.open, description, fields })
    }

    pub(super) fn merge_fields(&mut self, a: &SchemaField, b: &SchemaField) -> Result<SchemaField, FaultBox> {
        Ok(SchemaField {
            key: a.key.clone(),
            matches: a.matches || b.matches,
            optional: a.optional && b.optional,
            description: joined_text(&a.description, &b.description),
            schema: self.merge_schemas(a.schema, b.schema)?,
        })
    }

    fn merge_list_schemas(&mut self, a: &ListSchema, b: &ListSchema) -> Result<ListSchema, FaultBox> {
        if a.valid.len() != b.valid.len() {
            let message = format!(
                "can not merge two array schemas with different lengths [{}] and [{}]",
                a.valid.len(),
                b.valid.len()
            );
            return Err(bad(message));
        }
        let valid = self.merge_alternates(&a.valid, &b.valid)?;
        Ok(ListSchema { description: joined_text(&a.description, &b.description), valid })
    }

    fn merge_alternates(&mut self, a: &[SchemaId], b: &[SchemaId]) -> Result<Vec<SchemaId>, FaultBox> {
        if a.len() != b.len() {
            let (a, b) = (a.len(), b.len());
            return Err(bad(format!("can not merge schemas with different alternates length {a} != {b}")));
        }
        a.iter().zip(b).map(|(a, b)| self.deeper(|m| m.merge_schemas(*a, *b))).collect()
    }

    fn merge_constraints(&mut self, a: &[Constraint], b: &[Constraint]) -> Result<Vec<Constraint>, FaultBox> {
        if a.len() != b.len() {
            let (a, b) = (a.len(), b.len());
            return Err(bad(format!("can not merge schemas with different constraints length {a} != {b}")));
        }
        a.iter().zip(b).map(|(a, b)| self.merge_constraint(a, b)).collect()
    }

    fn merge_constraint(&mut self, a: &Constraint, b: &Constraint) -> Result<Constraint, FaultBox> {
        match (a, b) {
            (Constraint::Int, Constraint::Int) | (Constraint::Alternate, Constraint::Alternate) => {
                Ok(a.clone())
            }
            (Constraint::Schema(a), Constraint::Schema(b)) => {
                self.merge_schemas(*a, *b).map(Constraint::Schema)
            }
            (Constraint::Compare(x, left), Constraint::Compare(y, right)) if x == y => {
                if self.equal(left, right)? {
                    return Ok(a.clone());
                }
                let (left, right) = (self.show(left), self.show(right));
                Err(bad(format!("can not merge schemas with different constraints values {left} != {right}")))
            }
            _ => Err(bad("can not merge schemas with different constraints ops")),
        }
    }
}
