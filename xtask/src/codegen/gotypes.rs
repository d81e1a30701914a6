//! Reads the struct types of a Go program from its own type descriptors.
//!
//! ```text
//! .typelink: [offset] ─> pointer type ─> struct type ─> fields [name + tag, type]
//!            offsets and names count from the start of .rodata
//! ```
//!
//! The layout is that of `internal/abi` in Go 1.22 to 1.24 for 64-bit little-endian machines. A
//! stripped program still carries it, because reflection needs it at run time.

use std::collections::BTreeMap;
use std::ops::Range;

use anyhow::{Context as _, Result, bail, ensure};

const POINTER: u8 = 22;
const STRUCT: u8 = 25;
const KIND_MASK: u8 = 31;
const HAS_UNCOMMON: u8 = 1;
const EXTRA_STAR: u8 = 2;
const TYPE_SIZE: u64 = 48;
const STRUCT_SIZE: u64 = 80;

/// A field of a struct that has a `json` tag.
#[derive(Debug)]
pub(super) struct GoField {
    /// The name in JSON; empty for an inlined struct.
    pub(super) json: String,
    pub(super) omits_empty: bool,
    pub(super) pointer: bool,
    /// The field number of the `protobuf` tag.
    pub(super) number: Option<u32>,
    /// The full name of the struct the field holds or points to.
    pub(super) holds: Option<String>,
}

/// Structs by full name, e.g. `k8s.io/api/core/v1.Pod`.
pub(super) type GoTypes = BTreeMap<String, Vec<GoField>>;

/// Reads every named struct of `k8s.io/` that some pointer type refers to.
pub(super) fn read(elf: &[u8]) -> Result<GoTypes> {
    let program = Program::open(elf)?;
    let mut types = GoTypes::new();
    for link in program.links.clone().step_by(4) {
        let address = program.types + u64::from(program.u32_at(link)?);
        if program.kind(address)? != POINTER {
            continue;
        }
        let target = program.u64(address + TYPE_SIZE)?;
        if let Some(name) = program.struct_name(target)?.filter(|name| name.starts_with("k8s.io/")) {
            types.insert(name, program.fields(target)?);
        }
    }
    ensure!(!types.is_empty(), "no types of k8s.io were found");
    Ok(types)
}

struct Program<'a> {
    bytes: &'a [u8],
    /// (address, place in the file) of each section.
    sections: Vec<(Range<u64>, u64)>,
    /// Where `.typelink` lies in the file.
    links: Range<usize>,
    /// Address that type and name offsets count from.
    types: u64,
}

impl<'a> Program<'a> {
    fn open(bytes: &'a [u8]) -> Result<Self> {
        ensure!(bytes.starts_with(b"\x7fELF\x02\x01"), "not a 64-bit little-endian ELF file");
        let mut program = Self { bytes, sections: Vec::new(), links: 0..0, types: 0 };
        let table = usize::try_from(program.u64_at(40)?)?;
        let header = |index: u16| table + 64 * usize::from(index);
        let count = program.u16_at(60)?;
        let names = usize::try_from(program.u64_at(header(program.u16_at(62)?) + 24)?)?;
        for at in (0..count).map(header) {
            let name = program.c_string(names + usize::try_from(program.u32_at(at)?)?)?;
            let (address, place, size) =
                (program.u64_at(at + 16)?, program.u64_at(at + 24)?, program.u64_at(at + 32)?);
            match name {
                ".rodata" => program.types = address,
                ".typelink" => program.links = usize::try_from(place)?..usize::try_from(place + size)?,
                _ => {}
            }
            program.sections.push((address..address.saturating_add(size), place));
        }
        ensure!(program.types > 0 && !program.links.is_empty(), "no Go type descriptors");
        Ok(program)
    }

