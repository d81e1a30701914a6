//! IPv4 networks in CIDR form.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// A network of IPv4 addresses, such as `10.96.0.0/16`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr {
    network: Ipv4Addr,
    bits: u8,
}

/// A text is no network that Services can have addresses of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CidrError {
    /// It is not an address, a slash and a number.
    #[error("{0:?} is no IPv4 network: write it as 10.96.0.0/16")]
    Syntax(String),
    /// The address has bits that are not the network's.
    #[error("{0:?} has host bits set")]
    HostBits(String),
    /// There is no room for addresses.
    #[error("{0:?} is too small: a range of Services has at most 30 bits")]
    Small(String),
}

impl Cidr {
    /// The range of a cluster that was told nothing.
    pub const DEFAULT: Self = Self { network: Ipv4Addr::new(10, 96, 0, 0), bits: 16 };

    fn mask(self) -> u32 {
        u32::MAX.checked_shl(32 - u32::from(self.bits)).unwrap_or(0)
    }

    /// Whether the address is in the network.
    pub fn contains(self, ip: Ipv4Addr) -> bool {
        ip.to_bits() & self.mask() == self.network.to_bits()
    }

    /// How many addresses can be given out: all but the network's own and the broadcast address.
    pub fn usable(self) -> u32 {
        (!self.mask()).saturating_sub(1)
    }

    /// Whether the address can be given out.
    pub fn is_usable(self, ip: Ipv4Addr) -> bool {
        self.contains(ip) && (1..=self.usable()).contains(&(ip.to_bits() & !self.mask()))
    }

    /// The usable address of that number, from 0.
    pub fn nth(self, index: u32) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.network.to_bits().wrapping_add(index).wrapping_add(1))
    }

    /// The first usable address: that of the Service `kubernetes`.
    pub fn first(self) -> Ipv4Addr {
        self.nth(0)
    }
}

impl FromStr for Cidr {
    type Err = CidrError;

    fn from_str(text: &str) -> Result<Self, CidrError> {
        let syntax = || CidrError::Syntax(text.to_owned());
        let (network, bits) = text.split_once('/').ok_or_else(syntax)?;
        let network = network.parse().map_err(|_| syntax())?;
        let bits = bits.parse().ok().filter(|bits| *bits <= 32).ok_or_else(syntax)?;
        let cidr = Self { network, bits };
        if !cidr.contains(network) {
            return Err(CidrError::HostBits(text.to_owned()));
        }
        if bits > 30 { Err(CidrError::Small(text.to_owned())) } else { Ok(cidr) }
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.bits)
    }
}
