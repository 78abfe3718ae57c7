//! Which requests a route takes.

use crate::check::document::Node;

/// The header by which the gate's policy chooses a route.
const ROUTE_HEADER: &str = "x-hookgate-route";

/// Holds a route with its virtual host.
#[derive(Debug, Clone, Copy)]
pub(in crate::check::envoy) struct Route<'a> {
    /// Whose route it is.
    pub(in crate::check::envoy) host: &'a Node,
    /// The route.
    pub(in crate::check::envoy) node: &'a Node,
}

impl<'a> Route<'a> {
    /// Tells whether only events of a named route take it.
    pub(in crate::check::envoy) fn is_for_a_name(&self) -> bool {
        self.header().is_some()
    }

    /// Tells whether events of this named route take it.
    pub(in crate::check::envoy) fn is_for(&self, name: &str) -> bool {
        let header = self.header();
        let exact = header.and_then(|header| {
            header
                .text_of("string_match.exact")
                .or_else(|| header.text_of("exact_match"))
        });
        exact == Some(name)
    }

    fn header(&self) -> Option<&'a Node> {
        self.node.items_of("match.headers").find(|header| {
            let name = header.text_of("name");
            name.is_some_and(|name| name.eq_ignore_ascii_case(ROUTE_HEADER))
        })
    }
}

/// Returns every route of a connection manager, with its virtual host.
pub(in crate::check::envoy) fn all(manager: &Node) -> Vec<Route<'_>> {
    let hosts = manager.items_of("route_config.virtual_hosts");
    hosts
        .flat_map(|host| {
            host.items_of("routes")
                .map(move |node| Route { host, node })
        })
        .collect()
}

/// Returns the routes that events at a path can take: those for names, and the
/// first for all, behind which nothing comes any more.
pub(in crate::check::envoy) fn taken<'r, 'a>(
    routes: &'r [Route<'a>],
    path: &str,
) -> impl Iterator<Item = &'r Route<'a>> {
    let leading: Vec<_> = routes.iter().filter(|route| leads(route, path)).collect();
    let first = leading.iter().position(|route| !route.is_for_a_name());
    let taken = first.map_or(leading.len(), |first| first + 1);
    leading.into_iter().take(taken)
}

/// Tells whether a route takes requests for a path.
pub(in crate::check::envoy) fn leads(route: &Route<'_>, path: &str) -> bool {
    let of = |field: &str| route.node.text_of(field);
    if let Some(exact) = of("match.path") {
        return exact == path;
    }
    if let Some(prefix) = of("match.prefix") {
        return path.starts_with(prefix);
    }
    if let Some(prefix) = of("match.path_separated_prefix") {
        let rest = path.strip_prefix(prefix);
        return rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    }
    // An expression may take it: what can't be told is not reported.
    route.node.at_path("match.safe_regex").is_some()
        || route.node.at_path("match.path_match_policy").is_some()
}
