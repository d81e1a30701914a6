//! Priority: the number behind a pod's priority class, and at most one default class.

use api::meta::{self, Time};
use api::status::Status;
use futures::future::BoxFuture;
use serde_json::{Value, json};

use super::lookup::Lookup;
use super::{Attributes, Operation, Plugin};
use crate::endpoint::as_map;
use crate::server::Environment;
use crate::storage::{Place, Storage, StorageError};

const CLASSES: &str = "scheduling.k8s.io/priorityclasses";
const PREEMPT: &str = "PreemptLowerPriority";
const FROM_CLASS: &str = "must not be provided in pod spec; priority admission controller computed";

/// The plugin.
pub struct Priority {
    lookup: Lookup,
}

/// What a class gives to a pod.
struct Given {
    class: String,
    value: i64,
    preemption: Option<String>,
}

impl Given {
    fn of(class: &Value) -> Self {
        Self {
            class: meta::name(class).to_owned(),
            value: meta::at(class, "value").and_then(Value::as_i64).unwrap_or(0),
            preemption: class.get("preemptionPolicy").and_then(Value::as_str).map(str::to_owned),
        }
    }
}

impl Priority {
    /// A plugin that reads priority classes from `lookup`.
    pub fn new(lookup: Lookup) -> Self {
        Self { lookup }
    }

    /// The default class; of several, the one of the lowest value.
    fn default_class(&self) -> Option<Value> {
        let classes = self.lookup.all(CLASSES).into_iter();
        classes
            .filter(|class| class["globalDefault"] == true)
            .min_by_key(|class| class["value"].as_i64().unwrap_or(0))
    }

    async fn given(&self, attributes: &Attributes<'_>) -> Result<Given, Status> {
        let class = meta::text(attributes.object, "spec.priorityClassName");
        if class.is_empty() {
            let none = || Given { class: String::new(), value: 0, preemption: Some(PREEMPT.to_owned()) };
            return Ok(self.default_class().map_or_else(none, |class| Given::of(&class)));
        }
        let found = self.lookup.find(Place { prefix: CLASSES, key: class }).await?;
        let missing = || attributes.forbidden(format!("no PriorityClass with name {class} was found"));
        found.map(|class| Given::of(&class)).ok_or_else(missing)
    }

    async fn new_pod(&self, attributes: &mut Attributes<'_>) -> Result<(), Status> {
        let given = self.given(attributes).await?;
        let own = meta::at(attributes.object, "spec.priority").and_then(Value::as_i64);
        if let Some(own) = own.filter(|own| *own != given.value) {
            let value = given.value;
            return Err(attributes.forbidden(format!(
                "the integer value of priority ({own}) {FROM_CLASS} {value} from the given PriorityClass name"
            )));
        }
        let own = meta::text(attributes.object, "spec.preemptionPolicy");
        if let Some(policy) = given.preemption.as_ref().filter(|policy| !own.is_empty() && own != **policy) {
            return Err(attributes.forbidden(format!(
                "the string value of PreemptionPolicy ({own}) {FROM_CLASS} {policy} from the given PriorityClass name"
            )));
        }
        let spec = &mut attributes.object["spec"];
        if !given.class.is_empty() {
            spec["priorityClassName"] = json!(given.class);
        }
        spec["priority"] = json!(given.value);
        if let Some(policy) = given.preemption {
            spec["preemptionPolicy"] = json!(policy);
        }
        Ok(())
    }

    fn one_default(&self, attributes: &Attributes<'_>) -> Result<(), Status> {
        if attributes.object["globalDefault"] != true {
            return Ok(());
        }
        let Some(other) = self.default_class() else { return Ok(()) };
        let other = meta::name(&other);
        if attributes.operation == Operation::Update && other == meta::name(attributes.object) {
            return Ok(());
        }
        let why = format!("PriorityClass {other} is already marked as default. Only one default can exist");
        Err(attributes.forbidden(why))
    }
}

/// A pod keeps what it was given where an update leaves it out.
fn keep(attributes: &mut Attributes<'_>) {
    let Some(old) = attributes.old else { return };
    for field in ["priority", "preemptionPolicy"] {
        let before = &old["spec"][field];
        if attributes.object["spec"][field].is_null() && !before.is_null() {
            attributes.object["spec"][field] = before.clone();
        }
    }
}

impl Plugin for Priority {
    fn name(&self) -> &'static str {
        "Priority"
    }

    fn admit<'a>(&'a self, attributes: &'a mut Attributes<'_>) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(async move {
            match attributes.operation {
                Operation::Create if attributes.is("", "pods") => self.new_pod(attributes).await,
                Operation::Update if attributes.is("", "pods") => {
                    keep(attributes);
                    Ok(())
                }
                _ => Ok(()),
            }
        })
    }

    fn validate<'a>(&'a self, attributes: &'a mut Attributes<'_>) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(async move {
            let written = matches!(attributes.operation, Operation::Create | Operation::Update);
            if written && attributes.is("scheduling.k8s.io", "priorityclasses") {
                return self.one_default(attributes);
            }
            Ok(())
        })
    }
}

/// The two classes that every cluster has.
fn system_classes() -> [Value; 2] {
    let class = |name: &str, value: i64, description: &str| {
        json!({
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": {"name": name, "generation": 1},
            "value": value,
            "description": description,
            "preemptionPolicy": PREEMPT,
        })
    };
    [
        class(
            "system-node-critical",
            2_000_001_000,
            "Used for system critical pods that must not be moved from their current node.",
        ),
        class(
            "system-cluster-critical",
            2_000_000_000,
            "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.",
        ),
    ]
}

/// Makes the two system priority classes where they are absent.
///
/// # Errors
/// When the store fails.
pub async fn ensure_system_classes(storage: &Storage, environment: &Environment) -> Result<(), StorageError> {
    for mut class in system_classes() {
        meta::set_uid(&mut class, &environment.uid());
        meta::set_creation_timestamp(&mut class, Time::from((environment.now)()));
        let name = meta::name(&class).to_owned();
        let class = as_map(&class).expect("a class is an object");
        // One that is there already is left as it is.
        storage.create(Place { prefix: CLASSES, key: &name }, class).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strategy::strategy;

    #[test]
    fn system_classes_keep_the_rules_of_their_kind() {
        let rules = strategy("scheduling.k8s.io", "PriorityClass");
        for class in system_classes() {
            assert_eq!(rules.validate_create(&class), [], "{class}");
            let mut defaulted = class.clone();
            rules.default(&mut defaulted);
            assert_eq!(defaulted, class);
        }
    }
}
