//! Flips bytes of a closed store: it opens with all its data, or is refused by name.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;

use super::{Disk, open_disk};
use crate::embedded::{Options, read};
use crate::{KeyValue, Op, Revision, Store, StoreError, Txn};

async fn filled() -> Vec<u8> {
    let disk = Disk::default();
    let store = open_disk(&disk, Options::default()).unwrap();
    for n in 0..60_u32 {
        let key = format!("/key/{:02}", n % 40).into();
        let value = vec![b'v'; 40 * n as usize].into();
        store.txn(Txn { ops: vec![Op::Put { key, value }], ..Txn::default() }).await.unwrap();
    }
    store.compact(Revision(30)).await.unwrap();
    drop(store);
    disk.image()
}

/// All pairs and the number of events in the log, or the refusal.
fn contents(image: Vec<u8>) -> Result<(Vec<KeyValue>, usize), StoreError> {
    let store = open_disk(&Disk::holding(image), Options::default())?;
    let page = read::list(&store.shared, &Bytes::new(), None, 0)?;
    let log = read::replay(&store.shared, &Bytes::new(), Revision(31), page.revision)?;
    Ok((page.items, log.events.len()))
}

#[tokio::test]
async fn a_flipped_byte_is_harmless_or_refused() {
    let image = filled().await;
    let intact = contents(image.clone()).unwrap();
    assert_eq!((intact.0.len(), intact.1), (40, 30));
    let mut refused = 0;
    for offset in (0..512).chain((512..image.len()).step_by(101)) {
        let mut image = image.clone();
        image[offset] ^= 0x55;
        match catch_unwind(AssertUnwindSafe(|| contents(image))) {
            Ok(Ok(found)) => assert!(found == intact, "a byte flipped at {offset} changed the contents"),
            Ok(Err(StoreError::Damaged { path, .. })) => {
                assert!(path.ends_with("test disk"));
                refused += 1;
            }
            Ok(Err(other)) => panic!("a byte flipped at {offset} gave {other:?}"),
            Err(_) => panic!("a byte flipped at {offset} made the engine panic"),
        }
    }
    assert!(refused > 50, "only {refused} flipped bytes were refused");
}

#[tokio::test]
async fn a_shortened_file_is_refused() {
    let image = filled().await;
    for len in [1, 100, 4096, image.len() / 2, image.len() - 4096] {
        let found = contents(image[..len].to_vec());
        assert!(matches!(found, Err(StoreError::Damaged { .. })), "{len} bytes: {found:?}");
    }
}
