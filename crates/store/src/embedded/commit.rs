//! The commit thread: groups what is queued, commits it, publishes it, answers.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use redb::{ReadableTable, Table, WriteTransaction};
use tokio::sync::oneshot;

use super::row::Row;
use super::tables::{self, DATA, INDEX, META, Position, State};
use super::{Request, Shared};
use crate::{Compare, Durability, Event, KeyValue, Op, Outcome, Result, Revision, StoreError, Txn, limits};

type Reply<T> = oneshot::Sender<Result<T>>;

/// The commit thread's state. What is here is also in the file, or about to be.
pub(super) struct Committer {
    pub(super) shared: Arc<Shared>,
    pub(super) state: State,
    /// Since when the file has commits that are not on disk.
    pub(super) unsynced: Option<Instant>,
    /// Compactions whose rows are not all removed yet, in order of revision.
    pub(super) sweeps: VecDeque<(Revision, Reply<()>)>,
    flush_after: Duration,
    pace: Pace,
}

/// How long to wait for a group to fill. Writers that were just answered come back while a small group
/// of latecomers would already be committing, and half of all syncs would be spent on those; so a group
/// waits until it is as large as the greater of the last two, but only for a part of what a commit takes.
#[derive(Default)]
struct Pace {
    sizes: [usize; 2],
    commit: Duration,
}

impl Pace {
    fn note(&mut self, size: usize, commit: Duration) {
        self.sizes = [self.sizes[1], size];
        self.commit = commit;
    }

    fn expected(&self) -> usize {
        self.sizes[0].max(self.sizes[1])
    }

    fn linger(&self) -> Duration {
        self.commit / 4
    }
}

/// What one look at the queue gave.
#[derive(Default)]
struct Work {
    txns: Vec<(Txn, Reply<Outcome>)>,
    bytes: usize,
    compactions: Vec<(Revision, Reply<()>)>,
    closed: bool,
}

impl Work {
    fn take(&mut self, request: Request) {
        match request {
            Request::Txn { txn, reply, .. } => {
                self.bytes += txn.size();
                self.txns.push((txn, reply));
            }
            Request::Compact { at, reply } => self.compactions.push((at, reply)),
        }
    }

    fn full(&self) -> bool {
        self.txns.len() >= limits::GROUP_TXNS || self.bytes >= limits::GROUP_BYTES
    }

    /// Takes what is queued, and waits until `deadline` for as many transactions as expected.
    fn fill(&mut self, requests: &Receiver<Request>, expected: usize, deadline: Instant) {
        while !self.full() {
            let patience = match self.txns.len() < expected {
                true => deadline.saturating_duration_since(Instant::now()),
                false => Duration::ZERO,
            };
            match requests.recv_timeout(patience) {
                Ok(request) => self.take(request),
                Err(RecvTimeoutError::Timeout) => return,
                Err(RecvTimeoutError::Disconnected) => {
                    self.closed = true;
                    return;
                }
            }
        }
    }
}

impl Committer {
    pub(super) fn new(shared: Arc<Shared>, state: State, flush_after: Duration) -> Self {
        Self { shared, state, unsynced: None, sweeps: VecDeque::new(), flush_after, pace: Pace::default() }
    }

    /// Works until the queue is closed or a commit fails.
    pub(super) fn run(mut self, requests: &Receiver<Request>) {
        let ended = self.work(requests);
        if let Err(error) = ended {
            tracing::error!(error = %error, "the store has stopped");
            self.shared.hub.close(&error);
            for (_, reply) in self.sweeps.drain(..) {
                let _ = reply.send(Err(error.clone()));
            }
        }
    }

    fn work(&mut self, requests: &Receiver<Request>) -> Result<()> {
        loop {
            let work = self.next(requests);
            self.group(work.txns)?;
            for (at, reply) in work.compactions {
                self.compact(at, reply)?;
            }
            if self.flush_due() {
                self.flush()?;
            }
            if work.closed {
                return self.finish();
            }
            self.sweep()?;
        }
    }

