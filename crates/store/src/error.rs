//! What can go wrong, and what to do about it.

use std::path::PathBuf;
use std::sync::Arc;

use crate::Revision;

/// The cause of an error. Shared, since one failed commit answers many writers.
pub(crate) type Cause = Arc<dyn std::error::Error + Send + Sync>;

/// An error of a store.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another process, or another part of this one, has the store open.
    #[error("the store in {} is in use: stop the process that has it open, or choose another directory", path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// The file is not one of ours, or not as we wrote it.
    #[error("{} is damaged or is not a store: move it away and restore a backup", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Cause,
    },
    /// The file was written by a newer program.
    #[error(
        "{} has store format {found} and this program knows formats up to {supported}: \
         run the newer program that wrote it, or restore a backup",
        path.display()
    )]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// The format version of the file.
        found: u64,
        /// The newest format version this program reads.
        supported: u64,
    },
    /// An operation of the file system failed, and nothing was changed by it.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was attempted, as a verb.
        action: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// Why it failed.
        source: Cause,
    },
    /// A commit failed, and the engine has stopped taking writes, since it can no longer know what is
    /// on disk. Opening the store again tells. Everything acknowledged as durable is still there.
    #[error("writing {} failed and the store has stopped: remove the cause and start again", path.display())]
    Failed {
        /// The file.
        path: PathBuf,
        /// Why it failed.
        source: Cause,
    },
    /// The log no longer reaches back that far: list, and watch from there.
    #[error("revision {requested} is compacted: the log begins after {compacted}")]
    Compacted {
        /// The revision asked for.
        requested: Revision,
        /// The last revision that is compacted.
        compacted: Revision,
    },
    /// The revision does not exist yet.
    #[error("revision {requested} is in the future: the latest is {latest}")]
    Future {
        /// The revision asked for.
        requested: Revision,
        /// The latest revision.
        latest: Revision,
    },
    /// A watch did not read its events fast enough: start a new one after the last revision delivered.
    #[error("the watch fell too far behind after revision {delivered}: start it again from there")]
    Lagged {
        /// The revision of the last batch delivered before this error.
        delivered: Revision,
    },
    /// The transaction is one no engine takes.
    #[error("invalid transaction: {reason}")]
    Invalid {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The store was closed while the operation waited.
    #[error("the store is closed")]
    Closed,
}
