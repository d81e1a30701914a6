//! Reads: each from one snapshot of the file.

use std::ops::Bound;

use bytes::Bytes;
use redb::{ReadOnlyTable, ReadTransaction, ReadableDatabase};

use super::Shared;
use super::row::Row;
use super::tables::{self, DATA, INDEX, META, Position};
use crate::{Batch, Event, KeyValue, Page, Result, Revision, StoreError, limits};

/// The tables as of one commit.
struct Snapshot<'a> {
    shared: &'a Shared,
    tx: ReadTransaction,
}

type Data = ReadOnlyTable<Position, &'static [u8]>;

impl<'a> Snapshot<'a> {
    fn take(shared: &'a Shared) -> Result<Self> {
        if let Some(error) = shared.hub.closed() {
            return Err(error);
        }
        let tx = shared.db.begin_read().map_err(|source| shared.place.unreadable(source.into()))?;
        Ok(Self { shared, tx })
    }

    fn ok<T>(&self, result: std::result::Result<T, impl Into<redb::Error>>) -> Result<T> {
        result.map_err(|source| self.shared.place.unreadable(source.into()))
    }

    fn data(&self) -> Result<Data> {
        self.ok(self.tx.open_table(DATA))
    }

    fn fact(&self, name: &'static str) -> Result<Revision> {
        let meta = self.ok(self.tx.open_table(META))?;
        self.ok(tables::fact(&meta, name)).map(Revision)
    }

    fn row<'b>(&self, bytes: &'b [u8]) -> Result<Row<'b>> {
        Row::read(bytes).ok_or_else(|| self.shared.place.damaged("a row of its log has no known form"))
    }

    /// The pair whose row is at `position`.
    fn pair(&self, data: &Data, position: Position) -> Result<KeyValue> {
        let missing = || self.shared.place.damaged("its index names a row that its log does not have");
        let bytes = self.ok(data.get(position))?.ok_or_else(missing)?;
        let row = self.row(bytes.value())?;
        Ok(KeyValue {
            key: Bytes::copy_from_slice(row.key),
            value: Bytes::copy_from_slice(row.value.ok_or_else(missing)?),
            created: Revision(row.created),
            modified: Revision(position.0),
        })
    }
}

/// The pair under `key`.
pub(super) fn get(shared: &Shared, key: &[u8]) -> Result<Option<KeyValue>> {
    let snapshot = Snapshot::take(shared)?;
    let index = snapshot.ok(snapshot.tx.open_table(INDEX))?;
    let Some(entry) = snapshot.ok(index.get(key))? else { return Ok(None) };
    let (revision, position, _) = entry.value();
    snapshot.pair(&snapshot.data()?, (revision, position)).map(Some)
}

/// A page of the keys under `prefix`.
pub(super) fn list(shared: &Shared, prefix: &Bytes, after: Option<&Bytes>, limit: usize) -> Result<Page> {
    let snapshot = Snapshot::take(shared)?;
    let index = snapshot.ok(snapshot.tx.open_table(INDEX))?;
    let data = snapshot.data()?;
    let start: Bound<&[u8]> = match after {
        Some(after) if after >= prefix => Bound::Excluded(after),
        _ => Bound::Included(prefix),
    };
    let limit = if limit == 0 { limits::PAGE_ITEMS } else { limit.min(limits::PAGE_ITEMS) };
    let (mut items, mut bytes, mut more) = (Vec::new(), 0, false);
    for entry in snapshot.ok(index.range::<&[u8]>((start, Bound::Unbounded)))? {
        let (key, value) = snapshot.ok(entry)?;
        if !key.value().starts_with(prefix) {
            break;
        }
        more = items.len() == limit || bytes >= limits::PAGE_BYTES;
        if more {
            break;
        }
        let (revision, position, _) = value.value();
        let pair = snapshot.pair(&data, (revision, position))?;
        bytes += pair.key.len() + pair.value.len();
        items.push(pair);
    }
    Ok(Page { items, revision: snapshot.fact(tables::REVISION)?, more })
}

/// The next whole revisions of the log, until enough rows or bytes were read. See `hub::Log::replay`.
pub(super) fn replay(shared: &Shared, prefix: &Bytes, from: Revision, upto: Revision) -> Result<Batch> {
    let snapshot = Snapshot::take(shared)?;
    let compacted = snapshot.fact(tables::COMPACTED)?;
    if from <= compacted {
        return Err(StoreError::Compacted { requested: from, compacted });
    }
    let mut batch = Batch { events: Vec::new(), revision: from };
    let (mut rows, mut bytes) = (0, 0);
    for entry in snapshot.ok(snapshot.data()?.range((from.0, 0)..=(upto.0, u32::MAX)))? {
        let (position, value) = snapshot.ok(entry)?;
        let revision = Revision(position.value().0);
        let enough = rows >= limits::REPLAY_ROWS || bytes >= limits::REPLAY_BYTES;
        if enough && revision != batch.revision {
            return Ok(batch);
        }
        batch.revision = revision;
        let row = snapshot.row(value.value())?;
        rows += 1;
        if row.key.starts_with(prefix) {
            bytes += row.len();
            batch.events.push(event(&row, revision));
        }
    }
    batch.revision = upto;
    Ok(batch)
}

fn event(row: &Row<'_>, revision: Revision) -> Event {
    Event {
        key: Bytes::copy_from_slice(row.key),
        value: row.value.map(Bytes::copy_from_slice),
        revision,
        created: Revision(row.created),
    }
}
