//! Where deliveries come from.

use core::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use crate::{
    sketch::mix,
    state::{Input, Persist, StateError},
};

/// A network: the first 24 bits of an IPv4 address, or 48 of an IPv6 address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Network {
    /// 24 or 48 bits, and which of them in the bit above.
    bits: u64,
}

/// Set in `bits` of an IPv6 network.
const SIX: u64 = 1 << 48;

impl Network {
    /// Returns the network of an address; IPv4 in IPv6 counts as IPv4.
    pub fn of(address: IpAddr) -> Self {
        let bits = match address.to_canonical() {
            IpAddr::V4(address) => u64::from(address.to_bits() >> 8),
            IpAddr::V6(address) => SIX | (address.to_bits() >> 80) as u64,
        };
        Self { bits }
    }

    /// Returns its first address, and how many leading bits are the network's.
    pub fn range(self) -> (IpAddr, u32) {
        if self.bits & SIX == 0 {
            let bits = u32::try_from(self.bits).unwrap_or_default() << 8;
            (Ipv4Addr::from_bits(bits).into(), 24)
        } else {
            let bits = u128::from(self.bits & (SIX - 1)) << 80;
            (Ipv6Addr::from_bits(bits).into(), 48)
        }
    }

    pub(crate) fn key(self) -> u64 {
        mix(self.bits)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (address, prefix) = self.range();
        write!(f, "{address}/{prefix}")
    }
}

impl Persist for Network {
    fn write(&self, out: &mut alloc::vec::Vec<u8>) {
        self.bits.write(out);
    }
    fn read(input: &mut Input<'_>) -> Result<Self, StateError> {
        let bits = u64::read(input)?;
        if bits < SIX << 1 && (bits & SIX != 0 || bits < 1 << 24) {
            Ok(Self { bits })
        } else {
            Err(input.wrong_value("network"))
        }
    }
}
