//! The words: what was found out about a delivery.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use hookgate_core::{
    request::RequestHead,
    scheme::Scheme,
    secret::SigningSecret,
    signature::{SignatureError, Tolerance},
    time::Timestamp,
};
use serde::Serialize;

use crate::{
    age::Age,
    difference::Difference,
    fix::Remedy,
    head::Head,
    input::{self, Delivery, InputError, Secret},
    key, search, shape,
};

/// Says what a delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// `hookgate-core` verifies it, with a secret of its endpoint, now.
    Valid,
    /// The signature matches, and its time is out of tolerance.
    OutOfTolerance,
    /// It doesn't verify, and what was done to it is known: undone, it matches.
    Explained,
    /// It doesn't verify, and nothing that was tried makes it match.
    Unexplained,
}

/// Says how sure a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Certainty {
    /// Undoing it makes a signature match.
    Proven,
    /// It is there for all to see.
    Seen,
    /// It looks like it.
    Likely,
}

/// Holds one thing that was found out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Its name for programs.
    pub code: &'static str,
    /// How sure it is.
    pub certainty: Certainty,
    /// What it is, in a sentence.
    pub title: String,
    /// How it usually comes about.
    pub detail: String,
    /// What kind of change mends it.
    pub remedy: Remedy,
    /// What to do.
    pub advice: &'static str,
}

/// Says which secret one signature of a header matches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SignatureLine {
    /// Its scheme and place: `v1 number 2`.
    pub name: String,
    /// The label of the secret that it matches.
    pub matches: Option<String>,
}

/// Holds all that was found out about a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnosis {
    /// What the delivery is.
    pub verdict: Verdict,
    /// The same in a sentence.
    pub headline: String,
    /// The scheme whose header was read.
    pub scheme: &'static str,
    /// The label of the secret that signed, if that was found.
    pub secret: Option<String>,
    /// What was found; of an explanation each step.
    pub findings: Vec<Finding>,
    /// Each signature of the header, once a payload is known that one matches.
    pub signatures: Vec<SignatureLine>,
    /// The age of the signature, where the scheme signs a time.
    pub age: Option<Age>,
    /// Where what was given differs from what was signed.
    pub difference: Option<Difference>,
    /// Pairs of a payload and a key that were tried.
    pub tries: u64,
    /// Whether all that could be tried was, within the bound of the work.
    pub complete: bool,
}

/// Says why a delivery verifies or doesn't, as of `now`.
///
/// Whatever it is given, it doesn't panic, and its verdict is
/// [`Verdict::Valid`] if and only if `hookgate-core` verifies the delivery with a
/// secret of its endpoint.
///
/// # Errors
/// [`InputError`].
pub fn diagnose(
    delivery: &Delivery,
    secrets: &[Secret],
    now: Timestamp,
    tolerance: Tolerance,
) -> Result<Diagnosis, InputError> {
    input::check(delivery, secrets)?;
    let scheme = input::scheme_by_header(RequestHead(&delivery.head)).unwrap_or_default();
    let own = key::own(&scheme, secrets);
    let verified = verify(&scheme, delivery, &own, now, tolerance);
    let age = |at: Option<Timestamp>| at.map(|at| Age::of(at, now, tolerance));
    let label = |index: usize| secrets.get(index).map(|secret| secret.label.clone());
    let read = scheme.read(RequestHead(&delivery.head)).ok();
    let signed_at = read.and_then(|signed| signed.signed_at());
    let mut diagnosis = Diagnosis {
        verdict: Verdict::Valid,
        headline: String::new(),
        scheme: scheme.as_str(),
        secret: None,
        findings: Vec::new(),
        signatures: Vec::new(),
        age: age(signed_at),
        difference: None,
        tries: u64::try_from(own.len()).unwrap_or(u64::MAX),
        complete: true,
    };
    match verified {
        Ok(index) | Err(Failure::Stale(index)) => {
            if verified.is_err() {
                diagnosis.verdict = Verdict::OutOfTolerance;
                diagnosis.findings.push(too_old(diagnosis.age.as_ref()));
            }
            diagnosis.secret = label(index);
            let signers: Vec<&SigningSecret> = own.iter().map(|(_, signer)| signer).collect();
            diagnosis.signatures = lines(&scheme, &delivery.head, &delivery.payload, &signers);
        }
        Err(Failure::Other) => {
            let outcome = search::search(&scheme, delivery, secrets);
            diagnosis.tries += outcome.tries;
            diagnosis.complete = outcome.complete;
            match outcome.found {
                Some(found) => {
                    diagnosis.verdict = Verdict::Explained;
                    diagnosis.scheme = found.scheme.as_str();
                    diagnosis.secret = label(found.secret);
                    diagnosis.age = age(found.signed_at);
                    diagnosis.findings = found.causes.iter().map(proven).collect();
                    if diagnosis.age.as_ref().is_some_and(|age| !age.is_within) {
                        diagnosis.findings.push(too_old(diagnosis.age.as_ref()));
                    }
                    let signer = [&found.signer];
                    diagnosis.signatures =
                        lines(&found.scheme, &found.head, &found.payload, &signer);
                    diagnosis.difference = Difference::between(&found.payload, &delivery.payload);
                }
                None => {
                    diagnosis.verdict = Verdict::Unexplained;
                    diagnosis.findings = shape::findings(&scheme, delivery, secrets);
                }
            }
        }
    }
    diagnosis.headline = headline(&diagnosis);
    Ok(diagnosis)
}

