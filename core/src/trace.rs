//! W3C Trace Context: the `traceparent` of a forwarded event.
//!
//! Source: <https://www.w3.org/TR/trace-context/#traceparent-header>.

use alloc::{format, string::String};

/// Holds a trace context: trace ID and parent ID in lower-case hex, sampled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceParent(String);

/// Bytes of `00-<32 hex>-<16 hex>-<2 hex>`.
const LENGTH: usize = 55;

impl TraceParent {
    /// Makes a new sampled trace from random bits.
    #[must_use]
    pub fn new(trace_id: u128, parent_id: u64) -> Self {
        // The standard forbids zero for both.
        Self(format!(
            "00-{:032x}-{:016x}-01",
            trace_id.max(1),
            parent_id.max(1)
        ))
    }

    /// Reads a version 00 header; `None` if it isn't one.
    #[must_use]
    pub fn parse(value: &[u8]) -> Option<Self> {
        let text = core::str::from_utf8(value).ok()?;
        let mut fields = text.split('-');
        let parent = Self(text.into());
        let fits = text.len() == LENGTH
            && fields.next() == Some("00")
            && fields
                .next()
                .is_some_and(|id| is_hex(id, 32) && !is_zero(id))
            && fields
                .next()
                .is_some_and(|id| is_hex(id, 16) && !is_zero(id))
            && fields.next().is_some_and(|flags| is_hex(flags, 2))
            && fields.next().is_none();
        fits.then_some(parent)
    }

    /// Returns the header's value.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the trace ID, 32 hex digits.
    #[must_use]
    pub fn trace_id(&self) -> &str {
        self.0.split('-').nth(1).unwrap_or_default()
    }
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_zero(text: &str) -> bool {
    text.bytes().all(|byte| byte == b'0')
}

#[cfg(test)]
mod tests {
    use super::TraceParent;

    const VALID: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn reads_what_it_writes() {
        let made = TraceParent::new(
            0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736,
            0xf0_67aa_0ba9_02b7,
        );
        assert_eq!(made.as_str(), VALID);
        assert_eq!(TraceParent::parse(VALID.as_bytes()), Some(made.clone()));
        assert_eq!(made.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
    }

    #[test]
    fn never_makes_the_forbidden_zero() {
        let made = TraceParent::new(0, 0);
        assert_eq!(TraceParent::parse(made.as_str().as_bytes()), Some(made));
    }

    #[test]
    fn refuses_other_versions_zeros_and_other_characters() {
        for value in [
            &b""[..],
            b"\xff",
            b"01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            b"00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            b"00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            b"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
            b"00-4bf92f3577b34da6a3ce929d0e0e47360-0f067aa0ba902b7-01",
        ] {
            assert_eq!(TraceParent::parse(value), None);
        }
    }
}
