//! A `Stripe-Signature` header, beside what a slow reader makes of it.

use std::collections::BTreeSet;
use std::sync::LazyLock;
use std::time::Duration;

use hookgate_core::secret::SigningSecret;
use hookgate_core::signature::{self, MAX_SIGNATURES, SignatureError, SignatureHeader, Tolerance};
use hookgate_core::time::Timestamp;
use ring::hmac;

use crate::input::Input;

/// Keys of less than a block of the hash, of none and a bit, and of more than one.
const KEYS: [&str; 3] = [
    "whsec_first",
    "w",
    "whsec_a_key_that_is_longer_than_the_64_bytes_of_a_block_of_the_hash",
];

static SECRETS: LazyLock<Vec<SigningSecret>> = LazyLock::new(|| {
    let named = KEYS.iter().enumerate();
    let secret = |(index, key): (usize, &&str)| {
        SigningSecret::new(&index.to_string(), key.as_bytes()).expect("a usable secret")
    };
    named.map(secret).collect()
});

const NOW: u64 = 1_800_000_000;

/// Makes a header and a payload of `bytes`, and verifies them in both ways.
///
/// # Panics
/// If they differ.
pub fn check(bytes: &[u8]) -> Vec<&'static str> {
    let mut input = Input::new(bytes);
    let count = input.below(KEYS.len() + 1);
    let (keys, secrets) = (&KEYS[..count], &SECRETS[..count]);
    let past = input.one_of(&[300, 1, 86_400]);
    let future = input.one_of(&[300, 1, 86_400]);
    let tolerance = Tolerance {
        past: Duration::from_secs(past),
        future: Duration::from_secs(future),
    };
    let chunk = 1 + input.below(200);
    let items: Vec<Item> = (0..input.below(24)).map(|_| Item::of(&mut input)).collect();
    let raw = input.once_in(4).then(|| input.piece());
    let payload = input.rest();
    let header = raw.map_or_else(|| spell(&items, payload), <[u8]>::to_vec);

    let expected = expected(&header, payload, keys, NOW, past, future);
    let now = Timestamp::from_unix_millis(NOW * 1_000 + 999);
    let whole = signature::verify(&header, payload, secrets, now, tolerance);
    let whole = whole.map(|verified| {
        let signed_at = verified.signed_at.unix_seconds();
        let signer: usize = verified.secret.name().parse().expect("a number");
        (signer, signed_at)
    });
    let pieces = in_pieces(&header, payload.chunks(chunk), secrets, now, tolerance);
    assert_eq!(whole.map(|(signer, _)| signer), pieces);
    match (whole, expected) {
        (Ok((signer, signed_at)), Ok(of)) => {
            assert!(of.signers.contains(&signer), "{signer} {of:?}");
            assert_eq!(signed_at, of.signed_at);
            vec!["accepted"]
        }
        (Err(found), Err(expected)) => {
            assert_eq!(found, expected);
            vec![found.code().as_str()]
        }
        (found, expected) => panic!("{found:?}, expected {expected:?}"),
    }
}

fn in_pieces<'a>(
    header: &[u8],
    payload: impl Iterator<Item = &'a [u8]>,
    secrets: &[SigningSecret],
    now: Timestamp,
    tolerance: Tolerance,
) -> Result<usize, SignatureError> {
    let header = SignatureHeader::parse(header)?;
    header.check_age(now, tolerance)?;
    let mut verifier = header.verifier(secrets);
    payload.for_each(|chunk| verifier.update(chunk));
    verifier.finish()
}

/// Says who signed, and when.
#[derive(Debug)]
pub(crate) struct Genuine {
    /// Positions of the keys under which a signature matches.
    pub(crate) signers: BTreeSet<usize>,
    pub(crate) signed_at: u64,
}

/// Verifies as Stripe's documentation tells it, and in no hurry.
pub(crate) fn expected(
    header: &[u8],
    payload: &[u8],
    keys: &[&str],
    now: u64,
    past: u64,
    future: u64,
) -> Result<Genuine, SignatureError> {
    let read = read(header)?;
    let oldest = now.saturating_sub(past);
    if !(oldest..=now + future).contains(&read.signed_at) {
        return Err(SignatureError::OutOfTolerance);
    }
    let signs = |key: &str| {
        let digest = hex::encode(mac(
            key.as_bytes(),
            &[read.timestamp.as_bytes(), b".", payload],
        ));
        read.signatures.contains(&digest.as_str())
    };
    let signers = (0..keys.len()).filter(|index| signs(keys[*index]));
    let signers: BTreeSet<usize> = signers.collect();
    if signers.is_empty() {
        return Err(SignatureError::Mismatch);
    }
    Ok(Genuine {
        signers,
        signed_at: read.signed_at,
    })
}

struct Read<'a> {
    timestamp: &'a str,
    signed_at: u64,
    signatures: Vec<&'a str>,
}

