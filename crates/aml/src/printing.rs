//! JSON as the original tool prints it: sorted keys, two blanks of indent, numbers
//! as written, and `<`, `>`, `&` escaped.

use std::fmt::Write as _;

/// A finished value.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// The digits of a number.
    Number(String),
    /// A text.
    String(String),
    /// A list.
    Array(Vec<Json>),
    /// Keys and values in the order they are printed.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Several lines with two blanks of indent, without a final line end.
    #[must_use]
    pub fn pretty(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, Some(0));
        out
    }

    /// One line without blanks.
    #[must_use]
    pub fn compact(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, None);
        out
    }

    /// The value of a key of an object.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Json> {
        match self {
            Self::Object(entries) => entries.iter().find(|(k, _)| k == key).map(|(_, v)| v),
            _ => None,
        }
    }

    fn write(&self, out: &mut String, indent: Option<usize>) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => {
                let _ = write!(out, "{value}");
            }
            Self::Number(digits) => out.push_str(digits),
            Self::String(text) => quote(out, text),
            Self::Array(items) => {
                let entries = items.iter().map(|item| (None, item));
                write_nested(out, indent, ['[', ']'], entries);
            }
            Self::Object(entries) => {
                let entries = entries.iter().map(|(key, value)| (Some(key.as_str()), value));
                write_nested(out, indent, ['{', '}'], entries);
            }
        }
    }

    /// The value as Go's `fmt` prints it, which is what `\(…)` puts into a string.
    pub(crate) fn go_text(&self) -> String {
        match self {
            Self::Null => "<nil>".into(),
            Self::Bool(value) => value.to_string(),
            Self::Number(text) | Self::String(text) => text.clone(),
            Self::Array(items) => {
                let items: Vec<String> = items.iter().map(Self::go_text).collect();
                format!("[{}]", items.join(" "))
            }
            Self::Object(entries) => {
                let entries: Vec<String> =
                    entries.iter().map(|(k, v)| format!("{k}:{}", v.go_text())).collect();
                format!("map[{}]", entries.join(" "))
            }
        }
    }
}

fn write_nested<'j>(
    out: &mut String,
    indent: Option<usize>,
    [open, close]: [char; 2],
    entries: impl ExactSizeIterator<Item = (Option<&'j str>, &'j Json)>,
) {
    let inner = indent.map(|i| i + 1);
    let empty = entries.len() == 0;
    out.push(open);
    for (index, (key, value)) in entries.enumerate() {
        if index > 0 {
            out.push(',');
        }
        new_line(out, inner);
        if let Some(key) = key {
            quote(out, key);
            out.push_str(if indent.is_some() { ": " } else { ":" });
        }
        value.write(out, inner);
    }
    if !empty {
        new_line(out, indent);
    }
    out.push(close);
}

fn new_line(out: &mut String, indent: Option<usize>) {
    if let Some(depth) = indent {
        out.push('\n');
        for _ in 0..depth {
            out.push_str("  ");
        }
    }
}

/// A JSON string as Go's encoder writes it.
fn quote(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0'..='\u{1f}' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

impl From<&serde_json::Value> for Json {
    fn from(value: &serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(value) => Self::Bool(*value),
            serde_json::Value::Number(number) => Self::Number(number.to_string()),
            serde_json::Value::String(text) => Self::String(text.clone()),
            serde_json::Value::Array(items) => Self::Array(items.iter().map(Self::from).collect()),
            serde_json::Value::Object(map) => {
                let mut entries: Vec<_> = map.iter().map(|(k, v)| (k.clone(), Self::from(v))).collect();
                entries.sort_by(|(a, _), (b, _)| a.cmp(b));
                Self::Object(entries)
            }
        }
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_escaped_as_the_original_does() {
        let text = Json::String("a\"\\\n\t\u{1}<&>\u{2028}é".into());
        assert_eq!(text.compact(), r#""a\"\\\n\t\u0001\u003c\u0026\u003e\u2028é""#);
    }

    #[test]
    fn empty_containers_stay_on_one_line() {
        let value = Json::Object(vec![("a".into(), Json::Array(vec![])), ("b".into(), Json::Object(vec![]))]);
        assert_eq!(value.pretty(), "{\n  \"a\": [],\n  \"b\": {}\n}");
    }
}
