//! Slows who tries tokens: a table of fixed size, whoever comes.
//!
//! A token has 128 bits at least, so that no number of tries finds one; this
//! keeps the log from filling with them. A right token is never slowed.

use std::{
    hash::{BuildHasher as _, RandomState},
    net::{IpAddr, Ipv6Addr},
    sync::atomic::{AtomicU64, Ordering},
};

use hookgate_core::time::Timestamp;

/// Places of the table; addresses that share one share its failures.
const PLACES: usize = 1_024;

/// Time that one failure takes to be forgotten, in milliseconds.
const FORGOTTEN_AFTER: u64 = 6_000;

/// Failures at once.
const BURST: u64 = 10;

/// Counts failures (GCRA: each place holds when it will have forgotten all).
#[derive(Debug)]
pub(in crate::console) struct Throttle {
    places: Box<[AtomicU64]>,
    /// So that nobody can choose whose place he fills.
    hasher: RandomState,
}

impl Throttle {
    /// Begins with nobody.
    pub(in crate::console) fn new() -> Self {
        Self {
            places: (0..PLACES).map(|_| AtomicU64::new(0)).collect(),
            hasher: RandomState::new(),
        }
    }

    /// Tells whether an address may try again; how many seconds not, otherwise.
    ///
    /// # Errors
    /// How long to wait, in seconds.
    pub(in crate::console) fn admit(&self, peer: IpAddr, now: Timestamp) -> Result<(), u64> {
        let Some(place) = self.place(peer) else {
            return Ok(());
        };
        let forgotten = place.load(Ordering::Relaxed);
        let spent = forgotten.saturating_sub(now.unix_millis());
        let most = FORGOTTEN_AFTER * (BURST - 1);
        match spent.checked_sub(most) {
            Some(wait) if wait > 0 => Err(wait.div_ceil(1_000)),
            _ => Ok(()),
        }
    }

    /// Takes note of a failure.
    pub(in crate::console) fn failed(&self, peer: IpAddr, now: Timestamp) {
        let Some(place) = self.place(peer) else {
            return;
        };
        let later = |forgotten: u64| {
            let from = forgotten.max(now.unix_millis());
            // A clock that stepped back locks nobody out for long.
            Some((from + FORGOTTEN_AFTER).min(now.unix_millis() + FORGOTTEN_AFTER * BURST))
        };
        let _ = place.fetch_update(Ordering::Relaxed, Ordering::Relaxed, later);
    }

    /// Whoever has an IPv6 address has its network.
    fn place(&self, peer: IpAddr) -> Option<&AtomicU64> {
        let peer = match peer.to_canonical() {
            IpAddr::V6(address) => {
                let network = address.to_bits() & !u128::from(u64::MAX);
                IpAddr::V6(Ipv6Addr::from_bits(network))
            }
            address => address,
        };
        let hash = usize::try_from(self.hasher.hash_one(peer) % PLACES as u64);
        self.places.get(hash.ok()?)
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use hookgate_core::time::Timestamp;

    use super::{BURST, Throttle};

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_unix_millis(1_760_000_000_000 + millis)
    }

    #[test]
    fn slows_who_fails_and_forgets_it() {
        let throttle = Throttle::new();
        let peer = IpAddr::from([192, 0, 2, 1]);
        for _ in 0..BURST {
            assert_eq!(throttle.admit(peer, at(0)), Ok(()));
            throttle.failed(peer, at(0));
        }
        assert_eq!(throttle.admit(peer, at(0)), Err(6));
        for _ in 0..100 {
            throttle.failed(peer, at(1));
        }
        assert_eq!(throttle.admit(peer, at(5_000)), Err(2));
        assert_eq!(throttle.admit(peer, at(6_001)), Ok(()));
    }

    #[test]
    fn takes_the_addresses_of_one_network_for_one() {
        let throttle = Throttle::new();
        for host in 0..BURST {
            let peer: IpAddr = format!("2001:db8::{host:x}").parse().unwrap();
            throttle.failed(peer, at(0));
        }
        let other: IpAddr = "2001:db8::ffff:1".parse().unwrap();
        assert_eq!(throttle.admit(other, at(0)), Err(6));
    }
}
