//! Stripe's webhook signatures: the header's grammar, the age of a signature,
//! HMAC-SHA256 over `t.payload`.
//!
//! A false accept stores an event that a stranger made up; a false reject loses
//! nothing at once (Stripe signs and sends again for three days) but ends with
//! a disabled endpoint. So the header is accepted in exactly the forms that
//! Stripe sends, and what Stripe may send is tried whole: every `v1` against
//! every secret, because each rolled secret adds one.
//!
//! Source: <https://docs.stripe.com/webhooks#verify-manually>.

pub(crate) mod encoding;
mod verifier;

use alloc::{format, string::String, vec::Vec};
use core::time::Duration;

pub use verifier::Verifier;

use crate::{few::Few, reply::Code, secret::SigningSecret, time::Timestamp};
use encoding::DIGEST_BYTES;

/// Name of the header that carries Stripe's signature.
pub(crate) const HEADER: &str = "stripe-signature";

/// Most `v1` signatures that one header may carry.
pub const MAX_SIGNATURES: usize = 16;

/// Most digits of `t`: unix seconds until far beyond year 9999, and too few
/// for a number to overflow.
const MAX_TIMESTAMP_DIGITS: usize = 12;

/// Says how far a signature's `t` may lie from the present.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tolerance {
    /// How old a signature may be. Raising it lets a captured request be
    /// replayed for longer; lowering it refuses slow genuine deliveries.
    pub past: Duration,
    /// How far in the future it may lie, for clocks that differ.
    pub future: Duration,
}

impl Default for Tolerance {
    /// Returns five minutes both ways, the default of Stripe's own libraries.
    fn default() -> Self {
        Self {
            past: Duration::from_secs(300),
            future: Duration::from_secs(300),
        }
    }
}

impl Tolerance {
    /// Checks the age of a signature in whole seconds, bounds included.
    pub(crate) fn check(self, signed_at: Timestamp, now: Timestamp) -> Result<(), SignatureError> {
        let (signed_at, now) = (signed_at.unix_seconds(), now.unix_seconds());
        let allowed = if signed_at > now {
            self.future
        } else {
            self.past
        };
        if signed_at.abs_diff(now) > allowed.as_secs() {
            return Err(SignatureError::OutOfTolerance);
        }
        Ok(())
    }
}

/// Says why a delivery was not accepted as signed by a known secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// There is no signature header, or it is empty.
    #[error("the signature header is missing")]
    Missing,
    /// A header that the scheme reads is not of the form that its senders use,
    /// is missing beside a signature, or comes twice.
    #[error("the signature header, or one that is signed with it, is malformed")]
    Malformed,
    /// The signature is too old or lies too far in the future.
    #[error("the signature's timestamp is out of tolerance")]
    OutOfTolerance,
    /// No signature matches the payload under any secret.
    #[error("no signature matches the payload")]
    Mismatch,
}

impl SignatureError {
    /// Returns the code of the table of answers.
    #[must_use]
    pub const fn code(self) -> Code {
        match self {
            Self::Missing => Code::SignatureMissing,
            Self::Malformed => Code::SignatureMalformed,
            Self::OutOfTolerance => Code::TimestampOutOfTolerance,
            Self::Mismatch => Code::SignatureMismatch,
        }
    }
}

/// Holds a parsed `Stripe-Signature` header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureHeader {
    /// `t` as sent: these bytes are signed, not the number.
    timestamp: Digits,
    signed_at: Timestamp,
    /// The `v1` values that can match: 64 lower-case hex digits.
    candidates: Few<[u8; DIGEST_BYTES]>,
}

impl SignatureHeader {
    /// Parses `t=<unix seconds>,v1=<64 hex>[,v1=…][,<other>=…]`.
    ///
    /// One `t` of 1 to 12 ASCII digits and 1 to [`MAX_SIGNATURES`] `v1`, in any
    /// order; other keys are ignored, against downgrades; white space may
    /// surround an item. A `v1` that isn't 64 lower-case hex digits can't match.
    ///
    /// # Errors
    /// [`SignatureError::Missing`] for an empty value, else
    /// [`SignatureError::Malformed`].
    pub fn parse(value: &[u8]) -> Result<Self, SignatureError> {
        if value.is_empty() {
            return Err(SignatureError::Missing);
        }
        // The header is stored as a receipt, and text is all that Stripe sends.
        if core::str::from_utf8(value).is_err() {
            return Err(SignatureError::Malformed);
        }
        let mut timestamp = None;
        let mut signatures = 0;
        let mut candidates = Few::new();
        for item in value.split(|&byte| byte == b',') {
            let (key, value) = key_and_value(item).ok_or(SignatureError::Malformed)?;
            match key {
                b"t" if timestamp.is_none() => timestamp = Some(value),
                b"t" => return Err(SignatureError::Malformed),
                b"v1" if signatures == MAX_SIGNATURES => return Err(SignatureError::Malformed),
                b"v1" => {
                    signatures += 1;
                    candidates.extend(encoding::from_hex(value));
                }
                _ => {}
            }
        }
        let timestamp = timestamp.ok_or(SignatureError::Malformed)?;
        let signed_at = unix_seconds(timestamp).ok_or(SignatureError::Malformed)?;
        let timestamp = Digits::of(timestamp).ok_or(SignatureError::Malformed)?;
        if signatures == 0 {
            return Err(SignatureError::Malformed);
        }
        Ok(Self {
            timestamp,
            signed_at,
            candidates,
        })
    }

