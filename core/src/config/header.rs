//! Names of headers that a sender's scheme can use.

use alloc::format;

use super::ConfigError;
use crate::forward;

/// Longest name, in bytes.
const MAX_NAME_BYTES: usize = 64;

/// Prefixes of what Envoy writes itself.
const HOSTS_PREFIX: &str = "x-forwarded-";

/// What is between two neighbours on the way (RFC 9110, section 7.6.1), and what
/// Envoy writes or takes out itself. `host` is `:authority` there.
const HOSTS: [&str; 14] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-request-id",
];

/// Checks the name of a header that carries something of the sender's.
pub(super) fn header(path: &str, name: &str) -> Result<(), ConfigError> {
    let fits = (1..=MAX_NAME_BYTES).contains(&name.len());
    let allowed = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
    if !fits || !name.bytes().all(allowed) {
        let expected = format!("a header's name in lower case, 1 to {MAX_NAME_BYTES} characters");
        return Err(ConfigError::text(path, name, expected));
    }
    if forward::is_own(name) {
        let expected = "a header of the sender's: the gate strips and writes `ce-…`, \
                        `x-hookgate-…`, `x-envoy-…`, `authorization`, `traceparent` and \
                        `tracestate`";
        return Err(ConfigError::text(path, name, expected));
    }
    if HOSTS.contains(&name) || name.starts_with(HOSTS_PREFIX) {
        let expected = "a header that arrives as it was sent: Envoy writes or takes out this one";
        return Err(ConfigError::text(path, name, expected));
    }
    Ok(())
}
