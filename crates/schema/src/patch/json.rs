//! JSON patch (RFC 6902), with what Kubernetes adds: array indices from the end (`-1`), and limits.

use std::io;
use std::mem;

use serde_json::{Map, Value};

use super::{COPY_MAX, OPERATIONS_MAX, PatchError, go_name};
use crate::decode::{self, DEPTH_MAX, Decoded, Shape};
use crate::quote::Quoted;

/// A parsed JSON patch.
#[derive(Clone, Debug)]
pub struct JsonPatch {
    operations: Vec<Operation>,
    issues: Vec<String>,
}

#[derive(Clone, Debug)]
struct Operation {
    kind: String,
    path: Option<Pointer>,
    from: Option<Pointer>,
    value: Option<Value>,
}

/// A JSON pointer (RFC 6901): its text, and its unescaped tokens unless the text is no pointer.
#[derive(Clone, Debug)]
struct Pointer {
    text: String,
    tokens: Option<Vec<String>>,
}

impl Pointer {
    fn parse(text: String) -> Self {
        let unescape = |token: &str| token.replace("~1", "/").replace("~0", "~");
        let tokens = match text.strip_prefix('/') {
            Some(rest) => Some(rest.split('/').map(unescape).collect()),
            None if text.is_empty() => Some(Vec::new()),
            None => None,
        };
        Self { text, tokens }
    }
}

impl JsonPatch {
    /// Reads a JSON patch.
    ///
    /// # Errors
    /// [`PatchError::Malformed`] when the body is not an array of objects with string members, and
    /// [`PatchError::TooManyOperations`]. An unknown `op` or a missing path is an error of [`Self::apply`].
    pub fn parse(body: &[u8]) -> Result<Self, PatchError> {
        let Decoded { value, issues } =
            decode::json(body, Shape::Any).map_err(|e| malformed(&e.to_string()))?;
        let items = match value {
            Value::Array(items) => items,
            Value::Null => Vec::new(),
            other => return Err(mismatch(&other, "value of type []handlers.jsonPatchOp")),
        };
        if items.len() > OPERATIONS_MAX {
            return Err(PatchError::TooManyOperations(items.len()));
        }
        let mut issues: Vec<String> = issues.iter().map(|issue| format!("json patch {issue}")).collect();
        let read = |(index, item)| operation(index, item, &mut issues);
        let operations = items.into_iter().enumerate().map(read).collect::<Result<_, _>>()?;
        Ok(Self { operations, issues })
    }

    /// Unknown and duplicate fields of the patch itself, as texts for `fieldValidation`.
    pub fn issues(&self) -> &[String] {
        &self.issues
    }

    /// Applies all operations in order, or none.
    ///
    /// # Errors
    /// [`PatchError::Rejected`] at the first operation that does not apply.
    pub fn apply(&self, current: Value) -> Result<Value, PatchError> {
        let mut document = Document { root: current, copied: 0 };
        for operation in &self.operations {
            document.run(operation).map_err(PatchError::Rejected)?;
        }
        if !document.root.is_object() {
            return Err(PatchError::Rejected("the patched document is not an object".to_owned()));
        }
        Ok(document.root)
    }
}

fn malformed(text: &str) -> PatchError {
    PatchError::Malformed(format!("error decoding patch: {text}"))
}

fn mismatch(found: &Value, place: &str) -> PatchError {
    malformed(&format!("json: cannot unmarshal {} into Go {place}", go_name(found)))
}

fn operation(index: usize, item: Value, issues: &mut Vec<String>) -> Result<Operation, PatchError> {
    let mut members = match item {
        Value::Object(members) => members,
        other => return Err(mismatch(&other, "value of type handlers.jsonPatchOp")),
    };
    let unknown = members.keys().filter(|name| !matches!(name.as_str(), "op" | "path" | "from" | "value"));
    issues.extend(
        unknown.map(|name| format!("json patch unknown field {}", Quoted(&format!("[{index}].{name}")))),
    );
    Ok(Operation {
        kind: text(&mut members, "op")?.unwrap_or_default(),
        path: text(&mut members, "path")?.map(Pointer::parse),
        from: text(&mut members, "from")?.map(Pointer::parse),
        value: members.remove("value"),
    })
}

fn text(members: &mut Map<String, Value>, name: &str) -> Result<Option<String>, PatchError> {
    match members.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(mismatch(&other, &format!("struct field jsonPatchOp.{name} of type string"))),
    }
}

/// The document while operations run on it.
struct Document {
    root: Value,
    /// Bytes added by `copy` so far.
    copied: usize,
}

