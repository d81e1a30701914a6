//! Strategic merge patch, as `k8s.io/apimachinery/pkg/util/strategicpatch` documents it: a merge
//! patch in which the schema says how lists are merged, and `$` directives say what else to do.
//!
//! ```text
//! $patch: delete | replace                   on an object, or on an item of a merged list
//! $retainKeys: [a, b]                        keys not listed are cleared
//! $deleteFromPrimitiveList/field: [x]        items taken out of a merged list of scalars
//! $setElementOrder/field: [x, {name: y}]     the order of a merged list
//! ```

mod items;
mod order;

use serde_json::{Map, Value};

use super::show::{self, Go};
use super::{PatchError, parse_object};
use crate::model::{FieldRef, NodeRef, PatchStrategy};

const PATCH: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const DELETE_PREFIX: &str = "$deleteFromPrimitiveList";
const ORDER_PREFIX: &str = "$setElementOrder";

const BAD_PRIMITIVE_LIST: &str = "invalid patch format of primitive list";
const BAD_RETAIN_KEYS: &str = "invalid patch format of retainKeys";
const BAD_ORDER_LIST: &str = "invalid patch format of setElementOrder list";

type Result<T> = std::result::Result<T, PatchError>;

/// A parsed strategic merge patch.
#[derive(Clone, Debug)]
pub struct StrategicPatch {
    patch: Map<String, Value>,
    issues: Vec<String>,
}

impl StrategicPatch {
    /// Reads a strategic merge patch, which must be an object.
    ///
    /// # Errors
    /// [`PatchError::Malformed`].
    pub fn parse(body: &[u8]) -> Result<Self> {
        let (patch, issues) = parse_object(body, "")?;
        Ok(Self { patch, issues })
    }

    /// Duplicate fields of the patch itself, as texts for `fieldValidation`.
    pub fn issues(&self) -> &[String] {
        &self.issues
    }

    /// Merges the patch into an object of this node. Fields the schema does not know are merged
    /// too, as a merge patch would: the strict decoding that follows reports them.
    ///
    /// # Errors
    /// [`PatchError::Malformed`] for directives of the wrong form, [`PatchError::Rejected`] for lists
    /// of lists, [`PatchError::Unfit`] where items lack their merge key.
    pub fn apply(&self, node: NodeRef<'_>, current: Value) -> Result<Value> {
        let original = match current {
            Value::Object(map) => map,
            _ => Map::new(),
        };
        Ok(Value::Object(merge_map(original, self.patch.clone(), Some(node))?))
    }
}

/// How one field is merged.
#[derive(Clone, Copy, Default)]
struct Rule<'a> {
    node: Option<NodeRef<'a>>,
    strategy: PatchStrategy,
    merge_key: &'a str,
}

impl<'a> Rule<'a> {
    fn of(parent: Option<NodeRef<'a>>, key: &str) -> Self {
        match parent.and_then(|node| node.field(key)) {
            Some(field) => Self::field(field),
            None => Self { node: parent.and_then(NodeRef::values), ..Self::default() },
        }
    }

    fn field(field: FieldRef<'a>) -> Self {
        let merge_key = field.merge_key().unwrap_or_default();
        Self { node: Some(field.node()), strategy: field.patch_strategy(), merge_key }
    }

    fn items(self) -> Option<NodeRef<'a>> {
        self.node.and_then(NodeRef::items)
    }
}

fn merge_map(
    mut original: Map<String, Value>,
    mut patch: Map<String, Value>,
    node: Option<NodeRef<'_>>,
) -> Result<Map<String, Value>> {
    if let Some(directive) = patch.remove(PATCH) {
        return match directive.as_str() {
            Some("replace") => Ok(settle_map(patch)),
            Some("delete") => Ok(Map::new()),
            _ => Err(unknown_directive(&directive, patch)),
        };
    }
    retain_keys(&mut original, &mut patch)?;
    merge_ordered_lists(&mut original, &mut patch, node)?;
    for (key, value) in patch {
        match after_prefix(&key, DELETE_PREFIX, BAD_PRIMITIVE_LIST)? {
            Some(field) => delete_from_list(&mut original, field, value, Rule::of(node, field))?,
            None => merge_field(&mut original, key, value, node)?,
        }
    }
    Ok(original)
}

fn unknown_directive(directive: &Value, mut patch: Map<String, Value>) -> PatchError {
    let shown = directive.clone();
    patch.insert(PATCH.to_owned(), shown);
    PatchError::Unfit(format!("unknown patch type: {} in map: {}", Go(directive), Go(&Value::Object(patch))))
}

/// The field a directive with this prefix is about.
fn after_prefix<'k>(key: &'k str, prefix: &str, problem: &str) -> Result<Option<&'k str>> {
    match key.strip_prefix(prefix) {
        None => Ok(None),
        Some(rest) => match rest.strip_prefix('/') {
            Some(field) => Ok(Some(field)),
            None => Err(PatchError::Malformed(problem.to_owned())),
        },
    }
}

