//! What shows a keyring: logs, headers, spans that are made of filter state.

use crate::check::{
    document::Node,
    finding::{Code, Findings},
};

/// Finds every use of a keyring's key but the gate's own, and what sets it.
pub(super) fn check(root: &Node, key: &str, findings: &mut Findings) {
    let mut waiting = vec![root];
    while let Some(node) = waiting.pop() {
        let listed = node.items_of("filter_state_objects_to_log");
        let listed = listed.filter(|object| object.text() == Some(key));
        for shown in listed.chain(Some(node).filter(|node| is_use(node, key))) {
            findings.add(
                Code::KeyringShown,
                shown.at,
                &format!("`{key}` is put into something else here"),
                "take it out; what the gate says of a delivery stands in wasm.hookgate_…",
            );
        }
        // The gate's own configuration names it, as text.
        let is_gates = node
            .text_of("@type")
            .is_some_and(|name| name.ends_with("StringValue"));
        if !is_gates {
            waiting.extend(node.children());
        }
    }
}

/// Tells whether a text is a format or an expression that reads the key.
fn is_use(node: &Node, key: &str) -> bool {
    let Some(text) = node.text() else {
        return false;
    };
    let reads = text.contains("FILTER_STATE(") || text.contains("filter_state");
    reads
        && text.match_indices(key).any(|(start, _)| {
            let end = start.saturating_add(key.len());
            let is_of_key =
                |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
            let bytes = text.as_bytes();
            let before = start.checked_sub(1).and_then(|place| bytes.get(place));
            let after = bytes.get(end);
            !before.into_iter().chain(after).any(|byte| is_of_key(*byte))
        })
}
