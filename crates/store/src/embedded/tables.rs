//! The tables of the file, and what is remembered about it as a whole.

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition, TableError};

use super::open::Place;
use crate::{Result, Revision};

/// The format this program writes, and the newest one it reads.
pub(super) const FORMAT: u64 = 1;

/// Revision and position of an op within it: where in the log a row is.
pub(super) type Position = (u64, u32);

/// The log: position -> row (see `row`).
pub(super) const DATA: TableDefinition<'static, Position, &'static [u8]> = TableDefinition::new("data");
/// The keys that exist: key -> position of the row that last put it, revision that created it.
pub(super) const INDEX: TableDefinition<'static, &'static [u8], (u64, u32, u64)> =
    TableDefinition::new("index");
/// Facts about the whole file, by name.
pub(super) const META: TableDefinition<'static, &'static str, u64> = TableDefinition::new("meta");

/// The format version.
const FORMAT_KEY: &str = "format";
/// The latest revision of the log.
pub(super) const REVISION: &str = "revision";
/// The greatest revision a commit that is not on disk may have; 0 after a clean end.
pub(super) const RESERVED: &str = "reserved";
/// Up to which revision the log is forgotten, in meaning.
pub(super) const COMPACTED: &str = "compacted";
/// Up to which revision it is also removed.
pub(super) const SWEPT: &str = "swept";

/// The facts the commit thread works with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    pub(super) revision: Revision,
    pub(super) reserved: Revision,
    pub(super) compacted: Revision,
    pub(super) swept: Revision,
}

/// A fact of the meta table; 0 when it was never set.
pub(super) fn fact(
    meta: &impl ReadableTable<&'static str, u64>,
    name: &'static str,
) -> Result<u64, redb::StorageError> {
    Ok(meta.get(name)?.map_or(0, |value| value.value()))
}

/// Makes the tables in an empty database, or refuses one that is not a store of a format known here.
pub(super) fn adopt(db: &Database, place: &Place) -> Result<()> {
    match format(db) {
        Ok(Some(FORMAT)) => Ok(()),
        Ok(Some(0)) => Err(place.damaged("it has no format version")),
        Ok(Some(newer)) => Err(place.newer(newer)),
        Ok(None) => initialise(db).map_err(|source| place.failed(source)),
        Err(redb::Error::TableDoesNotExist(_)) => Err(place.damaged("it is a database of another program")),
        Err(source) => Err(place.unreadable(source)),
    }
}

/// The format version, `None` for a database without any table.
fn format(db: &Database) -> Result<Option<u64>, redb::Error> {
    let tx = db.begin_read()?;
    if tx.list_tables()?.next().is_none() {
        return Ok(None);
    }
    match tx.open_table(META) {
        Ok(meta) => Ok(Some(fact(&meta, FORMAT_KEY)?)),
        Err(TableError::Storage(source)) => Err(source.into()),
        Err(_) => Err(redb::Error::TableDoesNotExist("meta".into())),
    }
}

fn initialise(db: &Database) -> Result<(), redb::Error> {
    let tx = db.begin_write()?;
    tx.open_table(META)?.insert(FORMAT_KEY, FORMAT)?;
    tx.open_table(DATA)?;
    tx.open_table(INDEX)?;
    tx.commit()?;
    Ok(())
}

/// The state left by the last run. After a crash the revision skips what may have been handed out.
pub(super) fn recover(db: &Database, place: &Place) -> Result<State> {
    let mut state = state(db).map_err(|source| place.unreadable(source))?;
    if state.swept > state.compacted || state.compacted > state.revision {
        return Err(place.damaged("its revisions contradict each other"));
    }
    if state.reserved > state.revision {
        state.revision = state.reserved;
        skip(db, state.revision).map_err(|source| place.failed(source))?;
    }
    Ok(state)
}

fn state(db: &Database) -> Result<State, redb::Error> {
    let meta = db.begin_read()?.open_table(META)?;
    Ok(State {
        revision: Revision(fact(&meta, REVISION)?),
        reserved: Revision(fact(&meta, RESERVED)?),
        compacted: Revision(fact(&meta, COMPACTED)?),
        swept: Revision(fact(&meta, SWEPT)?),
    })
}

fn skip(db: &Database, to: Revision) -> Result<(), redb::Error> {
    let tx = db.begin_write()?;
    tx.open_table(META)?.insert(REVISION, to.0)?;
    tx.commit()?;
    Ok(())
}
