//! Structs: the declarations between two braces become an object.
//!
//! Fields with a written key are thunks. Parts that can add keys ("dynamic" ones)
//! are evaluated in order before the struct is complete. While they run, a name is
//! answered from what is known so far, else from further out; if a part then adds
//! a key that was asked for, all dynamic parts run again with that knowledge, until
//! nothing new turns up or the limit of rounds is reached.

use super::{Evaluated, Machine, PathElement, ScopeKind};
use crate::diagnostics::{Code, Fault, FaultBox};
use crate::source::Span;
use crate::tree::{Body, Comments, Decl, DeclNode, Expr, ExprNode, Field, LabelNode};
use crate::value::{Env, Key, LoopControl, Object, Recipe, SchemaId, ScopeId, ThunkId, Value};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Expanding,
    Complete,
}

pub(crate) struct StructScope<'t> {
    pub(crate) parts: Vec<Part<'t>>,
    /// What each name means in here, dynamic parts included once complete.
    pub(super) names: HashMap<Key, ThunkId>,
    pub(crate) phase: Phase,
    env: Env,
    /// Names that were asked for while expanding.
    reads: HashSet<Key>,
    /// Keys that a dynamic part has added in any round.
    known: HashSet<Key>,
    invalidated: bool,
}

pub(crate) enum Part<'t> {
    /// A pattern for keys, in a schema.
    Pattern {
        field: &'t Field,
        comments: &'t Comments,
        span: Span,
    },
    Static {
        key: Key,
        thunk: ThunkId,
        local: bool,
        span: Span,
        decl: &'t Decl,
    },
    Dynamic {
        source: Source<'t>,
        span: Span,
        state: State,
        previous: Option<Contribution>,
    },
}

#[derive(Clone, Copy)]
pub(crate) enum Source<'t> {
    Embed(&'t Expr),
    Keyed(&'t Field),
}

pub(crate) enum State {
    Pending,
    Busy,
    Done(Contribution),
}

#[derive(Clone)]
pub(crate) enum Contribution {
    Nothing,
    Entries(Rc<Vec<(Key, ThunkId)>>, Vec<ThunkId>),
    Value(Value),
    /// A schema in a schema, with the schemas of its keys.
    Schema(SchemaId, Rc<Vec<(Key, ThunkId)>>),
    /// `skip` or `break` from inside.
    Control(LoopControl),
    Undefined(FaultBox),
}

impl Contribution {
    fn entries(&self) -> &[(Key, ThunkId)] {
        match self {
            Self::Entries(entries, _) | Self::Schema(_, entries) => entries,
            _ => &[],
        }
    }
}

/// Which declarations of a body count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    All,
    /// Without the arguments and profiles of a function.
    Body,
    /// Nothing but those.
    Arguments,
}

/// True for a declaration of arguments or profiles of a function.
pub(crate) fn declares_arguments(decl: &Decl) -> bool {
    let DeclNode::Field(field) = &decl.node else { return false };
    matches!(plain_key(field), Some(key) if matches!(&*key, "args" | "profiles"))
}

/// The key of a field that is not computed and not a pattern.
pub(crate) fn plain_key(field: &Field) -> Option<Key> {
    match &field.label.node {
        _ if is_pattern(field) => None,
        LabelNode::Ident(name) => Some(Key::clone(name)),
        LabelNode::Text(text) => Some(Key::clone(&text.value)),
        LabelNode::Interpolation(_) => None,
    }
}

/// True for `match "…"` and for the bare word `string` as a key.
pub(crate) fn is_pattern(field: &Field) -> bool {
    field.label.matches || matches!(&field.label.node, LabelNode::Ident(name) if &**name == "string")
}

