//! One event as a message: CloudEvents in binary mode.
//!
//! Source: the CloudEvents NATS protocol binding, section 3.1.

use async_nats::{HeaderMap, header};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hookgate_core::{identity::Source, time::Timestamp, trace::TraceParent};

use super::stream;
use crate::log::{Attributes, Damage, Entry, UNSIGNED};

/// What `ce-source` is, before the source's name.
const SOURCE_PREFIX: &str = "/hookgate/";

/// Carries the signature header, whatever the sender calls it.
const SIGNATURE: &str = "ce-signature";

/// What carried it while every event was Stripe's.
const EARLIER_SIGNATURE: &str = "stripe-signature";

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
    headers.insert("content-type", "application/json");
    headers.insert("ce-specversion", "1.0");
    headers.insert("ce-id", attributes.id.as_str());
    headers.insert("ce-type", attributes.type_name.as_str());
    headers.insert("ce-source", format!("{SOURCE_PREFIX}{}", attributes.source));
    headers.insert("ce-endpoint", attributes.endpoint.as_str());
    headers.insert("ce-secretname", attributes.secret_name.as_str());
    headers.insert("ce-receivedat", attributes.received_at.to_string());
    headers.insert("ce-sha256", attributes.sha256.to_string());
    headers.insert(SIGNATURE, attributes.signature.as_str());
    if attributes.unsigned_attributes {
        headers.insert("ce-unsigned", UNSIGNED);
    }
    if let Some(signed_at) = attributes.signed_at {
        headers.insert("ce-signedat", signed_at.to_string());
    }
    if let Some(account) = &attributes.account {
        headers.insert("ce-account", account.as_str());
    }
    if let Some(livemode) = attributes.livemode {
        headers.insert("ce-livemode", livemode.to_string());
    }
    if let Some(time) = attributes.time {
        headers.insert("ce-time", time.to_string());
    }
    if let Some(traceparent) = &attributes.traceparent {
        headers.insert("traceparent", traceparent.as_str());
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
    let optional = |name: &str| headers.get(name).map(|value| value.as_str());
    let damage = |field| Damage::Field { sequence, field };
    let required = |field| optional(field).ok_or(damage(field));
    let time = |field| Timestamp::parse_rfc3339(required(field)?).ok_or(damage(field));
    let livemode = match optional("ce-livemode") {
        None => None,
        Some("true") => Some(true),
        Some("false") => Some(false),
        Some(_) => return Err(damage("ce-livemode")),
    };
    let traceparent = optional("traceparent")
        .map(|value| TraceParent::parse(value.as_bytes()).ok_or(damage("traceparent")))
        .transpose()?;
    let source = required("ce-source")?
        .strip_prefix(SOURCE_PREFIX)
        .and_then(|name| Source::new(name).ok())
        .ok_or(damage("ce-source"))?;
    Ok(Entry {
        sequence,
        stored_at,
        size,
        redacted: false,
        attributes: Attributes {
            source,
            id: required("ce-id")?.to_owned(),
            type_name: required("ce-type")?.to_owned(),
            account: optional("ce-account").map(str::to_owned),
            livemode,
            time: optional("ce-time").map(|_| time("ce-time")).transpose()?,
            endpoint: required("ce-endpoint")?.to_owned(),
            secret_name: required("ce-secretname")?.to_owned(),
            unsigned_attributes: optional("ce-unsigned").is_some(),
            signed_at: optional("ce-signedat")
                .map(|_| time("ce-signedat"))
                .transpose()?,
            received_at: time("ce-receivedat")?,
            traceparent,
            signature: optional(SIGNATURE)
                .or_else(|| optional(EARLIER_SIGNATURE))
                .ok_or(damage(SIGNATURE))?
                .to_owned(),
            sha256: required("ce-sha256")?
                .parse()
                .map_err(|_| damage("ce-sha256"))?,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::{entry, headers, subject};
    use crate::log::{Attributes, Damage, Entry, Sha256Sum};
    use hookgate_core::{identity::Source, time::Timestamp, trace::TraceParent};

    fn attributes() -> Attributes {
        Attributes {
            source: Source::new("stripe-connect").unwrap(),
            id: "evt_1".to_owned(),
            type_name: "invoice.paid".to_owned(),
            account: Some("acct_1".to_owned()),
            livemode: Some(true),
            time: Some(Timestamp::from_unix_seconds(1_760_000_000)),
            endpoint: "stripe-connect".to_owned(),
            secret_name: "primary".to_owned(),
            unsigned_attributes: true,
            signed_at: Some(Timestamp::from_unix_seconds(1_760_000_001)),
            received_at: Timestamp::from_unix_millis(1_760_000_001_250),
            traceparent: Some(TraceParent::new(1, 2)),
            signature: "t=1760000001,v1=00".to_owned(),
            sha256: Sha256Sum::of(b"{}"),
        }
    }

    #[test]
    fn keeps_the_id_out_of_the_subject() {
        assert_eq!(
            subject("stripe", "evt_1.*.>"),
            "hookgate.event.stripe.ZXZ0XzEuKi4-"
        );
    }

    #[test]
    fn reads_the_headers_that_it_writes() {
        let bare = Attributes {
            account: None,
            livemode: None,
            time: None,
            traceparent: None,
            signed_at: None,
            unsigned_attributes: false,
            ..attributes()
        };
        for attributes in [attributes(), bare] {
            let stored_at = Timestamp::from_unix_seconds(1_760_000_002);
            let read = entry(7, stored_at, 2, &headers(&attributes));
            assert_eq!(
                read,
                Ok(Entry {
                    sequence: 7,
                    stored_at,
                    size: 2,
                    redacted: false,
                    attributes
                })
            );
        }
    }

    #[test]
    fn reads_the_signature_of_earlier_messages() {
        let mut earlier = async_nats::HeaderMap::new();
        for (name, values) in headers(&attributes()).iter() {
            let name = match name.as_ref() {
                super::SIGNATURE => super::EARLIER_SIGNATURE,
                other => other,
            };
            let values = values.iter().cloned();
            values.for_each(|value| earlier.append(name, value));
        }
        let read = entry(7, Timestamp::from_unix_seconds(0), 0, &earlier);
        assert_eq!(read.unwrap().attributes, attributes());
    }

    #[test]
    fn reports_headers_that_are_damaged() {
        for (field, value) in [
            ("ce-source", "/elsewhere/stripe"),
            ("ce-livemode", "True"),
            ("ce-time", "yesterday"),
            ("ce-signedat", "yesterday"),
            ("ce-sha256", "00"),
            ("traceparent", "00-1-2-01"),
        ] {
            let mut headers = headers(&attributes());
            headers.insert(field, value);
            let read = entry(7, Timestamp::from_unix_seconds(0), 0, &headers);
            assert_eq!(read, Err(Damage::Field { sequence: 7, field }));
        }
    }

    #[test]
    fn reports_a_message_that_is_not_an_event() {
        let time = Timestamp::from_unix_seconds(0);
        let read = entry(7, time, 0, &async_nats::HeaderMap::new());
        let damage = Damage::Field {
            sequence: 7,
            field: "ce-source",
        };
        assert_eq!(read, Err(damage));
    }
}
