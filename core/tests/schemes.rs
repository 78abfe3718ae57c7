//! The other schemes' cases as data: our verdict for every line.
//!
//! `tests/vectors/schemes.jsonl` is the project's own; a corpus beside the
//! project adds one file for each scheme, of what the senders' own libraries say.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what it expects by failing"
)]

use std::{collections::BTreeMap, env, fs, path::PathBuf};

use base64::{Engine, prelude::BASE64_STANDARD};
use hookgate_core::{request::RequestHead, scheme::Scheme, signature::Tolerance, time::Timestamp};
use serde::Deserialize;

/// Cases of the corpus in which we differ from the libraries: fail closed.
const DIFFERENT: [(&str, &str); 2] = [
    // The libraries sign the number that they read, we the bytes that came.
    ("standard-webhooks", "ts_leading_zero_signed_int"),
    // The same, and a sign is nothing that a sender writes.
    ("standard-webhooks", "ts_plus_signed_int"),
];

#[derive(Deserialize)]
struct Case {
    name: String,
    scheme: String,
    secret: String,
    /// Every header, or below the signature and the timestamp alone.
    headers: Option<BTreeMap<String, String>>,
    header: Option<String>,
    signature: Option<String>,
    timestamp: Option<String>,
    body_b64: String,
    #[serde(default)]
    now: u64,
    /// `ok`, `reject`, or in our own file the precise verdict.
    expect: String,
}

fn scheme(name: &str) -> Scheme {
    match name {
        "standard-webhooks" => Scheme::StandardWebhooks,
        "github" => Scheme::Github,
        "shopify" => Scheme::Shopify,
        "slack" => Scheme::Slack,
        other => panic!("unknown scheme {other}"),
    }
}

fn cases(file: &PathBuf) -> Vec<Case> {
    let text =
        fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let cases: Vec<Case> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
        .collect();
    assert!(!cases.is_empty(), "{} has no case", file.display());
    println!("{}: {} cases", file.display(), cases.len());
    cases
}

fn head(case: &Case, scheme: &Scheme) -> Vec<(String, Vec<u8>)> {
    let mut head: Vec<(String, Vec<u8>)> = Vec::new();
    let mut push = |name: &str, value: &Option<String>| {
        head.extend(value.clone().map(|value| (name.into(), value.into())));
    };
    push(scheme.signature_header(), &case.header);
    push(scheme.signature_header(), &case.signature);
    push("x-slack-request-timestamp", &case.timestamp);
    // What these senders always add, and the libraries don't look at.
    if case.headers.is_none() {
        push("x-github-event", &Some("push".into()));
        push("x-shopify-topic", &Some("orders/create".into()));
    }
    let headers = case.headers.iter().flatten();
    head.extend(headers.map(|(name, value)| (name.clone(), value.clone().into())));
    head
}

/// Judges as the gate does: secret, headers, age, signature, event.
fn verdict(case: &Case) -> String {
    let scheme = scheme(&case.scheme);
    let payload = BASE64_STANDARD.decode(&case.body_b64).unwrap();
    let Ok(secret) = scheme.secret("case", case.secret.as_bytes()) else {
        return "config".into();
    };
    let head = head(case, &scheme);
    let verified = scheme.read(RequestHead(&head)).and_then(|signed| {
        signed.check_age(Timestamp::from_unix_seconds(case.now), Tolerance::default())?;
        let mut verifier = signed.verifier([&secret].into_iter());
        payload.chunks(997).for_each(|chunk| verifier.update(chunk));
        assert_eq!(verifier.finish()?, 0);
        Ok(signed)
    });
    match verified {
        Err(error) => error.code().as_str().into(),
        Ok(signed) => match scheme.event(&signed, &payload) {
            Err(_) => "payload_invalid".into(),
            Ok(event) => {
                assert_eq!(event.unsigned_attributes, !scheme.signs_attributes());
                "ok".into()
            }
        },
    }
}

#[test]
fn every_own_vector_gets_its_verdict() {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/schemes.jsonl");
    let wrong: Vec<String> = cases(&file)
        .iter()
        .filter(|case| verdict(case) != case.expect)
        .map(|case| format!("{} {}: {}", case.scheme, case.name, verdict(case)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_vector_of_a_corpus_gets_its_verdict() {
    let corpus = env::var_os("HOOKGATE_CORPUS")
        .map_or_else(
            || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared"),
            PathBuf::from,
        )
        .join("corpus/vectors");
    if !corpus.exists() {
        eprintln!("corpus: not there, own vectors only");
        return;
    }
    let mut differences = Vec::new();
    for name in ["standard_webhooks", "github", "shopify", "slack"] {
        for case in cases(&corpus.join(name).with_extension("jsonl")) {
            let accepted = verdict(&case) == "ok";
            if accepted != (case.expect == "ok") {
                assert!(!accepted, "{} {} is accepted", case.scheme, case.name);
                differences.push((case.scheme, case.name));
            }
        }
    }
    assert_eq!(
        differences,
        DIFFERENT.map(|(scheme, name)| (scheme.to_owned(), name.to_owned()))
    );
}
