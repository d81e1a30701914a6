//! The AML language: lexer, parser, lazy evaluator, schemas, standard library,
//! formatter, diagnostics, and the logic of the `aml` command.
//!
//! It never knows what a document is for: no Kubernetes, no Acornfile keys. It does
//! no I/O; files, arguments and the clock are given to it.
//!
//! ```text
//! text ── tokens ── parser ── tree ──┬── evaluation ── Json ── printing
//!                                    │      └── schema, stdlib
//!                                    └── formatter ── text
//! anything wrong ── Diagnostic (plain line, rendered, JSON)
//! ```
//!
//! Invariants:
//! - No input makes it panic, recurse without bound, or use more than its
//!   [`Limits`]: each limit ends in a [`Diagnostic`] of code [`Code::Limit`].
//! - Evaluation gives the same result in whatever order fields are written.
//! - Formatting never changes what a tree says, and formatting twice changes nothing.
//! - Every diagnostic still has the original tool's sentence
//!   ([`Diagnostic::plain_line`]).
//!
//! Sources followed: acorn-io/aml as of 2024-01-22, by the facts stated in
//! `reference/acorn.md` section 2. Where the original overflows or panics (division
//! by zero, integers beyond 64 bits) this crate gives an error or a fraction.

pub mod cli;
mod diagnostics;
mod document;
mod evaluation;
pub mod files;
pub mod formatter;
mod limits;
mod number;
mod parser;
mod printing;
mod quotes;
mod regexp;
mod schema;
mod source;
mod stdlib;
pub mod tokens;
pub mod tree;
mod value;

pub use diagnostics::{Code, Diagnostic, Related};
pub use document::{ArgKind, Argument, Arguments, Document, Inputs, Outcome, Profile};
pub use evaluation::Clock;
pub use limits::{Limits, Usage};
pub use printing::Json;
pub use source::{Place, Source, Sources, Span, file_map, is_file_map, split_file_map};

#[cfg(test)]
mod tests;
