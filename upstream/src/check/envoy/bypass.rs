//! Ways around the gate: what leads to an upstream of its, and not through it.

use hookgate_core::config::Config;

use super::{
    cluster,
    door::{Door, chains},
    filter, route,
};
use crate::check::{
    document::Node,
    finding::{Code, Findings},
};

/// Holds the clusters to which the gates lead.
struct Guarded<'a> {
    root: &'a Node,
    names: Vec<&'a str>,
}

/// Checks every listener of a document that has gates.
pub(super) fn check(root: &Node, doors: &[(Door<'_>, Option<Config>)], findings: &mut Findings) {
    let mut names: Vec<&str> = Vec::new();
    for (door, config) in doors {
        let routes = route::all(door.manager.node);
        let led: Vec<_> = match config {
            Some(config) => {
                let paths = config.endpoints.iter().map(|endpoint| &endpoint.path);
                paths.flat_map(|path| route::taken(&routes, path)).collect()
            }
            None => routes.iter().collect(),
        };
        let mentions = led.into_iter().flat_map(|route| mentions(route.node));
        names.extend(mentions.filter_map(Node::text));
    }
    let guarded = Guarded { root, names };
    for (listener, chain) in chains(root) {
        let of_api = chain.at_path("api_listener.api_listener");
        for filter in chain.items_of("filters").chain(of_api) {
            let config = filter.field("typed_config").unwrap_or(filter);
            let mut gated = doors.iter().map(|(door, _)| door.manager.node);
            if !gated.any(|manager| std::ptr::eq(manager, config)) {
                ungated(&guarded, listener, config, findings);
            }
        }
    }
    for (door, config) in doors {
        upgrades(door, findings);
        if let Some(config) = config.as_ref().filter(|config| config.pass_unknown_paths) {
            passing(&guarded, door, config, findings);
        }
    }
}

/// Finds what leads from a filter without the gate to where the gates lead.
fn ungated(guarded: &Guarded<'_>, listener: &Node, filter: &Node, findings: &mut Findings) {
    let listener = listener.text_of("name").unwrap_or("(no name)");
    for mention in mentions(filter).filter(|mention| guarded.has(mention)) {
        let cluster = mention.text().unwrap_or_default();
        findings.add(
            Code::WayAround,
            mention.at,
            &format!("the listener `{listener}` leads to the cluster `{cluster}` without the gate"),
            "put the filters `hookgate_secrets` and `hookgate` before its router as well, or take \
             the way out",
        );
    }
    for header in filter.below(|name| matches!(name, "cluster_header" | "clusterHeader")) {
        let name = header.text().unwrap_or_default();
        findings.add(
            Code::WayAround,
            header.at,
            &format!("on the listener `{listener}` the header `{name}` names the cluster"),
            "cluster: …, one to which no gate leads",
        );
    }
}

/// Finds upgrades that take filters of their own in place of the door's.
fn upgrades(door: &Door<'_>, findings: &mut Findings) {
    for upgrade in door.manager.node.items_of("upgrade_configs") {
        let mut filters = upgrade.items_of("filters").peekable();
        if filters.peek().is_some() && !filters.any(filter::is_gate) {
            let name = upgrade.text_of("upgrade_type").unwrap_or("(no type)");
            findings.add(
                Code::WayAround,
                upgrade.at,
                &format!("a request that asks for an upgrade to `{name}` does not meet the gate"),
                "take `filters` out of the upgrade, so that it takes the same as all others",
            );
        }
    }
}

/// Finds routes by which what no endpoint takes goes where the endpoints' events go.
fn passing(guarded: &Guarded<'_>, door: &Door<'_>, config: &Config, findings: &mut Findings) {
    for route in route::all(door.manager.node) {
        let path = route.node.text_of("match.path");
        let mut endpoints = config.endpoints.iter();
        if path.is_some_and(|path| endpoints.any(|endpoint| endpoint.path == path)) {
            continue;
        }
        for mention in mentions(route.node).filter(|mention| guarded.has(mention)) {
            let cluster = mention.text().unwrap_or_default();
            findings.add(
                Code::WayAround,
                mention.at,
                &format!("paths of no endpoint lead to the cluster `{cluster}` unverified"),
                "\"pass_unknown_paths\": false, or a cluster of their own for other paths",
            );
        }
    }
}

impl Guarded<'_> {
    /// Tells whether a cluster is one of these, or has an endpoint of theirs.
    fn has(&self, mention: &Node) -> bool {
        let name = mention.text().unwrap_or_default();
        let meets = |own: &&str| {
            let pair = cluster::find(self.root, own).zip(cluster::find(self.root, name));
            pair.is_some_and(|(own, other)| cluster::meet(own, other))
        };
        self.names.contains(&name) || self.names.iter().any(meets)
    }
}

/// Returns every name of a cluster below a node.
fn mentions(node: &Node) -> impl Iterator<Item = &Node> {
    let named = node.below(|name| matches!(name, "cluster" | "cluster_name" | "clusterName"));
    let lists = node.below(|name| name == "clusters");
    let weighted = lists
        .flat_map(Node::items)
        .filter_map(|one| one.field("name"));
    named.chain(weighted).filter(|name| name.text().is_some())
}
