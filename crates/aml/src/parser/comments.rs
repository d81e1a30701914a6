//! Which comment belongs to what.
//!
//! Comments before a declaration's first token lead it; one on the line of its last
//! token trails it; one inside of it that no inner declaration took moves above it.
//! So none is ever lost.

use super::Parser;
use crate::source::Span;
use crate::tokens::{Kind, Token};
use crate::tree::{Comment, Comments};

/// Takes the comments out of the tokens; each keeps the index of the token after it.
pub(super) fn separate<'t>(text: &str, all: Vec<Token<'t>>) -> (Vec<Token<'t>>, Vec<(usize, Comment)>) {
    let mut tokens = Vec::with_capacity(all.len());
    let mut comments = Vec::new();
    for token in all {
        if token.kind == Kind::Comment {
            let blank_before = blank_line_before(text, token.span);
            comments.push((
                tokens.len(),
                Comment { text: token.text.to_owned(), span: token.span, blank_before },
            ));
        } else {
            tokens.push(token);
        }
    }
    (tokens, comments)
}

/// True when an empty line stands right before the span's line.
fn blank_line_before(text: &str, span: Span) -> bool {
    let before = &text[..span.start as usize];
    let blank = &before[before.trim_end().len()..];
    blank.matches('\n').count() > 1
}

impl Parser<'_> {
    /// Takes every comment before the current token that has no place yet.
    pub(super) fn take_comments(&mut self) -> Vec<Comment> {
        let start = self.placed;
        let end = start + self.comments[start..].iter().take_while(|(index, _)| *index <= self.next).count();
        self.placed = end;
        self.comments[start..end].iter().map(|(_, comment)| comment.clone()).collect()
    }

    /// Comments that lead the declaration at the current token.
    pub(super) fn open_comments(&mut self) -> Comments {
        let leading = self.take_comments();
        let gap = blank_line_before(self.text, self.token().span);
        Comments {
            blank_before: leading.first().map_or(gap, |c| c.blank_before),
            detached: gap && !leading.is_empty(),
            leading,
            trailing: None,
        }
    }

    /// Comments inside of the declaration just read and the one that trails it. The
    /// current token is the one after the declaration and its comma.
    pub(super) fn close_comments(&mut self, comments: &mut Comments, span: Span) {
        let mut count = 0;
        for (index, comment) in &self.comments[self.placed..] {
            let inside = comment.span.start < span.end;
            let same_line = !inside && *index <= self.next && self.same_line(span.end, comment.span.start);
            if inside {
                comments.leading.push(comment.clone());
            } else if same_line && comments.trailing.is_none() {
                comments.trailing = Some(comment.clone());
            } else {
                break;
            }
            count += 1;
        }
        self.placed += count;
    }

    fn same_line(&self, start: u32, end: u32) -> bool {
        !self.text[start as usize..end as usize].contains('\n')
    }
}
