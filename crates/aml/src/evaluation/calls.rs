//! Calls: arguments in, checked against the function's schema, a value out.
//!
//! A document is a function too; its arguments and profiles come from outside.

use super::structs::Which;
use super::{Evaluated, Machine, PathElement};
use crate::diagnostics::{Code, Fault, FaultBox, did_you_mean};
use crate::schema::{DataPath, Schema};
use crate::source::Span;
use crate::tree::{Body, DeclNode, Expr, LabelNode, Lambda};
use crate::value::{
    Arg, Env, Func, FuncId, Key, Kind, Native, PathId, SchemaId, ScopeId, UserFunction, Value,
};
use std::rc::Rc;

/// What a function takes.
#[derive(Clone, Debug)]
pub(crate) struct Signature {
    pub(crate) args: SchemaId,
    pub(crate) profiles: SchemaId,
}

/// A function written in the language, with where and how it was written.
#[derive(Clone, Copy)]
struct Closure<'t> {
    user: UserFunction<'t>,
    env: Env,
    span: Span,
}

impl<'t> Machine<'t> {
    pub(super) fn eval_call(
        &mut self,
        function: &'t Expr,
        paren: Span,
        args: &'t Body,
        env: Env,
    ) -> Evaluated {
        let Some(callee) = self.eval(function, env)? else { return Ok(None) };
        let callee = self.defined(callee, function.span)?;
        let args = self.arguments(args, Env { schema: false, ..env })?;
        self.call(&callee, args, env.path).map_err(|f| f.at(paren))
    }

    fn arguments(&mut self, args: &'t Body, env: Env) -> Result<Vec<Arg>, FaultBox> {
        let mut out = Vec::with_capacity(args.decls.len());
        for decl in &args.decls {
            let arg = match &decl.node {
                DeclNode::Embed(expr) => {
                    let value = self.eval(expr, env)?;
                    value.map(|v| self.defined(v, expr.span)).transpose()?.map(Arg::Positional)
                }
                DeclNode::Let { name, value } => self.named(Key::clone(&name.name), value, env)?,
                DeclNode::Field(field) => match &field.label.node {
                    LabelNode::Ident(name) => self.named(Key::clone(name), &field.value, env)?,
                    LabelNode::Text(text) => self.named(Key::clone(&text.value), &field.value, env)?,
                    LabelNode::Interpolation(parts) => match self.interpolate(parts, env)? {
                        Some(key) => self.named(key.into(), &field.value, env)?,
                        None => None,
                    },
                },
            };
            out.extend(arg);
        }
        Ok(out)
    }

    fn named(&mut self, key: Key, expr: &'t Expr, env: Env) -> Result<Option<Arg>, FaultBox> {
        let Some(value) = self.eval(expr, env)? else { return Ok(None) };
        Ok(Some(Arg::Named(key, self.defined(value, expr.span)?)))
    }

    /// Calls a value. Arguments must be defined all the way down.
    pub(crate) fn call(&mut self, callee: &Value, args: Vec<Arg>, path: PathId) -> Evaluated {
        for arg in &args {
            let (Arg::Positional(value) | Arg::Named(_, value)) = arg;
            self.force_deep(value)?;
        }
        self.deeper(|m| match callee {
            Value::Default(inner) => m.call(inner, args, path),
            Value::Func(func) => m.call_function(*func, args, None, path),
            Value::Schema(schema) => m.call_schema(*schema, args, path),
            other => Err(Fault::new(Code::Kind, format!("kind {} is not callable", other.kind()))),
        })
    }

    fn call_schema(&mut self, id: SchemaId, args: Vec<Arg>, path: PathId) -> Evaluated {
        let schema = self.schema(id);
        if let (Some(_), Some(function)) = (schema.func, &schema.default) {
            return self.call(function, args, path);
        }
        let first = args
            .into_iter()
            .find_map(|arg| if let Arg::Positional(value) = arg { Some(value) } else { None });
        match first {
            Some(value) => self.check(id, value).map(Some),
            None => Ok(None),
        }
    }