/// True when evaluating the expression may give nothing at all.
pub(super) fn may_vanish(expr: &Expr) -> bool {
    match &expr.node {
        ExprNode::If(node) => node.otherwise.as_ref().is_none_or(may_vanish),
        ExprNode::For(_) | ExprNode::Call { .. } => true,
        ExprNode::Paren(inner) | ExprNode::Default(inner) => may_vanish(inner),
        ExprNode::Unary { operand, .. } => may_vanish(operand),
        ExprNode::Binary { left, .. } => may_vanish(left),
        ExprNode::Select { base, .. } | ExprNode::Index { base, .. } | ExprNode::Slice { base, .. } => {
            may_vanish(base)
        }
        ExprNode::Interpolation(parts) => parts.exprs.iter().any(may_vanish),
        _ => false,
    }
}

impl<'t> Machine<'t> {
    /// The value of a struct that is not a schema. A function's body leaves out the
    /// declarations of its arguments; a document's struct is what `$` means.
    pub(super) fn eval_struct(&mut self, body: &'t Body, env: Env, which: Which, root: bool) -> Evaluated {
        let scope = self.open_struct(body, env, which)?;
        self.scopes[scope.0 as usize].root = root;
        self.expand_all(scope, body.span)?;
        self.close_struct(scope).map(Some)
    }

    /// Makes a struct complete.
    pub(crate) fn expand_all(&mut self, scope: ScopeId, span: Span) -> Result<(), FaultBox> {
        if self.fields(scope).phase == Phase::Expanding {
            let outer = std::mem::replace(&mut self.taint, u32::MAX);
            let expanded = self.expand(scope, span);
            // What was provisional because of this struct no longer is.
            self.taint = if self.taint >= scope.0 { outer } else { self.taint.min(outer) };
            expanded?;
        }
        Ok(())
    }

