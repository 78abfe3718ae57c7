//! Ways around the gate, and who says where a request comes from.

use super::{check, finds, shipped, with};

/// A listener that leads to `cluster` and has no gate.
fn listener(routes: &str) -> String {
    format!(
        "static_resources:
  listeners:
  - name: side
    address: {{socket_address: {{address: 127.0.0.1, port_value: 10001}}}}
    filter_chains:
    - filters:
      - name: side
        typed_config:
          \"@type\": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: side
          route_config:
            virtual_hosts:
            - name: side
              domains: [\"*\"]
              routes: [{{match: {{prefix: /}}, {routes}}}]
"
    )
}

fn with_listener(routes: &str) -> String {
    with("static_resources:\n  listeners:\n", &listener(routes))
}

#[test]
fn finds_listeners_that_lead_around_the_gate() {
    for routes in [
        "route: {cluster: upstream}",
        "route: {weighted_clusters: {clusters: [{name: upstream, weight: 1}]}}",
        "route: {cluster: elsewhere, request_mirror_policies: [{cluster: upstream}]}",
        "route: {clusterHeader: x-cluster}",
    ] {
        finds(&with_listener(routes), "error", "way_around", routes);
    }
    for routes in [
        "route: {cluster: elsewhere}",
        "direct_response: {status: 404}",
    ] {
        assert_eq!(check(&with_listener(routes)).0, [], "{routes}");
    }
}

#[test]
fn finds_other_chains_filters_and_names_of_the_same_upstream() {
    // A chain beside the gate's.
    let chain = "    filter_chains:
    - filter_chain_match: {destination_port: 10002}
      filters:
      - name: tcp
        typed_config:
          \"@type\": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
          stat_prefix: tcp
          cluster: upstream
    - filters:
      - &door
";
    let text = with("    filter_chains:\n    - filters:\n      - &door\n", chain);
    finds(&text, "error", "way_around", "          cluster: upstream");
    let fallback = with(
        "    filter_chains:\n    - filters:\n      - &door\n",
        "    default_filter_chain:
      filters:
      - name: tcp
        typed_config: {\"@type\": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, cluster: upstream}
    filter_chains:\n    - filters:\n      - &door\n",
    );
    finds(&fallback, "error", "way_around", "tcp_proxy.v3.TcpProxy");
    // Another cluster with the same endpoint.
    let alias = "
  - name: alias
    type: STATIC
    load_assignment:
      endpoints:
      - lb_endpoints:
        - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 8080}}}
";
    let routes = "route: {cluster: alias}";
    let text = with_listener(routes) + alias;
    finds(&text, "error", "way_around", routes);
    assert_eq!(check(&text.replace("\n        - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 8080}", "\n        - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 8088}")).0, []);
}

#[test]
fn finds_upgrades_with_filters_of_their_own() {
    let codec = "          codec_type: AUTO\n";
    let router = "{name: router, typed_config: {\"@type\": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}";
    let own = format!("          - {{upgradeType: websocket, filters: [{router}]}}\n");
    let text = with(codec, &format!("{codec}          upgrade_configs:\n{own}"));
    finds(&text, "error", "way_around", own.trim());
    let common = "          upgrade_configs: [{upgrade_type: websocket}]\n";
    assert_eq!(check(&with(codec, &format!("{codec}{common}"))).0, []);
}

#[test]
fn reads_what_is_in_a_typed_struct() {
    let filters = "    listener_filters:
    - name: proxied
      typed_config: {\"@type\": type.googleapis.com/udpa.type.v1.TypedStruct, type_url: envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol, value: {}}
";
    let limit = "    per_connection_buffer_limit_bytes: 65536\n    filter_chains:\n    - filters:\n      - &door\n";
    let announced = with(limit, &format!("{filters}{limit}"));
    finds(&announced, "warning", "proxy_protocol", "- name: proxied");
}

#[test]
fn finds_other_paths_that_pass_to_the_same_upstream() {
    let passing = with(
        "\"upstream_timeout_seconds\": 10",
        "\"pass_unknown_paths\": true",
    );
    let last = "              - match: {path: /webhooks/stripe/connect}\n                route: *to_upstream\n";
    let route = "              - match: {prefix: /}\n                route: {cluster: upstream, timeout: 9s, regex_rewrite: {pattern: {regex: \".*\"}, substitution: /v1/events}}\n";
    let around = passing.replace(last, &format!("{last}{route}"));
    let (findings, exit) = check(&around);
    let found: Vec<(&str, u64)> = findings
        .iter()
        .map(|(_, code, line)| (code.as_str(), *line))
        .collect();
    let expected = [
        ("way_around", super::line_of(&around, "timeout: 9s")),
        (
            "unknown_paths_pass",
            super::line_of(&around, "pass_unknown_paths"),
        ),
    ];
    assert_eq!(found, expected);
    assert_eq!(exit, Some(1));
    let elsewhere = around.replace(
        "cluster: upstream, timeout: 9s",
        "cluster: web, timeout: 9s",
    );
    finds(
        &elsewhere,
        "warning",
        "unknown_paths_pass",
        "pass_unknown_paths",
    );
}

#[test]
fn finds_addresses_that_a_sender_names_itself() {
    let limit = "    per_connection_buffer_limit_bytes: 65536\n    filter_chains:\n    - filters:\n      - &door\n";
    let filters = "    listener_filters:
    - name: proxied
      typed_config: {\"@type\": type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol}
";
    let announced = with(limit, &format!("{filters}{limit}"));
    finds(&announced, "warning", "proxy_protocol", "- name: proxied");
    let fenced = |ranges: &str| {
        let chain = format!(
            "    - filter_chain_match: {{direct_source_prefix_ranges: [{ranges}]}}\n      filters:\n      - &door\n"
        );
        announced.replace("    - filters:\n      - &door\n", &chain)
    };
    let balancers = "{address_prefix: 10.0.0.0, prefix_len: 8}";
    assert_eq!(check(&fenced(balancers)).0, []);
    for open in [
        "",
        "{address_prefix: 0.0.0.0, prefix_len: 0}",
        "{address_prefix: 10.0.0.0}",
    ] {
        finds(
            &fenced(open),
            "warning",
            "proxy_protocol",
            "- name: proxied",
        );
    }
    assert_eq!(check(&shipped()).0, []);
}
