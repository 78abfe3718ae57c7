//! What is said in two places is the same in both.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(relative: &str) -> Result<String> {
    fs::read_to_string(root().join(relative)).with_context(|| relative.to_owned())
}

/// Finds what follows each `marker`, as far as it looks like a version.
fn versions_after<'a>(text: &'a str, marker: &str) -> Vec<&'a str> {
    text.split(marker)
        .skip(1)
        .map(|rest| {
            let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.');
            rest.split_at(end.unwrap_or(rest.len()))
                .0
                .trim_end_matches('.')
        })
        .filter(|version| version.contains('.'))
        .collect()
}

/// Names every place whose version after `marker` is another than `expected`.
fn strays(files: &[(&str, String)], marker: &str, expected: &str) -> Vec<String> {
    files
        .iter()
        .flat_map(|(file, text)| {
            versions_after(text, marker)
                .into_iter()
                .filter(|version| *version != expected)
                .map(move |version| format!("{file}: {marker}{version}"))
        })
        .collect()
}

fn texts(names: &[&'static str]) -> Result<Vec<(&'static str, String)>> {
    names.iter().map(|name| Ok((*name, read(name)?))).collect()
}

#[test]
fn the_images_of_envoy_are_of_the_pinned_version() -> Result<()> {
    let pinned = read("envoy/VERSION")?;
    let files = texts(&[
        "envoy/Containerfile",
        "envoy/compose.yaml",
        "envoy/compose.cluster.yaml",
        "envoy/README.md",
    ])?;
    let marker = "envoyproxy/envoy:v";
    assert!(!versions_after(&files[0].1, marker).is_empty());
    assert!(!versions_after(&files[1].1, marker).is_empty());
    assert!(!versions_after(&files[2].1, marker).is_empty());
    assert_eq!(strays(&files, marker, pinned.trim()), Vec::<String>::new());
    Ok(())
}

#[test]
fn compose_runs_the_nats_server_that_is_tested() -> Result<()> {
    let pinned = read("xtask/src/tools/nats_server.rs")?;
    let pinned = pinned
        .split_once("const VERSION: &str = \"")
        .and_then(|(_, rest)| rest.split_once('"'))
        .context("xtask/src/tools/nats_server.rs pins a version")?
        .0;
    for (file, text) in texts(&["envoy/compose.yaml", "envoy/compose.cluster.yaml"])? {
        assert_eq!(versions_after(&text, "library/nats:"), [pinned], "{file}");
    }
    Ok(())
}

#[test]
fn envoy_lets_in_no_more_than_nats_takes() -> Result<()> {
    let envoy = read("envoy/envoy.yaml")?;
    let limit: u64 = envoy
        .split_once("request_body_buffer_limit: ")
        .and_then(|(_, rest)| rest.split_whitespace().next())
        .context("envoy.yaml sets a body limit")?
        .parse()?;
    for (file, nats) in texts(&["envoy/nats.conf", "envoy/nats.cluster.conf"])? {
        let payload: u64 = nats
            .split_once("max_payload: ")
            .and_then(|(_, rest)| rest.split_once("MB"))
            .with_context(|| format!("{file} sets a payload limit in MB"))?
            .0
            .parse()?;
        // Attributes and the signature header travel in the same message.
        assert!(
            limit + 65_536 <= payload * 1_048_576,
            "{file}: {limit} of {payload} MB"
        );
    }
    Ok(())
}

#[test]
fn finds_a_stray_version() {
    let files = [
        ("a", "FROM envoy:v1.40.0".to_owned()),
        ("b", "envoy:v1.39.2, envoy:v1.40.0.".to_owned()),
    ];
    assert_eq!(strays(&files, "envoy:v", "1.40.0"), ["b: envoy:v1.39.2"]);
}
