//! Fields that are spelled in both ways that Envoy takes.

use crate::check::{
    document::{Node, camel_case},
    finding::{Code, Findings},
};

/// Mappings whose keys are names of somebody's own, and no fields.
const NAMES: [&str; 6] = [
    "json_format",
    "key_values",
    "typed_per_filter_config",
    "typed_extension_protocol_options",
    "filter_metadata",
    "typed_filter_metadata",
];

/// Finds fields that stand twice, once in each spelling.
pub(super) fn check(root: &Node, findings: &mut Findings) {
    let mut waiting = vec![root];
    while let Some(node) = waiting.pop() {
        for (name, at, value) in node.fields() {
            let camel = camel_case(name);
            let is_other = |(other, _, _): (&str, _, _)| other == camel;
            if camel != name && node.fields().any(is_other) {
                findings.add(
                    Code::FieldTwice,
                    at,
                    &format!("`{name}` stands here as `{camel}` too"),
                    "take one of the two out",
                );
            }
            if NAMES.contains(&name) {
                // What the names stand for has fields again.
                waiting.extend(value.children());
            } else {
                waiting.push(value);
            }
        }
        waiting.extend(node.items());
    }
}