    pub(crate) fn call_function(
        &mut self,
        id: FuncId,
        args: Vec<Arg>,
        this: Option<Value>,
        path: PathId,
    ) -> Evaluated {
        match self.func(id) {
            Func::Bound { func, this } => self.call_function(func, args, Some(Value::Object(this)), path),
            Func::Native(native) => {
                let args = positional_only(args)?;
                self.call_native(native, &args)
            }
            Func::Std(index) => {
                let args = self.bind_std(index, args)?;
                crate::stdlib::call(self, index, &args)
            }
            Func::Lambda { lambda, env, span } => {
                self.counted(id, |m| m.call_lambda(lambda, env, args, this, span, path))
            }
            Func::User { function, env, span } => {
                let closure = Closure { user: function, env, span };
                self.counted(id, |m| m.call_user(id, closure, args, this, path))
            }
        }
    }

    /// Counts how deep a function calls itself.
    fn counted(&mut self, id: FuncId, call: impl FnOnce(&mut Self) -> Evaluated) -> Evaluated {
        let depth = self.call_depths.entry(id).or_default();
        *depth += 1;
        let (now, most) = (*depth, self.limits.call_depth);
        let result = if now > most {
            Err(Fault::new(Code::Limit, format!("exceeded max call depth {now} > {most}")))
        } else {
            call(self)
        };
        *self.call_depths.entry(id).or_default() -= 1;
        result
    }

    fn self_scope(&mut self, scope: ScopeId, this: Option<Value>) -> Result<ScopeId, FaultBox> {
        match this {
            Some(this) => self.data_scope(scope, vec![("self".into(), this)]),
            None => Ok(scope),
        }
    }

    fn call_lambda(
        &mut self,
        lambda: &'t Lambda,
        env: Env,
        args: Vec<Arg>,
        this: Option<Value>,
        _span: Span,
        path: PathId,
    ) -> Evaluated {
        let names: Vec<Key> = lambda.params.iter().map(|p| Key::clone(&p.name)).collect();
        let bound = self.bind(&names, args)?;
        let scope = self.self_scope(env.scope, this)?;
        let scope = self.data_scope(scope, bound)?;
        let path = self.push_path(path, PathElement::Call)?;
        let value = self.eval(&lambda.body, Env { scope, schema: false, open: false, path })?;
        if let Some(value) = &value {
            self.check_value(value)?;
        }
        Ok(value)
    }

    /// Gives every argument its name. The same name twice must have the same value.
    fn bind(&mut self, names: &[Key], args: Vec<Arg>) -> Result<Vec<(Key, Value)>, FaultBox> {
        let mut bound: Vec<(Key, Value)> = Vec::with_capacity(args.len());
        for (index, arg) in args.into_iter().enumerate() {
            let (name, value) = match arg {
                Arg::Named(name, value) => (name, value),
                Arg::Positional(value) => {
                    let name = names.get(index).ok_or_else(|| {
                        let message = format!("invalid arg index {index}, args len {}", names.len());
                        let hint = format!("the function takes {} arguments", names.len());
                        Fault::new(Code::Arguments, message).hinted(Some(hint))
                    })?;
                    (Key::clone(name), value)
                }
            };
            match bound.iter().position(|(known, _)| *known == name) {
                Some(at) => {
                    let left = bound[at].1.clone();
                    bound[at].1 = self.merge(left, value, Span::NONE)?;
                }
                None => bound.push((name, value)),
            }
        }
        Ok(bound)
    }

    fn call_user(
        &mut self,
        id: FuncId,
        closure: Closure<'t>,
        args: Vec<Arg>,
        this: Option<Value>,
        path: PathId,
    ) -> Evaluated {
        let Closure { user, env, .. } = closure;
        let args = self.bind_user(id, closure, args)?;
        let scope = self.self_scope(env.scope, this)?;
        let scope = self.data_scope(scope, vec![("args".into(), args)])?;
        let path = if user.root { path } else { self.push_path(path, PathElement::Call)? };
        let inside = Env { scope, schema: env.schema && user.root, open: env.open, path };
        let result = self.run_body(user, inside)?;
        match user.returns {
            None => Ok(result),
            Some(returns) => self.check_return(returns, env, result, closure.span),
        }
    }

    fn run_body(&mut self, user: UserFunction<'t>, env: Env) -> Evaluated {
        if env.schema {
            return self.eval_schema_struct(user.body, env, Which::Body, user.root).map(Some);
        }
        let Some(value) = self.eval_struct(user.body, env, Which::Body, user.root)? else { return Ok(None) };
        if user.root {
            return Ok(Some(value));
        }
        self.check_value(&value)?;
        self.get_key(&value, &"return".into())
    }

