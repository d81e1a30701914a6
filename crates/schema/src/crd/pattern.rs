//! Patterns are written in Go's RE2 syntax; the `regex` crate reads nearly the same.
//!
//! Three things differ: `\d`, `\w`, `\s` and `\b` mean ASCII in Go, a `[` inside brackets is
//! itself there (unless it begins `[:alpha:]`), and `&` and `~` have no meaning inside brackets.

use std::iter::Peekable;
use std::str::Chars;

use regex::Regex;

use crate::model::Pattern;

pub(super) fn compile(source: &str) -> Result<Pattern, regex::Error> {
    let regex = Regex::new(&translate(source))?;
    Ok(Pattern { source: source.to_owned(), regex })
}

fn translate(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source.chars().peekable();
    let mut inside = false;
    while let Some(c) = rest.next() {
        match c {
            '\\' => escape(&mut out, rest.next(), inside),
            '[' if inside => bracket(&mut out, &mut rest),
            '[' => {
                inside = true;
                open(&mut out, &mut rest);
            }
            ']' => {
                inside = false;
                out.push(c);
            }
            '&' | '~' if inside => out.extend(['\\', c]),
            _ => out.push(c),
        }
    }
    out
}

fn escape(out: &mut String, escaped: Option<char>, inside: bool) {
    match escaped {
        Some('d') => out.push_str("[0-9]"),
        Some('D') => out.push_str("[^0-9]"),
        Some('w') => out.push_str("[0-9A-Za-z_]"),
        Some('W') => out.push_str("[^0-9A-Za-z_]"),
        Some('s') => out.push_str(r"[\t\n\f\r ]"),
        Some('S') => out.push_str(r"[^\t\n\f\r ]"),
        Some('b') if !inside => out.push_str(r"(?-u:\b)"),
        Some('B') if !inside => out.push_str(r"(?-u:\B)"),
        escaped => {
            out.push('\\');
            out.extend(escaped);
        }
    }
}

/// The opening of a class; a `]` right after it is an ordinary character.
fn open(out: &mut String, rest: &mut Peekable<Chars<'_>>) {
    out.push('[');
    out.extend(rest.next_if_eq(&'^'));
    if rest.next_if_eq(&']').is_some() {
        out.push_str(r"\]");
    }
}

/// A `[` within a class: `[:name:]`, or itself.
fn bracket(out: &mut String, rest: &mut Peekable<Chars<'_>>) {
    if rest.peek() != Some(&':') {
        out.push_str(r"\[");
        return;
    }
    out.push('[');
    for c in rest.by_ref() {
        out.push(c);
        if c == ']' {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_they_mean_in_go() {
        for (source, text, matches) in [
            (r"^\d+$", "12", true),
            (r"^\d+$", "١٢", false),
            (r"^[\d.]+$", "1.2", true),
            (r"^[^\d]+$", "1", false),
            (r"^[^\d]+$", "a", true),
            (r"^\w$", "é", false),
            (r"^\W$", "é", true),
            (r"^[\w-]+$", "a-b", true),
            (r"^\s$", "\u{a0}", false),
            (r"^[\S]$", "x", true),
            (r"\bfoo\b", "a foo b", true),
            (r"^[a[b]+$", "a[b", true),
            (r"^[[:alpha:]&&b]+$", "x&b", true),
            (r"^[]a]+$", "]a", true),
            (r"^[^]]$", "]", false),
            (r"^\[x\]$", "[x]", true),
            (r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "a-b", true),
            (r"^\\d$", r"\d", true),
            (r"^.$", "é", true),
        ] {
            let pattern = compile(source).unwrap_or_else(|e| panic!("{source}: {e}"));
            assert_eq!(pattern.regex.is_match(text), matches, "{source} on {text}");
        }
        assert!(compile("a)").is_err());
        assert!(compile("\\").is_err());
    }
}
