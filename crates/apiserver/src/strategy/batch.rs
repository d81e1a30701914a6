//! Jobs and CronJobs.
//!
//! Sources: `pkg/apis/batch/{v1/defaults,validation}`, `pkg/registry/batch` of Kubernetes 1.36.

mod cron;
mod indexes;
mod job;
mod policy;
mod schedule;
mod status;

use super::Strategy;

/// The rows of batch workloads.
pub(super) static ROWS: &[Strategy] = &[job::ROW, cron::ROW];
