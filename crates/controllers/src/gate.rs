//! The read-your-writes rule: no key is planned from a cache older than the key's own last writes.
//!
//! A controller that creates with `generateName` would create twice if it planned again before its
//! cache showed the first creation. So after each apply the gate notes, per key, which revision the
//! cache of each written kind must have passed (creates, patches) and which objects it must have
//! lost (deletes). A key whose notes are not met is not planned; it needs no timer, because the very
//! events that meet the notes name the key again. A complete list that began after the write meets
//! every note, so a note can never wait for an event that a relist has swallowed.

use std::collections::HashMap;
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
    notes: Mutex<HashMap<K, Vec<Note>>>,
}

impl<K> std::fmt::Debug for Gate<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Gate")
    }
}

impl<K: Name> Gate<K> {
    /// A gate over the caches that the controller reads. Writes to other kinds are not awaited.
    pub fn new(watched: Vec<Arc<dyn Watched>>) -> Self {
        Self { watched, notes: Mutex::default() }
    }

    fn notes(&self) -> MutexGuard<'_, HashMap<K, Vec<Note>>> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cache(&self, resource: &str) -> Option<&Arc<dyn Watched>> {
        self.watched.iter().find(|watched| watched.resource() == resource)
    }

    /// Notes what was written for `key`.
    pub fn note(&self, key: &K, written: Vec<Written>) {
        let notes: Vec<Note> = written.into_iter().filter_map(|written| self.pending(written)).collect();
        if !notes.is_empty() {
            self.notes().entry(key.clone()).or_default().extend(notes);
        }
    }

    fn pending(&self, written: Written) -> Option<Note> {
        let lists = self.cache(&written.resource)?.progress().begun;
        let note = Note { written, lists };
        (!self.met(&note)).then_some(note)
    }

    /// Whether the caches show all that was written for `key`.
    pub fn open(&self, key: &K) -> bool {
        let mut all = self.notes();
        let Some(notes) = all.get_mut(key) else { return true };
        notes.retain(|note| !self.met(note));
        let open = notes.is_empty();
        if open {
            all.remove(key);
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
