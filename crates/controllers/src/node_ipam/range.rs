//! Ranges of addresses, and the next free part of one.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use super::ClusterRange;

/// Why a range cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    /// It is not ADDRESS/PREFIX.
    #[error("{text:?} is no range such as 10.42.0.0/16")]
    Text {
        /// What was given.
        text: String,
    },
    /// The parts do not fit the whole.
    #[error("nodes cannot get a /{node_prefix} each of {range}")]
    NodePrefix {
        /// The whole.
        range: Range,
        /// The wanted prefix length of the parts.
        node_prefix: u8,
    },
}

/// A range in CIDR form, its host bits zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Range {
    first: u128,
    prefix: u8,
    v6: bool,
}

impl Range {
    /// An IPv4 range; host bits are cleared, a prefix above 32 counts as 32.
    pub const fn new(address: [u8; 4], prefix: u8) -> Self {
        let prefix = if prefix > 32 { 32 } else { prefix };
        Self::build(u32::from_be_bytes(address) as u128, prefix, false)
    }

    const fn build(address: u128, prefix: u8, v6: bool) -> Self {
        let size = Self { first: 0, prefix, v6 }.size_bits();
        let first = if size == 128 { 0 } else { address >> size << size };
        Self { first, prefix, v6 }
    }

    /// The length of an address of its family.
    pub(super) const fn bits(&self) -> u8 {
        if self.v6 { 128 } else { 32 }
    }

    pub(super) const fn prefix(&self) -> u8 {
        self.prefix
    }

    const fn size_bits(&self) -> u8 {
        self.bits() - self.prefix
    }

    fn last(&self) -> u128 {
        let hosts = 1u128.checked_shl(self.size_bits().into()).map_or(u128::MAX, |size| size - 1);
        self.first | hosts
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address: IpAddr = if self.v6 {
            Ipv6Addr::from(self.first).into()
        } else {
            Ipv4Addr::from(u32::try_from(self.first).unwrap_or(u32::MAX)).into()
        };
        write!(f, "{address}/{}", self.prefix)
    }
}

impl FromStr for Range {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, RangeError> {
        parse(text).ok_or_else(|| RangeError::Text { text: text.to_owned() })
    }
}

fn parse(text: &str) -> Option<Range> {
    let (address, prefix) = text.split_once('/')?;
    let prefix: u8 = prefix.parse().ok()?;
    let (address, v6) = match address.parse().ok()? {
        IpAddr::V4(address) => (u128::from(u32::from(address)), false),
        IpAddr::V6(address) => (u128::from(address), true),
    };
    let most = if v6 { 128 } else { 32 };
    (prefix <= most).then(|| Range::build(address, prefix, v6))
}

/// Finds the lowest free part of a cluster's range. Made anew from what is taken, so it needs no
/// repair; a taken range that is larger or smaller than a part takes all parts that it touches.
#[derive(Clone, Debug)]
pub struct Allocator {
    whole: ClusterRange,
    /// Taken stretches by their first address: the last address of each.
    taken: BTreeMap<u128, u128>,
    /// The first address of the next part; none when the range is used up.
    next: Option<u128>,
}

impl Allocator {
    /// An allocator of `whole` that gives away nothing that touches `taken`.
    pub fn new(whole: ClusterRange, taken: &[Range]) -> Self {
        let mut stretches = BTreeMap::<u128, u128>::new();
        for range in taken.iter().filter(|range| range.v6 == whole.range.v6) {
            let last = stretches.entry(range.first).or_insert(0);
            *last = (*last).max(range.last());
        }
        let mut allocator = Self { whole, taken: stretches, next: Some(whole.range.first) };
        allocator.skip();
        allocator
    }

    /// The part that [`Allocator::take`] would take; none when the range is used up.
    pub fn peek(&self) -> Option<Range> {
        self.next.map(|first| self.part_with(first))
    }

    /// Takes the part that [`Allocator::peek`] shows.
    pub fn take(&mut self) {
        if let Some(part) = self.peek() {
            self.advance(part.last());
            self.skip();
        }
    }

    fn part_with(&self, address: u128) -> Range {
        Range::build(address, self.whole.node_prefix, self.whole.range.v6)
    }

    /// Goes on to the first part after the one with `address`.
    fn advance(&mut self, address: u128) {
        let last = self.part_with(address).last();
        self.next = (last < self.whole.range.last()).then(|| last + 1);
    }

    /// Passes over the parts that touch something taken.
    fn skip(&mut self) {
        while let (Some(part), Some((&first, &last))) = (self.peek(), self.taken.first_key_value()) {
            if first > part.last() {
                return;
            }
            if last >= part.first {
                self.advance(last);
            }
            self.taken.remove(&first);
        }
    }
}
