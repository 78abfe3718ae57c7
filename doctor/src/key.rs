//! How a secret may have been altered, and back.

use alloc::vec::Vec;

use hookgate_core::{scheme::Scheme, secret::SigningSecret};
use zeroize::Zeroizing;

use crate::{input::Secret, text};

/// Names what was done to a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// White space, a line end or a byte order mark stands around it.
    Surrounded,
    /// Quotes stand around it.
    Quoted,
    /// It is a whole line of an environment file: `NAME=secret`.
    Assigned,
    /// `whsec_` is gone.
    PrefixLost,
    /// `whsec_` was put in front.
    PrefixAdded,
    /// It was decoded from base64.
    FromBase64,
    /// It was decoded from hex.
    FromHex,
    /// It is base64 of the secret.
    Base64,
    /// It is hex of the secret.
    Hex,
    /// It is percent-encoded.
    UrlEncoded,
    /// It is used as Standard Webhooks says: decoded.
    AsStandardWebhooks,
    /// It is used as Stripe says: as it stands.
    AsStripe,
    /// It is the secret of another endpoint.
    OtherEndpoint,
}

/// Holds a key that may have signed, and what leads from there to what was given.
pub(crate) struct Key {
    /// Which of the given secrets.
    pub(crate) secret: usize,
    pub(crate) changes: Vec<Change>,
    pub(crate) signer: SigningSecret,
}

const PREFIX: &[u8] = b"whsec_";

/// Most changes of one secret that are undone together, beside its being another
/// endpoint's.
const MAX_CHANGES: usize = 2;

/// Returns every key that the given secrets lead to, the fewest changes first.
pub(crate) fn keys(scheme: &Scheme, secrets: &[Secret]) -> Vec<Key> {
    let mut keys = Vec::new();
    for (index, secret) in secrets.iter().enumerate() {
        let mut seen: Vec<(Zeroizing<Vec<u8>>, bool)> = Vec::new();
        for (changes, value) in values(&secret.value) {
            for as_other in [false, true] {
                let signer = signer(scheme, &secret.label, &value, as_other);
                let known = seen
                    .iter()
                    .any(|(other, how)| *other == value && *how == as_other);
                let Some(signer) = signer.filter(|_| !known) else {
                    continue;
                };
                seen.push((value.clone(), as_other));
                let mut changes = changes.clone();
                changes.extend(as_other.then_some(match scheme {
                    Scheme::StandardWebhooks => Change::AsStripe,
                    _ => Change::AsStandardWebhooks,
                }));
                if changes.len() > MAX_CHANGES {
                    continue;
                }
                if secret.of_another_endpoint {
                    changes.insert(0, Change::OtherEndpoint);
                }
                keys.push(Key {
                    secret: index,
                    changes,
                    signer,
                });
            }
        }
    }
    keys.sort_by_key(|key| key.changes.len());
    keys
}

/// Returns the signers that the scheme itself makes of the endpoint's own secrets, each
/// with its place among the given ones. Whatever verifies with these is valid.
pub(crate) fn own(scheme: &Scheme, secrets: &[Secret]) -> Vec<(usize, SigningSecret)> {
    let own = secrets.iter().enumerate();
    own.filter(|(_, secret)| !secret.of_another_endpoint)
        .filter_map(|(index, secret)| {
            let signer = scheme.secret(&secret.label, &secret.value).ok()?;
            Some((index, signer))
        })
        .collect()
}

fn signer(scheme: &Scheme, label: &str, value: &[u8], as_other: bool) -> Option<SigningSecret> {
    match (scheme, as_other) {
        (_, false) => scheme.secret(label, value).ok(),
        (Scheme::StandardWebhooks, true) => SigningSecret::new(label, value).ok(),
        (_, true) => {
            // What decodes to text was encoded, which is another change.
            let text = value.strip_prefix(PREFIX).unwrap_or(value);
            let decoded = text::from_base64(text).map(Zeroizing::new)?;
            let is_text = decoded.iter().all(u8::is_ascii_graphic);
            (!is_text).then(|| SigningSecret::from_base64(label, value).ok())?
        }
    }
}

