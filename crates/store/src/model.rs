//! Random histories, against a map that does the same.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::stream::StreamExt;
use proptest::prelude::*;

use crate::embedded::{Options, tests};
use crate::{
    Batch, Compare, Durability, Embedded, Event, Expect, KeyValue, Memory, Op, Outcome, Result, Revision,
    Store, Txn,
};

/// One step of a history. Keys and old revisions are numbers, so that histories shrink well.
#[derive(Clone, Debug)]
enum Step {
    Write { compare: Option<(u8, Expected)>, ops: Vec<(u8, Option<u16>)>, durability: Durability },
    Compact { back: u8 },
    Reopen,
    Check,
}

/// What a compare asks, relative to what is there.
#[derive(Clone, Copy, Debug)]
enum Expected {
    Absent,
    Current,
    Stale,
}

fn step() -> impl Strategy<Value = Step> {
    let expected = prop_oneof![Just(Expected::Absent), Just(Expected::Current), Just(Expected::Stale)];
    let durability = prop_oneof![Just(Durability::Now), Just(Durability::NextBatch)];
    let op = (0..12_u8, proptest::option::weighted(0.7, 0..5000_u16));
    let ops = proptest::collection::btree_map(0..12_u8, op, 0..5)
        .prop_map(|ops| ops.into_iter().map(|(key, (_, value))| (key, value)).collect());
    prop_oneof![
        12 => (proptest::option::of((0..12_u8, expected)), ops, durability)
            .prop_map(|(compare, ops, durability)| Step::Write { compare, ops, durability }),
        1 => (0..6_u8).prop_map(|back| Step::Compact { back }),
        1 => Just(Step::Reopen),
        1 => Just(Step::Check),
    ]
}

fn key(n: u8) -> Bytes {
    // Keys of different lengths that begin with each other.
    Bytes::from("/k".repeat(usize::from(n % 4) + 1) + &n.to_string())
}

#[derive(Debug, Default)]
struct Model {
    current: BTreeMap<Bytes, KeyValue>,
    log: Vec<Event>,
    revision: Revision,
    compacted: Revision,
}

impl Model {
    fn expect(&self, n: u8, expected: Expected) -> Compare {
        let now = self.current.get(&key(n)).map_or(Revision(0), |kv| kv.modified);
        let expect = match expected {
            Expected::Absent => Expect::Absent,
            Expected::Current => Expect::At(now),
            Expected::Stale => Expect::At(Revision(now.0.saturating_sub(1))),
        };
        Compare { key: key(n), expect }
    }

    fn write(&mut self, txn: &Txn) -> Outcome {
        let now: Vec<_> = txn.compare.iter().map(|c| self.current.get(&c.key).cloned()).collect();
        let holds = |(compare, now): (&Compare, &Option<KeyValue>)| match compare.expect {
            Expect::Absent => now.is_none(),
            Expect::At(revision) => now.as_ref().is_some_and(|kv| kv.modified == revision),
        };
        if !txn.compare.iter().zip(&now).all(holds) {
            return Outcome::Refused(now);
        }
        let (revision, before) = (self.revision.next(), self.log.len());
        for op in &txn.ops {
            self.apply(op, revision);
        }
        if self.log.len() > before {
            self.revision = revision;
        }
        Outcome::Committed(self.revision)
    }

    fn apply(&mut self, op: &Op, revision: Revision) {
        let key = op.key().clone();
        let old = self.current.remove(&key);
        let event = match op {
            Op::Put { value, .. } => {
                let created = old.map_or(revision, |kv| kv.created);
                let pair = KeyValue { key: key.clone(), value: value.clone(), created, modified: revision };
                self.current.insert(key.clone(), pair);
                Some(Event { key, value: Some(value.clone()), revision, created })
            }
            Op::Delete { .. } => old.map(|old| Event { key, value: None, revision, created: old.created }),
        };
        self.log.extend(event);
    }
}

