//! Expressions to values.

use super::structs::Which;
use super::{Evaluated, Machine, PathElement};
use crate::diagnostics::{Code, Fault, FaultBox, did_you_mean};
use crate::number::Number;
use crate::source::Span;
use crate::tree::{DeclNode, Expr, ExprNode, Interpolation, List};
use crate::value::{Env, Func, Key, Kind, UserFunction, Value};

impl<'t> Machine<'t> {
    /// The value of an expression, or nothing.
    pub(crate) fn eval(&mut self, expr: &'t Expr, env: Env) -> Evaluated {
        self.deeper(|m| m.eval_node(expr, env))
    }

    fn eval_node(&mut self, expr: &'t Expr, env: Env) -> Evaluated {
        Ok(Some(match &expr.node {
            ExprNode::Null => Value::Null,
            ExprNode::Bool(value) => Value::Bool(*value),
            ExprNode::Number(text) => Value::Number(Number::Text(Key::clone(text))),
            ExprNode::Text(text) => Value::Text(Key::clone(&text.value)),
            ExprNode::Interpolation(parts) => {
                let Some(text) = self.interpolate(parts, env)? else { return Ok(None) };
                self.new_text(text)?
            }
            ExprNode::Ident(name) => return self.name(env.scope, name, expr.span),
            ExprNode::Struct(body) if env.schema => self.eval_schema_struct(body, env, Which::All, false)?,
            ExprNode::Struct(body) => return self.eval_struct(body, env, Which::All, false),
            ExprNode::List(list) if env.schema => self.eval_schema_list(list, expr.span, env)?,
            ExprNode::List(list) => return self.eval_list(list, env),
            ExprNode::ListFor(node) => return self.eval_list_for(node, env, expr.span),
            ExprNode::Paren(inner) => return self.eval(inner, env),
            ExprNode::Unary { op, operand } => return self.eval_unary(*op, operand, env),
            ExprNode::Binary { .. } => return self.eval_binary(expr, env),
            ExprNode::Select { base, name } => return self.eval_select(base, &name.name, name.span, env),
            ExprNode::Index { base, index } => return self.eval_index(base, index, expr.span, env),
            ExprNode::Slice { base, start, end } => {
                return self.eval_slice(base, start.as_deref(), end.as_deref(), env);
            }
            ExprNode::Call { function, paren, args } => return self.eval_call(function, paren.0, args, env),
            ExprNode::If(node) => return self.eval_if(node, expr.span, env),
            ExprNode::For(node) => return self.eval_for(node, env, expr.span),
            ExprNode::Function(function) => {
                let user =
                    UserFunction { body: &function.body, returns: function.returns.as_ref(), root: false };
                let func = self.new_func(Func::User { function: user, env, span: expr.span });
                self.charge(128)?;
                if env.schema { self.function_schema(func, expr.span)? } else { Value::Func(func) }
            }
            ExprNode::Lambda(lambda) => {
                self.charge(128)?;
                Value::Func(self.new_func(Func::Lambda { lambda, env, span: expr.span }))
            }
            ExprNode::Define(decl) => return self.eval_define(decl, env),
            ExprNode::Default(inner) => {
                let Some(value) = self.eval(inner, Env { schema: false, ..env })? else { return Ok(None) };
                value.into_default()
            }
        }))
    }

    /// `define` in a place where a value is expected.
    fn eval_define(&mut self, decl: &'t crate::tree::Decl, env: Env) -> Evaluated {
        let inside = Env { schema: true, open: false, ..env };
        match &decl.node {
            DeclNode::Embed(expr) => self.eval(expr, inside),
            DeclNode::Let { .. } => self.new_object(Default::default()).map(Some),
            DeclNode::Field(field) => {
                let Some(key) = super::structs::plain_key(field) else {
                    return self.new_object(Default::default()).map(Some);
                };
                let thunk = self.field_thunk(&key, &field.value, inside)?;
                let mut object = crate::value::Object::default();
                object.push(key, thunk);
                self.new_object(object).map(Some)
            }
        }
    }

    fn eval_list(&mut self, list: &'t List, env: Env) -> Evaluated {
        let mut items = Vec::with_capacity(list.items.len());
        for (index, item) in list.items.iter().enumerate() {
            let path = self.push_path(env.path, PathElement::Index(index))?;
            if let Some(value) = self.eval(&item.value, Env { path, ..env })? {
                items.push(self.defined(value, item.value.span)?);
            }
        }
        self.new_list(items).map(Some)
    }

    fn eval_select(&mut self, base: &'t Expr, key: &'t Key, span: Span, env: Env) -> Evaluated {
        let found = self.eval(base, env).and_then(|value| match value {
            Some(value) => self.defined(value, base.span).map(Some),
            None => Ok(None),
        });
        let Some(value) = found.map_err(|f| f.at(span))? else { return Ok(None) };
        let found = self.get_key(&value, key).map_err(|fault| {
            if fault.is_undefined() && fault.plain.is_empty() {
                let mut fault = Fault::undefined(format!("key not found \"{key}\""), span);
                fault.better = Some(format!("\"{key}\" is defined by itself"));
                return fault;
            }
            fault.prefixed(&format!("key not found \"{key}\": ")).at(span)
        })?;
        match found {
            Some(value) => Ok(Some(value)),
            None => {
                Err(self.missing_key(&value, key, Fault::undefined(format!("key not found \"{key}\""), span)))
            }
        }
    }

