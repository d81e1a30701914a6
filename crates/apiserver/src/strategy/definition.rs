//! CustomResourceDefinitions. Their rules are in [`crate::custom`].

use super::metadata::{self, Meta, Scope};
use super::{Generation, Strategy};
use crate::custom::definition;

/// The row of CustomResourceDefinitions.
pub(super) static ROWS: &[Strategy] = &[Strategy {
    group: "apiextensions.k8s.io",
    kind: "CustomResourceDefinition",
    generation: Generation::Absent,
    default: definition::default,
    prepare_create: definition::prepare_create,
    prepare_update: definition::prepare_update,
    prepare_status: super::only_status,
    validate: |object, faults| {
        Meta::CLUSTER.check_extension(object, faults);
        faults.extend(definition::validate(object.value()));
    },
    validate_update: |new, old, faults| {
        metadata::check_update_common(new, old, faults);
        faults.extend(definition::validate_update(new.value(), old.value()));
    },
    validate_status: |new, old, faults| {
        metadata::check_update_common(new, old, faults);
        faults.extend(definition::validate_status(new.value()));
    },
}];

/// The rules of every custom resource, besides those of its schema.
pub(crate) static CUSTOM: Strategy = Strategy {
    validate: |object, faults| {
        Meta { scope: Scope::Either, ..Meta::CLUSTER }.check_extension(object, faults);
    },
    validate_update: metadata::check_update_common,
    validate_status: metadata::check_update_common,
    ..Strategy::DEFAULT
};
