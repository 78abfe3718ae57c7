//! How much is taken.

use hookgate_core::config::{EndpointQuotas, Exceeded, GateQuotas, Quota};

/// Returns a line for each quota of an endpoint.
pub(super) fn of_endpoint(quotas: &EndpointQuotas) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    let mut add = |whose: &str, quota: &Quota| {
        lines.push(("quota", format!("{whose} {}", about(quota))));
    };
    if let Some(quota) = &quotas.endpoint {
        add("all events:", quota);
    }
    if let Some(quota) = &quotas.accounts {
        add("each account:", quota);
    }
    for of_types in &quotas.types {
        let types: Vec<&str> = of_types.types.iter().map(|name| name.as_str()).collect();
        add(
            &format!("each type of {}:", types.join(", ")),
            &of_types.quota,
        );
    }
    lines
}

/// Returns a line for each quota of a gate.
pub(super) fn of_gate(quotas: &GateQuotas) -> Vec<(&'static str, String)> {
    let sources = quotas.sources.as_ref();
    let sources = sources.map(|quota| format!("failures of each sender: {}", about(quota)));
    let overall = quotas.overall.as_ref();
    let overall = overall.map(|quota| format!("all events: {}", about(quota)));
    let lines = sources.into_iter().chain(overall);
    lines.map(|line| ("quota", line)).collect()
}

/// Reads a quota out of its own field for senders, `"name";q=BURST;w=SECONDS`:
/// what they are told is what is enforced.
fn about(quota: &Quota) -> String {
    let field = quota.limit.policy_field("quota");
    let part = |name: &str| {
        let mut parts = field.split(';');
        parts
            .find_map(|part| part.strip_prefix(name))
            .unwrap_or("?")
            .to_owned()
    };
    let over = match quota.exceeded {
        Exceeded::Count => "counted",
        Exceeded::Refuse => "429",
    };
    format!("{} in {} s, over it: {over}", part("q="), part("w="))
}
