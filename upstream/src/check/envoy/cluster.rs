//! Clusters: where a request goes, and whether anybody can listen.

use std::net::IpAddr;

use crate::check::document::Node;

/// Finds a static cluster.
pub(super) fn find<'a>(root: &'a Node, name: &str) -> Option<&'a Node> {
    root.items_of("static_resources.clusters")
        .find(|cluster| cluster.text_of("name") == Some(name))
}

/// Tells whether a cluster speaks TLS to its endpoints.
pub(super) fn has_tls(cluster: &Node) -> bool {
    let sockets = cluster.field("transport_socket").into_iter().chain(
        cluster
            .items_of("transport_socket_matches")
            .filter_map(|matched| matched.field("transport_socket")),
    );
    let mut types = sockets.map(super::type_of);
    types.any(|name| name.contains("tls.v3.UpstreamTlsContext") || name.contains("quic"))
}

/// Returns a transport socket that proves who answers as `name`.
pub(super) fn tls(name: &str) -> String {
    format!(
        "transport_socket:\n  name: envoy.transport_sockets.tls\n  typed_config:\n    \
         \"@type\": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext\n    \
         sni: {name}\n    common_tls_context:\n      validation_context:\n        \
         trusted_ca: {{filename: /etc/hookgate/tls/ca.crt}}"
    )
}

/// Tells whether a cluster adds a credential to what it sends.
pub(super) fn injects_credential(cluster: &Node) -> bool {
    let options = cluster.field("typed_extension_protocol_options");
    let options = options.into_iter().flat_map(Node::children);
    let mut filters = options.flat_map(|options| options.items_of("http_filters"));
    filters.any(|filter| super::type_of(filter).contains("credential_injector"))
}

/// Returns an address of the cluster that is not on this machine.
pub(super) fn remote_address(cluster: &Node) -> Option<&Node> {
    cluster
        .items_of("load_assignment.endpoints")
        .flat_map(|locality| locality.items_of("lb_endpoints"))
        .filter_map(|endpoint| endpoint.at_path("endpoint.address.socket_address.address"))
        .find(|address| !address.text().is_some_and(is_loopback))
}

/// Tells whether an address is of this machine.
pub(super) fn is_loopback(address: &str) -> bool {
    let ip: Result<IpAddr, _> = address.parse();
    address == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
}
