//! Functions on slash-separated paths, as Go's `path` package does them.

use super::{failed, string};
use crate::evaluation::{Evaluated, Machine};
use crate::value::Value;

pub(super) fn file_ext(machine: &mut Machine<'_>, args: &[Value]) -> Evaluated {
    let path = string(args, 0);
    let name = path.rsplit('/').next().unwrap_or_default();
    machine.new_text(name.rfind('.').map_or("", |at| &name[at..]).to_owned()).map(Some)
}

pub(super) fn basename(machine: &mut Machine<'_>, args: &[Value]) -> Evaluated {
    machine.new_text(base(&string(args, 0)).to_owned()).map(Some)
}

fn base(path: &str) -> &str {
    if path.is_empty() {
        return ".";
    }
    match path.trim_end_matches('/').rsplit('/').next() {
        Some("") | None => "/",
        Some(name) => name,
    }
}

pub(super) fn dirname(machine: &mut Machine<'_>, args: &[Value]) -> Evaluated {
    let path = string(args, 0);
    let directory = path.rfind('/').map_or("", |at| &path[..=at]);
    machine.new_text(clean(directory)).map(Some)
}

pub(super) fn path_join(machine: &mut Machine<'_>, args: &[Value]) -> Evaluated {
    if &*string(args, 1) != "/" {
        return Err(failed("only / separator is currently supported"));
    }
    let Value::List(list) = &args[0] else { return Ok(None) };
    let mut parts = Vec::new();
    for item in machine.list(*list).iter() {
        match item.clone().plain() {
            Value::Text(part) if part.is_empty() => {}
            Value::Text(part) => parts.push(part.to_string()),
            other => return Err(failed(format!("expected kind string, got incompatible {}", other.kind()))),
        }
    }
    let joined = if parts.is_empty() { String::new() } else { clean(&parts.join("/")) };
    machine.new_text(joined).map(Some)
}

/// The shortest path that means the same.
fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut out: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if out.last().is_some_and(|last| *last != "..") => {
                out.pop();
            }
            ".." if rooted => {}
            part => out.push(part),
        }
    }
    match (rooted, out.join("/")) {
        (true, joined) => format!("/{joined}"),
        (false, joined) if joined.is_empty() => ".".into(),
        (false, joined) => joined,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn paths_are_cleaned_as_go_does() {
        let cases =
            [("", "."), ("a//b", "a/b"), ("/../a", "/a"), ("a/../..", ".."), ("./a/.", "a"), ("/", "/")];
        for (path, expected) in cases {
            assert_eq!(super::clean(path), expected, "{path}");
        }
        for (path, expected) in [("", "."), ("/", "/"), ("a/b/", "b"), ("b", "b")] {
            assert_eq!(super::base(path), expected, "{path}");
        }
    }
}
