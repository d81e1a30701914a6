//! Values of the evaluator. Everything that can nest lives in the machine's arenas
//! and is named by a number, so values are cheap to copy and dropping them never
//! recurses.

use crate::number::Number;
use crate::source::Span;
use crate::tree::{Body, Expr, Lambda};
use std::collections::HashMap;
use std::sync::Arc;

pub(crate) type Key = Arc<str>;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub(crate) struct $name(pub(crate) u32);
    )* };
}

ids!(
    /// A scope.
    ScopeId,
    /// A value that may not be computed yet.
    ThunkId,
    /// An object.
    ObjectId,
    /// A list.
    ListId,
    /// A function.
    FuncId,
    /// A schema.
    SchemaId,
    /// A path of keys; zero is the empty one.
    PathId,
);

/// A value.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Number(Number),
    Text(Key),
    List(ListId),
    Object(ObjectId),
    Func(FuncId),
    Schema(SchemaId),
    /// A value that any other definition of the same key replaces.
    Default(Arc<Value>),
    /// `skip` or `break` on its way to the loop, with the value so far.
    Loop(LoopControl),
    /// What `$` stands for.
    Root(ScopeId),
}

#[derive(Clone, Debug, Default)]
pub(crate) struct LoopControl {
    pub(crate) skip: bool,
    pub(crate) stop: bool,
    pub(crate) value: Option<Arc<Value>>,
}

/// A kind of value, by the name the language gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Null,
    String,
    Bool,
    Number,
    Array,
    Object,
    Func,
    Schema,
    Union,
    Undefined,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::String => "string",
            Self::Bool => "bool",
            Self::Number => "number",
            Self::Array => "array",
            Self::Object => "object",
            Self::Func => "func",
            Self::Schema => "schema",
            Self::Union => "union",
            Self::Undefined => "undefined",
        }
    }

    /// Kinds that a literal in a schema gives a type and a default for.
    pub(crate) fn is_simple(self) -> bool {
        matches!(self, Self::String | Self::Bool | Self::Number | Self::Null)
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl Value {
    pub(crate) fn text(text: impl Into<Key>) -> Self {
        Self::Text(text.into())
    }

    pub(crate) fn int(value: i64) -> Self {
        Self::Number(Number::Int(value))
    }

    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Null => Kind::Null,
            Self::Bool(_) => Kind::Bool,
            Self::Number(_) => Kind::Number,
            Self::Text(_) => Kind::String,
            Self::List(_) => Kind::Array,
            Self::Object(_) | Self::Root(_) => Kind::Object,
            Self::Func(_) => Kind::Func,
            Self::Schema(_) => Kind::Schema,
            Self::Default(value) => value.kind(),
            Self::Loop(_) => Kind::Undefined,
        }
    }

    /// The value without the mark of being a default.
    pub(crate) fn plain(self) -> Self {
        match self {
            Self::Default(value) => (*value).clone(),
            other => other,
        }
    }

    pub(crate) fn into_default(self) -> Self {
        match self {
            Self::Default(_) => self,
            other => Self::Default(Arc::new(other)),
        }
    }
}

/// How an expression is to be evaluated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Env {
    pub(crate) scope: ScopeId,
    /// True where literals and structs mean schemas.
    pub(crate) schema: bool,
    /// True where object schemas admit keys they do not name.
    pub(crate) open: bool,
    pub(crate) path: PathId,
}

/// How a thunk gets its value.
#[derive(Clone, Debug)]
pub(crate) enum Recipe<'t> {
    Expr {
        expr: &'t Expr,
        env: Env,
    },
    /// A field of a schema: whatever the value is, it means a schema.
    Schema {
        expr: &'t Expr,
        env: Env,
        span: Span,
    },
    /// Several definitions of one key, each with the position of its field.
    Merge(Vec<(ThunkId, Span)>),
    /// Values of one key of objects that are added up; later ones win.
    Add(Vec<ThunkId>),
    Value(Option<Value>),
    /// A function of the standard library.
    Std(usize),
}

#[derive(Clone, Debug)]
pub(crate) enum Memo {
    Empty,
    /// Being computed right now.
    Busy,
    /// Computed. A provisional result holds while the machine's count of
    /// invalidations is `stamp`.
    Done {
        result: Result<Option<Value>, crate::diagnostics::FaultBox>,
        stamp: u32,
    },
}

/// Stamp of a result that nothing can change.
pub(crate) const FINAL: u32 = u32::MAX;

#[derive(Clone, Debug)]
pub(crate) struct Thunk<'t> {
    pub(crate) recipe: Recipe<'t>,
    pub(crate) memo: Memo,
    /// Where the key is written whose value this is.
    pub(crate) origin: Span,
    /// True when there may turn out to be no value, so that the key is not there.
    pub(crate) may_vanish: bool,
}

/// Above this size an object finds its keys by hash.
const INDEX_FROM: usize = 9;

/// An object: keys in the order they were defined.
#[derive(Debug, Default)]
pub(crate) struct Object {
    pub(crate) entries: Vec<(Key, ThunkId)>,
    index: HashMap<Key, u32>,
    /// Local definitions, which must be free of errors too.
    pub(crate) lets: Vec<ThunkId>,
}

impl Object {
    pub(crate) fn with_lets(lets: Vec<ThunkId>) -> Self {
        Self { lets, ..Self::default() }
    }

    pub(crate) fn position(&self, key: &str) -> Option<usize> {
        if self.entries.len() < INDEX_FROM {
            return self.entries.iter().position(|(k, _)| &**k == key);
        }
        self.index.get(key).map(|i| *i as usize)
    }

    pub(crate) fn get(&self, key: &str) -> Option<ThunkId> {
        self.position(key).map(|i| self.entries[i].1)
    }

    /// Adds a key that is not there yet.
    pub(crate) fn push(&mut self, key: Key, thunk: ThunkId) {
        self.entries.push((key, thunk));
        match self.entries.len() {
            INDEX_FROM => {
                let keys = self.entries.iter().enumerate();
                self.index = keys.map(|(i, (k, _))| (Key::clone(k), i as u32)).collect();
            }
            n if n > INDEX_FROM => {
                let key = Key::clone(&self.entries[n - 1].0);
                self.index.insert(key, n as u32 - 1);
            }
            _ => {}
        }
    }
}

/// A function.
#[derive(Clone, Debug)]
pub(crate) enum Func<'t> {
    User {
        function: UserFunction<'t>,
        env: Env,
        span: Span,
    },
    Lambda {
        lambda: &'t Lambda,
        env: Env,
        span: Span,
    },
    /// A function that takes positional arguments only.
    Native(Native),
    /// A function of the standard library.
    Std(usize),
    /// A function that belongs to an object, which it sees as `self`.
    Bound {
        func: FuncId,
        this: ObjectId,
    },
}

/// A function written with `function`, or a whole document.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UserFunction<'t> {
    pub(crate) body: &'t Body,
    pub(crate) returns: Option<&'t Expr>,
    /// True for a document: the body is the result and `$` refers to it.
    pub(crate) root: bool,
}

/// Functions that are not part of `std`, and the two of `std` that take anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Native {
    Len,
    Keys,
    Enum,
    Debug,
    Error,
}

/// An argument of a call.
#[derive(Clone, Debug)]
pub(crate) enum Arg {
    Positional(Value),
    Named(Key, Value),
}
