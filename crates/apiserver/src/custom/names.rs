//! Which names a definition gets, and the conditions that say so. Pure functions over definitions.
//!
//! A name that another definition of the group has is refused; a definition is established once all its
//! names are accepted, and then stays so. Source: apiextensions-apiserver's naming and establishing
//! controllers, Kubernetes 1.36.

use std::collections::BTreeSet;
use std::sync::Arc;

use api::kinds::Registry;
use api::meta::{self, Time};
use serde_json::{Value, json};

/// Groups whose names Kubernetes keeps to itself need this annotation.
pub(crate) const APPROVED: &str = "api-approved.kubernetes.io";

/// Whether the group is one of Kubernetes' own.
pub(crate) fn is_protected(group: &str) -> bool {
    ["k8s.io", "kubernetes.io"]
        .iter()
        .any(|own| group == *own || group.strip_suffix(own).is_some_and(|rest| rest.ends_with('.')))
}

/// The names in use in a group.
#[derive(Debug, Default)]
struct Used {
    resources: BTreeSet<String>,
    kinds: BTreeSet<String>,
}

impl Used {
    /// The names of the group's built-in kinds, and those accepted for other definitions.
    fn of(group: &str, own: &str, all: &[Arc<Value>], builtin: &Registry) -> Self {
        let mut used = Self::default();
        for row in builtin.iter().filter(|row| row.group == group) {
            used.resources.extend([row.plural.to_string(), row.singular.to_string()]);
            used.resources.extend(row.short_names.iter().map(ToString::to_string));
            used.kinds.extend([row.kind.to_string(), row.list_kind.to_string()]);
        }
        let others = all.iter().filter(|d| meta::text(d, "spec.group") == group && meta::name(d) != own);
        for names in others.filter_map(|other| meta::at(other, "status.acceptedNames")) {
            let text = |field| meta::text(names, field).to_owned();
            used.resources.extend([text("plural"), text("singular")]);
            used.resources.extend(texts(names, "shortNames").map(str::to_owned));
            used.kinds.extend([text("kind"), text("listKind")]);
        }
        used
    }
}

fn texts<'a>(names: &'a Value, field: &str) -> impl Iterator<Item = &'a str> {
    names.get(field).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// The status a definition should have, from its own state and that of all others.
pub(crate) fn status(definition: &Value, all: &[Arc<Value>], builtin: &Registry, now: Time) -> Value {
    let mut status = definition.get("status").cloned().unwrap_or_else(|| json!({}));
    if !status.is_object() {
        status = json!({});
    }
    let group = meta::text(definition, "spec.group");
    let used = Used::of(group, meta::name(definition), all, builtin);
    let refused = accept(definition, &mut status, &used);
    let accepted = refused.is_none();
    let names = refused.unwrap_or(("NoConflicts", "no conflicts found".to_owned()));
    condition(&mut status, "NamesAccepted", accepted, names, now);
    if is_protected(group) {
        let (conformant, why) = approval(definition);
        condition(&mut status, "KubernetesAPIApprovalPolicyConformant", conformant, why, now);
    }
    if accepted {
        let why = ("InitialNamesAccepted", "the initial names have been accepted".to_owned());
        condition(&mut status, "Established", true, why, now);
    } else if !is_true(&status, "Established") {
        condition(
            &mut status,
            "Established",
            false,
            ("NotAccepted", "not all names are accepted".to_owned()),
            now,
        );
    }
    status
}

/// Puts the names that are free into `acceptedNames`; gives the last conflict.
fn accept(definition: &Value, status: &mut Value, used: &Used) -> Option<(&'static str, String)> {
    let wanted = meta::at(definition, "spec.names").cloned().unwrap_or_default();
    let mut accepted =
        status.get("acceptedNames").filter(|names| names.is_object()).cloned().unwrap_or(json!({}));
    let mut conflict = None;
    for (field, reason, taken) in [
        ("plural", "PluralConflict", &used.resources),
        ("singular", "SingularConflict", &used.resources),
        ("shortNames", "ShortNamesConflict", &used.resources),
        ("kind", "KindConflict", &used.kinds),
        ("listKind", "ListKindConflict", &used.kinds),
    ] {
        let value = wanted.get(field).cloned();
        let names: Vec<&str> = match &value {
            Some(Value::Array(_)) => texts(&wanted, field).collect(),
            Some(Value::String(name)) => vec![name],
            _ => Vec::new(),
        };
        match names.iter().find(|name| taken.contains(**name)) {
            Some(name) => conflict = Some((reason, format!("{name:?} is already in use"))),
            None => set(&mut accepted, field, value),
        }
    }
    set(&mut accepted, "categories", wanted.get("categories").cloned());
    status["acceptedNames"] = accepted;
    conflict
}

