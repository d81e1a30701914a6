//! A value against a schema: the value with defaults filled in, or what is wrong.

use super::{Constraint, Flaw, KeySpans, ListSchema, ObjectSchema, Schema, SchemaField};
use crate::diagnostics::FaultBox;
use crate::evaluation::Machine;
use crate::evaluation::operators::compare;
use crate::source::Span;
use crate::tree::{ExprNode, Operator};
use crate::value::{Func, Key, Kind, Object, ObjectId, PathId, Recipe, SchemaId, Value};

/// Where in the data validation is.
#[derive(Clone, Copy)]
pub(crate) enum DataPath<'p> {
    Root,
    Key(&'p DataPath<'p>, &'p str),
    Index(&'p DataPath<'p>, usize),
}

impl DataPath<'_> {
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Root => String::new(),
            Self::Key(parent, key) => match parent.text() {
                parent if parent.is_empty() => (*key).to_owned(),
                parent => format!("{parent}.{key}"),
            },
            Self::Index(parent, index) => format!("{}[{index}]", parent.text()),
        }
    }
}

type Checked<T> = Result<T, Flaw>;

impl<'t> Machine<'t> {
    /// The value as the schema wants it.
    pub(crate) fn validate(&mut self, id: SchemaId, value: Value, path: &DataPath<'_>) -> Checked<Value> {
        let mut result = None;
        let deeper = self.deeper(|m| {
            result = Some(m.validate_here(id, value, path));
            Ok(())
        });
        deeper.map_err(Flaw::Fault)?;
        result.expect("set when the level could be entered")
    }

    fn validate_here(&mut self, id: SchemaId, mut value: Value, path: &DataPath<'_>) -> Checked<Value> {
        let schema = self.schema(id);
        let mut flaws = Vec::new();
        if schema.kind == value.kind() || schema.kind == Kind::Union {
            if let Some(object) = &schema.object {
                match self.validate_object(object, &value, path, schema.path) {
                    Ok(checked) => value = checked,
                    Err(flaw) => flaws.push(flaw.unless_fault()?),
                }
            }
            if let Some(list) = &schema.list {
                match self.validate_list(list, &value, path) {
                    Ok(checked) => value = checked,
                    Err(flaw) => flaws.push(flaw.unless_fault()?),
                }
            }
            if let Err(flaw) = self.check_constraints(&schema.constraints, &value, path) {
                flaws.push(flaw.unless_fault()?);
            }
        } else {
            flaws.push(Flaw::kind(schema.kind, value.kind()));
        }
        let decided = schema.kind != Kind::Union || schema.alternates.is_empty();
        if flaws.is_empty() && decided {
            Ok(value)
        } else {
            self.try_alternates(&schema, flaws, &value, path)
        }
    }

    fn try_alternates(
        &mut self,
        schema: &Schema,
        flaws: Vec<Flaw>,
        value: &Value,
        path: &DataPath<'_>,
    ) -> Checked<Value> {
        let mut alternates = Vec::with_capacity(schema.alternates.len());
        for alternate in &schema.alternates {
            self.charge(256).map_err(Flaw::Fault)?;
            match self.validate(*alternate, value.clone(), path) {
                Ok(value) => return Ok(value),
                Err(flaw) => alternates.push(flaw.unless_fault()?),
            }
        }
        Err(Flaw::Unmatched { span: schema.span(), flaws, alternates })
    }

    fn check_constraints(
        &mut self,
        constraints: &[Constraint],
        value: &Value,
        path: &DataPath<'_>,
    ) -> Checked<()> {
        for constraint in constraints {
            match constraint {
                Constraint::Alternate => return Err(Flaw::Alternate),
                Constraint::Int => {
                    crate::evaluation::expressions::to_int(value).map_err(|fault| Flaw::Constraint {
                        better: format!("{} is not an integer", self.show(value)),
                        plain: fault.plain,
                        wanted: None,
                    })?;
                }
                Constraint::Schema(schema) => {
                    self.validate(*schema, value.clone(), path)?;
                }
                Constraint::Compare(op, right) => self.check_comparison(*op, value, right)?,
            }
        }
        Ok(())
    }

