//! The README's tables say what the types say.

#![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

use std::collections::BTreeSet;

use hookgate_core::{
    config::{
        Config, DEFAULT_DEDUP, DEFAULT_ENDPOINT, DEFAULT_UPSTREAM_TIMEOUT_SECONDS, LEASE_SECONDS,
        MAX_BODY_BYTES, MAX_ENDPOINTS, MAX_ENTRIES, MAX_SECRETS, RETENTION_SECONDS,
        TOLERANCE_SECONDS,
    },
    reply::Code,
};

const README: &str = include_str!("../../README.md");

/// Answers in the table that others than the gate make.
const NOT_THE_GATES: [&str; 2] = ["stored", "bad_request"];

fn rows(header: &str) -> Vec<Vec<&'static str>> {
    README
        .lines()
        .skip_while(|line| !line.starts_with(header))
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect()
}

#[test]
fn the_table_of_answers_is_the_codes() {
    let listed: BTreeSet<_> = rows("| status | code |")
        .iter()
        .map(|row| (row[0].to_owned(), row[1].trim_matches('`').to_owned()))
        .filter(|(_, code)| !NOT_THE_GATES.contains(&code.as_str()))
        .collect();
    let codes: BTreeSet<_> = Code::ALL
        .iter()
        .map(|code| (code.status().to_string(), code.as_str().to_owned()))
        .collect();
    assert_eq!(listed, codes);
}

/// Asks the parser itself which fields an object has: it lists them when it
/// refuses an unknown one.
fn fields(json: &str, prefix: &str) -> Vec<String> {
    let refusal = Config::from_json(json.as_bytes()).unwrap_err().to_string();
    let (_, expected) = refusal.split_once("expected ").unwrap();
    let names = expected.split('`').skip(1).step_by(2);
    names.map(|name| format!("{prefix}{name}")).collect()
}

#[test]
fn the_configuration_table_lists_every_field() {
    let unknown = r#"{"unknown": 0}"#;
    let mut expected = fields(unknown, "");
    expected.extend(fields(
        &format!(r#"{{"endpoints": [{unknown}]}}"#),
        "endpoints[].",
    ));
    expected.extend(fields(
        &format!(r#"{{"endpoints": [{{"secrets": [{unknown}]}}]}}"#),
        "endpoints[].secrets[].",
    ));
    expected.extend(fields(&format!(r#"{{"dedup": {unknown}}}"#), "dedup."));
    // An object with defaults alone; its fields have rows.
    expected.retain(|field| field != "dedup");

    let listed = rows("| field | default |");
    let listed: BTreeSet<_> = listed
        .iter()
        .map(|row| row[0].trim_matches('`').to_owned())
        .collect();
    assert_eq!(listed, expected.into_iter().collect::<BTreeSet<_>>());
}

#[test]
fn the_configuration_table_has_the_defaults_and_bounds() {
    let rows = rows("| field | default |");
    let range =
        |bounds: std::ops::RangeInclusive<u64>| format!("{} to {}", bounds.start(), bounds.end());
    let tolerance = DEFAULT_ENDPOINT.tolerance_seconds.to_string();
    for (field, default, bounds) in [
        (
            "endpoints",
            "required".into(),
            format!("1 to {MAX_ENDPOINTS}"),
        ),
        (
            "endpoints[].secrets",
            "required".into(),
            format!("1 to {MAX_SECRETS}"),
        ),
        (
            "endpoints[].tolerance_past_seconds",
            tolerance.clone(),
            range(TOLERANCE_SECONDS),
        ),
        (
            "endpoints[].tolerance_future_seconds",
            tolerance,
            range(TOLERANCE_SECONDS),
        ),
        (
            "endpoints[].max_body_bytes",
            DEFAULT_ENDPOINT.max_body_bytes.to_string(),
            range(MAX_BODY_BYTES),
        ),
        (
            "dedup.max_entries",
            DEFAULT_DEDUP.max_entries.to_string(),
            range(MAX_ENTRIES),
        ),
        (
            "dedup.retention_seconds",
            DEFAULT_DEDUP.retention.as_secs().to_string(),
            range(RETENTION_SECONDS),
        ),
        (
            "dedup.lease_seconds",
            DEFAULT_DEDUP.lease.as_secs().to_string(),
            range(LEASE_SECONDS),
        ),
        (
            "upstream_timeout_seconds",
            DEFAULT_UPSTREAM_TIMEOUT_SECONDS.to_string(),
            "1 to the lease less 1".into(),
        ),
    ] {
        let row = rows
            .iter()
            .find(|row| row[0] == format!("`{field}`"))
            .unwrap();
        assert_eq!(
            (row[1], row[2]),
            (default.as_str(), bounds.as_str()),
            "{field}"
        );
    }
}
