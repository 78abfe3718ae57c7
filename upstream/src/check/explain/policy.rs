//! What an endpoint does with genuine events.

use hookgate_core::policy::{Otherwise, Policy, TypePattern, Unknown};

/// Returns a line for each rule.
pub(super) fn about(policy: &Policy) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    if !policy.source_ranges.is_empty() {
        let ranges: Vec<String> = policy
            .source_ranges
            .iter()
            .map(ToString::to_string)
            .collect();
        lines.push(("from", format!("{}; others: 403", ranges.join(", "))));
    }
    if let Some(livemode) = &policy.livemode {
        let only = if livemode.only { "live" } else { "test" };
        let text = format!("{only} mode only; other: {}", otherwise(livemode.otherwise));
        lines.push(("mode", text));
    }
    let types = &policy.types;
    if !types.allow.is_empty() || !types.deny.is_empty() {
        let mut text = match types.allow.as_slice() {
            [] => "all".to_owned(),
            allow => names(allow),
        };
        if !types.deny.is_empty() {
            text = format!("{text}, but not {}", names(&types.deny));
        }
        lines.push((
            "types",
            format!("{text}; others: {}", otherwise(types.otherwise)),
        ));
    }
    if let Some(accounts) = &policy.accounts {
        let unknown = match accounts.unknown {
            Unknown::Count => "counted and forwarded",
            Unknown::Otherwise(what) => otherwise(what),
        };
        let text = format!("{} known; others: {unknown}", accounts.known.len());
        lines.push(("accounts", text));
    }
    lines.extend(policy.routes.iter().map(|route| {
        let text = format!("{} by the route `{}`", names(&route.types), route.route);
        ("to", text)
    }));
    let synchronous = &policy.synchronous;
    if !synchronous.types.is_empty() {
        let decided = match &synchronous.route {
            Some(route) => format!("decided by the route `{route}`"),
            None => "503 no_decider".to_owned(),
        };
        let text = format!("{}: {decided}, never stored", names(&synchronous.types));
        lines.push(("waits", text));
    }
    lines
}

fn names(types: &[TypePattern]) -> String {
    let names: Vec<&str> = types.iter().map(TypePattern::as_str).collect();
    names.join(", ")
}

const fn otherwise(otherwise: Otherwise) -> &'static str {
    match otherwise {
        Otherwise::Ignore => "200 ignored",
        Otherwise::Refuse => "403",
    }
}
