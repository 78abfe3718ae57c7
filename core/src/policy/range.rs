//! Ranges of IP addresses.

use core::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    str::FromStr,
};

/// Holds a range of IP addresses in CIDR notation (RFC 4632, RFC 4291).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IpRange {
    network: IpAddr,
    prefix: u32,
}

/// Says that a text isn't a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected an address or a range such as `198.51.100.0/24` or `2001:db8::/32`")]
pub struct IpRangeError;

impl IpRange {
    /// Makes a range; the prefix counts as far as an address has bits.
    #[must_use]
    pub fn new(network: IpAddr, prefix: u32) -> Self {
        let bits = if network.is_ipv4() { 32 } else { 128 };
        Self {
            network,
            prefix: prefix.min(bits),
        }
    }

    /// Tells whether an address lies in the range. An IPv4 address that is
    /// written as IPv6 (`::ffff:198.51.100.7`) counts as what it is.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.network.is_ipv4()
            && masked(address, self.prefix) == masked(self.network, self.prefix)
    }
}

/// Returns the network of an address that one sender counts as: itself for
/// IPv4, its /64 for IPv6, of which any host has as many addresses as it likes.
#[must_use]
pub(crate) fn sender(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            Ipv6Addr::from_bits(mask(address.to_bits(), 64, Ipv6Addr::BITS)).into()
        }
    }
}

impl FromStr for IpRange {
    type Err = IpRangeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let network: IpAddr = address.parse().map_err(|_| IpRangeError)?;
        let bits = if network.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().map_err(|_| IpRangeError)?
            }
            Some(_) => return Err(IpRangeError),
            None => bits,
        };
        (prefix <= bits)
            .then_some(Self { network, prefix })
            .ok_or(IpRangeError)
    }
}

impl fmt::Display for IpRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.prefix)
    }
}

fn masked(address: IpAddr, prefix: u32) -> u128 {
    match address {
        IpAddr::V4(address) => mask(address.to_bits().into(), prefix, 32),
        IpAddr::V6(address) => mask(address.to_bits(), prefix, 128),
    }
}

/// Clears all but the first `prefix` of `bits` bits.
fn mask(value: u128, prefix: u32, bits: u32) -> u128 {
    let host = bits.saturating_sub(prefix);
    let ones = 1_u128.checked_shl(host).map_or(u128::MAX, |end| end - 1);
    value & !ones
}

#[cfg(test)]
mod tests {
    use super::{IpRange, IpRangeError, sender};

    #[test]
    fn contains_what_shares_its_prefix() {
        for (range, address, inside) in [
            ("198.51.100.0/24", "198.51.100.255", true),
            ("198.51.100.0/24", "198.51.101.0", false),
            ("198.51.100.7", "198.51.100.7", true),
            ("198.51.100.7", "198.51.100.6", false),
            ("0.0.0.0/0", "255.255.255.255", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("::/0", "198.51.100.7", false),
            ("198.51.100.0/24", "::ffff:198.51.100.7", true),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
        ] {
            let range: IpRange = range.parse().unwrap();
            let address = address.parse().unwrap();
            assert_eq!(range.contains(address), inside, "{range} {address}");
        }
    }

    #[test]
    fn refuses_what_is_no_range() {
        for text in [
            "",
            "198.51.100",
            "198.51.100.0/33",
            "::/129",
            "::/+1",
            "::/",
            "a/8",
        ] {
            assert_eq!(text.parse::<IpRange>(), Err(IpRangeError), "{text}");
        }
    }

    #[test]
    fn one_host_counts_as_one_sender() {
        for (address, network) in [
            ("198.51.100.7", "198.51.100.7"),
            ("::ffff:198.51.100.7", "198.51.100.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ] {
            let network: core::net::IpAddr = network.parse().unwrap();
            assert_eq!(sender(address.parse().unwrap()), network);
        }
    }
}
