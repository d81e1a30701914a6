//! Cases: conditions, atomicity, concurrent writers, unusual keys and values.

use bytes::Bytes;
use futures::future::join_all;

use super::{Bench, committed, refused, table, text};
use crate::{Durability, Expect, KeyValue, Op, Outcome, Revision, StoreError, Txn};

table![
    create_only_where_absent,
    update_only_at_the_expected_revision,
    delete_only_at_the_expected_revision,
    put_without_a_condition,
    delete_of_an_absent_key_changes_nothing,
    many_ops_are_one_revision,
    a_refusal_changes_nothing,
    several_compares_must_all_hold,
    readers_never_see_half_a_transaction,
    concurrent_increments_are_not_lost,
    empty_and_big_values,
    keys_are_bytes,
    invalid_transactions_are_refused,
    next_batch_is_visible_at_once,
];

async fn create_only_where_absent(bench: Bench) {
    let created = committed(Ok(bench.apply_if(bench.expect("a", Expect::Absent), bench.put("a", "1")).await));
    let pair = KeyValue { key: bench.key("a"), value: "1".into(), created, modified: created };
    assert_eq!(bench.get("a").await, Some(pair.clone()));
    let again = bench.apply_if(bench.expect("a", Expect::Absent), bench.put("a", "2")).await;
    assert_eq!(refused(again), [Some(pair.clone())]);
    assert_eq!(bench.get("a").await, Some(pair));
}

async fn update_only_at_the_expected_revision(bench: Bench) {
    let absent = bench.apply_if(bench.expect("a", Expect::At(Revision(1))), bench.put("a", "0")).await;
    assert_eq!(refused(absent), [None]);
    let created = bench.apply(vec![bench.put("a", "1")]).await;
    let update = bench.apply_if(bench.expect("a", Expect::At(created)), bench.put("a", "2")).await;
    let modified = committed(Ok(update));
    assert!(modified > created);
    let pair = KeyValue { key: bench.key("a"), value: "2".into(), created, modified };
    let stale = bench.apply_if(bench.expect("a", Expect::At(created)), bench.put("a", "3")).await;
    assert_eq!(refused(stale), [Some(pair.clone())]);
    assert_eq!(bench.get("a").await, Some(pair));
}

async fn delete_only_at_the_expected_revision(bench: Bench) {
    let first = bench.apply(vec![bench.put("a", "1")]).await;
    let second = bench.apply(vec![bench.put("a", "2")]).await;
    let stale = bench.apply_if(bench.expect("a", Expect::At(first)), bench.delete("a")).await;
    assert_eq!(refused(stale)[0].as_ref().map(|kv| kv.modified), Some(second));
    let deleted =
        committed(Ok(bench.apply_if(bench.expect("a", Expect::At(second)), bench.delete("a")).await));
    assert_eq!(bench.get("a").await, None);
    let again = bench.apply(vec![bench.put("a", "3")]).await;
    assert!(again > deleted);
    assert_eq!(bench.get("a").await.map(|kv| (kv.created, kv.modified)), Some((again, again)));
}

async fn put_without_a_condition(bench: Bench) {
    let created = bench.apply(vec![bench.put("a", "1")]).await;
    let modified = bench.apply(vec![bench.put("a", "1")]).await;
    assert!(modified > created, "the same value again is a change");
    assert_eq!(bench.get("a").await.map(|kv| (kv.created, kv.modified)), Some((created, modified)));
}

async fn delete_of_an_absent_key_changes_nothing(bench: Bench) {
    let before = bench.apply(vec![bench.put("a", "1")]).await;
    bench.apply(vec![bench.delete("absent")]).await;
    bench.apply(vec![]).await;
    let after = bench.apply(vec![bench.put("b", "1"), bench.delete("absent")]).await;
    let events = bench.events(before, after).await;
    assert_eq!(
        bench.told(&events),
        [("a".into(), Some("1".into()), before), ("b".into(), Some("1".into()), after)]
    );
}

async fn many_ops_are_one_revision(bench: Bench) {
    let first = bench.apply(vec![bench.put("b", "1"), bench.put("c", "1")]).await;
    let second = bench.apply(vec![bench.put("d", "2"), bench.delete("c"), bench.put("b", "2")]).await;
    let told = bench.told(&bench.events(first.next(), second).await);
    let expected = [
        ("d".into(), Some("2".into()), second),
        ("c".into(), None, second),
        ("b".into(), Some("2".into()), second),
    ];
    assert_eq!(told, expected, "events come in the order of the ops");
    assert_eq!(bench.named().await, [("b".into(), "2".into()), ("d".into(), "2".into())]);
}

async fn a_refusal_changes_nothing(bench: Bench) {
    let first = bench.apply(vec![bench.put("a", "1")]).await;
    let compare = vec![bench.expect("a", Expect::Absent)];
    let outcome = bench.txn(compare, vec![bench.put("b", "2"), bench.delete("a")]).await;
    assert_eq!(refused(outcome.expect("the engine works")).len(), 1);
    let last = bench.apply(vec![bench.put("c", "3")]).await;
    let told = bench.told(&bench.events(first, last).await);
    assert_eq!(told, [("a".into(), Some("1".into()), first), ("c".into(), Some("3".into()), last)]);
}

