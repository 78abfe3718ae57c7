//! What TLS to a cluster proves. Envoy 1.40 checks no certificate unless it is told
//! what to trust, and `system_root_certs` tells it nothing.

use crate::check::{document::Node, envoy::type_of};

/// Lists what makes a certificate a trusted one: an authority, the certificate
/// itself, or a validator of its own.
const TRUST: [&str; 5] = [
    "trusted_ca",
    "ca_certificate_provider_instance",
    "verify_certificate_spki",
    "verify_certificate_hash",
    "custom_validator_config",
];

/// Lists what says whose certificate it has to be.
const NAME: [&str; 5] = [
    "match_typed_subject_alt_names",
    "match_subject_alt_names",
    "verify_certificate_spki",
    "verify_certificate_hash",
    "custom_validator_config",
];

const ACCEPT_UNTRUSTED: (&str, u64) = ("ACCEPT_UNTRUSTED", 1);

/// Says what is known of who answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::check::envoy) enum Proof {
    /// Nothing, and everybody on the way can read along.
    Clear,
    /// Nothing: any certificate will do.
    Encrypted,
    /// That somebody has a certificate of a trusted authority.
    Authority,
    /// That it is who it should be.
    Name,
}

/// Returns what the weakest of a cluster's transport sockets proves.
pub(in crate::check::envoy) fn proof(cluster: &Node) -> Proof {
    let proofs = sockets(cluster).map(|socket| of_socket(socket, names_itself(cluster)));
    proofs.min().unwrap_or(Proof::Clear)
}

/// Tells whether a cluster proves by a certificate who asks.
pub(in crate::check::envoy) fn shows_certificate(cluster: &Node) -> bool {
    let fields = ["tls_certificates", "tls_certificate_sds_secret_configs"];
    let mut contexts =
        sockets(cluster).filter_map(|it| it.at_path("typed_config.common_tls_context"));
    contexts.any(|context| {
        let mut all = fields.iter().flat_map(|field| context.items_of(field));
        all.next().is_some()
    })
}

fn sockets(cluster: &Node) -> impl Iterator<Item = &Node> {
    let matches = cluster.items_of("transport_socket_matches");
    let sockets = matches.filter_map(|matched| matched.field("transport_socket"));
    cluster.field("transport_socket").into_iter().chain(sockets)
}

fn of_socket(socket: &Node, names_itself: bool) -> Proof {
    let name = type_of(socket);
    let Some(config) = socket.field("typed_config") else {
        return Proof::Clear;
    };
    let context = if name.contains("tls.v3.UpstreamTlsContext") {
        config
    } else if let Some(context) = config.field("upstream_tls_context") {
        context
    } else if let Some(inner) = config.field("transport_socket") {
        // One that is wrapped, to be measured or announced.
        return of_socket(inner, names_itself);
    } else {
        return Proof::Clear;
    };
    let common = "common_tls_context";
    let fetched = [
        "validation_context_sds_secret_config",
        "combined_validation_context.validation_context_sds_secret_config",
    ];
    let is_fetched = fetched
        .iter()
        .any(|field| context.at_path(&format!("{common}.{field}")).is_some());
    let stated = [
        "validation_context",
        "combined_validation_context.default_validation_context",
    ];
    let stated: Vec<&Node> = stated
        .iter()
        .filter_map(|field| context.at_path(&format!("{common}.{field}")))
        .collect();
    let says = |fields: &[&str]| {
        let mut all = stated.iter().flat_map(|rules| {
            let found = fields.iter().filter_map(|field| rules.field(field));
            found.filter(|field| field.children().next().is_some())
        });
        all.next().is_some()
    };
    let accepts_all = stated.iter().any(|rules| {
        let chain = rules.field("trust_chain_verification");
        chain.is_some_and(|chain| chain.is_value(ACCEPT_UNTRUSTED))
    });
    if accepts_all || !(is_fetched || says(&TRUST)) {
        return Proof::Encrypted;
    }
    let is_named = context
        .field("auto_sni_san_validation")
        .is_some_and(Node::is_true);
    if is_fetched || is_named || names_itself || says(&NAME) {
        Proof::Name
    } else {
        Proof::Authority
    }
}

/// Tells whether a cluster takes the name that it asks for as the one to expect.
fn names_itself(cluster: &Node) -> bool {
    let options = cluster.field("typed_extension_protocol_options");
    let options = options.into_iter().flat_map(Node::children);
    let mut options = options.chain([cluster]);
    options.any(|options| {
        let field = "upstream_http_protocol_options.auto_san_validation";
        options.at_path(field).is_some_and(Node::is_true)
    })
}