    pub(crate) fn fields(&self, scope: ScopeId) -> &StructScope<'t> {
        match &self.scopes[scope.0 as usize].kind {
            ScopeKind::Struct(fields) => fields,
            _ => unreachable!("a struct's scope holds its fields"),
        }
    }

    pub(super) fn fields_mut(&mut self, scope: ScopeId) -> &mut StructScope<'t> {
        match &mut self.scopes[scope.0 as usize].kind {
            ScopeKind::Struct(fields) => fields,
            _ => unreachable!("a struct's scope holds its fields"),
        }
    }

    /// Makes the scope of a struct, with a thunk for every written key.
    pub(crate) fn open_struct(
        &mut self,
        body: &'t Body,
        env: Env,
        which: Which,
    ) -> Result<ScopeId, FaultBox> {
        let empty = StructScope {
            parts: Vec::new(),
            names: HashMap::new(),
            phase: Phase::Complete,
            env,
            reads: HashSet::new(),
            known: HashSet::new(),
            invalidated: false,
        };
        let scope = self.new_scope(env.scope, ScopeKind::Struct(Box::new(empty)))?;
        let env = Env { scope, ..env };
        let mut parts = Vec::with_capacity(body.decls.len());
        for decl in &body.decls {
            if which != Which::All && declares_arguments(decl) != (which == Which::Arguments) {
                continue;
            }
            if let Some(part) = self.part(decl, env)? {
                parts.push(part);
            }
        }
        self.charge(parts.len() * (size_of::<Part<'_>>() + 64))?;
        let names = self.static_names(&parts)?;
        let dynamic = parts.iter().any(|p| matches!(p, Part::Dynamic { .. }));
        let fields = self.fields_mut(scope);
        fields.env = env;
        fields.phase = if dynamic { Phase::Expanding } else { Phase::Complete };
        fields.parts = parts;
        fields.names = names;
        Ok(scope)
    }

    fn part(&mut self, decl: &'t Decl, env: Env) -> Result<Option<Part<'t>>, FaultBox> {
        let dynamic =
            |source| Part::Dynamic { source, span: decl.span, state: State::Pending, previous: None };
        Ok(Some(match &decl.node {
            DeclNode::Let { name, value } => {
                let thunk = self.struct_thunk(&name.name, value, env, decl.span)?;
                Part::Static { key: Key::clone(&name.name), thunk, local: true, span: Span::NONE, decl }
            }
            DeclNode::Field(field) => match plain_key(field) {
                Some(key) => {
                    let thunk = self.struct_thunk(&key, &field.value, env, decl.span)?;
                    self.written_at(thunk, field.label.span);
                    Part::Static { key, thunk, local: false, span: decl.span, decl }
                }
                None if is_pattern(field) && env.schema => {
                    Part::Pattern { field, comments: &decl.comments, span: decl.span }
                }
                // Patterns say nothing about values.
                None if is_pattern(field) => return Ok(None),
                None => dynamic(Source::Keyed(field)),
            },
            DeclNode::Embed(expr) => match defined_key(expr) {
                Some((key, value)) if !env.schema => {
                    let env = Env { schema: true, open: false, ..env };
                    let thunk = self.field_thunk(&key, value, env)?;
                    Part::Static { key, thunk, local: false, span: decl.span, decl }
                }
                _ => dynamic(Source::Embed(expr)),
            },
        }))
    }

    /// A field of a struct; in a schema its value means a schema.
    fn struct_thunk(&mut self, key: &Key, expr: &'t Expr, env: Env, span: Span) -> Result<ThunkId, FaultBox> {
        if !env.schema {
            return self.field_thunk(key, expr, env);
        }
        let path = self.push_path(env.path, PathElement::Key(Key::clone(key)))?;
        self.new_thunk(Recipe::Schema { expr, env: Env { path, ..env }, span }, may_vanish(expr))
    }

    pub(crate) fn field_thunk(&mut self, key: &Key, expr: &'t Expr, env: Env) -> Result<ThunkId, FaultBox> {
        let path = self.push_path(env.path, PathElement::Key(Key::clone(key)))?;
        let env = Env { path, ..env };
        self.new_thunk(Recipe::Expr { expr, env }, may_vanish(expr))
    }

    /// Notes where the key of a thunk is written.
    fn written_at(&mut self, thunk: ThunkId, span: Span) {
        self.thunks[thunk.0 as usize].origin = span;
    }

    fn static_names(&mut self, parts: &[Part<'t>]) -> Result<HashMap<Key, ThunkId>, FaultBox> {
        let mut names: HashMap<Key, ThunkId> = HashMap::with_capacity(parts.len());
        let mut repeated: HashMap<Key, Vec<(ThunkId, Span)>> = HashMap::new();
        for part in parts {
            let Part::Static { key, thunk, span, .. } = part else { continue };
            if let Some(first) = names.get(key) {
                let definitions =
                    repeated.entry(Key::clone(key)).or_insert_with(|| vec![(*first, Span::NONE)]);
                definitions.push((*thunk, *span));
            } else {
                names.insert(Key::clone(key), *thunk);
            }
        }
        for (key, definitions) in repeated {
            let thunk = self.merged(&definitions)?;
            names.insert(key, thunk);
        }
        Ok(names)
    }

    /// One thunk for several definitions of a key.
    pub(super) fn merged(&mut self, definitions: &[(ThunkId, Span)]) -> Result<ThunkId, FaultBox> {
        if let [(thunk, _)] = definitions {
            return Ok(*thunk);
        }
        let may_vanish = definitions.iter().all(|(t, _)| self.thunks[t.0 as usize].may_vanish);
        self.charge(definitions.len() * 16)?;
        self.new_thunk(Recipe::Merge(definitions.to_vec()), may_vanish)
    }

    pub(super) fn expand(&mut self, scope: ScopeId, span: Span) -> Result<(), FaultBox> {
        let mut rounds = 0;
        loop {
            self.run_parts(scope)?;
            if !self.fields(scope).invalidated {
                break;
            }
            rounds += 1;
            if rounds >= self.limits.rounds {
                let message = format!("evaluation loop count exceeded count {}", self.limits.rounds);
                return Err(Fault::new(Code::Limit, message).at(span));
            }
            self.restart(scope);
        }
        self.complete(scope)
    }

    fn run_parts(&mut self, scope: ScopeId) -> Result<(), FaultBox> {
        for index in 0..self.fields(scope).parts.len() {
            self.run_part(scope, index)?;
            if self.skips(scope, index) {
                self.fields_mut(scope).parts.truncate(index + 1);
                break;
            }
        }
        Ok(())
    }

    fn skips(&self, scope: ScopeId, index: usize) -> bool {
        matches!(
            &self.fields(scope).parts[index],
            Part::Dynamic { state: State::Done(Contribution::Control(control)), .. } if control.skip
        )
    }

    fn restart(&mut self, scope: ScopeId) {
        self.invalidations += 1;
        let fields = self.fields_mut(scope);
        fields.invalidated = false;
        fields.reads.clear();
        for part in &mut fields.parts {
            if let Part::Dynamic { state, previous, .. } = part
                && let State::Done(contribution) = std::mem::replace(state, State::Pending)
            {
                *previous = Some(contribution);
            }
        }
    }

    /// Evaluates a dynamic part, unless that is done or under way.
    fn run_part(&mut self, scope: ScopeId, index: usize) -> Result<(), FaultBox> {
        let env = self.fields(scope).env;
        let source = match &mut self.fields_mut(scope).parts[index] {
            Part::Dynamic { source, state: state @ State::Pending, .. } => {
                *state = State::Busy;
                *source
            }
            _ => return Ok(()),
        };
        let contribution = match self.contribution(source, env) {
            Err(fault) if fault.is_undefined() => Contribution::Undefined(fault),
            Err(fault) => {
                self.set_state(scope, index, State::Pending);
                return Err(fault);
            }
            Ok(contribution) => contribution,
        };
        self.note_keys(scope, index, &contribution);
        self.set_state(scope, index, State::Done(contribution));
        Ok(())
    }

    fn set_state(&mut self, scope: ScopeId, index: usize, new: State) {
        if let Part::Dynamic { state, .. } = &mut self.fields_mut(scope).parts[index] {
            *state = new;
        }
    }

    /// Finds out whether a part changed keys that were already asked for.
    fn note_keys(&mut self, scope: ScopeId, index: usize, contribution: &Contribution) {
        let fields = self.fields_mut(scope);
        let Part::Dynamic { previous, .. } = &fields.parts[index] else { return };
        let old: HashSet<&Key> = previous.iter().flat_map(Contribution::entries).map(|(k, _)| k).collect();
        let new: HashSet<&Key> = contribution.entries().iter().map(|(k, _)| k).collect();
        let changed = old.symmetric_difference(&new).any(|key| fields.reads.contains(*key));
        let keys: Vec<Key> = new.into_iter().cloned().collect();
        fields.invalidated |= changed;
        fields.known.extend(keys);
    }

    fn contribution(&mut self, source: Source<'t>, env: Env) -> Result<Contribution, FaultBox> {
        match source {
            Source::Keyed(field) => {
                let LabelNode::Interpolation(parts) = &field.label.node else {
                    return Ok(Contribution::Nothing);
                };
                let Some(key) = self.interpolate(parts, env)? else { return Ok(Contribution::Nothing) };
                let key: Key = key.into();
                let thunk = self.struct_thunk(&key, &field.value, env, field.label.span)?;
                self.written_at(thunk, field.label.span);
                Ok(Contribution::Entries(Rc::new(vec![(key, thunk)]), Vec::new()))
            }
            Source::Embed(expr) => {
                let value = self.eval(expr, env)?;
                Ok(match value {
                    None => Contribution::Nothing,
                    Some(Value::Loop(control)) => Contribution::Control(control),
                    Some(value) => self.embedded(value, env.schema)?,
                })
            }
        }
    }

    /// What a value adds to the struct it stands in.
    fn embedded(&mut self, value: Value, schema: bool) -> Result<Contribution, FaultBox> {
        Ok(match value.clone().plain() {
            Value::Object(id) => {
                let object = self.object(id);
                self.charge(object.entries.len() * 24)?;
                Contribution::Entries(Rc::new(object.entries.clone()), object.lets.clone())
            }
            Value::Schema(id) if schema => {
                let schema = self.schema(id);
                let mut entries = Vec::new();
                for field in schema.object.iter().flat_map(|o| &o.fields).filter(|f| !f.matches) {
                    let thunk = self.value_thunk(Value::Schema(field.schema))?;
                    entries.push((Key::clone(&field.key), thunk));
                }
                Contribution::Schema(id, Rc::new(entries))
            }
            _ => Contribution::Value(value),
        })
    }

    /// After the last round: names resolve to everything that was added.
    fn complete(&mut self, scope: ScopeId) -> Result<(), FaultBox> {
        let mut added: HashMap<Key, Vec<(ThunkId, Span)>> = HashMap::new();
        for part in &self.fields(scope).parts {
            if let Part::Dynamic { state: State::Done(contribution), span, .. } = part {
                for (key, thunk) in contribution.entries() {
                    added.entry(Key::clone(key)).or_default().push((*thunk, *span));
                }
            }
        }
        for (key, mut definitions) in added {
            if let Some(thunk) = self.fields(scope).names.get(&key) {
                definitions.insert(0, (*thunk, Span::NONE));
            }
            let thunk = self.merged(&definitions)?;
            self.fields_mut(scope).names.insert(key, thunk);
        }
        self.fields_mut(scope).phase = Phase::Complete;
        Ok(())
    }

    /// A name asked for while the struct's keys are still being found.
    pub(super) fn lookup_expanding(&mut self, scope: ScopeId, name: &Key) -> Evaluated {
        self.taint = self.taint.min(scope.0);
        self.fields_mut(scope).reads.insert(Key::clone(name));
        if let Some(value) = self.known_so_far(scope, name)? {
            return Ok(Some(value));
        }
        if self.fields(scope).known.contains(name) {
            return Err(Fault::undefined("", Span::NONE));
        }
        if let Some(parent) = self.scopes[scope.0 as usize].parent
            && let Some(value) = self.lookup(parent, name)?
        {
            return Ok(Some(value));
        }
        // Nobody further out knows the name: some later part may.
        for index in 0..self.fields(scope).parts.len() {
            self.run_part(scope, index)?;
            if let Some(value) = self.known_so_far(scope, name)? {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }

    fn known_so_far(&mut self, scope: ScopeId, name: &Key) -> Evaluated {
        let fields = self.fields(scope);
        let mut definitions: Vec<(ThunkId, Span)> =
            fields.names.get(name).map(|t| (*t, Span::NONE)).into_iter().collect();
        for part in &fields.parts {
            let Part::Dynamic { state, previous, span, .. } = part else { continue };
            let contribution = match (state, previous) {
                (State::Done(contribution), _) | (State::Pending, Some(contribution)) => contribution,
                _ => continue,
            };
            let found = contribution.entries().iter().filter(|(k, _)| k == name);
            definitions.extend(found.map(|(_, thunk)| (*thunk, *span)));
        }
        if definitions.is_empty() {
            return Ok(None);
        }
        let thunk = self.merged(&definitions)?;
        self.force(thunk)
    }

    /// Puts the parts of a complete struct together.
    fn close_struct(&mut self, scope: ScopeId) -> Result<Value, FaultBox> {
        let mut built = Built::default();
        for index in 0..self.fields(scope).parts.len() {
            match &self.fields(scope).parts[index] {
                Part::Static { key, thunk, local: false, span, .. } => {
                    built.entry(Key::clone(key), *thunk, *span);
                }
                Part::Static { thunk, .. } => built.lets.push(*thunk),
                Part::Dynamic { state: State::Done(contribution), span, .. } => {
                    let (contribution, span) = (contribution.clone(), *span);
                    self.add_contribution(&mut built, contribution, span)?;
                }
                Part::Dynamic { .. } | Part::Pattern { .. } => {}
            }
        }
        self.finish(built)
    }

    fn add_contribution(
        &mut self,
        built: &mut Built,
        contribution: Contribution,
        span: Span,
    ) -> Result<(), FaultBox> {
        match contribution {
            Contribution::Nothing => {}
            Contribution::Undefined(fault) => return Err(fault),
            Contribution::Entries(entries, lets) => {
                built.object |= true;
                for (key, thunk) in entries.iter() {
                    built.entry(Key::clone(key), *thunk, span);
                }
                built.lets.extend(lets);
            }
            Contribution::Value(value) => self.add_scalar(built, value, span)?,
            Contribution::Schema(schema, _) => self.add_scalar(built, Value::Schema(schema), span)?,
            Contribution::Control(control) => {
                let merged = built.control.get_or_insert_with(LoopControl::default);
                merged.skip |= control.skip;
                merged.stop |= control.stop;
                if let Some(value) = control.value {
                    let inner = self.embedded((*value).clone(), false)?;
                    self.add_contribution(built, inner, span)?;
                }
            }
        }
        Ok(())
    }

    fn add_scalar(&mut self, built: &mut Built, value: Value, span: Span) -> Result<(), FaultBox> {
        built.scalar = Some(match built.scalar.take() {
            None => (value, span),
            Some((left, _)) => (self.merge(left, value, span).map_err(|f| f.at(span))?, span),
        });
        Ok(())
    }

    fn finish(&mut self, built: Built) -> Result<Value, FaultBox> {
        let Built { entries, lets, scalar, control, object, .. } = built;
        let mut value = None;
        if object || !entries.is_empty() || (scalar.is_none() && control.is_none()) {
            let mut object = Object::with_lets(lets.clone());
            for (key, definitions) in entries {
                let thunk = match definitions {
                    Definitions::One(thunk, _) => thunk,
                    Definitions::Many(definitions) => self.merged(&definitions)?,
                };
                object.push(key, thunk);
            }
            value = Some(self.new_object(object)?);
        }
        if let Some((scalar, span)) = scalar {
            self.check_thunks(&lets)?;
            value = Some(match value {
                None => scalar,
                Some(object) => self.merge(object, scalar, span).map_err(|f| f.at(span))?,
            });
        }
        Ok(match control {
            None => value.expect("a struct without control is an object or a scalar"),
            Some(control) => Value::Loop(LoopControl { value: value.map(Arc::new), ..control }),
        })
    }
}

/// A struct being put together.
#[derive(Default)]
struct Built {
    entries: Vec<(Key, Definitions)>,
    /// Where keys are, once there are more than a few.
    positions: HashMap<Key, usize>,
    lets: Vec<ThunkId>,
    scalar: Option<(Value, Span)>,
    control: Option<LoopControl>,
    /// True when an object was embedded, even an empty one.
    object: bool,
}

/// The definitions of one key; mostly there is one.
enum Definitions {
    One(ThunkId, Span),
    Many(Vec<(ThunkId, Span)>),
}

/// Up to this many keys are looked through one by one.
const FEW: usize = 8;

impl Built {
    fn entry(&mut self, key: Key, thunk: ThunkId, span: Span) {
        match self.position(&key) {
            Some(at) => self.entries[at].1.push(thunk, span),
            None => {
                if self.entries.len() >= FEW {
                    self.positions.insert(Key::clone(&key), self.entries.len());
                }
                self.entries.push((key, Definitions::One(thunk, span)));
            }
        }
    }

    fn position(&self, key: &Key) -> Option<usize> {
        let few = self.entries.iter().take(FEW).position(|(known, _)| known == key);
        few.or_else(|| self.positions.get(key).copied())
    }
}

impl Definitions {
    fn push(&mut self, thunk: ThunkId, span: Span) {
        match self {
            Self::One(first, at) => *self = Self::Many(vec![(*first, *at), (thunk, span)]),
            Self::Many(definitions) => definitions.push((thunk, span)),
        }
    }
}

/// The key and schema of `define Key: schema`.
fn defined_key(expr: &Expr) -> Option<(Key, &Expr)> {
    let ExprNode::Define(decl) = &expr.node else { return None };
    let DeclNode::Field(field) = &decl.node else { return None };
    Some((plain_key(field)?, &field.value))
}
