//! `if` and `for`.

use super::{Evaluated, Machine, PathElement};
use crate::diagnostics::{Code, Fault, FaultBox};
use crate::source::Span;
use crate::tree::{For, If};
use crate::value::{Env, Kind, Value};

impl<'t> Machine<'t> {
    pub(super) fn eval_if(&mut self, node: &'t If, span: Span, env: Env) -> Evaluated {
        let Some(condition) = self.eval(&node.condition, env)? else { return Ok(None) };
        match self.defined(condition.plain(), node.condition.span)? {
            Value::Bool(true) => self.eval(&node.then, env),
            Value::Bool(false) => match &node.otherwise {
                Some(otherwise) => self.eval(otherwise, env),
                None => Ok(None),
            },
            other => {
                let message = format!("expected kind bool, got incompatible {}", other.kind());
                Err(Fault::new(Code::Kind, message).at(span))
            }
        }
    }

    /// `for … { … }`: the rounds' values as one.
    pub(super) fn eval_for(&mut self, node: &'t For, env: Env, span: Span) -> Evaluated {
        let Some(values) = self.rounds(node, env, span)? else { return Ok(None) };
        let mut all = None;
        for value in values {
            all = Some(match all {
                None => value,
                Some(left) => self.append(left, value)?,
            });
        }
        match (all, &node.otherwise) {
            (None, Some(otherwise)) => self.eval(otherwise, env),
            (all, _) => Ok(all),
        }
    }

    /// `[for … in … value]`: the rounds' values as a list.
    pub(super) fn eval_list_for(&mut self, node: &'t For, env: Env, span: Span) -> Evaluated {
        match self.rounds(node, env, span)? {
            Some(values) => self.new_list(values).map(Some),
            None => Ok(None),
        }
    }

    /// One round's value over those before: objects add up, anything else replaces.
    fn append(&mut self, left: Value, right: Value) -> Result<Value, FaultBox> {
        match (left.plain(), right.clone().plain()) {
            (Value::Object(left), Value::Object(right)) => self.add_objects(left, right),
            _ => Ok(right),
        }
    }

    /// The value of every round that has one.
    fn rounds(&mut self, node: &'t For, env: Env, span: Span) -> Result<Option<Vec<Value>>, FaultBox> {
        let Some(collection) = self.eval(&node.collection, env)? else { return Ok(None) };
        let collection = self.defined(collection.plain(), node.collection.span)?;
        let entries = self.entries(&collection).map_err(|f| f.at(span))?;
        let mut values = Vec::new();
        let mut previous = None;
        for (index, (key, item)) in entries.into_iter().enumerate() {
            self.step().map_err(|f| f.prefixed("aborting loop: ").at(span))?;
            let scope = self.round_scope(node, env, key, item, previous.clone())?;
            let path = self.push_path(env.path, PathElement::Index(index))?;
            let value = self.eval(&node.body, Env { scope, path, ..env })?;
            let (value, stop) = match value {
                Some(Value::Loop(control)) if control.skip => (None, control.stop),
                Some(Value::Loop(control)) => (control.value.map(|v| (*v).clone()), control.stop),
                value => (value, false),
            };
            if let Some(value) = value {
                previous = Some(match previous {
                    None => value.clone(),
                    Some(left) => self.append(left, value.clone())?,
                });
                values.push(value);
            }
            if stop {
                break;
            }
        }
        Ok(Some(values))
    }

    fn round_scope(
        &mut self,
        node: &For,
        env: Env,
        key: Value,
        item: Value,
        previous: Option<Value>,
    ) -> Result<crate::value::ScopeId, FaultBox> {
        let previous = match previous {
            Some(value) => value,
            None => self.new_object(Default::default())?,
        };
        let mut data = Vec::with_capacity(3);
        if let Some(name) = &node.key {
            data.push((name.name.clone(), key));
        }
        data.push((node.value.name.clone(), item));
        data.push(("prev".into(), previous));
        self.data_scope(env.scope, data)
    }

    /// Index and item of a list, key and value of an object; anything else is one item.
    fn entries(&mut self, collection: &Value) -> Result<Vec<(Value, Value)>, FaultBox> {
        match collection {
            Value::List(id) => {
                let list = self.list(*id);
                self.charge(list.len() * 2 * size_of::<Value>())?;
                Ok(list.iter().enumerate().map(|(i, v)| (Value::int(i as i64), v.clone())).collect())
            }
            value if value.kind() == Kind::Object => {
                let mut entries = Vec::new();
                for key in self.keys_of(value)? {
                    if let Some(item) = self.get_key(value, &key)? {
                        entries.push((Value::Text(key), item));
                    }
                }
                Ok(entries)
            }
            other => Ok(vec![(Value::int(0), other.clone())]),
        }
    }
}
