//! One event as a message: CloudEvents in binary mode.

use hookgate_core::time::Timestamp;
use lapin::{
    BasicProperties,
    message::Delivery,
    types::{AMQPValue, ShortString},
};

use crate::{
    amqp,
    log::{Attributes, Damage, Entry, headers},
};

/// Kept on disk; a stream keeps everything there all the same.
const PERSISTENT: u8 = 2;

/// When we handed the event over: a stream tells nobody its own times.
const STORED_AT: &str = "ce-storedat";

/// Where a delivery of a stream is.
const OFFSET: &str = "x-stream-offset";

/// Most bytes of headers. They must fit into one frame, of 128 KiB by default;
/// one that doesn't would end the connection, and every event on its way with it.
const MAX_HEADER_BYTES: usize = 64 * 1_024;

/// Writes the properties of an event; `None` if they are too large.
pub(super) fn properties(attributes: &Attributes, now: Timestamp) -> Option<BasicProperties> {
    let stored_at = now.to_string();
    let written = headers::write(attributes);
    let written = written
        .iter()
        .map(|(name, value)| (*name, value.as_ref()))
        .chain([(STORED_AT, stored_at.as_str())]);
    let size: usize = written
        .clone()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    if size > MAX_HEADER_BYTES {
        return None;
    }
    let content_type = |(name, _): &(&str, &str)| *name == "content-type";
    let properties = BasicProperties::default()
        .with_content_type("application/json".into())
        .with_delivery_mode(PERSISTENT)
        .with_headers(amqp::headers(written.filter(|it| !content_type(it))));
    // An ID that doesn't fit is in the headers all the same.
    Some(match ShortString::try_new(attributes.id.as_str()) {
        Ok(id) => properties.with_message_id(id),
        Err(_) => properties,
    })
}

/// Returns the sequence of a delivery: its offset + 1, so that the first event
/// has 1 as on every log. `None` if no stream delivered it.
pub(super) fn sequence(delivery: &Delivery) -> Option<u64> {
    let headers = delivery.properties.headers().as_ref()?;
    let offset = match headers.inner().get(OFFSET)? {
        AMQPValue::LongLongInt(offset) => u64::try_from(*offset).ok()?,
        _ => return None,
    };
    offset.checked_add(1)
}

/// Reads an event back.
///
/// # Errors
/// [`Damage::Field`] if a header is missing or not as [`properties`] writes it.
pub(super) fn entry(sequence: u64, delivery: &Delivery) -> Result<Entry, Damage> {
    let header = |name: &str| amqp::header(&delivery.properties, name);
    let stored_at = header(STORED_AT).and_then(Timestamp::parse_rfc3339);
    let stored_at = stored_at.ok_or(Damage::Field {
        sequence,
        field: STORED_AT,
    })?;
    let size = u64::try_from(delivery.data.len()).unwrap_or(u64::MAX);
    headers::read(sequence, stored_at, size, header)
}

#[cfg(test)]
mod tests {
    use super::{entry, properties, sequence};
    use crate::log::{
        Damage,
        headers::tests::{attributes, bare_attributes},
    };
    use hookgate_core::time::Timestamp;
    use lapin::{
        BasicProperties,
        message::Delivery,
        types::{AMQPValue, FieldTable},
    };

    fn delivery(properties: BasicProperties) -> Delivery {
        let mut delivery = Delivery::mock(1, "".into(), "hookgate".into(), false, b"{}".to_vec());
        delivery.properties = properties;
        delivery
    }

    #[test]
    fn reads_the_properties_that_it_writes() {
        let now = Timestamp::from_unix_millis(1_760_000_002_125);
        for attributes in [attributes(), bare_attributes()] {
            let delivery = delivery(properties(&attributes, now).unwrap());
            let read = entry(7, &delivery).unwrap();
            assert_eq!((read.sequence, read.stored_at, read.size), (7, now, 2));
            assert_eq!(read.attributes, attributes);
        }
    }

    #[test]
    fn knows_its_place_from_the_stream_only() {
        let mut headers = FieldTable::default();
        headers.insert("x-stream-offset".into(), AMQPValue::LongLongInt(41));
        let of_stream = delivery(BasicProperties::default().with_headers(headers));
        assert_eq!(sequence(&of_stream), Some(42));
        assert_eq!(sequence(&delivery(BasicProperties::default())), None);
    }

    #[test]
    fn writes_no_headers_that_would_end_the_connection() {
        let mut attributes = attributes();
        attributes.signature = "v1=00,".repeat(12_000);
        assert_eq!(
            properties(&attributes, Timestamp::from_unix_seconds(0)),
            None
        );
    }

    #[test]
    fn reports_a_message_that_is_not_an_event() {
        let damage = Damage::Field {
            sequence: 7,
            field: "ce-storedat",
        };
        assert_eq!(entry(7, &delivery(BasicProperties::default())), Err(damage));
    }
}
