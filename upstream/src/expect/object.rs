//! What an event is about, as far as expectations go by it: its object, and the objects of
//! the same movement of money that it names.

use std::{borrow::Cow, fmt};

use hookgate_core::identity::Source;
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use sha2::{Digest as _, Sha256};

use crate::log::Attributes;

/// Reads both forms of Stripe's events, snapshots and thin ones
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

/// Customers, subscriptions and balance transactions are no links: they would make one
/// object of all that a customer ever does.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Object<'a> {
    #[serde(borrow)]
    id: Reference<'a>,
    #[serde(borrow)]
    payment_intent: Reference<'a>,
    #[serde(borrow)]
    charge: Reference<'a>,
    #[serde(borrow)]
    invoice: Reference<'a>,
    #[serde(borrow)]
    source_transaction: Reference<'a>,
    #[serde(borrow)]
    transfer: Reference<'a>,
    #[serde(borrow)]
    payout: Reference<'a>,
}

/// An ID, or an object that was expanded in its place; anything else is none.
#[derive(Debug, Default)]
struct Reference<'a>(Option<Cow<'a, str>>);

impl<'de: 'a, 'a> Deserialize<'de> for Reference<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ReferenceVisitor)
    }
}

struct ReferenceVisitor;

impl<'de> Visitor<'de> for ReferenceVisitor {
    type Value = Reference<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an ID")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Reference(Some(Cow::Borrowed(text))))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Reference(Some(Cow::Owned(text.to_owned()))))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = Reference::default();
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            if name == "id" {
                found = map.next_value()?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Reference::default())
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Reference::default())
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Reference::default())
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Reference::default())
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Reference::default())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Reference::default())
    }
}

/// Digests of the object's name and of those that it is linked to, its own first; none if
/// the payload names no object.
pub(super) fn keys(event: &Attributes, payload: &[u8]) -> Vec<u64> {
    let account = event.account.as_deref().unwrap_or_default();
    of(&event.source, account, payload)
}

/// Digest of an event's identity.
pub(super) fn event_key(source: &str, id: &str) -> u64 {
    digest(&[source, id])
}

fn of(source: &Source, account: &str, payload: &[u8]) -> Vec<u64> {
    let Ok(payload) = serde_json::from_slice::<Payload<'_>>(payload) else {
        return Vec::new();
    };
    let object = payload.data.and_then(|data| data.object);
    let Some(object) = object.or(payload.related_object) else {
        return Vec::new();
    };
    let names = [
        object.id,
        object.payment_intent,
        object.charge,
        object.source_transaction,
        object.transfer,
        object.payout,
        object.invoice,
    ];
    let names = names.iter().filter_map(|name| name.0.as_deref());
    names
        .filter(|name| !name.is_empty())
        .map(|name| digest(&[source.as_str(), account, name]))
        .collect()
}

fn digest(parts: &[&str]) -> u64 {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        hash.update(part);
    }
    let digest = hash.finalize();
    let first = digest.first_chunk().copied().unwrap_or_default();
    u64::from_le_bytes(first)
}

#[cfg(test)]
mod tests {
    use hookgate_core::identity::Source;

    use super::of;

    fn keys(json: &str) -> Vec<u64> {
        of(&Source::new("stripe").unwrap(), "acct_1", json.as_bytes())
    }

    #[test]
    fn what_moves_the_same_money_is_linked() {
        let intent = keys(r#"{"data": {"object": {"id": "pi_1", "customer": "cus_1"}}}"#);
        assert_eq!(intent.len(), 1);
        let charge = keys(r#"{"data": {"object": {"id": "ch_1", "payment_intent": "pi_1"}}}"#);
        assert_eq!(charge[1], intent[0]);
        let expanded = keys(
            r#"{"data": {"object": {"payment_intent": {"amount": 5, "id": "pi_1"}, "id": "ch_1"}}}"#,
        );
        assert_eq!(expanded, charge);
        let transfer =
            keys(r#"{"data": {"object": {"id": "tr_1", "source_transaction": "ch_1"}}}"#);
        assert_eq!(transfer[1], charge[0]);
        let thin = keys(r#"{"related_object": {"id": "pi_1", "type": "payment_intent"}}"#);
        assert_eq!(thin, intent);
    }

    #[test]
    fn what_names_no_object_has_none() {
        for payload in [
            "",
            "[]",
            "{}",
            r#"{"data": null}"#,
            r#"{"data": {"object": {"id": 7, "charge": [1], "invoice": null, "payout": true}}}"#,
            r#"{"data": {"object": {"id": ""}}}"#,
        ] {
            assert_eq!(keys(payload), [0_u64; 0], "{payload}");
        }
    }
}
