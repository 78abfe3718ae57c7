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

/// The shipped file with a keyring that is fetched, from a cluster with these lines.
fn fetched(cluster: &str) -> String {
    let source = "\"http\": {\"cluster\": \"vault\", \"authority\": \"vault.example.com\", \"path\": \"/v1/secret/data/hookgate\"}";
    with("\"filter_state\": \"hookgate.secrets\"", source) + cluster
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

const TLS: &str = "    transport_socket:
      name: tls
      typed_config: {\"@type\": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext}
";

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
    let open = fetched(&format!("{CLUSTER}{TLS}"));
    finds(&open, "warning", "keyring_credential", "  - name: vault");
    let both = fetched(&format!(
        "{CLUSTER}{TLS}{}",
        CREDENTIAL.trim_start_matches('\n')
    ));
    assert_eq!(check(&both).0, []);
    let local = clear.replace("192.0.2.9", "127.0.0.1");
    assert_eq!(check(&local).0, []);
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
