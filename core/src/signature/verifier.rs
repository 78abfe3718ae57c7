//! The comparison that every scheme ends in.

use alloc::vec::Vec;

use hmac::{Hmac, Mac};
use sha2::Sha256;
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use super::{SignatureError, encoding::DIGEST_BYTES};
use crate::{few::Few, secret::SigningSecret};

/// Hashes a payload while it arrives, once for each secret.
#[derive(Clone)]
pub struct Verifier {
    macs: Vec<Hmac<Sha256>>,
    candidates: Few<[u8; DIGEST_BYTES]>,
    after: Vec<u8>,
}

impl Verifier {
    /// Starts over what is signed `before` the payload; `after` is what is
    /// signed behind it.
    pub(crate) fn new<'a>(
        secrets: impl Iterator<Item = &'a SigningSecret>,
        candidates: Few<[u8; DIGEST_BYTES]>,
        before: &[u8],
        after: &[u8],
    ) -> Self {
        let mut verifier = Self {
            macs: secrets.map(SigningSecret::mac).collect(),
            candidates,
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
            for candidate in self.candidates.iter() {
                let equal = equal(&expected, candidate);
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

/// Compares in constant time, by words: byte by byte it takes as long as half a
/// block of the hash.
fn equal(a: &[u8; DIGEST_BYTES], b: &[u8; DIGEST_BYTES]) -> Choice {
    let words = |digest: &[u8; DIGEST_BYTES]| {
        let (words, _) = digest.as_chunks();
        [0, 1, 2, 3].map(|word| words.get(word).map_or(0, |word| u64::from_le_bytes(*word)))
    };
    let pairs = words(a).into_iter().zip(words(b));
    pairs.fold(Choice::from(1), |equal, (a, b)| equal & a.ct_eq(&b))
}
