//! The order of a merged list: the patch decides for its items, the server keeps its own for the
//! rest, and the two are interleaved as the live list suggests.

use std::collections::HashMap;

use serde_json::Value;

use super::items::merge_value;
use super::{ORDER_PREFIX, PATCH, PatchError, Result};
use crate::patch::show::Go;

/// What tells an item apart: its merge key's value, or the scalar itself.
fn id(item: &Value, key: &str) -> Result<String> {
    if key.is_empty() { Ok(item.to_string()) } else { Ok(merge_value(item, key)?.to_string()) }
}

fn positions(list: &[Value], key: &str) -> HashMap<String, usize> {
    let mut positions = HashMap::with_capacity(list.len());
    for (at, item) in list.iter().enumerate() {
        if let Ok(id) = id(item, key) {
            positions.entry(id).or_insert(at);
        }
    }
    positions
}

/// Checks that the items of a patch occur in `$setElementOrder`, in the same relative order.
pub(super) fn check(patch: &[Value], order: &[Value], key: &str) -> Result<()> {
    if patch.is_empty() || order.is_empty() {
        return Ok(());
    }
    let mut rest = order.iter();
    for item in patch.iter().filter(|item| item.get(PATCH).is_none()) {
        let wanted = id(item, key)?;
        let mut found = false;
        for candidate in rest.by_ref() {
            if id(candidate, key)? == wanted {
                found = true;
                break;
            }
        }
        if !found {
            let (patch, order) = (Value::from(patch.to_vec()), Value::from(order.to_vec()));
            return Err(PatchError::Unfit(format!(
                "The order in patch list:\n{}\n doesn't match {ORDER_PREFIX} list:\n{}\n",
                Go(&patch),
                Go(&order)
            )));
        }
    }
    Ok(())
}

/// Orders a merged list: items named by `order` in that order, the others in their order in `live`,
/// and a server item before the next ordered one when it stood before it in `live`.
pub(super) fn arrange(merged: Vec<Value>, order: &[Value], live: &[Value], key: &str) -> Result<Vec<Value>> {
    let wanted = positions(order, key);
    let stood = positions(live, key);
    let mut ordered: Vec<(usize, Option<usize>, Value)> = Vec::new();
    let mut server: Vec<(Option<usize>, Value)> = Vec::new();
    for item in merged {
        let id = id(&item, key)?;
        let place = stood.get(&id).copied();
        match wanted.get(&id) {
            Some(&at) => ordered.push((at, place, item)),
            None => server.push((place, item)),
        }
    }
    ordered.sort_by_key(|(at, _, _)| *at);
    server.sort_by_key(|(place, _)| place.unwrap_or(usize::MAX));
    Ok(interleave(ordered, server))
}

fn interleave(
    ordered: Vec<(usize, Option<usize>, Value)>,
    server: Vec<(Option<usize>, Value)>,
) -> Vec<Value> {
    let mut result = Vec::with_capacity(ordered.len() + server.len());
    let mut server = server.into_iter().peekable();
    for (_, place, item) in ordered {
        while let Some((_, before)) = server.next_if(|(at, _)| at.is_some() && place.is_some() && *at < place)
        {
            result.push(before);
        }
        result.push(item);
    }
    result.extend(server.map(|(_, item)| item));
    result
}