    fn check_comparison(&mut self, op: Operator, value: &Value, right: &Value) -> Checked<()> {
        let concrete = self.concrete(right.clone()).map_err(Flaw::Fault)?.unwrap_or(Value::Null).plain();
        let value = value.clone().plain();
        let holds = match op {
            Operator::Eq => self.equal(&value, &concrete),
            Operator::Ne => self.binary(op, &value, concrete.clone()).map(|v| matches!(v, Value::Bool(true))),
            Operator::Match => self.matches(op, &value, &concrete),
            Operator::NotMatch => self.matches(op, &value, &concrete).map(|found| !found),
            op => compare(op, &value, &concrete),
        };
        match holds {
            Ok(true) => Ok(()),
            Ok(false) => Err(self.unmet(op, &value, right, &concrete)),
            Err(fault) => Err(Flaw::of_operation(fault)?),
        }
    }

    fn unmet(&mut self, op: Operator, value: &Value, right: &Value, concrete: &Value) -> Flaw {
        let shown = self.show(right);
        let (left, exact) = (self.show(value), self.show(concrete));
        let better = match op {
            Operator::Eq => format!("{left} is not {exact}"),
            Operator::Match => format!("\"{left}\" does not match {exact}"),
            Operator::NotMatch => format!("\"{left}\" must not match {exact}"),
            op => format!("{left} is not {} {exact}", op.text()),
        };
        let wanted = match (op, concrete) {
            (Operator::Eq, Value::Text(text)) => Some(text.to_string()),
            _ => None,
        };
        Flaw::Constraint {
            plain: format!("constraint [value {} {shown}] is not true", op.text()),
            better,
            wanted,
        }
    }

    fn validate_list(&mut self, schema: &ListSchema, value: &Value, path: &DataPath<'_>) -> Checked<Value> {
        let Value::List(list) = value.clone().plain() else { return Err(wrong_kind(Kind::Array, value)) };
        if schema.valid.is_empty() {
            return Ok(value.clone());
        }
        let list = self.list(list);
        let mut items = Vec::with_capacity(list.len());
        for (index, item) in list.iter().enumerate() {
            items.push(self.validate_item(&schema.valid, item, index, &DataPath::Index(path, index))?);
        }
        self.new_list(items).map_err(Flaw::Fault)
    }

    fn validate_item(
        &mut self,
        valid: &[SchemaId],
        item: &Value,
        index: usize,
        path: &DataPath<'_>,
    ) -> Checked<Value> {
        let mut flaws = Vec::new();
        for schema in valid {
            match self.validate(*schema, item.clone(), path) {
                Ok(value) => return Ok(value),
                Err(flaw) => flaws.push(flaw.unless_fault()?),
            }
        }
        Err(Flaw::Joined { index, data: path.text(), flaws })
    }

    fn validate_object(
        &mut self,
        schema: &ObjectSchema,
        value: &Value,
        path: &DataPath<'_>,
        schema_path: PathId,
    ) -> Checked<Value> {
        let Value::Object(id) = value.clone().plain() else { return Err(wrong_kind(Kind::Object, value)) };
        let object = self.object(id);
        let mut checked = Vec::with_capacity(object.entries.len());
        for (key, thunk) in &object.entries {
            let here = DataPath::Key(path, key);
            match self.field_for(schema, key).map_err(Flaw::Fault)? {
                Some(field) => {
                    let Some(value) = self.force(*thunk).map_err(Flaw::Fault)? else { continue };
                    let schema_at = field.schema;
                    let value = self.validate(schema_at, value, &here).map_err(|flaw| {
                        let value = self.element_span(*thunk, flaw.element());
                        let spans = KeySpans { key: self.key_span(*thunk), value };
                        flaw.in_key(key, &here, schema_path, checked.len(), spans)
                    })?;
                    checked.push((Key::clone(key), self.value_thunk(value).map_err(Flaw::Fault)?));
                }
                None if schema.open => {
                    self.compute_function(*thunk).map_err(Flaw::Fault)?;
                    checked.push((Key::clone(key), *thunk));
                }
                None if !self.exists(*thunk).map_err(Flaw::Fault)? => {}
                None => {
                    let span = self.key_span(*thunk);
                    return Err(unknown_field(schema, key, &here, schema_path, checked.len(), span));
                }
            }
        }
        let filled = self.defaults(schema, &object, path, schema_path, checked.len())?;
        let object = Object::with_lets(object.lets.clone());
        self.assemble(object, filled.into_iter().chain(checked).collect()).map_err(Flaw::Fault)
    }

