//! Hands committed events to watches: past ones from the engine's log, live ones from queues.
//!
//! ```text
//!   watch(from) ── behind? ── replay the log up to `published` ──┐
//!        │                         ^____________________________ │ still behind
//!        └── at `published`: join, in the same lock as publish ──┘──> queue ──> live
//! ```
//!
//! A watch has a queue only once it has caught up, so a long replay cannot make it lag. Joining and
//! publishing take the same lock, so no revision falls between replay and queue, nor into both.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::{Batch, Event, Result, Revision, StoreError, limits};

/// An engine, as a watch sees it.
pub(crate) trait Log: Send + Sync + 'static {
    /// Where the engine publishes.
    fn hub(&self) -> &Hub;

    /// Some whole revisions from `from` on, none after `upto`, the events filtered by prefix. The
    /// batch's revision says how far it got; it is at least `from`.
    fn replay(
        self: Arc<Self>,
        prefix: Bytes,
        from: Revision,
        upto: Revision,
    ) -> BoxFuture<'static, Result<Batch>>;
}

/// The live watches of one store.
#[derive(Debug)]
pub(crate) struct Hub {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    published: Revision,
    watchers: Vec<Watcher>,
    closed: Option<StoreError>,
}

impl Hub {
    /// A hub without watches, for a log whose latest revision is `published`.
    pub(crate) fn new(published: Revision) -> Self {
        Self { state: Mutex::new(State { published, watchers: Vec::new(), closed: None }) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every update below leaves the state whole at each step, so a poisoned lock is still good.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The latest revision handed out.
    pub(crate) fn published(&self) -> Revision {
        self.lock().published
    }

    /// Queues committed events, complete up to `revision`, for every watch they concern. The events
    /// must already be in the log.
    pub(crate) fn publish(&self, events: &[Event], revision: Revision) {
        let mut state = self.lock();
        state.published = revision;
        state.watchers.retain_mut(|watcher| watcher.offer(events, revision));
    }

    /// Queues a batch without events for the watches of `prefix`.
    pub(crate) fn progress(&self, prefix: &Bytes) {
        let mut state = self.lock();
        let published = state.published;
        state.watchers.retain_mut(|watcher| watcher.prefix != *prefix || watcher.report(published));
    }

    /// Ends every watch, and every later one, with `error`.
    pub(crate) fn close(&self, error: &StoreError) {
        let mut state = self.lock();
        state.closed.get_or_insert_with(|| error.clone());
        for watcher in state.watchers.drain(..) {
            watcher.end(error.clone());
        }
    }

    /// Why the hub is closed, if it is.
    pub(crate) fn closed(&self) -> Option<StoreError> {
        self.lock().closed.clone()
    }

    fn join(&self, prefix: &Bytes, from: Revision) -> Result<Joined> {
        let mut state = self.lock();
        if let Some(error) = &state.closed {
            return Err(error.clone());
        }
        if from <= state.published {
            return Ok(Joined::Behind(state.published));
        }
        let (sender, receiver) = unbounded_channel();
        let waiting = Arc::new(Waiting::default());
        let published = state.published;
        let mut watcher =
            Watcher { prefix: prefix.clone(), from, sender, waiting: waiting.clone(), delivered: published };
        watcher.send(Vec::new(), published);
        state.watchers.push(watcher);
        Ok(Joined::Live(Queue { receiver, waiting }))
    }
}

enum Joined {
    Behind(Revision),
    Live(Queue),
}

/// What waits in one queue; grown by the hub, shrunk by the reader.
#[derive(Debug, Default)]
struct Waiting {
    events: AtomicUsize,
    bytes: AtomicUsize,
}

impl Waiting {
    fn fits(&self, events: &[Event]) -> bool {
        let waiting = self.events.load(Ordering::Relaxed);
        waiting == 0
            || (waiting + events.len() <= limits::LAG_EVENTS
                && self.bytes.load(Ordering::Relaxed) + size(events) <= limits::LAG_BYTES)
    }

    fn add(&self, events: &[Event]) {
        self.events.fetch_add(events.len(), Ordering::Relaxed);
        self.bytes.fetch_add(size(events), Ordering::Relaxed);
    }

    fn remove(&self, events: &[Event]) {
        self.events.fetch_sub(events.len(), Ordering::Relaxed);
        self.bytes.fetch_sub(size(events), Ordering::Relaxed);
    }
}

fn size(events: &[Event]) -> usize {
    events.iter().map(Event::size).sum()
}

#[derive(Debug)]
struct Watcher {
    prefix: Bytes,
    from: Revision,
    sender: UnboundedSender<Result<Batch>>,
    waiting: Arc<Waiting>,
    delivered: Revision,
}

impl Watcher {
    /// Whether the watch goes on.
    fn offer(&mut self, events: &[Event], revision: Revision) -> bool {
        let wanted = |event: &&Event| event.revision >= self.from && event.key.starts_with(&self.prefix);
        let events: Vec<Event> = events.iter().filter(wanted).cloned().collect();
        if events.is_empty() {
            return !self.sender.is_closed();
        }
        if !self.waiting.fits(&events) {
            let delivered = self.delivered;
            return self.fail(StoreError::Lagged { delivered });
        }
        self.send(events, revision)
    }

    /// Whether the watch goes on. A queue full of reports is not possible: one is queued only when
    /// something was committed since the last batch.
    fn report(&mut self, revision: Revision) -> bool {
        if revision == self.delivered {
            return !self.sender.is_closed();
        }
        self.send(Vec::new(), revision)
    }

    fn send(&mut self, events: Vec<Event>, revision: Revision) -> bool {
        self.waiting.add(&events);
        self.delivered = revision;
        self.sender.send(Ok(Batch { events, revision })).is_ok()
    }

    fn fail(&self, error: StoreError) -> bool {
        // A reader that is gone needs no error.
        let _ = self.sender.send(Err(error));
        false
    }

    fn end(self, error: StoreError) {
        self.fail(error);
    }
}

#[derive(Debug)]
struct Queue {
    receiver: UnboundedReceiver<Result<Batch>>,
    waiting: Arc<Waiting>,
}

impl Queue {
    async fn next(&mut self) -> Option<Result<Batch>> {
        let item = self.receiver.recv().await;
        if let Some(Ok(batch)) = &item {
            self.waiting.remove(&batch.events);
        }
        item
    }
}

enum Progress {
    Behind { from: Revision, upto: Revision },
    Live(Queue),
    Ended(Option<StoreError>),
}

impl Progress {
    fn join(hub: &Hub, prefix: &Bytes, from: Revision) -> Self {
        match hub.join(prefix, from) {
            Ok(Joined::Behind(upto)) => Self::Behind { from, upto },
            Ok(Joined::Live(queue)) => Self::Live(queue),
            Err(error) => Self::Ended(Some(error)),
        }
    }
}

/// A watch on `log`. It does not keep the log open.
pub(crate) fn watch<L: Log>(
    log: &Arc<L>,
    prefix: Bytes,
    from: Revision,
) -> BoxStream<'static, Result<Batch>> {
    let progress = Progress::join(log.hub(), &prefix, from.max(Revision(1)));
    let log = Arc::downgrade(log);
    stream::unfold(progress, move |progress| step(log.clone(), prefix.clone(), progress)).boxed()
}

async fn step<L: Log>(
    log: Weak<L>,
    prefix: Bytes,
    mut progress: Progress,
) -> Option<(Result<Batch>, Progress)> {
    loop {
        match progress {
            Progress::Ended(error) => return Some((Err(error?), Progress::Ended(None))),
            Progress::Live(mut queue) => {
                return queue.next().await.map(|item| (item, Progress::Live(queue)));
            }
            Progress::Behind { from, upto } => {
                let Some(log) = log.upgrade() else {
                    return Some((Err(StoreError::Closed), Progress::Ended(None)));
                };
                let batch = match log.clone().replay(prefix.clone(), from, upto).await {
                    Ok(batch) => batch,
                    Err(error) => return Some((Err(error), Progress::Ended(None))),
                };
                progress = Progress::join(log.hub(), &prefix, batch.revision.next());
                if !batch.events.is_empty() {
                    return Some((Ok(batch), progress));
                }
            }
        }
    }
}
