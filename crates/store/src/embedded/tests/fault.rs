//! Stops the disk at every write and every sync, and looks at what a restart finds.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::future::join_all;

use super::{Disk, open_disk};
use crate::embedded::{Embedded, Options};
use crate::{Durability, Op, Outcome, Revision, Store, StoreError, Txn};

/// A transaction handed to the store, and the revision if it was acknowledged.
#[derive(Clone, Debug)]
struct Handed {
    txn: Txn,
    acknowledged: Option<Revision>,
}

type Contents = BTreeMap<Bytes, Bytes>;

fn put(key: u32, value: u32, size: usize) -> Op {
    let mut bytes = format!("value {value} ").into_bytes();
    bytes.resize(size, b'.');
    Op::Put { key: format!("/key/{key:02}").into(), value: bytes.into() }
}

fn delete(key: u32) -> Op {
    Op::Delete { key: format!("/key/{key:02}").into() }
}

/// Rounds of transactions handed in together; a round without any compacts everything so far.
fn rounds() -> Vec<Vec<Txn>> {
    let now = |ops| Txn { compare: Vec::new(), ops, durability: Durability::Now };
    let later = |ops| Txn { compare: Vec::new(), ops, durability: Durability::NextBatch };
    vec![
        vec![now(vec![put(1, 1, 20)])],
        vec![now(vec![put(2, 2, 3000), put(3, 2, 10), put(1, 2, 20)])],
        vec![later(vec![put(4, 3, 100)])],
        vec![later(vec![put(4, 4, 100), delete(3)])],
        vec![now(vec![delete(2)]), later(vec![put(5, 5, 9000)]), now(vec![put(6, 5, 10), put(1, 5, 20)])],
        vec![],
        (0..8).map(|n| now(vec![put(10 + n, n, 600)])).collect(),
        vec![later(vec![delete(10), put(11, 9, 5)])],
        vec![now(vec![put(7, 10, 40_000)])],
        vec![],
        vec![now(vec![delete(7), delete(11)])],
        vec![later(vec![put(1, 11, 1)])],
    ]
}

/// Hands everything in, in order, until the first error.
async fn work(store: &Embedded) -> Vec<Handed> {
    let mut handed: Vec<Handed> = Vec::new();
    for round in rounds() {
        let outcome = if round.is_empty() {
            let latest = store.revision().await.unwrap();
            store.compact(latest).await
        } else {
            hand_in(store, round, &mut handed).await
        };
        if outcome.is_err() {
            break;
        }
    }
    handed
}

async fn hand_in(store: &Embedded, round: Vec<Txn>, handed: &mut Vec<Handed>) -> Result<(), StoreError> {
    let mut failed = Ok(());
    // join_all polls in order, and the first poll of a transaction queues it.
    for (txn, outcome) in round.iter().zip(join_all(round.iter().map(|txn| store.txn(txn.clone()))).await) {
        let acknowledged = match outcome {
            Ok(Outcome::Committed(revision)) => Some(revision),
            Ok(refused) => panic!("nothing here has a condition: {refused:?}"),
            Err(error) => {
                failed = Err(error);
                None
            }
        };
        handed.push(Handed { txn: txn.clone(), acknowledged });
    }
    failed
}

/// What a store holds after the first `count` transactions.
fn contents_after(handed: &[Handed], count: usize) -> Contents {
    let mut contents = Contents::new();
    for op in handed[..count].iter().flat_map(|handed| &handed.txn.ops) {
        match op {
            Op::Put { key, value } => contents.insert(key.clone(), value.clone()),
            Op::Delete { key } => contents.remove(key),
        };
    }
    contents
}

/// A restart must find the first so many transactions, whole, and every durable acknowledged one.
async fn check(disk: &Disk, handed: &[Handed], what: &str) {
    let store = open_disk(disk, Options::default()).unwrap_or_else(|error| panic!("{what}: {error:?}"));
    let page = store.list(Bytes::new(), None, 0).await.unwrap();
    let found: Contents = page.items.into_iter().map(|kv| (kv.key, kv.value)).collect();
    let promised =
        |handed: &Handed| handed.acknowledged.is_some() && handed.txn.durability == Durability::Now;
    let at_least = handed.iter().rposition(promised).map_or(0, |last| last + 1);
    let matches = (at_least..=handed.len()).any(|count| contents_after(handed, count) == found);
    assert!(
        matches,
        "{what}: after at least {at_least} of {} transactions, found {:?}",
        handed.len(),
        found.keys()
    );

    let seen = handed.iter().filter_map(|handed| handed.acknowledged).max().unwrap_or_default();
    let next = store.txn(Txn { ops: vec![put(99, 0, 1)], ..Txn::default() }).await.unwrap();
    assert!(matches!(next, Outcome::Committed(at) if at > seen), "{what}: {next:?} does not follow {seen}");
    let latest = store.revision().await.unwrap();
    store.compact(latest).await.unwrap_or_else(|error| panic!("{what}: {error:?}"));
}

/// An empty store, closed.
fn empty() -> Vec<u8> {
    let disk = Disk::default();
    drop(open_disk(&disk, Options::default()).unwrap());
    disk.image()
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_wherever_the_disk_stops() {
    let empty = empty();
    let mut finished = false;
    for stop in 0.. {
        let disk = Disk::holding(empty.clone());
        disk.stop_after(stop);
        let handed = match open_disk(&disk, Options::default()) {
            Ok(store) => work(&store).await,
            Err(_) => Vec::new(),
        };
        for (n, image) in disk.crashes(stop as u64).into_iter().enumerate() {
            check(&Disk::holding(image), &handed, &format!("stop {stop}, crash {n}")).await;
        }
        if !disk.stopped() {
            assert!(handed.iter().all(|handed| handed.acknowledged.is_some()));
            finished = true;
            assert!(stop > 50, "the work has more steps than {stop}");
            break;
        }
    }
    assert!(finished);
}

#[tokio::test]
async fn a_recovery_that_is_stopped_is_recovered() {
    let disk = Disk::holding(empty());
    let store = open_disk(&disk, Options::default()).unwrap();
    let handed = work(&store).await;
    let crashed = disk.crashes(1);
    drop(store);
    for (n, image) in crashed.into_iter().enumerate() {
        for stop in 0.. {
            let disk = Disk::holding(image.clone());
            disk.stop_after(stop);
            drop(open_disk(&disk, Options::default()));
            for (m, image) in disk.crashes(stop as u64).into_iter().enumerate() {
                check(&Disk::holding(image), &handed, &format!("crash {n}, stop {stop}, crash {m}")).await;
            }
            if !disk.stopped() {
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_failed_commit_stops_the_store_by_name() {
    use futures::StreamExt;

    let disk = Disk::holding(empty());
    let store = open_disk(&disk, Options::default()).unwrap();
    let mut watch = store.watch(Bytes::new(), Revision(1));
    disk.stop_after(0);
    let txn = || Txn { ops: vec![put(1, 1, 1)], ..Txn::default() };
    for _ in 0..2 {
        let error = store.txn(txn()).await.unwrap_err();
        assert!(
            matches!(&error, StoreError::Failed { path, .. } if path.ends_with("test disk")),
            "{error:?}"
        );
    }
    assert!(watch.next().await.unwrap().is_ok(), "the watch had caught up");
    assert!(matches!(watch.next().await, Some(Err(StoreError::Failed { .. }))));
    assert!(matches!(store.get("/key/01".into()).await, Err(StoreError::Failed { .. })));
}
