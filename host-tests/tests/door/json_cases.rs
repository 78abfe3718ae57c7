//! JSON of every kind, signed: the door never traps, and gate and upstream agree
//! on what is an event.

use std::env;
use std::fs;
use std::io::{Write, stderr};
use std::path::PathBuf;

use anyhow::{Context, Result};
use bytes::Bytes;
use hookgate_core::time::Timestamp;
use hookgate_host_tests::artefact;
use hookgate_host_tests::client::{self, Delivery};
use hookgate_host_tests::envoy::Setup;
use hookgate_host_tests::event::{Event, PLATFORM, fresh_id};
use hookgate_host_tests::upstream::Upstream;

use crate::on_script;

/// Cases of our own, by the names of the suite: `y_` is JSON, `n_` is not, and
/// of `i_` parsers may think what they like, but all of ours the same.
const OWN: &[(&str, &[u8])] = &[
    ("y_number.json", b"-1.5e+10"),
    ("y_string_escaped.json", br#""\u00e9\n\ud83d\ude00""#),
    ("y_duplicate_key.json", br#"{"a": 1, "a": 2}"#),
    ("n_empty.json", b""),
    ("n_trailing_comma.json", b"[1,]"),
    ("n_open_array.json", b"["),
    ("n_raw_zero.json", b"\"\x00\""),
    ("n_single_quotes.json", b"'a'"),
    ("n_not_a_number.json", b"NaN"),
    ("i_lone_surrogate.json", br#""\ud800""#),
    ("i_lone_low_surrogate.json", br#"["\udc00\ud800"]"#),
    ("i_invalid_utf8.json", b"\"\xff\""),
    ("i_huge_exponent.json", b"1e99999"),
    ("i_bom.json", b"\xef\xbb\xbf{}"),
    ("i_utf16.json", b"\xff\xfe{\x00}\x00"),
];

/// Reads the suite where it is, and says so; else our own cases.
fn cases() -> Result<Vec<(String, Vec<u8>)>> {
    let shared = env::var_os("HOOKGATE_CORPUS")
        .map_or_else(|| artefact::root().join("../shared"), PathBuf::from);
    let folder = shared.join("corpus/jsontestsuite/test_parsing");
    let mut cases: Vec<(String, Vec<u8>)> = OWN
        .iter()
        .map(|(name, text)| ((*name).to_owned(), text.to_vec()))
        .collect();
    match fs::read_dir(&folder) {
        Ok(entries) => {
            for entry in entries {
                let path = entry?.path();
                let name = path.file_name().context("no name")?.to_string_lossy();
                cases.push((name.into_owned(), fs::read(&path)?));
            }
            // A checkout that lost some would pass for the whole.
            assert!(cases.len() >= 318 + OWN.len(), "{} cases", cases.len());
        }
        Err(_) => writeln!(
            stderr(),
            "no JSONTestSuite at `{}` (HOOKGATE_CORPUS): using {} cases of our own",
            folder.display(),
            OWN.len()
        )?,
    }
    cases.sort();
    Ok(cases)
}

/// Makes the request that a gate would forward for this payload.
fn past_the_gate(event: &Event) -> Result<Delivery> {
    let now = Timestamp::from_unix_seconds(
        std::time::SystemTime::now()
            .duration_since(std::time::SystemTime::UNIX_EPOCH)?
            .as_secs(),
    )
    .to_string();
    let signature = PLATFORM.sign_at(&event.payload, std::time::SystemTime::now())?;
    Delivery::post("/v1/events", event.payload.clone())
        .header("stripe-signature", signature)?
        .header("ce-specversion", "1.0")?
        .header("ce-id", &event.id)?
        .header("ce-type", "a.b")?
        .header("ce-source", "/hookgate/stripe")?
        .header("ce-endpoint", PLATFORM.name)?
        .header("ce-secretname", "primary")?
        .header("ce-signedat", &now)?
        .header("ce-receivedat", &now)?
        .header(
            "traceparent",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        )
}

fn event(before: &str, text: &[u8], after: &str) -> Event {
    let id = fresh_id();
    let before = format!(r#"{{"id": "{id}", {before}"#);
    let payload = [before.as_bytes(), text, after.as_bytes()].concat();
    Event {
        payload: payload.into(),
        id,
    }
}

#[tokio::test]
async fn every_json_case_gets_one_verdict_from_gate_and_upstream() -> Result<()> {
    let upstream = Upstream::sqlite().await?;
    let quota = r#""quotas": {"sources": {"rate": 60, "per_seconds": 60, "burst": 100}},"#;
    let envoy = Setup::shipped()
        .edit(quota, "")
        .start(upstream.address())
        .await?;
    let (mut stored, mut refused) = (0, 0);
    for (name, text) in cases()? {
        // As the value of a field in the middle, as a whole payload, and behind one.
        let in_the_middle = event(
            r#""data": "#,
            &text,
            r#", "object": "event", "type": "a.b"}"#,
        );
        let alone = Event {
            id: fresh_id(),
            payload: Bytes::from(text.clone()),
        };
        let behind_it = event(r#""object": "event", "type": "a.b"}"#, &text, "");
        for (place, event) in [
            ("in the middle", in_the_middle),
            ("alone", alone),
            ("behind", behind_it),
        ] {
            let at_the_door = envoy.send(PLATFORM.deliver(&event)?).await?;
            let past_it = client::send(upstream.address(), past_the_gate(&event)?).await?;
            let what = format!("{name} {place}");
            let verdict = (at_the_door.status, at_the_door.code());
            match verdict.1.as_str() {
                "stored" => {
                    stored += 1;
                    // The upstream took it as well, so here it is one again.
                    assert_eq!(past_it.code(), "duplicate", "{what}");
                }
                "payload_invalid" => {
                    refused += 1;
                    let same = (past_it.status, past_it.code());
                    assert_eq!(same, verdict, "{what}");
                }
                _ => anyhow::bail!("{what}: {at_the_door:?}"),
            }
            if place == "in the middle" {
                let is_json = verdict.1 == "stored";
                match name.get(..2) {
                    Some("y_") => assert!(is_json, "{what}"),
                    Some("n_") => assert!(!is_json, "{what}"),
                    _ => {}
                }
            }
        }
    }
    eprintln!("{stored} stored, {refused} refused");
    assert!(stored > 3 && refused > 3);
    assert_eq!(envoy.admin().vm_reloads().await?, 0);
    assert_eq!(upstream.log().entries().await?.len(), stored);
    Ok(())
}

/// What only size makes hard: 16 MiB are allowed here.
#[tokio::test]
async fn deep_and_wide_json_is_read_or_refused_and_never_traps() -> Result<()> {
    const LIMIT: usize = 16 * 1_048_576;
    const DEEP: usize = 100_000;
    const WIDE: usize = 1_000_000;
    let gate = serde_json::json!({
        "endpoints": [{
            "name": PLATFORM.name, "path": PLATFORM.path, "keyring": "file",
            "max_body_bytes": LIMIT,
        }],
        "keyrings": [{"name": "file", "filter_state": "hookgate.secrets"}],
    });
    let setup = Setup::shipped().gate(gate).edit(
        "request_body_buffer_limit: 2162688",
        &format!("request_body_buffer_limit: {}", LIMIT + 65_536),
    );
    let (envoy, script) = on_script(setup, []).await?;
    let mut keys = String::new();
    for number in 0..WIDE {
        keys.push_str(&format!("\"k{number:x}\":0,"));
    }
    let tail = r#""object": "event", "type": "a.b"}"#;
    let nested = |open: &str, close: &str| {
        let (open, close) = (open.repeat(DEEP), close.repeat(DEEP));
        event(
            r#""data": "#,
            format!("{open}0{close}").as_bytes(),
            &format!(", {tail}"),
        )
    };
    let cases = [
        ("arrays in arrays", nested("[", "]"), true),
        ("objects in objects", nested("{\"a\":", "}"), true),
        ("arrays that stay open", nested("[", ""), false),
        ("objects that stay open", nested("{\"a\":", ""), false),
        (
            "a million keys below",
            event(
                r#""data": {"#,
                keys.as_bytes(),
                &format!("\"z\":0}}, {tail}"),
            ),
            true,
        ),
        (
            "a million keys at the top",
            event("", keys.as_bytes(), tail),
            false,
        ),
        (
            "one key a million times",
            event(
                r#""data": {"#,
                "\"k\":0,".repeat(WIDE).as_bytes(),
                &format!("\"z\":0}}, {tail}"),
            ),
            true,
        ),
        (
            "the id twice",
            event(r#""id": "evt_other", "#, b"", tail),
            false,
        ),
        (
            "the id once more, escaped",
            event(r#""\u0069\u0064": "evt_other", "#, b"", tail),
            false,
        ),
        // What is below is not read, so it is only of JSON's grammar.
        (
            "a lone surrogate below",
            event(r#""data": "\ud800", "#, b"", tail),
            true,
        ),
        (
            "a lone surrogate for the type",
            event("", b"", r#""object": "event", "type": "\ud800"}"#),
            false,
        ),
        (
            "a zero byte in a string",
            event("\"data\": \"\0\", ", b"", tail),
            false,
        ),
        (
            "an escaped zero byte below",
            event(r#""data": "\u0000", "#, b"", tail),
            true,
        ),
        (
            "an escaped zero byte in the type",
            event("", b"", r#""object": "event", "type": "a\u0000b"}"#),
            false,
        ),
        (
            "a zero byte behind",
            event("", b"", "\"object\": \"event\", \"type\": \"a.b\"}\0"),
            false,
        ),
        (
            "a million digits",
            event(
                r#""data": "#,
                "9".repeat(WIDE).as_bytes(),
                &format!(", {tail}"),
            ),
            true,
        ),
        (
            "a string of 10 MiB",
            event(
                r#""data": ""#,
                "\\u00e9".repeat(1_700_000).as_bytes(),
                &format!("\", {tail}"),
            ),
            true,
        ),
    ];
    let mut stored = 0;
    for (what, event, is_event) in cases {
        let answer = envoy.send(PLATFORM.deliver(&event)?).await?;
        let expected = if is_event {
            "stored"
        } else {
            "payload_invalid"
        };
        eprintln!("{what}, {} bytes: {}", event.payload.len(), answer.code());
        assert_eq!(answer.code(), expected, "{what}: {answer:?}");
        stored += usize::from(is_event);
    }
    // Before it, a mark of the byte order: not what JSON begins with.
    let marked = event("", b"", tail);
    let marked = Event {
        payload: [b"\xef\xbb\xbf", &marked.payload[..]].concat().into(),
        ..marked
    };
    let answer = envoy.send(PLATFORM.deliver(&marked)?).await?;
    assert_eq!(answer.code(), "payload_invalid");
    script.expect_received(stored).await?;
    assert_eq!(envoy.admin().vm_reloads().await?, 0);
    Ok(())
}
