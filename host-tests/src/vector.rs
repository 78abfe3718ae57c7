//! Signature cases as data, moved to the present.
//!
//! A case says what a verifier is shown at its own `now`; Envoy has no other
//! clock than the real one. So [`Case::at`] moves every timestamp by the same
//! distance and signs anew what was signed with the case's secret, and leaves
//! the rest, the case's mistake above all, as it is.

use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::{Context, Result};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use hookgate_core::scheme::Scheme;
use serde::Deserialize;
use sha2::Sha256;

use crate::artefact;

/// Equal characters that make a word a signature with a mistake in it.
const ALIKE: usize = 20;

/// Digits of a time of this century in unix seconds.
const TIME_DIGITS: usize = 10;

/// What a verifier has to say to a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// It is genuine.
    Genuine,
    /// It is refused, for whatever reason.
    Rejected,
    /// It is refused for this reason.
    Code(String),
}

/// One case of a vector file.
#[derive(Debug, Clone)]
pub struct Case {
    /// Its name in the file.
    pub name: String,
    /// The sender's scheme.
    pub scheme: Scheme,
    /// The signing secret.
    pub secret: String,
    /// How far a timestamp may lie from the present, in seconds.
    pub tolerance: i64,
    /// The present, if the scheme signs a time.
    pub now: u64,
    /// The headers that the scheme reads.
    pub headers: Vec<(String, String)>,
    /// The payload.
    pub payload: Vec<u8>,
    /// The verdict.
    pub expected: Expected,
}

#[derive(Deserialize)]
struct Line {
    name: String,
    scheme: Option<String>,
    secret: String,
    tolerance: Option<i64>,
    #[serde(default)]
    now: u64,
    headers: Option<serde_json::Map<String, serde_json::Value>>,
    header: Option<String>,
    signature: Option<String>,
    timestamp: Option<String>,
    body_b64: String,
    gate: Option<String>,
    expect: Option<String>,
}

/// Returns the vector files: the project's own, and a corpus's if there is one.
///
/// # Errors
/// The corpus can't be listed.
pub fn files() -> Result<Vec<PathBuf>> {
    let own = artefact::root().join("core/tests/vectors");
    let corpus = env::var_os("HOOKGATE_CORPUS")
        .map_or_else(|| artefact::root().join("../shared"), PathBuf::from)
        .join("corpus/vectors");
    let mut files = Vec::new();
    for folder in [own, corpus] {
        if !folder.is_dir() {
            println!("no `{}`: own vectors only", folder.display());
            continue;
        }
        for entry in fs::read_dir(&folder)? {
            files.push(entry?.path());
        }
    }
    files.retain(|file| file.extension().is_some_and(|name| name == "jsonl"));
    files.sort();
    Ok(files)
}

/// Reads the cases of one file.
///
/// # Errors
/// A line is no case.
pub fn read(file: &Path) -> Result<Vec<Case>> {
    let text = fs::read_to_string(file)?;
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let case = |line: &str| Case::new(serde_json::from_str(line)?);
    lines
        .map(|line| case(line).with_context(|| file.display().to_string()))
        .collect()
}

impl Case {
    fn new(line: Line) -> Result<Self> {
        let scheme = match line.scheme.as_deref() {
            None => Scheme::Stripe,
            Some("standard-webhooks") => Scheme::StandardWebhooks,
            Some("github") => Scheme::Github,
            Some("shopify") => Scheme::Shopify,
            Some("slack") => Scheme::Slack,
            Some(other) => anyhow::bail!("unknown scheme `{other}`"),
        };
        // What these senders always add, and their libraries don't look at.
        let attribute = match (&scheme, &line.headers) {
            (Scheme::Github, None) => Some(("x-github-event", "push")),
            (Scheme::Shopify, None) => Some(("x-shopify-topic", "orders/create")),
            _ => None,
        };
        let signature = line.header.or(line.signature);
        let mut headers: Vec<(String, String)> = Vec::new();
        headers.extend(signature.map(|value| (scheme.signature_header().to_owned(), value)));
        headers.extend(
            line.timestamp
                .map(|value| ("x-slack-request-timestamp".to_owned(), value)),
        );
        headers.extend(attribute.map(|(name, value)| (name.to_owned(), value.to_owned())));
        for (name, value) in line.headers.into_iter().flatten() {
            headers.push((name, value.as_str().context("not a text")?.to_owned()));
        }
        let verdict = line.gate.or(line.expect).context("no verdict")?;
        Ok(Self {
            name: line.name,
            scheme,
            secret: line.secret,
            tolerance: line.tolerance.unwrap_or(300),
            now: line.now,
            headers,
            payload: BASE64_STANDARD.decode(line.body_b64)?,
            expected: match verdict.as_str() {
                "ok" => Expected::Genuine,
                "reject" => Expected::Rejected,
                _ => Expected::Code(verdict),
            },
        })
    }

