//! What holds whatever is given: no panic, and valid if and only if core verifies.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test says what it expects by failing"
)]

use std::time::{Duration, Instant};

use hookgate_core::{
    request::RequestHead,
    scheme::Scheme,
    secret::SigningSecret,
    signature::{self, Tolerance},
    time::Timestamp,
};
use hookgate_doctor::{Delivery, InputError, MAX_PAYLOAD_BYTES, Secret, Verdict, diagnose, saved};

const NOW: u64 = 1_760_000_000;
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Deliveries that are made up.
const ROUNDS: u64 = 1_000;

/// Gives numbers that look random, the same at each run (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound).unwrap()).unwrap()
    }

    fn one_of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }

    /// Changes, doubles or takes out up to three bytes, or puts in what means something.
    fn disturb(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..self.below(4) {
            let at = self.below(bytes.len() + 1);
            match self.below(4) {
                0 if at < bytes.len() => bytes[at] = u8::try_from(self.next() & 255).unwrap(),
                1 if at < bytes.len() => drop(bytes.remove(at)),
                2 => bytes.truncate(at),
                _ => {
                    let part = self.one_of(&[
                        "\u{feff}",
                        "\r\n",
                        "\"",
                        "{",
                        "&quot;",
                        "%7B",
                        "=",
                        "\\u00",
                        "ä",
                        "\0",
                        "b'",
                        ",v1=",
                        "t=",
                        "{}",
                        "[]",
                        " ",
                        "whsec_",
                        "'",
                        "&#x110000;",
                        "999999999999999",
                    ]);
                    bytes.splice(at..at, part.bytes());
                }
            }
        }
    }
}

/// What core says by itself, of every secret of the endpoint.
fn core_verifies(delivery: &Delivery, secrets: &[Secret], now: Timestamp) -> bool {
    let schemes = [
        Scheme::Stripe,
        Scheme::StandardWebhooks,
        Scheme::Github,
        Scheme::Shopify,
        Scheme::Slack,
    ];
    let has = |name: &str| delivery.head.iter().any(|(key, _)| key == name);
    let mut schemes = schemes.into_iter();
    let Some(scheme) = schemes.find(|scheme| has(scheme.signature_header())) else {
        return false;
    };
    let Ok(signed) = scheme.read(RequestHead(&delivery.head)) else {
        return false;
    };
    let own = secrets.iter().filter(|secret| !secret.of_another_endpoint);
    let own = own.filter_map(|secret| scheme.secret("a", &secret.value).ok());
    let own: Vec<SigningSecret> = own.collect();
    let mut verifier = signed.verifier(own.iter());
    verifier.update(&delivery.payload);
    verifier.finish().is_ok() && signed.check_age(now, Tolerance::default()).is_ok()
}

#[test]
fn is_valid_if_and_only_if_core_verifies_whatever_is_given() {
    let mut random = Random(7);
    let mut counts = [0; 2];
    for _ in 0..ROUNDS {
        let mut payload = random
            .one_of(&[
                "{\n  \"id\": \"evt_1\",\n  \"object\": \"event\",\n  \"created\": 1759999999,\n  \"data\": {\n    \"metadata\": {}\n  }\n}",
                "{\"id\":\"evt_1\",\"x\":[[],{}]}",
                "\"{\\\"a\\\":1}\"",
                "a=b&payload=%7B%22a%22%3A1%7D",
                "",
            ])
            .as_bytes()
            .to_vec();
        let secret = SigningSecret::new("s", SECRET.as_bytes()).unwrap();
        let at = NOW - u64::try_from(random.below(400)).unwrap();
        let value = signature::sign(&secret, Timestamp::from_unix_seconds(at), &payload);
        let mut value = value.into_bytes();
        let mut given = SECRET.as_bytes().to_vec();
        // Half of them are left alone in two of the three.
        for part in [&mut payload, &mut value, &mut given] {
            if random.below(2) == 0 {
                random.disturb(part);
            }
        }
        let name = random.one_of(&[
            "stripe-signature",
            "stripe-signature",
            "stripe-signature",
            "webhook-signature",
            "x-hub-signature-256",
            "x",
        ]);
        let delivery = Delivery::new(vec![(name.to_owned(), value)], payload);
        let secrets = match random.below(8) {
            0 => vec![],
            1 => vec![Secret::of_another_endpoint("other", &given)],
            2 => vec![
                Secret::new("wrong", b"whsec_no"),
                Secret::new("own", &given),
            ],
            _ => vec![Secret::new("own", &given)],
        };
        let now = Timestamp::from_unix_seconds(NOW);
        let found = diagnose(&delivery, &secrets, now, Tolerance::default()).unwrap();
        let is_valid = found.verdict == Verdict::Valid;
        assert_eq!(
            is_valid,
            core_verifies(&delivery, &secrets, now),
            "{found:?}"
        );
        assert_eq!(is_valid, found.findings.is_empty(), "{found:?}");
        let shown = format!("{found:?}");
        assert!(!shown.contains(&SECRET[6..]), "{shown}");
        counts[usize::from(is_valid)] += 1;
        // A saved request is whatever somebody has saved.
        let _ = saved::read(&[given, delivery.payload].concat());
    }
    assert!(counts.iter().all(|count| *count > 50), "{counts:?}");
}