    /// Waits for something to do, then takes what is there.
    fn next(&self, requests: &Receiver<Request>) -> Work {
        let mut work = Work::default();
        let received = match self.patience() {
            Some(patience) => requests.recv_timeout(patience),
            None => requests.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match received {
            Ok(request) => {
                work.take(request);
                work.fill(requests, self.pace.expected(), Instant::now() + self.pace.linger());
            }
            Err(RecvTimeoutError::Disconnected) => work.closed = true,
            Err(RecvTimeoutError::Timeout) => {}
        }
        work
    }

    /// How long to wait for a request; `None` when only a request can bring work.
    fn patience(&self) -> Option<Duration> {
        if !self.sweeps.is_empty() {
            return Some(Duration::ZERO);
        }
        self.unsynced.map(|since| self.flush_after.saturating_sub(since.elapsed()))
    }

    fn flush_due(&self) -> bool {
        self.unsynced.is_some_and(|since| since.elapsed() >= self.flush_after)
    }

    /// Commits one group and answers everybody in it.
    fn group(&mut self, txns: Vec<(Txn, Reply<Outcome>)>) -> Result<()> {
        if txns.is_empty() {
            return Ok(());
        }
        let began = Instant::now();
        match self.commit_group(&txns) {
            Ok(group) => {
                self.pace.note(txns.len(), began.elapsed());
                if !group.events.is_empty() {
                    self.shared.hub.publish(&group.events, group.revision);
                }
                for ((_, reply), outcome) in txns.into_iter().zip(group.outcomes) {
                    let _ = reply.send(Ok(outcome));
                }
                Ok(())
            }
            Err(source) => {
                let error = self.shared.place.failed(source);
                for (_, reply) in txns {
                    let _ = reply.send(Err(error.clone()));
                }
                Err(error)
            }
        }
    }

    fn commit_group(&mut self, txns: &[(Txn, Reply<Outcome>)]) -> Result<Group, redb::Error> {
        let tx = self.shared.db.begin_write()?;
        let mut group = Group::new(self.state.revision);
        {
            let mut tables = Tables::open(&tx)?;
            for (txn, _) in txns {
                let outcome = tables.evaluate(txn, &mut group)?;
                group.outcomes.push(outcome);
            }
            if !group.events.is_empty() {
                tx.open_table(META)?.insert(tables::REVISION, group.revision.0)?;
            }
        }
        let changed = !group.events.is_empty();
        let sync = group.now && (changed || self.unsynced.is_some());
        if sync || group.revision > self.state.reserved && changed {
            self.commit_durable(tx, group.revision, !group.now)?;
        } else if changed {
            self.commit_visible(tx)?;
        } else {
            tx.abort()?;
        }
        self.state.revision = group.revision;
        Ok(group)
    }

    /// Ends `tx` durably; with `reserve`, also sets revisions aside for commits that will not be.
    fn commit_durable(
        &mut self,
        tx: WriteTransaction,
        revision: Revision,
        reserve: bool,
    ) -> Result<(), redb::Error> {
        let reserved = Revision(revision.0 + limits::RESERVED_REVISIONS);
        if reserve {
            tx.open_table(META)?.insert(tables::RESERVED, reserved.0)?;
        }
        tx.commit()?;
        self.unsynced = None;
        if reserve {
            self.state.reserved = reserved;
        }
        Ok(())
    }

    /// Ends `tx` in memory, to be made durable by the next durable commit.
    pub(super) fn commit_visible(&mut self, mut tx: WriteTransaction) -> Result<(), redb::Error> {
        tx.set_durability(redb::Durability::None)?;
        tx.commit()?;
        self.unsynced.get_or_insert_with(Instant::now);
        Ok(())
    }

    /// Makes everything committed durable.
    fn flush(&mut self) -> Result<()> {
        let flushed = self.shared.db.begin_write().map_err(redb::Error::from).and_then(|tx| Ok(tx.commit()?));
        flushed.map_err(|source| self.shared.place.failed(source))?;
        self.unsynced = None;
        Ok(())
    }

    /// The clean end: nothing is unsynced, so the next open need not skip revisions.
    fn finish(&mut self) -> Result<()> {
        let released = || -> Result<(), redb::Error> {
            let tx = self.shared.db.begin_write()?;
            tx.open_table(META)?.insert(tables::RESERVED, 0)?;
            Ok(tx.commit()?)
        };
        if self.state.reserved > Revision(0) || self.unsynced.is_some() {
            released().map_err(|source| self.shared.place.failed(source))?;
        }
        Ok(())
    }
}

/// What a group has done so far.
struct Group {
    revision: Revision,
    events: Vec<Event>,
    outcomes: Vec<Outcome>,
    /// Whether anybody waits for the disk.
    now: bool,
}

impl Group {
    fn new(revision: Revision) -> Self {
        Self { revision, events: Vec::new(), outcomes: Vec::new(), now: false }
    }
}

/// The tables within one redb transaction, so that a txn sees those before it in the group.
struct Tables<'tx> {
    data: Table<'tx, Position, &'static [u8]>,
    index: Table<'tx, &'static [u8], (u64, u32, u64)>,
}

