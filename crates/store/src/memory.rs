//! The engine without a disk, for tests and simulation.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures::FutureExt;
use futures::future::{self, BoxFuture};
use futures::stream::BoxStream;

use crate::hub::{self, Hub, Log};
use crate::{Batch, Event, KeyValue, Op, Outcome, Page, Result, Revision, Store, StoreError, Txn, limits};

/// A store in memory. Dropping it loses everything and ends its watches.
#[derive(Debug)]
pub struct Memory {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    hub: Hub,
}

#[derive(Debug, Default)]
struct State {
    current: BTreeMap<Bytes, KeyValue>,
    log: BTreeMap<Revision, Vec<Event>>,
    revision: Revision,
    compacted: Revision,
}

impl Memory {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        let shared = Shared { state: Mutex::default(), hub: Hub::new(Revision(0)) };
        Self { shared: Arc::new(shared) }
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.shared.hub.close(&StoreError::Closed);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that can panic runs while the state is half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn txn(&self, txn: &Txn) -> Result<Outcome> {
        txn.check()?;
        let mut state = self.lock();
        if let Some(now) = state.refusal(txn) {
            return Ok(Outcome::Refused(now));
        }
        let events = state.apply(&txn.ops);
        if !events.is_empty() {
            let revision = state.revision;
            state.log.insert(revision, events.clone());
            // Still under the lock: watches see revisions in order.
            self.hub.publish(&events, revision);
        }
        Ok(Outcome::Committed(state.revision))
    }
}

impl State {
    fn refusal(&self, txn: &Txn) -> Option<Vec<Option<KeyValue>>> {
        let now = |key: &Bytes| self.current.get(key);
        let holds = txn.compare.iter().all(|c| c.expect.holds(now(&c.key).map(|kv| kv.modified)));
        (!holds).then(|| txn.compare.iter().map(|c| now(&c.key).cloned()).collect())
    }

    /// Applies the ops as the next revision, if they change anything.
    fn apply(&mut self, ops: &[Op]) -> Vec<Event> {
        let revision = self.revision.next();
        let events: Vec<Event> = ops.iter().filter_map(|op| self.apply_one(op, revision)).collect();
        if !events.is_empty() {
            self.revision = revision;
        }
        events
    }

    fn apply_one(&mut self, op: &Op, revision: Revision) -> Option<Event> {
        match op {
            Op::Put { key, value } => {
                let created = self.current.get(key).map_or(revision, |kv| kv.created);
                let (key, value) = (key.clone(), value.clone());
                let kv = KeyValue { key: key.clone(), value: value.clone(), created, modified: revision };
                self.current.insert(key.clone(), kv);
                Some(Event { key, value: Some(value), revision, created })
            }
            Op::Delete { key } => {
                let created = self.current.remove(key)?.created;
                Some(Event { key: key.clone(), value: None, revision, created })
            }
        }
    }

    fn page(&self, prefix: &Bytes, after: Option<&Bytes>, limit: usize) -> Page {
        let start = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        let limit = if limit == 0 { limits::PAGE_ITEMS } else { limit.min(limits::PAGE_ITEMS) };
        let (mut items, mut bytes, mut more) = (Vec::new(), 0, false);
        for (_, kv) in self
            .current
            .range::<Bytes, _>((start, Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix))
        {
            more = items.len() == limit || bytes >= limits::PAGE_BYTES;
            if more {
                break;
            }
            bytes += kv.key.len() + kv.value.len();
            items.push(kv.clone());
        }
        Page { items, revision: self.revision, more }
    }

    fn size(&self) -> usize {
        let current = self.current.values().map(|kv| kv.key.len() + kv.value.len());
        let log = self.log.values().flatten().map(Event::size);
        current.chain(log).sum()
    }

    fn compact(&mut self, at: Revision) -> Result<()> {
        if at > self.revision {
            return Err(StoreError::Future { requested: at, latest: self.revision });
        }
        if at > self.compacted {
            self.log = self.log.split_off(&at.next());
            self.compacted = at;
        }
        Ok(())
    }
}

impl Log for Shared {
    fn hub(&self) -> &Hub {
        &self.hub
    }

    fn replay(
        self: Arc<Self>,
        prefix: Bytes,
        from: Revision,
        upto: Revision,
    ) -> BoxFuture<'static, Result<Batch>> {
        let state = self.lock();
        if from <= state.compacted {
            return future::err(StoreError::Compacted { requested: from, compacted: state.compacted })
                .boxed();
        }
        let past = state.log.range(from..=upto).flat_map(|(_, events)| events);
        let events = past.filter(|event| event.key.starts_with(&prefix)).cloned().collect();
        future::ok(Batch { events, revision: upto }).boxed()
    }
}

impl Store for Memory {
    fn get(&self, key: Bytes) -> BoxFuture<'_, Result<Option<KeyValue>>> {
        async move { Ok(self.shared.lock().current.get(&key).cloned()) }.boxed()
    }

    fn list(&self, prefix: Bytes, after: Option<Bytes>, limit: usize) -> BoxFuture<'_, Result<Page>> {
        async move { Ok(self.shared.lock().page(&prefix, after.as_ref(), limit)) }.boxed()
    }

    fn txn(&self, txn: Txn) -> BoxFuture<'_, Result<Outcome>> {
        async move { self.shared.txn(&txn) }.boxed()
    }

    fn watch(&self, prefix: Bytes, from: Revision) -> BoxStream<'static, Result<Batch>> {
        hub::watch(&self.shared, prefix, from)
    }

    fn progress(&self, prefix: Bytes) -> BoxFuture<'_, Result<()>> {
        async move {
            self.shared.hub.progress(&prefix);
            Ok(())
        }
        .boxed()
    }

    fn compact(&self, at: Revision) -> BoxFuture<'_, Result<()>> {
        async move { self.shared.lock().compact(at) }.boxed()
    }

    fn revision(&self) -> BoxFuture<'_, Result<Revision>> {
        async move { Ok(self.shared.lock().revision) }.boxed()
    }

    fn size(&self) -> BoxFuture<'_, Result<u64>> {
        async move { Ok(self.shared.lock().size() as u64) }.boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite;

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn passes_the_suite() {
        suite::run(Arc::new(Memory::new()), "/suite").await;
    }
}