    /// Returns the headers as a sender at the time `now` would have them.
    #[must_use]
    pub fn at(&self, now: u64) -> Vec<(String, String)> {
        if !self.scheme.signs_time() {
            return self.headers.clone();
        }
        let digests = self.digests(now);
        let moved = |value: &str| {
            let value = self.moved(value, now);
            digests
                .iter()
                .fold(value, |value, pair| signed_anew(&value, pair))
        };
        let headers = self.headers.iter();
        headers
            .map(|(name, value)| (name.clone(), moved(value)))
            .collect()
    }

    /// Returns what the secret signs at the case's time and at `now`, for each
    /// way to read the timestamp.
    fn digests(&self, now: u64) -> Vec<[[u8; 32]; 2]> {
        let mut stamps: Vec<&str> = Vec::new();
        for (name, value) in &self.headers {
            let values = match self.scheme {
                Scheme::Stripe => value
                    .split(',')
                    .filter_map(|item| item.trim_start().strip_prefix("t="))
                    .collect(),
                _ if name.to_ascii_lowercase().ends_with("timestamp") => vec![value.as_str()],
                _ => Vec::new(),
            };
            for value in values {
                let digits = value.trim_start_matches(|c: char| !c.is_ascii_digit() || c == '0');
                let end = digits.find(|c: char| !c.is_ascii_digit());
                let (number, _) = digits.split_at(end.unwrap_or(digits.len()));
                stamps.extend([value, value.trim(), number]);
            }
        }
        stamps.sort_unstable();
        stamps.dedup();
        let pair = |stamp: &str| [stamp, &self.moved(stamp, now)].map(|stamp| self.digest(stamp));
        stamps.into_iter().map(pair).collect()
    }

    fn digest(&self, stamp: &str) -> [u8; 32] {
        let id = |name: &str| {
            let mut headers = self.headers.iter();
            let found = headers.find(|(other, _)| other.eq_ignore_ascii_case(name));
            found.map_or("", |(_, value)| value)
        };
        let before = match self.scheme {
            Scheme::StandardWebhooks => format!("{}.{stamp}.", id("webhook-id")),
            Scheme::Slack => format!("v0:{stamp}:"),
            _ => format!("{stamp}."),
        };
        let key = match self.scheme {
            Scheme::StandardWebhooks => {
                let text = self.secret.strip_prefix("whsec_").unwrap_or(&self.secret);
                BASE64_STANDARD.decode(text).unwrap_or_default()
            }
            _ => self.secret.clone().into_bytes(),
        };
        // A key of any length is one.
        let mac = Hmac::<Sha256>::new_from_slice(&key).map(|mac| {
            let mac = mac.chain_update(before).chain_update(&self.payload);
            mac.finalize().into_bytes().into()
        });
        mac.unwrap_or_default()
    }

    /// Moves every time in `text` that stands alone.
    fn moved(&self, text: &str, now: u64) -> String {
        words(
            text,
            |c| c.is_ascii_alphanumeric(),
            |word| {
                let number = word.trim_start_matches('0');
                let is_time =
                    number.len() == TIME_DIGITS && word.bytes().all(|b| b.is_ascii_digit());
                let moved = number
                    .parse::<u64>()
                    .ok()
                    .filter(|_| is_time)
                    .and_then(|time| (time + now).checked_sub(self.now));
                moved.map(|time| "0".repeat(word.len() - number.len()) + &time.to_string())
            },
        )
    }
}

