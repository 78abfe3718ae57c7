//! What the gate's module may ask of Envoy.

use hookgate_core::{capability, config::Config};

use crate::check::{
    document::Node,
    finding::{Code, Findings},
};

/// Where the names stand, from the plugin's configuration on; the second place
/// is the one before Envoy had the first.
const PLACES: [&str; 2] = [
    "vm_config.capability_restriction_config.allowed_capabilities",
    "capability_restriction_config.allowed_capabilities",
];

/// Compares what is allowed with what a configuration needs.
pub(super) fn check(plugin: &Node, config: &Config, findings: &mut Findings) {
    let needed = capability::needed(config);
    let allowed = PLACES.iter().find_map(|place| plugin.at_path(place));
    // An empty list allows all.
    let Some(allowed) = allowed.filter(|allowed| allowed.fields().next().is_some()) else {
        findings.add_field(
            Code::CapabilitiesOpen,
            plugin,
            "vm_config",
            "`capability_restriction_config` is missing or empty",
            &list(&needed),
        );
        return;
    };
    let is_allowed = |name: &&str| allowed.field(name).is_some();
    let missing: Vec<&str> = needed
        .iter()
        .copied()
        .filter(|it| !is_allowed(it))
        .collect();
    if !missing.is_empty() {
        findings.add(
            Code::CapabilityMissing,
            allowed.at,
            &format!("{} not allowed, and needed", quoted(&missing)),
            &lines(&missing),
        );
    }
    for (name, at, _) in allowed.fields() {
        if !needed.contains(&name) {
            findings.add(
                Code::CapabilityUnneeded,
                at,
                &format!("`{name}` is allowed, and this configuration doesn't need it"),
                "take it out",
            );
        }
    }
}

fn list(names: &[&str]) -> String {
    let lines = lines(names).replace('\n', "\n    ");
    format!("capability_restriction_config:\n  allowed_capabilities:\n    {lines}")
}

fn lines(names: &[&str]) -> String {
    let lines: Vec<String> = names.iter().map(|name| format!("{name}: {{}}")).collect();
    lines.join("\n")
}

fn quoted(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}
