//! How a workload moves to a new template: numbers or percentages of its pods.

use crate::strategy::field::{Faults, Field};
use crate::strategy::format;

/// Finds what is wrong with a number or percentage.
pub(crate) fn check(at: &Field<'_>, faults: &mut Faults) {
    if at.value().is_string() {
        faults.each(at, at.text(), format::percent(at.text()));
    } else {
        faults.nonnegative(at);
    }
}

/// Finds a percentage above 100.
pub(crate) fn check_at_most_all(at: &Field<'_>, faults: &mut Faults) {
    if format::percent_of(at.text()).is_some_and(|percent| percent > 100) {
        faults.wrong_text(at, "must not be greater than 100%");
    }
}

/// The number, or the number of a percentage.
pub(crate) fn amount(at: &Field<'_>) -> i64 {
    at.number().or_else(|| format::percent_of(at.text())).or_else(|| at.text().parse().ok()).unwrap_or(0)
}
