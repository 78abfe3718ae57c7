//! `hookgate doctor` at the command line.

use std::{fs, process::Stdio};

use hookgate_core::{secret::SigningSecret, signature::sign};
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    delivery::seconds_from_now,
    harness::{CONNECT_SECRET, SECRET, hookgate},
};

const SENT: &str = "{\n  \"id\": \"evt_1\",\n  \"object\": \"event\"\n}";
const COMPACT: &str = "{\"id\":\"evt_1\",\"object\":\"event\"}";

/// Signs a payload as Stripe does, so many seconds from now.
pub(crate) fn signature(secret: &str, seconds: i64, payload: &str) -> String {
    let secret = SigningSecret::new("test", secret.as_bytes()).unwrap();
    sign(&secret, seconds_from_now(seconds), payload.as_bytes())
}

struct Said {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Said {
    /// The codes of the findings of `--json`.
    fn codes(&self) -> Vec<String> {
        let json: Value = serde_json::from_str(&self.stdout).unwrap();
        let findings = json["findings"].as_array().unwrap().iter();
        findings
            .map(|finding| finding["code"].as_str().unwrap().to_owned())
            .collect()
    }
}

/// A folder with files, and the command with them.
struct Bench(TempDir);

impl Bench {
    fn with(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        Self(folder)
    }

    fn doctor(&self, arguments: &[&str]) -> Said {
        let mut command = hookgate();
        command
            .arg("doctor")
            .args(arguments)
            .current_dir(self.0.path());
        let output = command.stdin(Stdio::null()).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let said = Said {
            code: output.status.code().unwrap(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        };
        for secret in [SECRET, CONNECT_SECRET] {
            assert!(!said.stdout.contains(secret), "{}", said.stdout);
            assert!(!said.stderr.contains(secret), "{}", said.stderr);
        }
        said
    }
}

#[test]
fn the_doctor_says_why_a_signature_does_not_verify_and_what_to_write() {
    let bench = Bench::with(&[("sent.json", SENT), ("compact.json", COMPACT)]);
    let signature = signature(SECRET, 0, SENT);
    let said = bench.doctor(&["sent.json", "--signature", &signature]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    let valid = "The signature is valid: it matches the secret STRIPE_WEBHOOK_SECRET.";
    assert!(said.stdout.starts_with(valid), "{}", said.stdout);
    let arguments = [
        "compact.json",
        "--signature",
        &signature,
        "--framework",
        "rails",
    ];
    let said = bench.doctor(&arguments);
    assert_eq!(said.code, 1);
    for text in [
        "proven: payload_reserialised\n",
        "What to do:\n",
        "v1 number 1: matches STRIPE_WEBHOOK_SECRET\n",
        "The first difference is at byte 1, line 1, column 2; 40 bytes were signed, 31 given:\n",
        "  signed: ⟨LF⟩··\"id\":",
        "In Rails:\n",
        "request.raw_post",
    ] {
        assert!(said.stdout.contains(text), "{text}: {}", said.stdout);
    }
    let said = bench.doctor(&["compact.json", "--signature", &signature, "--json"]);
    assert_eq!(said.codes(), ["payload_reserialised"]);
}

#[test]
fn the_doctor_reads_saved_requests() {
    let signature = signature(SECRET, -3_600, SENT);
    let message = format!("POST /hook HTTP/1.1\r\nStripe-Signature: {signature}\r\n\r\n{SENT}");
    let bench = Bench::with(&[("saved.txt", &message), ("other.json", "{}")]);
    let said = bench.doctor(&["--saved", "saved.txt", "--json"]);
    assert_eq!(said.code, 1);
    assert_eq!(said.codes(), ["timestamp_out_of_tolerance"]);
    let at = seconds_from_now(-3_590).to_string();
    assert_eq!(bench.doctor(&["--saved", "saved.txt", "--at", &at]).code, 0);
    let said = bench.doctor(&["--saved", "saved.txt", "--tolerance", "2h"]);
    assert_eq!(said.code, 0);
    // A payload of its own counts more.
    let said = bench.doctor(&["other.json", "--saved", "saved.txt", "--json"]);
    assert_eq!(said.codes(), ["secret_of_unknown_endpoint"]);
}

#[test]
fn the_doctor_names_secrets_by_where_they_are() {
    let bench = Bench::with(&[("sent.json", SENT), ("secret", &format!("{SECRET}\n"))]);
    let own = signature(SECRET, 0, SENT);
    let said = bench.doctor(&[
        "sent.json",
        "--signature",
        &own,
        "--secret-file",
        "secret",
        "--json",
    ]);
    assert_eq!(said.codes(), ["secret_white_space"]);
    assert!(
        said.stdout.contains("\"secret\":\"secret\""),
        "{}",
        said.stdout
    );
    let other = signature(CONNECT_SECRET, 0, SENT);
    let said = bench.doctor(&["sent.json", "--signature", &other, "--json"]);
    assert_eq!(said.codes(), ["secret_of_another_endpoint"]);
    let label = "\"secret\":\"STRIPE_CONNECT_WEBHOOK_SECRET\"";
    assert!(said.stdout.contains(label), "{}", said.stdout);
    let variable = "STRIPE_CONNECT_WEBHOOK_SECRET";
    let said = bench.doctor(&["sent.json", "--signature", &other, "--secret-env", variable]);
    assert_eq!(said.code, 0);
}

#[test]
fn the_doctor_takes_headers_of_any_scheme() {
    let bench = Bench::with(&[("sent.json", SENT)]);
    let signature = signature(SECRET, 0, SENT);
    let (time, digest) = signature.split_once(",v1=").unwrap();
    let said = bench.doctor(&[
        "sent.json",
        "--header",
        &format!("Stripe-Signature={time}"),
        "--header",
        &format!("Stripe-Signature=v1={digest}"),
        "--json",
    ]);
    assert_eq!(said.codes(), ["header_split"]);
}

#[test]
fn the_doctor_says_what_it_can_not_read_and_repeats_no_secret() {
    let bench = Bench::with(&[("sent.json", SENT)]);
    for (arguments, says) in [
        (
            &["nowhere.json", "--signature", "t=1"][..],
            "can't read `nowhere.json`",
        ),
        (&["--saved", "sent.json"], "found no request"),
        (&["-", "--saved", "-"], "can't both be `-`"),
        (&["sent.json", "--secret-env", "NOT_SET"], "`NOT_SET`"),
        (
            &["sent.json", "--secret-env", SECRET],
            "not the secret itself",
        ),
    ] {
        let said = bench.doctor(arguments);
        assert_eq!(said.code, 2, "{arguments:?}");
        assert!(said.stderr.contains(says), "{says}: {}", said.stderr);
        assert_eq!(said.stdout, "");
    }
}
