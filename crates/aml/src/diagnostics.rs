//! What is wrong, where, and what to write instead.
//!
//! ```text
//! Diagnostic ── message       what a person reads first
//!            ── plain         the original tool's sentence, for `plain_line`
//!            ── place         where; `trace` says how evaluation got there
//!            ── hint          what to write instead
//!            ── related       other places that matter
//! ```
//! A diagnostic holds everything it needs to be shown; it never points back into
//! a source.

use crate::source::{Place, Sources, Span};
use std::fmt::Write as _;

/// The kind of a problem, stable for tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Code {
    /// The text is not AML.
    Syntax,
    /// A name or key does not exist.
    KeyNotFound,
    /// Two definitions of one key do not agree.
    Conflict,
    /// An operation got a kind of value it has no meaning for.
    Kind,
    /// An index or slice is outside of its list or string.
    Bounds,
    /// A value does not fit its schema.
    Schema,
    /// A schema makes no sense in itself.
    BadSchema,
    /// A call got wrong arguments.
    Arguments,
    /// A built-in function could not do its work.
    Function,
    /// The document itself called `std.error`.
    Thrown,
    /// Something grew beyond a limit.
    Limit,
    /// A file could not be read.
    File,
    /// The command line is wrong.
    Usage,
    /// The document has no value to print.
    NoOutput,
}

impl Code {
    /// The name of the code in JSON and in rendered diagnostics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Syntax => "syntax",
            Self::KeyNotFound => "key-not-found",
            Self::Conflict => "conflict",
            Self::Kind => "kind",
            Self::Bounds => "bounds",
            Self::Schema => "schema",
            Self::BadSchema => "bad-schema",
            Self::Arguments => "arguments",
            Self::Function => "function",
            Self::Thrown => "error",
            Self::Limit => "limit",
            Self::File => "file",
            Self::Usage => "usage",
            Self::NoOutput => "no-output",
        }
    }
}

/// Another place that explains a diagnostic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Related {
    /// Where.
    pub place: Place,
    /// What is there.
    pub message: String,
}

/// One problem, complete in itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The kind of the problem.
    pub code: Code,
    /// The problem in one sentence.
    pub message: String,
    /// The sentence the original tool prints for the same problem, without place.
    pub plain: String,
    /// Where the problem is.
    pub place: Option<Place>,
    /// Where the original says the problem is.
    pub plain_place: Option<Place>,
    /// The places evaluation came through, innermost first.
    pub trace: Vec<Place>,
    /// What to do about it.
    pub hint: Option<String>,
    /// Other places that matter.
    pub related: Vec<Related>,
}

impl Diagnostic {
    /// A diagnostic without a place, such as one about the command line.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            code,
            plain: message.clone(),
            message,
            place: None,
            plain_place: None,
            trace: Vec::new(),
            hint: None,
            related: Vec::new(),
        }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint;
        self
    }

    /// The original's one-line form: `message: file:line:col (innermost<-…<-outermost)`.
    #[must_use]
    pub fn plain_line(&self) -> String {
        let Some(place) = &self.plain_place else { return self.plain.clone() };
        let mut out = format!("{}: {place}", self.plain);
        if self.trace.len() > 1 {
            let _ = write!(out, " ({})", backtrace(&self.trace));
        }
        out
    }

    /// The form for people: message, source line with a marker, hint.
    #[must_use]
    pub fn render(&self) -> String {
        let mut out = format!("error[{}]: {}\n", self.code.name(), self.message);
        if let Some(place) = &self.place {
            render_place(&mut out, place, "");
        }
        for related in &self.related {
            render_place(&mut out, &related.place, &related.message);
        }
        let came_from = self.trace.iter().filter(|p| Some(*p) != self.place.as_ref()).collect::<Vec<_>>();
        for place in dedup(&came_from) {
            let _ = writeln!(out, "  = from {place}");
        }
        if let Some(hint) = &self.hint {
            let _ = writeln!(out, "  = hint: {hint}");
        }
        out
    }

    /// The form for editors: one JSON object without line breaks.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "code": self.code.name(),
            "severity": "error",
            "message": self.message,
            "plain": self.plain_line(),
            "hint": self.hint,
            "place": self.place.as_ref().map(place_json),
            "trace": self.trace.iter().map(place_json).collect::<Vec<_>>(),
            "related": self.related.iter().map(|r| {
                serde_json::json!({ "message": r.message, "place": place_json(&r.place) })
            }).collect::<Vec<_>>(),
        })
    }
}

