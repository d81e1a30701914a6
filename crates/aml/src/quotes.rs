//! String literals: what the text between the quotes stands for.

/// The texts of a literal cut at its expressions; `raw` are its pieces as written,
/// the first with the opening and the last with the closing quote.
///
/// # Errors
/// A sentence, if an escape is wrong.
pub(crate) fn unquote(raw: &[&str]) -> Result<Vec<String>, String> {
    let first = raw[0];
    if first.starts_with("```") {
        return Ok(vec![raw_text(&first[3..first.len() - 3])]);
    }
    if first.starts_with('`') {
        return Ok(vec![raw_text(&first[1..first.len() - 1])]);
    }
    // No source contains NUL, so it can stand for the expressions.
    let joined = cut_pieces(raw).join("\0");
    let body = if first.starts_with("\"\"\"") {
        let body = &joined[3..joined.len() - 3];
        strip_indent(&body.replace('\r', ""))
    } else {
        joined[1..joined.len() - 1].to_owned()
    };
    body.split('\0').map(|piece| unescape(piece).ok_or_else(|| bad_escape(&body))).collect()
}

/// Cuts `\(` and `)` off the pieces.
fn cut_pieces<'a>(raw: &[&'a str]) -> Vec<&'a str> {
    let last = raw.len() - 1;
    raw.iter()
        .enumerate()
        .map(|(i, piece)| {
            let start = usize::from(i > 0);
            let end = if i < last { piece.len() - 2 } else { piece.len() };
            &piece[start..end]
        })
        .collect()
}

fn bad_escape(body: &str) -> String {
    format!("invalid syntax: invalid or missing escape (\\) sequence \"{}\"", body.replace('\0', "\\(…)"))
}

fn raw_text(body: &str) -> String {
    body.replace('\r', "").replace("\\`", "`")
}

/// Takes the closing line's indent off every line, if every line has it.
fn strip_indent(body: &str) -> String {
    let lines: Vec<&str> = body.split('\n').collect();
    let (first, last) = (lines[0], lines[lines.len() - 1]);
    let framed = lines.len() > 1 && first.is_empty() && last.trim().is_empty();
    if !framed || !lines[1..].iter().all(|line| line.starts_with(last)) {
        return body.to_owned();
    }
    let inner: Vec<&str> = lines[1..lines.len() - 1].iter().map(|line| &line[last.len()..]).collect();
    inner.join("\n")
}

/// Go's escapes in an interpreted string; `None` for any other.
fn unescape(text: &str) -> Option<String> {
    if !text.contains('\\') {
        return Some(text.to_owned());
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.extend_from_slice(&rest.as_bytes()[..at]);
        rest = escape(&rest[at + 1..], &mut out)?;
    }
    out.extend_from_slice(rest.as_bytes());
    Some(String::from_utf8_lossy(&out).into_owned())
}

/// Decodes the escape after a backslash and returns what follows it.
fn escape<'a>(text: &'a str, out: &mut Vec<u8>) -> Option<&'a str> {
    let c = *text.as_bytes().first()?;
    let simple = match c {
        b'a' => 7,
        b'b' => 8,
        b't' => b'\t',
        b'n' => b'\n',
        b'v' => 11,
        b'f' => 12,
        b'r' => b'\r',
        b'\\' | b'"' => c,
        b'0'..=b'7' => {
            let code = u8::from_str_radix(text.get(..3)?, 8).ok()?;
            out.push(code);
            return text.get(3..);
        }
        b'x' => {
            let code = u8::from_str_radix(hex(text, 2)?, 16).ok()?;
            out.push(code);
            return text.get(3..);
        }
        b'u' | b'U' => {
            let length = if c == b'u' { 4 } else { 8 };
            let code = char::from_u32(u32::from_str_radix(hex(text, length)?, 16).ok()?)?;
            out.extend_from_slice(code.encode_utf8(&mut [0; 4]).as_bytes());
            return text.get(1 + length..);
        }
        _ => return None,
    };
    out.push(simple);
    text.get(1..)
}

fn hex(text: &str, length: usize) -> Option<&str> {
    text.get(1..=length).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_stand_for_texts() {
        let cases: [(&[&str], &[&str]); 12] = [
            (&[r#""a\n\t\"\\""#], &["a\n\t\"\\"]),
            (&[r#""\x41\101\u00e9\U0001F600""#], &["AAé😀"]),
            (&["\"\"\"\n  a\n   b\n  \"\"\""], &["a\n b"]),
            (&["\"\"\"\n  a\n b\n  \"\"\""], &["\n  a\n b\n  "]),
            (&["\"\"\"\n  a\n\n  b\n  \"\"\""], &["\n  a\n\n  b\n  "]),
            (&["\"\"\"a \"b\" c\"\"\""], &["a \"b\" c"]),
            (&["\"\"\"\n\"\"\""], &[""]),
            (&["\"\"\"\n  a \\(", ")\n  b\n  \"\"\""], &["a ", "\nb"]),
            (&["`a\\n\\`b`"], &["a\\n`b"]),
            (&["```\na```"], &["\na"]),
            (&["\"a\\(", ")b\\(", ")\""], &["a", "b", ""]),
            (&["\"\""], &[""]),
        ];
        for (raw, expected) in cases {
            assert_eq!(unquote(raw).unwrap(), expected, "{raw:?}");
        }
    }

    #[test]
    fn unknown_escapes_are_refused() {
        for raw in [r#""\q""#, r#""\/""#, r#""\'""#, r#""\x4""#, r#""\ud83d""#, r#""\400""#, r#""\u+123""#] {
            assert!(unquote(&[raw]).is_err(), "{raw}");
        }
    }
}
