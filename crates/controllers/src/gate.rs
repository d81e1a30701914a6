//! The read-your-writes rule: no key is planned from a cache older than the key's own last writes.
//!
//! A controller that creates with `generateName` would create twice if it planned again before its
//! cache showed the first creation. So after each apply the gate notes, per key, which revision the
//! cache of each written kind must have passed (creates, patches) and which objects it must have
//! lost (deletes). A key whose notes are not met is put aside and comes back when the caches have come
//! that far; no timer is needed. A complete list that began after the write meets every note, so a
//! note can never wait for an event that a relist has swallowed.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::informer::{Key, Watched};
use crate::queue::Name;

/// One write as the API server acknowledged it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The plural resource name.
    pub resource: String,
    /// What the cache must show.
    pub effect: Effect,
}

/// What a write did to its object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The object exists with this revision.
    Revision(u64),
    /// The object is gone or going.
    Gone(Key, String),
}

struct Note {
    written: Written,
    lists: u64,
}

/// Decides whether a key may be planned. One per controller.
pub struct Gate<K> {
    watched: Vec<Arc<dyn Watched>>,
    state: Mutex<State<K>>,
}

struct State<K> {
    notes: HashMap<K, Vec<Note>>,
    /// Keys that were asked for while their notes were not met.
    waiting: HashSet<K>,
}

impl<K> std::fmt::Debug for Gate<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Gate")
    }
}

impl<K: Name> Gate<K> {
    /// A gate over the caches that the controller reads. Writes to other kinds are not awaited.
    pub fn new(watched: Vec<Arc<dyn Watched>>) -> Self {
        let state = State { notes: HashMap::new(), waiting: HashSet::new() };
        Self { watched, state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State<K>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cache(&self, resource: &str) -> Option<&Arc<dyn Watched>> {
        self.watched.iter().find(|watched| watched.resource() == resource)
    }

    /// Notes what was written for `key`.
    pub fn note(&self, key: &K, written: Vec<Written>) {
        let notes: Vec<Note> = written.into_iter().filter_map(|written| self.pending(written)).collect();
        if !notes.is_empty() {
            self.state().notes.entry(key.clone()).or_default().extend(notes);
        }
    }

    fn pending(&self, written: Written) -> Option<Note> {
        let lists = self.cache(&written.resource)?.progress().begun;
        let note = Note { written, lists };
        (!self.met(&note)).then_some(note)
    }

    /// Whether the caches show all that was written for `key`. If not, [`Gate::released`] will name
    /// it.
    pub fn open(&self, key: &K) -> bool {
        let mut state = self.state();
        let open = self.settle(&mut state, key);
        if !open {
            state.waiting.insert(key.clone());
        }
        open
    }

    /// The keys that found the gate closed and would find it open now; each is named once.
    pub fn released(&self) -> Vec<K> {
        let mut state = self.state();
        if state.waiting.is_empty() {
            return Vec::new();
        }
        let waiting: Vec<K> = state.waiting.iter().cloned().collect();
        let released: Vec<K> = waiting.into_iter().filter(|key| self.settle(&mut state, key)).collect();
        for key in &released {
            state.waiting.remove(key);
        }
        released
    }

    /// Drops the notes that are met. Whether none is left.
    fn settle(&self, state: &mut State<K>, key: &K) -> bool {
        let Some(notes) = state.notes.get_mut(key) else { return true };
        notes.retain(|note| !self.met(note));
        let open = notes.is_empty();
        if open {
            state.notes.remove(key);
        }
        open
    }

    fn met(&self, note: &Note) -> bool {
        let Some(cache) = self.cache(&note.written.resource) else { return true };
        let progress = cache.progress();
        progress.completed > note.lists
            || match &note.written.effect {
                Effect::Revision(revision) => progress.revision >= *revision,
                Effect::Gone(key, uid) => !cache.holds(key, uid),
            }
    }
}

/// Waits until every cache has had its first complete list.
pub async fn synced(watched: &[Arc<dyn Watched>]) {
    for cache in watched {
        // An error means that the informer is gone; then no event will ever come either.
        let _ = cache.synced().wait_for(|synced| *synced).await;
    }
}

#[cfg(test)]
mod tests;
