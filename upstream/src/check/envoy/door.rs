//! A connection manager with the gate, and what it stands in.

use super::{filter, type_of};
use crate::check::document::Node;

/// Holds a connection manager and where it stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manager<'a> {
    /// The listener.
    pub(super) listener: &'a Node,
    /// The filter chain; the listener itself where it has none.
    pub(super) chain: &'a Node,
    /// The connection manager's configuration.
    pub(super) node: &'a Node,
}

/// Holds a connection manager whose HTTP filters include the gate.
#[derive(Debug)]
pub(super) struct Door<'a> {
    /// The whole document.
    pub(super) root: &'a Node,
    /// The connection manager.
    pub(super) manager: Manager<'a>,
    /// The HTTP filters before the gate.
    pub(super) before: Vec<&'a Node>,
    /// The gate.
    pub(super) gate: &'a Node,
    /// The HTTP filters behind it.
    pub(super) behind: Vec<&'a Node>,
}

impl<'a> Door<'a> {
    /// Finds every door of a document.
    pub(super) fn all(root: &'a Node) -> Vec<Self> {
        let of = |manager: Manager<'a>| {
            let mut before: Vec<&Node> = manager.node.items_of("http_filters").collect();
            let place = before.iter().position(|node| filter::is_gate(node))?;
            let mut behind = before.split_off(place).into_iter();
            Some(Self {
                root,
                manager,
                before,
                gate: behind.next()?,
                behind: behind.collect(),
            })
        };
        managers(root).filter_map(of).collect()
    }

    /// Returns what overrides the configuration of one of the HTTP filters for
    /// some requests: on all routes, a virtual host, a route, a weighted cluster.
    pub(super) fn overrides(&self, filter: &Node) -> impl Iterator<Item = &'a Node> {
        let name = filter.text_of("name").unwrap_or_default().to_owned();
        let table = self.manager.node.field("route_config");
        let hosts = table
            .into_iter()
            .flat_map(|table| table.items_of("virtual_hosts"));
        let routes = hosts.flat_map(|host| host.items_of("routes").chain([host]));
        let holders = routes.flat_map(|route| {
            let weighted = route.items_of("route.weighted_clusters.clusters");
            weighted.chain([route])
        });
        holders.chain(table).filter_map(move |holder| {
            let filters = holder.field("typed_per_filter_config")?;
            let own = filters.fields().find(|(filter, _, _)| *filter == name);
            own.map(|(_, _, own)| own)
        })
    }
}

/// Returns every static connection manager.
fn managers(root: &Node) -> impl Iterator<Item = Manager<'_>> {
    chains(root).flat_map(|(listener, chain)| {
        let managers = chain
            .items_of("filters")
            .filter(|filter| is_manager(filter))
            .filter_map(|filter| filter.field("typed_config"));
        let of_api = chain.at_path("api_listener.api_listener");
        managers.chain(of_api).map(move |node| Manager {
            listener,
            chain,
            node,
        })
    })
}

/// Returns every filter chain of a static listener; the listener itself for its
/// API.
pub(super) fn chains(root: &Node) -> impl Iterator<Item = (&Node, &Node)> {
    root.items_of("static_resources.listeners")
        .flat_map(|listener| {
            let chains = listener
                .items_of("filter_chains")
                .chain(listener.field("default_filter_chain"));
            let chains = chains.chain([listener]);
            chains.map(move |chain| (listener, chain))
        })
}

/// Tells whether a network filter is an HTTP connection manager.
fn is_manager(filter: &Node) -> bool {
    type_of(filter).contains("http_connection_manager")
}
