//! What a name means: the nearest key of that name, from the inside out.

use super::structs::Phase;
use super::{Evaluated, Machine, ScopeKind};
use crate::diagnostics::{Code, Fault, FaultBox, did_you_mean};
use crate::source::Span;
use crate::value::{Key, ScopeId, Value};

impl<'t> Machine<'t> {
    /// The value of a name used at `span`.
    pub(super) fn name(&mut self, scope: ScopeId, name: &Key, span: Span) -> Evaluated {
        let found = self.lookup(scope, name).map_err(|f| self.not_found(f, scope, name, span))?;
        match found {
            Some(value) => Ok(Some(value)),
            None => Err(self.unknown_name(scope, name, span)),
        }
    }

    /// A fault of a lookup, told as "key not found" where it is one.
    fn not_found(&mut self, fault: FaultBox, scope: ScopeId, name: &str, span: Span) -> FaultBox {
        if fault.is_undefined() && fault.plain.is_empty() {
            let mut fault = self.unknown_name(scope, name, span);
            fault.better = Some(format!("\"{name}\" is defined by itself"));
            fault.hint = None;
            return fault;
        }
        if fault.is_undefined() {
            return fault;
        }
        fault.prefixed(&format!("key not found \"{name}\": ")).at(span)
    }

    fn unknown_name(&self, scope: ScopeId, name: &str, span: Span) -> FaultBox {
        let names = self.visible(scope);
        let hint = did_you_mean(name, names.iter().map(|k| &**k));
        Fault::undefined(format!("key not found \"{name}\""), span).hinted(hint)
    }

    /// Every name that means something in a scope.
    fn visible(&self, scope: ScopeId) -> Vec<Key> {
        let mut names = Vec::new();
        let mut next = Some(scope);
        while let Some(id) = next {
            let scope = &self.scopes[id.0 as usize];
            match &scope.kind {
                ScopeKind::Round(round) => names.extend(round.data.iter().map(|(k, _)| Key::clone(k))),
                ScopeKind::Data(data) => names.extend(data.iter().map(|(k, _)| Key::clone(k))),
                ScopeKind::Struct(fields) => names.extend(fields.names.keys().cloned()),
                ScopeKind::Value(_) => {}
            }
            next = scope.parent;
        }
        names
    }

    pub(crate) fn lookup(&mut self, from: ScopeId, name: &Key) -> Evaluated {
        let mut next = Some(from);
        if self.scopes[from.0 as usize].depth > self.limits.scope_depth {
            let (depth, most) = (self.scopes[from.0 as usize].depth, self.limits.scope_depth);
            return Err(Fault::new(Code::Limit, format!("exceeded max scope depth {depth} > {most}")));
        }
        while let Some(id) = next {
            let scope = &self.scopes[id.0 as usize];
            next = scope.parent;
            if &**name == "$" && scope.root {
                return Ok(Some(Value::Root(id)));
            }
            let found = match &scope.kind {
                ScopeKind::Data(data) => data.iter().find(|(k, _)| k == name).map(|(_, v)| v.clone()),
                ScopeKind::Round(round) => match round.data.iter().find(|(k, _)| k == name) {
                    Some((_, value)) => Some(value.clone()),
                    None if &**name == "prev" => {
                        let (values, count) = (std::rc::Rc::clone(&round.values), round.count);
                        self.previous_rounds(&values, count)?
                    }
                    None => None,
                },
                ScopeKind::Value(value) => {
                    let value = value.clone();
                    self.get_key(&value, name)?
                }
                ScopeKind::Struct(fields) if fields.phase == Phase::Expanding => {
                    return self.lookup_expanding(id, name);
                }
                ScopeKind::Struct(fields) => match fields.names.get(name).copied() {
                    Some(thunk) => self.force(thunk)?,
                    None => None,
                },
            };
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// The value of a key of an object-like value; nothing if it has no such key.
    pub(crate) fn get_key(&mut self, value: &Value, key: &Key) -> Evaluated {
        match value {
            Value::Object(id) => match self.object(*id).get(key) {
                Some(thunk) => self.force(thunk),
                None => Ok(None),
            },
            Value::Root(scope) => self.lookup(*scope, key),
            Value::Default(inner) => self.get_key(inner, key),
            Value::Schema(id) => {
                let schema = self.schema(*id);
                let fields = schema.object.iter().flat_map(|o| &o.fields);
                Ok(fields.filter(|f| !f.matches).find(|f| f.key == *key).map(|f| Value::Schema(f.schema)))
            }
            other => {
                let message = format!("value kind {} does not support lookup operation", other.kind());
                Err(Fault::new(Code::Kind, message))
            }
        }
    }

    /// The keys of an object-like value, in order.
    pub(crate) fn keys_of(&mut self, value: &Value) -> Result<Vec<Key>, FaultBox> {
        match value {
            Value::Object(id) => {
                let object = self.object(*id);
                let mut keys = Vec::with_capacity(object.entries.len());
                for (key, thunk) in &object.entries {
                    if self.exists(*thunk)? {
                        keys.push(Key::clone(key));
                    }
                }
                Ok(keys)
            }
            Value::Default(inner) => self.keys_of(inner),
            Value::Schema(id) => {
                let schema = self.schema(*id);
                let fields = schema.object.iter().flat_map(|o| &o.fields);
                Ok(fields.filter(|f| !f.matches).map(|f| Key::clone(&f.key)).collect())
            }
            other => {
                let message = format!("value kind {} does not support keys operation", other.kind());
                Err(Fault::new(Code::Kind, message))
            }
        }
    }
}
