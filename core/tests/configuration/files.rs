//! The files that are made of the types are up to date.

use std::{env, fs, path::Path};

use hookgate_core::{
    config::{self, Config, MAX_SECRETS},
    keyring::{Keyring, MAX_KEYRING_BYTES},
    scheme::Scheme,
};

use crate::{EXAMPLE, markdown};

const KEYS: &str = include_str!("../../../envoy/keys.example.json");
const README: &str = include_str!("../../../README.md");
const BLESS: &str =
    "HOOKGATE_BLESS=1 cargo test -p hookgate-core --features schema --test configuration";

/// Compares a file of the repository with what it has to be, or writes it.
fn assert_is(relative: &str, expected: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(relative);
    if env::var_os("HOOKGATE_BLESS").is_some() {
        fs::write(path, expected).unwrap();
        return;
    }
    let found = fs::read_to_string(path).unwrap_or_default();
    assert!(found == expected, "{relative} is out of date; run: {BLESS}");
}

#[test]
fn the_schema_is_that_of_the_types() {
    let schema = serde_json::to_string_pretty(&config::schema()).unwrap();
    assert_is("envoy/hookgate.schema.json", &(schema + "\n"));
}

#[test]
fn the_reference_is_that_of_the_types() {
    let schema = config::schema().to_value();
    let keyring = include_str!("keyring.md")
        .replace("{MAX_KEYRING_BYTES}", &MAX_KEYRING_BYTES.to_string())
        .replace("{MAX_SECRETS}", &MAX_SECRETS.to_string());
    let text = [
        include_str!("intro.md"),
        &format!("\n```json\n{EXAMPLE}```\n"),
        &markdown::sections(&schema),
        "\n",
        &keyring,
        &format!("```json\n{KEYS}```\n\nEach secret:\n\n"),
        &markdown::keyring_secret(&schema),
    ];
    assert_is("docs/configuration.md", &text.concat());
}

#[test]
fn the_readmes_configuration_is_one() {
    let (_, section) = README
        .split_once("\n## Configuration of the gate\n")
        .unwrap();
    let (_, json) = section.split_once("```json\n").unwrap();
    let (json, _) = json.split_once("```").unwrap();
    Config::from_json(json.as_bytes()).unwrap();
}

#[test]
fn the_references_keyrings_are_keyrings() {
    let parse = |text: &str| Keyring::parse(text.as_bytes(), |_| Some(&Scheme::Stripe));
    // As it is copied it opens nothing: everybody knows its secrets.
    let copied = parse(KEYS).unwrap_err().to_string();
    assert!(copied.contains("`...` of an example"), "{copied}");
    let keyring = parse(&KEYS.replace("...", "secret")).unwrap();
    assert_eq!(keyring.signers("stripe").len(), 2);
    // Every field of the reference's table, and no other.
    let schema = config::schema().to_value();
    let table = markdown::keyring_secret(&schema);
    let fields: Vec<_> = table
        .lines()
        .skip(2)
        .map(|row| {
            let name = row.split('`').nth(1).unwrap();
            let value = match name {
                "livemode" | "connect" => "true",
                "not_before" => r#""2026-11-01T00:00:00Z""#,
                "not_after" => r#""2026-12-01T00:00:00Z""#,
                _ => r#""a""#,
            };
            format!(r#""{name}": {value}"#)
        })
        .collect();
    assert_eq!(fields.len(), 6);
    let with = |fields: &str| format!(r#"{{"endpoints": {{"stripe": [{{{fields}}}]}}}}"#);
    parse(&with(&fields.join(", "))).unwrap();
    for (index, field) in fields.iter().enumerate() {
        let mut others = fields.clone();
        others.remove(index);
        let is_required = table
            .lines()
            .nth(index + 2)
            .unwrap()
            .contains("**required**");
        let is_refused = parse(&with(&others.join(", "))).is_err();
        assert_eq!(is_refused, is_required, "{field}");
    }
}
