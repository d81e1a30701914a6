//! RBAC objects that every cluster has: made when absent, completed when a newer version adds to them.
//!
//! ```text
//! policy (rows) -> objects (trees) ── plan(desired, existing) ──> Keep | Create | Replace | Recreate -> storage
//! ```
//!
//! What a user added stays; what a user annotated with `autoupdate: "false"` is left alone. Reference:
//! Kubernetes' RBAC bootstrap reconciliation.

use api::meta::{self, Time};
use serde_json::{Map, Value, json};

use crate::authz::rbac::GROUP;
use crate::authz::rule::{Rule, missing};
use crate::server::Environment;
use crate::storage::{Current, Place, Storage, StorageError, Written};

pub mod aggregate;
mod controllers;
mod policy;
#[cfg(test)]
mod tests;

/// `"false"` keeps an object as the user left it.
const AUTOUPDATE: &str = "rbac.authorization.kubernetes.io/autoupdate";
/// How often a write is tried again after a lost race.
const TRIES: usize = 8;

/// Why the default policy could not be written.
#[derive(Debug, thiserror::Error)]
pub enum BootstrapError {
    /// The store failed.
    #[error("the default RBAC policy cannot be written")]
    Storage(#[source] StorageError),
    /// Others kept writing the same object.
    #[error("{0} changes too fast to be completed")]
    Contended(String),
}

/// What has to be done about one object.
#[derive(Debug, Clone, PartialEq)]
pub enum Plan {
    /// It is as it should be.
    Keep,
    /// It is absent.
    Create,
    /// It lacks something; this is the whole.
    Replace(Value),
    /// It is bound to another role, which cannot be changed: delete and create it.
    Recreate,
}

/// Writes what is missing of the default policy.
///
/// # Errors
/// When the store fails.
pub async fn reconcile(storage: &Storage, environment: &Environment) -> Result<(), BootstrapError> {
    for object in objects() {
        ensure(storage, environment, &object).await?;
    }
    Ok(())
}

async fn ensure(storage: &Storage, environment: &Environment, desired: &Value) -> Result<(), BootstrapError> {
    let plural = format!("{}s", meta::kind(desired).to_lowercase());
    let (prefix, name) = (format!("{GROUP}/{plural}"), meta::name(desired));
    let key = match meta::namespace(desired) {
        "" => name.to_owned(),
        namespace => format!("{namespace}/{name}"),
    };
    let place = Place { prefix: &prefix, key: &key };
    for _ in 0..TRIES {
        let current = storage.read(place).await.map_err(BootstrapError::Storage)?;
        if attempt(storage, environment, place, desired, current).await.map_err(BootstrapError::Storage)? {
            return Ok(());
        }
    }
    Err(BootstrapError::Contended(format!("{prefix} {key}")))
}

/// One step towards `desired`; tells whether it was the last.
async fn attempt(
    storage: &Storage,
    environment: &Environment,
    place: Place<'_>,
    desired: &Value,
    current: Option<Current>,
) -> Result<bool, StorageError> {
    let written = match (plan(desired, current.as_ref().map(|current| &current.object)), current) {
        (Plan::Keep, _) => return Ok(true),
        (Plan::Replace(whole), Some(current)) => {
            storage.replace(place, &map(whole), current.revision).await?
        }
        (Plan::Recreate, Some(current)) => {
            storage.delete(place, &current).await?;
            return Ok(false);
        }
        _ => storage.create(place, &map(stamped(desired, environment))).await?,
    };
    Ok(matches!(written, Written::Done(_)))
}

fn stamped(desired: &Value, environment: &Environment) -> Value {
    let mut object = desired.clone();
    meta::set_uid(&mut object, &environment.uid());
    meta::set_creation_timestamp(&mut object, Time::from((environment.now)()));
    object
}

fn map(object: Value) -> Map<String, Value> {
    match object {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// What has to be done so that `existing` is at least `desired`.
pub fn plan(desired: &Value, existing: Option<&Value>) -> Plan {
    let Some(existing) = existing else { return Plan::Create };
    if meta::annotation(existing, AUTOUPDATE) == Some("false") {
        return Plan::Keep;
    }
    if desired.get("roleRef") != existing.get("roleRef") {
        return Plan::Recreate;
    }
    let mut whole = existing.clone();
    add_metadata(&mut whole, desired);
    add_rules(&mut whole, desired);
    add_subjects(&mut whole, desired);
    if &whole == existing { Plan::Keep } else { Plan::Replace(whole) }
}

/// Labels and annotations that are absent; those that are there keep their values.
fn add_metadata(whole: &mut Value, desired: &Value) {
    for (key, value) in meta::labels(desired).into_iter().flatten() {
        if meta::label(whole, key).is_none() {
            meta::set_label(whole, key, value.as_str().unwrap_or_default());
        }
    }
    for (key, value) in meta::annotations(desired).into_iter().flatten() {
        if meta::annotation(whole, key).is_none() {
            meta::set_annotation(whole, key, value.as_str().unwrap_or_default());
        }
    }
}

/// Rules that are not covered; aggregated roles get theirs from the aggregation.
fn add_rules(whole: &mut Value, desired: &Value) {
    if let Some(rule) = desired.get("aggregationRule") {
        if whole.get("aggregationRule").is_none_or(Value::is_null) {
            whole["aggregationRule"] = rule.clone();
        }
        return;
    }
    let rules = |object: &Value| -> Vec<Rule> {
        object.get("rules").and_then(|rules| serde_json::from_value(rules.clone()).ok()).unwrap_or_default()
    };
    let lacking = missing(&rules(whole), &rules(desired));
    append(whole, "rules", lacking.iter().map(to_value));
}

fn add_subjects(whole: &mut Value, desired: &Value) {
    let subjects =
        |object: &Value| object.get("subjects").and_then(Value::as_array).cloned().unwrap_or_default();
    let existing = subjects(whole);
    let lacking = subjects(desired).into_iter().filter(|subject| !existing.contains(subject));
    append(whole, "subjects", lacking);
}

fn append(whole: &mut Value, field: &str, items: impl Iterator<Item = Value>) {
    let items: Vec<Value> = items.collect();
    if items.is_empty() {
        return;
    }
    match whole.get_mut(field).and_then(Value::as_array_mut) {
        Some(list) => list.extend(items),
        None => whole[field] = items.into(),
    }
}

fn to_value(rule: &Rule) -> Value {
    serde_json::to_value(rule).expect("a rule is lists of texts")
}

/// What nodes may do, for the Node authorizer.
pub fn node_rules() -> Vec<Rule> {
    policy::NODE.iter().map(policy::Rule::expand).collect()
}

/// Every object of the default policy, in the order in which it is written.
pub fn objects() -> Vec<Value> {
    let mut roles: Vec<Value> = policy::CLUSTER_ROLES.iter().map(policy::Role::expand).collect();
    roles.extend(controllers::CONTROLLERS.iter().map(|row| cluster_role(row.name, row.rules)));
    for aggregated in aggregate::aggregate(&roles) {
        if let Some(role) = roles.iter_mut().find(|role| meta::name(role) == meta::name(&aggregated)) {
            *role = aggregated;
        }
    }
    let bindings = policy::CLUSTER_BINDINGS.iter().map(policy::Binding::expand);
    let controllers = controllers::CONTROLLERS.iter().map(|row| controller_binding(row.name));
    let local = policy::ROLES.iter().map(policy::Role::expand);
    let local_bindings = policy::BINDINGS.iter().map(policy::Binding::expand);
    roles.into_iter().chain(bindings).chain(controllers).chain(local).chain(local_bindings).collect()
}

fn controller_name(name: &str) -> String {
    format!("system:controller:{name}")
}

fn cluster_role(controller: &str, rules: &[policy::Rule]) -> Value {
    let mut role = object("ClusterRole", "", &controller_name(controller));
    role["rules"] = rules.iter().map(|rule| to_value(&patching(rule.expand()))).collect();
    role
}

/// Our controllers patch what they own where Kubernetes' own send back whole objects.
fn patching(mut rule: Rule) -> Rule {
    let has = |verb: &str| rule.verbs.iter().any(|own| own == verb);
    if has("update") && !has("patch") {
        rule.verbs.push("patch".into());
    }
    rule
}

fn controller_binding(controller: &str) -> Value {
    let name = controller_name(controller);
    let mut binding = object("ClusterRoleBinding", "", &name);
    binding["roleRef"] = role_ref("ClusterRole", &name);
    binding["subjects"] = json!([account(controller)]);
    binding
}

fn object(kind: &str, namespace: &str, name: &str) -> Value {
    let mut object = json!({
        "apiVersion": format!("{GROUP}/v1"),
        "kind": kind,
        "metadata": {
            "name": name,
            "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"},
            "annotations": {AUTOUPDATE: "true"},
        },
    });
    meta::set_namespace(&mut object, namespace);
    object
}

fn role_ref(kind: &str, name: &str) -> Value {
    json!({"apiGroup": GROUP, "kind": kind, "name": name})
}

fn account(name: &str) -> Value {
    json!({"kind": "ServiceAccount", "name": name, "namespace": "kube-system"})
}

impl policy::Rule {
    fn expand(&self) -> Rule {
        let list = |words: &str| -> Vec<String> {
            let mut list: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
            list.sort_unstable();
            list
        };
        let mut api_groups = list(self.groups);
        for group in api_groups.iter_mut().filter(|group| *group == "core") {
            group.clear();
        }
        api_groups.sort_unstable();
        Rule {
            verbs: list(self.verbs),
            api_groups,
            resources: list(self.resources),
            resource_names: list(self.names),
            non_resource_urls: list(self.urls),
        }
    }
}

impl policy::Role {
    fn expand(&self) -> Value {
        let kind = if self.namespace.is_empty() { "ClusterRole" } else { "Role" };
        let mut role = object(kind, self.namespace, self.name);
        let label = |target: &str| format!("rbac.authorization.k8s.io/aggregate-to-{target}");
        if !self.aggregated_to.is_empty() {
            meta::set_label(&mut role, &label(self.aggregated_to), "true");
        }
        if self.aggregates {
            role["aggregationRule"] =
                json!({"clusterRoleSelectors": [{"matchLabels": {label(self.name): "true"}}]});
        }
        role["rules"] = self.rules.iter().map(|rule| to_value(&rule.expand())).collect();
        role
    }
}

impl policy::Binding {
    fn expand(&self) -> Value {
        let (kind, role) = if self.namespace.is_empty() {
            ("ClusterRoleBinding", "ClusterRole")
        } else {
            ("RoleBinding", "Role")
        };
        let mut binding = object(kind, self.namespace, self.name);
        let named =
            |kind: &'static str| move |name: &str| json!({"apiGroup": GROUP, "kind": kind, "name": name});
        let users = self.users.split_whitespace().map(named("User"));
        let groups = self.groups.split_whitespace().map(named("Group"));
        let accounts = self.accounts.split_whitespace().map(account);
        let subjects: Vec<Value> = users.chain(groups).chain(accounts).collect();
        binding["roleRef"] = role_ref(role, self.role);
        append(&mut binding, "subjects", subjects.into_iter());
        binding
    }
}
