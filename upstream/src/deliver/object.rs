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
    let payload: Payload<'_> = serde_json::from_slice(payload).ok()?;
    let object = payload
        .data
        .and_then(|data| data.object)
        .or(payload.related_object)?;
    let id = object.id?;
    let mut hash = Sha256::new();
    for part in [
        event.source.as_str(),
        event.account.as_deref().unwrap_or_default(),
        &id,
    ] {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().first_chunk().copied()
}
