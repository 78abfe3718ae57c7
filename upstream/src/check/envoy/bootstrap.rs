//! What stands once in an Envoy configuration.

use super::cluster::is_loopback;
use crate::check::{
    document::Node,
    finding::{Code, Findings},
};

/// Checks admin interface and overload manager.
pub(super) fn check(root: &Node, findings: &mut Findings) {
    if let Some(socket) = root.at_path("admin.address.socket_address")
        && !socket.text_of("address").is_some_and(is_loopback)
    {
        findings.add_field(
            Code::AdminOpen,
            socket,
            "address",
            "the admin interface listens beyond loopback",
            "socket_address: {address: 127.0.0.1, port_value: 9901}",
        );
    }
    if root.field("overload_manager").is_none() {
        findings.add(
            Code::OverloadManager,
            root.at,
            "`overload_manager` is missing",
            "copy `overload_manager` from envoy/envoy.yaml",
        );
    }
}
