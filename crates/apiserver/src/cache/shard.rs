//! The cached objects of one resource: an ordered map, and a ring of the latest changes.
//!
//! ```text
//! objects   key -> Object            persistent map: a snapshot is one pointer
//! ring      [oldest .. newest]       bounded; a watcher that falls off its tail is cut off
//! ```
//!
//! Watchers hold no buffer of their own: each keeps a position in the ring and reads on when
//! woken. So a stalled watcher costs nothing, and cannot make the server remember more.

use std::collections::VecDeque;
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use imbl::OrdMap;
use tokio::sync::watch;

use super::index::Indexed;
use crate::value::Versioned;

/// Snapshots kept for paged lists, and for how long.
const SNAPSHOTS_MAX: usize = 16;
const SNAPSHOT_AGE_MAX: Duration = Duration::from_secs(300);

/// One object as readers share it.
#[derive(Debug)]
pub struct Object {
    /// `namespace/name`, or `name` for cluster-scoped kinds.
    pub key: Arc<str>,
    /// The JSON with its revision.
    pub versioned: Versioned,
    /// The revision that wrote it.
    pub revision: u64,
    /// What selectors may look at.
    pub indexed: Indexed,
}

/// A snapshot of all objects of one resource.
pub type Objects = OrdMap<Arc<str>, Arc<Object>>;

/// One change: `object` is `None` when the key was deleted.
#[derive(Debug)]
pub struct Change {
    /// The revision of the change.
    pub revision: u64,
    /// The object after the change.
    pub object: Option<Arc<Object>>,
    /// The object before the change.
    pub previous: Option<Arc<Object>>,
}

/// A position after which a watcher reads on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position(u64);

/// Why a watch cannot start or go on where it asks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too old resource version: {requested} ({oldest})")]
pub struct TooOld {
    /// The revision asked for.
    pub requested: u64,
    /// The oldest revision from which changes are still known.
    pub oldest: u64,
}

#[derive(Debug, Default)]
struct State {
    objects: Objects,
    ring: VecDeque<Arc<Change>>,
    /// How many changes have left the ring: the position of its front.
    dropped: u64,
    /// Changes after this revision are all in the ring.
    oldest: u64,
    /// The last revision that changed this resource.
    changed: u64,
    snapshots: VecDeque<(u64, Instant, Objects)>,
}

/// The cached objects of one resource.
#[derive(Debug)]
pub struct Shard {
    ring_max: usize,
    state: RwLock<State>,
    wake: watch::Sender<u64>,
}

