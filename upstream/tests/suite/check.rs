//! `hookgate check-config`: the shipped file is right, and every way to spoil it is found.

mod around;
mod door;
mod gate;
mod hardening;
mod keyring;
mod spelling;
mod store;

use std::{
    io::Write as _,
    process::{Command, Output, Stdio},
};

use serde_json::Value;

use crate::harness::hookgate;

/// The configuration that operators copy.
fn shipped() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../envoy/envoy.yaml");
    std::fs::read_to_string(path).unwrap()
}

/// The shipped configuration with one text replaced wherever it stands.
fn with(from: &str, to: &str) -> String {
    let text = shipped();
    assert!(text.contains(from), "the shipped file has no `{from}`");
    text.replace(from, to)
}

fn run(text: &str, options: &[&str]) -> Output {
    let mut command: Command = hookgate();
    let mut child = command
        .args(["check-config", "-"])
        .args(options)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(text.as_bytes()).unwrap();
    drop(stdin);
    child.wait_with_output().unwrap()
}

/// Every finding as (severity, code, line), and the exit code.
fn check(text: &str) -> (Vec<(String, String, u64)>, Option<i32>) {
    let output = run(text, &["--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let findings = report["findings"].as_array().unwrap();
    let part = |finding: &Value, name: &str| finding[name].as_str().unwrap().to_owned();
    let lines = findings.iter().map(|finding| {
        for text in ["problem", "why", "fix"] {
            assert_ne!(finding[text], "", "{finding}");
        }
        let line = finding["line"].as_u64().unwrap();
        (part(finding, "severity"), part(finding, "code"), line)
    });
    (lines.collect(), output.status.code())
}

/// The number of the first line that is a text, or else has it.
fn line_of(text: &str, part: &str) -> u64 {
    let number = |is_it: &dyn Fn(&str) -> bool| {
        let mut lines = text.lines().zip(1..);
        lines
            .find(|(line, _)| is_it(line))
            .map(|(_, number)| number)
    };
    number(&|line| line.trim() == part.trim())
        .or_else(|| number(&|line| line.contains(part)))
        .unwrap_or_else(|| panic!("no line has `{part}`"))
}

/// Checks that a text has exactly one finding, on the first line with a part.
fn finds(text: &str, severity: &str, code: &str, part: &str) {
    let (findings, exit) = check(text);
    let expected = (severity.to_owned(), code.to_owned(), line_of(text, part));
    assert_eq!(findings, [expected]);
    assert_eq!(exit, Some(i32::from(severity == "error")), "{code}");
}

#[test]
fn has_nothing_against_the_shipped_file() {
    assert_eq!(check(&shipped()), (vec![], Some(0)));
    let output = run(&shipped(), &["--strict"]);
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    for part in [
        "/webhooks/stripe/connect",
        "stripe-connect",
        "1000000 entries (31 MiB), each kept for 72 h",
        "keyring `file` from the filter state `hookgate.secrets`",
        "failures of each sender: 100 in 100 s, over it: 429",
        "0 errors and 0 warnings",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn has_nothing_against_the_complete_example() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../envoy/complete.yaml");
    let text = std::fs::read_to_string(path).unwrap();
    assert_eq!(check(&text), (vec![], Some(0)));
}

#[test]
fn reads_the_plugin_s_configuration_alone_and_envoy_s_as_json() {
    let plugin = "{\n\t\"endpoints\": [\n\t\t{\"name\": \"a\", \"path\": \"/a\",\n\t\t \"source\": \"A\",\n\t\t\"secrets\": [{\"name\": \"b\", \"env\": \"C\"}]}]\n}";
    finds(plugin, "error", "plugin_config", "\"source\": \"A\"");
    assert_eq!(check(&plugin.replace("\"A\"", "\"a\"")), (vec![], Some(0)));
    finds("{\"endpoints\": [}", "error", "syntax", "endpoints");
    finds("a: [1\nb: ]2", "error", "syntax", "b: ]2");

    let envoy = "{\"static_resources\": {\n\t\"listeners\": []}}";
    let (findings, exit) = check(envoy);
    let codes: Vec<&str> = findings.iter().map(|(_, code, _)| code.as_str()).collect();
    assert_eq!(codes, ["gate_missing", "overload_manager"]);
    assert_eq!(exit, Some(1));
}

#[test]
fn says_what_is_done_about_verdicts() {
    let plugin = |watch: &str| {
        let endpoints = r#"[{"name": "a", "path": "/a", "secrets": [{"name": "b", "env": "C"}]}]"#;
        format!(r#"{{"endpoints": {endpoints}, "watch": {watch}}}"#)
    };
    let said = |watch: &str| {
        let output = run(&plugin(watch), &[]);
        String::from_utf8(output.stdout).unwrap()
    };
    let held = "protects    marks what a stranger signs, to be held at the upstream";
    let shed = "protects    sheds deliveries during a cascade";
    let both = said(r#"{"protect": {"cascade": true, "secret_suspect": true}}"#);
    assert!(both.contains(held) && both.contains(shed), "{both}");
    let none = said("{}");
    assert!(!none.contains("protects"), "{none}");
}

#[test]
fn reads_the_filter_in_a_patch() {
    let start = shipped().find("          - name: hookgate\n").unwrap() + 10;
    let end = shipped()
        .find("          - name: envoy.filters.http.router")
        .unwrap();
    let filter = &shipped()[start..end];
    let patch = |filter: &str| {
        format!(
            "kind: EnvoyFilter\nspec:\n  configPatches:\n  - patch:\n      value:\n          {}",
            filter.replacen("- name", "  name", 1)
        )
    };
    finds(&patch(filter), "info", "not_checked", "kind: EnvoyFilter");
    let open = patch(&filter.replace("FAIL_RELOAD", "FAIL_OPEN"));
    let (findings, exit) = check(&open);
    let expected = (
        "error".to_owned(),
        "fail_open".to_owned(),
        line_of(&open, "FAIL_OPEN"),
    );
    assert!(findings.contains(&expected), "{findings:?}");
    assert_eq!(exit, Some(1));
}

#[test]
fn tells_apart_what_it_can_not_read() {
    let output = hookgate()
        .args(["check-config", "/nowhere/envoy.yaml"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(
        message.contains("can't read `/nowhere/envoy.yaml`"),
        "{message}"
    );
}
