//! Where the secrets come from, and where events of some types go.

use super::{check, finds, line_of, shipped, with};

/// The filter that hands the watched file over, and what stands around it.
fn parts() -> [String; 3] {
    let text = shipped();
    let start = text.find("          # Hands the watched file").unwrap();
    let end = text.find("          - name: hookgate\n").unwrap();
    [&text[..start], &text[start..end], &text[end..]].map(str::to_owned)
}

#[test]
fn finds_keyrings_that_are_not_there_in_time() {
    let [before, setter, after] = parts();
    let without = format!("{before}{after}");
    finds(&without, "error", "keyring_not_set", "- name: hookgate");
    let router = "          - name: envoy.filters.http.router";
    let late = without.replace(router, &format!("{setter}{router}"));
    finds(
        &late,
        "error",
        "keyring_set_late",
        "object_key: hookgate.secrets",
    );
    let other = with("object_key: hookgate.secrets", "object_key: other");
    finds(&other, "error", "keyring_not_set", "- name: hookgate");
}

#[test]
fn finds_files_that_are_not_watched_and_secrets_in_their_place() {
    let unwatched = with("keys.json:/etc/hookgate/secrets)", "keys.json)");
    finds(&unwatched, "error", "file_not_watched", "FILE_CONTENT(");
    let file = "%FILE_CONTENT(/etc/hookgate/secrets/keys.json:/etc/hookgate/secrets)%";
    let clear = with(file, "{endpoints: TOPSECRET}");
    finds(&clear, "error", "secret_in_clear", "TOPSECRET");
}

const FILE: &str = "%FILE_CONTENT(/etc/hookgate/secrets/keys.json:/etc/hookgate/secrets)%";

#[test]
fn finds_folders_that_are_not_the_files() {
    let elsewhere = with(
        "keys.json:/etc/hookgate/secrets)",
        "keys.json:/etc/hookgate/vault)",
    );
    finds(&elsewhere, "error", "file_not_watched", "FILE_CONTENT(");
    let above = with(
        "keys.json:/etc/hookgate/secrets)",
        "keys.json:/etc/hookgate)",
    );
    assert_eq!(check(&above).0, []);
}

#[test]
fn finds_keyrings_that_are_read_once() {
    let source = format!("inline_string: \"{FILE}\"");
    for once in [
        "filename: /etc/hookgate/secrets/keys.json",
        "environment_variable: KEYS",
        "filename: /etc/hookgate/secrets/keys.json\n                    watched_directory: {path: /etc/hookgate/secrets}",
    ] {
        let part = once.lines().next().unwrap();
        finds(&with(&source, once), "error", "file_not_watched", part);
    }
}

#[test]
fn finds_keyrings_that_a_sender_chooses() {
    for chosen in [
        "%REQ(x-keys)%",
        "%QUERY_PARAM(keys)%",
        "%CEL(request.headers['x-keys'])%",
        "%DYNAMIC_METADATA(a:b)%",
        "%REQUESTED_SERVER_NAME%",
        "{endpoints: {stripe: [{name: a, secret: %REQ(x)%}]}}",
        &format!("{FILE}%REQ(x-keys?y):20%"),
    ] {
        finds(&with(FILE, chosen), "error", "keyring_from_request", chosen);
    }
    let source = format!("text_format_source:\n                    inline_string: \"{FILE}\"");
    for (chosen, part) in [
        ("text_format: \"%REQ(x)%\"", "text_format:"),
        (
            "json_format: {endpoints: {stripe: \"%REQ(x)%\"}}",
            "json_format: {end",
        ),
        // %REQ(x-a)%
        (
            "text_format_source: {inline_bytes: JVJFUSh4LWEpJQ==}",
            "inline_bytes",
        ),
    ] {
        finds(
            &with(&source, chosen),
            "error",
            "keyring_from_request",
            part,
        );
    }
    assert_eq!(check(&with(FILE, "%ENVIRONMENT(KEYS)%")).0, []);
    let literal = with(FILE, "{secret: 100%%REQ(x)}");
    finds(&literal, "error", "secret_in_clear", "100%%REQ");
}

#[test]
fn finds_keyrings_that_are_set_twice() {
    let [before, setter, after] = parts();
    let again = setter
        .replace("- name: hookgate_secrets", "- name: again")
        .replace("factory_key: envoy.string", "factory_key: \"envoy.string\"");
    let part = "object_key: hookgate.secrets";
    let twice = format!("{before}{setter}{again}{after}");
    let line = twice
        .lines()
        .zip(1_u64..)
        .filter(|(line, _)| line.contains(part));
    let line = line.last().unwrap().1;
    assert_eq!(
        check(&twice).0,
        [("error".to_owned(), "keyring_set_twice".to_owned(), line)]
    );
    let router = "          - name: envoy.filters.http.router";
    let behind = format!("{before}{setter}{after}").replace(router, &format!("{again}{router}"));
    assert_eq!(check(&behind).0.len(), 1);
    assert_eq!(check(&behind).0[0].1, "keyring_set_twice");
    let other = format!(
        "{before}{setter}{}{after}",
        again.replace(part, "object_key: other")
    );
    assert_eq!(check(&other).0, []);
    let chosen = format!("{before}{setter}{}{after}", again.replace(FILE, "%REQ(x)%"));
    let codes: Vec<String> = check(&chosen).0.into_iter().map(|found| found.1).collect();
    assert_eq!(codes, ["keyring_set_twice", "keyring_from_request"]);
}

