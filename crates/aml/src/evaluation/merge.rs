//! Two definitions of one key: objects merge, a default gives way, anything else
//! must agree.

use super::{Evaluated, Machine};
use crate::diagnostics::{Code, Fault, FaultBox};
use crate::source::Span;
use crate::tree::ExprNode;
use crate::value::{Key, Object, ObjectId, Recipe, ThunkId, Value};
use std::collections::HashMap;

impl<'t> Machine<'t> {
    pub(super) fn merge_thunks(&mut self, parts: &[(ThunkId, Span)]) -> Evaluated {
        let mut values = Vec::with_capacity(parts.len());
        for (thunk, span) in parts {
            values.extend(self.force(*thunk)?.map(|value| (value, *span)));
        }
        let as_object = |(value, span): &(Value, Span)| {
            if let Value::Object(id) = value { Some((*id, *span)) } else { None }
        };
        if let Some(mut objects) = values.iter().map(as_object).collect::<Option<Vec<_>>>() {
            objects.dedup_by_key(|(id, _)| *id);
            if objects.len() > 1 {
                return self.merge_all(&objects).map(Some);
            }
        }
        let mut merged: Option<Value> = None;
        for (value, span) in values {
            merged = Some(match merged {
                None => value,
                Some(left) => {
                    self.merge(left, value, span).map_err(|fault| self.conflict_at(fault, parts, span))?
                }
            });
        }
        Ok(merged)
    }

    /// Says where a conflict is, and where the other definitions are.
    fn conflict_at(&self, fault: FaultBox, parts: &[(ThunkId, Span)], span: Span) -> FaultBox {
        let mut fault = fault.at(span);
        if fault.code == Code::Conflict && fault.related.is_empty() {
            let places = parts.iter().map(|(t, s)| if s.is_some() { *s } else { self.thunk_span(*t) });
            let first = places.take_while(|place| *place != span).find(|place| place.is_some());
            fault.related.extend(first.map(|place| (place, "first defined here".into())));
        }
        fault
    }

    /// Where the key of a thunk is written.
    pub(crate) fn key_span(&self, thunk: ThunkId) -> Span {
        let found = &self.thunks[thunk.0 as usize];
        match &found.recipe {
            Recipe::Merge(parts) => parts.iter().map(|(t, _)| self.key_span(*t)).find(|s| s.is_some()),
            Recipe::Add(parts) => parts.iter().rev().map(|t| self.key_span(*t)).find(|s| s.is_some()),
            _ => None,
        }
        .unwrap_or(found.origin)
    }

    /// Where the value of a thunk is written, or an element of it if it is a list.
    pub(crate) fn element_span(&self, thunk: ThunkId, element: Option<usize>) -> Span {
        if let (Some(index), Recipe::Expr { expr, .. }) = (element, &self.thunks[thunk.0 as usize].recipe)
            && let ExprNode::List(list) = &expr.node
            && let Some(item) = list.items.get(index)
        {
            return item.value.span;
        }
        self.thunk_span(thunk)
    }