fn merge_field(
    original: &mut Map<String, Value>,
    key: String,
    value: Value,
    node: Option<NodeRef<'_>>,
) -> Result<()> {
    if value.is_null() {
        original.remove(&key);
        return Ok(());
    }
    let Some(existing) = original.get_mut(&key) else {
        original.insert(key, settle(value));
        return Ok(());
    };
    *existing = match (existing.take(), value) {
        (Value::Object(old), Value::Object(new)) => {
            let rule = Rule::of(node, &key);
            let merged =
                if rule.strategy.replace { settle_map(new) } else { merge_map(old, new, rule.node)? };
            Value::Object(merged)
        }
        (Value::Array(old), Value::Array(new)) => Value::Array(items::merge(old, new, Rule::of(node, &key))?),
        (_, new) => settle(new),
    };
    Ok(())
}

fn delete_from_list(
    original: &mut Map<String, Value>,
    field: &str,
    value: Value,
    rule: Rule<'_>,
) -> Result<()> {
    match (original.get_mut(field), value) {
        (_, Value::Null) => {
            original.remove(field);
            Ok(())
        }
        (Some(Value::Array(list)), Value::Array(gone)) if rule.strategy.merge => items::delete(list, &gone),
        // Without the merge strategy Kubernetes takes the list of deletions as the new list.
        (Some(list @ Value::Array(_)), gone @ Value::Array(_)) => {
            *list = gone;
            Ok(())
        }
        _ => Ok(()),
    }
}

fn retain_keys(original: &mut Map<String, Value>, patch: &mut Map<String, Value>) -> Result<()> {
    let Some(directive) = patch.remove(RETAIN_KEYS) else { return Ok(()) };
    let bad = || PatchError::Malformed(BAD_RETAIN_KEYS.to_owned());
    let keys = directive.as_array().ok_or_else(bad)?;
    let retained = |key: &str| keys.iter().any(|k| k == key);
    let directs = |key: &str| key.starts_with(DELETE_PREFIX) || key.starts_with(ORDER_PREFIX);
    let unlisted = |(key, value): (&String, &Value)| !value.is_null() && !directs(key) && !retained(key);
    if patch.iter().any(unlisted) {
        return Err(bad());
    }
    original.retain(|key, _| retained(key));
    Ok(())
}

/// Merges the lists that have a `$setElementOrder`, and takes both out of the patch.
fn merge_ordered_lists(
    original: &mut Map<String, Value>,
    patch: &mut Map<String, Value>,
    node: Option<NodeRef<'_>>,
) -> Result<()> {
    let keys: Vec<String> = patch.keys().filter(|key| key.starts_with(ORDER_PREFIX)).cloned().collect();
    for key in keys {
        let order = list(patch.remove(&key).unwrap_or_default())?;
        let Some(field) = after_prefix(&key, ORDER_PREFIX, BAD_ORDER_LIST)? else { continue };
        let rule = Rule::of(node, field);
        let old = original.remove(field).map(list).transpose()?;
        let new = patch.remove(field).map(list).transpose()?;
        let live = old.clone();
        order::check(new.as_deref().unwrap_or_default(), &order, rule.merge_key)?;
        let merged = match (old, new) {
            (None, None) => continue,
            (Some(old), None) => old,
            (None, Some(new)) => settle_list(new),
            (Some(old), Some(new)) => items::merge(old, new, rule)?,
        };
        let live = live.unwrap_or_default();
        original
            .insert(field.to_owned(), Value::Array(order::arrange(merged, &order, &live, rule.merge_key)?));
    }
    Ok(())
}

fn list(value: Value) -> Result<Vec<Value>> {
    match value {
        Value::Array(items) => Ok(items),
        other => {
            let text = format!("expected a []interface {{}}, but received a {}", show::go_type(&other));
            Err(PatchError::Unfit(text))
        }
    }
}

fn is_directive(key: &str) -> bool {
    key == PATCH || key == RETAIN_KEYS || key.starts_with(DELETE_PREFIX) || key.starts_with(ORDER_PREFIX)
}

/// What a part of a patch means where there is nothing to merge it with: nulls and directives have
/// done their work.
fn settle(value: Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(settle_map(map)),
        Value::Array(items) => Value::Array(settle_list(items)),
        scalar => scalar,
    }
}

fn settle_map(map: Map<String, Value>) -> Map<String, Value> {
    if map.get(PATCH).is_some_and(|directive| directive == "delete") {
        return Map::new();
    }
    let kept = map.into_iter().filter(|(key, value)| !value.is_null() && !is_directive(key));
    kept.map(|(key, value)| (key, settle(value))).collect()
}

fn settle_list(items: Vec<Value>) -> Vec<Value> {
    items.into_iter().filter(|item| item.get(PATCH).is_none()).map(settle).collect()
}
