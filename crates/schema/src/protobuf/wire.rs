//! The protobuf wire format: keys and payloads, without any message's meaning.
//!
//! Source: the encoding section of the protocol buffers documentation. Lengths are checked against
//! the bytes that are there before anything is read, so that no length can make the reader allocate.

use super::{DecodeError, Decoding};

const VARINT_BYTES_MAX: usize = 10;

/// The value of one field, not yet interpreted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Payload<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32,
}

impl<'a> Payload<'a> {
    pub(super) fn varint(self, field: &str) -> Decoding<u64> {
        if let Payload::Varint(value) = self { Ok(value) } else { Err(wrong_type(field)) }
    }

    /// A signed integer, which is written as its 64-bit two's complement.
    pub(super) fn int(self, field: &str) -> Decoding<i64> {
        Ok(self.varint(field)?.cast_signed())
    }

    /// A 32-bit integer: the upper half is cut off, as every protobuf implementation does.
    #[expect(clippy::cast_possible_truncation, reason = "this is how protobuf reads an int32")]
    pub(super) fn int32(self, field: &str) -> Decoding<i32> {
        Ok((self.varint(field)? as u32).cast_signed())
    }

    pub(super) fn double(self, field: &str) -> Decoding<f64> {
        if let Payload::Fixed64(bits) = self { Ok(f64::from_bits(bits)) } else { Err(wrong_type(field)) }
    }

    pub(super) fn bytes(self, field: &str) -> Decoding<&'a [u8]> {
        if let Payload::Bytes(bytes) = self { Ok(bytes) } else { Err(wrong_type(field)) }
    }

    /// A string. Bytes that are not UTF-8 are replaced, as Go's JSON encoder does.
    pub(super) fn text(self, field: &str) -> Decoding<String> {
        Ok(String::from_utf8_lossy(self.bytes(field)?).into_owned())
    }
}

fn wrong_type(field: &str) -> DecodeError {
    DecodeError::WireType(field.to_owned())
}

/// The fields of a message in the order of the bytes; the first error is the last item.
pub(super) fn fields(bytes: &[u8]) -> impl Iterator<Item = Decoding<(u32, Payload<'_>)>> {
    let mut reader = Reader { rest: bytes };
    std::iter::from_fn(move || {
        let field = reader.field().transpose();
        if matches!(field, Some(Err(_))) {
            reader.rest = &[];
        }
        field
    })
}

/// The numbers of a packed list; the first error is the last item.
pub(super) fn varints(bytes: &[u8]) -> impl Iterator<Item = Decoding<u64>> {
    let mut reader = Reader { rest: bytes };
    std::iter::from_fn(move || {
        let varint = (!reader.rest.is_empty()).then(|| reader.varint())?;
        if varint.is_err() {
            reader.rest = &[];
        }
        Some(varint)
    })
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// The next field, past any groups: no message of Kubernetes has one.
    fn field(&mut self) -> Decoding<Option<(u32, Payload<'a>)>> {
        while !self.rest.is_empty() {
            let (number, wire) = self.key()?;
            if wire == 3 {
                self.skip_group()?;
            } else {
                return Ok(Some((number, self.payload(wire)?)));
            }
        }
        Ok(None)
    }

    fn key(&mut self) -> Decoding<(u32, u8)> {
        let key = self.varint()?;
        match u32::try_from(key >> 3) {
            Ok(number) if number > 0 => Ok((number, (key & 7) as u8)),
            _ => Err(DecodeError::Tag(key)),
        }
    }

    fn payload(&mut self, wire: u8) -> Decoding<Payload<'a>> {
        match wire {
            0 => Ok(Payload::Varint(self.varint()?)),
            1 => Ok(Payload::Fixed64(u64::from_le_bytes(
                self.take(8)?.try_into().map_err(|_| DecodeError::Truncated)?,
            ))),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| DecodeError::Truncated)?;
                Ok(Payload::Bytes(self.take(length)?))
            }
            5 => self.take(4).map(|_| Payload::Fixed32),
            other => Err(DecodeError::Tag(other.into())),
        }
    }

    fn take(&mut self, length: usize) -> Decoding<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    fn varint(&mut self) -> Decoding<u64> {
        let mut value = 0;
        for index in 0..VARINT_BYTES_MAX {
            let (byte, rest) = self.rest.split_first().ok_or(DecodeError::Truncated)?;
            self.rest = rest;
            if index == VARINT_BYTES_MAX - 1 && *byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << (7 * index);
            if *byte < 0x80 {
                return Ok(value);
            }
        }
        Err(DecodeError::Overflow)
    }

    fn skip_group(&mut self) -> Decoding<()> {
        let mut open = 1_usize;
        while open > 0 {
            match self.key()? {
                (_, 3) => open += 1,
                (_, 4) => open -= 1,
                (_, wire) => drop(self.payload(wire)?),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wire() {
        use Payload::{Bytes, Fixed32, Fixed64, Varint};
        let max = [8, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1];
        let over = [8, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2];
        type Case<'a> = (&'a [u8], Decoding<Vec<(u32, Payload<'a>)>>);
        let cases: Vec<Case<'_>> = vec![
            (&[], Ok(vec![])),
            (&[8, 150, 1], Ok(vec![(1, Varint(150))])),
            (&max, Ok(vec![(1, Varint(u64::MAX))])),
            (&over, Err(DecodeError::Overflow)),
            (&[18, 2, 104, 105, 32, 0], Ok(vec![(2, Bytes(b"hi")), (4, Varint(0))])),
            (&[9, 1, 0, 0, 0, 0, 0, 0, 0], Ok(vec![(1, Fixed64(1))])),
            (&[13, 1, 0, 0, 0], Ok(vec![(1, Fixed32)])),
            (&[19, 8, 1, 27, 28, 20, 8, 7], Ok(vec![(1, Varint(7))])),
            (&[18, 3, 104, 105], Err(DecodeError::Truncated)),
            (&[18, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1], Err(DecodeError::Truncated)),
            (&[8], Err(DecodeError::Truncated)),
            (&[19, 8, 1], Err(DecodeError::Truncated)),
            (&[0, 1], Err(DecodeError::Tag(0))),
            (&[14, 1], Err(DecodeError::Tag(6))),
            (&[20], Err(DecodeError::Tag(4))),
        ];
        for (bytes, expected) in cases {
            assert_eq!(fields(bytes).collect::<Result<Vec<_>, _>>(), expected, "{bytes:?}");
        }
    }
}