async fn several_compares_must_all_hold(bench: Bench) {
    let at = bench.apply(vec![bench.put("a", "1"), bench.put("b", "1")]).await;
    let compares =
        |b| vec![bench.expect("a", Expect::At(at)), bench.expect("b", b), bench.expect("c", Expect::Absent)];
    let outcome = bench.txn(compares(Expect::Absent), vec![bench.put("c", "1")]).await;
    let now = refused(outcome.expect("the engine works"));
    let values: Vec<_> = now.iter().map(|kv| kv.as_ref().map(|kv| text(&kv.value))).collect();
    assert_eq!(values, [Some("1".into()), Some("1".into()), None]);
    committed(bench.txn(compares(Expect::At(at)), vec![bench.put("c", "1")]).await);
}

async fn readers_never_see_half_a_transaction(bench: Bench) {
    bench.apply(vec![bench.put("x", "0"), bench.put("y", "0")]).await;
    let writer = {
        let bench = bench.clone();
        tokio::spawn(async move {
            for n in 1..100 {
                bench.apply(vec![bench.put("x", &n.to_string()), bench.put("y", &n.to_string())]).await;
            }
        })
    };
    while !writer.is_finished() {
        let pairs = bench.all(0).await;
        assert_eq!(pairs[0].value, pairs[1].value);
        assert_eq!(pairs[0].modified, pairs[1].modified);
        tokio::task::yield_now().await;
    }
    writer.await.expect("the writer does not panic");
}

async fn concurrent_increments_are_not_lost(bench: Bench) {
    const WRITERS: u64 = 16;
    const INCREMENTS: u64 = 10;
    bench.apply(vec![bench.put("n", "0")]).await;
    let writers = (0..WRITERS).map(|_| {
        let bench = bench.clone();
        tokio::spawn(async move {
            let mut revisions = Vec::new();
            for _ in 0..INCREMENTS {
                revisions.push(increment(&bench).await);
            }
            revisions
        })
    });
    let mut revisions: Vec<Revision> = Vec::new();
    for writer in join_all(writers).await {
        revisions.extend(writer.expect("a writer does not panic"));
    }
    assert_eq!(bench.named().await, [("n".into(), (WRITERS * INCREMENTS).to_string())]);
    revisions.sort_unstable();
    revisions.dedup();
    assert_eq!(revisions.len() as u64, WRITERS * INCREMENTS, "two transactions had the same revision");
}

async fn increment(bench: &Bench) -> Revision {
    loop {
        let now = bench.get("n").await.expect("the counter exists");
        let next = text(&now.value).parse::<u64>().expect("the counter is a number") + 1;
        let compare = bench.expect("n", Expect::At(now.modified));
        if let Outcome::Committed(at) = bench.apply_if(compare, bench.put("n", &next.to_string())).await {
            return at;
        }
    }
}

async fn empty_and_big_values(bench: Bench) {
    let big = Bytes::from(vec![0xa5; 1 << 20]);
    let first = bench.apply(vec![bench.put("empty", "")]).await;
    let last = bench.apply(vec![Op::Put { key: bench.key("big"), value: big.clone() }]).await;
    assert_eq!(bench.get("empty").await.map(|kv| kv.value), Some(Bytes::new()));
    assert_eq!(bench.get("big").await.map(|kv| kv.value), Some(big.clone()));
    let events = bench.events(first, last).await;
    let values: Vec<_> = events.into_iter().map(|event| event.value).collect();
    assert_eq!(values, [Some(Bytes::new()), Some(big)]);
}

async fn keys_are_bytes(bench: Bench) {
    let tails: [&[u8]; 5] = [b"\0", b"\0\0", b"a\0b", b"\xfe\xff", b"\xff\xff"];
    let key = |tail: &[u8]| Bytes::from([bench.prefix.as_bytes(), tail].concat());
    let ops =
        tails.iter().map(|tail| Op::Put { key: key(tail), value: Bytes::copy_from_slice(tail) }).collect();
    bench.apply(ops).await;
    let values: Vec<_> = bench.all(2).await.into_iter().map(|kv| kv.value).collect();
    assert_eq!(values, tails, "keys are ordered as bytes");
}

async fn invalid_transactions_are_refused(bench: Bench) {
    let empty = Op::Put { key: Bytes::new(), value: Bytes::new() };
    let long = Op::Delete { key: Bytes::from(vec![b'k'; crate::limits::KEY_BYTES + 1]) };
    let huge = Op::Put { key: bench.key("huge"), value: vec![0; crate::limits::TXN_BYTES].into() };
    let many = (0..=crate::limits::TXN_OPS).map(|n| bench.put(&n.to_string(), "")).collect();
    let twice = vec![bench.put("a", "1"), bench.delete("a")];
    for ops in [vec![empty], vec![long], vec![huge], many, twice] {
        let outcome = bench.txn(Vec::new(), ops).await;
        assert!(matches!(outcome, Err(StoreError::Invalid { .. })), "{outcome:?}");
    }
    assert_eq!(bench.named().await, []);
}

async fn next_batch_is_visible_at_once(bench: Bench) {
    let txn = |ops| Txn { compare: Vec::new(), ops, durability: Durability::NextBatch };
    let first = committed(bench.store.txn(txn(vec![bench.put("a", "1")])).await);
    assert_eq!(bench.get("a").await.map(|kv| kv.modified), Some(first));
    let second = bench.apply(vec![bench.put("b", "2")]).await;
    let third = committed(bench.store.txn(txn(vec![bench.delete("a")])).await);
    let told = bench.told(&bench.events(first, third).await);
    let expected = [
        ("a".into(), Some("1".into()), first),
        ("b".into(), Some("2".into()), second),
        ("a".into(), None, third),
    ];
    assert_eq!(told, expected);
}
