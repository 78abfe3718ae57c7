//! Secret stores that are asked over HTTP.

use hookgate_core::config::{HttpSource, Keyring};

use crate::check::{
    document::Node,
    envoy::cluster::{self, Proof},
    finding::{Code, Findings},
};

/// Checks that a store can be reached, is who it should be, and is told who asks.
pub(super) fn check(
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
    let lack = match cluster::proof(cluster) {
        Proof::Clear => Some((Code::KeyringClusterTls, "speaks no TLS")),
        Proof::Encrypted => Some((
            Code::KeyringClusterUnverified,
            "takes any certificate: its TLS context trusts no authority",
        )),
        Proof::Authority => Some((
            Code::KeyringClusterName,
            "takes every certificate of its authority, whatever name is in it",
        )),
        Proof::Name => None,
    };
    if let Some((remote, (code, problem))) = cluster::remote(cluster).zip(lack) {
        findings.add(
            code,
            remote.at,
            &format!(
                "the cluster `{name}` of the keyring `{}` {problem}",
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
