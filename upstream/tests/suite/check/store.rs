//! Secret stores and upstreams over a network: who they are, and who can listen.

use super::{check, finds, with};

/// The shipped file with a keyring that is fetched, from a cluster with these lines.
fn fetched(cluster: &str) -> String {
    let source = "\"http\": {\"cluster\": \"vault\", \"authority\": \"vault.example.com\", \"path\": \"/v1/secret/data/hookgate\"}";
    let may = "                      proxy_log: {}\n";
    let calls = "                      proxy_http_call: {}\n                      proxy_on_http_call_response: {}\n";
    let text = with("\"filter_state\": \"hookgate.secrets\"", source);
    text.replace(may, &format!("{may}{calls}")) + cluster
}

const CLUSTER: &str = "
  - name: vault
    type: STATIC
    load_assignment:
      endpoints:
      - lb_endpoints:
        - endpoint: {address: {socket_address: {address: 192.0.2.9, port_value: 8200}}}
";

const CREDENTIAL: &str = "
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        http_filters:
        - name: credential
          typed_config: {\"@type\": type.googleapis.com/envoy.extensions.filters.http.credential_injector.v3.CredentialInjector}
";

/// TLS with these rules for the certificate.
fn tls(rules: &str) -> String {
    format!(
        "    transport_socket:
      name: tls
      typed_config: {{\"@type\": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext{rules}}}
"
    )
}

const AUTHORITY: &str = "trusted_ca: {filename: /ca.crt}";
const NAMED: &str =
    "match_typed_subject_alt_names: [{san_type: DNS, matcher: {exact: vault.example.com}}]";

fn validated(rules: &str) -> String {
    tls(&format!(
        ", common_tls_context: {{validation_context: {{{rules}}}}}"
    ))
}

#[test]
fn finds_secret_stores_that_anybody_could_ask_or_overhear() {
    finds(
        &fetched(""),
        "error",
        "keyring_cluster_missing",
        "- name: hookgate",
    );
    let clear = fetched(&format!("{CLUSTER}{CREDENTIAL}"));
    finds(&clear, "error", "keyring_cluster_tls", "192.0.2.9");
    let proven = validated(&format!("{AUTHORITY}, {NAMED}"));
    let open = fetched(&format!("{CLUSTER}{proven}"));
    finds(&open, "warning", "keyring_credential", "  - name: vault");
    let both = fetched(&format!("{CLUSTER}{proven}{CREDENTIAL}"));
    assert_eq!(check(&both).0, []);
    let local = clear.replace("192.0.2.9", "127.0.0.1");
    assert_eq!(check(&local).0, []);
}

#[test]
fn finds_secret_stores_that_anybody_could_be() {
    let with_tls = |tls: &str| fetched(&format!("{CLUSTER}{tls}{CREDENTIAL}"));
    for unproven in [
        tls(""),
        validated(""),
        validated("system_root_certs: {}"),
        validated(&format!(
            "{AUTHORITY}, {NAMED}, trust_chain_verification: ACCEPT_UNTRUSTED"
        )),
        validated(&format!("{AUTHORITY}, {NAMED}, trustChainVerification: 1")),
        tls(", auto_sni_san_validation: true"),
    ] {
        let text = with_tls(&unproven);
        finds(&text, "error", "keyring_cluster_unverified", "192.0.2.9");
    }
    finds(
        &with_tls(&validated(AUTHORITY)),
        "warning",
        "keyring_cluster_name",
        "192.0.2.9",
    );
    for proven in [
        validated(&format!("{AUTHORITY}, {NAMED}")),
        validated("verify_certificate_spki: [abc]"),
        tls(&format!(
            ", auto_sni_san_validation: yes, common_tls_context: {{validation_context: {{{AUTHORITY}}}}}"
        )),
        tls(", common_tls_context: {validation_context_sds_secret_config: {name: ca}}"),
    ] {
        assert_eq!(check(&with_tls(&proven)).0, [], "{proven}");
    }
    // Whose endpoints somebody else names may be anywhere.
    let elsewhere = fetched(&format!("\n  - name: vault\n    type: EDS\n{CREDENTIAL}"));
    finds(
        &elsewhere,
        "error",
        "keyring_cluster_tls",
        "  - name: vault",
    );
}

#[test]
fn finds_upstreams_that_anybody_could_be() {
    let remote = "address: 192.0.2.7, port_value: 8080";
    let text = with("address: 127.0.0.1, port_value: 8080", remote);
    let socket = "    load_assignment:\n      cluster_name: upstream\n";
    let unproven = text.replace(socket, &format!("{}{socket}", tls("")));
    finds(&unproven, "warning", "upstream_unverified", remote);
    let proven = text.replace(socket, &format!("{}{socket}", validated(AUTHORITY)));
    assert_eq!(check(&proven).0, []);
}

#[test]
fn finds_a_watch_that_tells_nobody() {
    let may = "                      proxy_log: {}\n";
    let calls = "                      proxy_http_call: {}\n                      proxy_on_http_call_response: {}\n";
    let timeout = "\"upstream_timeout_seconds\": 10";
    for (watch, is_there) in [
        (r#"{"upstream": {"cluster": "upstream"}}"#, true),
        (r#"{"upstream": {"cluster": "elsewhere"}}"#, false),
        (
            r#"{"alert": {"cluster": "pager", "authority": "a", "path": "/"}}"#,
            false,
        ),
    ] {
        let text = with(timeout, &format!("{timeout}, \"watch\": {watch}"));
        let text = text.replace(may, &format!("{may}{calls}"));
        if is_there {
            assert_eq!(check(&text).0, [], "{watch}");
        } else {
            finds(&text, "error", "watch_cluster_missing", "- name: hookgate");
        }
    }
}
