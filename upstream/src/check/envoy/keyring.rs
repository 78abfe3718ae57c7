//! Where keyrings come from.

use hookgate_core::config::{Config, HttpSource, Keyring, KeyringSource};

use super::{cluster, type_of};
use crate::check::{
    document::Node,
    finding::{Code, Findings},
};

/// Checks that each keyring of the gate is there when the gate looks.
pub(super) fn check(
    root: &Node,
    config: &Config,
    (before, gate, after): (&[&Node], &Node, &[&Node]),
    findings: &mut Findings,
) {
    for keyring in &config.keyrings {
        match &keyring.source {
            KeyringSource::FilterState(key) => {
                let early = before.iter().find_map(|filter| setter(filter, key));
                let late = after.iter().find_map(|filter| setter(filter, key));
                match (early, late) {
                    (Some(setter), _) => check_setter(setter, key, findings),
                    (None, Some(setter)) => findings.add(
                        Code::KeyringSetLate,
                        setter.at,
                        &format!("`{key}` is set behind the gate"),
                        "move the set_filter_state filter before the gate in `http_filters`",
                    ),
                    (None, None) => missing(keyring, key, gate, findings),
                }
            }
            KeyringSource::Http(source) => check_http(root, keyring, source, gate, findings),
        }
    }
}

/// Finds what sets a key of the filter state.
fn setter<'a>(filter: &'a Node, key: &str) -> Option<&'a Node> {
    if !type_of(filter).contains("filters.http.set_filter_state.") {
        return None;
    }
    filter
        .items_of("typed_config.on_request_headers")
        .find(|setter| setter.text_of("object_key") == Some(key))
}

/// Checks what a key is set to.
fn check_setter(setter: &Node, key: &str, findings: &mut Findings) {
    let formats = [
        "format_string.text_format_source.inline_string",
        "format_string.text_format",
    ];
    let Some(format) = formats.iter().find_map(|path| setter.at_path(path)) else {
        return;
    };
    let text = format.text().unwrap_or_default();
    if let Some((_, argument)) = text.split_once("%FILE_CONTENT(") {
        let argument = argument.split(')').next().unwrap_or_default();
        if !argument.contains(':') {
            let folder = argument.rsplit_once('/').map_or(".", |(folder, _)| folder);
            findings.add(
                Code::FileNotWatched,
                format.at,
                &format!("`{argument}` is read without a watched directory"),
                &format!("inline_string: \"%FILE_CONTENT({argument}:{folder})%\""),
            );
        }
    } else if !text.contains('%') {
        findings.add(
            Code::SecretInClear,
            format.at,
            &format!("the value of `{key}` stands in this file"),
            "inline_string: \"%FILE_CONTENT(/etc/hookgate/secrets/keys.json:/etc/hookgate/secrets)%\"",
        );
    }
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
             inline_string: \"%FILE_CONTENT(/etc/hookgate/secrets/keys.json:/etc/hookgate/secrets)%\"\n        \
             formatters:\n        - name: envoy.formatter.file_content\n          typed_config:\n            \
             \"@type\": type.googleapis.com/envoy.extensions.formatter.file_content.v3.FileContent"
        ),
    );
}

fn check_http(
    root: &Node,
    keyring: &Keyring,
    source: &HttpSource,
    gate: &Node,
    findings: &mut Findings,
) {
    let HttpSource {
        cluster: name,
        authority,
        ..
    } = source;
    let Some(cluster) = cluster::find(root, name) else {
        findings.add(
            Code::KeyringClusterMissing,
            gate.at,
            &format!(
                "the keyring `{}` is asked of the cluster `{name}`, which is not in this file",
                keyring.name
            ),
            &format!("add the cluster `{name}` to `static_resources.clusters`, with TLS and credential_injector"),
        );
        return;
    };
    if let Some(address) = cluster::remote_address(cluster)
        && !cluster::has_tls(cluster)
    {
        findings.add(
            Code::KeyringClusterTls,
            address.at,
            &format!(
                "the cluster `{name}` of the keyring `{}` speaks no TLS",
                keyring.name
            ),
            &cluster::tls(authority),
        );
    }
    if !cluster::injects_credential(cluster) {
        findings.add(
            Code::KeyringCredential,
            cluster.at,
            &format!("the cluster `{name}` adds no credential to requests"),
            "in the cluster's HttpProtocolOptions: `http_filters` with \
             envoy.filters.http.credential_injector (a token from an SDS file) before \
             envoy.filters.http.upstream_codec",
        );
    }
}
