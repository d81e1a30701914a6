//! PriorityClasses and RuntimeClasses.

use api::meta::name;

use crate::strategy::field::{Faults, Field};
use crate::strategy::metadata::{self, Meta};
use crate::strategy::pod::placement;
use crate::strategy::tree::{fields_at, fill};
use crate::strategy::{Generation, Strategy, resource};

pub(super) const PRIORITY: Strategy = Strategy {
    group: "scheduling.k8s.io",
    kind: "PriorityClass",
    generation: Generation::OfContent,
    default: |class| {
        if let Some(fields) = class.as_object_mut() {
            fill(fields, "preemptionPolicy", "PreemptLowerPriority");
        }
    },
    validate: check_priority,
    validate_update: |new, old, faults| {
        metadata::check_update(new, old, faults);
        if new.number_at("value") != old.number_at("value") {
            faults.forbidden(&new.at("value"), "may not be changed in an update.");
        }
        faults.immutable(&new.at("preemptionPolicy"), &old.at("preemptionPolicy"));
    },
    ..Strategy::DEFAULT
};

fn check_priority(class: &Field<'_>, faults: &mut Faults) {
    const HIGHEST: i64 = 1_000_000_000;
    Meta::CLUSTER.check(class, faults);
    let (name, value) = (class.at("metadata.name"), class.at("value"));
    if name.text().starts_with("system-") {
        if let Some(fault) = system_fault(class) {
            let detail = format!(
                "priority class names with 'system-' prefix are reserved for system use only. error: {fault}"
            );
            faults.forbidden(&name, detail);
        }
    } else if value.number().unwrap_or(0) > HIGHEST {
        faults.forbidden(&value, format!("maximum allowed value of a user defined priority is {HIGHEST}"));
    }
    let policy = class.at("preemptionPolicy");
    if policy.is_set() {
        faults.one_of(&policy, &["PreemptLowerPriority", "Never"]);
    }
}

fn system_fault(class: &Field<'_>) -> Option<String> {
    const CRITICAL: i64 = 2_000_000_000;
    let name = class.text_at("metadata.name");
    let value = match name {
        "system-node-critical" => CRITICAL + 1000,
        "system-cluster-critical" => CRITICAL,
        _ => return Some(format!("{name} is not a known system priority class")),
    };
    if class.number_at("value") != value {
        return Some(format!("value of {name} PriorityClass must be {value}"));
    }
    class.is_true("globalDefault").then(|| format!("globalDefault of {name} PriorityClass must be false"))
}

pub(super) const RUNTIME: Strategy = Strategy {
    group: "node.k8s.io",
    kind: "RuntimeClass",
    default: |class| {
        if let Some(overhead) = fields_at(class, "overhead") {
            resource::canonical_list(overhead, "podFixed");
        }
    },
    validate: check_runtime,
    validate_update: |new, old, faults| {
        metadata::check_update(new, old, faults);
        faults.immutable(&new.at("handler"), &old.at("handler"));
    },
    ..Strategy::DEFAULT
};

fn check_runtime(class: &Field<'_>, faults: &mut Faults) {
    Meta::CLUSTER.check(class, faults);
    let handler = class.at("handler");
    faults.each(&handler, handler.text(), name::dns1123_label(handler.text()));
    let overhead = class.at("overhead");
    let shown = overhead.at("podFixed");
    let limits = shown.at("limits");
    for (name, amount) in shown.entries() {
        let at = limits.key(name);
        resource::container_resource_name(name, &at, faults);
        resource::check_amount_at(name, amount.value(), &at, faults);
    }
    let scheduling = class.at("scheduling");
    metadata::labels(&scheduling.at("nodeSelector"), faults);
    let tolerations = scheduling.at("tolerations");
    placement::tolerations(&tolerations, faults);
    for (index, toleration) in tolerations.items().enumerate() {
        if tolerations.list()[..index].contains(toleration.value()) {
            faults.duplicate(&toleration, toleration.value().clone());
        }
    }
}