/// Says why core doesn't verify.
enum Failure {
    /// Only the time is wrong; which secret matches.
    Stale(usize),
    /// Anything else.
    Other,
}

/// Asks core, whose word alone makes a delivery valid; returns which of the given
/// secrets matches.
fn verify(
    scheme: &Scheme,
    delivery: &Delivery,
    own: &[(usize, SigningSecret)],
    now: Timestamp,
    tolerance: Tolerance,
) -> Result<usize, Failure> {
    let signed = scheme
        .read(RequestHead(&delivery.head))
        .map_err(|_| Failure::Other)?;
    let mut verifier = signed.verifier(own.iter().map(|(_, signer)| signer));
    verifier.update(&delivery.payload);
    let matching = verifier.finish().map_err(|_| Failure::Other)?;
    let (index, _) = own.get(matching).ok_or(Failure::Other)?;
    match signed.check_age(now, tolerance) {
        Ok(()) => Ok(*index),
        Err(SignatureError::OutOfTolerance) => Err(Failure::Stale(*index)),
        Err(_) => Err(Failure::Other),
    }
}

fn proven(cause: &crate::cause::Cause) -> Finding {
    let remedy = cause.remedy();
    Finding {
        code: cause.code(),
        certainty: Certainty::Proven,
        title: cause.title(),
        detail: cause.reason().to_string(),
        remedy,
        advice: remedy.advice(),
    }
}

fn too_old(age: Option<&Age>) -> Finding {
    Finding {
        code: "timestamp_out_of_tolerance",
        certainty: Certainty::Seen,
        title: age.map_or_else(String::new, |age| age.says.clone()),
        detail: "Libraries refuse a signature whose time is too far from now, so that a captured \
                 delivery can't be sent again later."
            .to_string(),
        remedy: Remedy::Clock,
        advice: Remedy::Clock.advice(),
    }
}

/// Most bytes that are hashed to tell which signature matches which secret.
const MAX_LINE_BYTES: usize = 32 * 1_048_576;

/// Says for each signature of a header which secret it matches.
fn lines(
    scheme: &Scheme,
    head: &Head,
    payload: &[u8],
    signers: &[&SigningSecret],
) -> Vec<SignatureLine> {
    let name = scheme.signature_header();
    let ours = |(key, _): &&(String, Vec<u8>)| key.eq_ignore_ascii_case(name);
    let Some((_, value)) = head.iter().find(ours) else {
        return Vec::new();
    };
    // What separates signatures, and what stands between a version and its value.
    let (separator, equals) = match scheme {
        Scheme::Stripe => (b',', b'='),
        Scheme::StandardWebhooks => (b' ', b','),
        _ => (b'\n', b'\n'),
    };
    let items: Vec<&[u8]> = value.split(|&byte| byte == separator).collect();
    let cost = items.len() * signers.len() * payload.len();
    if cost > MAX_LINE_BYTES {
        return Vec::new();
    }
    let mut counts = [0_u32; 2];
    let mut lines = Vec::new();
    for item in &items {
        let item = item.trim_ascii();
        let version = item
            .split(|&byte| byte == equals)
            .next()
            .unwrap_or_default();
        let place = match version {
            b"t" => continue,
            b"v1" => Some(0),
            _ => None,
        };
        if let Some(count) = place.and_then(|place| counts.get_mut::<usize>(place)) {
            *count += 1;
        }
        let name = match (scheme, place) {
            (Scheme::Stripe | Scheme::StandardWebhooks, Some(_)) => {
                format!("v1 number {}", counts.first().copied().unwrap_or_default())
            }
            (Scheme::Stripe | Scheme::StandardWebhooks, None) => {
                format!(
                    "{}, ignored",
                    crate::difference::show(version.get(..8).unwrap_or(version))
                )
            }
            _ => "the signature".to_string(),
        };
        let alone = head.iter().map(|(key, value)| match (scheme, key) {
            (_, key) if !key.eq_ignore_ascii_case(scheme.signature_header()) => {
                (key.clone(), value.clone())
            }
            (Scheme::Stripe, key) => {
                let times = items.iter().filter(|it| it.trim_ascii().starts_with(b"t="));
                let kept: Vec<&[u8]> = times.copied().chain([item]).collect();
                (key.clone(), kept.join(&b","[..]))
            }
            (_, key) => (key.clone(), item.to_vec()),
        });
        let alone: Head = alone.collect();
        let matches = scheme.read(RequestHead(&alone)).ok().and_then(|signed| {
            let mut verifier = signed.verifier(signers.iter().copied());
            verifier.update(payload);
            let signer = signers.get(verifier.finish().ok()?)?;
            Some(signer.name().to_string())
        });
        lines.push(SignatureLine { name, matches });
    }
    lines
}

fn headline(diagnosis: &Diagnosis) -> String {
    let secret = diagnosis.secret.as_deref().unwrap_or_default();
    match diagnosis.verdict {
        Verdict::Valid => format!("The signature is valid: it matches the secret {secret}."),
        Verdict::OutOfTolerance => {
            format!("The signature matches the secret {secret}, but its time is out of tolerance.")
        }
        Verdict::Explained => {
            "The signature doesn't match what was given, and this is why:".to_string()
        }
        Verdict::Unexplained => {
            let sure = diagnosis
                .findings
                .iter()
                .any(|it| it.certainty == Certainty::Seen);
            let words = if sure {
                "and this is seen:"
            } else {
                "and this is likely:"
            };
            format!("The signature doesn't match under any secret that was given, {words}")
        }
    }
}