/// Returns what may have been the secret before somebody changed it.
fn values(given: &[u8]) -> Vec<(Vec<Change>, Zeroizing<Vec<u8>>)> {
    let mut values = Vec::new();
    for (changes, value) in bared(given) {
        for (change, inner) in decoded(&value) {
            let mut changes = changes.clone();
            changes.push(change);
            values.push((changes, inner));
        }
        values.push((changes, value));
    }
    values.sort_by_key(|(changes, _)| changes.len());
    values
}

/// Takes off, one after the other, what doesn't belong to the value.
fn bared(given: &[u8]) -> Vec<(Vec<Change>, Zeroizing<Vec<u8>>)> {
    let mut changes = Vec::new();
    let mut value = given;
    let mut found = alloc::vec![(changes.clone(), Zeroizing::new(value.to_vec()))];
    // `export NAME="secret"\n` is the most that a line has.
    for _ in 0..4 {
        let (change, inner) = if let Some(inner) = without_space(value) {
            (Change::Surrounded, inner)
        } else if let Some(inner) = without_name(value) {
            (Change::Assigned, inner)
        } else if let Some(inner) = without_quotes(value) {
            (Change::Quoted, inner)
        } else {
            break;
        };
        if !changes.contains(&change) {
            changes.push(change);
        }
        value = inner;
        found.push((changes.clone(), Zeroizing::new(value.to_vec())));
    }
    found
}

/// White space that editors and web pages leave, beside ASCII's: no-break space, zero
/// width space, byte order mark, and line ends that nobody unescaped.
const SPACES: [&[u8]; 6] = [
    "\u{a0}".as_bytes(),
    "\u{200b}".as_bytes(),
    text::BYTE_ORDER_MARK,
    br"\n",
    br"\r",
    b"\0",
];

fn without_space(value: &[u8]) -> Option<&[u8]> {
    let mut inner = value.trim_ascii();
    let strip = |inner: &mut &[u8], space: &[u8]| {
        let stripped = inner
            .strip_prefix(space)
            .or_else(|| inner.strip_suffix(space));
        *inner = stripped.unwrap_or(inner).trim_ascii();
        stripped.is_some()
    };
    while SPACES.iter().any(|space| strip(&mut inner, space)) {}
    (inner.len() < value.len() && !inner.is_empty()).then_some(inner)
}

