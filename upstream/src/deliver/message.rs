//! What a destination gets: the payload as it was signed, what is known of it,
//! and our own signature.
//!
//! Headers are those of Standard Webhooks
//! (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>)
//! and CloudEvents 1.0 in binary mode.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use hookgate_core::{
    protection::HELD_FOR_HEADER, request::RequestHead, scheme::Scheme, time::Timestamp,
    trace::TraceParent,
};
use sha2::{Digest, Sha256};

use super::{destination::Destination, job::Job};
use crate::log::{Attributes, UNSIGNED};

/// Characters of the digest in a `webhook-id`: 132 bits.
const ID_CHARACTERS: usize = 22;

/// Holds one delivery, for whatever kind of target.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    /// What repeats have in common.
    pub(crate) webhook_id: String,
    /// The event's ID.
    pub(crate) event_id: String,
    /// The event's type.
    pub(crate) type_name: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(&'static str, String)>,
    /// As the sender signed it.
    pub(crate) payload: Bytes,
}

impl Message {
    /// Writes one attempt, signed anew so that its time is fresh. `trace` is
    /// the attempt's own span.
    pub(crate) fn new(
        destination: &Destination,
        job: &Job,
        number: u32,
        trace: Option<TraceParent>,
        now: Timestamp,
    ) -> Self {
        let attributes = &job.entry.attributes;
        let webhook_id = webhook_id(&destination.name, attributes);
        let mut headers = vec![("content-type", "application/json".to_owned())];
        headers.extend(events(attributes, job.entry.sequence));
        if let Some(trace) = trace {
            headers.push(("traceparent", trace.as_str().to_owned()));
        }
        headers.push(("x-hookgate-attempt", number.to_string()));
        headers.push(("webhook-id", webhook_id.clone()));
        headers.extend(signature(destination, &webhook_id, &job.payload, now));
        Self {
            webhook_id,
            event_id: attributes.id.clone(),
            type_name: attributes.type_name.clone(),
            headers,
            payload: job.payload.clone(),
        }
    }
}

/// Names a delivery: the same for every attempt of one event at one destination.
pub(crate) fn webhook_id(destination: &str, event: &Attributes) -> String {
    id_of(destination, event.source.as_str(), &event.id)
}

fn id_of(destination: &str, source: &str, id: &str) -> String {
    let mut hash = Sha256::new();
    for part in [destination, source, id] {
        hash.update(part);
        // None of them can hold it.
        hash.update([0]);
    }
    let mut id = URL_SAFE_NO_PAD.encode(hash.finalize());
    id.truncate(ID_CHARACTERS);
    format!("msg_{id}")
}

fn events(event: &Attributes, sequence: u64) -> Vec<(&'static str, String)> {
    let mut headers = vec![
        ("ce-specversion", "1.0".to_owned()),
        ("ce-id", event.id.clone()),
        ("ce-type", event.type_name.clone()),
        ("ce-source", format!("/hookgate/{}", event.source)),
        ("ce-endpoint", event.endpoint.clone()),
        ("ce-receivedat", event.received_at.to_string()),
        ("ce-sequence", sequence.to_string()),
    ];
    let time = event.time.map(|time| time.to_string());
    let livemode = event.livemode.map(|livemode| livemode.to_string());
    let unsigned = event.unsigned_attributes.then(|| UNSIGNED.to_owned());
    let held_for = event.held_for.map(|it| it.name().to_owned());
    for (name, value) in [
        ("ce-time", time),
        ("ce-account", event.account.clone()),
        ("ce-livemode", livemode),
        ("ce-unsigned", unsigned),
        ("ce-origin", event.origin.name().map(str::to_owned)),
        (HELD_FOR_HEADER, held_for),
    ] {
        headers.extend(value.map(|value| (name, value)));
    }
    headers
}

/// Signs under each secret: a receiver that rotates knows one of them.
fn signature(
    destination: &Destination,
    webhook_id: &str,
    payload: &[u8],
    now: Timestamp,
) -> Vec<(&'static str, String)> {
    let head = [("webhook-id".to_owned(), webhook_id.as_bytes().to_vec())];
    let mut signatures = Vec::new();
    for secret in &destination.secrets {
        let signed = Scheme::StandardWebhooks.sign(secret, now, RequestHead(&head), payload);
        let value = signed
            .into_iter()
            .find(|(name, _)| name == Scheme::StandardWebhooks.signature_header());
        signatures.extend(value.map(|(_, value)| value));
    }
    if signatures.is_empty() {
        return Vec::new();
    }
    vec![
        ("webhook-timestamp", now.unix_seconds().to_string()),
        ("webhook-signature", signatures.join(" ")),
    ]
}

#[cfg(test)]
mod tests {
    use super::id_of;

    /// Receivers remember it: it may never change between versions.
    #[test]
    fn names_a_delivery_by_destination_source_and_event() {
        let id = id_of("orders", "stripe", "evt_1");
        assert_eq!(id, "msg_XNgMzjr2twPYNJYnlBIMlk");
        assert_ne!(id_of("other", "stripe", "evt_1"), id);
        assert_ne!(id_of("orders", "stripe-connect", "evt_1"), id);
        assert_ne!(id_of("orders", "stripe", "evt_2"), id);
    }
}
