//! Where keyrings come from, and who else can have them.

mod format;
mod shown;
mod store;

use hookgate_core::config::{Config, Keyring, KeyringSource};

use super::{door::Door, type_of};
use crate::check::{
    document::Node,
    finding::{Code, Findings},
};

/// Checks that each keyring of the gate is there when the gate looks, that nobody
/// else chooses it, and that nothing shows it.
pub(super) fn check(door: &Door<'_>, config: &Config, findings: &mut Findings) {
    for keyring in &config.keyrings {
        match &keyring.source {
            KeyringSource::FilterState(key) => {
                check_setters(door, keyring, key, findings);
                shown::check(door.root, key, findings);
            }
            KeyringSource::Http(source) => {
                store::check(door.root, keyring, source, door.gate, findings);
            }
        }
    }
}

fn check_setters(door: &Door<'_>, keyring: &Keyring, key: &str, findings: &mut Findings) {
    let mut early = Vec::new();
    for filter in door.before.iter().filter(|filter| is_setter(filter)) {
        let own: Vec<&Node> = of_requests(filter.field("typed_config"), key).collect();
        if own.is_empty() {
            continue;
        }
        if filter.field("disabled").is_some_and(Node::is_true) {
            switched_off(filter, key, findings);
            return;
        }
        check_overrides(door, filter, key, findings);
        early.extend(own);
    }
    let behind = door.behind.iter().filter(|filter| is_setter(filter));
    let late = behind.flat_map(|filter| of_requests(filter.field("typed_config"), key));
    let late: Vec<&Node> = late.collect();
    let of_connection: Vec<&Node> = of_connection(door, key).collect();
    for setter in early.iter().chain(&of_connection) {
        format::check(setter, key, findings);
    }
    let Some((_, others)) = early.split_first() else {
        match (of_connection.first(), late.first()) {
            (Some(setter), _) => findings.add(
                Code::FileNotWatched,
                setter.at,
                &format!("`{key}` is set once for a connection: open ones keep the old secrets"),
                "set it with the HTTP filter of that name, before the gate in `http_filters`",
            ),
            (None, Some(setter)) => findings.add(
                Code::KeyringSetLate,
                setter.at,
                &format!("`{key}` is set behind the gate"),
                "move the set_filter_state filter before the gate in `http_filters`",
            ),
            (None, None) => missing(keyring, key, door.gate, findings),
        }
        return;
    };
    for setter in others.iter().chain(&late).chain(&of_connection) {
        findings.add(
            Code::KeyringSetTwice,
            setter.at,
            &format!("`{key}` is set here too"),
            "take one of the two out, or give it another `object_key`",
        );
    }
}

/// Checks what sets the key for some routes in place of the filter itself.
fn check_overrides(door: &Door<'_>, filter: &Node, key: &str, findings: &mut Findings) {
    for own in door.overrides(filter) {
        if own.field("disabled").is_some_and(Node::is_true) {
            switched_off(own, key, findings);
            continue;
        }
        // Envoy takes it bare, or in a FilterConfig.
        let config = own.field("config").unwrap_or(own);
        let mut setters = of_requests(Some(config), key).peekable();
        if setters.peek().is_none() {
            findings.add(
                Code::KeyringNotSet,
                own.at,
                &format!("for these requests `{key}` is not set"),
                "take this out, or set the key here as well",
            );
        }
        for setter in setters {
            format::check(setter, key, findings);
        }
    }
}

fn is_setter(filter: &Node) -> bool {
    type_of(filter).contains("filters.http.set_filter_state.")
}

/// Returns what sets a key with each request.
fn of_requests<'a>(config: Option<&'a Node>, key: &str) -> impl Iterator<Item = &'a Node> {
    let setters = config.into_iter();
    let setters = setters.flat_map(|config| config.items_of("on_request_headers"));
    setters.filter(move |setter| setter.text_of("object_key") == Some(key))
}

/// Returns what sets a key with each connection. Envoy takes that before what an
/// HTTP filter sets.
fn of_connection<'a>(door: &Door<'a>, key: &str) -> impl Iterator<Item = &'a Node> {
    let filters = door.manager.chain.items_of("filters");
    let setting = filters.filter(|filter| {
        let name = type_of(filter);
        name.contains("filters.network.set_filter_state.")
    });
    let lists = setting
        .filter_map(|filter| filter.field("typed_config"))
        .flat_map(Node::children);
    lists
        .flat_map(Node::items)
        .filter(move |setter| setter.text_of("object_key") == Some(key))
}

fn switched_off(holder: &Node, key: &str, findings: &mut Findings) {
    findings.add_field(
        Code::KeyringNotSet,
        holder,
        "disabled",
        &format!("what sets `{key}` is switched off here"),
        "take `disabled` out",
    );
}

fn missing(keyring: &Keyring, key: &str, gate: &Node, findings: &mut Findings) {
    findings.add(
        Code::KeyringNotSet,
        gate.at,
        &format!(
            "no filter before the gate sets `{key}` of the keyring `{}`",
            keyring.name
        ),
        &format!(
            "- name: hookgate_secrets\n  typed_config:\n    \
             \"@type\": type.googleapis.com/envoy.extensions.filters.http.set_filter_state.v3.Config\n    \
             on_request_headers:\n    - object_key: {key}\n      factory_key: envoy.string\n      \
             skip_if_empty: true\n      format_string:\n        omit_empty_values: true\n        \
             text_format_source:\n          \
             {}\n        \
             formatters:\n        - name: envoy.formatter.file_content\n          typed_config:\n            \
             \"@type\": type.googleapis.com/envoy.extensions.formatter.file_content.v3.FileContent",
            format::SHIPPED
        ),
    );
}
