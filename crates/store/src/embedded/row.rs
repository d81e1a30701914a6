//! A row of the log as bytes.
//!
//! ```text
//!   kind 1 | created 8 | previous revision 8 | previous position 4 | key length 4 | key | value
//! ```
//! Numbers are little-endian. A previous revision of 0 means that the row replaced none.

use super::tables::Position;

const PUT: u8 = 1;
const DELETE: u8 = 2;
const HEAD: usize = 25;

/// One change, borrowed from where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row<'a> {
    pub(super) created: u64,
    /// The row of the same key that this one replaced.
    pub(super) previous: Option<Position>,
    pub(super) key: &'a [u8],
    /// `None`: deleted.
    pub(super) value: Option<&'a [u8]>,
}

impl<'a> Row<'a> {
    /// Bytes [`write`](Self::write) fills.
    pub(super) fn len(&self) -> usize {
        HEAD + self.key.len() + self.value.map_or(0, <[u8]>::len)
    }

    /// Encodes into exactly [`len`](Self::len) bytes.
    pub(super) fn write(&self, out: &mut [u8]) {
        let (revision, position) = self.previous.unwrap_or_default();
        let key_len = u32::try_from(self.key.len()).expect("keys are limited to a few KiB");
        let (key, value) = (HEAD, HEAD + self.key.len());
        out[0] = if self.value.is_some() { PUT } else { DELETE };
        out[1..9].copy_from_slice(&self.created.to_le_bytes());
        out[9..17].copy_from_slice(&revision.to_le_bytes());
        out[17..21].copy_from_slice(&position.to_le_bytes());
        out[21..HEAD].copy_from_slice(&key_len.to_le_bytes());
        out[key..value].copy_from_slice(self.key);
        out[value..].copy_from_slice(self.value.unwrap_or_default());
    }

    /// Decodes; `None` for bytes that [`write`](Self::write) never made.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let (kind, rest) = bytes.split_first()?;
        let (created, rest) = rest.split_first_chunk()?;
        let (revision, rest) = rest.split_first_chunk()?;
        let (position, rest) = rest.split_first_chunk()?;
        let (key_len, rest) = rest.split_first_chunk()?;
        let (key, value) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*key_len)).ok()?)?;
        let previous = (u64::from_le_bytes(*revision), u32::from_le_bytes(*position));
        Some(Self {
            created: u64::from_le_bytes(*created),
            previous: (previous.0 != 0).then_some(previous),
            key,
            value: match *kind {
                PUT => Some(value),
                DELETE if value.is_empty() => None,
                _ => return None,
            },
        })
    }
}
