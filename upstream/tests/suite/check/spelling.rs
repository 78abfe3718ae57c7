//! Every spelling that Envoy 1.40 takes of what matters: `the_shipped_envoy_reads…`
//! of the host tests holds that it takes them.

use super::{check, finds, shipped, with};

#[test]
fn finds_a_gate_that_is_switched_off_in_any_words() {
    for word in [
        "true",
        "True",
        "TRUE",
        "yes",
        "Yes",
        "YES",
        "y",
        "Y",
        "on",
        "On",
        "ON",
        "t",
        "\"true\"",
        "'yes'",
        "\"1\"",
        "!!bool yes",
    ] {
        let disabled = format!("disabled: {word}");
        let own = format!("- name: hookgate\n            {disabled}\n");
        finds(
            &with("- name: hookgate\n", &own),
            "error",
            "gate_disabled",
            &disabled,
        );
        let route = format!(
            "typed_per_filter_config: {{hookgate: {{\"@type\": type.googleapis.com/envoy.config.route.v3.FilterConfig, {disabled}}}}}"
        );
        let limit = "request_body_buffer_limit: 2162688";
        let text = with(limit, &format!("{limit}\n              {route}"));
        finds(&text, "error", "gate_disabled", &route);
    }
    for word in ["false", "no", "Off", "n", "null", "~", ""] {
        let own = format!("- name: hookgate\n            disabled: {word}\n");
        assert_eq!(check(&with("- name: hookgate\n", &own)).0, [], "{word}");
    }
}

#[test]
fn reads_enums_by_number_and_in_any_case() {
    let policy = "failure_policy: FAIL_RELOAD";
    for (to, severity, code) in [
        ("failure_policy: 3", "error", "fail_open"),
        ("failure_policy: \"3\"", "error", "fail_open"),
        ("failure_policy: fail_open", "error", "fail_open"),
        ("failurePolicy: Fail_Open", "error", "fail_open"),
        ("failurePolicy: 0x3", "error", "fail_open"),
        ("fail_open: on", "error", "fail_open"),
        ("failOpen: Yes", "error", "fail_open"),
        ("failure_policy: 2", "warning", "failure_policy"),
        ("failure_policy: 0", "warning", "failure_policy"),
    ] {
        finds(&with(policy, to), severity, code, to);
    }
    for to in ["failure_policy: 1", "failurePolicy: fail_reload"] {
        assert_eq!(check(&with(policy, to)).0, [], "{to}");
    }
    let slashes = "path_with_escaped_slashes_action: REJECT_REQUEST";
    for to in [
        "path_with_escaped_slashes_action: 1",
        "pathWithEscapedSlashesAction: 0",
    ] {
        finds(&with(slashes, to), "error", "escaped_slashes", to);
    }
    for to in ["2", "3", "unescape_and_forward"] {
        let to = format!("path_with_escaped_slashes_action: {to}");
        assert_eq!(check(&with(slashes, &to)).0, [], "{to}");
    }
    let underscores = "headers_with_underscores_action: REJECT_REQUEST";
    let allowed = "headersWithUnderscoresAction: 0";
    finds(
        &with(underscores, allowed),
        "error",
        "underscore_headers",
        allowed,
    );
    for to in ["1", "drop_header"] {
        let to = format!("headers_with_underscores_action: {to}");
        assert_eq!(check(&with(underscores, &to)).0, [], "{to}");
    }
}

#[test]
fn reads_booleans_numbers_and_times_in_every_form() {
    let stop = "allow_on_headers_stop_iteration: true";
    for to in [
        "allowOnHeadersStopIteration: true",
        "allow_on_headers_stop_iteration: yes",
        "allow_on_headers_stop_iteration: {value: true}",
        "allowOnHeadersStopIteration: \"On\"",
    ] {
        assert_eq!(check(&with(stop, to)).0, [], "{to}");
    }
    for to in [
        "allowOnHeadersStopIteration: no",
        "allow_on_headers_stop_iteration: {value: false}",
    ] {
        finds(&with(stop, to), "error", "stop_iteration", to);
    }
    let time = "request_timeout: 30s";
    let none = "request_timeout: {seconds: 0}";
    finds(&with(time, none), "error", "request_timeout", none);
    assert_eq!(check(&with(time, "requestTimeout: {seconds: 30}")).0, []);
    let limit = "request_body_buffer_limit: 2162688";
    assert_eq!(
        check(&with(limit, "requestBodyBufferLimit: 0x210000")).0,
        []
    );
}

#[test]
fn finds_fields_in_both_spellings() {
    let policy = "failure_policy: FAIL_RELOAD";
    let twice = with(
        policy,
        &format!("{policy}\n                failurePolicy: FAIL_OPEN"),
    );
    finds(&twice, "error", "field_twice", policy);
    // Names of somebody's own are no fields.
    let logged = "event_id: \"%FILTER_STATE(wasm.hookgate_event_id:PLAIN)%\"";
    let own = with(
        logged,
        &format!("{logged}\n                  eventId: \"-\""),
    );
    assert_eq!(check(&own).0, []);
    assert_eq!(check(&shipped()).0, []);
}