    /// Where the value of a thunk is written.
    pub(crate) fn thunk_span(&self, thunk: ThunkId) -> Span {
        match &self.thunks[thunk.0 as usize].recipe {
            Recipe::Expr { expr, .. } | Recipe::Schema { expr, .. } => expr.span,
            Recipe::Merge(parts) => parts.first().map_or(Span::NONE, |(t, _)| self.thunk_span(*t)),
            Recipe::Add(parts) => parts.last().map_or(Span::NONE, |t| self.thunk_span(*t)),
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
            (left, right) => self.merge_equal(&left, right).map_err(|f| f.prefixed("can not merge values: ")),
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
        let mut fault =
            Fault::new(Code::Conflict, format!("can not override field {a} [{x}] with {b} [{y}]"));
        fault.better = Some(format!(
            "this key is already {} {x} and can not also be {} {y}",
            article(a.name()),
            article(b.name())
        ));
        Err(fault)
    }

    fn merge_equal(&mut self, left: &Value, right: Value) -> Result<Value, FaultBox> {
        self.same_kind(left, &right)?;
        if self.equal(left, &right)? {
            return Ok(right);
        }
        let (x, y) = (self.show(left), self.show(&right));
        let mut fault = Fault::new(Code::Conflict, format!("can not override value [{x}] with [{y}]"));
        fault.better = Some(format!("this key is already {x} and can not also be {y}"));
        fault.hint = Some("write `default` before the value that may be overridden".into());
        Err(fault)
    }

    fn merge_objects(&mut self, left: ObjectId, right: ObjectId, span: Span) -> Result<Value, FaultBox> {
        if left == right {
            return Ok(Value::Object(left));
        }
        self.merge_all(&[(left, Span::NONE), (right, span)])
    }

    /// Objects defined at these positions as one; keys they share merge later.
    fn merge_all(&mut self, objects: &[(ObjectId, Span)]) -> Result<Value, FaultBox> {
        let pile = self.pile(objects)?;
        self.object_of_pile(pile, |m, definitions| m.merged(&definitions))
    }

    fn pile(&mut self, objects: &[(ObjectId, Span)]) -> Result<Pile, FaultBox> {
        let mut pile = Pile::default();
        for (id, span) in objects {
            let object = self.object(*id);
            self.charge(object.entries.len() * 24)?;
            pile.lets.extend(&object.lets);
            for (key, thunk) in &object.entries {
                pile.add(key, *thunk, *span);
            }
        }
        Ok(pile)
    }

    fn object_of_pile(
        &mut self,
        pile: Pile,
        mut one: impl FnMut(&mut Self, Vec<(ThunkId, Span)>) -> Result<ThunkId, FaultBox>,
    ) -> Result<Value, FaultBox> {
        let mut object = Object::with_lets(pile.lets);
        for (key, definitions) in pile.entries {
            let thunk = match definitions[..] {
                [(thunk, _)] => thunk,
                _ => one(self, definitions)?,
            };
            object.push(key, thunk);
        }
        self.new_object(object)
    }

    /// Objects added up: later ones win, objects inside add up too.
    pub(crate) fn add_objects(&mut self, objects: &[ObjectId]) -> Result<Value, FaultBox> {
        let objects: Vec<(ObjectId, Span)> = objects.iter().map(|id| (*id, Span::NONE)).collect();
        let pile = self.pile(&objects)?;
        self.object_of_pile(pile, |m, definitions| {
            let parts: Vec<ThunkId> = definitions.into_iter().map(|(thunk, _)| thunk).collect();
            let may_vanish = parts.iter().all(|t| m.thunks[t.0 as usize].may_vanish);
            m.charge(parts.len() * 4)?;
            m.new_thunk(Recipe::Add(parts), may_vanish)
        })
    }

    /// Values one after the other: objects add up, anything else replaces.
    pub(crate) fn add_up(&mut self, values: &[Value]) -> Evaluated {
        let objects: Vec<ObjectId> = values
            .iter()
            .rev()
            .map_while(|value| if let Value::Object(id) = value.clone().plain() { Some(id) } else { None })
            .collect();
        match objects[..] {
            [] | [_] => Ok(values.last().cloned()),
            _ => {
                let in_order: Vec<ObjectId> = objects.into_iter().rev().collect();
                self.add_objects(&in_order).map(Some)
            }
        }
    }
}

/// The definitions of every key of several objects, in order.
#[derive(Default)]
struct Pile {
    entries: Vec<(Key, Vec<(ThunkId, Span)>)>,
    positions: HashMap<Key, usize>,
    lets: Vec<ThunkId>,
}

impl Pile {
    fn add(&mut self, key: &Key, thunk: ThunkId, span: Span) {
        match self.positions.get(key) {
            None => {
                self.positions.insert(Key::clone(key), self.entries.len());
                self.entries.push((Key::clone(key), vec![(thunk, span)]));
            }
            Some(at) => {
                let definitions = &mut self.entries[*at].1;
                if definitions.last().is_none_or(|(last, _)| *last != thunk) {
                    definitions.push((thunk, span));
                }
            }
        }
    }
}

fn article(kind: &str) -> String {
    let article = if kind.starts_with(['a', 'o', 'e', 'i', 'u']) { "an" } else { "a" };
    format!("{article} {kind}")
}
