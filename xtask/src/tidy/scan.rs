//! A scanner for Rust that knows just enough: what is code, what is a comment, what is a literal,
//! where tests begin and end, and where functions do. Everything keeps its byte offset and line.
//!
//! ```text
//! text      let s = "a // b"; // why
//! code      let s = "      ";
//! comments                      // why
//! ```
//! It expects code formatted by rustfmt that compiles; it never judges syntax.

use std::ops::Range;

/// A Rust file in three layers of equal length.
pub(super) struct Source {
    /// Code, with comments and the content of literals blanked.
    pub(super) code: String,
    /// Comments, with everything else blanked.
    pub(super) comments: String,
    /// `code` with test modules and other `#[cfg(test)]` items blanked too.
    pub(super) product: String,
}

impl Source {
    /// Scans a file; its path tells whether it is a test as a whole.
    pub(super) fn new(path: &str, text: &str) -> Self {
        let (code, comments) = layers(text);
        let product = if is_test(path) { blank(&code, 0..code.len()) } else { without_tests(&code) };
        Self { code, comments, product }
    }
}

/// Whether a whole file is test code: `tests.rs`, or below a folder `tests`.
pub(super) fn is_test(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/")
}

/// The line, counted from 1, of a byte offset.
pub(super) fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes()[..offset].iter().filter(|&&byte| byte == b'\n').count() + 1
}

/// Offsets where `word` stands by itself: not as a part of a longer identifier.
pub(super) fn words<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let ident = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
    let bytes = text.as_bytes();
    text.match_indices(word).map(|(at, _)| at).filter(move |&at| {
        let (first, last) = (word.as_bytes().first(), word.as_bytes().last());
        let joined_before = ident(first) && at > 0 && ident(bytes.get(at - 1));
        let joined_after = ident(last) && ident(bytes.get(at + word.len()));
        !joined_before && !joined_after
    })
}

/// An attribute, `#[…]` or `#![…]`: its offset and what stands between the brackets.
pub(super) fn attributes(code: &str) -> impl Iterator<Item = (usize, &str)> {
    code.match_indices('#').filter_map(|(at, _)| {
        let rest = code[at + 1..].strip_prefix('!').unwrap_or(&code[at + 1..]);
        let open = code.len() - rest.len();
        rest.starts_with('[').then(|| (at, &code[open + 1..(closing(code, open) - 1).max(open + 1)]))
    })
}

/// A function with a body.
#[derive(Debug, PartialEq)]
pub(super) struct Function {
    pub(super) name: String,
    pub(super) line: usize,
    /// From the line of `fn` to that of the closing brace.
    pub(super) lines: usize,
}

/// The functions of a piece of code in the order in which they begin.
pub(super) fn functions(code: &str) -> Vec<Function> {
    words(code, "fn").filter_map(|at| function(code, at)).collect()
}

fn function(code: &str, at: usize) -> Option<Function> {
    let name: String =
        code[at + 2..].trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    // Without a name it is a function pointer type.
    let open = body(code, at).filter(|_| !name.is_empty())?;
    let (line, end) = (line_of(code, at), line_of(code, closing(code, open)));
    Some(Function { name, line, lines: end - line + 1 })
}

/// The offset of the brace that opens the item beginning at `from`, unless it ends with a semicolon first.
fn body(code: &str, from: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, byte) in code.bytes().enumerate().skip(from) {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth = depth.saturating_sub(1),
            b'{' if depth == 0 => return Some(at),
            b';' if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

/// The offset after the bracket that closes the one at `open`, or the end of the text.
fn closing(code: &str, open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    code.len()
}

fn without_tests(code: &str) -> String {
    let marker = "#[cfg(test)]";
    code.match_indices(marker).fold(code.to_owned(), |product, (at, _)| {
        let end = body(code, at + marker.len()).map_or(at + marker.len(), |open| closing(code, open));
        blank(&product, at..end)
    })
}

/// Replaces a range by spaces, keeping its lines.
fn blank(text: &str, range: Range<usize>) -> String {
    let middle: String = text[range.clone()].bytes().map(|b| if b == b'\n' { '\n' } else { ' ' }).collect();
    [&text[..range.start], &middle, &text[range.end..]].concat()
}

/// What a stretch of text belongs to.
#[derive(Clone, Copy, PartialEq)]
enum Layer {
    Code,
    Comment,
    Literal,
}

/// Splits text into code and comments of the same length.
fn layers(text: &str) -> (String, String) {
    let (mut code, mut comments) = (String::with_capacity(text.len()), String::with_capacity(text.len()));
    let mut rest = text;
    while !rest.is_empty() {
        let (layer, length) = stretch(rest, code.as_bytes());
        let (piece, after) = rest.split_at(length);
        let spaces = || piece.bytes().map(|b| if b == b'\n' { '\n' } else { ' ' });
        match layer {
            Layer::Code => (code.push_str(piece), comments.extend(spaces())),
            Layer::Comment => (code.extend(spaces()), comments.push_str(piece)),
            Layer::Literal => (code.push_str(&literal(piece)), comments.extend(spaces())),
        };
        rest = after;
    }
    (code, comments)
}

/// The layer and the length of what `rest` begins with, given the code before it.
fn stretch(rest: &str, before: &[u8]) -> (Layer, usize) {
    if rest.starts_with("//") {
        (Layer::Comment, rest.find('\n').unwrap_or(rest.len()))
    } else if rest.starts_with("/*") {
        (Layer::Comment, block_comment(rest))
    } else if rest.starts_with('"') {
        (Layer::Literal, quoted(rest, '"'))
    } else if let Some(length) = raw_string(rest, before) {
        (Layer::Literal, length)
    } else if is_char(rest) {
        (Layer::Literal, quoted(rest, '\''))
    } else {
        (Layer::Code, rest.chars().next().map_or(0, char::len_utf8))
    }
}

/// Length of a block comment with those nested in it.
fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        match rest.as_bytes().get(at..at + 2) {
            Some(b"/*") => (depth, at) = (depth + 1, at + 2),
            Some(b"*/") => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

/// Length of a literal with backslash escapes, both quotes included.
fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// Length of `r"…"` or `r#"…"#`, unless the `r` ends a longer identifier than `br` and `cr`.
fn raw_string(rest: &str, before: &[u8]) -> Option<usize> {
    let hashes = rest.strip_prefix('r')?.bytes().take_while(|&b| b == b'#').count();
    let content = rest[1 + hashes..].strip_prefix('"')?;
    let ident = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let before = before.strip_suffix(b"b").or(before.strip_suffix(b"c")).unwrap_or(before);
    if before.last().is_some_and(ident) {
        return None;
    }
    let end = format!("\"{}", "#".repeat(hashes));
    let start = rest.len() - content.len();
    Some(content.find(&end).map_or(rest.len(), |at| start + at + end.len()))
}

/// Whether a single quote begins a character rather than a lifetime.
fn is_char(rest: &str) -> bool {
    let mut chars = rest.chars();
    chars.next() == Some('\'') && (chars.next() == Some('\\') || chars.next() == Some('\''))
}

/// A literal with its content blanked; its quotes stay, so that the code around it still reads as code.
fn literal(piece: &str) -> String {
    let quote = |byte: u8| byte == b'"' || byte == b'\'';
    let last = piece.len() - 1;
    let keep = |at: usize, byte: u8| byte == b'\n' || ((at == 0 || at == last) && quote(byte));
    piece.bytes().enumerate().map(|(at, byte)| if keep(at, byte) { char::from(byte) } else { ' ' }).collect()
}

#[cfg(test)]
mod tests;
