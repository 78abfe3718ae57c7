//! Signature cases as data: our verdict for every line of every vector file.
//!
//! `tests/vectors/stripe_signatures.jsonl` is the project's own. A corpus beside
//! the project adds its file, and `HOOKGATE_VECTORS` (colon-separated, relative to
//! the project's root) further ones of the same form.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what it expects by failing"
)]

use std::{env, fs, path::PathBuf, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use hookgate_core::{
    config::{Config, Endpoint},
    gate::Gate,
    signature::{SignatureError, SignatureHeader, Tolerance, verify},
    time::Timestamp,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    name: String,
    secret: String,
    now: u64,
    tolerance: i64,
    header: Option<String>,
    body_b64: String,
    gate: String,
}

fn files() -> Vec<PathBuf> {
    let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut files = vec![manifest.join("tests/vectors/stripe_signatures.jsonl")];
    let corpus = env::var_os("HOOKGATE_CORPUS")
        .map_or_else(|| manifest.join("../../shared"), PathBuf::from)
        .join("corpus/vectors/stripe_signatures.jsonl");
    if corpus.exists() {
        files.push(corpus);
    } else {
        eprintln!("corpus: not there, own vectors only");
    }
    if let Some(further) = env::var_os("HOOKGATE_VECTORS") {
        let named = env::split_paths(&further).filter(|file| !file.as_os_str().is_empty());
        // Relative to the project: a test runs in its package's folder.
        files.extend(named.map(|file| manifest.join("..").join(file)));
    }
    files
}

fn cases(file: &PathBuf) -> Vec<Case> {
    let text =
        fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let cases: Vec<Case> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
        .collect();
    assert!(!cases.is_empty(), "{} has no case", file.display());
    println!("{}: {} cases", file.display(), cases.len());
    cases
}

/// Loads the case's secret and tolerance as an operator would.
fn configure(case: &Case) -> Option<Gate> {
    let tolerance = case.tolerance;
    let json = format!(
        r#"{{"endpoints": [{{"name": "case", "path": "/", "secrets": [{{"name": "case", "env": "SECRET"}}],
            "tolerance_past_seconds": {tolerance}, "tolerance_future_seconds": {tolerance}}}]}}"#
    );
    let config = Config::from_json(json.as_bytes()).ok()?;
    Gate::load(config, |_| Some(case.secret.clone().into_bytes())).ok()
}

fn verdict(case: &Case, payload: &[u8]) -> String {
    let Some(gate) = configure(case) else {
        return "config".into();
    };
    let endpoint = gate.endpoints().next().unwrap();
    let now = Timestamp::from_unix_seconds(case.now);
    let Endpoint { tolerance, .. } = endpoint.config;
    let header = case.header.as_deref().map(str::as_bytes);
    let verdict = match header {
        None => Err(SignatureError::Missing),
        Some(header) => {
            let secrets: Vec<_> = (endpoint.signers(now).iter())
                .map(|signer| signer.secret.clone())
                .collect();
            let whole = verify(header, payload, &secrets, now, tolerance).map(drop);
            let chunked = in_chunks(header, payload, &secrets, now, tolerance);
            assert_eq!(whole, chunked, "{}: whole and in chunks", case.name);
            whole
        }
    };
    match verdict {
        Ok(()) => "ok".into(),
        Err(error) => error.code().as_str().into(),
    }
}

/// Verifies byte by byte, as a body may arrive.
fn in_chunks(
    header: &[u8],
    payload: &[u8],
    secrets: &[hookgate_core::secret::SigningSecret],
    now: Timestamp,
    tolerance: Tolerance,
) -> Result<(), SignatureError> {
    let header = SignatureHeader::parse(header)?;
    header.check_age(now, tolerance)?;
    let mut verifier = header.verifier(secrets);
    payload.chunks(1).for_each(|chunk| verifier.update(chunk));
    verifier.finish().map(drop)
}

#[test]
fn every_vector_gets_its_verdict() {
    let mut wrong = Vec::new();
    for file in files() {
        for case in cases(&file) {
            let payload = BASE64_STANDARD.decode(&case.body_b64).unwrap();
            let found = verdict(&case, &payload);
            if found != case.gate {
                wrong.push(format!("{}: {found}, expected {}", case.name, case.gate));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn past_and_future_are_bounded_apart() {
    let tolerance = Tolerance {
        past: Duration::from_secs(10),
        future: Duration::from_secs(2),
    };
    let header =
        SignatureHeader::parse(format!("t=1000,v1={}", "0".repeat(64)).as_bytes()).unwrap();
    for (now, verdict) in [
        (1_010, Ok(())),
        (1_011, Err(SignatureError::OutOfTolerance)),
        (998, Ok(())),
        (997, Err(SignatureError::OutOfTolerance)),
    ] {
        assert_eq!(
            header.check_age(Timestamp::from_unix_seconds(now), tolerance),
            verdict,
            "{now}"
        );
    }
}
