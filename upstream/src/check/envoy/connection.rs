//! The HTTP connection manager: who may be slow, and what a path is.

use std::time::Duration;

use hookgate_core::config::Config;

use crate::check::{
    document::Node,
    finding::{Code, Findings},
};

/// Checks what the gate needs of its connection manager.
pub(super) fn check(manager: &Node, findings: &mut Findings) {
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

    let field = "path_with_escaped_slashes_action";
    let action = manager.text_of(field);
    if !matches!(
        action,
        Some("REJECT_REQUEST" | "UNESCAPE_AND_REDIRECT" | "UNESCAPE_AND_FORWARD")
    ) {
        let problem = format!("`{field}` is missing, or keeps escaped slashes");
        let fix = format!("{field}: REJECT_REQUEST");
        findings.add_field(Code::EscapedSlashes, manager, field, &problem, &fix);
    }
    let field = "common_http_protocol_options.headers_with_underscores_action";
    if !matches!(
        manager.text_of(field),
        Some("REJECT_REQUEST" | "DROP_HEADER")
    ) {
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

/// Explains whose address is judged, where addresses are.
pub(super) fn check_addresses(manager: &Node, config: &Config, findings: &mut Findings) {
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
