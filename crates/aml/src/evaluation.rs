//! Evaluation: a document to a value.
//!
//! ```text
//! Machine ── arenas: scopes, thunks, objects, lists, functions, schemas, paths
//!         ── limits, clock, usage
//! eval(expr, env) -> nothing | value | Fault
//! ```
//! - A struct is an object whose fields are thunks; a field is computed when it is
//!   needed, at most once. So fields may refer to each other in any order.
//! - What can add keys to a struct (`if`, `for`, embedded values, computed keys) is
//!   looked at first, because names resolve to the nearest key. If that finds a key
//!   that was already looked for further out, it is looked at again (`structs`).
//! - "Undefined" is a fault that only matters when the value is needed.
//! - All values live in arenas until the machine is dropped. Evaluation stops at
//!   the limits instead.

mod calls;
mod comprehensions;
pub(crate) mod expressions;
mod lookup;
mod merge;
pub(crate) mod operators;
mod output;
pub(crate) mod structs;
mod thunks;

use crate::diagnostics::{Code, Fault, FaultBox};
use crate::limits::{Limits, Usage, with_stack};
use crate::schema::Schema;
use crate::source::Span;
use crate::value::{
    Func, FuncId, Key, ListId, Memo, Native, Object, ObjectId, PathId, Recipe, SchemaId, ScopeId, Thunk,
    ThunkId, Value,
};
use calls::Signature;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;
use structs::StructScope;

/// A value, nothing, or why there is neither.
pub(crate) type Evaluated = Result<Option<Value>, FaultBox>;

/// Time since some moment, as given by the caller.
pub type Clock<'c> = &'c dyn Fn() -> Duration;

pub(crate) struct Scope<'t> {
    pub(crate) depth: u32,
    pub(crate) parent: Option<ScopeId>,
    pub(crate) kind: ScopeKind<'t>,
    /// True for the scope of a whole document's struct, which `$` means.
    pub(crate) root: bool,
}

pub(crate) enum ScopeKind<'t> {
    /// Names given from outside: arguments, loop variables, built-ins.
    Data(Vec<(Key, Value)>),
    /// The variables of a loop's round.
    Round(Round),
    /// The keys of a value.
    Value(Value),
    Struct(Box<StructScope<'t>>),
}

/// A round of a loop.
pub(crate) struct Round {
    data: Vec<(Key, Value)>,
    /// The values of all rounds so far; the first `count` are of earlier rounds.
    values: Rc<RefCell<Vec<Value>>>,
    count: usize,
}

#[derive(Clone, Debug)]
pub(crate) enum PathElement {
    Key(Key),
    Index(usize),
    Call,
}

pub(crate) struct Machine<'t> {
    pub(crate) scopes: Vec<Scope<'t>>,
    pub(crate) thunks: Vec<Thunk<'t>>,
    objects: Vec<Rc<Object>>,
    lists: Vec<Rc<Vec<Value>>>,
    funcs: Vec<Func<'t>>,
    schemas: Vec<Rc<Schema>>,
    paths: Vec<(PathId, PathElement)>,
    pub(crate) signatures: HashMap<FuncId, Rc<Signature>>,
    pub(crate) std_schemas: HashMap<usize, SchemaId>,
    pub(crate) std_funcs: HashMap<usize, FuncId>,
    pub(crate) call_depths: HashMap<FuncId, u32>,
    pub(crate) regexes: HashMap<Key, Rc<regex::Regex>>,
    /// Lowest number of a scope that was read before all its keys were known;
    /// `u32::MAX` if none was.
    pub(crate) taint: u32,
    /// How often keys turned up that had been looked for before.
    pub(crate) invalidations: u32,
    /// How often a thunk turned out to need itself.
    pub(crate) circles: u64,
    /// Schemas whose implied default is being built.
    pub(crate) rendering: Vec<SchemaId>,
    pub(crate) debug: Vec<String>,
    /// Objects whose contents have been computed: true if all of it is defined.
    pub(crate) walked: HashMap<ObjectId, bool>,
    /// Objects being looked through, to notice one that contains itself.
    pub(crate) walking: Vec<ObjectId>,
    /// The values `std.error` was called with.
    pub(crate) thrown: Vec<Value>,
    pub(crate) builtins: ScopeId,
    pub(crate) limits: &'t Limits,
    clock: Clock<'t>,
    started: Duration,
    depth: usize,
    usage: Usage,
}

