//! The filter itself: its settings, its secrets, its configuration.

use super::{check, finds, run, shipped, with};

#[test]
fn finds_what_opens_or_closes_the_gate() {
    for (from, to, severity, code, part) in [
        (
            "allow_on_headers_stop_iteration: true",
            "root_id: \"\"",
            "error",
            "stop_iteration",
            "                name: hookgate",
        ),
        (
            "allow_on_headers_stop_iteration: true",
            "allowOnHeadersStopIteration: false",
            "error",
            "stop_iteration",
            "allowOnHeadersStopIteration",
        ),
        (
            "failure_policy: FAIL_RELOAD",
            "failure_policy: FAIL_OPEN",
            "error",
            "fail_open",
            "FAIL_OPEN",
        ),
        (
            "failure_policy: FAIL_RELOAD",
            "fail_open: true",
            "error",
            "fail_open",
            "fail_open",
        ),
        (
            "failure_policy: FAIL_RELOAD",
            "failure_policy: FAIL_CLOSED",
            "warning",
            "failure_policy",
            "FAIL_CLOSED",
        ),
        (
            "vm_id: hookgate",
            "nack_on_code_cache_miss: true",
            "error",
            "vm_id_missing",
            "nack_on_code_cache_miss",
        ),
        (
            "vm_id: hookgate",
            "vm_id: \"\"",
            "error",
            "vm_id_missing",
            "vm_id: \"\"",
        ),
        (
            "- name: hookgate\n",
            "- name: hookgate\n            disabled: true\n",
            "error",
            "gate_disabled",
            "disabled: true",
        ),
        (
            "google.protobuf.StringValue",
            "google.protobuf.Struct",
            "error",
            "config_not_string",
            "google.protobuf.Struct",
        ),
    ] {
        finds(&with(from, to), severity, code, part);
    }
    let start = shipped().find("                configuration:\n").unwrap();
    let end = shipped()
        .find("          - name: envoy.filters.http.router")
        .unwrap();
    let without = format!("{}{}", &shipped()[..start], &shipped()[end..]);
    finds(
        &without,
        "error",
        "config_missing",
        "                name: hookgate",
    );
}

#[test]
fn finds_a_file_without_a_gate() {
    let start = shipped().find("          - name: hookgate\n").unwrap();
    let end = shipped()
        .find("          - name: envoy.filters.http.router")
        .unwrap();
    let without = format!("{}{}", &shipped()[..start], &shipped()[end..]);
    finds(&without, "error", "gate_missing", "node:");
    // A slip of the indentation takes everything out of Envoy's sight.
    let slipped = with("\nstatic_resources:\n", "\n");
    finds(&slipped, "error", "gate_missing", "node:");
}

#[test]
fn finds_plugins_that_share_the_gate_s_data() {
    let service = "\
bootstrap_extensions:
- name: other
  typed_config:
    \"@type\": type.googleapis.com/envoy.extensions.wasm.v3.WasmService
    config:
      vm_config: {vm_id: hookgate, runtime: envoy.wasm.runtime.v8}
static_resources:";
    finds(
        &with("static_resources:", service),
        "error",
        "vm_id_shared",
        "vm_config: {vm_id: hookgate",
    );
    let own = service.replace("vm_id: hookgate", "vm_id: other");
    assert_eq!(check(&with("static_resources:", &own)).0, []);
}

#[test]
fn finds_secrets_in_clear_and_never_shows_them() {
    let runtime = "runtime: envoy.wasm.runtime.v8";
    let variables = "environment_variables: {key_values: {EXTRA: TOPSECRET}}";
    let variables: &str = &format!("{runtime}\n                  {variables}");
    let comment = "# Without it a held request would wait for ever for its body.";
    let prefixed = "# STRIPE whsec_TOPSECRET";
    let in_place_of_a_name = "\"secrets\": [{\"name\": \"a\", \"env\": \"whsec_TOPSECRET\"}]}";
    for (from, to, part) in [
        (runtime, variables, "key_values"),
        (comment, prefixed, prefixed),
    ] {
        finds(&with(from, to), "error", "secret_in_clear", part);
    }
    for text in [
        with(runtime, variables),
        with(comment, prefixed),
        with("\"keyring\": \"file\"}", in_place_of_a_name),
        with("\"name\": \"stripe\",", "\"name\": \"whsec_TOPSECRET\","),
        with("\"name\": \"stripe\",", "\"whsec_TOPSECRET\": \"stripe\","),
        with("admin:", "admin: whsec_TOPSECRET: ["),
        with("admin:", "whsec_TOPSECRET: 1\nwhsec_TOPSECRET: 1\nadmin:"),
        with("vm_id: hookgate", "vm_id: whsec_TOPSECRET"),
        with("path: /webhooks/stripe}", "path: /whsec_TOPSECRET}"),
    ] {
        let (findings, exit) = check(&text);
        let is_it = |(_, code, _): &(String, String, u64)| code == "secret_in_clear";
        assert!(findings.iter().any(is_it), "{findings:?}");
        assert_eq!(exit, Some(1));
        for options in [&[][..], &["--json"], &["--strict"]] {
            let output = run(&text, options);
            let all = [output.stdout, output.stderr].concat();
            let all = String::from_utf8(all).unwrap();
            assert!(!all.contains("TOPSECRET"), "{all}");
        }
    }
}

