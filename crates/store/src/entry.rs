//! What is read from a store: revisions, key-value pairs, pages, events.

use std::fmt;

use bytes::Bytes;

/// The number of a committed transaction.
///
/// The first commit is 1; 0 is the empty store. Later commits have greater numbers, not always the
/// next one: after a crash an engine may leave a gap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

impl Revision {
    /// The revision after this one, in order of numbers.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A key that exists, as of one revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyValue {
    /// The key.
    pub key: Bytes,
    /// The value; may be empty.
    pub value: Bytes,
    /// The revision that created the key (after its last deletion).
    pub created: Revision,
    /// The revision that last put the key.
    pub modified: Revision,
}

/// A part of the keys under a prefix, in key order, from one consistent read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The pairs, in key order.
    pub items: Vec<KeyValue>,
    /// The revision the whole page is read at.
    pub revision: Revision,
    /// Whether keys follow after the last item. Never set on a page without items.
    pub more: bool,
}

/// One change of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The key.
    pub key: Bytes,
    /// The value put, or `None` for a deletion.
    pub value: Option<Bytes>,
    /// The revision of the transaction that made the change.
    pub revision: Revision,
    /// The revision that created the key; equal to `revision` when this event did. For a deletion,
    /// the creation that it ended.
    pub created: Revision,
}

impl Event {
    /// Bytes this event keeps alive while it waits in a queue.
    pub(crate) fn size(&self) -> usize {
        self.key.len() + self.value.as_ref().map_or(0, Bytes::len)
    }
}

/// What a watch delivers: whole revisions, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// The events under the watch's prefix, by revision and then by position in the transaction.
    /// Empty in a batch that only reports progress.
    pub events: Vec<Event>,
    /// Every event of the watch up to and including this revision has now been delivered.
    pub revision: Revision,
}
