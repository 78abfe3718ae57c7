//! The comparison that every scheme ends in.

use alloc::vec::Vec;

use hmac::{Hmac, Mac};
use sha2::Sha256;
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use super::{SignatureError, encoding::DIGEST_BYTES};
use crate::secret::SigningSecret;

/// Hashes a payload while it arrives, once for each secret.
#[derive(Clone)]
pub struct Verifier {
    macs: Vec<Hmac<Sha256>>,
    candidates: Vec<[u8; DIGEST_BYTES]>,
    after: Vec<u8>,
}

impl Verifier {
    /// Starts over what is signed `before` the payload; `after` is what is
    /// signed behind it.
    pub(crate) fn new<'a>(
        secrets: impl Iterator<Item = &'a SigningSecret>,
        candidates: &[[u8; DIGEST_BYTES]],
        before: &[u8],
        after: &[u8],
    ) -> Self {
        let mut verifier = Self {
            macs: secrets.map(SigningSecret::mac).collect(),
            candidates: candidates.into(),
            after: after.into(),
        };
        verifier.update(before);
        verifier
    }

    /// Takes the next bytes of the payload.
    pub fn update(&mut self, chunk: &[u8]) {
        for mac in &mut self.macs {
            mac.update(chunk);
        }
    }

    /// Returns the index of a secret that signed the payload.
    ///
    /// Compares every signature with every secret in constant time, without an
    /// early exit, so that time tells nothing of how close a guess was.
    ///
    /// # Errors
    /// [`SignatureError::Mismatch`].
    pub fn finish(self) -> Result<usize, SignatureError> {
        let mut matched = Choice::from(0);
        let mut signer = 0_u64;
        for (index, mut mac) in (0_u64..).zip(self.macs) {
            mac.update(&self.after);
            let expected: [u8; DIGEST_BYTES] = mac.finalize().into_bytes().into();
            for candidate in &self.candidates {
                let equal = expected.ct_eq(candidate);
                signer.conditional_assign(&index, equal);
                matched |= equal;
            }
        }
        if bool::from(matched) {
            usize::try_from(signer).map_err(|_| SignatureError::Mismatch)
        } else {
            Err(SignatureError::Mismatch)
        }
    }
}
