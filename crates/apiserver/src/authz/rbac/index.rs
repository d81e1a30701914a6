//! Who holds which rules: every binding resolved to its role, found by subject.
//!
//! ```text
//! user or group ──> Grants { cluster: [Grant], namespaces: { name: [Grant] } }
//! Grant             the rules of the role that one binding names, or why there are none
//! ```

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde::Deserialize;

use super::super::rule::{Rule, quoted};
use super::super::{Action, Decision, Known};
use crate::authn::{User, account};

/// The rules of a Role or ClusterRole.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Role {
    /// The rules.
    #[serde(default, deserialize_with = "rules")]
    pub rules: Arc<[Rule]>,
}

fn rules<'de, D: serde::Deserializer<'de>>(input: D) -> Result<Arc<[Rule]>, D::Error> {
    let rules: Option<Vec<Rule>> = Option::deserialize(input)?;
    Ok(rules.unwrap_or_default().into())
}

/// A RoleBinding or ClusterRoleBinding.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Binding {
    /// Who gets the role.
    pub subjects: Option<Vec<Subject>>,
    /// The role.
    pub role_ref: RoleRef,
}

/// Who gets a role.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Subject {
    /// `User`, `Group` or `ServiceAccount`.
    pub kind: String,
    /// The name.
    pub name: String,
    /// The namespace of a service account.
    pub namespace: String,
}

/// The role a binding names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RoleRef {
    /// The group, always RBAC's.
    pub api_group: String,
    /// `Role` or `ClusterRole`.
    pub kind: String,
    /// The name.
    pub name: String,
}

/// Roles and bindings as parsed, under `name` or `namespace/name`.
#[derive(Debug, Clone, Default)]
pub struct Objects {
    /// Roles by `namespace/name`.
    pub roles: HashMap<Arc<str>, Arc<Role>>,
    /// ClusterRoles by name.
    pub cluster_roles: HashMap<Arc<str>, Arc<Role>>,
    /// RoleBindings by `namespace/name`.
    pub bindings: HashMap<Arc<str>, Arc<Binding>>,
    /// ClusterRoleBindings by name.
    pub cluster_bindings: HashMap<Arc<str>, Arc<Binding>>,
}

/// The rules of a role, or why there are none.
pub type Resolved = Result<Arc<[Rule]>, String>;

#[derive(Debug)]
struct Grant {
    rules: Resolved,
    /// What a decision by this grant says.
    because: String,
}

#[derive(Debug, Default)]
struct Grants {
    cluster: Vec<Arc<Grant>>,
    namespaces: HashMap<Box<str>, Vec<Arc<Grant>>>,
}

/// The index; built whole from [`Objects`].
#[derive(Debug, Default)]
pub struct Index {
    users: HashMap<Box<str>, Grants>,
    groups: HashMap<Box<str>, Grants>,
}

impl Objects {
    /// The rules of a role that a binding in `namespace` names (empty: a cluster binding).
    pub fn resolve(&self, role: &RoleRef, namespace: &str) -> Resolved {
        let found = match role.kind.as_str() {
            "ClusterRole" => self.cluster_roles.get(role.name.as_str()),
            "Role" => self.roles.get(format!("{namespace}/{}", role.name).as_str()),
            other => return Err(format!("unsupported role reference kind: {other:?}")),
        };
        let missing =
            || format!("{}.rbac.authorization.k8s.io {:?} not found", role.kind.to_lowercase(), role.name);
        found.map(|role| Arc::clone(&role.rules)).ok_or_else(missing)
    }
}

impl Index {
    /// The index over all roles and bindings. Bindings are taken by name, so that equal objects give
    /// equal reasons.
    pub fn new(objects: &Objects) -> Self {
        let mut index = Self::default();
        for (name, binding) in sorted(&objects.cluster_bindings) {
            index.add(objects, name, "", binding);
        }
        for (key, binding) in sorted(&objects.bindings) {
            if let Some((namespace, name)) = key.split_once('/') {
                index.add(objects, name, namespace, binding);
            }
        }
        index
    }

    fn add(&mut self, objects: &Objects, name: &str, namespace: &str, binding: &Binding) {
        let rules = objects.resolve(&binding.role_ref, namespace);
        for subject in binding.subjects.iter().flatten() {
            let Some(grants) = self.grants_of(subject, namespace) else { continue };
            let because = because(name, namespace, &binding.role_ref, subject);
            let grant = Arc::new(Grant { rules: rules.clone(), because });
            match namespace {
                "" => grants.cluster.push(grant),
                namespace => grants.namespaces.entry(namespace.into()).or_default().push(grant),
            }
        }
    }