    fn check_return(&mut self, returns: &'t Expr, env: Env, result: Option<Value>, span: Span) -> Evaluated {
        let Some(value) = result else { return Ok(None) };
        let schema = self.eval(returns, Env { schema: true, open: false, ..env })?;
        match schema {
            Some(Value::Schema(schema)) => self.check(schema, value).map(Some),
            Some(other) => {
                let kind = other.kind();
                let message = format!("return value is does not a schema type, got kind: {kind}");
                let mut fault = Fault::new(Code::BadSchema, message).at(span);
                fault.better = Some(format!("the return type is a {kind}, not a schema"));
                Err(fault)
            }
            None => Ok(Some(value)),
        }
    }

    /// The arguments of a function as one object, checked and with defaults.
    fn bind_user(&mut self, id: FuncId, closure: Closure<'t>, args: Vec<Arg>) -> Result<Value, FaultBox> {
        let signature = self.signature(id)?;
        let names = self.arg_names(signature.args);
        let (profiles, args) = split_profiles(args);
        let bound = self.bind(&names, args)?;
        let mut value = self.object_of(bound)?;
        let mut active = Vec::new();
        let mut chosen = Vec::new();
        for list in profiles {
            self.choose_profiles(signature.profiles, &list, &mut active, &mut chosen)?;
        }
        // Each profile fills what is still missing, so an earlier one goes first.
        for profile in chosen {
            value = self.check(profile, value)?;
        }
        let value = self.check_arguments(signature.args, value, closure.span)?;
        let active = self.new_list(active)?;
        let extra = self.object_of(vec![("profiles".into(), active)])?;
        self.merge(value, extra, Span::NONE)
    }

    pub(crate) fn check_arguments(
        &mut self,
        schema: SchemaId,
        value: Value,
        span: Span,
    ) -> Result<Value, FaultBox> {
        self.check(schema, value).map_err(|fault| {
            if fault.code != Code::Schema {
                return fault;
            }
            let mut outer = Fault::new(Code::Arguments, format!("invalid arguments: {}", fault.plain));
            outer.better = fault.better.map(|b| format!("invalid arguments: {b}"));
            outer.hint = fault.hint;
            outer.at(span)
        })
    }

    fn choose_profiles(
        &mut self,
        profiles: SchemaId,
        list: &Value,
        active: &mut Vec<Value>,
        chosen: &mut Vec<SchemaId>,
    ) -> Result<(), FaultBox> {
        let Value::List(list) = list.clone().plain() else {
            return Err(Fault::new(Code::Arguments, "profiles type should be an array"));
        };
        for name in self.list(list).iter() {
            let Value::Text(text) = name.clone().plain() else {
                let message = format!("expected kind string, got incompatible {}", name.kind());
                return Err(Fault::new(Code::Arguments, message));
            };
            let (name, optional) = text.strip_suffix('?').map_or((&*text, false), |n| (n, true));
            match self.get_key(&Value::Schema(profiles), &name.into())? {
                Some(Value::Schema(schema)) => {
                    active.push(Value::text(name));
                    chosen.push(schema);
                }
                _ if optional => {}
                _ => return Err(self.unknown_profile(profiles, name)),
            }
        }
        Ok(())
    }

    fn unknown_profile(&mut self, profiles: SchemaId, name: &str) -> FaultBox {
        let names = self.arg_names(profiles);
        let listed = names.iter().map(|n| &**n).collect::<Vec<_>>().join(", ");
        let hint = did_you_mean(name, names.iter().map(|n| &**n))
            .or_else(|| (!listed.is_empty()).then(|| format!("there are the profiles {listed}")));
        Fault::new(Code::Arguments, format!("failed to find profile {name}")).hinted(hint)
    }

    pub(crate) fn arg_names(&self, schema: SchemaId) -> Vec<Key> {
        let schema = self.schema(schema);
        schema.object.iter().flat_map(|o| &o.fields).map(|f| Key::clone(&f.key)).collect()
    }

    /// The schemas of a function's arguments and profiles, computed once.
    pub(crate) fn signature(&mut self, id: FuncId) -> Result<Rc<Signature>, FaultBox> {
        if let Some(signature) = self.signatures.get(&id) {
            return Ok(Rc::clone(signature));
        }
        let Func::User { function, env, span } = self.func(id) else {
            let args = self.new_schema(Schema::open_object())?;
            return Ok(Rc::new(Signature { args, profiles: args }));
        };
        let env = Env { schema: true, open: true, ..env };
        let declared = self.argument_schemas(function.body, env, span)?;
        let signature = Rc::new(declared);
        self.signatures.insert(id, Rc::clone(&signature));
        Ok(signature)
    }

