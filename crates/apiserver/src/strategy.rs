//! What kube-apiserver does per kind when an object is created or changed: defaults, what users cannot set,
//! what must be right.
//!
//! ```text
//! decode -> default -> (mutating admission) -> prepare_* -> validate_* -> store
//! ```
//!
//! Everything here is a pure function over an object's tree: no I/O, no clock. One static row per kind that
//! differs from [`DEFAULT`](Strategy), found by [`strategy`]; what is the same for all kinds is in
//! `strategy/metadata.rs`. Defaulting works on the tree; validation reads it through a cursor that carries the
//! field's path, and never writes.
//!
//! Source: Kubernetes 1.36 `pkg/apis/*/{v1/defaults,validation}`, `pkg/registry/*/strategy`, with every feature
//! gate at its default.

mod access;
mod batch;
mod certificate;
mod control;
pub(crate) mod definition;
mod difference;
mod field;
pub(crate) mod format;
mod metadata;
mod network;
mod plain;
mod pod;
mod resource;
mod service;
mod storage;
pub(crate) mod tree;
mod workload;

use api::status::FieldError;
use serde_json::Value;

use field::{Faults, Field};
use metadata::Meta;

/// How often a kind's `metadata.generation` moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Generation {
    /// The kind has none of its own.
    Absent,
    /// When `spec` changes.
    OfSpec,
    /// When `spec` or an annotation changes.
    OfSpecAndAnnotations,
    /// When anything but metadata and status changes.
    OfContent,
}

/// What happens to objects of one kind: one row of the table.
#[derive(Debug)]
pub struct Strategy {
    /// The API group, `""` for core.
    pub group: &'static str,
    /// The kind.
    pub kind: &'static str,
    generation: Generation,
    default: fn(&mut Value),
    prepare_create: fn(&mut Value),
    prepare_update: fn(&mut Value, &Value),
    prepare_status: fn(&mut Value, &Value),
    validate: fn(&Field<'_>, &mut Faults),
    validate_update: fn(&Field<'_>, &Field<'_>, &mut Faults),
    validate_status: fn(&Field<'_>, &Field<'_>, &mut Faults),
}

impl Strategy {
    /// Metadata only: kinds without rules of their own, and custom resources.
    const DEFAULT: Self = Self {
        group: "",
        kind: "",
        generation: Generation::Absent,
        default: |_| {},
        prepare_create: |_| {},
        prepare_update: |_, _| {},
        prepare_status: only_status,
        validate: |object, faults| {
            Meta { scope: metadata::Scope::Either, ..Meta::CLUSTER }.check(object, faults);
        },
        validate_update: metadata::check_update,
        validate_status: metadata::check_update,
    };

    /// Fills in what a client left out, as Kubernetes stores it. Idempotent.
    pub fn default(&self, object: &mut Value) {
        (self.default)(object);
    }

    /// Readies an object for its creation: drops what users cannot set, derives what follows from the rest.
    ///
    /// The object must be defaulted and have its name, namespace and uid.
    pub fn prepare_create(&self, object: &mut Value) {
        (self.prepare_create)(object);
        if self.generation != Generation::Absent {
            metadata::first_generation(object);
        }
    }

    /// Readies an object for an update: keeps of `old` what users cannot change, and counts the generation.
    pub fn prepare_update(&self, new: &mut Value, old: &Value) {
        (self.prepare_update)(new, old);
        metadata::carry_over(new, old);
        match self.generation {
            Generation::Absent => {}
            Generation::OfSpec => metadata::next_generation(new, old, &["/spec"]),
            Generation::OfSpecAndAnnotations => {
                metadata::next_generation(new, old, &["/spec", "/metadata/annotations"]);
            }
            Generation::OfContent => metadata::next_generation(new, old, &[]),
        }
    }

    /// Readies an object for an update through `/status`: only the status, and such metadata as Kubernetes lets
    /// through, comes from `new`.
    pub fn prepare_status_update(&self, new: &mut Value, old: &Value) {
        (self.prepare_status)(new, old);
        metadata::carry_over(new, old);
        tree::keep(&mut new["metadata"], &old["metadata"], "generation");
    }

    /// What is wrong with an object that is to be created, in Kubernetes' order and words.
    pub fn validate_create(&self, object: &Value) -> Vec<FieldError> {
        let mut faults = Faults::default();
        (self.validate)(&Field::root(object), &mut faults);
        faults.into_vec()
    }

    /// What is wrong with an update.
    ///
    /// As in Kubernetes, faults of metadata are found twice, by the registry and by the kind's own rules: the
    /// message of a Status names each once, its causes name both.
    pub fn validate_update(&self, new: &Value, old: &Value) -> Vec<FieldError> {
        changed(self.validate_update, new, old)
    }

    /// What is wrong with an update through `/status`.
    pub fn validate_status_update(&self, new: &Value, old: &Value) -> Vec<FieldError> {
        changed(self.validate_status, new, old)
    }
}

fn changed(rules: fn(&Field<'_>, &Field<'_>, &mut Faults), new: &Value, old: &Value) -> Vec<FieldError> {
    let mut faults = Faults::default();
    let (new, old) = (Field::root(new), Field::root(old));
    metadata::check_update_common(&new, &old, &mut faults);
    rules(&new, &old, &mut faults);
    faults.into_vec()
}

static DEFAULT: Strategy = Strategy::DEFAULT;

/// The strategy of a kind; the one for metadata only where the kind has none of its own.
pub fn strategy(group: &str, kind: &str) -> &'static Strategy {
    let rows = TABLE.iter().copied();
    rows.flatten().find(|row| row.kind == kind && row.group == group).unwrap_or(&DEFAULT)
}

/// The rows, by area.
static TABLE: &[&[Strategy]] = &[
    pod::ROWS,
    plain::ROWS,
    service::ROWS,
    workload::ROWS,
    batch::ROWS,
    network::ROWS,
    storage::ROWS,
    access::ROWS,
    control::ROWS,
    certificate::ROWS,
    definition::ROWS,
];

/// Everything but metadata and status stays as it was.
fn only_status(new: &mut Value, old: &Value) {
    let Some(fields) = new.as_object_mut() else { return };
    let is_content = |name: &str| !matches!(name, "metadata" | "status" | "kind" | "apiVersion");
    fields.retain(|name, _| !is_content(name));
    for (name, value) in old.as_object().into_iter().flatten().filter(|(name, _)| is_content(name)) {
        fields.insert(name.clone(), value.clone());
    }
}

/// A new object has no status yet.
fn drop_status(object: &mut Value) {
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
}

/// The status changes through `/status` only.
fn keep_status(new: &mut Value, old: &Value) {
    tree::keep(new, old, "status");
}

#[cfg(test)]
mod tests;