impl Shard {
    /// An empty shard that knows every change after `revision` and keeps the last `ring_max`.
    pub fn since(revision: u64, ring_max: usize) -> Self {
        let state = State { oldest: revision, changed: revision, ..State::default() };
        Self { ring_max, state: RwLock::new(state), wake: watch::Sender::new(0) }
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The object under `key`.
    pub fn get(&self, key: &str) -> Option<Arc<Object>> {
        self.read().objects.get(key).cloned()
    }

    /// All objects, and the last revision that changed one.
    pub fn snapshot(&self) -> (Objects, u64) {
        let state = self.read();
        (state.objects.clone(), state.changed)
    }

    /// The objects as they were at `revision`, while that is still known; `now` is the revision
    /// up to which the cache has applied everything.
    pub fn snapshot_at(&self, revision: u64, now: u64) -> Option<Objects> {
        let state = self.read();
        if state.changed <= revision && revision <= now {
            return Some(state.objects.clone());
        }
        state.snapshots.iter().find(|(at, _, _)| *at == revision).map(|(_, _, objects)| objects.clone())
    }

    /// Keeps a snapshot for the further pages of a list.
    pub fn keep(&self, revision: u64, objects: &Objects, now: Instant) {
        let mut state = self.write();
        state.snapshots.retain(|(at, since, _)| {
            *at != revision && now.saturating_duration_since(*since) < SNAPSHOT_AGE_MAX
        });
        if state.snapshots.len() >= SNAPSHOTS_MAX {
            state.snapshots.pop_front();
        }
        state.snapshots.push_back((revision, now, objects.clone()));
    }

    /// Applies a change that the store reported. A revision already applied changes nothing.
    pub fn apply(&self, key: &Arc<str>, object: Option<Arc<Object>>, revision: u64) {
        let mut state = self.write();
        let previous = state.objects.get(key).cloned();
        if previous.as_ref().is_some_and(|known| known.revision >= revision) {
            return;
        }
        match &object {
            Some(object) => drop(state.objects.insert(Arc::clone(key), Arc::clone(object))),
            None if previous.is_none() => return,
            None => drop(state.objects.remove(key)),
        }
        state.changed = state.changed.max(revision);
        if revision <= state.oldest {
            return;
        }
        state.ring.push_back(Arc::new(Change { revision, object, previous }));
        if state.ring.len() > self.ring_max
            && let Some(gone) = state.ring.pop_front()
        {
            state.dropped += 1;
            state.oldest = gone.revision;
        }
    }

    /// Replaces everything after a (re)load that is complete up to `revision`. Watchers are cut
    /// off: what happened in between is not known.
    pub fn replace(&self, objects: Objects, revision: u64) {
        let mut state = self.write();
        state.dropped += state.ring.len() as u64 + 1;
        state.ring.clear();
        state.snapshots.clear();
        state.oldest = revision;
        state.changed = revision;
        state.objects = objects;
    }

    /// Gives every object a new index; nothing else changes.
    pub fn reindex(&self, index: impl Fn(&Object) -> Indexed) {
        let mut state = self.write();
        let renewed = |(key, object): (&Arc<str>, &Arc<Object>)| {
            let object = Object {
                key: Arc::clone(&object.key),
                versioned: object.versioned.clone(),
                revision: object.revision,
                indexed: index(object),
            };
            (Arc::clone(key), Arc::new(object))
        };
        state.objects = state.objects.iter().map(renewed).collect();
    }

    /// Wakes the watchers after a batch of changes.
    pub fn wake(&self) {
        self.wake.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// A receiver that changes whenever there may be something to read.
    pub fn waker(&self) -> watch::Receiver<u64> {
        self.wake.subscribe()
    }

    /// The position from which a watcher sees every change after `revision`.
    pub fn position_after(&self, revision: u64) -> Result<Position, TooOld> {
        let state = self.read();
        if revision < state.oldest {
            return Err(TooOld { requested: revision, oldest: state.oldest });
        }
        let skipped = state.ring.partition_point(|change| change.revision <= revision);
        Ok(Position(state.dropped + skipped as u64))
    }

    /// All objects, and the position from which a watcher sees every change after them.
    pub fn snapshot_and_position(&self) -> (Objects, u64, Position) {
        let state = self.read();
        let position = Position(state.dropped + state.ring.len() as u64);
        (state.objects.clone(), state.changed, position)
    }

    /// Up to `limit` changes from `position` on, and the position after them; `None` when the
    /// watcher has fallen behind the ring.
    pub fn read_from(&self, position: Position, limit: usize) -> Option<(Vec<Arc<Change>>, Position)> {
        let state = self.read();
        let start = position.0.checked_sub(state.dropped)?;
        let start = usize::try_from(start).ok()?;
        let changes: Vec<_> = state.ring.iter().skip(start).take(limit).cloned().collect();
        let next = Position(position.0 + changes.len() as u64);
        Some((changes, next))
    }
}

/// The objects whose key begins with `prefix`, after the key `after`.
pub fn range<'a>(
    objects: &'a Objects,
    prefix: &'a str,
    after: Option<&'a str>,
) -> impl Iterator<Item = &'a Arc<Object>> {
    let start = match after {
        Some(key) => Bound::Excluded(key),
        None => Bound::Included(prefix),
    };
    objects
        .range::<_, str>((start, Bound::Unbounded))
        .map(|(_, object)| object)
        .take_while(move |object| object.key.starts_with(prefix))
}
