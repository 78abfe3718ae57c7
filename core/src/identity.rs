//! What an event is called: (source, id).
//!
//! One event legitimately reaches several endpoints under the same ID, and
//! whoever holds one endpoint's secret must not be able to suppress another
//! endpoint's events: so the source is part of the name everywhere.

use alloc::{borrow::ToOwned, string::String};
use core::fmt;

use sha2::{Digest, Sha256};

/// Holds the name of a stream of events: `[a-z0-9-]{1,64}`, by default the
/// endpoint's name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Source(String);

/// Says that a name isn't of the form `[a-z0-9-]{1,64}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected 1 to 64 of the characters a-z, 0-9 and -")]
pub struct NameError;

impl Source {
    /// Takes a name.
    ///
    /// # Errors
    /// [`NameError`].
    pub fn new(name: &str) -> Result<Self, NameError> {
        let fits = (1..=64).contains(&name.len())
            && name
                .bytes()
                .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        fits.then(|| Self(name.to_owned())).ok_or(NameError)
    }

    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Number of bytes of a [`Fingerprint`].
pub(crate) const FINGERPRINT_BYTES: usize = 12;

/// Holds 96 bits that stand for an identity in the dedup table.
///
/// A collision would be a lost event. They are bits of SHA-256 over source and
/// ID, so nobody can aim at one, and by chance a million entries meet a new
/// event with probability 2⁻⁷⁶.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint {
    pub(crate) bytes: [u8; FINGERPRINT_BYTES],
    /// Further bits of the hash, which choose the bucket.
    pub(crate) placement: u32,
}

impl Fingerprint {
    /// Names an event of a source.
    #[must_use]
    pub fn of(source: &Source, id: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(source.as_str());
        // A byte that no source contains: two identities never hash alike.
        hash.update([0]);
        hash.update(id);
        let hash: [u8; 32] = hash.finalize().into();
        let mut bytes = [0; FINGERPRINT_BYTES];
        let mut placement = [0; 4];
        for (to, from) in bytes.iter_mut().chain(&mut placement).zip(hash) {
            *to = from;
        }
        Self {
            bytes,
            placement: u32::from_le_bytes(placement),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Fingerprint, NameError, Source};

    #[test]
    fn takes_names_of_the_stated_form_only() {
        assert_eq!(
            Source::new("stripe-connect").unwrap().as_str(),
            "stripe-connect"
        );
        for name in ["", "Stripe", "a_b", "a/b", "a.b", "é", &"a".repeat(65)] {
            assert_eq!(Source::new(name), Err(NameError), "{name}");
        }
    }

    #[test]
    fn tells_apart_what_differs_in_source_or_id() {
        let of = |source, id| Fingerprint::of(&Source::new(source).unwrap(), id);
        assert_eq!(of("stripe", "evt_1"), of("stripe", "evt_1"));
        assert_ne!(of("stripe", "evt_1"), of("stripe", "evt_2"));
        assert_ne!(of("stripe", "evt_1"), of("stripe-connect", "evt_1"));
        assert_ne!(of("a", "bevt_1"), of("ab", "evt_1"));
    }
}
