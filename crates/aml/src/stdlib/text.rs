//! Functions on strings.

use super::{failed, string};
use crate::evaluation::expressions::to_int;
use crate::evaluation::{Evaluated, Machine};
use crate::value::Value;

fn text(machine: &mut Machine<'_>, text: impl Into<String>) -> Evaluated {
    machine.new_text(text.into()).map(Some)
}

pub(super) fn itoa(machine: &mut Machine<'_>, args: &[Value]) -> Evaluated {
    let shown = machine.show(&args[0]);
    text(machine, shown)
}

pub(super) fn atoi(_: &mut Machine<'_>, args: &[Value]) -> Evaluated {
    let digits = string(args, 0);
    let problem = |what: &str| failed(format!("strconv.Atoi: parsing \"{digits}\": {what}"));
    digits.parse::<i64>().map(|value| Some(Value::int(value))).map_err(|error| match error.kind() {
        std::num::IntErrorKind::PosOverflow | std::num::IntErrorKind::NegOverflow => {
            problem("value out of range")
        }
        _ => problem("invalid syntax"),
    })
}

pub(super) fn to_title(machine: &mut Machine<'_>, args: &[Value]) -> Evaluated {
    let content = string(args, 0);
    let mut chars = content.chars();
    let Some(first) = chars.next() else { return Ok(Some(args[0].clone())) };
    let titled = format!("{}{}", first.to_ascii_uppercase(), chars.as_str());
    text(machine, titled)
}

pub(super) fn to_upper(machine: &mut Machine<'_>, args: &[Value]) -> Evaluated {
    text(machine, string(args, 0).to_uppercase())
}

pub(super) fn to_lower(machine: &mut Machine<'_>, args: &[Value]) -> Evaluated {
    text(machine, string(args, 0).to_lowercase())
}

pub(super) fn trim(machine: &mut Machine<'_>, args: &[Value]) -> Evaluated {
    text(machine, string(args, 0).trim())
}

pub(super) fn trim_suffix(machine: &mut Machine<'_>, args: &[Value]) -> Evaluated {
    let (content, suffix) = (string(args, 0), string(args, 1));
    text(machine, content.strip_suffix(&*suffix).unwrap_or(&content))
}

pub(super) fn trim_prefix(machine: &mut Machine<'_>, args: &[Value]) -> Evaluated {
    let (content, prefix) = (string(args, 0), string(args, 1));
    text(machine, content.strip_prefix(&*prefix).unwrap_or(&content))
}

pub(super) fn starts_with(_: &mut Machine<'_>, args: &[Value]) -> Evaluated {
    Ok(Some(Value::Bool(string(args, 0).starts_with(&*string(args, 1)))))
}

pub(super) fn ends_with(_: &mut Machine<'_>, args: &[Value]) -> Evaluated {
    Ok(Some(Value::Bool(string(args, 0).ends_with(&*string(args, 1)))))
}

/// At most `limit` parts, all of them if negative, none if zero. An empty separator
/// cuts between characters.
pub(super) fn split(machine: &mut Machine<'_>, args: &[Value]) -> Evaluated {
    let (content, separator) = (string(args, 0), string(args, 1));
    let limit = match to_int(&args[2])? {
        limit if limit < 0 => usize::MAX,
        limit => usize::try_from(limit).unwrap_or(usize::MAX),
    };
    machine.charge(content.len().saturating_mul(32))?;
    let parts: Vec<Value> = if limit == 0 {
        Vec::new()
    } else if separator.is_empty() {
        let mut starts: Vec<usize> = content.char_indices().map(|(at, _)| at).take(limit).collect();
        starts.push(content.len());
        starts.windows(2).map(|pair| Value::text(&content[pair[0]..pair[1]])).collect()
    } else {
        content.splitn(limit, &*separator).map(Value::text).collect()
    };
    machine.new_list(parts).map(Some)
}

pub(super) fn cut(machine: &mut Machine<'_>, args: &[Value]) -> Evaluated {
    let (content, separator) = (string(args, 0), string(args, 1));
    let found = content.split_once(&*separator);
    let (before, after) = found.unwrap_or((&content, ""));
    let entries = vec![
        ("after".into(), Value::text(after)),
        ("before".into(), Value::text(before)),
        ("found".into(), Value::Bool(found.is_some())),
    ];
    machine.object_of(entries).map(Some)
}

pub(super) fn join(machine: &mut Machine<'_>, args: &[Value]) -> Evaluated {
    let Value::List(list) = &args[0] else { return Ok(None) };
    let list = machine.list(*list);
    let separator = string(args, 1);
    let mut out = String::new();
    for (index, item) in list.iter().enumerate() {
        if index > 0 {
            out.push_str(&separator);
        }
        match item.clone().plain() {
            Value::Text(part) => out.push_str(&part),
            other => return Err(failed(format!("expected kind string but got kind {}", other.kind()))),
        }
        machine.charge(separator.len() + 1)?;
    }
    text(machine, out)
}

/// Replaces the first `count` occurrences, all of them if negative. An empty `old`
/// stands before every character and at the end.
pub(super) fn replace(machine: &mut Machine<'_>, args: &[Value]) -> Evaluated {
    let (content, old, new) = (string(args, 0), string(args, 1), string(args, 2));
    let count = match to_int(&args[3])? {
        count if count < 0 => usize::MAX,
        count => usize::try_from(count).unwrap_or(usize::MAX),
    };
    let found = content.matches(&*old).take(count).count();
    machine.charge(content.len().saturating_add(found.saturating_mul(new.len())))?;
    text(machine, content.replacen(&*old, &new, count))
}
