//! Where the file is, who may open it, and what is refused.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::backends::FileBackend;
use redb::{Database, DatabaseError, StorageBackend, StorageError};

use super::tables;
use crate::{Result, StoreError};

const FILE: &str = "store.redb";
/// Where a new store is made; it gets its name only when it is complete.
const NEW_FILE: &str = "store.redb.new";

/// The file of an open store, and the lock on its directory, held as long as this lives.
#[derive(Debug)]
pub(super) struct Place {
    file: PathBuf,
    _lock: Option<File>,
}

impl Place {
    /// A place that is only a name, for a backend that is no file.
    #[cfg(test)]
    pub(super) fn named(name: &str) -> Self {
        Self { file: name.into(), _lock: None }
    }

    /// The error of a file system operation.
    pub(super) fn io(&self, action: &'static str, source: io::Error) -> StoreError {
        io_error(action, &self.file, source)
    }

    /// The error of a read.
    pub(super) fn unreadable(&self, source: redb::Error) -> StoreError {
        let path = self.file.clone();
        match source {
            redb::Error::Corrupted(_) => damaged(&path, source),
            redb::Error::Io(io) if wrong_contents(&io) => damaged(&path, io),
            redb::Error::DatabaseClosed => StoreError::Closed,
            _ => StoreError::Io { action: "read", path, source: Arc::new(source) },
        }
    }

    /// The error of a commit.
    pub(super) fn failed(&self, source: redb::Error) -> StoreError {
        StoreError::Failed { path: self.file.clone(), source: Arc::new(source) }
    }

    /// The file holds what we never wrote.
    pub(super) fn damaged(&self, what: &'static str) -> StoreError {
        damaged(&self.file, io::Error::new(io::ErrorKind::InvalidData, what))
    }

    pub(super) fn newer(&self, found: u64) -> StoreError {
        StoreError::NewerFormat { path: self.file.clone(), found, supported: tables::FORMAT }
    }

    pub(super) fn size(&self) -> Result<u64> {
        fs::metadata(&self.file).map(|meta| meta.len()).map_err(|source| self.io("look at", source))
    }
}

fn io_error(action: &'static str, path: &Path, source: io::Error) -> StoreError {
    StoreError::Io { action, path: path.into(), source: Arc::new(source) }
}

fn damaged(path: &Path, source: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    StoreError::Damaged { path: path.into(), source: Arc::new(source) }
}

/// Opens the store of `directory`, creating what is missing.
pub(super) fn directory(directory: &Path, cache_bytes: usize) -> Result<(Place, Database)> {
    create_directory(directory)?;
    let lock = lock(directory)?;
    let file = directory.join(FILE);
    if !file.try_exists().map_err(|source| io_error("look for", &file, source))? {
        create(directory, &file)?;
    }
    let place = Place { file, _lock: Some(lock) };
    let db = database(&place, open_file(&place.file)?, cache_bytes)?;
    Ok((place, db))
}

fn create_directory(directory: &Path) -> Result<()> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
    made.map_err(|source| io_error("create", directory, source))
}

/// The lock is on the directory, so that it covers the time when there is no file yet.
fn lock(directory: &Path) -> Result<File> {
    let lock = File::open(directory).map_err(|source| io_error("open", directory, source))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse { path: directory.into() }),
        Err(TryLockError::Error(source)) => Err(io_error("lock", directory, source)),
    }
}

/// Makes an empty store under another name and renames it: a crash leaves a whole store or none.
fn create(directory: &Path, file: &Path) -> Result<()> {
    let new = directory.join(NEW_FILE);
    match fs::remove_file(&new) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            return Err(io_error("remove the unfinished", &new, source));
        }
        _ => {}
    }
    let options = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&new);
    let place = Place { file: new.clone(), _lock: None };
    let backend = backend(options.map_err(|source| io_error("create", &new, source))?, &new)?;
    drop(database(&place, backend, 0)?);
    fs::rename(&new, file).map_err(|source| io_error("rename", &new, source))?;
    // The names must be on disk before anything in the file is promised to be.
    for parent in [Some(directory), directory.parent()].into_iter().flatten() {
        sync_directory(parent)?;
    }
    Ok(())
}

fn sync_directory(directory: &Path) -> Result<()> {
    // The parent of a relative directory of one component is the empty path.
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    let synced = File::open(directory).and_then(|opened| opened.sync_all());
    synced.map_err(|source| io_error("sync", directory, source))
}

fn open_file(path: &Path) -> Result<FileBackend> {
    let file = OpenOptions::new().read(true).write(true).open(path);
    let file = file.map_err(|source| io_error("open", path, source))?;
    let meta = file.metadata().map_err(|source| io_error("look at", path, source))?;
    if meta.len() == 0 {
        // redb would make a new, empty store of it, and with it an empty cluster.
        return Err(damaged(path, io::Error::new(io::ErrorKind::UnexpectedEof, "the file is empty")));
    }
    let private = fs::Permissions::from_mode(0o600);
    file.set_permissions(private).map_err(|source| io_error("restrict access to", path, source))?;
    backend(file, path)
}

fn backend(file: File, path: &Path) -> Result<FileBackend> {
    FileBackend::new(file).map_err(|source| refusal(path, source))
}

/// Opens or initialises the database in `backend`, and verifies all of it.
pub(super) fn database(place: &Place, backend: impl StorageBackend, cache_bytes: usize) -> Result<Database> {
    let mut builder = Database::builder();
    builder.set_cache_size(cache_bytes).set_check_integrity_on_open(true);
    let db = builder.create_with_backend(backend).map_err(|source| refusal(&place.file, source))?;
    tables::adopt(&db, place)?;
    Ok(db)
}

fn refusal(path: &Path, source: DatabaseError) -> StoreError {
    match source {
        DatabaseError::DatabaseAlreadyOpen => StoreError::InUse { path: path.into() },
        DatabaseError::Storage(StorageError::Io(io)) if !wrong_contents(&io) => io_error("read", path, io),
        other => damaged(path, other),
    }
}

/// Whether an I/O error is about what is in the file (foreign, or too short) and not about reading it.
fn wrong_contents(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof)
}
