//! The routes: does each endpoint's event arrive, whole, in time, and verified.

mod limits;
mod matching;
mod proof;

use hookgate_core::config::{Config, Endpoint};

use self::matching::leads;
pub(super) use self::matching::{Route, all, taken};
use super::{
    cluster::{self, Proof},
    door::Door,
};
use crate::check::{
    document::Node,
    finding::{Code, Findings},
};

/// Where the upstream takes events.
const EVENTS_PATH: &str = "/v1/events";

/// Checks the routes of the gate's connection manager.
pub(super) fn check(door: &Door<'_>, config: Option<&Config>, findings: &mut Findings) {
    let (root, manager, gate) = (door.root, door.manager.node, door.gate);
    if gate.field("disabled").is_some_and(Node::is_true) {
        disabled(gate, "disabled", findings);
    }
    let Some(table) = manager.field("route_config") else {
        findings.add(
            Code::NotChecked,
            manager.at,
            "the routes are not in this file",
            "check them with the rendered configuration: put `route_config` here",
        );
        return;
    };
    for own in door.overrides(gate) {
        if own.field("disabled").is_some_and(Node::is_true) {
            disabled(own, "disabled", findings);
        }
    }
    for host in table.items_of("virtual_hosts") {
        if let Some(matcher) = host.field("matcher") {
            findings.add(
                Code::NotChecked,
                matcher.at,
                "the routes of a `matcher` are not read",
                "check by hand where they lead, or write them as `routes`",
            );
        }
    }
    let routes = all(manager);
    for route in &routes {
        clear_upstream(root, route, findings);
        proof::check(root, route, findings);
    }
    let Some(config) = config else { return };
    for endpoint in &config.endpoints {
        check_endpoint(endpoint, table, &routes, findings);
        check_names(endpoint, table, &routes, findings);
        for route in routes.iter().filter(|route| leads(route, &endpoint.path)) {
            check_rewrite(route, &endpoint.path, findings);
            limits::check(route, door.manager.listener, endpoint, config, findings);
        }
    }
    if !config.pass_unknown_paths {
        unused(config, &routes, findings);
    }
}

/// Finds where an endpoint's events go.
fn check_endpoint(
    endpoint: &Endpoint,
    table: &Node,
    routes: &[Route<'_>],
    findings: &mut Findings,
) {
    let path = &endpoint.path;
    let mut leading = routes.iter().filter(|route| leads(route, path));
    let first = leading.find(|route| !route.is_for_a_name());
    let forwards = first.is_some_and(|route| route.node.field("route").is_some());
    if !forwards {
        findings.add(
            Code::RouteMissing,
            first.map_or(table.at, |route| route.node.at),
            &format!(
                "no route forwards `{path}` of the endpoint `{}`",
                endpoint.name
            ),
            &format!(
                "- match: {{path: {path}}}\n  route: {{cluster: upstream, prefix_rewrite: \
                 /v1/events, timeout: 10s}}"
            ),
        );
    }
}

/// Finds names of routes, of the endpoint's policy, to which no route leads.
fn check_names(endpoint: &Endpoint, table: &Node, routes: &[Route<'_>], findings: &mut Findings) {
    let path = &endpoint.path;
    let leading: Vec<&Route<'_>> = routes.iter().filter(|route| leads(route, path)).collect();
    let common = leading.iter().position(|route| !route.is_for_a_name());
    let by_type = endpoint.policy.routes.iter().map(|route| &route.route);
    for name in by_type.chain(&endpoint.policy.synchronous.route) {
        let own = leading.iter().position(|route| route.is_for(name));
        let (at, problem) = match own {
            None => (table.at, "no route leads to"),
            // The first route that matches is taken.
            Some(own) if common.is_some_and(|common| common < own) => (
                leading.get(own).map_or(table.at, |route| route.node.at),
                "the endpoint's common route stands before the one to",
            ),
            Some(_) => continue,
        };
        findings.add(
            Code::RouteForName,
            at,
            &format!("{problem} `{name}` of the endpoint `{}`", endpoint.name),
            &format!(
                "- match:\n    path: {path}\n    headers:\n    - {{name: x-hookgate-route, \
                 string_match: {{exact: {name}}}}}\n  route: {{cluster: {name}, timeout: 10s}}\n\
                 before the route of `{path}` without headers"
            ),
        );
    }
}

/// Finds rewrites that leave the rest of a path behind the upstream's.
fn check_rewrite(route: &Route<'_>, path: &str, findings: &mut Findings) {
    let Some(rewrite) = route.node.at_path("route.prefix_rewrite") else {
        return;
    };
    let prefix = ["match.prefix", "match.path_separated_prefix"];
    let prefix = prefix.iter().find_map(|field| route.node.text_of(field));
    let rest = prefix.and_then(|prefix| path.strip_prefix(prefix));
    if let Some(rest) = rest.filter(|rest| !rest.is_empty())
        && rewrite.text() == Some(EVENTS_PATH)
    {
        findings.add(
            Code::RouteRewrite,
            rewrite.at,
            &format!("`{path}` becomes `{EVENTS_PATH}{rest}`: only the prefix is rewritten"),
            &format!("regex_rewrite: {{pattern: {{regex: \".*\"}}, substitution: {EVENTS_PATH}}}"),
        );
    }
}

/// Finds routes for exact paths that the gate doesn't know.
fn unused(config: &Config, routes: &[Route<'_>], findings: &mut Findings) {
    for route in routes {
        let Some(path) = route.node.at_path("match.path") else {
            continue;
        };
        let text = path.text().unwrap_or_default();
        if !config
            .endpoints
            .iter()
            .any(|endpoint| endpoint.path == text)
        {
            findings.add(
                Code::RouteWithoutEndpoint,
                path.at,
                &format!("no endpoint of the gate has the path `{text}`"),
                &format!("add the endpoint, {{\"name\": …, \"path\": \"{text}\", …}}, or take the route out"),
            );
        }
    }
}

fn disabled(node: &Node, field: &str, findings: &mut Findings) {
    let problem = "the gate is switched off here";
    let fix = "take `disabled` out; give what needs no gate a listener of its own";
    findings.add_field(Code::GateDisabled, node, field, problem, fix);
}

/// Finds clusters that are reached over a network where nobody proves who it is.
fn clear_upstream(root: &Node, route: &Route<'_>, findings: &mut Findings) {
    for cluster in clusters(root, route) {
        let Some(remote) = cluster::remote(cluster) else {
            continue;
        };
        let name = cluster.text_of("name").unwrap_or_default();
        let host = remote.text().unwrap_or(name);
        let (code, problem) = match cluster::proof(cluster) {
            Proof::Clear => (Code::UpstreamTls, format!("reaches `{host}` without TLS")),
            Proof::Encrypted => {
                let problem = format!("takes any certificate of `{host}`");
                (Code::UpstreamUnverified, problem)
            }
            Proof::Authority | Proof::Name => continue,
        };
        let problem = format!("the cluster `{name}` {problem}");
        findings.add(code, remote.at, &problem, &cluster::tls(host));
    }
}

/// Returns the static clusters that a route leads to.
fn clusters<'a>(root: &'a Node, route: &Route<'a>) -> impl Iterator<Item = &'a Node> {
    let weighted = route.node.items_of("route.weighted_clusters.clusters");
    let names = weighted
        .filter_map(|cluster| cluster.text_of("name"))
        .chain(route.node.text_of("route.cluster"));
    names.filter_map(|name| cluster::find(root, name))
}
