//! One event as a message: CloudEvents in binary mode.
//!
//! Source: the CloudEvents NATS protocol binding, section 3.1.

use async_nats::{HeaderMap, header};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hookgate_core::time::Timestamp;

use super::stream;
use crate::log::{Attributes, Damage, Entry, headers as common};

/// Ends the subject of the tombstone of an identity.
const REDACTED: &str = ".redacted";

/// In a tombstone: the sequence of the event whose payload was removed.
const SEQUENCE: &str = "hookgate-sequence";

/// In a tombstone: when that event was stored.
const STORED_AT: &str = "hookgate-storedat";

/// Names the subject whose newest message a publish expects to know.
/// Source: <https://github.com/nats-io/nats-architecture-and-design/blob/main/adr/ADR-5.md>.
pub(super) const EXPECTED_SUBJECT: &str = "Nats-Expected-Last-Subject-Sequence-Subject";

/// Names the one subject of an identity. The ID is encoded, so that no dot,
/// wildcard or space of it can mean something to the server.
pub(super) fn subject(source: &str, id: &str) -> String {
    format!(
        "{}.{source}.{}",
        stream::SUBJECT_PREFIX,
        URL_SAFE_NO_PAD.encode(id)
    )
}

/// Names the subject of its tombstone. The stream takes an event only while
/// there is none.
pub(super) fn tombstone_subject(source: &str, id: &str) -> String {
    format!("{}{REDACTED}", subject(source, id))
}

/// Names the tombstones of every source and ID.
pub(super) fn tombstone_subjects() -> String {
    format!("{}.*.*{REDACTED}", stream::SUBJECT_PREFIX)
}

/// Holds what a message of the stream is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stored {
    /// An event.
    Event(Entry),
    /// What is left of an event whose payload was removed, as it was at its own
    /// place. The message is at another.
    Tombstone(Entry),
}

/// Writes the headers with which an event is appended: unless its payload was
/// removed before.
pub(super) fn append_headers(attributes: &Attributes) -> HeaderMap {
    let tombstone = tombstone_subject(attributes.source.as_str(), &attributes.id);
    let mut headers = headers(attributes);
    headers.insert(header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, "0");
    headers.insert(EXPECTED_SUBJECT, tombstone);
    headers
}

/// Writes the headers of a tombstone: everything but the payload.
pub(super) fn tombstone_headers(entry: &Entry) -> HeaderMap {
    let mut headers = headers(&entry.attributes);
    headers.insert(SEQUENCE, entry.sequence.to_string());
    headers.insert(STORED_AT, entry.stored_at.to_string());
    headers
}

/// Reads a message of the stream.
///
/// # Errors
/// [`Damage::Field`] if a header is missing or not as it was written, or the
/// subject is another identity's.
pub(super) fn read(
    subject: &str,
    sequence: u64,
    stored_at: Timestamp,
    size: u64,
    headers: &HeaderMap,
) -> Result<Stored, Damage> {
    let entry = entry(sequence, stored_at, size, headers)?;
    let (source, id) = (entry.attributes.source.as_str(), &entry.attributes.id);
    let own = self::subject(source, id);
    match subject.strip_prefix(&own) {
        Some("") => Ok(Stored::Event(entry)),
        Some(REDACTED) => {
            let damage = |field| Damage::Field { sequence, field };
            let text = |field| {
                headers
                    .get(field)
                    .map(|it| it.as_str())
                    .ok_or(damage(field))
            };
            let of = text(SEQUENCE)?.parse().map_err(|_| damage(SEQUENCE))?;
            let then = Timestamp::parse_rfc3339(text(STORED_AT)?).ok_or(damage(STORED_AT))?;
            Ok(Stored::Tombstone(Entry {
                sequence: of,
                stored_at: then,
                size: 0,
                redacted: true,
                ..entry
            }))
        }
        _ => Err(Damage::Field {
            sequence,
            field: "subject",
        }),
    }
}

/// Writes the headers of an event.
fn headers(attributes: &Attributes) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::NATS_EXPECTED_STREAM, stream::NAME);
    for (name, value) in common::write(attributes) {
        headers.insert(name, value.as_ref());
    }
    headers
}

/// Reads an event back from the headers of a message.
fn entry(
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
    use hookgate_core::time::Timestamp;

    use super::{
        EXPECTED_SUBJECT, Stored, append_headers, read, subject, tombstone_headers,
        tombstone_subject,
    };
    use crate::log::{
        Damage, Entry,
        headers::tests::{attributes, bare_attributes},
    };

    const AT: Timestamp = Timestamp::from_unix_millis(1_760_000_002_250);

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
            let subject = subject(attributes.source.as_str(), &attributes.id);
            let stored = read(&subject, 7, AT, 2, &append_headers(&attributes));
            let entry = Entry {
                sequence: 7,
                stored_at: AT,
                size: 2,
                redacted: false,
                attributes,
            };
            assert_eq!(stored, Ok(Stored::Event(entry)));
        }
    }

    #[test]
    fn appends_only_while_there_is_no_tombstone() {
        let headers = append_headers(&attributes());
        let header = |name: &str| headers.get(name).unwrap().as_str();
        assert_eq!(header("Nats-Expected-Last-Subject-Sequence"), "0");
        let attributes = attributes();
        let tombstone = tombstone_subject(attributes.source.as_str(), &attributes.id);
        assert_eq!(header(EXPECTED_SUBJECT), tombstone);
    }

    #[test]
    fn reads_a_tombstone_as_the_event_at_its_own_place() {
        let entry = Entry {
            sequence: 7,
            stored_at: AT,
            size: 2,
            redacted: false,
            attributes: attributes(),
        };
        let source = entry.attributes.source.as_str();
        let subject = tombstone_subject(source, &entry.attributes.id);
        let later = Timestamp::from_unix_seconds(1_770_000_000);
        let headers = tombstone_headers(&entry);
        let left = Entry {
            size: 0,
            redacted: true,
            ..entry.clone()
        };
        let stored = read(&subject, 9, later, 0, &headers);
        assert_eq!(stored, Ok(Stored::Tombstone(left)));
        for field in ["hookgate-sequence", "hookgate-storedat"] {
            let mut headers = headers.clone();
            headers.insert(field, "x");
            let stored = read(&subject, 9, later, 0, &headers);
            assert_eq!(stored, Err(Damage::Field { sequence: 9, field }));
        }
    }

    #[test]
    fn reports_an_event_under_the_subject_of_another() {
        let headers = append_headers(&attributes());
        for other in [
            "hookgate.event.stripe-connect.ZXZ0XzI",
            "hookgate.event.stripe.ZXZ0XzE",
            "hookgate.event.stripe-connect.ZXZ0XzE.gone",
        ] {
            let field = "subject";
            let stored = read(other, 7, AT, 2, &headers);
            assert_eq!(stored, Err(Damage::Field { sequence: 7, field }), "{other}");
        }
    }
}
