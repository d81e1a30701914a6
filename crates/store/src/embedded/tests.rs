mod damage;
mod disk;
mod fault;
mod files;

pub(crate) use disk::Disk;

use std::sync::Arc;

use super::{Embedded, Options, open};
use crate::suite;

/// Opens a store on a disk of the test.
pub(crate) fn open_disk(disk: &Disk, options: Options) -> crate::Result<Embedded> {
    let place = open::Place::named("test disk");
    let db = open::database(&place, disk.clone(), options.cache_bytes)?;
    Embedded::start(place, db, options)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn passes_the_suite() {
    let directory = tempfile::tempdir().unwrap();
    let store = Embedded::open(directory.path(), Options::default()).unwrap();
    suite::run(Arc::new(store), "/suite").await;
}
