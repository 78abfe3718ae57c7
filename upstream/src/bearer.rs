//! Bearer tokens (RFC 6750) that requests show, and whose they are.

use axum::http::{HeaderMap, header::AUTHORIZATION};
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};

/// Is what is kept of a token: its SHA-256.
pub(crate) type TokenDigest = [u8; 32];

/// Returns the token that a request shows; `None` unless it is exactly one.
pub(crate) fn shown(headers: &HeaderMap) -> Option<&[u8]> {
    let mut shown = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (shown.next(), shown.next()) else {
        return None;
    };
    let (scheme, token) = value.as_bytes().split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then_some(token)
}

/// Finds the place of a token among those that are known, `None` for who has none. Takes
/// as long wherever it is, and if it is nowhere.
pub(crate) fn find(
    token: &[u8],
    known: impl IntoIterator<Item = Option<TokenDigest>>,
) -> Option<usize> {
    let digest: TokenDigest = Sha256::digest(token).into();
    let (mut found, mut at) = (Choice::from(0), 0_u32);
    for (index, known) in (0_u32..).zip(known) {
        let is_one = Choice::from(u8::from(known.is_some()));
        let is_it = is_one & known.unwrap_or_default().ct_eq(&digest);
        at.conditional_assign(&index, is_it);
        found |= is_it;
    }
    bool::from(found).then_some(usize::try_from(at).ok()?)
}
