//! Which object an event is about: what an ordered destination goes by.

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::log::Attributes;

/// Bytes of a key.
pub(crate) const KEY_BYTES: usize = 16;

/// Reads both forms of Stripe's events: `data.object.id` of a snapshot,
/// `related_object.id` of a thin event
/// (<https://docs.stripe.com/event-destinations#events-overview>).
#[derive(Deserialize)]
struct Payload<'a> {
    #[serde(borrow)]
    data: Option<Data<'a>>,
    #[serde(borrow)]
    related_object: Option<Object<'a>>,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow)]
    object: Option<Object<'a>>,
}

#[derive(Deserialize)]
struct Object<'a> {
    #[serde(borrow)]
    id: Option<std::borrow::Cow<'a, str>>,
}

/// Names the object of an event; `None` if the payload names none: such an
/// event waits for nobody.
pub(crate) fn key(event: &Attributes, payload: &[u8]) -> Option<[u8; KEY_BYTES]> {
    let account = event.account.as_deref().unwrap_or_default();
    of(event.source.as_str(), account, payload)
}

fn of(source: &str, account: &str, payload: &[u8]) -> Option<[u8; KEY_BYTES]> {
    let payload: Payload<'_> = serde_json::from_slice(payload).ok()?;
    let object = payload
        .data
        .and_then(|data| data.object)
        .or(payload.related_object)?;
    let id = object.id?;
    let mut hash = Sha256::new();
    for part in [source, account, &id] {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::of;

    const SNAPSHOT: &[u8] = br#"{"data": {"object": {"id": "in_1"}}}"#;

    #[test]
    fn reads_both_forms_of_event_as_one_object() {
        let thin = br#"{"id": "evt_1", "related_object": {"id": "in_\u0031", "type": "invoice"}}"#;
        assert!(of("stripe", "acct_1", SNAPSHOT).is_some());
        assert_eq!(
            of("stripe", "acct_1", thin),
            of("stripe", "acct_1", SNAPSHOT)
        );
    }

    #[test]
    fn keeps_sources_accounts_and_objects_apart() {
        let key = of("stripe", "acct_1", SNAPSHOT);
        assert_ne!(of("stripe", "acct_2", SNAPSHOT), key);
        assert_ne!(of("stripe-connect", "acct_1", SNAPSHOT), key);
        assert_ne!(of("stripeacct_1", "", SNAPSHOT), key);
        let other = br#"{"data": {"object": {"id": "in_2"}}}"#;
        assert_ne!(of("stripe", "acct_1", other), key);
    }

    #[test]
    fn an_event_of_no_object_waits_for_nobody() {
        for payload in [
            b"{}".as_slice(),
            b"[]",
            b"nonsense",
            br#"{"data": {}}"#,
            br#"{"data": {"object": {"id": null}}}"#,
            br#"{"data": {"object": {"id": 7}}}"#,
        ] {
            assert_eq!(of("stripe", "", payload), None);
        }
    }
}
