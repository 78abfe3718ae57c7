//! Bytes of a payload that may wait with the host.

use super::{Delivery, State};

/// Bytes that take far longer to hash than to ask for.
const WORTH_READING: u64 = 65_536;

impl Delivery {
    /// Tells whether this many bytes, which [`Self::body`] has not been given
    /// yet, may stay with the host until there are more of them, or the end:
    /// each read costs, so most payloads are best read once.
    ///
    /// Those that make the payload too large may not: its sender is to know.
    #[must_use]
    pub fn lets_wait(&self, unread_bytes: usize) -> bool {
        let State::Verifying(held) = &self.state else {
            return false;
        };
        let unread = u64::try_from(unread_bytes).unwrap_or(u64::MAX);
        let all = held.body_bytes.saturating_add(unread);
        unread < WORTH_READING && all <= held.endpoint.config.max_body_bytes
    }
}
