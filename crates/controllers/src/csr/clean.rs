//! Which requests are old enough to go.

use std::time::Duration;

use k8s_openapi::api::certificates::v1::{CertificateSigningRequest, CertificateSigningRequestCondition};
use k8s_openapi::jiff::Timestamp;

use super::{certificate, condition, sign};
use crate::plan::{Action, Plan};
use crate::pod::age;

/// After approval, denial or failure.
const DECIDED: Duration = Duration::from_secs(3600);
/// For a request that nobody decides about.
const PENDING: Duration = Duration::from_secs(24 * 3600);

/// Deletes a request an hour after it was decided, a day after its creation where it never was, and
/// when its certificate has expired; else looks again when that will be.
pub fn plan(csr: &CertificateSigningRequest, now: Timestamp) -> Plan {
    let mut plan = Plan::default();
    match left(csr, now) {
        None => {}
        Some(left) if left.is_zero() => plan.then(vec![Action::delete(csr)]),
        Some(left) => plan.within(left),
    }
    plan
}

fn left(csr: &CertificateSigningRequest, now: Timestamp) -> Option<Duration> {
    let since = |condition: &CertificateSigningRequestCondition| {
        condition.last_update_time.as_ref().or(condition.last_transition_time.as_ref()).map(|time| time.0)
    };
    let issued = condition(csr, "Approved").filter(|_| certificate(csr).is_some());
    let decided: Vec<_> =
        issued.into_iter().chain(condition(csr, "Denied")).chain(condition(csr, "Failed")).collect();
    let by_decision = decided
        .iter()
        .filter_map(|condition| since(condition))
        .map(|at| DECIDED.saturating_sub(age(at, now)));
    let undecided = condition(csr, "Approved").is_none() && decided.is_empty();
    let created = csr.metadata.creation_timestamp.as_ref().filter(|_| undecided);
    let by_age = created.map(|created| PENDING.saturating_sub(age(created.0, now)));
    let expiry = certificate(csr).and_then(sign::not_after);
    let by_expiry = expiry.map(|at| Duration::from_secs(u64::try_from(at - now.as_second()).unwrap_or(0)));
    by_decision.chain(by_age).chain(by_expiry).min()
}
