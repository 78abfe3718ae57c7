//! One event as a message: CloudEvents in binary mode.
//!
//! Source: the CloudEvents NATS protocol binding, section 3.1.

use async_nats::{HeaderMap, header};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hookgate_core::time::Timestamp;

use super::stream;
use crate::log::{Attributes, Damage, Entry, headers as common};

/// Names the one subject of an identity. The ID is encoded, so that no dot,
/// wildcard or space of it can mean something to the server.
pub(super) fn subject(source: &str, id: &str) -> String {
    format!(
        "{}.{source}.{}",
        stream::SUBJECT_PREFIX,
        URL_SAFE_NO_PAD.encode(id)
    )
}

/// Writes the headers of an event.
pub(super) fn headers(attributes: &Attributes) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::NATS_EXPECTED_STREAM, stream::NAME);
    for (name, value) in common::write(attributes) {
        headers.insert(name, value.as_ref());
    }
    headers
}

/// Reads an event back from a message of the stream.
///
/// # Errors
/// [`Damage::Field`] if a header is missing or not as [`headers`] writes it.
pub(super) fn entry(
    sequence: u64,
    stored_at: Timestamp,
    size: u64,
    headers: &HeaderMap,
) -> Result<Entry, Damage> {
    common::read(sequence, stored_at, size, |name| {
        headers.get(name).map(|value| value.as_str())
    })
}

#[cfg(test)]
mod tests {
    use super::{entry, headers, subject};
    use crate::log::headers::tests::{attributes, bare_attributes};
    use hookgate_core::time::Timestamp;

    #[test]
    fn keeps_the_id_out_of_the_subject() {
        assert_eq!(
            subject("stripe", "evt_1.*.>"),
            "hookgate.event.stripe.ZXZ0XzEuKi4-"
        );
    }

    #[test]
    fn reads_the_headers_that_it_writes() {
        for attributes in [attributes(), bare_attributes()] {
            let stored_at = Timestamp::from_unix_seconds(1_760_000_002);
            let read = entry(7, stored_at, 2, &headers(&attributes)).unwrap();
            assert_eq!(read.attributes, attributes);
        }
    }
}