    fn slice(&self, at: usize, size: usize) -> Result<&'a [u8]> {
        self.bytes.get(at..at + size).with_context(|| format!("nothing lies at {at:#x}"))
    }

    fn u16_at(&self, at: usize) -> Result<u16> {
        Ok(u16::from_le_bytes(self.slice(at, 2)?.try_into()?))
    }

    fn u32_at(&self, at: usize) -> Result<u32> {
        Ok(u32::from_le_bytes(self.slice(at, 4)?.try_into()?))
    }

    fn u64_at(&self, at: usize) -> Result<u64> {
        Ok(u64::from_le_bytes(self.slice(at, 8)?.try_into()?))
    }

    fn c_string(&self, at: usize) -> Result<&'a str> {
        let rest = self.bytes.get(at..).context("a name lies outside")?;
        Ok(std::str::from_utf8(rest.split(|byte| *byte == 0).next().unwrap_or_default())?)
    }

    /// The place in the file of a loaded address.
    fn place(&self, address: u64) -> Result<usize> {
        let (range, place) = self
            .sections
            .iter()
            .find(|(range, _)| range.contains(&address) && range.start > 0)
            .with_context(|| format!("no section holds {address:#x}"))?;
        Ok(usize::try_from(address - range.start + place)?)
    }

    fn u64(&self, address: u64) -> Result<u64> {
        self.u64_at(self.place(address)?)
    }

    fn flags(&self, ty: u64) -> Result<u8> {
        Ok(self.slice(self.place(ty)? + 20, 1)?[0])
    }

    fn kind(&self, ty: u64) -> Result<u8> {
        Ok(self.slice(self.place(ty)? + 23, 1)?[0] & KIND_MASK)
    }

    /// The full name of a named struct type.
    fn struct_name(&self, ty: u64) -> Result<Option<String>> {
        let flags = self.flags(ty)?;
        if self.kind(ty)? != STRUCT || flags & HAS_UNCOMMON == 0 {
            return Ok(None);
        }
        let offset = |at| -> Result<u64> { Ok(self.types + u64::from(self.u32_at(self.place(at)?)?)) };
        let (name, _) = self.name(offset(ty + 40)?)?;
        let (package, _) = self.name(offset(ty + STRUCT_SIZE)?)?;
        let name = if flags & EXTRA_STAR > 0 { name.trim_start_matches('*') } else { name };
        let short = name.rsplit_once('.').map_or(name, |(_, short)| short);
        Ok(Some(format!("{package}.{short}")))
    }

    /// A name and its tag.
    fn name(&self, address: u64) -> Result<(&'a str, &'a str)> {
        let at = self.place(address)?;
        let flags = self.slice(at, 1)?[0];
        let (name, next) = self.counted(at + 1)?;
        let tag = if flags & 2 > 0 { self.counted(next)?.0 } else { "" };
        Ok((name, tag))
    }

    fn counted(&self, at: usize) -> Result<(&'a str, usize)> {
        let (mut length, mut next) = (0, at);
        for shift in (0..28).step_by(7) {
            let byte = self.slice(next, 1)?[0];
            length |= usize::from(byte & 0x7f) << shift;
            next += 1;
            if byte < 0x80 {
                return Ok((std::str::from_utf8(self.slice(next, length)?)?, next + length));
            }
        }
        bail!("a name at {at:#x} has no end")
    }

    fn fields(&self, ty: u64) -> Result<Vec<GoField>> {
        let (first, count) = (self.u64(ty + 56)?, self.u64(ty + 64)?);
        (0..count).filter_map(|index| self.field(first + 24 * index).transpose()).collect()
    }

    fn field(&self, at: u64) -> Result<Option<GoField>> {
        let (_, tag) = self.name(self.u64(at)?)?;
        let Some(json) = tag_value(tag, "json") else { return Ok(None) };
        let mut ty = self.u64(at + 8)?;
        let pointer = self.kind(ty)? == POINTER;
        if pointer {
            ty = self.u64(ty + TYPE_SIZE)?;
        }
        let (name, options) = json.split_once(',').unwrap_or((json, ""));
        Ok(Some(GoField {
            json: name.to_owned(),
            omits_empty: options.contains("omitempty") || options.contains("omitzero"),
            pointer,
            number: tag_value(tag, "protobuf")
                .and_then(|text| text.split(',').nth(1))
                .and_then(|text| text.parse().ok()),
            holds: self.struct_name(ty)?,
        }))
    }
}

fn tag_value<'a>(tag: &'a str, key: &str) -> Option<&'a str> {
    let start = tag.find(&format!("{key}:\""))? + key.len() + 2;
    tag[start..].split('"').next()
}
