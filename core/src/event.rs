//! What the gate reads of a payload, once its signature is verified.
//!
//! Only the top level is read, by a real JSON parser: payloads nest decoys of
//! `id` and `type`, order their keys freely and may escape them.

pub(crate) mod json;

use alloc::{format, string::String};

use crate::time::Timestamp;
use json::Scalar;

/// Most keys that an event may have at its top level; Stripe's have about 12,
/// the widest of other senders some hundred.
pub const MAX_TOP_LEVEL_KEYS: usize = 512;

/// Longest `id`, `type` or `account`, in bytes.
const MAX_NAME_BYTES: usize = 255;

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
    /// The event's ID: the sender's where it is signed, such as `evt_…`, else
    /// a digest (see [`crate::scheme`]).
    pub id: String,
    /// The event's type, such as `invoice.paid`.
    pub type_name: String,
    /// The connected account (`account`, or `context` of newer events).
    pub account: Option<String>,
    /// The version of the sender's API that shaped the payload; `None` where it says
    /// none, or one of another form: nothing is decided by it.
    pub api_version: Option<String>,
    /// When it happened; `None` where the payload has no usable `created`.
    pub created: Option<Timestamp>,
    /// Live or test mode; `None` where the payload doesn't say.
    pub livemode: Option<bool>,
    /// Snapshot or thin; `None` where the event isn't Stripe's.
    pub form: Option<Form>,
    /// Whether `type_name` and `account` may come from headers that the
    /// signature doesn't cover, so that whoever carried the delivery may have
    /// written them.
    pub unsigned_attributes: bool,
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
    /// Not text in UTF-8, which is all that the scheme's senders send.
    #[error("the payload is not UTF-8")]
    NotText,
    /// `object` is neither `event` nor `v2.core.event`.
    #[error("`object` is neither `event` nor `v2.core.event`")]
    NotAnEvent,
}

impl Event {
    /// Reads an event of Stripe's from verified bytes.
    ///
    /// # Errors
    /// [`PayloadError`].
    pub fn from_payload(payload: &[u8]) -> Result<Self, PayloadError> {
        let [
            id,
            type_name,
            object,
            account,
            context,
            api_version,
            created,
            livemode,
        ] = json::top_level(
            payload,
            [
                "id",
                "type",
                "object",
                "account",
                "context",
                "api_version",
                "created",
                "livemode",
            ],
        )?;
        let form = match object.text() {
            Some("event") => Form::Snapshot,
            Some("v2.core.event") => Form::Thin,
            _ => return Err(PayloadError::NotAnEvent),
        };
        Ok(Self {
            id: id.required("id")?,
            type_name: type_name.required("type")?,
            account: match account.optional("account")? {
                Some(account) => Some(account),
                None => context.optional("context")?,
            },
            api_version: api_version.optional("api_version").ok().flatten(),
            created: match created {
                Scalar::Unsigned(seconds) => Some(Timestamp::from_unix_seconds(seconds)),
                Scalar::Text(text) => Timestamp::parse_rfc3339(&text),
                _ => None,
            },
            livemode: match livemode {
                Scalar::Bool(livemode) => Some(livemode),
                _ => None,
            },
            form: Some(form),
            unsigned_attributes: false,
        })
    }

    /// Tells whether this is a test event of the Dashboard, which all carry an
    /// ID of zeros and so are never duplicates of each other.
    #[must_use]
    pub fn is_test_id(&self) -> bool {
        let zeros = self.id.strip_prefix("evt_").unwrap_or_default();
        self.form.is_some() && !zeros.is_empty() && zeros.bytes().all(|byte| byte == b'0')
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

/// Tells whether a value may become a header, a subject or a key.
pub(crate) fn is_name(text: &str) -> bool {
    (1..=MAX_NAME_BYTES).contains(&text.len())
        && text.bytes().all(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':' | b'/' | b'-')
        })
}

#[cfg(test)]
mod tests;
