//! The work queue of a controller: names in, one reconcile per name at a time.
//!
//! ```text
//! add ----> ready (fifo, deduplicated) --> active (at most `workers`, one per key)
//!             ^      ^                        |
//! add_after --+-- timers <-- back-off, requeue+   (a key added while active is ready again after)
//! ```
//!
//! Nothing polls: the runner sleeps until a key is added, a timer is due, or a reconcile ends.
//! kube-runtime's scheduler keeps one message per object and drops a key's failures with its
//! stream; here a key is a name of any kind and carries its own back-off (5 ms doubled up to
//! 1000 s, as client-go's).

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::fmt;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::{Error, Shutdown};

const BACKOFF_FIRST: Duration = Duration::from_millis(5);
const BACKOFF_LAST: Duration = Duration::from_secs(1000);

/// What may be a queue's key: a name.
pub trait Name: Clone + fmt::Debug + Eq + Hash + Ord + Send + Sync + 'static {}
impl<T: Clone + fmt::Debug + Eq + Hash + Ord + Send + Sync + 'static> Name for T {}

struct State<K> {
    ready: VecDeque<K>,
    queued: HashSet<K>,
    /// Keys being reconciled, and whether they were added again meanwhile.
    active: HashMap<K, bool>,
    timers: BTreeSet<(Instant, K)>,
    due: HashMap<K, Instant>,
    failures: HashMap<K, u32>,
}

impl<K: Name> State<K> {
    fn add(&mut self, key: K) {
        if let Some(again) = self.active.get_mut(&key) {
            *again = true;
        } else if self.queued.insert(key.clone()) {
            self.ready.push_back(key);
        }
    }

    /// A key has at most one timer, the earliest.
    fn add_at(&mut self, key: K, at: Instant) {
        if let Some(&earlier) = self.due.get(&key) {
            if earlier <= at {
                return;
            }
            self.timers.remove(&(earlier, key.clone()));
        }
        self.due.insert(key.clone(), at);
        self.timers.insert((at, key));
    }

    fn expire(&mut self, now: Instant) {
        while self.timers.first().is_some_and(|(at, _)| *at <= now) {
            if let Some((_, key)) = self.timers.pop_first() {
                self.due.remove(&key);
                self.add(key);
            }
        }
    }

    fn take(&mut self, now: Instant) -> Option<K> {
        self.expire(now);
        let key = self.ready.pop_front()?;
        self.queued.remove(&key);
        self.active.insert(key.clone(), false);
        Some(key)
    }

    fn done(&mut self, key: K, result: &Result<Option<Duration>, Error>, now: Instant) {
        let again = self.active.remove(&key).unwrap_or(false);
        match result {
            Ok(after) => {
                self.failures.remove(&key);
                if let Some(after) = after {
                    self.add_at(key.clone(), now + *after);
                }
            }
            Err(_) => {
                let failures = self.failures.entry(key.clone()).or_default();
                let after = backoff(*failures);
                *failures = failures.saturating_add(1);
                self.add_at(key.clone(), now + after);
            }
        }
        if again {
            self.add(key);
        }
    }
}

/// The wait after the given number of earlier failures.
pub(crate) fn backoff(failures: u32) -> Duration {
    BACKOFF_FIRST.saturating_mul(2u32.saturating_pow(failures)).min(BACKOFF_LAST)
}

struct Shared<K> {
    state: Mutex<State<K>>,
    changed: Notify,
}

/// A deduplicating queue of names with back-off and delayed adding. Clones share the queue.
#[derive(Clone)]
pub struct Queue<K>(Arc<Shared<K>>);

impl<K> fmt::Debug for Queue<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Queue")
    }
}

impl<K: Name> Default for Queue<K> {
    fn default() -> Self {
        let state = State {
            ready: VecDeque::new(),
            queued: HashSet::new(),
            active: HashMap::new(),
            timers: BTreeSet::new(),
            due: HashMap::new(),
            failures: HashMap::new(),
        };
        Self(Arc::new(Shared { state: Mutex::new(state), changed: Notify::new() }))
    }
}

impl<K: Name> Queue<K> {
    fn state(&self) -> MutexGuard<'_, State<K>> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for a reconcile of `key` as soon as there is room.
    pub fn add(&self, key: K) {
        self.state().add(key);
        self.0.changed.notify_one();
    }

    /// Asks for a reconcile of `key` after `delay`; an earlier request stands.
    pub fn add_after(&self, key: K, delay: Duration) {
        self.state().add_at(key, Instant::now() + delay);
        self.0.changed.notify_one();
    }

    /// Reconciles keys, at most `workers` at a time and never one key twice at once, until
    /// `shutdown`; then waits for the reconciles under way. `reconcile` answers with the time
    /// after which it wants to see the key again, or with an error, which backs off.
    pub async fn run<F, R>(&self, workers: usize, shutdown: Shutdown, reconcile: F)
    where
        F: Fn(K) -> R,
        R: Future<Output = Result<Option<Duration>, Error>> + Send + 'static,
    {
        let mut running = JoinSet::new();
        let mut shutdown = shutdown;
        loop {
            self.start(&mut running, workers, &reconcile);
            let due = self.state().timers.first().map(|(at, _)| *at);
            let timer = async {
                match due {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = &mut shutdown => break,
                () = self.0.changed.notified() => {}
                () = timer, if running.len() < workers => {}
                Some(ended) = running.join_next() => self.finish(ended),
            }
        }
        while running.join_next().await.is_some() {}
    }

    fn start<F, R>(&self, running: &mut JoinSet<(K, R::Output)>, workers: usize, reconcile: &F)
    where
        F: Fn(K) -> R,
        R: Future<Output = Result<Option<Duration>, Error>> + Send + 'static,
    {
        while running.len() < workers {
            let Some(key) = self.state().take(Instant::now()) else { return };
            let work = reconcile(key.clone());
            running.spawn(async move { (key, work.await) });
        }
    }

    fn finish(&self, ended: Result<(K, Result<Option<Duration>, Error>), tokio::task::JoinError>) {
        match ended {
            Ok((key, result)) => {
                if let Err(error) = &result {
                    log_failure(&key, error);
                }
                self.state().done(key, &result, Instant::now());
            }
            Err(error) => tracing::error!(%error, "a reconcile died"),
        }
    }
}

fn log_failure<K: fmt::Debug>(key: &K, error: &Error) {
    if error.is_normal() {
        tracing::debug!(?key, error = error as &dyn std::error::Error, "will be retried");
    } else {
        tracing::warn!(?key, error = error as &dyn std::error::Error, "reconcile failed, will be retried");
    }
}

#[cfg(test)]
mod tests;
