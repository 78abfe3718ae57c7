//! Addresses of this machine that a test has for itself.

use std::net::Ipv4Addr;

/// A loopback address that nobody else has. Whoever is killed there finds its
/// ports free again, and a port that is free there stays so: what the system
/// picks for other tests and for connections is of 127.0.0.1.
pub(crate) fn own() -> Ipv4Addr {
    Ipv4Addr::new(
        127,
        fastrand::u8(1..),
        fastrand::u8(..),
        fastrand::u8(1..255),
    )
}
