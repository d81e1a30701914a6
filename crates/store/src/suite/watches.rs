//! Cases: order, replay, progress, lag.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::future::join_all;
use futures::stream::StreamExt;

use super::{Bench, collect, table};
use crate::{Event, KeyValue, Op, Revision, StoreError, limits};

table![
    events_come_in_order_with_what_they_created,
    a_watch_begins_at_its_revision,
    a_watch_keeps_to_its_prefix,
    a_watch_may_begin_in_the_future,
    replay_and_live_join_under_concurrent_writers,
    a_list_and_a_watch_make_a_copy,
    a_long_log_is_replayed_whole,
    progress_is_told_when_asked,
    a_watch_that_is_not_read_is_ended_and_can_go_on,
];

async fn events_come_in_order_with_what_they_created(bench: Bench) {
    let from = bench.revision().await.next();
    let mut watch = bench.watch(from);
    let first = bench.apply(vec![bench.put("a", "1")]).await;
    let second = bench.apply(vec![bench.put("a", "2")]).await;
    let third = bench.apply(vec![bench.delete("a")]).await;
    let fourth = bench.apply(vec![bench.put("a", "4")]).await;
    let events = collect(&mut watch, fourth).await;
    let told: Vec<_> = events.iter().map(|event| (event.revision, event.created)).collect();
    assert_eq!(told, [(first, first), (second, first), (third, first), (fourth, fourth)]);
    assert_eq!(events, bench.events(from, fourth).await, "live and replayed events are the same");
}

async fn a_watch_begins_at_its_revision(bench: Bench) {
    let mut revisions = Vec::new();
    for n in 0..10 {
        revisions.push(bench.apply(vec![bench.put(&(n % 3).to_string(), &n.to_string())]).await);
    }
    let last = revisions[9];
    for (n, from) in revisions.iter().enumerate() {
        let seen: Vec<_> = bench.events(*from, last).await.iter().map(|event| event.revision).collect();
        assert_eq!(seen, revisions[n..], "from {from}");
    }
}

async fn a_watch_keeps_to_its_prefix(bench: Bench) {
    let from = bench.revision().await.next();
    let mut live = bench.store.watch(bench.key("a/"), from);
    let names = ["a", "a/", "a/x", "a0", "b", "a/x/y"];
    bench.apply(names.iter().map(|name| bench.put(name, "1")).collect()).await;
    let last = bench.apply(vec![bench.put("a/z", "2"), bench.put("a", "2")]).await;
    let mut past = bench.store.watch(bench.key("a/"), from);
    for watch in [&mut live, &mut past] {
        let events = collect(watch, last).await;
        let seen: Vec<_> = events.iter().map(|event| bench.name(&event.key)).collect();
        assert_eq!(seen, ["a/", "a/x", "a/x/y", "a/z"]);
    }
}

async fn a_watch_may_begin_in_the_future(bench: Bench) {
    let now = bench.apply(vec![bench.put("a", "0")]).await;
    let mut watch = bench.watch(Revision(now.0 + 3));
    let mut revisions = Vec::new();
    while revisions.last() < Some(&Revision(now.0 + 3)) {
        revisions.push(bench.apply(vec![bench.put("a", "1")]).await);
    }
    let seen: Vec<_> = collect(&mut watch, revisions[revisions.len() - 1]).await;
    let expected: Vec<_> = revisions.into_iter().filter(|at| at.0 >= now.0 + 3).collect();
    assert_eq!(seen.iter().map(|event| event.revision).collect::<Vec<_>>(), expected);
}

const WRITERS: usize = 8;
const WRITES: usize = 60;

async fn replay_and_live_join_under_concurrent_writers(bench: Bench) {
    let from = bench.revision().await.next();
    let writers: Vec<_> =
        (0..WRITERS).map(|writer| tokio::spawn(write_pairs(bench.clone(), writer))).collect();
    let mut watches = Vec::new();
    while writers.iter().any(|writer| !writer.is_finished()) {
        if watches.len() < 40 {
            watches.push(bench.watch(from));
        }
        bench.get("0/0").await;
        tokio::task::yield_now().await;
    }
    let mut revisions = Vec::new();
    for writer in join_all(writers).await {
        revisions.extend(writer.expect("a writer does not panic"));
    }
    revisions.sort_unstable();
    let expected: Vec<Revision> = revisions.iter().flat_map(|at| [*at, *at]).collect();
    watches.push(bench.watch(from));
    for watch in &mut watches {
        let events = collect(watch, expected[expected.len() - 1]).await;
        assert_eq!(events.iter().map(|event| event.revision).collect::<Vec<_>>(), expected);
    }
}

