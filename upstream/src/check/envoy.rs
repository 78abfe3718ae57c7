//! A whole Envoy configuration: what the gate stands on.

mod bootstrap;
mod bypass;
mod capability;
mod cluster;
mod connection;
mod door;
mod filter;
mod keyring;
mod neighbour;
mod route;
mod spelling;
mod watch;

use hookgate_core::config::Config;

use self::door::Door;
use super::{
    document::Node,
    finding::{Code, Findings},
};

/// Tells whether a document is an Envoy configuration, or holds parts of one.
pub(super) fn is_envoy(root: &Node) -> bool {
    is_bootstrap(root) || filters(root).next().is_some()
}

/// Tells whether a document is what Envoy starts with, and not a part of it.
fn is_bootstrap(root: &Node) -> bool {
    let parts = [
        "static_resources",
        "dynamic_resources",
        "admin",
        "node",
        "overload_manager",
    ];
    parts.iter().any(|part| root.field(part).is_some())
}

/// Checks a document; returns the configurations of its gates that can be used.
pub(super) fn check(root: &Node, findings: &mut Findings) -> Vec<Config> {
    if !is_bootstrap(root) {
        return patch(root, findings);
    }
    bootstrap::check(root, findings);
    spelling::check(root, findings);
    let doors: Vec<(Door<'_>, Option<Config>)> = Door::all(root)
        .into_iter()
        .map(|door| {
            let config = filter::check(root, door.gate, findings);
            (door, config)
        })
        .collect();
    for (door, config) in &doors {
        connection::check(door, findings);
        neighbour::check(&door.before, findings);
        if let Some(config) = config {
            connection::check_addresses(door, config, findings);
            keyring::check(door, config, findings);
            watch::check(door, config, findings);
        }
        route::check(door, config.as_ref(), findings);
    }
    bypass::check(root, &doors, findings);
    if doors.is_empty() {
        findings.add(
            Code::GateMissing,
            root.at,
            "no HTTP connection manager of a static listener has the Hookgate filter",
            "copy the filter `hookgate` of envoy/envoy.yaml into `http_filters`, before the router",
        );
    }
    let mut configs: Vec<Config> = Vec::new();
    for config in doors.into_iter().filter_map(|(_, config)| config) {
        if !configs.contains(&config) {
            configs.push(config);
        }
    }
    configs
}

/// Checks the filters of a patch (Istio's EnvoyFilter, Envoy Gateway's
/// EnvoyPatchPolicy): what is around them is somebody else's.
fn patch(root: &Node, findings: &mut Findings) -> Vec<Config> {
    let gates: Vec<&Node> = filters(root).filter(|node| filter::is_gate(node)).collect();
    if gates.is_empty() {
        findings.add(
            Code::GateMissing,
            root.at,
            "no Wasm filter of this document is Hookgate",
            "add the filter `hookgate` of envoy/envoy.yaml to the patch",
        );
    } else {
        findings.add(
            Code::NotChecked,
            root.at,
            "only the filter itself is checked: listeners, routes and clusters are not in this file",
            "check the whole: take Envoy's config_dump apart, or check the rendered bootstrap",
        );
    }
    gates
        .into_iter()
        .filter_map(|gate| filter::check(root, gate, findings))
        .collect()
}

/// Returns every Wasm filter below a node, wherever it stands.
fn filters(root: &Node) -> impl Iterator<Item = &Node> {
    let mut found = Vec::new();
    let mut waiting = vec![root];
    while let Some(node) = waiting.pop() {
        if type_of(node).contains("filters.http.wasm.") {
            found.push(node);
        } else {
            waiting.extend(node.children());
        }
    }
    found.into_iter()
}

/// Returns the type of an extension; empty if it has none.
fn type_of(extension: &Node) -> &str {
    let config = extension.field("typed_config");
    config
        .and_then(|config| config.text_of("@type"))
        .unwrap_or_default()
}
