//! ClusterRole aggregation: a role with an `aggregationRule` has the rules of the roles it selects.

use std::collections::{BTreeMap, BTreeSet};

use api::meta;
use api::selector::LabelSelector;
use serde_json::Value;

/// The roles whose rules must change, with their new rules; empty when every aggregated role is right.
///
/// Pure; `roles` are all ClusterRoles. As Kubernetes' controller: selected roles are taken by name, a
/// role never selects itself, a rule is taken once. Selectors that are no selectors select nothing.
pub fn aggregate(roles: &[Value]) -> Vec<Value> {
    let mut all: BTreeMap<String, Value> =
        roles.iter().map(|role| (meta::name(role).to_owned(), role.clone())).collect();
    let mut changed = BTreeSet::new();
    // A role may select roles that aggregate in turn: each pass settles one more level.
    for _ in 0..=all.len() {
        let updates: Vec<Value> = all.values().filter_map(|role| updated(role, &all)).collect();
        if updates.is_empty() {
            break;
        }
        for role in updates {
            changed.insert(meta::name(&role).to_owned());
            all.insert(meta::name(&role).to_owned(), role);
        }
    }
    changed.iter().filter_map(|name| all.remove(name)).collect()
}

/// The role with the rules it should have, if it has others.
fn updated(role: &Value, all: &BTreeMap<String, Value>) -> Option<Value> {
    let selectors = role.get("aggregationRule")?.get("clusterRoleSelectors").and_then(Value::as_array)?;
    let mut rules: Vec<Value> = Vec::new();
    for selector in selectors.iter().filter_map(|selector| LabelSelector::from_object(Some(selector)).ok()) {
        let selected =
            all.values().filter(|other| meta::name(other) != meta::name(role) && selector.matches(other));
        for rule in selected.filter_map(|other| other.get("rules")?.as_array()).flatten() {
            if !rules.contains(rule) {
                rules.push(rule.clone());
            }
        }
    }
    let current = role.get("rules").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if current == rules {
        return None;
    }
    let mut role = role.clone();
    role["rules"] = rules.into();
    Some(role)
}