fn without_quotes(value: &[u8]) -> Option<&[u8]> {
    const QUOTES: [(&str, &str); 8] = [
        ("\"", "\""),
        ("'", "'"),
        ("`", "`"),
        ("“", "”"),
        ("‘", "’"),
        ("„", "“"),
        ("<", ">"),
        (r#"\""#, r#"\""#),
    ];
    let inner = QUOTES.iter().find_map(|(open, close)| {
        let inner = value.strip_prefix(open.as_bytes())?;
        inner.strip_suffix(close.as_bytes())
    });
    // One of the two that stayed when the other was cut off.
    let half = || match value {
        [b'"' | b'\'', inner @ ..] | [inner @ .., b'"' | b'\'' | b';' | b','] => Some(inner),
        _ => None,
    };
    inner.or_else(half).filter(|inner| !inner.is_empty())
}

fn without_name(value: &[u8]) -> Option<&[u8]> {
    let line = value.strip_prefix(b"export ").unwrap_or(value);
    let end = line.iter().position(|byte| b"=:".contains(byte))?;
    let (name, inner) = line.split_at_checked(end)?;
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.".contains(byte);
    let inner = inner.get(1..).unwrap_or_default();
    // Base64 ends in `=` too, and nothing follows it.
    let follows = inner.trim_ascii().len() > 1;
    (!name.is_empty() && name.iter().all(is_name) && follows).then_some(inner)
}

/// Undoes one encoding, decoding or change of prefix.
fn decoded(value: &[u8]) -> Vec<(Change, Zeroizing<Vec<u8>>)> {
    let mut found = Vec::new();
    let mut add = |change, bytes: Option<Vec<u8>>| {
        let bytes = bytes.map(Zeroizing::new).filter(|bytes| !bytes.is_empty());
        found.extend(bytes.map(|bytes| (change, bytes)));
    };
    match value.strip_prefix(PREFIX) {
        Some(rest) => add(Change::PrefixAdded, Some(rest.to_vec())),
        None => add(Change::PrefixLost, Some([PREFIX, value].concat())),
    }
    let with_prefix = |text: &[u8]| Some([PREFIX, text].concat());
    add(
        Change::FromBase64,
        with_prefix(text::base64(value).as_bytes()),
    );
    add(Change::FromBase64, Some(text::base64(value).into_bytes()));
    add(Change::FromHex, with_prefix(&text::hex(value)));
    add(Change::FromHex, Some(text::hex(value)));
    add(Change::Base64, text::from_base64(value));
    add(Change::Hex, text::from_hex(value));
    add(Change::UrlEncoded, text::from_percent(value, false));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leads(given: &[u8], change: &[Change], to: &[u8]) -> bool {
        let mut values = values(given).into_iter();
        values.any(|(changes, value)| changes == change && *value == to)
    }

    #[test]
    fn leads_back_from_each_change() {
        let secret = b"whsec_MfKQ9r8GKYqrTwjU";
        for (given, changes) in [
            (&b"whsec_MfKQ9r8GKYqrTwjU\n"[..], &[Change::Surrounded][..]),
            (b"whsec_MfKQ9r8GKYqrTwjU\\n", &[Change::Surrounded]),
            (b"\xef\xbb\xbfwhsec_MfKQ9r8GKYqrTwjU", &[Change::Surrounded]),
            (b"'whsec_MfKQ9r8GKYqrTwjU'", &[Change::Quoted]),
            ("“whsec_MfKQ9r8GKYqrTwjU”".as_bytes(), &[Change::Quoted]),
            (
                b"\"whsec_MfKQ9r8GKYqrTwjU\" ",
                &[Change::Surrounded, Change::Quoted],
            ),
            (b"STRIPE_SECRET=whsec_MfKQ9r8GKYqrTwjU", &[Change::Assigned]),
            (
                b"export A='whsec_MfKQ9r8GKYqrTwjU'",
                &[Change::Assigned, Change::Quoted],
            ),
            (b"MfKQ9r8GKYqrTwjU", &[Change::PrefixLost]),
            (b"whsec_whsec_MfKQ9r8GKYqrTwjU", &[Change::PrefixAdded]),
            (b"d2hzZWNfTWZLUTlyOEdLWXFyVHdqVQ==", &[Change::Base64]),
            (b"77687365635f4d664b513972384776b59717254776a55", &[]),
            (&text::hex(secret), &[Change::Hex]),
            (
                &text::from_base64(b"MfKQ9r8GKYqrTwjU").unwrap(),
                &[Change::FromBase64],
            ),
        ] {
            if !changes.is_empty() {
                assert!(leads(given, changes, secret), "{changes:?}");
            }
        }
    }

    #[test]
    fn keeps_the_simplest_first_and_other_endpoints_apart() {
        let own = Secret::new("own", b"whsec_MfKQ9r8GKYqrTwjU");
        let other = Secret::of_another_endpoint("other", b"whsec_AfKQ9r8GKYqrTwjU");
        let keys = keys(&Scheme::Stripe, &[other, own]);
        assert!(keys[0].changes.is_empty());
        assert_eq!(keys[0].signer.name(), "own");
        let of_other = keys.iter().filter(|key| key.secret == 0);
        assert!(
            of_other
                .into_iter()
                .all(|key| key.changes[0] == Change::OtherEndpoint)
        );
        assert!(keys.is_sorted_by_key(|key| key.changes.len()));
    }
}
