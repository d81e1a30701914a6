//! Stored values: an object's JSON without a `resourceVersion`, and the offset where it belongs.
//!
//! ```text
//! byte 0     form: 1 = plain, 2 = sealed
//! plain:     hole (u32, little endian) | JSON
//! sealed:    key id (u32) | nonce (12 bytes) | AES-256-GCM(hole | JSON), bound to the store key
//! ```
//!
//! The store returns a value with its modification revision, as etcd does; the revision is
//! inserted at the hole when the object is read, so that one write needs one encoding.

use bytes::{BufMut, Bytes, BytesMut};
use serde_json::{Map, Value};

/// Why a stored value cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ValueError {
    /// The bytes are not in a form that this version writes.
    #[error("stored value has an unknown form ({0}); it was written by a newer version")]
    Form(u8),
    /// The value is shorter than its header says.
    #[error("stored value is truncated")]
    Truncated,
    /// The value is sealed and the key that sealed it is not there, or the value was changed.
    #[error("stored value cannot be unsealed with key {key}: restore keys/ from the backup taken with it")]
    Unseal {
        /// The id of the key that sealed the value.
        key: u32,
    },
    /// Sealing failed inside the cryptographic library.
    #[error("value cannot be sealed")]
    Seal,
}

const PLAIN: u8 = 1;
const SEALED: u8 = 2;
const HOLE_BYTES: usize = 4;

/// Seals values of chosen kinds before they reach the store.
pub trait Seal: Send + Sync {
    /// Seals `plain` for the store key `key`, or gives `None` where that key's kind stays plain.
    fn seal(&self, key: &str, plain: &[u8]) -> Result<Option<(u32, Vec<u8>)>, ValueError>;
    /// The id of the key that would seal the store key `key` now, or `None` where it stays plain.
    fn current(&self, _key: &str) -> Option<u32> {
        None
    }
    /// Opens what [`Seal::seal`] made with the key `id`.
    fn open(&self, key: &str, id: u32, sealed: &[u8]) -> Result<Vec<u8>, ValueError>;
}

/// Leaves every value plain: for tests and for stores without kinds to protect.
#[derive(Debug, Default)]
pub struct Plain;

impl Seal for Plain {
    fn seal(&self, _key: &str, _plain: &[u8]) -> Result<Option<(u32, Vec<u8>)>, ValueError> {
        Ok(None)
    }

    fn open(&self, _key: &str, id: u32, _sealed: &[u8]) -> Result<Vec<u8>, ValueError> {
        Err(ValueError::Unseal { key: id })
    }
}

/// An object's JSON and the offset at which its resourceVersion is inserted.
#[derive(Debug, Clone)]
pub struct Encoded {
    hole: u32,
    json: Bytes,
}

impl Encoded {
    /// Encodes an object. A `resourceVersion` in it is left out: the store's revision is the truth.
    pub fn of(object: &Map<String, Value>) -> Self {
        let mut json = Vec::with_capacity(1024);
        let mut hole = 0;
        json.push(b'{');
        for (index, (name, value)) in object.iter().enumerate() {
            if index > 0 {
                json.push(b',');
            }
            write_json(&mut json, name);
            json.push(b':');
            match value {
                Value::Object(meta) if name == "metadata" => hole = write_metadata(&mut json, meta),
                other => write_json(&mut json, other),
            }
        }
        json.push(b'}');
        let hole = u32::try_from(hole).expect("objects are far smaller than 4 GiB");
        Self { hole, json: json.into() }
    }

    /// The stored form for the store key `key`.
    pub fn to_value(&self, key: &str, seal: &dyn Seal) -> Result<Bytes, ValueError> {
        let mut plain = BytesMut::with_capacity(1 + HOLE_BYTES + self.json.len());
        plain.put_u8(PLAIN);
        plain.put_u32_le(self.hole);
        plain.put_slice(&self.json);
        let Some((id, sealed)) = seal.seal(key, &plain[1..])? else { return Ok(plain.freeze()) };
        let mut value = BytesMut::with_capacity(1 + HOLE_BYTES + sealed.len());
        value.put_u8(SEALED);
        value.put_u32_le(id);
        value.put_slice(&sealed);
        Ok(value.freeze())
    }

    /// Reads the stored form back.
    pub fn from_value(key: &str, value: &Bytes, seal: &dyn Seal) -> Result<Self, ValueError> {
        let (form, word, rest) = split_header(value)?;
        match form {
            PLAIN => Self::checked(word, rest),
            SEALED => {
                let plain = Bytes::from(seal.open(key, word, &rest)?);
                let (hole, json) = split_word(&plain)?;
                Self::checked(hole, json)
            }
            other => Err(ValueError::Form(other)),
        }
    }

    fn checked(hole: u32, json: Bytes) -> Result<Self, ValueError> {
        if hole as usize > json.len() { Err(ValueError::Truncated) } else { Ok(Self { hole, json }) }
    }

