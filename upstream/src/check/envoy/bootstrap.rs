//! What stands once in an Envoy configuration.

use super::cluster::is_loopback;
use crate::check::{
    document::Node,
    finding::{Code, Findings},
};

/// What holds something that nobody but Envoy should read.
const SECRET: [&str; 6] = [
    "generic_secret",
    "genericSecret",
    "private_key",
    "privateKey",
    "password",
    "session_ticket_keys",
];

/// Checks admin interface, overload manager, and secrets of Envoy's own.
pub(super) fn check(root: &Node, findings: &mut Findings) {
    for secret in root.below(|name| SECRET.contains(&name)) {
        for inline in secret.below(|name| {
            matches!(
                name,
                "inline_string" | "inlineString" | "inline_bytes" | "inlineBytes"
            )
        }) {
            findings.add(
                Code::SecretInClear,
                inline.at,
                "a secret of Envoy's own stands here in clear",
                "filename: …, or an SDS file in a folder that is watched, as `http-keyring` of \
                 envoy/complete.yaml has it",
            );
        }
    }
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
