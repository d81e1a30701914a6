//! APIServices. Their rules are in [`crate::aggregate`].

use super::metadata::{self, Meta};
use super::{Generation, Strategy};
use crate::aggregate::definition;

/// The row of APIServices.
pub(super) static ROWS: &[Strategy] = &[Strategy {
    group: "apiregistration.k8s.io",
    kind: "APIService",
    generation: Generation::Absent,
    default: definition::default,
    prepare_create: super::drop_status,
    prepare_update: super::keep_status,
    prepare_status: super::only_status,
    validate: |object, faults| {
        Meta { name: api::meta::name::path_segment, ..Meta::CLUSTER }.check_extension(object, faults);
        faults.extend(definition::validate(object.value()));
    },
    validate_update: |new, old, faults| {
        metadata::check_update_common(new, old, faults);
        faults.extend(definition::validate(new.value()));
    },
    validate_status: metadata::check_update_common,
}];
