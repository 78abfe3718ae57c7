//! What the upstream can know the gate by.

use super::{EVENTS_PATH, Route};
use crate::check::{
    document::Node,
    envoy::cluster,
    finding::{Code, Findings},
};

/// Finds clusters that get events without a credential and without a
/// certificate of ours.
pub(super) fn check(root: &Node, route: &Route<'_>, findings: &mut Findings) {
    let rewritten = [
        "route.prefix_rewrite",
        "route.path_rewrite",
        "route.regex_rewrite.substitution",
    ];
    let is_for_events = rewritten
        .iter()
        .any(|field| route.node.text_of(field) == Some(EVENTS_PATH));
    // What goes elsewhere, as to a decider, has its own ways.
    if !is_for_events {
        return;
    }
    for cluster in super::clusters(root, route) {
        if cluster::injects_credential(cluster) || cluster::shows_certificate(cluster) {
            continue;
        }
        let name = cluster.text_of("name").unwrap_or_default();
        findings.add(
            Code::GateToken,
            cluster.at,
            &format!("nothing that goes to the cluster `{name}` shows that it comes from here"),
            "copy `http_filters` of the cluster `upstream` in envoy/envoy.yaml, and give \
             `hookgate serve` --gate-token-file",
        );
    }
}