impl Document {
    fn run(&mut self, operation: &Operation) -> Result<(), String> {
        let path = tokens(operation.path.as_ref(), "path")?;
        let missing = || {
            format!("{} operation does not apply: doc is missing {}", operation.kind, show(&operation.path))
        };
        let value = || operation.value.clone().ok_or_else(|| format!("{} has no value", operation.kind));
        match operation.kind.as_str() {
            "add" => self.add(path, value()?)?.ok_or_else(missing),
            "replace" => self.replace(path, value()?)?.ok_or_else(missing),
            "remove" => self.remove(path).map(drop).ok_or_else(missing),
            "move" => {
                let from = tokens(operation.from.as_ref(), "from")?;
                let value = self.remove(from).ok_or_else(missing)?;
                self.add(path, value)?.ok_or_else(missing)
            }
            "copy" => {
                let value = self.copy(tokens(operation.from.as_ref(), "from")?)?.ok_or_else(missing)?;
                self.add(path, value)?.ok_or_else(missing)
            }
            "test" => {
                let expected = operation.value.as_ref().unwrap_or(&Value::Null);
                let found = find(&mut self.root, path).map_or(&Value::Null, |value| value);
                if found == expected {
                    Ok(())
                } else {
                    Err(format!("testing value {} failed", show(&operation.path)))
                }
            }
            other => Err(format!("Unexpected kind: {other}")),
        }
    }

    /// `None` when the place's parent is missing.
    fn add(&mut self, path: &[String], value: Value) -> Result<Option<()>, String> {
        check_depth(path, &value)?;
        let Some((key, parent)) = path.split_last() else {
            self.root = value;
            return Ok(Some(()));
        };
        Ok(match find(&mut self.root, parent) {
            Some(Value::Object(map)) => {
                map.insert(key.clone(), value);
                Some(())
            }
            Some(Value::Array(items)) if key == "-" => {
                items.push(value);
                Some(())
            }
            Some(Value::Array(items)) => index(key, items.len() + 1).map(|at| items.insert(at, value)),
            _ => None,
        })
    }

    /// `None` when there is nothing at the place.
    fn replace(&mut self, path: &[String], value: Value) -> Result<Option<()>, String> {
        check_depth(path, &value)?;
        Ok(find(&mut self.root, path).map(|place| *place = value))
    }

    fn remove(&mut self, path: &[String]) -> Option<Value> {
        let Some((key, parent)) = path.split_last() else {
            return Some(mem::take(&mut self.root));
        };
        match find(&mut self.root, parent)? {
            Value::Object(map) => map.remove(key),
            Value::Array(items) => index(key, items.len()).map(|at| items.remove(at)),
            _ => None,
        }
    }

    fn copy(&mut self, from: &[String]) -> Result<Option<Value>, String> {
        let Some(value) = find(&mut self.root, from) else { return Ok(None) };
        self.copied += json_size(value);
        if self.copied > COPY_MAX {
            return Err(format!(
                "Unable to complete the copy, the accumulated size increase of copy is {}, exceeding the limit {COPY_MAX}",
                self.copied
            ));
        }
        Ok(Some(value.clone()))
    }
}

fn show(pointer: &Option<Pointer>) -> String {
    Quoted(pointer.as_ref().map_or("", |p| &p.text)).to_string()
}

fn tokens<'a>(pointer: Option<&'a Pointer>, name: &str) -> Result<&'a [String], String> {
    let pointer = pointer.ok_or_else(|| format!("missing operation {name}"))?;
    pointer.tokens.as_deref().ok_or_else(|| format!("{} is no JSON pointer", Quoted(&pointer.text)))
}

fn find<'a>(root: &'a mut Value, path: &[String]) -> Option<&'a mut Value> {
    path.iter().try_fold(root, |value, key| match value {
        Value::Object(map) => map.get_mut(key),
        Value::Array(items) => index(key, items.len()).map(|at| &mut items[at]),
        _ => None,
    })
}

/// The index a token names in a list of `len` places; a negative one counts from the end.
fn index(token: &str, len: usize) -> Option<usize> {
    let number: i64 = token.parse().ok()?;
    let at = if number < 0 {
        len.checked_sub(usize::try_from(number.unsigned_abs()).ok()?)?
    } else {
        usize::try_from(number).ok()?
    };
    (at < len).then_some(at)
}

fn check_depth(path: &[String], value: &Value) -> Result<(), String> {
    if path.len() + depth(value) > DEPTH_MAX { Err("exceeded max depth".to_owned()) } else { Ok(()) }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(map) => 1 + map.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

fn json_size(value: &Value) -> usize {
    let mut counter = Counter(0);
    serde_json::to_writer(&mut counter, value).expect("a counter takes all bytes");
    counter.0
}

struct Counter(usize);

impl io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
