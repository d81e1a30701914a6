//! Schemas: what a value must look like, and which defaults fill it.
//!
//! ```text
//! Schema ── kind, constraints             every value
//!        ── object: fields, open?         objects
//!        ── list: valid element schemas   lists
//!        ── alternates                    any of these instead
//!        ── default                       the value when there is none
//! ```

mod algebra;
mod build;
pub(crate) mod describe;
mod flaws;
mod validate;

pub(crate) use flaws::{Flaw, KeySpans};
pub(crate) use validate::DataPath;

use crate::source::Span;
use crate::tree::Operator;
use crate::value::{FuncId, Key, Kind, PathId, SchemaId, Value};

#[derive(Clone, Debug)]
pub(crate) struct Schema {
    pub(crate) kind: Kind,
    pub(crate) object: Option<ObjectSchema>,
    pub(crate) list: Option<ListSchema>,
    pub(crate) func: Option<FuncId>,
    pub(crate) constraints: Vec<Constraint>,
    pub(crate) alternates: Vec<SchemaId>,
    pub(crate) default: Option<Value>,
    pub(crate) path: PathId,
    pub(crate) spans: Vec<Span>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct ObjectSchema {
    /// True when keys may appear that no field names.
    pub(crate) open: bool,
    pub(crate) description: String,
    pub(crate) fields: Vec<SchemaField>,
}

#[derive(Clone, Debug)]
pub(crate) struct SchemaField {
    pub(crate) key: Key,
    /// True when the key is a pattern.
    pub(crate) matches: bool,
    pub(crate) optional: bool,
    pub(crate) description: String,
    pub(crate) schema: SchemaId,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct ListSchema {
    pub(crate) description: String,
    /// An element must fit one of these; none means any element.
    pub(crate) valid: Vec<SchemaId>,
}

#[derive(Clone, Debug)]
pub(crate) enum Constraint {
    /// The value compared with another.
    Compare(Operator, Value),
    /// The value must be an integer.
    Int,
    /// One of the alternates must fit.
    Alternate,
    /// Another schema must fit too.
    Schema(SchemaId),
}

impl Schema {
    pub(crate) fn of(kind: Kind) -> Self {
        Self {
            kind,
            object: None,
            list: None,
            func: None,
            constraints: Vec::new(),
            alternates: Vec::new(),
            default: None,
            path: PathId(0),
            spans: Vec::new(),
        }
    }

    pub(crate) fn open_object() -> Self {
        let object = Some(ObjectSchema { open: true, ..ObjectSchema::default() });
        Self { object, ..Self::of(Kind::Object) }
    }

    /// The type a literal stands for, with the literal as default.
    pub(crate) fn literal(kind: Kind, value: Value, span: Span) -> Self {
        Self { default: Some(value), spans: vec![span], ..Self::of(kind) }
    }

    /// Where the schema was written last.
    pub(crate) fn span(&self) -> Span {
        self.spans.last().copied().unwrap_or(Span::NONE)
    }
}
