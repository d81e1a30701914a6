//! Namespaces.

use api::meta::name;
use serde_json::{Value, json};

use super::LABEL;
use crate::strategy::field::{Faults, Field};
use crate::strategy::metadata::{self, Meta, Scope};
use crate::strategy::tree::{self, fill, fill_zero, make};
use crate::strategy::{Strategy, only_status};

pub(super) const ROW: Strategy = Strategy {
    kind: "Namespace",
    default,
    prepare_create,
    prepare_update: |new, old| {
        // Finalizers change through `/finalize` only.
        tree::keep(new, old, "spec");
        tree::keep(new, old, "status");
        label(new);
    },
    prepare_status: |new, old| {
        only_status(new, old);
        label(new);
    },
    validate: |namespace, faults| {
        Meta { scope: Scope::Cluster, name: LABEL }.check(namespace, faults);
        check_finalizers(&namespace.at("spec.finalizers"), faults);
    },
    validate_status,
    ..Strategy::DEFAULT
};

fn default(namespace: &mut Value) {
    label(namespace);
    if let Some(fields) = namespace.as_object_mut() {
        fill(fields, "spec", json!({}));
        make(fields, "status").into_iter().for_each(|status| fill_zero(status, "phase", "Active"));
    }
}

/// Every namespace is labelled with its name, so that selectors can name it.
fn label(namespace: &mut Value) {
    let name = api::meta::name(namespace).to_owned();
    if !name.is_empty() {
        api::meta::set_label(namespace, "kubernetes.io/metadata.name", &name);
    }
}

fn prepare_create(namespace: &mut Value) {
    label(namespace);
    let Some(fields) = namespace.as_object_mut() else { return };
    fields.insert("status".into(), json!({"phase": "Active"}));
    let Some(spec) = make(fields, "spec") else { return };
    fill(spec, "finalizers", json!([]));
    if let Some(finalizers) = spec.get_mut("finalizers").and_then(Value::as_array_mut) {
        let own = Value::from("kubernetes");
        if !finalizers.contains(&own) {
            finalizers.push(own);
        }
    }
}

fn check_finalizers(finalizers: &Field<'_>, faults: &mut Faults) {
    for finalizer in finalizers.items() {
        let text = finalizer.text();
        faults.each(finalizers, text, name::qualified_name(text));
        metadata::standard_finalizer(&finalizer.moved_to(finalizers), faults);
    }
}

fn validate_status(new: &Field<'_>, old: &Field<'_>, faults: &mut Faults) {
    metadata::check_update(new, old, faults);
    let (wanted, state) =
        if new.has("metadata.deletionTimestamp") { ("Terminating", "is not") } else { ("Active", "is") };
    if new.text_at("status.phase") != wanted {
        let detail = format!("may only be '{wanted}' if `deletionTimestamp` {state} empty");
        faults.invalid(&new.at("status.Phase"), new.text_at("status.phase"), detail);
    }
}
