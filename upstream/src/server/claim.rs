//! What the `ce-*` headers claim of an event.
//!
//! The signature covers the payload alone, so every attribute that the payload
//! also holds is compared with it: whoever gets past the gate with a genuine
//! payload must not be able to store it under another identity.

use axum::http::HeaderMap;
use hookgate_core::{
    identity::Source, protection::HELD_FOR_HEADER, time::Timestamp, trace::TraceParent,
};

use crate::{
    log::{Attributes, HeldFor, Origin, Sha256Sum, UNSIGNED},
    verification::{Proven, Sender},
};

/// Says that the headers are not those that the gate sends with this payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum ClaimError {
    /// A required header is missing.
    #[error("the header `{0}` is missing")]
    Missing(&'static str),
    /// A header comes more than once.
    #[error("the header `{0}` is repeated")]
    Repeated(&'static str),
    /// A header is not of its form.
    #[error("the header `{0}` is malformed")]
    Malformed(&'static str),
    /// A header says something else than the payload.
    #[error("the header `{0}` contradicts the payload")]
    Contradiction(&'static str),
}

/// Holds the claimed attributes, each of its right form.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Claim {
    source: Source,
    id: String,
    type_name: String,
    account: Option<String>,
    livemode: Option<bool>,
    /// As sent; compared as text, because both sides write it alike.
    time: Option<String>,
    endpoint: String,
    secret_name: String,
    unsigned: bool,
    held_for: Option<HeldFor>,
    signed_at: Option<Timestamp>,
    pub(super) received_at: Timestamp,
    traceparent: Option<TraceParent>,
}

impl Claim {
    /// Reads the headers of a forwarded event.
    ///
    /// # Errors
    /// [`ClaimError`], but no [`ClaimError::Contradiction`].
    pub(super) fn read(headers: &HeaderMap) -> Result<Self, ClaimError> {
        if required(headers, "ce-specversion")? != "1.0" {
            return Err(ClaimError::Malformed("ce-specversion"));
        }
        let source = required(headers, "ce-source")?
            .strip_prefix("/hookgate/")
            .and_then(|name| Source::new(name).ok())
            .ok_or(ClaimError::Malformed("ce-source"))?;
        let livemode = match optional(headers, "ce-livemode")? {
            None => None,
            Some("true") => Some(true),
            Some("false") => Some(false),
            Some(_) => return Err(ClaimError::Malformed("ce-livemode")),
        };
        Ok(Self {
            source,
            id: required(headers, "ce-id")?.to_owned(),
            type_name: required(headers, "ce-type")?.to_owned(),
            account: optional(headers, "ce-account")?.map(str::to_owned),
            livemode,
            time: optional(headers, "ce-time")?.map(str::to_owned),
            endpoint: name(headers, "ce-endpoint")?,
            secret_name: name(headers, "ce-secretname")?,
            unsigned: match optional(headers, "ce-unsigned")? {
                None => false,
                Some(UNSIGNED) => true,
                Some(_) => return Err(ClaimError::Malformed("ce-unsigned")),
            },
            held_for: HeldFor::named(optional(headers, HELD_FOR_HEADER)?, Origin::Delivery)
                .ok_or(ClaimError::Malformed(HELD_FOR_HEADER))?,
            signed_at: optional(headers, "ce-signedat")?
                .map(|value| time(value, "ce-signedat"))
                .transpose()?,
            received_at: time(required(headers, "ce-receivedat")?, "ce-receivedat")?,
            // Other versions of Trace Context are not ours to refuse.
            traceparent: optional(headers, "traceparent")?
                .and_then(|value| TraceParent::parse(value.as_bytes())),
        })
    }

    /// Returns who is said to have sent it.
    pub(super) fn sender(&self) -> Sender<'_> {
        Sender {
            endpoint: &self.endpoint,
            source: &self.source,
            received_at: self.received_at,
        }
    }

    /// Compares the claim with what is proven.
    ///
    /// # Errors
    /// [`ClaimError::Contradiction`].
    pub(super) fn confirm(
        self,
        proven: Proven,
        sha256: Sha256Sum,
    ) -> Result<Attributes, ClaimError> {
        let Proven {
            event,
            signed_at,
            signature,
        } = proven;
        let same =
            |holds: bool, header| holds.then_some(()).ok_or(ClaimError::Contradiction(header));
        same(event.has_delivery_id(&self.id), "ce-id")?;
        same(self.type_name == event.type_name, "ce-type")?;
        same(self.account == event.account, "ce-account")?;
        same(self.livemode == event.livemode, "ce-livemode")?;
        let created = event.created.map(|created| created.to_string());
        same(self.time == created, "ce-time")?;
        same(self.unsigned == event.unsigned_attributes, "ce-unsigned")?;
        same(self.signed_at == signed_at, "ce-signedat")?;
        Ok(Attributes {
            source: self.source,
            id: self.id,
            type_name: self.type_name,
            account: self.account,
            livemode: self.livemode,
            time: event.created,
            origin: Origin::Delivery,
            held_for: self.held_for,
            endpoint: self.endpoint,
            secret_name: self.secret_name,
            unsigned_attributes: event.unsigned_attributes,
            signed_at,
            received_at: self.received_at,
            traceparent: self.traceparent,
            signature,
            sha256,
        })
    }
}

fn optional<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<Option<&'a str>, ClaimError> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(ClaimError::Repeated(name));
    }
    let value = value.to_str().map_err(|_| ClaimError::Malformed(name))?;
    Ok(Some(value))
}

fn required<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<&'a str, ClaimError> {
    optional(headers, name)?.ok_or(ClaimError::Missing(name))
}

/// Reads the name of an endpoint or a secret, which are of the form of a source's.
fn name(headers: &HeaderMap, name: &'static str) -> Result<String, ClaimError> {
    match Source::new(required(headers, name)?) {
        Ok(value) => Ok(value.as_str().to_owned()),
        Err(_) => Err(ClaimError::Malformed(name)),
    }
}

fn time(value: &str, name: &'static str) -> Result<Timestamp, ClaimError> {
    Timestamp::parse_rfc3339(value).ok_or(ClaimError::Malformed(name))
}
