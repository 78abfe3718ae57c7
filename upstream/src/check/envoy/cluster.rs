//! Clusters: where a request goes, and whether anybody can listen.

mod tls;

use std::net::IpAddr;

use crate::check::document::Node;

pub(super) use self::tls::{Proof, proof, shows_certificate};

/// Finds a static cluster.
pub(super) fn find<'a>(root: &'a Node, name: &str) -> Option<&'a Node> {
    root.items_of("static_resources.clusters")
        .find(|cluster| cluster.text_of("name") == Some(name))
}

/// Returns a transport socket that proves who answers as `name`.
pub(super) fn tls(name: &str) -> String {
    format!(
        "transport_socket:\n  name: envoy.transport_sockets.tls\n  typed_config:\n    \
         \"@type\": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext\n    \
         sni: {name}\n    common_tls_context:\n      validation_context:\n        \
         trusted_ca: {{filename: /etc/hookgate/tls/ca.crt}}\n        \
         match_typed_subject_alt_names:\n        - {{san_type: DNS, matcher: {{exact: {name}}}}}"
    )
}

/// Tells whether a cluster adds a credential to what it sends.
pub(super) fn injects_credential(cluster: &Node) -> bool {
    let options = cluster.field("typed_extension_protocol_options");
    let options = options.into_iter().flat_map(Node::children);
    let mut filters = options.flat_map(|options| options.items_of("http_filters"));
    filters.any(|filter| super::type_of(filter).contains("credential_injector"))
}

/// Returns the addresses of a cluster's endpoints: sockets, pipes, other listeners.
pub(super) fn addresses(cluster: &Node) -> impl Iterator<Item = &Node> {
    cluster
        .items_of("load_assignment.endpoints")
        .flat_map(|locality| locality.items_of("lb_endpoints"))
        .filter_map(|endpoint| endpoint.at_path("endpoint.address"))
}

/// Returns where a cluster leaves this machine: an endpoint's address, or the
/// cluster itself where its endpoints are somebody else's to name.
pub(super) fn remote(cluster: &Node) -> Option<&Node> {
    if addresses(cluster).next().is_none() {
        return Some(cluster);
    }
    addresses(cluster)
        .filter_map(|address| address.at_path("socket_address.address"))
        .find(|address| !address.text().is_some_and(is_loopback))
}

/// Tells whether two clusters have an endpoint in common.
pub(super) fn meet(one: &Node, other: &Node) -> bool {
    let of_one: Vec<_> = addresses(one).filter_map(place).collect();
    addresses(other)
        .filter_map(place)
        .any(|address| of_one.contains(&address))
}

/// Returns a socket's address and port, or a pipe's path.
fn place(address: &Node) -> Option<(&str, Option<u64>)> {
    if let Some(path) = address.text_of("pipe.path") {
        return Some((path, None));
    }
    let socket = address.field("socket_address")?;
    let port = socket.field("port_value").and_then(Node::number);
    Some((socket.text_of("address")?, port))
}

/// Tells whether an address is of this machine.
pub(super) fn is_loopback(address: &str) -> bool {
    let ip: Result<IpAddr, _> = address.parse();
    address == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
}
