//! The HTTP connection manager: who may be slow, and what a path is.

use std::time::Duration;

use hookgate_core::config::Config;

use super::{door::Door, type_of};
use crate::check::{
    document::Node,
    finding::{Code, Findings},
};

/// What becomes of escaped slashes: the gate can live with these.
const ESCAPED_SLASHES: [(&str, u64); 3] = [
    ("REJECT_REQUEST", 2),
    ("UNESCAPE_AND_REDIRECT", 3),
    ("UNESCAPE_AND_FORWARD", 4),
];

/// What becomes of headers with underscores: the gate can live with these.
const UNDERSCORES: [(&str, u64); 2] = [("REJECT_REQUEST", 1), ("DROP_HEADER", 2)];

/// Checks what the gate needs of its connection manager and its listener.
pub(super) fn check(door: &Door<'_>, findings: &mut Findings) {
    let manager = door.manager.node;
    announced(door, findings);
    for (code, field, shipped) in [
        (
            Code::RequestHeadersTimeout,
            "request_headers_timeout",
            "10s",
        ),
        (Code::RequestTimeout, "request_timeout", "30s"),
        (Code::StreamIdleTimeout, "stream_idle_timeout", "45s"),
    ] {
        let problem = match manager.field(field) {
            None => "is missing",
            Some(limit) => match limit.duration() {
                Some(Duration::ZERO) => "is 0, which means no limit",
                _ => continue,
            },
        };
        let fix = format!("{field}: {shipped}");
        findings.add_field(code, manager, field, &format!("`{field}` {problem}"), &fix);
    }
    is_true(manager, "normalize_path", Code::PathNormalization, findings);
    is_true(manager, "use_remote_address", Code::RemoteAddress, findings);

    let is_one = |field: &str, values: &[(&str, u64)]| {
        let value = manager.at_path(field);
        value.is_some_and(|value| values.iter().any(|known| value.is_value(*known)))
    };
    let field = "path_with_escaped_slashes_action";
    if !is_one(field, &ESCAPED_SLASHES) {
        let problem = format!("`{field}` is missing, or keeps escaped slashes");
        let fix = format!("{field}: REJECT_REQUEST");
        findings.add_field(Code::EscapedSlashes, manager, field, &problem, &fix);
    }
    let field = "common_http_protocol_options.headers_with_underscores_action";
    if !is_one(field, &UNDERSCORES) {
        findings.add_field(
            Code::UnderscoreHeaders,
            manager,
            field,
            "headers with underscores are allowed",
            "common_http_protocol_options:\n  headers_with_underscores_action: REJECT_REQUEST",
        );
    }
    if manager.field("local_reply_config").is_none() {
        findings.add(
            Code::LocalReply,
            manager.at,
            "`local_reply_config` is missing",
            "copy `local_reply_config` from envoy/envoy.yaml",
        );
    }
}

fn is_true(manager: &Node, field: &str, code: Code, findings: &mut Findings) {
    if !manager.field(field).is_some_and(Node::is_true) {
        let problem = format!("`{field}` is not true");
        let fix = format!("{field}: true");
        findings.add_field(code, manager, field, &problem, &fix);
    }
}

/// Finds listeners on which whoever connects says which address it has.
fn announced(door: &Door<'_>, findings: &mut Findings) {
    let mut filters = door.manager.listener.items_of("listener_filters");
    let Some(filter) = filters.find(|filter| type_of(filter).contains(".proxy_protocol.")) else {
        return;
    };
    let peers = "filter_chain_match.direct_source_prefix_ranges";
    let is_bounded = |range: &Node| range.field("prefix_len").and_then(Node::number) > Some(0);
    let ranges: Vec<&Node> = door.manager.chain.items_of(peers).collect();
    if ranges.is_empty() || !ranges.into_iter().all(is_bounded) {
        findings.add(
            Code::ProxyProtocol,
            filter.at,
            "whoever connects can name its own address by the PROXY protocol",
            "in the gate's filter chain, with the addresses of your load balancers:\n\
             filter_chain_match:\n  direct_source_prefix_ranges:\n  - {address_prefix: 10.0.0.0, prefix_len: 8}",
        );
    }
}

/// Explains whose address is judged, where addresses are.
pub(super) fn check_addresses(door: &Door<'_>, config: &Config, findings: &mut Findings) {
    let manager = door.manager.node;
    let mut endpoints = config.endpoints.iter();
    let judged = endpoints.any(|endpoint| !endpoint.policy.source_ranges.is_empty());
    if config.quotas.sources.is_none() && !judged {
        return;
    }
    let field = "xff_num_trusted_hops";
    let Some(hops) = manager.field(field).and_then(Node::number) else {
        return;
    };
    if hops > 0 {
        let problem = format!(
            "the sender's address is entry {hops} from the end of X-Forwarded-For: right only if \
             every request passes {hops} proxies of yours, and each appends its peer"
        );
        let fix = format!("{field}: 0 where senders connect to Envoy directly");
        findings.add_field(Code::TrustedHops, manager, field, &problem, &fix);
    }
}
