//! Two definitions of one key: objects merge, a default gives way, anything else
//! must agree.

use super::{Evaluated, Machine};
use crate::diagnostics::{Code, Fault, FaultBox};
use crate::source::Span;
use crate::value::{Object, ObjectId, Recipe, ThunkId, Value};

impl<'t> Machine<'t> {
    pub(super) fn merge_thunks(&mut self, parts: &[(ThunkId, Span)]) -> Evaluated {
        let mut merged: Option<Value> = None;
        for (index, (thunk, span)) in parts.iter().enumerate() {
            let Some(value) = self.force(*thunk)? else { continue };
            merged = Some(match merged {
                None => value,
                Some(left) => self.merge(left, value, *span).map_err(|fault| {
                    let mut fault = fault.at(*span);
                    if fault.code == Code::Conflict && fault.related.is_empty() {
                        let first = parts[..index].iter().map(|(t, s)| if s.is_some() { *s } else { self.thunk_span(*t) });
                        fault.related.extend(first.filter(|s| s.is_some()).map(|s| (s, "first defined here".into())));
                    }
                    fault
                })?,
            });
        }
        Ok(merged)
    }

    /// Where the key of a thunk is written.
    pub(crate) fn key_span(&self, thunk: ThunkId) -> Span {
        let found = &self.thunks[thunk.0 as usize];
        match &found.recipe {
            Recipe::Merge(parts) => parts.iter().map(|(t, _)| self.key_span(*t)).find(|s| s.is_some()),
            Recipe::Add(left, right) => Some(self.key_span(*right)).filter(|s| s.is_some()).or(Some(self.key_span(*left))),
            _ => None,
        }
        .unwrap_or(found.origin)
    }

    /// Where the value of a thunk is written.
    pub(crate) fn thunk_span(&self, thunk: ThunkId) -> Span {
        match &self.thunks[thunk.0 as usize].recipe {
            Recipe::Expr { expr, .. } | Recipe::Schema { expr, .. } => expr.span,
            Recipe::Merge(parts) => parts.first().map_or(Span::NONE, |(t, _)| self.thunk_span(*t)),
            Recipe::Add(_, right) => self.thunk_span(*right),
            _ => Span::NONE,
        }
    }

    /// Merges `right`, defined at `span`, into `left`.
    pub(crate) fn merge(&mut self, left: Value, right: Value, span: Span) -> Result<Value, FaultBox> {
        match (left, right) {
            (Value::Default(left), right @ Value::Default(_)) => {
                self.same_kind(&left, &right)?;
                Ok(right)
            }
            (left, Value::Schema(right)) => match left {
                Value::Schema(left) => Ok(Value::Schema(self.merge_schemas(left, right)?)),
                other => Err(self.schema_against(right, &other)),
            },
            (Value::Schema(left), right) => Err(self.schema_against(left, &right)),
            (left, Value::Default(right)) => {
                self.same_kind(&right, &left)?;
                Ok(left)
            }
            (Value::Default(left), right) => {
                self.same_kind(&left, &right)?;
                Ok(right)
            }
            (Value::Object(left), Value::Object(right)) => self.merge_objects(left, right, span),
            (left @ Value::Object(_), right) => {
                self.same_kind(&left, &right)?;
                Ok(right)
            }
            (left, right) => self.merge_equal(left, right).map_err(|f| f.prefixed("can not merge values: ")),
        }
    }

    fn schema_against(&mut self, schema: crate::value::SchemaId, other: &Value) -> FaultBox {
        let span = self.schema(schema).span();
        Fault::new(Code::Conflict, format!("can not merge kinds schema and {}", other.kind())).at(span)
    }

    fn same_kind(&mut self, left: &Value, right: &Value) -> Result<(), FaultBox> {
        let (a, b) = (left.kind(), right.kind());
        if a == b {
            return Ok(());
        }
        let (x, y) = (self.show(left), self.show(right));
        let mut fault = Fault::new(Code::Conflict, format!("can not override field {a} [{x}] with {b} [{y}]"));
        fault.better = Some(format!("this key is already {} {x} and can not also be {} {y}", article(a.name()), article(b.name())));
        Err(fault)
    }

    fn merge_equal(&mut self, left: Value, right: Value) -> Result<Value, FaultBox> {
        self.same_kind(&left, &right)?;
        if self.equal(&left, &right)? {
            return Ok(right);
        }
        let (x, y) = (self.show(&left), self.show(&right));
        let mut fault = Fault::new(Code::Conflict, format!("can not override value [{x}] with [{y}]"));
        fault.better = Some(format!("this key is already {x} and can not also be {y}"));
        fault.hint = Some("write `default` before the value that may be overridden".into());
        Err(fault)
    }

    fn merge_objects(&mut self, left: ObjectId, right: ObjectId, span: Span) -> Result<Value, FaultBox> {
        if left == right {
            return Ok(Value::Object(left));
        }
        let combined = self.combine_objects(left, right, |m, a, b| m.merged(&[(a, Span::NONE), (b, span)]))?;
        self.new_object(combined)
    }

    fn combine_objects(
        &mut self,
        left: ObjectId,
        right: ObjectId,
        mut both: impl FnMut(&mut Self, ThunkId, ThunkId) -> Result<ThunkId, FaultBox>,
    ) -> Result<Object, FaultBox> {
        let (left, right) = (self.object(left), self.object(right));
        let mut lets = left.lets.clone();
        lets.extend(&right.lets);
        let mut combined = Object::with_lets(lets);
        for (key, thunk) in &left.entries {
            let thunk = match right.get(key) {
                Some(other) if other != *thunk => both(self, *thunk, other)?,
                _ => *thunk,
            };
            combined.push(key.clone(), thunk);
        }
        for (key, thunk) in &right.entries {
            if left.position(key).is_none() {
                combined.push(key.clone(), *thunk);
            }
        }
        Ok(combined)
    }

    /// `left + right` on objects: the right side wins, objects inside add up too.
    pub(crate) fn add_objects(&mut self, left: ObjectId, right: ObjectId) -> Result<Value, FaultBox> {
        let combined = self.combine_objects(left, right, |m, a, b| {
            let vanish = m.thunks[a.0 as usize].may_vanish && m.thunks[b.0 as usize].may_vanish;
            m.new_thunk(Recipe::Add(a, b), vanish)
        })?;
        self.new_object(combined)
    }

    /// The right value over the left: objects add up, anything else is replaced.
    pub(crate) fn add_deep(&mut self, left: Value, right: Value) -> Result<Value, FaultBox> {
        match (left.plain(), right.clone().plain()) {
            (Value::Object(left), Value::Object(right)) => self.add_objects(left, right),
            _ => Ok(right),
        }
    }
}

fn article(kind: &str) -> String {
    let article = if kind.starts_with(['a', 'o', 'e', 'i', 'u']) { "an" } else { "a" };
    format!("{article} {kind}")
}
