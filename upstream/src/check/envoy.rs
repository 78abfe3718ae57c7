//! A whole Envoy configuration: what the gate stands on.

mod bootstrap;
mod cluster;
mod connection;
mod filter;
mod keyring;
mod neighbour;
mod route;

use hookgate_core::config::Config;

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
    let mut configs: Vec<Config> = Vec::new();
    let mut gates = 0;
    for (listener, manager) in managers(root) {
        let http_filters: Vec<&Node> = manager.items_of("http_filters").collect();
        let Some(place) = http_filters.iter().position(|node| filter::is_gate(node)) else {
            continue;
        };
        let (before, gate) = http_filters.split_at(place);
        let Some((gate, after)) = gate.split_first() else {
            continue;
        };
        gates += 1;
        connection::check(manager, findings);
        neighbour::check(before, findings);
        let config = filter::check(root, gate, findings);
        if let Some(config) = &config {
            connection::check_addresses(manager, config, findings);
            keyring::check(root, config, (before, gate, after), findings);
        }
        route::check(root, listener, manager, gate, config.as_ref(), findings);
        if let Some(config) = config
            && !configs.contains(&config)
        {
            configs.push(config);
        }
    }
    if gates == 0 {
        findings.add(
            Code::GateMissing,
            root.at,
            "no HTTP connection manager of a static listener has the Hookgate filter",
            "copy the filter `hookgate` of envoy/envoy.yaml into `http_filters`, before the router",
        );
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

/// Returns every static HTTP connection manager with its listener.
fn managers(root: &Node) -> impl Iterator<Item = (&Node, &Node)> {
    root.items_of("static_resources.listeners")
        .flat_map(|listener| {
            let chains = listener
                .items_of("filter_chains")
                .chain(listener.field("default_filter_chain"));
            let filters = chains.flat_map(|chain| chain.items_of("filters"));
            filters
                .filter(|filter| type_of(filter).contains("http_connection_manager"))
                .filter_map(move |filter| Some((listener, filter.field("typed_config")?)))
        })
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