    fn grants_of(&mut self, subject: &Subject, namespace: &str) -> Option<&mut Grants> {
        let (map, name) = match subject.kind.as_str() {
            "User" => (&mut self.users, subject.name.clone()),
            "Group" => (&mut self.groups, subject.name.clone()),
            "ServiceAccount" => {
                let home = if subject.namespace.is_empty() { namespace } else { &subject.namespace };
                (&mut self.users, account::user_name(home, &subject.name))
            }
            _ => return None,
        };
        Some(map.entry(name.into()).or_default())
    }

    /// What a user holds in a namespace: cluster bindings first, as Kubernetes visits them.
    fn grants<'a>(&'a self, user: &'a User, namespace: &'a str) -> impl Iterator<Item = &'a Arc<Grant>> {
        let own = self.users.get(user.name.as_str()).into_iter();
        let all =
            move || own.clone().chain(user.groups.iter().filter_map(|group| self.groups.get(group.as_str())));
        let cluster = all().flat_map(|grants| &grants.cluster);
        cluster.chain(all().filter_map(move |grants| grants.namespaces.get(namespace)).flatten())
    }

    /// Decides about one action.
    pub fn decide(&self, user: &User, action: &Action<'_>) -> Decision {
        let mut faults = BTreeSet::new();
        for grant in self.grants(user, action.namespace()) {
            match &grant.rules {
                Ok(rules) if rules.iter().any(|rule| rule.allows(action)) => {
                    return Decision::Allow(grant.because.clone());
                }
                Ok(_) => {}
                Err(fault) => drop(faults.insert(fault.as_str())),
            }
        }
        Decision::NoOpinion(aggregate(&faults))
    }

    /// Every rule a user holds in a namespace, and the roles that could not be found.
    pub fn known(&self, user: &User, namespace: &str) -> Known {
        let mut known = Known::default();
        for grant in self.grants(user, namespace) {
            match &grant.rules {
                Ok(rules) => known.rules.extend(rules.iter().cloned()),
                Err(fault) if known.faults.contains(fault) => {}
                Err(fault) => known.faults.push(fault.clone()),
            }
        }
        known
    }
}

fn sorted<T>(map: &HashMap<Arc<str>, T>) -> Vec<(&str, &T)> {
    let mut entries: Vec<(&str, &T)> = map.iter().map(|(key, value)| (&**key, value)).collect();
    entries.sort_unstable_by_key(|(key, _)| *key);
    entries
}

/// Distinct faults as Kubernetes joins them.
fn aggregate(faults: &BTreeSet<&str>) -> String {
    let texts: Vec<&str> = faults.iter().copied().collect();
    match texts.as_slice() {
        [] => String::new(),
        [one] => format!("RBAC: {one}"),
        several => format!("RBAC: [{}]", several.join(", ")),
    }
}

fn because(name: &str, namespace: &str, role: &RoleRef, subject: &Subject) -> String {
    let home = if subject.namespace.is_empty() { namespace } else { &subject.namespace };
    let subject = match subject.kind.as_str() {
        "ServiceAccount" => format!("ServiceAccount {:?}", format!("{}/{home}", subject.name)),
        kind => format!("{kind} {:?}", subject.name),
    };
    let binding = match namespace {
        "" => format!("ClusterRoleBinding {name:?}"),
        namespace => format!("RoleBinding {:?}", format!("{name}/{namespace}")),
    };
    format!("RBAC: allowed by {binding} of {} {:?} to {subject}", role.kind, role.name)
}

/// A refusal to grant what the user does not hold; `missing` is not empty.
pub fn escalation(user: &User, missing: Vec<Rule>, faults: &[String]) -> String {
    let lines: BTreeSet<String> =
        super::super::rule::compact(missing).iter().map(ToString::to_string).collect();
    let lines: Vec<String> = lines.into_iter().collect();
    let errors = if faults.is_empty() {
        String::new()
    } else {
        format!("; resolution errors: [{}]", faults.join(" "))
    };
    format!(
        "user {:?} (groups={}) is attempting to grant RBAC permissions not currently held:\n{}{errors}",
        user.name,
        quoted(&user.groups),
        lines.join("\n"),
    )
}