    /// The field a key belongs to: by name, else by the first pattern that fits.
    fn field_for<'s>(
        &mut self,
        schema: &'s ObjectSchema,
        key: &str,
    ) -> Result<Option<&'s SchemaField>, FaultBox> {
        if let Some(field) = schema.fields.iter().find(|f| !f.matches && &*f.key == key) {
            return Ok(Some(field));
        }
        for field in schema.fields.iter().filter(|f| f.matches) {
            if self.regex(&field.key)?.is_match(key) {
                return Ok(Some(field));
            }
        }
        Ok(None)
    }

    /// Values for the keys that must be there and are not.
    fn defaults(
        &mut self,
        schema: &ObjectSchema,
        object: &Object,
        path: &DataPath<'_>,
        schema_path: PathId,
        reach: usize,
    ) -> Checked<Vec<(Key, crate::value::ThunkId)>> {
        let mut filled = Vec::new();
        let mut missing = Vec::new();
        for field in schema.fields.iter().filter(|f| !f.matches && !f.optional) {
            if let Some(thunk) = object.get(&field.key)
                && self.exists(thunk).map_err(Flaw::Fault)?
            {
                continue;
            }
            match self.default_of(field.schema).map_err(Flaw::Fault)? {
                Some(value) => {
                    filled.push((Key::clone(&field.key), self.value_thunk(value).map_err(Flaw::Fault)?));
                }
                None => missing.push(field.key.to_string()),
            }
        }
        if missing.is_empty() {
            return Ok(filled);
        }
        Err(Flaw::Missing { keys: missing, data: path.text(), schema: schema_path, reach })
    }

    /// The checked object; its functions see it as `self`.
    fn assemble(
        &mut self,
        mut object: Object,
        entries: Vec<(Key, crate::value::ThunkId)>,
    ) -> Result<Value, FaultBox> {
        let mut bound = Vec::new();
        let this = self.next_object();
        for (key, thunk) in entries {
            // What nobody has computed yet is no function of a schema's making.
            let thunk = match self.computed(thunk) {
                Some(Value::Func(func)) if !matches!(self.func(func), Func::Bound { .. }) => {
                    let func = self.new_func(Func::Bound { func, this });
                    bound.push(func);
                    self.value_thunk(Value::Func(func))?
                }
                _ => thunk,
            };
            object.push(key, thunk);
        }
        let value = self.new_object(object)?;
        debug_assert!(bound.is_empty() || matches!(value, Value::Object(id) if id == this));
        Ok(value)
    }
}

fn unknown_field(
    schema: &ObjectSchema,
    key: &str,
    path: &DataPath<'_>,
    at: PathId,
    reach: usize,
    span: Span,
) -> Flaw {
    let known: Vec<String> = schema.fields.iter().filter(|f| !f.matches).map(|f| f.key.to_string()).collect();
    let suggestion = crate::diagnostics::nearest(key, known.iter().map(String::as_str)).map(str::to_owned);
    Flaw::Unknown { key: key.to_owned(), data: path.text(), schema: at, suggestion, known, reach, span }
}

fn wrong_kind(kind: Kind, value: &Value) -> Flaw {
    Flaw::Constraint {
        plain: format!("expected kind {kind}, got incompatible {}", value.kind()),
        better: format!("expected {kind}, got {}", value.kind()),
        wanted: None,
    }
}

/// Kept apart so that the object's number can be known before it exists.
impl<'t> Machine<'t> {
    fn computed(&self, thunk: crate::value::ThunkId) -> Option<Value> {
        match &self.thunks[thunk.0 as usize].memo {
            crate::value::Memo::Done { result: Ok(value), .. } => value.clone().map(Value::plain),
            _ => None,
        }
    }

    /// Makes a function that was written out known, so that it can be bound.
    fn compute_function(&mut self, thunk: crate::value::ThunkId) -> Result<(), FaultBox> {
        if let Recipe::Expr { expr, .. } = &self.thunks[thunk.0 as usize].recipe
            && matches!(expr.node, ExprNode::Function(_) | ExprNode::Lambda(_))
        {
            self.force(thunk)?;
        }
        Ok(())
    }

    fn next_object(&self) -> ObjectId {
        ObjectId(self.object_count() as u32)
    }
}
