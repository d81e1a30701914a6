//! YAML: read by serde-saphyr, written in the style of Go's `yaml.v3`.

use super::{failed, string};
use crate::evaluation::{Evaluated, Machine};
use crate::printing::Json;
use crate::value::Value;

/// Reads a YAML text.
///
/// # Errors
/// A sentence, if it is no YAML.
pub(crate) fn parse(text: &str) -> Result<Json, String> {
    // As yaml.v3 does, only true and false are booleans where any kind may stand.
    let options = serde_saphyr::options! { strict_booleans: true };
    let value: serde_json::Value = serde_saphyr::from_str_with_options(text, options)
        .map_err(|error| format!("yaml: {}", first_line(&error.to_string())))?;
    Ok(Json::from(&value))
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

pub(super) fn from_yaml(machine: &mut Machine<'_>, args: &[Value]) -> Evaluated {
    let content = string(args, 0);
    machine.charge(content.len().saturating_mul(16))?;
    let json = parse(&content).map_err(failed)?;
    machine.value_of(&json).map(Some)
}

pub(super) fn to_yaml(machine: &mut Machine<'_>, args: &[Value]) -> Evaluated {
    let Some(json) = machine.json_of(&args[0])? else { return Ok(None) };
    let mut out = String::new();
    write(&mut out, &json, 0);
    machine.new_text(out).map(Some)
}

fn spaces(out: &mut String, indent: usize) {
    out.extend(std::iter::repeat_n(' ', indent));
}

/// Writes a value from the start of a line that is indented already.
fn write(out: &mut String, value: &Json, indent: usize) {
    match value {
        Json::Object(entries) if !entries.is_empty() => {
            for (index, (key, value)) in entries.iter().enumerate() {
                if index > 0 {
                    spaces(out, indent);
                }
                out.push_str(&scalar(key, 0));
                out.push(':');
                write_after_key(out, value, indent);
            }
        }
        Json::Array(items) if !items.is_empty() => {
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    spaces(out, indent);
                }
                out.push_str("- ");
                write(out, item, indent + 2);
            }
        }
        leaf => {
            out.push_str(&leaf_text(leaf, indent));
            out.push('\n');
        }
    }
}

fn write_after_key(out: &mut String, value: &Json, indent: usize) {
    let nested = match value {
        Json::Object(entries) => !entries.is_empty(),
        Json::Array(items) => !items.is_empty(),
        _ => false,
    };
    if nested {
        out.push('\n');
        spaces(out, indent + 4);
        write(out, value, indent + 4);
    } else {
        out.push(' ');
        out.push_str(&leaf_text(value, indent + 4));
        out.push('\n');
    }
}

fn leaf_text(value: &Json, indent: usize) -> String {
    match value {
        Json::Null => "null".into(),
        Json::Bool(value) => value.to_string(),
        Json::Number(digits) => digits.clone(),
        Json::String(text) => scalar(text, indent),
        Json::Array(_) => "[]".into(),
        Json::Object(_) => "{}".into(),
    }
}

/// A string in the plainest style that reads back as the same string.
fn scalar(text: &str, indent: usize) -> String {
    if looks_like_another_type(text) {
        return format!("\"{text}\"");
    }
    if text.contains(|c: char| c.is_control() && c != '\n') {
        return Json::String(text.to_owned()).compact();
    }
    if text.contains('\n') {
        return if indent == 0 { Json::String(text.to_owned()).compact() } else { block(text, indent) };
    }
    let special = text.starts_with([
        '-', '?', ':', ',', '[', ']', '{', '}', '#', '&', '*', '!', '|', '>', '\'', '"', '%', '@', '`', ' ',
    ]) && !(text.starts_with(['-', '?', ':']) && text.len() > 1 && !text[1..].starts_with(' '));
    if special || text.ends_with([' ', ':']) || text.contains(": ") || text.contains(" #") {
        return format!("'{}'", text.replace('\'', "''"));
    }
    text.to_owned()
}

/// The literal block style, with the mark for how many line ends follow it.
fn block(text: &str, indent: usize) -> String {
    let body = text.strip_suffix('\n').unwrap_or(text);
    let mark = match text.len() - text.trim_end_matches('\n').len() {
        0 => "|-",
        1 => "|",
        _ => "|+",
    };
    let hint = if body.starts_with([' ', '\n']) { "4" } else { "" };
    let mut out = format!("{}{hint}{}", &mark[..1], &mark[1..]);
    for line in body.split('\n') {
        out.push('\n');
        if !line.is_empty() {
            spaces(&mut out, indent);
            out.push_str(line);
        }
    }
    out
}

fn looks_like_another_type(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let word = matches!(
        lower.as_str(),
        "" | "~"
            | "null"
            | "true"
            | "false"
            | "yes"
            | "no"
            | "on"
            | "off"
            | "y"
            | "n"
            | ".nan"
            | ".inf"
            | "-.inf"
            | "+.inf"
            | "<<"
    );
    let numeric = lower.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.'))
        && (lower.replace('_', "").parse::<f64>().is_ok()
            || ["0x", "0o", "0b"].iter().any(|p| lower.starts_with(p))
            || is_date(&lower));
    word || numeric
}

fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 10
        && bytes[..10]
            .iter()
            .enumerate()
            .all(|(i, b)| if i == 4 || i == 7 { *b == b'-' } else { b.is_ascii_digit() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_yaml_reads_back_as_the_same() {
        let text = r##"{"a":{"b":[1,"true","x: y",{"c":null,"d":[]}],"e":"l1\nl2\n"},"f":"- x","g":"2024-01-01","h":"#x"}"##;
        let value: serde_json::Value = serde_json::from_str(text).unwrap();
        let json = Json::from(&value);
        let mut out = String::new();
        write(&mut out, &json, 0);
        assert_eq!(parse(&out).unwrap(), json, "{out}");
        assert!(
            out.starts_with(
                "a:\n    b:\n        - 1\n        - \"true\"\n        - 'x: y'\n        - c: null\n"
            ),
            "{out}"
        );
    }
}