    fn argument_schemas(&mut self, body: &'t Body, env: Env, span: Span) -> Result<Signature, FaultBox> {
        let value = self.eval_schema_struct(body, env, Which::Arguments, false).map_err(|fault| {
            if fault.is_undefined() {
                let message = format!("errors reading args: {}", fault.plain);
                return Fault::new(Code::Arguments, message)
                    .hinted(fault.hint.clone())
                    .at(fault.at.unwrap_or(span));
            }
            fault
        })?;
        let mut part = |name: &str| match self.get_key(&value, &name.into())? {
            Some(Value::Schema(schema)) if self.schema(schema).kind == Kind::Object => Ok(schema),
            _ => self.new_schema(Schema::open_object()),
        };
        Ok(Signature { args: part("args")?, profiles: part("profiles")? })
    }

    /// Arguments of a library function, in the order of its parameters.
    fn bind_std(&mut self, index: usize, args: Vec<Arg>) -> Result<Vec<Value>, FaultBox> {
        let names = crate::stdlib::parameters(index);
        let bound = self.bind(&names, args)?;
        let value = self.object_of(bound)?;
        let schema = crate::stdlib::argument_schema(self, index)?;
        let value = self.check_arguments(schema, value, Span::NONE)?;
        let mut out = Vec::with_capacity(names.len());
        for name in &names {
            out.push(self.get_key(&value, name)?.map_or(Value::Null, Value::plain));
        }
        Ok(out)
    }

    fn call_native(&mut self, native: Native, args: &[Value]) -> Evaluated {
        let first = || {
            let missing = || Fault::new(Code::Arguments, "missing argument");
            args.first().cloned().map(Value::plain).ok_or_else(missing)
        };
        match native {
            Native::Len => self.length(&first()?).map(Some),
            Native::Keys => {
                let keys = self.keys_of(&first()?)?.into_iter().map(Value::Text).collect();
                self.new_list(keys).map(Some)
            }
            Native::Enum => self.enumeration(args).map(Some),
            Native::Debug => crate::stdlib::debug(self, args),
            Native::Error => Err(self.thrown(&first()?)),
        }
    }

    fn length(&mut self, value: &Value) -> Result<Value, FaultBox> {
        let length = match value {
            Value::Text(text) => text.len(),
            Value::List(list) => self.list(*list).len(),
            Value::Object(_) => self.keys_of(value)?.len(),
            other => {
                let message = format!("value kind {} does not support len operation", other.kind());
                return Err(Fault::new(Code::Kind, message));
            }
        };
        Ok(Value::int(length as i64))
    }

    /// Functions are equal when they were written in the same place.
    pub(super) fn same_function(&self, a: FuncId, b: FuncId) -> bool {
        match (self.func(a), self.func(b)) {
            (Func::Bound { func: a, .. }, Func::Bound { func: b, .. }) => self.same_function(a, b),
            (Func::User { span: a, .. }, Func::User { span: b, .. }) => a == b,
            (Func::Lambda { span: a, .. }, Func::Lambda { span: b, .. }) => a == b,
            (Func::Native(a), Func::Native(b)) => a == b,
            (Func::Std(a), Func::Std(b)) => a == b,
            _ => false,
        }
    }

    /// A validated value against a schema.
    pub(crate) fn check(&mut self, schema: SchemaId, value: Value) -> Result<Value, FaultBox> {
        self.validate(schema, value, &DataPath::Root).map_err(|flaw| flaw.into_fault(self))
    }
}

fn positional_only(args: Vec<Arg>) -> Result<Vec<Value>, FaultBox> {
    args.into_iter()
        .map(|arg| match arg {
            Arg::Positional(value) => Ok(value),
            Arg::Named(..) => {
                let message = "only positional arguements are valid for native functions";
                Err(Fault::new(Code::Arguments, message))
            }
        })
        .collect()
}

fn split_profiles(args: Vec<Arg>) -> (Vec<Value>, Vec<Arg>) {
    let mut profiles = Vec::new();
    let mut rest = Vec::new();
    for arg in args {
        match arg {
            Arg::Named(name, value) if &*name == "profiles" => profiles.push(value),
            arg => rest.push(arg),
        }
    }
    (profiles, rest)
}
