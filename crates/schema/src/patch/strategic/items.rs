//! The items of a list whose strategy is `merge`: scalars as a set, objects by their merge key.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::order;
use super::{PATCH, PatchError, Result, Rule, merge_map, settle_list, settle_map, unknown_directive};
use crate::patch::show::{Go, go_type};

/// Merges two lists of one field.
pub(super) fn merge(original: Vec<Value>, patch: Vec<Value>, rule: Rule<'_>) -> Result<Vec<Value>> {
    if !rule.strategy.merge {
        return Ok(settle_list(patch));
    }
    match kind(original.iter().chain(&patch))? {
        None => Ok(original),
        Some(Kind::Scalars) => {
            let merged = dedup(original.iter().chain(&patch).cloned());
            order::arrange(merged, &patch, &original, "")
        }
        Some(Kind::Maps) => merge_maps(original, patch, rule),
    }
}

/// Takes scalars out of a list.
pub(super) fn delete(list: &mut Vec<Value>, gone: &[Value]) -> Result<()> {
    if let Some(Kind::Maps) = kind(list.iter().chain(gone))? {
        return Err(PatchError::Unfit("cannot delete objects from a list of scalars".to_owned()));
    }
    let gone: HashSet<String> = gone.iter().map(Value::to_string).collect();
    list.retain(|item| !gone.contains(&item.to_string()));
    Ok(())
}

enum Kind {
    Scalars,
    Maps,
}

/// What all these items are; `None` when there are none.
fn kind<'a>(items: impl Iterator<Item = &'a Value>) -> Result<Option<Kind>> {
    let mut first: Option<&'static str> = None;
    for item in items {
        let name = match item {
            Value::Array(_) => {
                return Err(PatchError::Rejected("lists of lists are not supported".to_owned()));
            }
            other => go_type(other),
        };
        match first {
            Some(prior) if prior != name => {
                let text = format!("list element types are not identical: {prior} and {name}");
                return Err(PatchError::Unfit(text));
            }
            _ => first = Some(name),
        }
    }
    Ok(first.map(|name| if name.starts_with("map") { Kind::Maps } else { Kind::Scalars }))
}

fn dedup(items: impl Iterator<Item = Value>) -> Vec<Value> {
    let mut seen = HashSet::new();
    items.filter(|item| seen.insert(item.to_string())).collect()
}

fn merge_maps(mut original: Vec<Value>, patch: Vec<Value>, rule: Rule<'_>) -> Result<Vec<Value>> {
    if rule.merge_key.is_empty() {
        return Err(PatchError::Unfit("cannot merge lists without merge key for type struct".to_owned()));
    }
    let (replace, patch) = take_directives(&mut original, patch, rule.merge_key)?;
    if replace {
        return Ok(settle_list(patch));
    }
    let live = original.clone();
    let mut merged = Items::new(original, rule.merge_key);
    for item in &patch {
        merged.merge(item, rule)?;
    }
    order::arrange(merged.list, &patch, &live, rule.merge_key)
}

/// Runs the `$patch` items of a patch: deletes from `original`, tells whether the list is replaced,
/// and returns the items without directive.
fn take_directives(original: &mut Vec<Value>, patch: Vec<Value>, key: &str) -> Result<(bool, Vec<Value>)> {
    let mut replace = false;
    let mut rest = Vec::with_capacity(patch.len());
    for item in patch {
        let directive = item.get(PATCH).map(|d| d.as_str().unwrap_or_default().to_owned());
        match directive.as_deref() {
            None => rest.push(item),
            Some("delete") => {
                let value = merge_value(&item, key)?;
                original.retain(|old| old.get(key) != Some(value));
            }
            Some("replace") => replace = true,
            Some("merge") => {
                let text = "merging lists cannot yet be specified in the patch";
                return Err(PatchError::Unfit(text.to_owned()));
            }
            Some(_) => {
                let map = item.as_object().cloned().unwrap_or_default();
                return Err(unknown_directive(&item[PATCH], map));
            }
        }
    }
    Ok((replace, rest))
}

/// A list with an index by merge key.
struct Items<'k> {
    list: Vec<Value>,
    key: &'k str,
    index: std::collections::HashMap<String, usize>,
}

impl<'k> Items<'k> {
    fn new(list: Vec<Value>, key: &'k str) -> Self {
        let mut index = std::collections::HashMap::new();
        for (at, item) in list.iter().enumerate() {
            if let Some(value) = item.get(key) {
                index.entry(value.to_string()).or_insert(at);
            }
        }
        Self { list, key, index }
    }

    fn merge(&mut self, item: &Value, rule: Rule<'_>) -> Result<()> {
        let id = merge_value(item, self.key)?.to_string();
        let patch = item.as_object().cloned().unwrap_or_default();
        match self.index.get(&id) {
            Some(&at) => {
                let old: Map<String, Value> = match self.list[at].take() {
                    Value::Object(map) => map,
                    _ => Map::new(),
                };
                self.list[at] = Value::Object(merge_map(old, patch, rule.items())?);
            }
            None => {
                self.index.insert(id, self.list.len());
                self.list.push(Value::Object(settle_map(patch)));
            }
        }
        Ok(())
    }
}

/// The value of an item's merge key.
pub(super) fn merge_value<'a>(item: &'a Value, key: &str) -> Result<&'a Value> {
    item.get(key).ok_or_else(|| {
        PatchError::Unfit(format!("map: {} does not contain declared merge key: {key}", Go(item)))
    })
}
