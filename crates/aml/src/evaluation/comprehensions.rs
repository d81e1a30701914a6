//! `if` and `for`.

use super::{Evaluated, Machine, PathElement, Round, ScopeKind};
use crate::diagnostics::{Code, Fault, FaultBox};
use crate::source::Span;
use crate::tree::{For, If};
use crate::value::{Env, Kind, Object, ScopeId, Value};
use std::cell::RefCell;
use std::rc::Rc;

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
        match (self.add_up(&values)?, &node.otherwise) {
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

    /// The value of every round that has one.
    fn rounds(&mut self, node: &'t For, env: Env, span: Span) -> Result<Option<Vec<Value>>, FaultBox> {
        let Some(collection) = self.eval(&node.collection, env)? else { return Ok(None) };
        let collection = self.defined(collection.plain(), node.collection.span)?;
        let entries = self.entries(&collection).map_err(|f| f.at(span))?;
        let values = Rc::new(RefCell::new(Vec::new()));
        for (index, (key, item)) in entries.into_iter().enumerate() {
            self.step().map_err(|f| f.prefixed("aborting loop: ").at(span))?;
            let scope = self.round_scope(node, env, key, item, &values)?;
            let path = self.push_path(env.path, PathElement::Index(index))?;
            let value = self.eval(&node.body, Env { scope, path, ..env })?;
            let (value, stop) = match value {
                Some(Value::Loop(control)) if control.skip => (None, control.stop),
                Some(Value::Loop(control)) => (control.value.map(|v| (*v).clone()), control.stop),
                value => (value, false),
            };
            values.borrow_mut().extend(value);
            if stop {
                break;
            }
        }
        let values = values.borrow().clone();
        Ok(Some(values))
    }

    fn round_scope(
        &mut self,
        node: &For,
        env: Env,
        key: Value,
        item: Value,
        values: &Rc<RefCell<Vec<Value>>>,
    ) -> Result<ScopeId, FaultBox> {
        let mut data = Vec::with_capacity(2);
        if let Some(name) = &node.key {
            data.push((name.name.clone(), key));
        }
        data.push((node.value.name.clone(), item));
        let count = values.borrow().len();
        let round = Round { data, values: Rc::clone(values), count };
        self.new_scope(env.scope, ScopeKind::Round(round))
    }

    /// `prev`: the values of the rounds before, added up.
    pub(super) fn previous_rounds(&mut self, values: &Rc<RefCell<Vec<Value>>>, count: usize) -> Evaluated {
        let before: Vec<Value> = values.borrow()[..count].to_vec();
        match self.add_up(&before)? {
            Some(value) => Ok(Some(value)),
            None => self.new_object(Object::default()).map(Some),
        }
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