    fn missing_key(&mut self, value: &Value, key: &str, fault: FaultBox) -> FaultBox {
        let keys = self.keys_of(value).unwrap_or_default();
        let hint = did_you_mean(key, keys.iter().map(|k| &**k));
        fault.hinted(hint)
    }

    fn eval_index(&mut self, base: &'t Expr, index: &'t Expr, span: Span, env: Env) -> Evaluated {
        let Some(value) = self.eval(base, env)? else { return Ok(None) };
        let value = self.defined(value.plain(), base.span)?;
        let Some(key) = self.eval(index, Env { schema: false, ..env })? else { return Ok(None) };
        match self.defined(key.plain(), index.span)? {
            Value::Text(key) => match self.get_key(&value, &key)? {
                Some(found) => Ok(Some(found)),
                None => {
                    let fault = Fault::new(Code::KeyNotFound, format!("key not found \"{key}\"")).at(span);
                    Err(self.missing_key(&value, &key, fault))
                }
            },
            key => self.element(&value, &key).map(Some).map_err(|f| f.at(span)),
        }
    }

    fn element(&mut self, value: &Value, index: &Value) -> Result<Value, FaultBox> {
        if !matches!(value, Value::List(_) | Value::Text(_)) {
            let message = format!("value kind {} does not support index operation", value.kind());
            return Err(Fault::new(Code::Kind, message));
        }
        let index = to_int(index)?;
        let bounds = |length: usize| {
            let inside = usize::try_from(index).ok().filter(|i| *i < length);
            inside
                .ok_or_else(|| Fault::new(Code::Bounds, format!("index {index} out of bound, len {length}")))
        };
        match value {
            Value::List(list) => {
                let list = self.list(*list);
                Ok(list[bounds(list.len())?].clone())
            }
            Value::Text(text) => {
                let at = bounds(text.len())?;
                Ok(Value::text(String::from_utf8_lossy(&text.as_bytes()[at..=at]).into_owned()))
            }
            _ => unreachable!("checked above"),
        }
    }

    fn eval_slice(
        &mut self,
        base: &'t Expr,
        start: Option<&'t Expr>,
        end: Option<&'t Expr>,
        env: Env,
    ) -> Evaluated {
        let Some(value) = self.eval(base, env)? else { return Ok(None) };
        let value = self.defined(value.plain(), base.span)?;
        let Value::List(list) = value else {
            let message = format!("value kind {} does not support slice operation", value.kind());
            return Err(Fault::new(Code::Kind, message).at(base.span));
        };
        let list = self.list(list);
        let length = list.len() as i64;
        let Some(from) = self.bound(start, 0, env)? else { return Ok(None) };
        let Some(to) = self.bound(end, length, env)? else { return Ok(None) };
        if from < 0 || from > to || from >= length || to > length {
            let message = format!("index {from}:{to} out of bound, len {length}");
            return Err(Fault::new(Code::Bounds, message).at(base.span));
        }
        self.new_list(list[from as usize..to as usize].to_vec()).map(Some)
    }

    fn bound(&mut self, expr: Option<&'t Expr>, otherwise: i64, env: Env) -> Result<Option<i64>, FaultBox> {
        let Some(expr) = expr else { return Ok(Some(otherwise)) };
        match self.eval(expr, Env { schema: false, ..env })? {
            Some(value) => {
                let value = self.defined(value.plain(), expr.span)?;
                to_int(&value).map(Some).map_err(|f| f.at(expr.span))
            }
            None => Ok(None),
        }
    }

    /// The text of a string with expressions in it.
    pub(crate) fn interpolate(
        &mut self,
        parts: &'t Interpolation,
        env: Env,
    ) -> Result<Option<String>, FaultBox> {
        let mut out = parts.texts[0].to_string();
        for (expr, text) in parts.exprs.iter().zip(&parts.texts[1..]) {
            if let Some(value) = self.eval(expr, env)? {
                let value = self.defined(value.plain(), expr.span)?;
                let Some(value) = self.concrete(value)? else { return Ok(None) };
                let Some(shown) = self.interpolated(&value)? else { return Ok(None) };
                self.charge(shown.len())?;
                out.push_str(&shown);
            }
            out.push_str(text);
        }
        Ok(Some(out))
    }

    /// A schema's default in its place; other values as they are.
    pub(crate) fn concrete(&mut self, value: Value) -> Evaluated {
        match value {
            Value::Schema(id) => match self.default_of(id)? {
                Some(value) => Ok(Some(value.plain())),
                None => Ok(Some(value)),
            },
            value => Ok(Some(value)),
        }
    }
}

/// An integer out of a value.
pub(crate) fn to_int(value: &Value) -> Result<i64, FaultBox> {
    match value {
        Value::Number(number) => number.to_int().map_err(|m| Fault::new(Code::Kind, m)),
        Value::Default(value) => to_int(value),
        other => {
            debug_assert!(other.kind() != Kind::Number);
            Err(Fault::new(Code::Kind, format!("value kind {} can not be converted to an int", other.kind())))
        }
    }
}