/// Where a key's current row is.
#[derive(Clone, Copy)]
struct Current {
    position: Position,
    created: u64,
}

impl<'tx> Tables<'tx> {
    fn open(tx: &'tx WriteTransaction) -> Result<Self, redb::Error> {
        Ok(Self { data: tx.open_table(DATA)?, index: tx.open_table(INDEX)? })
    }

    fn evaluate(&mut self, txn: &Txn, group: &mut Group) -> Result<Outcome, redb::Error> {
        if !self.holds(&txn.compare)? {
            return Ok(Outcome::Refused(self.pairs(&txn.compare)?));
        }
        let revision = group.revision.next();
        for (op, sub) in txn.ops.iter().zip(0..) {
            if let Some(event) = self.apply(op, (revision.0, sub))? {
                group.events.push(event);
                group.revision = revision;
            }
        }
        group.now |= txn.durability == Durability::Now;
        Ok(Outcome::Committed(group.revision))
    }

    fn holds(&self, compare: &[Compare]) -> Result<bool, redb::Error> {
        for compare in compare {
            let modified = self.current(&compare.key)?.map(|current| Revision(current.position.0));
            if !compare.expect.holds(modified) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn current(&self, key: &[u8]) -> Result<Option<Current>, redb::Error> {
        Ok(self.index.get(key)?.map(|entry| {
            let (revision, sub, created) = entry.value();
            Current { position: (revision, sub), created }
        }))
    }

    fn pairs(&self, compare: &[Compare]) -> Result<Vec<Option<KeyValue>>, redb::Error> {
        compare.iter().map(|compare| self.pair(&compare.key)).collect()
    }

    fn pair(&self, key: &bytes::Bytes) -> Result<Option<KeyValue>, redb::Error> {
        let Some(current) = self.current(key)? else { return Ok(None) };
        let corrupted = || redb::Error::Corrupted("the index names a row that the log does not have".into());
        let bytes = self.data.get(current.position)?.ok_or_else(corrupted)?;
        let value = Row::read(bytes.value()).and_then(|row| row.value).ok_or_else(corrupted)?;
        Ok(Some(KeyValue {
            key: key.clone(),
            value: bytes::Bytes::copy_from_slice(value),
            created: Revision(current.created),
            modified: Revision(current.position.0),
        }))
    }

    /// Applies `op` at `position`; no event when it changes nothing.
    fn apply(&mut self, op: &Op, position: Position) -> Result<Option<Event>, redb::Error> {
        let current = self.current(op.key())?;
        let (value, created) = match (op, current) {
            (Op::Delete { .. }, None) => return Ok(None),
            (Op::Delete { .. }, Some(current)) => (None, current.created),
            (Op::Put { value, .. }, current) => (Some(value), current.map_or(position.0, |c| c.created)),
        };
        let previous = current.map(|current| current.position);
        let key = op.key();
        let row = Row { created, previous, key, value: value.map(AsRef::as_ref) };
        row.write(self.data.insert_reserve(position, row.len())?.as_mut());
        if value.is_some() {
            self.index.insert(key.as_ref(), (position.0, position.1, created))?;
        } else {
            self.index.remove(key.as_ref())?;
        }
        let revision = Revision(position.0);
        Ok(Some(Event { key: key.clone(), value: value.cloned(), revision, created: Revision(created) }))
    }
}

impl Committer {
    /// Notes that the log is forgotten up to `at`; [`sweep`](Self::sweep) then removes it.
    fn compact(&mut self, at: Revision, reply: Reply<()>) -> Result<()> {
        if at > self.state.revision {
            let latest = self.state.revision;
            let _ = reply.send(Err(StoreError::Future { requested: at, latest }));
            return Ok(());
        }
        if at > self.state.compacted {
            if let Err(source) = self.note_compacted(at) {
                let error = self.shared.place.failed(source);
                let _ = reply.send(Err(error.clone()));
                return Err(error);
            }
            self.state.compacted = at;
        }
        self.sweeps.push_back((at, reply));
        Ok(())
    }

    fn note_compacted(&mut self, at: Revision) -> Result<(), redb::Error> {
        let tx = self.shared.db.begin_write()?;
        tx.open_table(META)?.insert(tables::COMPACTED, at.0)?;
        tx.commit()?;
        self.unsynced = None;
        Ok(())
    }
}