/// A network filter that sets the key for a connection.
const OF_CONNECTION: &str = "      - name: early
        typed_config:
          \"@type\": type.googleapis.com/envoy.extensions.filters.network.set_filter_state.v3.Config
          on_new_connection:
          - object_key: hookgate.secrets
            format_string: {text_format_source: {inline_string: \"%FILE_CONTENT(/a/b:/a)%\"}}
      - &door
";

#[test]
fn finds_keyrings_that_a_connection_keeps() {
    let text = with("      - &door\n", OF_CONNECTION);
    let part = "          - object_key: hookgate.secrets";
    finds(&text, "error", "keyring_set_twice", part);
    let [_, setter, _] = parts();
    let alone = text.replace(&setter, "");
    let error = |code: &str, part| ("error".to_owned(), code.to_owned(), line_of(&alone, part));
    // On the other listener nothing sets it.
    let expected = [
        error("file_not_watched", part),
        error("keyring_not_set", "- name: hookgate"),
    ];
    assert_eq!(check(&alone).0, expected);
}

#[test]
fn finds_routes_for_which_the_keyring_is_another() {
    let host = "request_body_buffer_limit: 2162688";
    let own = |config: &str| {
        with(
            host,
            &format!(
                "{host}\n              typed_per_filter_config: {{hookgate_secrets: {config}}}"
            ),
        )
    };
    let off =
        own("{\"@type\": type.googleapis.com/envoy.config.route.v3.FilterConfig, disabled: On}");
    finds(&off, "error", "keyring_not_set", "typed_per_filter_config");
    let state =
        "\"@type\": type.googleapis.com/envoy.extensions.filters.http.set_filter_state.v3.Config";
    let none = own(&format!("{{{state}, on_request_headers: []}}"));
    finds(&none, "error", "keyring_not_set", "typed_per_filter_config");
    let chosen = own(&format!(
        "{{{state}, on_request_headers: [{{object_key: hookgate.secrets, format_string: {{text_format: \"%REQ(x)%\"}}}}]}}"
    ));
    finds(
        &chosen,
        "error",
        "keyring_from_request",
        "typed_per_filter_config",
    );
    let name = "- name: hookgate_secrets\n";
    let off = with(name, &format!("{name}            disabled: yes\n"));
    finds(&off, "error", "keyring_not_set", "disabled: yes");
}

#[test]
fn finds_what_shows_a_keyring() {
    let logged = "outcome: \"%FILTER_STATE(wasm.hookgate_outcome:PLAIN)%\"";
    let host = "request_body_buffer_limit: 2162688";
    for (at, shown) in [
        (logged, "keys: \"%FILTER_STATE(hookgate.secrets:PLAIN)%\""),
        (logged, "keys: \"%FILTER_STATE(hookgate.secrets)%\""),
        (logged, "keys: \"%CEL(filter_state['hookgate.secrets'])%\""),
        (
            host,
            "request_headers_to_add: [{header: {key: x, value: \"%FILTER_STATE(hookgate.secrets:PLAIN):9%\"}}]",
        ),
        (
            host,
            "metadata: {filter_state_objects_to_log: [hookgate.secrets]}",
        ),
    ] {
        let indent = if at == host {
            "              "
        } else {
            "                  "
        };
        let text = with(at, &format!("{at}\n{indent}{shown}"));
        finds(&text, "error", "keyring_shown", shown);
    }
    let others = "keys: \"%FILTER_STATE(hookgate.secrets_known:PLAIN)%\"";
    assert_eq!(
        check(&with(
            logged,
            &format!("{logged}\n                  {others}")
        ))
        .0,
        []
    );
}

#[test]
fn finds_named_routes_that_lead_nowhere() {
    let policy = "\"path\": \"/webhooks/stripe\", \"policy\": {\"routes\": [{\"types\": [\"payout.*\"], \"route\": \"payouts\"}]},";
    let text = with("\"path\": \"/webhooks/stripe\",", policy);
    finds(&text, "error", "route_for_name", "name: webhooks");
    let common = "              - match: {path: /webhooks/stripe}\n";
    let own = "              - match: {path: /webhooks/stripe, headers: [{name: X-Hookgate-Route, string_match: {exact: payouts}}]}\n                route: {cluster: payouts, timeout: 10s}\n";
    let led = text.replace(common, &format!("{own}{common}"));
    assert_eq!(check(&led).0, []);
    let other = led.replace("exact: payouts", "exact: others");
    finds(&other, "error", "route_for_name", "name: webhooks");
    let connect = "              - match: {path: /webhooks/stripe/connect}\n";
    let late = text.replace(connect, &format!("{own}{connect}"));
    finds(&late, "error", "route_for_name", "X-Hookgate-Route");
    let decider = with(
        "\"path\": \"/webhooks/stripe\",",
        "\"path\": \"/webhooks/stripe\", \"policy\": {\"synchronous\": {\"types\": [\"a\"], \"route\": \"decider\"}},",
    );
    assert_eq!(line_of(&decider, "name: webhooks"), check(&decider).0[0].2);
}

#[test]
fn explains_whose_address_is_judged_behind_proxies() {
    let hops = "use_remote_address: true\n          xff_num_trusted_hops: 1";
    let text = with("use_remote_address: true", hops);
    finds(&text, "info", "trusted_hops", "xff_num_trusted_hops");
    let quota = "                      \"quotas\": {\"sources\": {\"rate\": 60, \"per_seconds\": 60, \"burst\": 100}},\n";
    assert!(text.contains(quota));
    assert_eq!(check(&text.replace(quota, "")).0, []);
}
