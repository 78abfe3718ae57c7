//! Where keyrings come from.

use hookgate_core::config::Config;

use crate::check::{document::Node, finding::Findings};

/// Checks that each keyring of the gate is there when the gate looks.
pub(super) fn check(
    root: &Node,
    config: &Config,
    (before, gate, after): (&[&Node], &Node, &[&Node]),
    findings: &mut Findings,
) {
    let _ = (root, config, before, gate, after, findings);
}
