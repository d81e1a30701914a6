//! PersistentVolumeClaims, PersistentVolumes, StorageClasses, CSIDrivers and VolumeAttachments.
//!
//! Sources: `pkg/apis/core/validation`, `pkg/apis/storage/validation` of Kubernetes 1.36.

pub(crate) mod claim;
mod class;
mod driver;
mod volume;

use super::Strategy;

/// The rows of storage.
pub(super) static ROWS: &[Strategy] =
    &[claim::ROW, volume::ROW, class::ROW, driver::DRIVER, driver::ATTACHMENT];
