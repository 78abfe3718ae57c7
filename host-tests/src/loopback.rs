//! Addresses of this machine that a test has for itself.

use std::hash::{BuildHasher, RandomState};
use std::net::Ipv4Addr;

/// Returns a loopback address that nobody else has.
///
/// Whoever is killed there finds its port free again: what the system picks for
/// other tests and for connections is of 127.0.0.1.
#[must_use]
pub fn own() -> Ipv4Addr {
    // Random enough: the hasher has a new seed each time.
    let [second, third, fourth, ..] = RandomState::new().hash_one(()).to_ne_bytes();
    Ipv4Addr::new(127, second.max(1), third, fourth.clamp(1, 254))
}

#[cfg(test)]
mod tests {
    use super::own;

    #[test]
    fn are_loopback_and_not_the_one_of_everybody() {
        for _ in 0..1_000 {
            let address = own();
            assert!(address.is_loopback());
            assert_ne!(address.octets().get(1), Some(&0));
        }
    }
}
