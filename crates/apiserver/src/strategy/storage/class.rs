//! StorageClasses.

use std::collections::BTreeMap;

use api::meta::name;
use serde_json::Value;

use crate::strategy::Strategy;
use crate::strategy::field::{Faults, Field};
use crate::strategy::metadata::{self, Meta};
use crate::strategy::tree::{self, same};

pub(super) const ROW: Strategy = Strategy {
    group: "storage.k8s.io",
    kind: "StorageClass",
    default: |class| {
        if let Some(fields) = class.as_object_mut() {
            tree::fill(fields, "reclaimPolicy", "Delete");
            tree::fill(fields, "volumeBindingMode", "Immediate");
        }
    },
    validate,
    validate_update,
    ..Strategy::DEFAULT
};

fn validate(class: &Field<'_>, faults: &mut Faults) {
    Meta::CLUSTER.check(class, faults);
    let provisioner = class.at("provisioner");
    if provisioner.text().is_empty() {
        faults.required(&provisioner, "");
    } else {
        let lower = provisioner.text().to_lowercase();
        faults.each(&provisioner, provisioner.text(), name::qualified_name(&lower));
    }
    check_parameters(&class.at("parameters"), faults);
    let policy = class.at("reclaimPolicy");
    if !policy.text().is_empty() && !matches!(policy.text(), "Delete" | "Retain") {
        faults.unsupported(&policy, &["Delete", "Retain"]);
    }
    let mode = class.at("volumeBindingMode");
    if mode.is_set() {
        faults.optional_one_of(&mode, &["Immediate", "WaitForFirstConsumer"]);
    } else {
        faults.required(&mode, "");
    }
    check_topologies(&class.at("allowedTopologies"), faults);
}

fn check_parameters(parameters: &Field<'_>, faults: &mut Faults) {
    const MAX_BYTES: usize = 256 * 1024;
    const MAX_COUNT: usize = 512;
    let count = parameters.map().map_or(0, serde_json::Map::len);
    if count > MAX_COUNT {
        return faults.too_long(parameters, MAX_COUNT);
    }
    let mut bytes = 0;
    for (key, value) in parameters.entries() {
        if key.is_empty() {
            faults.invalid(parameters, key, "field can not be empty.");
        }
        bytes += key.len() + value.text().len();
    }
    if bytes > MAX_BYTES {
        faults.too_long(parameters, MAX_BYTES);
    }
}

fn check_topologies(terms: &Field<'_>, faults: &mut Faults) {
    let mut seen: Vec<BTreeMap<String, Vec<Value>>> = Vec::new();
    for term in terms.items() {
        let expressions = term.at("matchLabelExpressions");
        let mut keys: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for expression in expressions.items() {
            let (key, values) = (expression.at("key"), expression.at("values"));
            if values.is_empty() {
                faults.required(&values, "");
            }
            for (index, value) in values.items().enumerate() {
                if values.list()[..index].contains(value.value()) {
                    faults.duplicate(&value, value.text());
                }
            }
            metadata::label_key(&key, key.text(), faults);
            if keys.contains_key(key.text()) {
                faults.duplicate(&key, key.text());
            }
            let mut sorted = values.list().to_vec();
            sorted.sort_by_key(ToString::to_string);
            keys.insert(key.text().to_owned(), sorted);
        }
        if seen.contains(&keys) {
            faults.duplicate(&expressions, "");
        }
        seen.push(keys);
    }
}

fn validate_update(new: &Field<'_>, old: &Field<'_>, faults: &mut Faults) {
    metadata::check_update(new, old, faults);
    for field in ["parameters", "provisioner", "reclaimPolicy"] {
        if !same(new.at(field).value(), old.at(field).value()) {
            faults.forbidden(&new.at(field), format!("updates to {field} are forbidden."));
        }
    }
    faults.immutable(&new.at("volumeBindingMode"), &old.at("volumeBindingMode"));
}