fn set(object: &mut Value, field: &str, value: Option<Value>) {
    let Some(fields) = object.as_object_mut() else { return };
    match value {
        Some(value) => fields.insert(field.to_owned(), value),
        None => fields.remove(field),
    };
}

/// Whether a protected group's definition was approved, by its annotation.
fn approval(definition: &Value) -> (bool, (&'static str, String)) {
    match meta::annotation(definition, APPROVED) {
        None | Some("") => (
            false,
            ("MissingAnnotation", format!("protected groups must have approval annotation {APPROVED:?}")),
        ),
        Some(text) if text.starts_with("unapproved") => {
            (false, ("UnapprovedAnnotation", format!("not approved: {text:?}")))
        }
        Some(text) if is_url(text) => (true, ("ApprovedAnnotation", format!("approved in {text}"))),
        Some(text) => (
            false,
            (
                "InvalidAnnotation",
                format!(
                    "protected groups must have approval annotation {APPROVED:?} with either a URL or a reason starting with \"unapproved\", not {text:?}"
                ),
            ),
        ),
    }
}

/// Whether the text is an address with scheme and host.
pub(crate) fn is_url(text: &str) -> bool {
    text.split_once("://")
        .is_some_and(|(scheme, rest)| !scheme.is_empty() && !rest.is_empty() && !rest.starts_with('/'))
}

/// Whether a condition is true.
pub(crate) fn is_true(status: &Value, name: &str) -> bool {
    let conditions = status.get("conditions").and_then(Value::as_array);
    conditions.into_iter().flatten().any(|c| c["type"] == name && c["status"] == "True")
}

/// Sets a condition; its time moves with its status only.
pub(crate) fn condition(
    status: &mut Value,
    name: &str,
    holds: bool,
    (reason, message): (&str, String),
    now: Time,
) {
    let word = if holds { "True" } else { "False" };
    let mut new = json!({"type": name, "status": word, "reason": reason, "message": message,
        "lastTransitionTime": now.to_string()});
    if !status.get("conditions").is_some_and(Value::is_array) {
        status["conditions"] = json!([]);
    }
    let Some(conditions) = status["conditions"].as_array_mut() else { return };
    match conditions.iter_mut().find(|condition| condition["type"] == name) {
        Some(known) => {
            if known["status"] == word {
                new["lastTransitionTime"] = known["lastTransitionTime"].clone();
            }
            *known = new;
        }
        None => conditions.push(new),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(plural: &str, kind: &str, status: &Value) -> Value {
        json!({"metadata": {"name": format!("{plural}.example.com")}, "spec": {"group": "example.com",
            "names": {"plural": plural, "kind": kind, "listKind": format!("{kind}List")}}, "status": status})
    }

    fn check(definition: &Value, all: Vec<Value>, names: &str, established: &str) {
        let all: Vec<Arc<Value>> = all.into_iter().map(Arc::new).collect();
        let status = status(definition, &all, &Registry::builtin(), Time::from_unix(0));
        let told = |name: &str| {
            let found = status["conditions"].as_array().unwrap().iter().find(|c| c["type"] == name).unwrap();
            format!("{} {}", found["status"].as_str().unwrap(), found["reason"].as_str().unwrap())
        };
        assert_eq!((told("NamesAccepted").as_str(), told("Established").as_str()), (names, established));
    }

    #[test]
    fn the_first_who_has_a_name_keeps_it() {
        let empty = json!({});
        let free = definition("ones", "One", &empty);
        check(&free, Vec::new(), "True NoConflicts", "True InitialNamesAccepted");
        let other = definition("twos", "Two", &json!({"acceptedNames": {"plural": "twos", "kind": "One"}}));
        check(&free, vec![other], "False KindConflict", "False NotAccepted");
        let known = definition(
            "ones",
            "Two",
            &json!({"acceptedNames": {"plural": "ones", "kind": "Three"},
            "conditions": [{"type": "Established", "status": "True", "reason": "InitialNamesAccepted"}]}),
        );
        let holder = definition("twos", "X", &json!({"acceptedNames": {"kind": "Two"}}));
        check(&known, vec![holder], "False KindConflict", "True InitialNamesAccepted");
    }

    #[test]
    fn protected_groups() {
        for (group, expected) in [
            ("k8s.io", true),
            ("a.k8s.io", true),
            ("x.kubernetes.io", true),
            ("myk8s.io", false),
            ("a.b", false),
        ] {
            assert_eq!(is_protected(group), expected, "{group}");
        }
    }
}