#[test]
fn finds_secrets_of_envoy_s_own_in_clear() {
    let token = "  secrets: [{name: token, generic_secret: {secret: {inline_string: TOPSECRET}}}]";
    let text = with(
        "static_resources:\n",
        &format!("static_resources:\n{token}\n"),
    );
    finds(&text, "error", "secret_in_clear", token);
    let key = "private_key: {inlineBytes: VE9QU0VDUkVU}";
    let text = with("private_key: {filename: /etc/hookgate/tls/tls.key}", key);
    finds(&text, "error", "secret_in_clear", key);
}

#[test]
fn finds_what_the_gate_refuses_in_its_configuration() {
    let json = "\"max_entries\": 0";
    finds(
        &with("\"max_entries\": 1000000", json),
        "error",
        "plugin_config",
        json,
    );
    let misspelt = "\"upstream_timeout\": 10";
    finds(
        &with("\"upstream_timeout_seconds\": 10", misspelt),
        "error",
        "plugin_config",
        misspelt,
    );
    let cut = with("\"dedup\": {", "\"dedup\": [{");
    finds(&cut, "error", "plugin_config", "\"dedup\": [{");
}

#[test]
fn judges_what_the_gate_would_take() {
    let path = "\"path\": \"/webhooks/stripe";
    let raised = with(
        &format!("{path}\","),
        &format!("{path}\", \"tolerance_past_seconds\": 600,"),
    );
    finds(
        &raised,
        "info",
        "tolerance_raised",
        "tolerance_past_seconds",
    );
    let passing = with(
        "\"upstream_timeout_seconds\": 10",
        "\"pass_unknown_paths\": true",
    );
    finds(
        &passing,
        "warning",
        "unknown_paths_pass",
        "pass_unknown_paths",
    );
    let shared = shipped()
        .replace(
            &format!("{path}\","),
            &format!("{path}\", \"source\": \"shop\","),
        )
        .replace(
            &format!("{path}/connect\","),
            &format!("{path}/connect\",\n\"source\": \"shop\","),
        );
    let shared = shared.replace("\n\"source\"", "\n                          \"source\"");
    finds(
        &shared,
        "warning",
        "shared_source",
        "                          \"source\": \"shop\"",
    );
    let output = run(&shared, &["--strict"]);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn finds_variables_that_the_gate_can_not_see() {
    let named = "\"secrets\": [{\"name\": \"a\", \"env\": \"STRIPE_WEBHOOK_SECRET\"}]}";
    let keyrings = "                      \"keyrings\": [{\"name\": \"file\", \"filter_state\": \"hookgate.secrets\"}],\n";
    let may = "                      proxy_log: {}\n";
    let reads = format!(
        "{may}                      environ_get: {{}}\n                      environ_sizes_get: {{}}\n"
    );
    let text = with("\"keyring\": \"file\"}", named).replace(keyrings, "");
    let text = text.replace(may, &reads);
    let (findings, _) = check(&text);
    // Once for each endpoint.
    assert_eq!(findings.len(), 2);
    let line = super::line_of(&text, "                name: hookgate");
    for (_, code, found) in findings {
        assert_eq!((code.as_str(), found), ("env_not_passed", line));
    }
    let runtime = "runtime: envoy.wasm.runtime.v8";
    let keys = "environment_variables: {host_env_keys: [STRIPE_WEBHOOK_SECRET]}";
    let passed = format!("{runtime}\n                  {keys}");
    assert_eq!(check(&text.replace(runtime, &passed)).0, []);
}