#[test]
fn the_work_is_bounded_whatever_is_given() {
    let secrets: Vec<Secret> = (0..8)
        .map(|index| Secret::new(&index.to_string(), b"'d2hzZWNfYWJj' "))
        .collect();
    let head = |value: &str| vec![("stripe-signature".to_owned(), value.as_bytes().to_vec())];
    let signatures = format!(
        "t=1760000000{}",
        ",v1="
            .repeat(16)
            .replace("v1=", &format!("v1={}", "0".repeat(64)))
    );
    let now = Timestamp::from_unix_seconds(NOW);
    for unit in ["[", "{\"a\":", "[],", "&quot;", "\\\"", "ÃÂ"] {
        let mut payload = unit.repeat(MAX_PAYLOAD_BYTES / unit.len());
        if unit == "[]," {
            payload = format!("[{}0]", &payload[..payload.len() - 6]);
        }
        let delivery = Delivery::new(head(&signatures), payload.into_bytes());
        let found = diagnose(&delivery, &secrets, now, Tolerance::default()).unwrap();
        assert_eq!(found.verdict, Verdict::Unexplained, "{unit}");
        assert!(!found.complete, "{unit}");
        assert!(found.tries < 1_000, "{unit}: {}", found.tries);
    }
    let long = Delivery::new(head("t=1"), vec![b' '; MAX_PAYLOAD_BYTES + 1]);
    let error = diagnose(&long, &secrets, now, Tolerance::default()).err();
    let bytes = MAX_PAYLOAD_BYTES + 1;
    assert_eq!(error, Some(InputError::Payload { bytes }));
    let nine = [secrets.as_slice(), &secrets[..1]].concat();
    let error = diagnose(&Delivery::default(), &nine, now, Tolerance::default()).err();
    assert_eq!(error, Some(InputError::Secrets { found: 9 }));
}

#[test]
fn a_saved_request_is_read_in_one_pass_however_many_parts_it_has() {
    // Looked through once for each part, either takes many minutes.
    const PARTS: usize = 300_000;
    const MORE_PARTS: usize = 2_000_000;
    let names = |index| format!("\"{index}\":[\"\"],");
    let headers: String = (0..PARTS).map(names).collect();
    let event = format!(
        "{{\"multiValueHeaders\":{{{headers}\"stripe-signature\":[\"t=1\"]}},\"body\":\"a\"}}"
    );
    let data = "-d a ".repeat(MORE_PARTS);
    let command = format!("curl -H 'Stripe-Signature: t=1' {data}");
    let before = Instant::now();
    for (saved, heads, bytes) in [(event, PARTS + 1, 1), (command, 1, 2 * MORE_PARTS - 1)] {
        let found = saved::read(saved.as_bytes()).unwrap();
        assert_eq!((found.head.len(), found.payload.len()), (heads, bytes));
    }
    assert!(before.elapsed() < Duration::from_mins(1), "{before:?}");
}
