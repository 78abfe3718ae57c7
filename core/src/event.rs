//! What the gate reads of a payload, once its signature is verified.
//!
//! Only the top level is read, by a real JSON parser: payloads nest decoys of
//! `id` and `type`, order their keys freely and may escape them.

use alloc::{
    borrow::{Cow, ToOwned},
    format,
    string::String,
    vec::Vec,
};
use core::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::time::Timestamp;

/// Most keys that an event may have at its top level; Stripe's have about 12.
pub const MAX_TOP_LEVEL_KEYS: usize = 64;

/// Longest `id`, `type` or `account`, in bytes.
const MAX_NAME_BYTES: usize = 255;

/// Types for which Stripe waits for a decision in the answer.
/// Source: <https://docs.stripe.com/issuing/controls/real-time-authorizations>.
const SYNCHRONOUS_TYPES: [&str; 1] = ["issuing_authorization.request"];

/// Tells Stripe's two shapes of events apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `object: "event"`: carries the object as it was.
    Snapshot,
    /// `object: "v2.core.event"`: carries a reference.
    Thin,
}

/// Holds the attributes of one event.
///
/// `id`, `type_name` and `account` match `[A-Za-z0-9_.:/-]{1,255}`, so they can
/// become headers, subjects and keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The event's ID, `evt_…`.
    pub id: String,
    /// The event's type, such as `invoice.paid`.
    pub type_name: String,
    /// The connected account (`account`, or `context` of newer events).
    pub account: Option<String>,
    /// When it happened; `None` where the payload has no usable `created`.
    pub created: Option<Timestamp>,
    /// Live or test mode; `None` where the payload doesn't say.
    pub livemode: Option<bool>,
    /// Snapshot or thin.
    pub form: Form,
}

/// Says that a payload is no event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// Not one JSON object with unique top-level keys of the right kinds.
    #[error("the payload is not a JSON object with unique keys of the right kinds")]
    NotAnObject,
    /// A required field is missing, or has characters that a header can't have.
    #[error("`{0}` is missing or not of the form [A-Za-z0-9_.:/-]{{1,255}}")]
    Field(&'static str),
    /// `object` is neither `event` nor `v2.core.event`.
    #[error("`object` is neither `event` nor `v2.core.event`")]
    NotAnEvent,
}

impl Event {
    /// Reads an event from verified bytes.
    ///
    /// # Errors
    /// [`PayloadError`].
    pub fn from_payload(payload: &[u8]) -> Result<Self, PayloadError> {
        let TopLevel {
            id,
            type_name,
            object,
            account,
            context,
            created,
            livemode,
        } = serde_json::from_slice(payload).map_err(|_| PayloadError::NotAnObject)?;

        let form = match object.text().map(AsRef::as_ref) {
            Some("event") => Form::Snapshot,
            Some("v2.core.event") => Form::Thin,
            _ => return Err(PayloadError::NotAnEvent),
        };
        Ok(Self {
            id: required(&id, "id")?,
            type_name: required(&type_name, "type")?,
            account: match optional(&account, "account")? {
                Some(account) => Some(account),
                None => optional(&context, "context")?,
            },
            created: match created {
                Scalar::Unsigned(seconds) => Some(Timestamp::from_unix_seconds(seconds)),
                Scalar::Text(text) => Timestamp::parse_rfc3339(&text),
                _ => None,
            },
            livemode: match livemode {
                Scalar::Bool(livemode) => Some(livemode),
                _ => None,
            },
            form,
        })
    }

    /// Tells whether Stripe waits for a decision on this event: it is never
    /// stored, and never answered for by us.
    #[must_use]
    pub fn awaits_decision(&self) -> bool {
        SYNCHRONOUS_TYPES.contains(&self.type_name.as_str())
    }

    /// Tells whether this is a test event of the Dashboard, which all carry an
    /// ID of zeros and so are never duplicates of each other.
    #[must_use]
    pub fn is_test_id(&self) -> bool {
        self.id
            .strip_prefix("evt_")
            .is_some_and(|zeros| !zeros.is_empty() && zeros.bytes().all(|byte| byte == b'0'))
    }