/// Puts a signature of the second digest where one of the first stands, and the
/// same mistake where there is one in it.
fn signed_anew(text: &str, [old, new]: &[[u8; 32]; 2]) -> String {
    let spellings = [
        |digest: &[u8; 32]| hex::encode(digest),
        |digest: &[u8; 32]| hex::encode_upper(digest),
        |digest: &[u8; 32]| BASE64_STANDARD_NO_PAD.encode(digest),
        |digest: &[u8; 32]| BASE64_URL_SAFE_NO_PAD.encode(digest),
    ];
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '-' | '_');
    words(text, is_word, |word| {
        spellings.iter().find_map(|spell| {
            let (old, new) = (spell(old), spell(new));
            if word == old {
                return Some(new);
            }
            let alike = word.chars().zip(old.chars()).filter(|(a, b)| a == b);
            if alike.count() < ALIKE.max(word.len() / 2) {
                return None;
            }
            let rest = word.chars().skip(old.len());
            let mistaken = word.chars().zip(old.chars().zip(new.chars()));
            let mistaken = mistaken.map(|(found, (old, new))| match found {
                _ if found == old => new,
                // By chance the mistake would be none.
                _ if found == new => old,
                _ => found,
            });
            Some(mistaken.chain(rest).collect())
        })
    })
}

/// Replaces words of `text`, where `replace` has something else.
fn words(
    text: &str,
    is_word: impl Fn(char) -> bool,
    replace: impl Fn(&str) -> Option<String>,
) -> String {
    let mut replaced = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(end);
        replaced += &replace(word).unwrap_or_else(|| word.to_owned());
        let next = behind.find(&is_word).unwrap_or(behind.len());
        let (between, behind) = behind.split_at(next);
        replaced += between;
        rest = behind;
    }
    replaced
}

#[cfg(test)]
mod tests {
    use super::*;
    use hookgate_core::secret::SigningSecret;
    use hookgate_core::signature;
    use hookgate_core::time::Timestamp;

    fn case(header: &str) -> Case {
        Case {
            name: "case".into(),
            scheme: Scheme::Stripe,
            secret: "whsec_vector".into(),
            tolerance: 300,
            now: 1_760_000_000,
            headers: vec![("stripe-signature".into(), header.into())],
            payload: b"{}".into(),
            expected: Expected::Genuine,
        }
    }

    fn signed(at: u64) -> String {
        let secret = SigningSecret::new("a", b"whsec_vector").unwrap();
        signature::sign(&secret, Timestamp::from_unix_seconds(at), b"{}")
    }

    fn moved(header: &str) -> String {
        let now = 1_760_000_000 + 86_400;
        case(header).at(now).remove(0).1
    }

    #[test]
    fn a_genuine_case_is_genuine_at_any_time() {
        let (then, now) = (1_759_999_900, 1_760_086_300);
        assert_eq!(moved(&signed(then)), signed(now));
        assert_eq!(moved(&signed(then).to_uppercase()), {
            // `T` is no timestamp, so nothing says what was signed.
            signed(then)
                .to_uppercase()
                .replace(&then.to_string(), &now.to_string())
        });
    }

    #[test]
    fn a_mistake_stays_one() {
        let (then, now) = (signed(1_760_000_000), signed(1_760_086_400));
        assert_eq!(moved(&(then.clone() + "0")), now.clone() + "0");
        let (short, _) = then.split_at(then.len() - 1);
        assert_eq!(moved(short), now.split_at(now.len() - 1).0);
        for flipped in ["0", "1", "2"] {
            let mistaken = moved(&(short.to_owned() + flipped));
            assert_eq!(mistaken == now, then.ends_with(flipped));
        }
        for verbatim in ["", "t=abc,v1=0", "t=17600000001,v1=12"] {
            assert_eq!(moved(verbatim), verbatim);
        }
        assert_eq!(moved("t=+01760000000"), "t=+01760086400");
    }
}
