//! Removes what a compaction has made useless, a bounded number of rows at a time.
//!
//! A row of the swept part of the log stays only while it is the current value of its key. Whatever
//! replaced it names it, so a sweep reads the log from where the last one ended and removes, for each
//! row, the row it replaced, and the row itself when it is a deletion.

use redb::{ReadableTable, WriteTransaction};

use super::commit::Committer;
use super::row::Row;
use super::tables::{self, DATA, META, Position, State};
use crate::{Result, Revision, limits};

impl Committer {
    /// One step, if a compaction is under way, and the answer to those that are done. A crash before
    /// the step is on disk only repeats it.
    pub(super) fn sweep(&mut self) -> Result<()> {
        if self.state.swept < self.state.compacted {
            self.sweep_step().map_err(|source| self.shared.place.failed(source))?;
        }
        let swept = self.state.swept;
        while self.sweeps.front().is_some_and(|(at, _)| *at <= swept) {
            if let Some((_, reply)) = self.sweeps.pop_front() {
                let _ = reply.send(Ok(()));
            }
        }
        Ok(())
    }

    fn sweep_step(&mut self) -> Result<(), redb::Error> {
        let tx = self.shared.db.begin_write()?;
        let swept = remove_some(&tx, self.state)?;
        tx.open_table(META)?.insert(tables::SWEPT, swept.0)?;
        self.commit_visible(tx)?;
        self.state.swept = swept;
        Ok(())
    }
}

/// Sweeps on from `state.swept`; gives the revision up to which, including it, the log is now swept.
fn remove_some(tx: &WriteTransaction, state: State) -> Result<Revision, redb::Error> {
    let mut data = tx.open_table(DATA)?;
    let mut useless: Vec<Position> = Vec::new();
    let mut swept = state.compacted;
    let (mut rows, mut last) = (0, 0);
    for entry in data.range((state.swept.0 + 1, 0)..=(state.compacted.0, u32::MAX))? {
        let (position, bytes) = entry?;
        let position = position.value();
        if rows >= limits::SWEEP_ROWS && position.0 != last {
            // Only whole revisions count as swept.
            swept = Revision(last);
            break;
        }
        let row = Row::read(bytes.value()).ok_or_else(|| redb::Error::Corrupted("unknown row".into()))?;
        useless.extend(row.previous);
        if row.value.is_none() {
            useless.push(position);
        }
        (rows, last) = (rows + 1, position.0);
    }
    for position in useless {
        data.remove(position)?;
    }
    Ok(swept)
}
