//! The cases every engine must pass: [`run`] them in a test of the engine.
//!
//! A case uses the trait alone and works under a prefix of its own, and it assumes neither that the
//! store is empty nor that nobody else writes: revisions are compared, never counted.

mod conditions;
mod lists;
mod maintenance;
mod watches;

use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{BoxStream, StreamExt};

use crate::{Batch, Compare, Durability, Event, Expect, KeyValue, Op, Outcome, Result, Revision, Store, Txn};

/// One property of a store.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// What holds, as a name; also the prefix of the case's keys.
    pub name: &'static str,
    run: fn(Bench) -> BoxFuture<'static, ()>,
}

/// A row of a table of cases: the name of an async function that takes a [`Bench`].
macro_rules! table {
    ($($name:ident),* $(,)?) => {
        pub(super) const CASES: &[super::Case] =
            &[$(super::Case { name: stringify!($name), run: |bench| Box::pin($name(bench)) }),*];
    };
}
use table;

/// Every case.
pub fn cases() -> impl Iterator<Item = &'static Case> {
    [conditions::CASES, lists::CASES, watches::CASES, maintenance::CASES].into_iter().flatten()
}

/// Runs every case against `store`, one after the other, under keys that begin with `root`.
///
/// # Panics
/// When a case does not hold; the place of the panic is in the case.
pub async fn run(store: Arc<dyn Store>, root: &str) {
    for case in cases() {
        let prefix = format!("{root}/{}/", case.name);
        (case.run)(Bench { store: store.clone(), prefix }).await;
    }
}

/// A store and a prefix to work under, with the words the cases are written in.
#[derive(Clone)]
struct Bench {
    store: Arc<dyn Store>,
    prefix: String,
}

impl Bench {
    fn key(&self, name: &str) -> Bytes {
        Bytes::from(format!("{}{name}", self.prefix))
    }

    fn prefix(&self) -> Bytes {
        self.key("")
    }

    fn put(&self, name: &str, value: &str) -> Op {
        Op::Put { key: self.key(name), value: Bytes::from(value.to_owned()) }
    }

    fn delete(&self, name: &str) -> Op {
        Op::Delete { key: self.key(name) }
    }

    fn expect(&self, name: &str, expect: Expect) -> Compare {
        Compare { key: self.key(name), expect }
    }

    async fn txn(&self, compare: Vec<Compare>, ops: Vec<Op>) -> Result<Outcome> {
        self.store.txn(Txn { compare, ops, durability: Durability::Now }).await
    }

    /// Applies ops without a condition.
    async fn apply(&self, ops: Vec<Op>) -> Revision {
        committed(self.txn(Vec::new(), ops).await)
    }

    /// Applies one op if the compare holds.
    async fn apply_if(&self, compare: Compare, op: Op) -> Outcome {
        self.txn(vec![compare], vec![op]).await.expect("the engine works")
    }

    async fn get(&self, name: &str) -> Option<KeyValue> {
        self.store.get(self.key(name)).await.expect("the engine works")
    }

    /// Every pair of the case, read page by page.
    async fn all(&self, limit: usize) -> Vec<KeyValue> {
        let (mut items, mut after): (Vec<KeyValue>, Option<Bytes>) = (Vec::new(), None);
        loop {
            let page = self.store.list(self.prefix(), after, limit).await.expect("the engine works");
            assert!(limit == 0 || page.items.len() <= limit, "a page is longer than asked for");
            items.extend(page.items);
            if !page.more {
                return items;
            }
            after = items.last().map(|kv| kv.key.clone());
        }
    }

    /// Names and values of the case, in key order.
    async fn named(&self) -> Vec<(String, String)> {
        self.all(0).await.iter().map(|kv| (self.name(&kv.key), text(&kv.value))).collect()
    }

    fn name(&self, key: &Bytes) -> String {
        text(key).strip_prefix(&self.prefix).expect("a list keeps to its prefix").to_owned()
    }

    fn watch(&self, from: Revision) -> BoxStream<'static, Result<Batch>> {
        self.store.watch(self.prefix(), from)
    }

    async fn revision(&self) -> Revision {
        self.store.revision().await.expect("the engine works")
    }

    /// The events of the case from `from` up to and including `upto`.
    async fn events(&self, from: Revision, upto: Revision) -> Vec<Event> {
        collect(&mut self.watch(from), upto).await
    }

    /// Name, value and revision of events.
    fn told(&self, events: &[Event]) -> Vec<(String, Option<String>, Revision)> {
        let told = |event: &Event| (self.name(&event.key), event.value.as_ref().map(text), event.revision);
        events.iter().map(told).collect()
    }
}

fn text(bytes: &Bytes) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn committed(outcome: Result<Outcome>) -> Revision {
    match outcome {
        Ok(Outcome::Committed(revision)) => revision,
        other => unreachable!("the transaction should have been committed: {other:?}"),
    }
}

/// The pairs a refusal names.
fn refused(outcome: Outcome) -> Vec<Option<KeyValue>> {
    match outcome {
        Outcome::Refused(now) => now,
        Outcome::Committed(at) => unreachable!("the transaction should have been refused: {at}"),
    }
}

/// Reads batches until everything up to `upto` was delivered, and checks what holds of all batches.
async fn collect(watch: &mut BoxStream<'static, Result<Batch>>, upto: Revision) -> Vec<Event> {
    let (mut events, mut seen): (Vec<Event>, Revision) = (Vec::new(), Revision(0));
    while seen < upto {
        let batch = watch.next().await.expect("a watch has no end").expect("the watch goes on");
        assert!(batch.events.iter().all(|event| event.revision <= batch.revision));
        assert!(batch.events.iter().all(|event| event.revision > seen), "a revision came in two batches");
        assert!(batch.events.is_sorted_by_key(|event| event.revision));
        assert!(batch.revision >= seen, "progress went back");
        seen = batch.revision;
        events.extend(batch.events);
    }
    events
}
