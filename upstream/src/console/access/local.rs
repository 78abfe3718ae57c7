//! Who is on this machine.

use std::net::IpAddr;

use axum::http::HeaderMap;

/// What a proxy adds of its own accord: then it isn't known who asked it.
const FORWARDED: [&str; 6] = [
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "via",
];

/// Tells whether a request comes from this machine, and not through a proxy that
/// stands here.
pub(super) fn is_of_this_machine(peer: IpAddr, headers: &HeaderMap) -> bool {
    peer.to_canonical().is_loopback() && !FORWARDED.iter().any(|name| headers.contains_key(*name))
}
