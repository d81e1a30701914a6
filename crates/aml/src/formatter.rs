//! The formatter: a tree in the one style, with tabs, aligned values and every
//! comment.
//!
//! What an author decides is kept: whether a struct, list or call is written on one
//! line or on several, and single empty lines. Everything else is decided here, so
//! formatting twice changes nothing.

mod lines;
mod write;

use crate::document::Document;
use crate::tree::Body;

/// The text of a document in the one style.
#[must_use]
pub fn format(document: &Document) -> String {
    format_body(document.body())
}

/// The text of the declarations of a document.
#[must_use]
pub fn format_body(body: &Body) -> String {
    let mut out = lines::Lines::default();
    write::document(&mut out, body);
    out.finish()
}