impl<'t> Machine<'t> {
    pub(crate) fn new(limits: &'t Limits, clock: Clock<'t>) -> Self {
        let started = clock();
        let mut machine = Self {
            scopes: Vec::new(),
            thunks: Vec::new(),
            objects: Vec::new(),
            lists: Vec::new(),
            funcs: Vec::new(),
            schemas: Vec::new(),
            paths: vec![(PathId(0), PathElement::Call)],
            signatures: HashMap::new(),
            std_schemas: HashMap::new(),
            std_funcs: HashMap::new(),
            call_depths: HashMap::new(),
            regexes: HashMap::new(),
            taint: u32::MAX,
            invalidations: 0,
            circles: 0,
            rendering: Vec::new(),
            debug: Vec::new(),
            walked: HashMap::new(),
            walking: Vec::new(),
            thrown: Vec::new(),
            builtins: ScopeId(0),
            limits,
            clock,
            started,
            depth: 0,
            usage: Usage::default(),
        };
        machine.builtins = machine.builtin_scope();
        machine
    }

    fn builtin_scope(&mut self) -> ScopeId {
        let mut names: Vec<(Key, Value)> = crate::schema::describe::named_types()
            .into_iter()
            .map(|(name, schema)| (name.into(), self.new_schema_unchecked(schema)))
            .collect();
        names.push(("any".into(), self.any_schema()));
        for (name, native) in [("len", Native::Len), ("keys", Native::Keys), ("enum", Native::Enum)] {
            let func = self.new_func(Func::Native(native));
            names.push((name.into(), Value::Func(func)));
        }
        let control = |skip| crate::value::LoopControl { skip, stop: !skip, value: None };
        names.push(("skip".into(), Value::Loop(control(true))));
        names.push(("break".into(), Value::Loop(control(false))));
        let library = crate::stdlib::object(self);
        names.push(("std".into(), library));
        self.scopes.push(Scope { depth: 0, parent: None, kind: ScopeKind::Data(names), root: false });
        ScopeId(self.scopes.len() as u32 - 1)
    }

    pub(crate) fn usage(&self) -> Usage {
        self.usage
    }

    /// Notes one step of work.
    pub(crate) fn step(&mut self) -> Result<(), FaultBox> {
        self.usage.steps += 1;
        if self.usage.steps > self.limits.steps {
            return Err(Fault::new(
                Code::Limit,
                format!("evaluation takes more than {} steps", self.limits.steps),
            ));
        }
        if self.usage.steps.is_multiple_of(1024)
            && (self.clock)().saturating_sub(self.started) > self.limits.time
        {
            let message = format!("evaluation takes longer than {:?}", self.limits.time);
            return Err(Fault::new(Code::Limit, message));
        }
        Ok(())
    }

    /// Notes memory about to be used.
    pub(crate) fn charge(&mut self, bytes: usize) -> Result<(), FaultBox> {
        self.usage.memory_bytes = self.usage.memory_bytes.saturating_add(bytes);
        if self.usage.memory_bytes > self.limits.memory_bytes {
            let message = format!("evaluation needs more than {} bytes of memory", self.limits.memory_bytes);
            return Err(Fault::new(Code::Limit, message));
        }
        Ok(())
    }