    /// The object's JSON with its revision in place.
    pub fn at(&self, revision: u64) -> Versioned {
        let text = format!("\"resourceVersion\":\"{revision}\"{}", self.separator());
        let hole = self.hole as usize;
        let mut json = BytesMut::with_capacity(self.json.len() + text.len());
        json.put_slice(&self.json[..hole]);
        json.put_slice(text.as_bytes());
        json.put_slice(&self.json[hole..]);
        let inserted = u32::try_from(text.len()).expect("a revision is short");
        Versioned { json: json.freeze(), hole: self.hole, inserted }
    }

    fn separator(&self) -> &'static str {
        if self.json.get(self.hole as usize) == Some(&b'}') { "" } else { "," }
    }

    /// The object's JSON as it is, for an answer about something that is not stored.
    pub fn unversioned(self) -> Versioned {
        Versioned { json: self.json, hole: self.hole, inserted: 0 }
    }

    /// The JSON without a resourceVersion.
    pub fn json(&self) -> &Bytes {
        &self.json
    }
}

/// An object's JSON with its resourceVersion: the bytes every reader shares.
#[derive(Debug, Clone)]
pub struct Versioned {
    json: Bytes,
    hole: u32,
    inserted: u32,
}

impl Versioned {
    /// The JSON as it goes to clients in the storage version.
    pub fn json(&self) -> &Bytes {
        &self.json
    }

    /// The same object under another revision, as deletion events carry it.
    pub fn at(&self, revision: u64) -> Self {
        let hole = self.hole as usize;
        let mut json = BytesMut::with_capacity(self.json.len());
        json.put_slice(&self.json[..hole]);
        json.put_slice(&self.json[hole + self.inserted as usize..]);
        Encoded { hole: self.hole, json: json.freeze() }.at(revision)
    }
}

/// The id of the key that sealed a stored value; `None` for a plain one.
pub fn sealed_by(value: &Bytes) -> Option<u32> {
    match split_header(value) {
        Ok((SEALED, id, _)) => Some(id),
        _ => None,
    }
}

/// Writes metadata without its resourceVersion; returns the offset just after its `{`.
fn write_metadata(json: &mut Vec<u8>, meta: &Map<String, Value>) -> usize {
    json.push(b'{');
    let hole = json.len();
    let mut first = true;
    for (name, value) in meta.iter().filter(|(name, _)| *name != "resourceVersion") {
        if !first {
            json.push(b',');
        }
        first = false;
        write_json(json, name);
        json.push(b':');
        write_json(json, value);
    }
    json.push(b'}');
    hole
}

fn write_json<T: serde::Serialize + ?Sized>(json: &mut Vec<u8>, value: &T) {
    serde_json::to_writer(json, value).expect("a JSON tree always serialises into memory");
}

fn split_header(value: &Bytes) -> Result<(u8, u32, Bytes), ValueError> {
    let form = *value.first().ok_or(ValueError::Truncated)?;
    let (word, rest) = split_word(&value.slice(1..))?;
    Ok((form, word, rest))
}

fn split_word(bytes: &Bytes) -> Result<(u32, Bytes), ValueError> {
    let word = bytes.first_chunk::<HOLE_BYTES>().ok_or(ValueError::Truncated)?;
    Ok((u32::from_le_bytes(*word), bytes.slice(HOLE_BYTES..)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(object: &str, revision: u64, expected: &str) {
        let Value::Object(map) = serde_json::from_str(object).unwrap() else { panic!("not an object") };
        let value = Encoded::of(&map).to_value("/registry/x", &Plain).unwrap();
        let read = Encoded::from_value("/registry/x", &value, &Plain).unwrap().at(revision);
        assert_eq!(std::str::from_utf8(read.json()).unwrap(), expected);
        let other = read.at(987_654);
        let object: Value = serde_json::from_slice(other.json()).unwrap();
        assert_eq!(object["metadata"]["resourceVersion"], "987654");
    }

    #[test]
    fn the_revision_lands_in_metadata() {
        check(
            r#"{"data":{"a":"metadata"},"metadata":{"name":"x","resourceVersion":"3"},"z":1}"#,
            7,
            r#"{"data":{"a":"metadata"},"metadata":{"resourceVersion":"7","name":"x"},"z":1}"#,
        );
        check(r#"{"metadata":{}}"#, 1, r#"{"metadata":{"resourceVersion":"1"}}"#);
    }

    #[test]
    fn damaged_values_are_refused() {
        for bytes in [&b""[..], b"\x01\x01", b"\x09\0\0\0\0{}", b"\x01\xff\0\0\0{}"] {
            assert!(Encoded::from_value("k", &Bytes::copy_from_slice(bytes), &Plain).is_err(), "{bytes:?}");
        }
    }
}
