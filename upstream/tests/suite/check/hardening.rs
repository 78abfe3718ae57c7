//! What the module may call, and what the upstream knows the gate by.

use super::{check, finds, shipped, with};

#[test]
fn finds_a_module_that_may_call_anything() {
    let missing = with("capability_restriction_config:", "ignored:");
    finds(&missing, "warning", "capabilities_open", "vm_id: hookgate");
    let (before, rest) = missing.split_once("ignored:").unwrap();
    let (_, after) = rest.split_once("                configuration:").unwrap();
    // An empty list allows all.
    let empty = format!(
        "{before}capability_restriction_config: {{allowed_capabilities: {{}}}}\n                configuration:{after}"
    );
    finds(&empty, "warning", "capabilities_open", "vm_id: hookgate");
}

#[test]
fn finds_what_the_gate_needs_and_may_not_call() {
    let line = "                      proxy_log: {}\n";
    let first = "proxy_on_context_create: {}";
    finds(&with(line, ""), "error", "capability_missing", first);
    // Where it stood before Envoy moved it.
    let list = "                  capability_restriction_config:\n                    allowed_capabilities:\n";
    let (before, rest) = shipped().split_once(list).map(own).unwrap();
    let (names, after) = rest.split_once("                configuration:").unwrap();
    let dedented: String = names
        .lines()
        .map(|line| format!("{}\n", &line[2..]))
        .collect();
    let old = format!(
        "{before}                capability_restriction_config:\n                  allowed_capabilities:\n{dedented}                configuration:{after}"
    );
    assert_eq!(check(&old).0, []);
}

fn own((one, two): (&str, &str)) -> (String, String) {
    (one.to_owned(), two.to_owned())
}

#[test]
fn finds_what_the_gate_may_call_and_never_does() {
    let added = "                      fd_write: {}\n                      proxy_log: {}\n";
    let text = with("                      proxy_log: {}\n", added);
    finds(&text, "info", "capability_unneeded", "fd_write: {}");
}

#[test]
fn finds_an_upstream_that_can_t_tell_the_gate_from_anybody() {
    let without = with(
        "filters.http.credential_injector.v3",
        "filters.http.cors.v3",
    );
    finds(&without, "warning", "gate_token", "- name: upstream");
    let socket = "    connect_timeout: 1s\n    transport_socket:\n      name: tls\n      typed_config:\n        \"@type\": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext\n        common_tls_context:\n";
    let certificate =
        format!("{socket}          tls_certificates: [{{certificate_chain: {{filename: a}}}}]\n");
    let by_certificate = without.replace("    connect_timeout: 1s\n", &certificate);
    assert_eq!(check(&by_certificate).0, []);
    let nobody = format!("{socket}          alpn_protocols: [h2]\n");
    let encrypted = without.replace("    connect_timeout: 1s\n", &nobody);
    finds(&encrypted, "warning", "gate_token", "- name: upstream");
}