    /// Returns `t`: when the sender signed this delivery.
    #[must_use]
    pub const fn signed_at(&self) -> Timestamp {
        self.signed_at
    }

    /// Checks the age of the signature in whole seconds, bounds included.
    ///
    /// # Errors
    /// [`SignatureError::OutOfTolerance`].
    pub fn check_age(&self, now: Timestamp, tolerance: Tolerance) -> Result<(), SignatureError> {
        tolerance.check(self.signed_at, now)
    }

    /// Starts a verification of the payload that follows in chunks.
    #[must_use]
    pub fn verifier(self, secrets: &[SigningSecret]) -> Verifier {
        let mut verifier = Verifier::new(
            secrets.iter(),
            self.candidates,
            self.timestamp.as_bytes(),
            &[],
        );
        verifier.update(b".");
        verifier
    }

    /// Returns what is signed before the payload.
    pub(crate) fn before(&self) -> Vec<u8> {
        [self.timestamp.as_bytes(), b"."].concat()
    }

    /// Returns the signatures that can match.
    pub(crate) fn into_candidates(self) -> Few<[u8; DIGEST_BYTES]> {
        self.candidates
    }
}

/// Holds the digits of a timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Digits {
    bytes: [u8; MAX_TIMESTAMP_DIGITS],
    count: usize,
}

impl Digits {
    /// Takes up to [`MAX_TIMESTAMP_DIGITS`] bytes.
    fn of(text: &[u8]) -> Option<Self> {
        let mut bytes = [0; MAX_TIMESTAMP_DIGITS];
        bytes.get_mut(..text.len())?.copy_from_slice(text);
        let count = text.len();
        Some(Self { bytes, count })
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.count).unwrap_or_default()
    }
}

/// Says who signed a payload, and when.
#[derive(Debug)]
pub struct Verified<'a> {
    /// The secret that matched.
    pub secret: &'a SigningSecret,
    /// The header's `t`.
    pub signed_at: Timestamp,
}

/// Verifies a whole payload at once.
///
/// # Errors
/// [`SignatureError`], in the order header, age, match.
pub fn verify<'a>(
    header: &[u8],
    payload: &[u8],
    secrets: &'a [SigningSecret],
    now: Timestamp,
    tolerance: Tolerance,
) -> Result<Verified<'a>, SignatureError> {
    let header = SignatureHeader::parse(header)?;
    header.check_age(now, tolerance)?;
    let signed_at = header.signed_at;
    let mut verifier = header.verifier(secrets);
    verifier.update(payload);
    let secret = secrets
        .get(verifier.finish()?)
        .ok_or(SignatureError::Mismatch)?;
    Ok(Verified { secret, signed_at })
}

/// Signs a payload as Stripe does and returns the header's value.
#[must_use]
pub fn sign(secret: &SigningSecret, at: Timestamp, payload: &[u8]) -> String {
    let timestamp = format!("{}", at.unix_seconds());
    let digest = secret.sign(&[timestamp.as_bytes(), b".", payload]);
    format!("t={timestamp},v1={}", encoding::hex(&digest))
}

fn key_and_value(item: &[u8]) -> Option<(&[u8], &[u8])> {
    let item = trim(item);
    let equals = item.iter().position(|&byte| byte == b'=')?;
    let (key, value) = item.split_at_checked(equals)?;
    (!key.is_empty()).then_some((key, value.strip_prefix(b"=")?))
}

/// Trims what may stand around the items of a list (RFC 9110, section 5.6.1).
pub(crate) fn trim(mut item: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = item {
        item = rest;
    }
    item
}

/// Reads 1 to 12 ASCII digits: no sign, no white space, no fraction.
pub(crate) fn unix_seconds(text: &[u8]) -> Option<Timestamp> {
    if text.is_empty() || text.len() > MAX_TIMESTAMP_DIGITS {
        return None;
    }
    let seconds = text.iter().try_fold(0_u64, |value, byte| {
        byte.is_ascii_digit()
            .then(|| value * 10 + u64::from(byte - b'0'))
    })?;
    Some(Timestamp::from_unix_seconds(seconds))
}

#[cfg(test)]
mod tests {
    use super::{SignatureError, SignatureHeader, unix_seconds};
    use crate::time::Timestamp;

    #[test]
    fn takes_a_timestamp_of_twelve_digits_and_none_of_thirteen() {
        let longest = Some(Timestamp::from_unix_seconds(999_999_999_999));
        assert_eq!(unix_seconds(b"999999999999"), longest);
        assert_eq!(unix_seconds(b"0999999999999"), None);
        let header = |t: &str| alloc::format!("t={t},v1={}", "a".repeat(64));
        let read = |t: &str| SignatureHeader::parse(header(t).as_bytes());
        let signed_at = read("999999999999").map(|header| header.signed_at());
        assert_eq!(signed_at.ok(), longest);
        assert_eq!(read("1000000000000"), Err(SignatureError::Malformed));
    }
}