impl std::fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.plain_line())
    }
}

impl std::error::Error for Diagnostic {}

fn dedup<'a>(places: &[&'a Place]) -> Vec<&'a Place> {
    let mut out: Vec<&Place> = Vec::new();
    for place in places {
        if !out.contains(place) {
            out.push(place);
        }
    }
    out.truncate(5);
    out
}

fn place_json(place: &Place) -> serde_json::Value {
    serde_json::json!({
        "file": place.file, "offset": place.offset,
        "line": place.line, "column": place.column,
        "endLine": place.end_line, "endColumn": place.end_column,
    })
}

fn backtrace(trace: &[Place]) -> String {
    let mut last = &trace[0];
    let mut out = format!("{}:{}", last.line, last.column);
    for next in trace {
        if next == last {
            continue;
        }
        out.push_str("<-");
        if next.file != last.file {
            let _ = write!(out, "{}:", next.file);
        }
        let _ = write!(out, "{}:{}", next.line, next.column);
        last = next;
    }
    out
}

fn render_place(out: &mut String, place: &Place, label: &str) {
    let gutter = place.line.to_string();
    let pad = " ".repeat(gutter.len());
    let marker = marker(place);
    let _ = writeln!(out, "{pad}--> {place}");
    let _ =
        writeln!(out, "{pad} |\n{gutter} | {}\n{pad} | {marker} {label}", place.text.replace('\t', "    "));
    while out.ends_with([' ', '\n']) {
        out.pop();
    }
    out.push('\n');
}

/// Blanks up to the column, then one caret per character of the span's first line.
fn marker(place: &Place) -> String {
    let width = |text: &str| text.chars().map(|c| if c == '\t' { 4 } else { 1 }).sum::<usize>();
    let cut = |column: usize| {
        let mut end = (column - 1).min(place.text.len());
        while !place.text.is_char_boundary(end) {
            end -= 1;
        }
        end
    };
    let start = cut(place.column);
    let end = if place.end_line == place.line { cut(place.end_column).max(start) } else { place.text.len() };
    format!(
        "{}{}",
        " ".repeat(width(&place.text[..start])),
        "^".repeat(width(&place.text[start..end]).max(1))
    )
}

/// The candidate nearest to what was written, if it is near enough to be meant.
pub(crate) fn nearest<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = written.chars().count() / 3;
    candidates
        .into_iter()
        .filter(|c| *c != written)
        .map(|c| (distance(written, c, limit), c))
        .filter(|(d, _)| *d <= limit)
        .min()
        .map(|(_, c)| c)
}

/// "did you mean …?" for the nearest candidate.
pub(crate) fn did_you_mean<'a>(
    written: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    nearest(written, candidates).map(|c| format!("did you mean \"{c}\"?"))
}

/// Edits (insert, delete, replace, swap of neighbours) between two words, where
/// case is half free; gives up above `limit`.
fn distance(a: &str, b: &str, limit: usize) -> usize {
    let a: Vec<char> = a.chars().flat_map(char::to_lowercase).collect();
    let b: Vec<char> = b.chars().flat_map(char::to_lowercase).collect();
    if a.len().abs_diff(b.len()) > limit || a.len() > 100 {
        return usize::MAX;
    }
    let mut rows = vec![(0..=b.len()).collect::<Vec<_>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let change = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (rows[i - 1][j] + 1).min(row[j - 1] + 1).min(rows[i - 1][j - 1] + change);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

/// A problem found while parsing or evaluating, with spans instead of places.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) code: Code,
    pub(crate) severity: Severity,
    /// The original's sentence.
    pub(crate) plain: String,
    /// A better sentence, where there is one.
    pub(crate) better: Option<String>,
    pub(crate) hint: Option<String>,
    /// Where it is; the first position given wins, being the innermost.
    pub(crate) at: Option<Span>,
    /// A better place to point at than `at`.
    pub(crate) focus: Option<Span>,
    /// Every position on the way out, innermost first.
    pub(crate) trace: Vec<Span>,
    pub(crate) related: Vec<(Span, String)>,
    /// Number of the value that `std.error` was called with.
    pub(crate) thrown: Option<u32>,
}

/// Whether evaluation may go on without the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Severity {
    /// The value is not defined; that matters only if it is needed.
    Undefined,
    /// Evaluation must stop.
    Error,
}