/// The engine of a history. Only one on a disk can be closed and opened again.
enum Engine {
    Memory(Memory),
    Embedded(Option<Embedded>, tests::Disk),
}

impl Engine {
    fn embedded() -> Self {
        let disk = tests::Disk::default();
        Self::Embedded(Some(tests::open_disk(&disk, Options::default()).unwrap()), disk)
    }

    fn store(&self) -> &dyn Store {
        match self {
            Self::Memory(store) => store,
            Self::Embedded(store, _) => store.as_ref().expect("it is closed only within reopen"),
        }
    }

    fn reopen(&mut self) {
        if let Self::Embedded(store, disk) = self {
            drop(store.take());
            *store = Some(tests::open_disk(disk, Options::default()).unwrap());
        }
    }
}

async fn check(store: &dyn Store, model: &Model) {
    assert_eq!(store.revision().await.unwrap(), model.revision);
    for prefix in ["", "/k", "/k/k", "/k/k/k1", "/z"] {
        let prefix = Bytes::from(prefix);
        let (mut items, mut after) = (Vec::new(), None);
        loop {
            let page = store.list(prefix.clone(), after, 3).await.unwrap();
            assert_eq!(page.revision, model.revision);
            items.extend(page.items);
            if !page.more {
                break;
            }
            after = items.last().map(|kv: &KeyValue| kv.key.clone());
        }
        let expected: Vec<_> =
            model.current.values().filter(|kv| kv.key.starts_with(&prefix)).cloned().collect();
        assert_eq!(items, expected);
        assert_eq!(replay(store, &prefix, model).await, expected_log(&prefix, model));
    }
    for (key, pair) in &model.current {
        assert_eq!(store.get(key.clone()).await.unwrap().as_ref(), Some(pair));
    }
}

fn expected_log(prefix: &Bytes, model: &Model) -> Vec<Event> {
    let kept = |event: &&Event| event.revision > model.compacted && event.key.starts_with(prefix);
    model.log.iter().filter(kept).cloned().collect()
}

async fn replay(store: &dyn Store, prefix: &Bytes, model: &Model) -> Vec<Event> {
    let mut watch = store.watch(prefix.clone(), model.compacted.next());
    let mut events = Vec::new();
    loop {
        let batch: Result<Batch> = watch.next().await.unwrap();
        let batch = batch.unwrap();
        events.extend(batch.events);
        if batch.revision >= model.revision {
            return events;
        }
    }
}

async fn play(mut engine: Engine, steps: Vec<Step>) {
    let mut model = Model::default();
    for step in steps {
        match step {
            Step::Write { compare, ops, durability } => {
                let compare = compare.map(|(n, expected)| model.expect(n, expected)).into_iter().collect();
                let op = |(n, value): (u8, Option<u16>)| match value {
                    Some(size) => Op::Put { key: key(n), value: vec![n; usize::from(size)].into() },
                    None => Op::Delete { key: key(n) },
                };
                let txn = Txn { compare, ops: ops.into_iter().map(op).collect(), durability };
                assert_eq!(engine.store().txn(txn.clone()).await.unwrap(), model.write(&txn));
            }
            Step::Compact { back } => {
                let at = Revision(model.revision.0.saturating_sub(u64::from(back)));
                engine.store().compact(at).await.unwrap();
                model.compacted = model.compacted.max(at);
            }
            Step::Reopen => engine.reopen(),
            Step::Check => check(engine.store(), &model).await,
        }
    }
    engine.reopen();
    check(engine.store(), &model).await;
}

fn run(engine: Engine, steps: Vec<Step>) {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(play(engine, steps));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn memory_does_as_the_model(steps in proptest::collection::vec(step(), 1..80)) {
        run(Engine::Memory(Memory::new()), steps);
    }

    #[test]
    fn embedded_does_as_the_model(steps in proptest::collection::vec(step(), 1..80)) {
        run(Engine::embedded(), steps);
    }
}
