//! What is written to a store: conditional transactions.

use std::collections::HashSet;

use bytes::Bytes;

use crate::{KeyValue, Result, Revision, StoreError, limits};

/// What a compare asks of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// The key does not exist.
    Absent,
    /// The key exists and was last modified at this revision.
    At(Revision),
}

impl Expect {
    /// Whether a key last modified at `modified` (`None`: absent) is as expected.
    #[must_use]
    pub fn holds(self, modified: Option<Revision>) -> bool {
        match self {
            Self::Absent => modified.is_none(),
            Self::At(revision) => modified == Some(revision),
        }
    }
}

/// A condition of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compare {
    /// The key looked at.
    pub key: Bytes,
    /// What must be there.
    pub expect: Expect,
}

/// A change a transaction makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Sets the key, whether it exists or not.
    Put {
        /// The key.
        key: Bytes,
        /// Its new value.
        value: Bytes,
    },
    /// Removes the key. Nothing happens, and no event is made, when it does not exist.
    Delete {
        /// The key.
        key: Bytes,
    },
}

impl Op {
    /// The key changed.
    #[must_use]
    pub fn key(&self) -> &Bytes {
        match self {
            Self::Put { key, .. } | Self::Delete { key } => key,
        }
    }

    fn size(&self) -> usize {
        match self {
            Self::Put { key, value } => key.len() + value.len(),
            Self::Delete { key } => key.len(),
        }
    }
}

/// When a transaction must be on disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// Before it is acknowledged.
    #[default]
    Now,
    /// With the next durable transaction, at most one second later. It is acknowledged once it is
    /// visible, so a crash within that second loses it, though never its revision number. For what
    /// is written often and soon written again.
    NextBatch,
}

/// A transaction: when every compare holds, every op is applied, as one revision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Txn {
    /// The conditions, all of which must hold. None: always applied.
    pub compare: Vec<Compare>,
    /// The changes, in order; no key twice.
    pub ops: Vec<Op>,
    /// When it must be on disk.
    pub durability: Durability,
}

impl Txn {
    /// Bytes of all ops, as counted against [`limits::TXN_BYTES`].
    pub(crate) fn size(&self) -> usize {
        self.ops.iter().map(Op::size).sum()
    }

    /// Refuses a transaction outside the [`limits`], or that changes a key twice.
    pub(crate) fn check(&self) -> Result<()> {
        let invalid = |reason| Err(StoreError::Invalid { reason });
        if self.ops.len() > limits::TXN_OPS || self.compare.len() > limits::TXN_OPS {
            return invalid("too many operations in one transaction");
        }
        if self.size() > limits::TXN_BYTES {
            return invalid("the transaction is too large");
        }
        let mut keys = self.compare.iter().map(|compare| &compare.key).chain(self.ops.iter().map(Op::key));
        if keys.any(|key| key.is_empty() || key.len() > limits::KEY_BYTES) {
            return invalid("a key is empty or too long");
        }
        let mut seen = HashSet::new();
        if self.ops.len() > 1 && !self.ops.iter().all(|op| seen.insert(op.key())) {
            return invalid("one transaction changes a key twice");
        }
        Ok(())
    }
}

/// What became of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Applied, at this revision. A transaction that changed nothing (no ops, or only deletions of
    /// absent keys) uses no revision and carries the latest one.
    Committed(Revision),
    /// Not applied: a compare did not hold. What is there now, for each compare in order.
    Refused(Vec<Option<KeyValue>>),
}
