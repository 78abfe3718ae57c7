//! Who is on this machine.

use std::net::IpAddr;

use axum::http::{HeaderMap, header::HOST};

use super::Hosts;

/// What a proxy adds of its own accord or lets through: then it isn't known who
/// asked it.
const FORWARDED: [&str; 7] = [
    "authorization",
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "via",
];

/// Tells whether a request comes from this machine, was asked for under one of its
/// own names, and not through a proxy that says so. A proxy that keeps its own
/// name in `Host` and adds nothing can't be told from a person here: whoever
/// configures names has one, so that there nobody is let in by this.
pub(super) fn is_of_this_machine(peer: IpAddr, headers: &HeaderMap) -> bool {
    let host = headers.get(HOST);
    peer.to_canonical().is_loopback()
        && host.is_some_and(|host| Hosts::is_local(host.as_bytes()))
        && !FORWARDED.iter().any(|name| headers.contains_key(*name))
}
