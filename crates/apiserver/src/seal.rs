//! AES-256-GCM over stored values, and the keys that do it.
//!
//! ```text
//! keys/seal-1.key ─┐                    newest seals
//! keys/seal-2.key ─┴─> KeyRing ─> AesGcm ────────────> nonce (12 random bytes) | ciphertext | tag
//!                                        all open
//! ```
//! The store key is authenticated with the value: a value moved to another key does not open. Key files
//! are `0600` in a directory of `0700` and are replaced as a whole. A nonce is random, so a key is good for
//! 2^32 values (NIST SP 800-38D, 8.3); rotate long before.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::cache::ROOT;
use crate::value::{Seal, ValueError};

#[cfg(test)]
mod tests;

const KEY_BYTES: usize = 32;
/// What a key file begins with, before the id and the key in base64.
const HEADER: &str = "coracle-seal-key v1 aes-256-gcm";

/// Fills a buffer with randomness fit for keys.
pub type Random = fn(&mut [u8]);

/// Why keys cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// A file or the directory cannot be read or written.
    #[error("{path} cannot be {done}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What was to be done to it.
        done: &'static str,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A key file does not hold a key of its name.
    #[error("{0} is no key file, or damaged: restore it from a backup")]
    Damaged(PathBuf),
    /// There is no number left for another key.
    #[error("the key ring is full")]
    Full,
}

/// The keys by id; the newest has the greatest.
#[derive(Clone)]
pub struct KeyRing {
    keys: BTreeMap<u32, Arc<LessSafeKey>>,
}

impl KeyRing {
    /// The keys in `dir`; makes the directory and a first key where there is none.
    ///
    /// # Errors
    /// When a file cannot be read or written, or is damaged: such a key is never silently replaced.
    pub fn load_or_create(dir: &Path, random: Random) -> Result<Self, SealError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
        made.map_err(|source| failed(dir, "created", source))?;
        let ring = Self::load(dir)?;
        if ring.keys.is_empty() { ring.rotated(dir, random) } else { Ok(ring) }
    }

    fn load(dir: &Path) -> Result<Self, SealError> {
        let unreadable = |source| failed(dir, "read", source);
        let mut keys = BTreeMap::new();
        for entry in fs::read_dir(dir).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            if let Some(id) = id_of(&path) {
                let text = fs::read_to_string(&path).map_err(|source| failed(&path, "read", source))?;
                let key = parse(&text, id).ok_or_else(|| SealError::Damaged(path.clone()))?;
                keys.insert(id, Arc::new(cipher(&key)));
            }
        }
        Ok(Self { keys })
    }

    /// The same with a new key, which is the newest, in `dir`.
    ///
    /// # Errors
    /// When the file cannot be written; the ring is unchanged then.
    pub fn rotated(&self, dir: &Path, random: Random) -> Result<Self, SealError> {
        let id = self.newest().unwrap_or(0).checked_add(1).ok_or(SealError::Full)?;
        let mut key = [0; KEY_BYTES];
        random(&mut key);
        write(dir, id, &format!("{HEADER} {id} {}\n", STANDARD.encode(key)))?;
        let mut keys = self.keys.clone();
        keys.insert(id, Arc::new(cipher(&key)));
        Ok(Self { keys })
    }

    /// The id of the key that seals.
    pub fn newest(&self) -> Option<u32> {
        self.keys.last_key_value().map(|(id, _)| *id)
    }
}

fn failed(path: &Path, done: &'static str, source: io::Error) -> SealError {
    SealError::Io { path: path.to_owned(), done, source }
}

fn cipher(key: &[u8; KEY_BYTES]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("an AES-256 key has 32 bytes"))
}

fn id_of(path: &Path) -> Option<u32> {
    path.file_name()?.to_str()?.strip_prefix("seal-")?.strip_suffix(".key")?.parse().ok()
}

fn parse(text: &str, id: u32) -> Option<[u8; KEY_BYTES]> {
    let (named, key) = text.strip_prefix(HEADER)?.trim().split_once(' ')?;
    let named: u32 = named.parse().ok()?;
    let key: [u8; KEY_BYTES] = STANDARD.decode(key).ok()?.try_into().ok()?;
    (named == id).then_some(key)
}

/// Writes a key file that is whole or absent, also after a crash.
fn write(dir: &Path, id: u32, text: &str) -> Result<(), SealError> {
    let path = dir.join(format!("seal-{id}.key"));
    let temporary = dir.join(format!("seal-{id}.key.tmp"));
    let written = || -> io::Result<()> {
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, &path)?;
        File::open(dir)?.sync_all()
    };
    written().map_err(|source| failed(&path, "written", source))
}

/// Seals values of chosen resources.
pub struct AesGcm {
    ring: ArcSwap<KeyRing>,
    /// The beginnings of the store keys that are sealed.
    prefixes: Vec<String>,
    random: Random,
}

impl AesGcm {
    /// Seals the values of `resources` (such as `core/secrets`) with the newest key of `ring`.
    pub fn new(ring: KeyRing, resources: &[&str], random: Random) -> Self {
        let prefixes = resources.iter().map(|resource| format!("{ROOT}{resource}/")).collect();
        Self { ring: ArcSwap::from_pointee(ring), prefixes, random }
    }

    /// Goes on with another ring, such as one with a new key.
    pub fn adopt(&self, ring: KeyRing) {
        self.ring.store(Arc::new(ring));
    }

    fn covers(&self, key: &str) -> bool {
        self.prefixes.iter().any(|prefix| key.starts_with(prefix))
    }

    fn nonce(&self) -> [u8; NONCE_LEN] {
        let mut nonce = [0; NONCE_LEN];
        (self.random)(&mut nonce);
        nonce
    }
}

impl Seal for AesGcm {
    fn current(&self, key: &str) -> Option<u32> {
        self.ring.load().newest().filter(|_| self.covers(key))
    }

    fn seal(&self, key: &str, plain: &[u8]) -> Result<Option<(u32, Vec<u8>)>, ValueError> {
        if !self.covers(key) {
            return Ok(None);
        }
        let ring = self.ring.load();
        let (id, cipher) = ring.keys.last_key_value().ok_or(ValueError::Seal)?;
        let nonce = self.nonce();
        let mut text = plain.to_vec();
        let tag = cipher
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(key), &mut text)
            .map_err(|_| ValueError::Seal)?;
        Ok(Some((*id, [&nonce[..], &text, tag.as_ref()].concat())))
    }

    fn open(&self, key: &str, id: u32, sealed: &[u8]) -> Result<Vec<u8>, ValueError> {
        let refused = || ValueError::Unseal { key: id };
        let (nonce, text) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(ValueError::Truncated)?;
        let ring = self.ring.load();
        let cipher = ring.keys.get(&id).ok_or_else(refused)?;
        let mut text = text.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let plain = cipher.open_in_place(nonce, Aad::from(key), &mut text).map_err(|_| refused())?.len();
        text.truncate(plain);
        Ok(text)
    }
}
