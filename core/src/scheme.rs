//! The signature schemes: whose header, over which bytes, and what it leaves
//! unsigned.
//!
//! | scheme | signed | event ID | type, account |
//! |---|---|---|---|
//! | `stripe` | time, payload | the payload's `id` | the payload's |
//! | `standard_webhooks` | ID, time, payload | `webhook-id` | the payload's `type` |
//! | `slack` | time, payload | the payload's `event_id`, else a digest | the payload's |
//! | `github` | payload | a digest | unsigned headers |
//! | `shopify` | payload | a digest | unsigned headers |
//! | `hmac` | as described | as described, else a digest | as described |
//!
//! A false accept stores an event that a stranger made up; a false reject ends
//! with a sender who gives up. Two limits follow from what is signed:
//!
//! - **No signed time** (`github`, `shopify`, some of `hmac`): a captured
//!   delivery can be sent again at any time. Only dedup stops it, so a replay
//!   passes once the dedup table and the log have forgotten the event.
//! - **No signed ID**: whoever carries a delivery can write the sender's ID
//!   headers. Taken as the event's ID, one of them could be made to suppress
//!   another event. So the ID is a SHA-256 over all that is signed *and* these
//!   headers: changing one repeats an event, and can never suppress another.

pub mod hmac;

mod attribute;
mod github;
mod shopify;
mod signed;
mod slack;
mod standard_webhooks;

use alloc::{
    boxed::Box,
    string::{String, ToString},
    vec,
    vec::Vec,
};

pub use attribute::Attribute;
pub use signed::Signed;

use crate::{
    event::{Event, PayloadError},
    request::RequestHead,
    secret::{SecretError, SigningSecret},
    signature::{self, SignatureError, SignatureHeader},
    time::Timestamp,
};

/// Names the scheme by which an endpoint's sender signs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Scheme {
    /// Stripe's `v1`: see [`crate::signature`].
    #[default]
    Stripe,
    /// Standard Webhooks' symmetric `v1`, Svix's successor.
    StandardWebhooks,
    /// GitHub's `X-Hub-Signature-256`.
    Github,
    /// Shopify's `X-Shopify-Hmac-SHA256`.
    Shopify,
    /// Slack's `v0`.
    Slack,
    /// Any other HMAC-SHA256 over headers and payload, as described.
    Hmac(Box<hmac::Description>),
}

impl Scheme {
    /// Returns the scheme's name, as the configuration and the metrics have it.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Stripe => "stripe",
            Self::StandardWebhooks => "standard_webhooks",
            Self::Github => "github",
            Self::Shopify => "shopify",
            Self::Slack => "slack",
            Self::Hmac(_) => "hmac",
        }
    }

    /// Takes a signing secret as this scheme's senders show it.
    ///
    /// # Errors
    /// [`SecretError`], which never shows the value.
    pub fn secret(&self, name: &str, value: &[u8]) -> Result<SigningSecret, SecretError> {
        match self {
            Self::StandardWebhooks => SigningSecret::from_base64(name, value),
            _ => SigningSecret::new(name, value),
        }
    }

    /// Returns the name of the header that carries the signature.
    #[must_use]
    pub fn signature_header(&self) -> &str {
        match self {
            Self::Stripe => signature::HEADER,
            Self::StandardWebhooks => standard_webhooks::SIGNATURE,
            Self::Github => github::SIGNATURE,
            Self::Shopify => shopify::SIGNATURE,
            Self::Slack => slack::SIGNATURE,
            Self::Hmac(description) => &description.signature_header,
        }
    }

    /// Tells whether the signature covers the time of signing, so that its age
    /// can be checked.
    #[must_use]
    pub fn signs_time(&self) -> bool {
        match self {
            Self::Stripe | Self::StandardWebhooks | Self::Slack => true,
            Self::Github | Self::Shopify => false,
            Self::Hmac(description) => description.timestamp_header.is_some(),
        }
    }

    /// Says whether the signature covers the event's type. Where every event has
    /// the same it needs none.
    #[must_use]
    pub fn type_name(&self) -> Attribute {
        match self {
            Self::Stripe | Self::StandardWebhooks | Self::Slack => Attribute::Signed,
            Self::Github | Self::Shopify => Attribute::Unsigned,
            Self::Hmac(description) => description.type_attribute(),
        }
    }

    /// Says whether the signature covers the event's account.
    #[must_use]
    pub fn account(&self) -> Attribute {
        match self {
            Self::Stripe | Self::Slack => Attribute::Signed,
            Self::Shopify => Attribute::Unsigned,
            Self::StandardWebhooks | Self::Github => Attribute::Absent,
            Self::Hmac(description) => description.account_attribute(),
        }
    }

    /// Says whether the signature covers live or test mode.
    #[must_use]
    pub const fn livemode(&self) -> Attribute {
        match self {
            Self::Stripe => Attribute::Signed,
            _ => Attribute::Absent,
        }
    }

    /// Tells whether the signature covers all that an event has of type and
    /// account.
    #[must_use]
    pub fn signs_attributes(&self) -> bool {
        ![self.type_name(), self.account()].contains(&Attribute::Unsigned)
    }

    /// Reads what the headers of a delivery say.
    ///
    /// # Errors
    /// [`SignatureError::Missing`] without a signature,
    /// [`SignatureError::Malformed`] for one that is not of the scheme's form
    /// and for any header that the scheme reads and that comes twice.
    pub fn read(&self, head: RequestHead<'_>) -> Result<Signed, SignatureError> {
        match self {
            Self::Stripe => {
                let header = SignatureHeader::parse(head.required(signature::HEADER)?)?;
                Ok(Signed {
                    signed_at: Some(header.signed_at()),
                    before: header.before(),
                    ..Signed::by(header.into_candidates())
                })
            }
            Self::StandardWebhooks => standard_webhooks::read(head),
            Self::Github => github::read(head),
            Self::Shopify => shopify::read(head),
            Self::Slack => slack::read(head),
            Self::Hmac(description) => description.read(head),
        }
    }

    /// Reads the event, from a payload that is verified.
    ///
    /// # Errors
    /// [`PayloadError`].
    pub fn event(&self, signed: &Signed, payload: &[u8]) -> Result<Event, PayloadError> {
        match self {
            Self::Stripe => Event::from_payload(payload),
            Self::StandardWebhooks => standard_webhooks::event(signed, payload),
            Self::Github => github::event(signed, payload),
            Self::Shopify => shopify::event(signed, payload),
            Self::Slack => slack::event(signed, payload),
            Self::Hmac(description) => description.event(signed, payload),
        }
    }

    /// Signs a payload as a sender does, and returns the headers to add to
    /// `head`: the signature and, where the scheme has one, the timestamp.
    ///
    /// `head` holds the other headers that will be sent. One that is signed and
    /// not there is signed as empty.
    #[must_use]
    pub fn sign(
        &self,
        secret: &SigningSecret,
        at: Timestamp,
        head: RequestHead<'_>,
        payload: &[u8],
    ) -> Vec<(String, String)> {
        match self {
            Self::Stripe => vec![(
                signature::HEADER.to_string(),
                signature::sign(secret, at, payload),
            )],
            Self::StandardWebhooks => standard_webhooks::sign(secret, at, head, payload),
            Self::Github => github::sign(secret, payload),
            Self::Shopify => shopify::sign(secret, payload),
            Self::Slack => slack::sign(secret, at, payload),
            Self::Hmac(description) => description.sign(secret, at, head, payload),
        }
    }
}

#[cfg(test)]
mod tests;
