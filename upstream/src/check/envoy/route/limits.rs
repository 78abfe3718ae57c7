//! What a route allows an event: bytes and time.

use std::time::Duration;

use hookgate_core::config::{Config, Endpoint};

use super::matching::Route;
use crate::check::{
    document::Node,
    finding::{Code, Findings},
};

/// Envoy's limit of a connection's buffer where none is set.
const DEFAULT_BUFFER_BYTES: u64 = 1_048_576;

/// What a limit needs beyond the largest payload, so that the gate and not
/// Envoy says which payload is too large.
const BUFFER_MARGIN_BYTES: u64 = 65_536;

/// Envoy's timeout of a route where none is set.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(15);

/// Checks a route that an endpoint's events take.
pub(super) fn check(
    route: &Route<'_>,
    listener: &Node,
    endpoint: &Endpoint,
    config: &Config,
    findings: &mut Findings,
) {
    buffer(route, listener, endpoint, findings);
    let Some(action) = route.node.field("route") else {
        return;
    };
    let lease = config.dedup.lease;
    let timeout = match action.field("timeout").map(Node::duration) {
        None => Some(DEFAULT_TIMEOUT),
        // 0 means none.
        Some(timeout) => timeout.filter(|timeout| !timeout.is_zero()),
    };
    if timeout.is_none_or(|timeout| timeout >= lease) {
        let found = timeout.map_or("none".to_owned(), |timeout| {
            format!("{} s", timeout.as_secs())
        });
        findings.add_field(
            Code::RouteTimeout,
            action,
            "timeout",
            &format!(
                "the route's timeout ({found}) is not below the lease of {} s",
                lease.as_secs()
            ),
            &format!("timeout: {}s", config.upstream_timeout.as_secs()),
        );
    }
    retries(action, route, config, findings);
}

fn buffer(route: &Route<'_>, listener: &Node, endpoint: &Endpoint, findings: &mut Findings) {
    let own = "request_body_buffer_limit";
    let limits = [
        (route.node, own),
        (route.host, own),
        (route.node, "per_request_buffer_limit_bytes"),
        (route.host, "per_request_buffer_limit_bytes"),
        (listener, "per_connection_buffer_limit_bytes"),
    ];
    let found = limits
        .into_iter()
        .find_map(|(holder, field)| holder.field(field));
    let limit = found.and_then(Node::number).unwrap_or(DEFAULT_BUFFER_BYTES);
    let needed = endpoint.max_body_bytes;
    if limit < needed {
        findings.add(
            Code::BufferLimit,
            found.map_or(route.node.at, |node| node.at),
            &format!(
                "Envoy holds {limit} bytes of a request, the endpoint `{}` takes {needed}",
                endpoint.name
            ),
            &format!("{own}: {}", needed + BUFFER_MARGIN_BYTES),
        );
    }
}

fn retries(action: &Node, route: &Route<'_>, config: &Config, findings: &mut Findings) {
    let policies = [
        action.field("retry_policy"),
        route.host.field("retry_policy"),
    ];
    let Some(policy) = policies.into_iter().flatten().next() else {
        return;
    };
    let number = policy.field("num_retries").and_then(Node::number);
    let tries = u32::try_from(number.unwrap_or(1).saturating_add(1)).unwrap_or(u32::MAX);
    let per_try = policy
        .field("per_try_timeout")
        .and_then(Node::duration)
        .unwrap_or(config.upstream_timeout);
    if per_try.saturating_mul(tries) >= config.dedup.lease {
        let fitting = (config.upstream_timeout.as_secs() / u64::from(tries)).max(1);
        findings.add(
            Code::RouteRetries,
            policy.at,
            &format!(
                "{tries} tries of {} s take as long as the lease of {} s",
                per_try.as_secs(),
                config.dedup.lease.as_secs()
            ),
            &format!("per_try_timeout: {fitting}s"),
        );
    }
}