    /// Runs `work` one level deeper, with room on the stack.
    pub(crate) fn deeper<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, FaultBox>,
    ) -> Result<T, FaultBox> {
        self.step()?;
        if self.depth >= self.limits.depth {
            let message = format!("evaluation nests deeper than {} levels", self.limits.depth);
            return Err(Fault::new(Code::Limit, message));
        }
        self.depth += 1;
        let result = with_stack(|| work(self));
        self.depth -= 1;
        result
    }

    pub(crate) fn new_thunk(&mut self, recipe: Recipe<'t>, may_vanish: bool) -> Result<ThunkId, FaultBox> {
        self.charge(size_of::<Thunk<'t>>())?;
        let memo = match &recipe {
            Recipe::Value(value) => Memo::Done { result: Ok(value.clone()), stamp: crate::value::FINAL },
            _ => Memo::Empty,
        };
        self.thunks.push(Thunk { recipe, memo, origin: Span::NONE, may_vanish });
        Ok(ThunkId(self.thunks.len() as u32 - 1))
    }

    pub(crate) fn value_thunk(&mut self, value: Value) -> Result<ThunkId, FaultBox> {
        self.new_thunk(Recipe::Value(Some(value)), false)
    }

    pub(crate) fn new_object(&mut self, object: Object) -> Result<Value, FaultBox> {
        self.charge(size_of::<Object>() + object.entries.len() * 48)?;
        self.objects.push(Rc::new(object));
        Ok(Value::Object(ObjectId(self.objects.len() as u32 - 1)))
    }

    pub(crate) fn object(&self, id: ObjectId) -> Rc<Object> {
        Rc::clone(&self.objects[id.0 as usize])
    }

    pub(crate) fn object_count(&self) -> usize {
        self.objects.len()
    }

    /// An object out of values.
    pub(crate) fn object_of(&mut self, entries: Vec<(Key, Value)>) -> Result<Value, FaultBox> {
        let mut object = Object::default();
        for (key, value) in entries {
            let thunk = self.value_thunk(value)?;
            object.push(key, thunk);
        }
        self.new_object(object)
    }

    pub(crate) fn new_list(&mut self, items: Vec<Value>) -> Result<Value, FaultBox> {
        self.charge(size_of::<Vec<Value>>() + items.len() * size_of::<Value>())?;
        self.lists.push(Rc::new(items));
        Ok(Value::List(ListId(self.lists.len() as u32 - 1)))
    }

    pub(crate) fn list(&self, id: ListId) -> Rc<Vec<Value>> {
        Rc::clone(&self.lists[id.0 as usize])
    }

    pub(crate) fn new_text(&mut self, text: String) -> Result<Value, FaultBox> {
        self.charge(text.len() + 24)?;
        Ok(Value::text(text))
    }

    pub(crate) fn new_func(&mut self, func: Func<'t>) -> FuncId {
        self.funcs.push(func);
        FuncId(self.funcs.len() as u32 - 1)
    }

    pub(crate) fn func(&self, id: FuncId) -> Func<'t> {
        self.funcs[id.0 as usize].clone()
    }

    fn new_schema_unchecked(&mut self, schema: Schema) -> Value {
        self.schemas.push(Rc::new(schema));
        Value::Schema(SchemaId(self.schemas.len() as u32 - 1))
    }

    pub(crate) fn new_schema(&mut self, schema: Schema) -> Result<SchemaId, FaultBox> {
        let fields = schema.object.as_ref().map_or(0, |o| o.fields.len());
        self.charge(size_of::<Schema>() + fields * 80 + schema.spans.len() * 12)?;
        self.schemas.push(Rc::new(schema));
        Ok(SchemaId(self.schemas.len() as u32 - 1))
    }

    pub(crate) fn schema(&self, id: SchemaId) -> Rc<Schema> {
        Rc::clone(&self.schemas[id.0 as usize])
    }

    pub(crate) fn new_scope(&mut self, parent: ScopeId, kind: ScopeKind<'t>) -> Result<ScopeId, FaultBox> {
        self.charge(size_of::<Scope<'t>>() + 64)?;
        let depth = self.scopes[parent.0 as usize].depth + 1;
        self.scopes.push(Scope { depth, parent: Some(parent), kind, root: false });
        Ok(ScopeId(self.scopes.len() as u32 - 1))
    }

    pub(crate) fn data_scope(
        &mut self,
        parent: ScopeId,
        data: Vec<(Key, Value)>,
    ) -> Result<ScopeId, FaultBox> {
        self.new_scope(parent, ScopeKind::Data(data))
    }

    pub(crate) fn push_path(&mut self, path: PathId, element: PathElement) -> Result<PathId, FaultBox> {
        self.charge(32)?;
        self.paths.push((path, element));
        Ok(PathId(self.paths.len() as u32 - 1))
    }

    /// A path as `a.b[0].c`.
    pub(crate) fn path_text(&self, mut path: PathId) -> String {
        let mut elements = Vec::new();
        while path.0 != 0 {
            let (parent, element) = &self.paths[path.0 as usize];
            elements.push(element);
            path = *parent;
        }
        let mut out = String::new();
        for element in elements.into_iter().rev() {
            match element {
                PathElement::Key(key) => {
                    if !out.is_empty() {
                        out.push('.');
                    }
                    out.push_str(key);
                }
                PathElement::Index(index) => out.push_str(&format!("[{index}]")),
                PathElement::Call => out.push_str("()"),
            }
        }
        out
    }

    /// The compiled form of a pattern.
    pub(crate) fn regex(&mut self, pattern: &Key) -> Result<Rc<regex::Regex>, FaultBox> {
        if let Some(regex) = self.regexes.get(pattern) {
            return Ok(Rc::clone(regex));
        }
        self.charge(crate::regexp::MAX_BYTES)?;
        let regex = crate::regexp::compile(pattern).map_err(|m| Fault::new(Code::Kind, m))?;
        let regex = Rc::new(regex);
        self.regexes.insert(Key::clone(pattern), Rc::clone(&regex));
        Ok(regex)
    }
}
