//! Signing secrets.

use alloc::{borrow::ToOwned, string::String};
use core::fmt;

use base64ct::{Base64, Encoding as _};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::signature::encoding::DIGEST_BYTES;

/// Longest accepted secret, in bytes; Stripe's have 38.
pub const MAX_SECRET_BYTES: usize = 1_024;

/// Holds a named signing secret, ready to sign and to verify.
///
/// Only the keyed HMAC state is kept, not the secret's text; it is zeroized
/// when dropped, and `Debug` shows the name alone.
#[derive(Clone)]
pub struct SigningSecret {
    name: String,
    keyed: Hmac<Sha256>,
}

impl SigningSecret {
    /// Takes the whole secret as the sender shows it (`whsec_…`, not decoded:
    /// <https://docs.stripe.com/webhooks#verify-manually>).
    ///
    /// # Errors
    /// [`SecretError`] if the value can only be a mistake of whoever set it: an
    /// empty key would let anybody sign, and white space around it comes from
    /// copying and would refuse every genuine delivery.
    pub fn new(name: &str, value: &[u8]) -> Result<Self, SecretError> {
        check(value)?;
        Self::keyed(name, value)
    }

    /// Takes `whsec_` and base64, or the base64 alone, as Standard Webhooks
    /// serializes a secret: what is decoded is the key
    /// (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>).
    ///
    /// # Errors
    /// [`SecretError`]: as for [`Self::new`], and for what isn't canonical base64.
    pub fn from_base64(name: &str, value: &[u8]) -> Result<Self, SecretError> {
        check(value)?;
        let text = value.strip_prefix(b"whsec_").unwrap_or(value);
        let mut buffer = Zeroizing::new([0; MAX_SECRET_BYTES]);
        let key =
            Base64::decode(text, buffer.as_mut_slice()).map_err(|_| SecretError::NotBase64)?;
        if key.is_empty() {
            return Err(SecretError::Empty);
        }
        Self::keyed(name, key)
    }

    fn keyed(name: &str, key: &[u8]) -> Result<Self, SecretError> {
        Ok(Self {
            name: name.to_owned(),
            keyed: Hmac::new_from_slice(key).map_err(|_| SecretError::Empty)?,
        })
    }

    /// Returns the name that an operator gave the secret.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Starts an HMAC-SHA256 keyed with this secret.
    pub(crate) fn mac(&self) -> Hmac<Sha256> {
        self.keyed.clone()
    }

    /// Returns the HMAC-SHA256 of these parts, one after the other.
    pub(crate) fn sign(&self, parts: &[&[u8]]) -> [u8; DIGEST_BYTES] {
        let mut mac = self.mac();
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

/// Refuses what can only be a mistake.
fn check(value: &[u8]) -> Result<(), SecretError> {
    if value.is_empty() {
        return Err(SecretError::Empty);
    }
    if value.len() > MAX_SECRET_BYTES {
        return Err(SecretError::TooLong { bytes: value.len() });
    }
    if value.trim_ascii().len() != value.len() {
        return Err(SecretError::SurroundedByWhiteSpace);
    }
    // An example that was copied: everybody knows it.
    let holds = |text: &[u8]| value.windows(text.len()).any(|part| part == text);
    if holds(b"...") || holds("…".as_bytes()) {
        return Err(SecretError::Placeholder);
    }
    Ok(())
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningSecret")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Says why a value can't be a signing secret; never shows the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// The value is empty.
    #[error("found an empty value, expected a signing secret such as `whsec_…`")]
    Empty,
    /// The value begins or ends with white space.
    #[error("found white space around the value, expected the secret alone (a trailing newline?)")]
    SurroundedByWhiteSpace,
    /// The value stands in an example, in place of a secret.
    #[error("found the `...` of an example, expected the secret as the sender shows it")]
    Placeholder,
    /// The scheme's secrets are base64, and this isn't.
    #[error(
        "found no canonical base64, expected `whsec_` and padded base64, as the sender shows it"
    )]
    NotBase64,
    /// The value is longer than [`MAX_SECRET_BYTES`].
    #[error("found {bytes} bytes, expected at most {MAX_SECRET_BYTES}")]
    TooLong {
        /// Length of the value.
        bytes: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::{SecretError, SigningSecret};
    use alloc::format;

    #[test]
    fn refuses_values_that_can_only_be_mistakes() {
        for (value, error) in [
            (&b""[..], SecretError::Empty),
            (b" ", SecretError::SurroundedByWhiteSpace),
            (b"whsec_a\n", SecretError::SurroundedByWhiteSpace),
            (b"\twhsec_a", SecretError::SurroundedByWhiteSpace),
            (&[b'a'; 1_025], SecretError::TooLong { bytes: 1_025 }),
            (b"whsec_...", SecretError::Placeholder),
            ("whsec_…".as_bytes(), SecretError::Placeholder),
        ] {
            assert_eq!(SigningSecret::new("a", value).unwrap_err(), error);
        }
    }

    #[test]
    fn shows_its_name_only() {
        let secret = SigningSecret::new("primary", b"whsec_hidden").unwrap();
        assert_eq!(
            format!("{secret:?}"),
            "SigningSecret { name: \"primary\", .. }"
        );
    }
}
