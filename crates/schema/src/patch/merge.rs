//! JSON merge patch (RFC 7386).

use serde_json::{Map, Value};

use super::{PatchError, parse_object};

/// A parsed merge patch.
#[derive(Clone, Debug)]
pub struct MergePatch {
    patch: Map<String, Value>,
    issues: Vec<String>,
}

impl MergePatch {
    /// Reads a merge patch, which must be an object.
    ///
    /// # Errors
    /// [`PatchError::Malformed`].
    pub fn parse(body: &[u8]) -> Result<Self, PatchError> {
        let (patch, issues) = parse_object(body, "error decoding patch: ")?;
        Ok(Self { patch, issues })
    }

    /// Duplicate fields of the patch itself, as texts for `fieldValidation`.
    pub fn issues(&self) -> &[String] {
        &self.issues
    }

    /// The patched object. It nests no deeper than the object and the patch do.
    pub fn apply(&self, mut current: Value) -> Value {
        merge_map(&mut current, &self.patch);
        current
    }
}

/// Merges `patch` into `target`: objects by their members, `null` removes, anything else replaces.
pub fn merge(target: &mut Value, patch: &Value) {
    match patch {
        Value::Object(members) => merge_map(target, members),
        other => *target = other.clone(),
    }
}

fn merge_map(target: &mut Value, members: &Map<String, Value>) {
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(map) = target else { return };
    for (key, value) in members {
        if value.is_null() {
            map.remove(key);
        } else if let Some(existing) = map.get_mut(key) {
            merge(existing, value);
        } else {
            merge(map.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}
