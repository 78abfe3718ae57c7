//! What the headers of a delivery say.

use alloc::{string::String, vec::Vec};

use sha2::{Digest as _, Sha256};

use crate::{
    event::{Event, PayloadError, is_name},
    few::Few,
    secret::SigningSecret,
    signature::{
        SignatureError, Tolerance, Verifier,
        encoding::{self, DIGEST_BYTES},
    },
    time::Timestamp,
};

/// Type of an event whose scheme or payload names none.
pub(super) const DEFAULT_TYPE: &str = "webhook";

/// Holds what the headers of a delivery say, before any of it is believed.
///
/// Without `Debug`: a signature isn't for logs.
#[derive(Clone)]
pub struct Signed {
    /// The signatures that can match.
    pub(super) candidates: Few<[u8; DIGEST_BYTES]>,
    pub(super) signed_at: Option<Timestamp>,
    /// What is signed before the payload, and what behind it.
    pub(super) before: Vec<u8>,
    pub(super) after: Vec<u8>,
    /// The attributes that come from headers.
    pub(super) id: Option<Vec<u8>>,
    pub(super) type_name: Option<Vec<u8>>,
    pub(super) account: Option<Vec<u8>>,
    /// The headers that are read and not signed.
    pub(super) unsigned: Vec<Option<Vec<u8>>>,
}

impl Signed {
    /// Starts from the signatures.
    pub(super) const fn by(candidates: Few<[u8; DIGEST_BYTES]>) -> Self {
        Self {
            candidates,
            signed_at: None,
            before: Vec::new(),
            after: Vec::new(),
            id: None,
            type_name: None,
            account: None,
            unsigned: Vec::new(),
        }
    }

    /// Returns when the sender signed, where the scheme signs a time.
    #[must_use]
    pub const fn signed_at(&self) -> Option<Timestamp> {
        self.signed_at
    }

    /// Checks the age of the signature in whole seconds, bounds included; one
    /// without a signed time has no age.
    ///
    /// # Errors
    /// [`SignatureError::OutOfTolerance`].
    pub fn check_age(&self, now: Timestamp, tolerance: Tolerance) -> Result<(), SignatureError> {
        self.signed_at
            .map_or(Ok(()), |signed_at| tolerance.check(signed_at, now))
    }

    /// Starts a verification of the payload that follows in chunks.
    #[must_use]
    pub fn verifier<'a>(&self, secrets: impl Iterator<Item = &'a SigningSecret>) -> Verifier {
        let candidates = self.candidates.clone();
        Verifier::new(secrets, candidates, &self.before, &self.after)
    }

    /// Names an event whose ID isn't signed: 64 hex digits of SHA-256 over what
    /// is signed and over the unsigned headers.
    ///
    /// Every part is preceded by its length, so no two deliveries that differ
    /// in any part hash the same bytes.
    pub(super) fn digest_id(&self, payload: &[u8]) -> String {
        let signed = [&self.before, payload, &self.after].map(Some);
        let unsigned = self.unsigned.iter().map(Option::as_deref);
        let mut hash = Sha256::new();
        for part in signed.into_iter().chain(unsigned) {
            // An absent header isn't an empty one.
            hash.update([u8::from(part.is_some())]);
            let part = part.unwrap_or_default();
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            hash.update(part);
        }
        encoding::hex(&hash.finalize())
    }

    /// Makes the event that GitHub's and Shopify's headers tell of.
    pub(super) fn unsigned_event(&self, payload: &[u8]) -> Result<Event, PayloadError> {
        check_text(payload)?;
        Ok(Event {
            id: self.digest_id(payload),
            type_name: required(self.type_name.as_deref(), "type")?,
            account: optional(self.account.as_deref(), "account")?,
            created: None,
            livemode: None,
            form: None,
            api_version: None,
            unsigned_attributes: true,
        })
    }
}

/// Refuses what isn't UTF-8: no sender of these schemes sends it, and libraries
/// differ in what they make of it.
pub(super) fn check_text(payload: &[u8]) -> Result<&str, PayloadError> {
    core::str::from_utf8(payload).map_err(|_| PayloadError::NotText)
}

/// Returns a header's value as an attribute, which has to be there.
pub(super) fn required(value: Option<&[u8]>, field: &'static str) -> Result<String, PayloadError> {
    optional(value, field)?.ok_or(PayloadError::Field(field))
}

/// Returns a header's value as an attribute, if the header is there.
pub(super) fn optional(
    value: Option<&[u8]>,
    field: &'static str,
) -> Result<Option<String>, PayloadError> {
    let Some(value) = value else { return Ok(None) };
    match core::str::from_utf8(value) {
        Ok(text) if is_name(text) => Ok(Some(text.into())),
        _ => Err(PayloadError::Field(field)),
    }
}
