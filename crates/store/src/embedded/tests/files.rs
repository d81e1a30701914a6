//! The file and its directory: modes, locks, what is refused.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use bytes::Bytes;
use redb::{Database, TableDefinition};

use crate::embedded::{Embedded, Options, tables};
use crate::{Durability, Op, Outcome, Revision, Store, StoreError, Txn};

fn open(directory: &Path) -> crate::Result<Embedded> {
    Embedded::open(directory, Options::default())
}

async fn put(store: &Embedded, key: &'static str, durability: Durability) -> Revision {
    let ops = vec![Op::Put { key: key.into(), value: Bytes::from_static(b"value") }];
    match store.txn(Txn { compare: Vec::new(), ops, durability }).await.unwrap() {
        Outcome::Committed(at) => at,
        refused => panic!("nothing here has a condition: {refused:?}"),
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn a_store_survives_being_closed() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("a/store");
    let store = open(&directory).unwrap();
    assert_eq!(store.revision().await.unwrap(), Revision(0));
    let first = put(&store, "a", Durability::Now).await;
    let second = put(&store, "b", Durability::NextBatch).await;
    assert_eq!((first, second), (Revision(1), Revision(2)));
    drop(store);
    let store = open(&directory).unwrap();
    assert_eq!(store.revision().await.unwrap(), second, "a clean end leaves no gap");
    assert_eq!(store.get("b".into()).await.unwrap().unwrap().modified, second);
    assert_eq!(put(&store, "c", Durability::Now).await, Revision(3));
}

#[tokio::test]
async fn only_the_owner_may_read() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("store");
    drop(open(&directory).unwrap());
    assert_eq!((mode(&directory), mode(&directory.join("store.redb"))), (0o700, 0o600));
    fs::set_permissions(directory.join("store.redb"), fs::Permissions::from_mode(0o644)).unwrap();
    let store = open(&directory).unwrap();
    assert_eq!(mode(&directory.join("store.redb")), 0o600);
    assert!(store.size().await.unwrap() > 0);
}

#[tokio::test]
async fn a_second_open_is_refused_until_the_first_is_closed() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).unwrap();
    let watch = store.watch(Bytes::new(), Revision(1));
    let error = open(directory.path()).unwrap_err();
    assert!(matches!(&error, StoreError::InUse { path } if path == directory.path()), "{error:?}");
    drop(store);
    open(directory.path()).expect("a watch that is left over does not keep the store open");
    drop(watch);
}

#[tokio::test]
async fn a_watch_ends_with_the_store() {
    use futures::StreamExt;

    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).unwrap();
    put(&store, "a", Durability::Now).await;
    let live = store.watch(Bytes::new(), Revision(2));
    let past = store.watch(Bytes::new(), Revision(1));
    drop(store);
    for watch in [live, past] {
        let items: Vec<_> = watch.collect().await;
        assert!(matches!(items.last(), Some(Err(StoreError::Closed))), "{items:?}");
    }
}

#[tokio::test]
async fn events_are_queued_before_the_writer_is_answered() {
    use futures::{FutureExt, StreamExt};

    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).unwrap();
    let mut watch = store.watch(Bytes::new(), Revision(1));
    watch.next().now_or_never().expect("a new watch at the end of the log has caught up");
    for durability in [Durability::Now, Durability::NextBatch] {
        let at = put(&store, "a", durability).await;
        let batch = watch.next().now_or_never().unwrap().unwrap().unwrap();
        assert_eq!((batch.revision, batch.events.len()), (at, 1));
    }
}

#[tokio::test]
async fn compaction_leaves_only_rows_that_are_needed() {
    use redb::{ReadableDatabase, ReadableTableMetadata};

    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).unwrap();
    for _ in 0..400 {
        put(&store, "a", Durability::NextBatch).await;
        put(&store, "b", Durability::NextBatch).await;
    }
    store.txn(Txn { ops: vec![Op::Delete { key: "b".into() }], ..Txn::default() }).await.unwrap();
    let latest = store.revision().await.unwrap();
    store.compact(latest).await.unwrap();
    let rows = store.shared.db.begin_read().unwrap().open_table(tables::DATA).unwrap().len().unwrap();
    assert_eq!(rows, 1);
}

type Make<'a> = &'a dyn Fn(&Path);

/// What is in the file, and what the refusal says.
#[test]
fn what_is_no_store_of_ours_is_refused_by_name() {
    let foreign = |path: &Path| {
        let table: TableDefinition<'_, u64, u64> = TableDefinition::new("theirs");
        let tx = Database::create(path).unwrap().begin_write().unwrap();
        tx.open_table(table).unwrap();
        tx.commit().unwrap();
    };
    let newer = |path: &Path| {
        drop(open(path.parent().unwrap()).unwrap());
        let tx = Database::create(path).unwrap().begin_write().unwrap();
        tx.open_table(tables::META).unwrap().insert("format", 7).unwrap();
        tx.commit().unwrap();
    };
    let table: [(Make<'_>, &str); 4] = [
        (&|path| fs::write(path, b"").unwrap(), "is damaged or is not a store"),
        (&|path| fs::write(path, b"a letter to my landlord").unwrap(), "is damaged or is not a store"),
        (&foreign, "is damaged or is not a store"),
        (&newer, "has store format 7 and this program knows formats up to 1"),
    ];
    for (make, expected) in table {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("store.redb");
        make(&file);
        let error = open(directory.path()).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{} {expected}", file.display())), "{error}");
    }
}

#[test]
fn an_unfinished_creation_is_begun_again() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("store.redb.new"), [0; 4096]).unwrap();
    drop(open(directory.path()).unwrap());
    assert!(!directory.path().join("store.redb.new").exists());
}