/// Puts two keys per transaction.
async fn write_pairs(bench: Bench, writer: usize) -> Vec<Revision> {
    let mut revisions = Vec::new();
    for n in 0..WRITES {
        let ops =
            vec![bench.put(&format!("{writer}/0"), &n.to_string()), bench.put(&format!("{writer}/1"), "")];
        revisions.push(bench.apply(ops).await);
    }
    revisions
}

async fn a_list_and_a_watch_make_a_copy(bench: Bench) {
    let names: Vec<String> = (0..20).map(|n| format!("{n:02}")).collect();
    bench.apply(names.iter().map(|name| bench.put(name, "0")).collect()).await;
    let writer = tokio::spawn(churn(bench.clone(), names));
    let first = bench.store.list(bench.prefix(), None, 3).await.expect("the engine works");
    let mut copy: BTreeMap<Bytes, KeyValue> = BTreeMap::new();
    copy.extend(first.items.into_iter().map(|kv| (kv.key.clone(), kv)));
    while let Some(last) = copy.keys().next_back().cloned() {
        let page = bench.store.list(bench.prefix(), Some(last), 3).await.expect("the engine works");
        copy.extend(page.items.into_iter().map(|kv| (kv.key.clone(), kv)));
        if !page.more {
            break;
        }
    }
    let last = writer.await.expect("the writer does not panic");
    for event in bench.events(first.revision.next(), last).await {
        replicate(&mut copy, event);
    }
    assert_eq!(copy.into_values().collect::<Vec<_>>(), bench.all(0).await);
}

async fn churn(bench: Bench, names: Vec<String>) -> Revision {
    let mut last = Revision(0);
    for (n, name) in names.iter().cycle().take(100).enumerate() {
        let op = if n % 3 == 0 { bench.delete(name) } else { bench.put(name, &n.to_string()) };
        last = bench.apply(vec![op]).await;
    }
    last
}

/// The rule of [`crate::Store`] for copies.
fn replicate(copy: &mut BTreeMap<Bytes, KeyValue>, event: Event) {
    if copy.get(&event.key).is_some_and(|kv| kv.modified >= event.revision) {
        return;
    }
    let Event { key, value, revision: modified, created } = event;
    match value {
        Some(value) => copy.insert(key.clone(), KeyValue { key, value, created, modified }),
        None => copy.remove(&key),
    };
}

async fn a_long_log_is_replayed_whole(bench: Bench) {
    const REVISIONS: usize = 30;
    const OPS: usize = 100;
    let ops = |_| (0..OPS).map(|n| bench.put(&n.to_string(), "1")).collect();
    let mut revisions = Vec::new();
    for ops in (0..REVISIONS).map(ops) {
        revisions.push(bench.apply(ops).await);
    }
    let events = bench.events(revisions[0], revisions[REVISIONS - 1]).await;
    assert_eq!(events.len(), REVISIONS * OPS);
}

async fn progress_is_told_when_asked(bench: Bench) {
    let mut watch = bench.store.watch(bench.key("quiet/"), bench.revision().await.next());
    let at = bench.apply(vec![bench.put("loud/a", "1")]).await;
    bench.store.progress(bench.key("quiet/")).await.expect("the engine works");
    assert_eq!(collect(&mut watch, at).await, []);
}

async fn a_watch_that_is_not_read_is_ended_and_can_go_on(bench: Bench) {
    const OPS: usize = 100;
    let from = bench.revision().await.next();
    let (mut stalled, mut other) = (bench.watch(from), bench.store.watch(bench.key("0"), from));
    let mut last = from;
    for n in 0..=limits::LAG_EVENTS / OPS {
        let put = |k| Op::Put { key: bench.key(&format!("{k}/{n}")), value: Bytes::new() };
        last = bench.apply((0..OPS).map(put).collect()).await;
    }
    let mut seen: Vec<Event> = Vec::new();
    while seen.last().is_none_or(|event| event.revision < last) {
        match stalled.next().await.expect("an error comes before the end") {
            Ok(batch) => seen.extend(batch.events),
            Err(StoreError::Lagged { delivered }) => {
                assert!(seen.iter().all(|event| event.revision <= delivered));
                assert!(stalled.next().await.is_none(), "an error is the last item");
                stalled = bench.watch(delivered.next());
            }
            Err(error) => unreachable!("only lag may end this watch: {error}"),
        }
    }
    assert_eq!(seen, bench.events(from, last).await, "nothing is lost and nothing comes twice");
    assert_eq!(collect(&mut other, last).await.len(), limits::LAG_EVENTS / OPS + 1);
}
