use alloc::{
    format,
    string::{String, ToString},
};

use super::{Config, ConfigError};

fn with(fields: &str) -> String {
    let secrets = r#""secrets": [{"name": "primary", "env": "SECRET"}]"#;
    format!(r#"{{"endpoints": [{{"name": "stripe", "path": "/hooks", {secrets}}}]{fields}}}"#)
}

fn with_endpoint(endpoint: &str) -> String {
    format!(r#"{{"endpoints": [{endpoint}]}}"#)
}

fn refusal(json: &str) -> String {
    Config::from_json(json.as_bytes()).unwrap_err().to_string()
}

#[test]
fn fills_in_the_defaults() {
    let config = Config::from_json(with("").as_bytes()).unwrap();
    let endpoint = &config.endpoints[0];
    assert_eq!(endpoint.source.as_str(), "stripe");
    assert_eq!(endpoint.tolerance.past.as_secs(), 300);
    assert_eq!(endpoint.tolerance.future.as_secs(), 300);
    assert_eq!(endpoint.max_body_bytes, 2_097_152);
    assert_eq!(config.dedup.max_entries, 1_000_000);
    assert_eq!(config.dedup.retention.as_secs(), 72 * 3_600);
    assert_eq!(config.dedup.lease.as_secs(), 30);
    assert_eq!(config.upstream_timeout.as_secs(), 10);
    assert!(!config.pass_unknown_paths);
    assert!(!config.trust_traceparent);
}

#[test]
fn names_path_found_and_expected() {
    for (fields, text) in [
        (
            r#", "dedup": {"lease_seconds": 1}"#,
            "dedup.lease_seconds: found `1`, expected 2 to 600",
        ),
        (
            r#", "dedup": {"max_entries": 0}"#,
            "dedup.max_entries: found `0`, expected 1 to 100000000",
        ),
        (
            r#", "dedup": {"retention_seconds": 59}"#,
            "dedup.retention_seconds: found `59`, expected 60 to 2592000",
        ),
        (
            r#", "upstream_timeout_seconds": 30"#,
            "upstream_timeout_seconds: found `30`, expected 1 to 29, below dedup.lease_seconds",
        ),
        (
            r#", "upstream_timeout_seconds": 0"#,
            "upstream_timeout_seconds: found `0`, expected 1 to 29, below dedup.lease_seconds",
        ),
        (
            r#", "dedup": {"lease_seconds": "30"}"#,
            r#"dedup.lease_seconds: invalid type: string "30", expected u64 at line 1 column 136"#,
        ),
    ] {
        assert_eq!(refusal(&with(fields)), text);
    }
}

#[test]
fn refuses_unknown_and_missing_fields_and_what_is_not_json() {
    for (json, path) in [
        (with(r#", "dedupe": {}"#), "dedupe"),
        (with(r#", "dedup": {"lease": 30}"#), "dedup.lease"),
        (with_endpoint(r#"{"name": "a"}"#), "endpoints[0]"),
        (with("") + "x", "configuration"),
        (String::new(), "configuration"),
        ("[]".to_string(), "configuration"),
    ] {
        match Config::from_json(json.as_bytes()) {
            Err(ConfigError::Shape { path: found, .. }) => assert_eq!(found, path, "{json}"),
            other => panic!("{json}: {other:?}"),
        }
    }
}

#[test]
fn a_list_of_values_is_no_object() {
    for (json, path) in [
        (with_endpoint(r#"["a", "/a"]"#), "endpoints[0]"),
        (with(r#", "dedup": [1000, 60, 30]"#), "dedup"),
        (with(r#", "quotas": {"overall": [5, 1]}"#), "quotas.overall"),
        (with(r#", "keyrings": [["k", "k"]]"#), "keyrings[0]"),
    ] {
        let error = refusal(&json);
        let start = format!("{path}: invalid type: sequence, expected ");
        assert!(error.starts_with(&start), "{json}: {error}");
    }
}

#[test]
fn no_endpoint_and_no_keyring_is_called_like_a_word_of_the_counters() {
    let words = "expected another name: statistics are taken apart by the words `action`, `endpoint`, `keyring`, `kind`, `other`, `outcome`, `quota`, `reason`, `result`, `scheme`, `secret`, `stage`, `worker`";
    for word in ["action", "endpoint", "keyring", "other", "secret", "worker"] {
        let endpoint = with("").replace(r#""name": "stripe""#, &format!(r#""name": "{word}""#));
        assert_eq!(
            refusal(&endpoint),
            format!("endpoints[0].name: found `{word}`, {words}")
        );
        let keyring = with(&format!(
            r#", "keyrings": [{{"name": "{word}", "filter_state": "k"}}]"#
        ));
        assert_eq!(
            refusal(&keyring),
            format!("keyrings[0].name: found `…`, {words}")
        );
    }
    let secret = with("").replace(r#""name": "primary""#, r#""name": "secret""#);
    assert!(Config::from_json(secret.as_bytes()).is_ok());
}

#[test]
fn refuses_endpoints_that_could_be_taken_for_each_other() {
    let endpoint = |name: &str, path: &str, more: &str| {
        format!(
            r#"{{"name": "{name}", "path": "{path}", "secrets": [{{"name": "a", "env": "A"}}]{more}}}"#
        )
    };
    let two = |a: String, b: String| with_endpoint(&format!("{a}, {b}"));
    let a = || endpoint("a", "/a", "");
    assert_eq!(
        refusal(&two(a(), endpoint("a", "/b", ""))),
        "endpoints[1].name: found `a`, expected one that no other has"
    );
    assert_eq!(
        refusal(&two(a(), endpoint("b", "/a", ""))),
        "endpoints[1].path: found `/a`, expected one that no other has"
    );
    assert_eq!(
        refusal(&two(a(), endpoint("b", "/b", r#", "source": "a""#))),
        "endpoints[1].source: found `a`, expected a source of its own, or both endpoints to name the shared one and to have one scheme"
    );
    let shared = r#", "source": "shared""#;
    let both = two(endpoint("a", "/a", shared), endpoint("b", "/b", shared));
    assert!(Config::from_json(both.as_bytes()).is_ok());
}

#[test]
fn refuses_paths_that_envoy_would_rewrite() {
    for path in [
        "", "hooks", "/a?b", "/a#b", "/a//b", "/a/../b", "/a/.", "/a%2fb", "/é", "/a b",
    ] {
        let json = with_endpoint(&format!(
            r#"{{"name": "a", "path": "{path}", "secrets": [{{"name": "a", "env": "A"}}]}}"#
        ));
        assert!(
            refusal(&json).starts_with(&format!("endpoints[0].path: found `{path}`, expected a")),
            "{path}"
        );
    }
}

#[test]
fn refuses_too_few_and_too_many_secrets() {
    let json = |count: usize| {
        let secrets: alloc::vec::Vec<_> = (0..count)
            .map(|number| format!(r#"{{"name": "s{number}", "env": "S{number}"}}"#))
            .collect();
        let secrets = secrets.join(", ");
        with_endpoint(&format!(
            r#"{{"name": "a", "path": "/a", "secrets": [{secrets}]}}"#
        ))
    };
    assert!(Config::from_json(json(8).as_bytes()).is_ok());
    assert_eq!(
        refusal(&json(9)),
        "endpoints[0].secrets: found `9 entries`, expected 0 to 8"
    );
    assert_eq!(
        refusal(&json(0)),
        "endpoints[0]: found `neither`, expected `keyring`, `secrets` or both"
    );
}

#[test]
fn never_shows_a_secret_pasted_into_a_wrong_field() {
    let hidden = "5WbX5kEWLlfzsGNjH64I8lOOqUB6e8FH";
    for pasted in [format!("whsec_{hidden}"), hidden.to_string()] {
        for secrets in [
            format!(r#"["{pasted}"]"#),
            format!(r#""{pasted}""#),
            format!(r#"[{{"{pasted}": 1}}]"#),
            format!(r#"[{{"name": "a", "env": "{pasted}"}}]"#),
            format!(r#"[{{"name": "a", "env": ["{pasted}"]}}]"#),
            format!(r#"[{{"name": "{pasted}", "env": "A"}}]"#),
        ] {
            let json = with_endpoint(&format!(
                r#"{{"name": "a", "path": "/a", "secrets": {secrets}}}"#
            ));
            assert!(!refusal(&json).contains(hidden), "{json}");
        }
    }
    // Fields in which a secret of any form may be looked for a place for.
    for pasted in [
        format!("whsec_{hidden}"),
        hidden.to_string(),
        format!("{hidden}`, x\\\"y"),
        hidden.to_lowercase(),
    ] {
        for (endpoint, keyring) in [
            (format!(r#""keyring": "{pasted}""#), String::new()),
            (format!(r#""keyring": ["{pasted}"]"#), String::new()),
            (format!(r#""scheme": "{pasted}""#), String::new()),
            (format!(r#""scheme": {{"{pasted}": 1}}"#), String::new()),
            (
                format!(r#""scheme": {{"hmac": "{pasted}"}}"#),
                String::new(),
            ),
            (
                format!(r#""scheme": {{"hmac": {{"{pasted}": 1}}}}"#),
                String::new(),
            ),
            (
                format!(
                    r#""scheme": {{"hmac": {{"signature_header": "x", "encoding": "{pasted}"}}}}"#
                ),
                String::new(),
            ),
            (
                format!(
                    r#""scheme": {{"hmac": {{"signature_header": "{pasted}{pasted}", "encoding": "hex"}}}}"#
                ),
                String::new(),
            ),
            (
                format!(
                    r#""scheme": {{"hmac": {{"signature_header": "x", "encoding": "hex", "prefix": "{pasted}{pasted}"}}}}"#
                ),
                String::new(),
            ),
            (
                format!(
                    r#""scheme": {{"hmac": {{"signature_header": "x", "encoding": "hex", "signed": ["body", {{"text": "{pasted} {pasted}"}}]}}}}"#
                ),
                String::new(),
            ),
            (
                format!(
                    r#""scheme": {{"hmac": {{"signature_header": "x", "encoding": "hex", "signed": ["body", "{pasted}"]}}}}"#
                ),
                String::new(),
            ),
            (
                format!(
                    r#""scheme": {{"hmac": {{"signature_header": "x", "encoding": "hex", "id": {{"{pasted}": "id"}}}}}}"#
                ),
                String::new(),
            ),
            (
                format!(
                    r#""scheme": {{"hmac": {{"signature_header": "x", "encoding": "hex", "timestamp_header": "{pasted}"}}}}"#
                ),
                String::new(),
            ),
            (
                r#""keyring": "k""#.into(),
                format!(r#""name": "k", "filter_state": "{pasted} {pasted}""#),
            ),
            (
                r#""keyring": "k""#.into(),
                format!(r#""name": "k", "filter_state": ["{pasted}"]"#),
            ),
            (
                r#""keyring": "k""#.into(),
                format!(r#""name": "k", "filter_state": "k", "{pasted}": 1"#),
            ),
            (
                r#""keyring": "k""#.into(),
                format!(r#""name": "k", "http": "{pasted}""#),
            ),
            (
                r#""keyring": "k""#.into(),
                format!(
                    r#""name": "k", "http": {{"cluster": "{pasted} ", "authority": "a", "path": "/a"}}"#
                ),
            ),
            (
                r#""keyring": "k""#.into(),
                format!(
                    r#""name": "k", "http": {{"cluster": "a", "authority": "a", "path": "{pasted}"}}"#
                ),
            ),
            (
                r#""keyring": "k""#.into(),
                format!(r#""name": "{pasted}", "filter_state": "k""#),
            ),
        ] {
            let keyring = if keyring.is_empty() {
                keyring
            } else {
                format!("{{{keyring}}}")
            };
            let json = format!(
                r#"{{"keyrings": [{keyring}], "endpoints": [{{"name": "a", "path": "/a", {endpoint}}}]}}"#
            );
            let error = refusal(&json);
            assert!(
                !error.to_lowercase().contains(&hidden.to_lowercase()),
                "{json}: {error}"
            );
        }
    }
    for endpoint in [
        format!(r#"{{"name": "a", "path": "/a", "whsec_{hidden}": 1, "secrets": []}}"#),
        format!(r#"{{"name": "whsec_{hidden}", "path": "/a", "secrets": []}}"#),
        format!(r#"{{"name": "a", "path": "whsec_{hidden}", "secrets": []}}"#),
    ] {
        assert!(
            !refusal(&with_endpoint(&endpoint)).contains(hidden),
            "{endpoint}"
        );
    }
}

#[test]
fn says_what_is_wrong_among_secrets_without_quoting_it() {
    for (secrets, text) in [
        (
            r#"["pasted"]"#,
            "endpoints[0].secrets[0]: invalid type: string …, expected an object with name and env at line 1 column 63",
        ),
        (
            r#"[{"secret": "pasted"}]"#,
            "endpoints[0].secrets[0].secret: unknown field `secret`, expected one of `name`, `env`, `not_before`, `not_after`, `livemode`, `connect` at line 1 column 64",
        ),
        (
            r#"[{"Pasted": 1}]"#,
            "endpoints[0].secrets[0]: unknown field, expected one of `name`, `env`, `not_before`, `not_after`, `livemode`, `connect` at line 1 column 64",
        ),
        (
            r#"[{"name": "a", "env": "pasted"}]"#,
            "endpoints[0].secrets[0].env: found `…`, expected the name of an environment variable, [A-Z_][A-Z0-9_]*, not the secret",
        ),
    ] {
        let json = with_endpoint(&format!(
            r#"{{"name": "a", "path": "/a", "secrets": {secrets}}}"#
        ));
        assert_eq!(refusal(&json), text);
    }
}

#[test]
fn cuts_long_values_between_characters() {
    let name = "é".repeat(500);
    let json = with_endpoint(&format!(
        r#"{{"name": "{name}", "path": "/a", "secrets": [{{"name": "a", "env": "A"}}]}}"#
    ));
    assert_eq!(
        refusal(&json),
        format!(
            "endpoints[0].name: found `{}`, expected 1 to 64 of the characters a-z, 0-9 and -",
            "é".repeat(40)
        )
    );
}

#[test]
fn cuts_long_names_and_texts_that_the_parser_quotes() {
    let (long, cut) = ("x".repeat(500), "x".repeat(80));
    let error = refusal(&with(&format!(r#", "{long}": 1"#)));
    let start = format!("{cut}: unknown field `{cut}`, expected one of `endpoints`, ");
    assert!(error.starts_with(&start), "{error}");
    let error = refusal(&with(&format!(r#", "dedup": "{long}""#)));
    let start = format!(r#"dedup: invalid type: string "{cut}", expected the dedup settings"#);
    assert!(error.starts_with(&start), "{error}");
}

mod fields;
mod unsigned;
