//! What stands around the filter: connections, routes, neighbours, clusters.

use super::{check, finds, line_of, with};

/// Where a setting of the connection manager is missed.
const MANAGER: &str = "v3.HttpConnectionManager";

#[test]
fn finds_what_a_sender_could_use_against_the_door() {
    let missing = [
        (
            "          request_headers_timeout: 10s\n",
            "request_headers_timeout",
        ),
        ("          request_timeout: 30s\n", "request_timeout"),
        (
            "          stream_idle_timeout: 45s\n",
            "stream_idle_timeout",
        ),
        ("          normalize_path: true\n", "path_normalization"),
        ("          use_remote_address: true\n", "remote_address"),
        (
            "          path_with_escaped_slashes_action: REJECT_REQUEST\n",
            "escaped_slashes",
        ),
        (
            "            headers_with_underscores_action: REJECT_REQUEST\n",
            "underscore_headers",
        ),
    ];
    for (line, code) in missing {
        finds(&with(line, ""), "error", code, MANAGER);
    }
    let wrong = [
        (
            "request_headers_timeout: 10s",
            "request_headers_timeout: 0s",
            "request_headers_timeout",
        ),
        (
            "request_timeout: 30s",
            "request_timeout: 0.0s",
            "request_timeout",
        ),
        (
            "stream_idle_timeout: 45s",
            "stream_idle_timeout: 0s",
            "stream_idle_timeout",
        ),
        (
            "normalize_path: true",
            "normalize_path: false",
            "path_normalization",
        ),
        (
            "use_remote_address: true",
            "useRemoteAddress: false",
            "remote_address",
        ),
        (
            "action: REJECT_REQUEST",
            "action: KEEP_UNCHANGED",
            "escaped_slashes",
        ),
    ];
    for (from, to, code) in wrong {
        let text = with(from, to).replace(
            "underscores_action: KEEP_UNCHANGED",
            "underscores_action: DROP_HEADER",
        );
        finds(&text, "error", code, to);
    }
    let allowed = "underscores_action: ALLOW";
    finds(
        &with("underscores_action: REJECT_REQUEST", allowed),
        "error",
        "underscore_headers",
        allowed,
    );
}

#[test]
fn finds_routes_that_do_not_fit_the_endpoints() {
    let path = "{path: /webhooks/stripe}";
    let elsewhere = with(path, "{path: /webhooks/strip}");
    let codes = |text: &str| -> Vec<(String, u64)> {
        let findings = check(text).0.into_iter();
        findings.map(|(_, code, line)| (code, line)).collect()
    };
    assert_eq!(
        codes(&elsewhere),
        [
            (
                "route_missing".to_owned(),
                line_of(&elsewhere, "name: webhooks")
            ),
            (
                "route_without_endpoint".to_owned(),
                line_of(&elsewhere, "/webhooks/strip}")
            ),
        ]
    );
    // A prefix leads to both, and leaves something behind what replaces it.
    for prefix in [
        "prefix: /webhooks",
        "path_separated_prefix: /webhooks/stripe",
    ] {
        let text = with(path, &format!("{{{prefix}}}"));
        for (code, line) in codes(&text) {
            let expected = (
                "route_rewrite",
                line_of(&text, "prefix_rewrite: /v1/events"),
            );
            assert_eq!((code.as_str(), line), expected);
        }
        assert!(!codes(&text).is_empty());
        let whole = "regex_rewrite: {pattern: {regex: '.*'}, substitution: /v1/events}";
        assert_eq!(
            codes(&text.replace("prefix_rewrite: /v1/events", whole)),
            []
        );
    }
    let redirect = with(
        "      - match: {path: /webhooks/stripe}\n",
        "      - match: {path: /webhooks/stripe}\n                redirect: {path_redirect: /}\n              - match: {path: /webhooks/stripe}\n",
    );
    finds(
        &redirect,
        "error",
        "route_missing",
        "- match: {path: /webhooks/stripe}",
    );
    let own = "typed_per_filter_config: {hookgate: {\"@type\": type.googleapis.com/envoy.config.route.v3.FilterConfig, disabled: true}}";
    let disabled = with(
        "request_body_buffer_limit: 2162688",
        &format!("request_body_buffer_limit: 2162688\n              {own}"),
    );
    finds(&disabled, "error", "gate_disabled", own);
}

#[test]
fn finds_routes_that_give_an_event_too_little() {
    let limit = "request_body_buffer_limit: 2162688";
    finds_buffer(
        &with(limit, "request_body_buffer_limit: 1000000"),
        "request_body_buffer_limit",
    );
    finds_buffer(
        &with(limit, "include_attempt_count_in_response: true"),
        "per_connection_buffer_limit_bytes: 65536",
    );
    let timeout = |to: &str| with("                  timeout: 10s", to);
    finds(
        &timeout("                  timeout: 30s"),
        "error",
        "route_timeout",
        "                  timeout: 30s",
    );
    finds(
        &timeout("                  timeout: 0s"),
        "error",
        "route_timeout",
        "                  timeout: 0s",
    );
    assert_eq!(check(&timeout("                  idle_timeout: 9s")).0, []);
    let retries = |policy: &str| {
        timeout(&format!(
            "                  timeout: 10s\n                  retry_policy: {policy}"
        ))
    };
    let policy = "{retry_on: reset, num_retries: 5, per_try_timeout: 8s}";
    finds(&retries(policy), "warning", "route_retries", policy);
    assert_eq!(
        check(&retries(
            "{retry_on: reset, num_retries: 2, per_try_timeout: 3s}"
        ))
        .0,
        []
    );
}

/// Both endpoints go through the same limit.
fn finds_buffer(text: &str, part: &str) {
    let (findings, _) = check(text);
    let line = line_of(text, part);
    assert!(findings.len() >= 2, "{findings:?}");
    for (_, code, _) in &findings {
        assert_eq!(code, "buffer_limit");
    }
    assert_eq!(findings[0].2, line);
}

#[test]
fn finds_what_is_around_the_gate() {
    let buffer = "- name: early\n            typed_config:\n              \"@type\": type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer\n              max_request_bytes: 5000000\n          - name: hookgate\n";
    finds(
        &with("- name: hookgate\n", buffer),
        "warning",
        "filter_before",
        "- name: early",
    );
    let remote = "address: 192.0.2.7, port_value: 8080";
    finds(
        &with("address: 127.0.0.1, port_value: 8080", remote),
        "warning",
        "upstream_tls",
        remote,
    );
    let admin = "address: 0.0.0.0, port_value: 9901";
    finds(
        &with("address: 127.0.0.1, port_value: 9901", admin),
        "error",
        "admin_open",
        admin,
    );
    finds(
        &with("overload_manager:", "ignored:"),
        "warning",
        "overload_manager",
        "node:",
    );
    finds(
        &with("local_reply_config:", "ignored:"),
        "info",
        "local_reply",
        MANAGER,
    );
}