fn read(header: &[u8]) -> Result<Read<'_>, SignatureError> {
    if header.is_empty() {
        return Err(SignatureError::Missing);
    }
    let text = std::str::from_utf8(header).map_err(|_| SignatureError::Malformed)?;
    let items: Option<Vec<(&str, &str)>> = text
        .split(',')
        .map(|item| item.trim_matches([' ', '\t']).split_once('='))
        .collect();
    let items = items.ok_or(SignatureError::Malformed)?;
    let all = |wanted: &str| -> Vec<&str> {
        let values = items.iter().filter(|(key, _)| *key == wanted);
        values.map(|(_, value)| *value).collect()
    };
    let (timestamps, signatures) = (all("t"), all("v1"));
    let is_well_formed = items.iter().all(|(key, _)| !key.is_empty())
        && timestamps.len() == 1
        && (1..=12).contains(&timestamps[0].len())
        && timestamps[0].chars().all(|digit| digit.is_ascii_digit())
        && (1..=MAX_SIGNATURES).contains(&signatures.len());
    if !is_well_formed {
        return Err(SignatureError::Malformed);
    }
    Ok(Read {
        timestamp: timestamps[0],
        signed_at: timestamps[0].parse().expect("at most 12 digits"),
        signatures,
    })
}

/// Returns the HMAC-SHA256 of these parts by another library than core's.
pub(crate) fn mac(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, &parts.concat()).as_ref().to_vec()
}

/// Returns the header of a genuine delivery.
pub(crate) fn genuine(key: &str, at: u64, payload: &[u8]) -> String {
    let digest = mac(key.as_bytes(), &[at.to_string().as_bytes(), b".", payload]);
    format!("t={at},v1={}", hex::encode(digest))
}

/// Is one item of a header; what is signed is known once all are.
struct Item {
    padding: [&'static str; 2],
    kind: Kind,
}

enum Kind {
    Time(u64),
    Genuine(usize),
    Flipped(usize, usize, u8),
    Cut(usize, usize),
    UpperCase(usize),
    OldScheme(usize),
    Keyed(&'static str, Vec<u8>),
    Raw(Vec<u8>),
}

impl Item {
    fn of(input: &mut Input<'_>) -> Self {
        let kind = match input.below(10) {
            0 | 1 => {
                let offset =
                    input.one_of(&[0, 299, 300, 301, -299, -300, -301, 1, -1, 86_400, -86_400]);
                Kind::Time(NOW.saturating_add_signed(offset))
            }
            2 => Kind::Genuine(input.below(KEYS.len())),
            3 => Kind::Flipped(input.below(KEYS.len()), input.below(64), input.byte()),
            4 => Kind::Cut(input.below(KEYS.len()), input.below(64)),
            5 => Kind::UpperCase(input.below(KEYS.len())),
            6 => Kind::OldScheme(input.below(KEYS.len())),
            7 => Kind::Keyed("t", input.piece().to_vec()),
            8 => Kind::Keyed("v1", input.piece().to_vec()),
            _ => Kind::Raw(input.piece().to_vec()),
        };
        let padding = ["", "", "", " ", "\t", " \t ", "\n"];
        Self {
            kind,
            padding: [input.one_of(&padding), input.one_of(&padding)],
        }
    }

    fn spell(&self, digest: impl Fn(usize) -> String) -> Vec<u8> {
        let signed = |key: &str, digest: String| format!("{key}={digest}").into_bytes();
        match &self.kind {
            Kind::Time(at) => format!("t={at}").into_bytes(),
            Kind::Genuine(key) => signed("v1", digest(*key)),
            Kind::Flipped(key, at, bits) => {
                let mut item = signed("v1", digest(*key));
                item[3 + at] ^= bits;
                item
            }
            Kind::Cut(key, length) => signed("v1", digest(*key)[..*length].to_owned()),
            Kind::UpperCase(key) => signed("v1", digest(*key).to_uppercase()),
            Kind::OldScheme(key) => signed("v0", digest(*key)),
            Kind::Keyed(key, value) => [key.as_bytes(), b"=", value].concat(),
            Kind::Raw(item) => item.clone(),
        }
    }
}

fn spell(items: &[Item], payload: &[u8]) -> Vec<u8> {
    let timestamp = items.iter().find_map(|item| match &item.kind {
        Kind::Time(at) => Some(at.to_string().into_bytes()),
        Kind::Keyed("t", value) => Some(value.clone()),
        _ => None,
    });
    let timestamp = timestamp.unwrap_or_default();
    let digest = |key: usize| hex::encode(mac(KEYS[key].as_bytes(), &[&timestamp, b".", payload]));
    let spelled = items.iter().map(|item| {
        let [before, after] = item.padding.map(str::as_bytes);
        [before, &item.spell(digest), after].concat()
    });
    spelled.collect::<Vec<_>>().join(&b","[..])
}