    /// Returns the ID under which a delivery is stored: the event's own, and
    /// for a test event its own, a dot and `random` as 16 hex digits.
    #[must_use]
    pub fn delivery_id(&self, random: u64) -> String {
        if self.is_test_id() {
            format!("{}.{random:016x}", self.id)
        } else {
            self.id.clone()
        }
    }

    /// Tells whether [`Self::delivery_id`] could have made `delivery_id`.
    #[must_use]
    pub fn has_delivery_id(&self, delivery_id: &str) -> bool {
        let Some(rest) = delivery_id.strip_prefix(&self.id) else {
            return false;
        };
        if !self.is_test_id() {
            return rest.is_empty();
        }
        rest.strip_prefix('.').is_some_and(|random| {
            random.len() == 16
                && random
                    .bytes()
                    .all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
        })
    }
}

fn required(value: &Scalar<'_>, field: &'static str) -> Result<String, PayloadError> {
    optional(value, field)?.ok_or(PayloadError::Field(field))
}

fn optional(value: &Scalar<'_>, field: &'static str) -> Result<Option<String>, PayloadError> {
    match value {
        Scalar::Null => Ok(None),
        Scalar::Text(text) if is_name(text) => Ok(Some(text.clone().into_owned())),
        _ => Err(PayloadError::Field(field)),
    }
}

/// Tells whether a value may become a header, a subject or a key.
pub(crate) fn is_name(text: &str) -> bool {
    (1..=MAX_NAME_BYTES).contains(&text.len())
        && text.bytes().all(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':' | b'/' | b'-')
        })
}

/// A JSON value of which only scalars are kept.
#[derive(Debug, Default)]
enum Scalar<'de> {
    /// Absent counts as null.
    #[default]
    Null,
    Bool(bool),
    Unsigned(u64),
    Text(Cow<'de, str>),
    Other,
}

impl<'de> Scalar<'de> {
    const fn text(&self) -> Option<&Cow<'de, str>> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for Scalar<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Scalar::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Scalar::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Scalar::Unsigned(value))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Scalar::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Scalar::Other)
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }
}

/// The fields of the top level, as they stand there.
#[derive(Default)]
struct TopLevel<'de> {
    id: Scalar<'de>,
    type_name: Scalar<'de>,
    object: Scalar<'de>,
    account: Scalar<'de>,
    context: Scalar<'de>,
    created: Scalar<'de>,
    livemode: Scalar<'de>,
}

impl<'de> Deserialize<'de> for TopLevel<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(TopLevelVisitor)
    }
}

struct TopLevelVisitor;

impl<'de> Visitor<'de> for TopLevelVisitor {
    type Value = TopLevel<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut event = TopLevel::default();
        // Two values under one key: parsers differ in which one they take, so
        // gate and consumer could see two different events.
        let mut seen: Vec<Cow<'de, str>> = Vec::with_capacity(16);
        while let Some(key) = entries.next_key::<Scalar<'de>>()? {
            let Scalar::Text(key) = key else {
                return Err(A::Error::custom("a key is not a string"));
            };
            if seen.contains(&key) || seen.len() == MAX_TOP_LEVEL_KEYS {
                return Err(A::Error::custom("a key comes twice, or too many keys"));
            }
            let field = match key.as_ref() {
                "id" => Some(&mut event.id),
                "type" => Some(&mut event.type_name),
                "object" => Some(&mut event.object),
                "account" => Some(&mut event.account),
                "context" => Some(&mut event.context),
                "created" => Some(&mut event.created),
                "livemode" => Some(&mut event.livemode),
                _ => None,
            };
            match field {
                Some(field) => *field = entries.next_value()?,
                None => _ = entries.next_value::<IgnoredAny>()?,
            }
            seen.push(key);
        }
        Ok(event)
    }
}

#[cfg(test)]
mod tests;
