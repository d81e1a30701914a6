//! Go's regular expressions (RE2 syntax) on Rust's engine.
//!
//! Both are linear-time and mostly alike. What differs is translated: classes like
//! `\d` and `\b` are ASCII in Go, `\Q…\E` quotes, and inside of `[…]` only `\`, `]`,
//! `^` and `-` are special.

/// The most memory a compiled pattern and its caches may take.
pub(crate) const MAX_BYTES: usize = 256 << 10;

/// Compiles a pattern as Go's `regexp.Compile` would read it.
///
/// # Errors
/// The sentence of the original, with the reason in our engine's words.
pub(crate) fn compile(pattern: &str) -> Result<regex::Regex, String> {
    let translated = translate(pattern);
    regex::RegexBuilder::new(&translated)
        .size_limit(MAX_BYTES / 2)
        .dfa_size_limit(MAX_BYTES / 2)
        .nest_limit(100)
        .build()
        .map_err(|error| format!("error parsing regexp: {}: `{pattern}`", reason(&error)))
}

fn reason(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(_) => "expression too large".into(),
        other => {
            let text = other.to_string();
            let last = text.lines().last().unwrap_or_default();
            last.trim_start_matches("error: ").to_owned()
        }
    }
}

fn translate(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        rest = match c {
            '\\' => escape(rest, &mut out),
            '[' => class(rest, &mut out),
            '{' if !is_repetition(rest) => {
                out.push_str("\\{");
                &rest[1..]
            }
            _ => {
                out.push(c);
                &rest[c.len_utf8()..]
            }
        };
    }
    out
}

/// `{2}`, `{2,}` or `{2,3}`.
fn is_repetition(text: &str) -> bool {
    let Some(end) = text.find('}') else { return false };
    let (low, high) = text[1..end].split_once(',').unwrap_or((&text[1..end], ""));
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    !low.is_empty() && digits(low) && digits(high)
}

/// Translates the escape at the start of `text` and returns what follows.
fn escape<'a>(text: &'a str, out: &mut String) -> &'a str {
    let Some(c) = text[1..].chars().next() else {
        out.push('\\');
        return "";
    };
    let after = &text[1 + c.len_utf8()..];
    match c {
        'Q' => {
            let end = after.find("\\E").unwrap_or(after.len());
            out.push_str(&regex::escape(&after[..end]));
            return after.get(end + 2..).unwrap_or("");
        }
        'd' => out.push_str("[0-9]"),
        'D' => out.push_str("[^0-9]"),
        's' => out.push_str("[\\t\\n\\f\\r ]"),
        'S' => out.push_str("[^\\t\\n\\f\\r ]"),
        'w' => out.push_str("[0-9A-Za-z_]"),
        'W' => out.push_str("[^0-9A-Za-z_]"),
        'b' => out.push_str("(?-u:\\b)"),
        _ => {
            out.push('\\');
            out.push(c);
        }
    }
    after
}

/// Translates the `[…]` at the start of `text` and returns what follows.
fn class<'a>(text: &'a str, out: &mut String) -> &'a str {
    out.push('[');
    let mut rest = &text[1..];
    if let Some(negated) = rest.strip_prefix('^') {
        out.push('^');
        rest = negated;
    }
    if let Some(after) = rest.strip_prefix(']') {
        out.push_str("\\]");
        rest = after;
    }
    while let Some(c) = rest.chars().next() {
        if let Some(end) = rest.strip_prefix("[:").and_then(|r| r.find(":]")) {
            out.push_str(&rest[..end + 4]);
            rest = &rest[end + 4..];
            continue;
        }
        rest = &rest[c.len_utf8()..];
        match c {
            ']' => {
                out.push(']');
                return rest;
            }
            '\\' => rest = class_escape(rest, out),
            '[' | '&' | '~' => {
                out.push('\\');
                out.push(c);
            }
            '-' if rest.starts_with('-') => out.push_str("\\-"),
            _ => out.push(c),
        }
    }
    rest
}

fn class_escape<'a>(rest: &'a str, out: &mut String) -> &'a str {
    let Some(c) = rest.chars().next() else {
        out.push('\\');
        return "";
    };
    match c {
        'd' => out.push_str("0-9"),
        'w' => out.push_str("0-9A-Za-z_"),
        's' => out.push_str("\\t\\n\\f\\r "),
        'D' => out.push_str("[^0-9]"),
        'W' => out.push_str("[^0-9A-Za-z_]"),
        'S' => out.push_str("[^\\t\\n\\f\\r ]"),
        _ => {
            out.push('\\');
            out.push(c);
        }
    }
    &rest[c.len_utf8()..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_they_mean_in_go() {
        let cases = [
            ("^[a-z][-a-z0-9]*$", "web-1", true),
            ("b", "abc", true),
            ("^\\d+$", "٣", false),
            ("\\Qa.b\\E", "a.b", true),
            ("\\Qa.b\\E", "axb", false),
            ("[[a]", "[", true),
            ("[a&&b]", "&", true),
            ("a{,2}", "a{,2}", true),
            ("x{2}", "xx", true),
            ("[[:digit:]]", "5", true),
            ("(?P<n>a)", "a", true),
            ("[]a]", "]", true),
            ("(?i)ABC", "abc", true),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(compile(pattern).unwrap().is_match(text), expected, "{pattern} on {text}");
        }
        for pattern in ["(", "*", "[z-a]", "(?=a)"] {
            assert!(compile(pattern).unwrap_err().starts_with("error parsing regexp: "), "{pattern}");
        }
    }
}
