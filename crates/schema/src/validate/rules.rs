//! Where CEL rules apply. Evaluating them is the caller's business.

use serde_json::Value;

use super::correlate::Correlation;
use crate::model::{NodeRef, Rule};
use crate::path::Path;

/// One rule and the value it is about.
#[derive(Clone, Debug)]
pub struct RuleSite<'a> {
    /// The path of `self` from the root.
    pub path: String,
    /// The node the rule belongs to; it tells the types of `self`.
    pub node: NodeRef<'a>,
    /// The rule.
    pub rule: &'a Rule,
    /// `self`.
    pub value: &'a Value,
    /// `oldSelf`, where there is a counterpart. A rule that names `oldSelf` and has none is not
    /// evaluated unless its `optional_old_self` is set.
    pub old: Option<&'a Value>,
}

/// All rules that apply to `value`, from the root down.
pub fn rule_sites<'a>(
    node: NodeRef<'a>,
    value: &'a Value,
    old: Option<&'a Value>,
) -> impl Iterator<Item = RuleSite<'a>> {
    let mut sites = Vec::new();
    walk(node, value, old, &Path::root(""), &mut sites);
    sites.into_iter()
}

fn walk<'a>(
    node: NodeRef<'a>,
    value: &'a Value,
    old: Option<&'a Value>,
    path: &Path<'_>,
    sites: &mut Vec<RuleSite<'a>>,
) {
    if value.is_null() {
        return;
    }
    for rule in node.rules() {
        sites.push(RuleSite { path: path.to_string(), node, rule, value, old });
    }
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                if let Some(child) = node.child(key) {
                    walk(child, value, old.and_then(|old| old.get(key)), &path.field(key), sites);
                }
            }
        }
        Value::Array(items) => {
            let Some(inner) = node.items() else { return };
            let correlation = Correlation::of_list(node, old);
            for (index, item) in items.iter().enumerate() {
                walk(inner, item, correlation.item(item), &path.index(index), sites);
            }
        }
        _ => {}
    }
    for id in node.validation().into_iter().flat_map(|facts| &facts.all_of) {
        walk(node.sibling(*id), value, old, path, sites);
    }
}