pub(crate) type FaultBox = Box<Fault>;

impl Fault {
    pub(crate) fn new(code: Code, plain: impl Into<String>) -> FaultBox {
        Box::new(Self {
            code,
            severity: Severity::Error,
            plain: plain.into(),
            better: None,
            hint: None,
            at: None,
            focus: None,
            trace: Vec::new(),
            related: Vec::new(),
            thrown: None,
        })
    }

    pub(crate) fn undefined(plain: impl Into<String>, at: Span) -> FaultBox {
        let mut fault = Self::new(Code::KeyNotFound, plain);
        fault.severity = Severity::Undefined;
        fault.at = Some(at).filter(|s| s.is_some());
        fault.trace = fault.at.into_iter().collect();
        fault
    }

    pub(crate) fn is_undefined(&self) -> bool {
        self.severity == Severity::Undefined
    }

    /// Notes a position on the way out. An undefined value is not an error yet and
    /// keeps only where it was looked for.
    pub(crate) fn at(mut self: Box<Self>, span: Span) -> FaultBox {
        if span.is_some() && !self.is_undefined() {
            self.at.get_or_insert(span);
            self.trace.push(span);
        }
        self
    }

    /// Puts words before the message, unless an inner position already fixed it.
    pub(crate) fn prefixed(mut self: Box<Self>, prefix: &str) -> FaultBox {
        if self.at.is_none() && !self.is_undefined() {
            self.plain = format!("{prefix}{}", self.plain);
            self.better = self.better.map(|b| format!("{prefix}{b}"));
        }
        self
    }

    pub(crate) fn hinted(mut self: Box<Self>, hint: Option<String>) -> FaultBox {
        self.hint = self.hint.or(hint);
        self
    }

    /// The diagnostic this fault is, with places looked up in `sources`.
    pub(crate) fn diagnose(mut self, sources: &[&Sources]) -> Diagnostic {
        if self.plain.is_empty() {
            self.plain = "value is defined by itself".into();
        }
        let place = |span: Span| sources.iter().find_map(|s| s.place(span));
        Diagnostic {
            code: self.code,
            message: self.better.unwrap_or_else(|| self.plain.clone()),
            plain: self.plain,
            place: self.focus.or(self.at).and_then(place),
            plain_place: self.at.and_then(place),
            trace: self.trace.into_iter().filter_map(place).collect(),
            hint: self.hint,
            related: self
                .related
                .into_iter()
                .filter_map(|(span, message)| Some(Related { place: place(span)?, message }))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_finds_what_was_meant() {
        for (written, candidates, expected) in [
            ("imgae", vec!["image", "build"], Some("image")),
            ("comand", vec!["command", "cmd"], Some("command")),
            ("xyz", vec!["image"], None),
            ("Ports", vec!["ports"], Some("ports")),
        ] {
            assert_eq!(nearest(written, candidates), expected, "{written}");
        }
    }

    #[test]
    fn backtrace_repeats_no_place_and_names_a_new_file() {
        let place = |file: &str, line| Place { file: file.into(), line, column: 1, ..Place::default() };
        let mut diagnostic = Diagnostic::new(Code::Kind, "m");
        diagnostic.plain_place = Some(place("a", 1));
        diagnostic.trace = vec![place("a", 1), place("a", 1), place("a", 2), place("b", 3)];
        assert_eq!(diagnostic.plain_line(), "m: a:1:1 (1:1<-2:1<-b:3:1)");
    }
}
