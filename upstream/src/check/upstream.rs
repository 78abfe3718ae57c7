//! The upstream's own file: read by its own parser, then judged.

use super::{
    document::Position,
    finding::{Code, Findings},
};
use crate::{
    config::{Config, Destination, GiveUpAfter, Mistake, Url},
    deliver::destination::Target,
    hold,
    log::Capability,
};

/// Tells whether a text is a `hookgate.toml`: by its name or, from stdin, by
/// its first line that says something, which neither YAML nor JSON can have.
pub(super) fn is_ours(path: &std::path::Path, text: &str) -> bool {
    if path
        .extension()
        .is_some_and(|extension| extension == "toml")
    {
        return true;
    }
    let mut lines = text.lines().map(str::trim);
    let first = lines.find(|line| !line.is_empty() && !line.starts_with('#'));
    first.is_some_and(|line| {
        let is_name = |name: &str| {
            let named = |byte: u8| byte.is_ascii_lowercase() || matches!(byte, b'_' | b'.');
            !name.is_empty() && name.bytes().all(named)
        };
        let header = line.trim_start_matches('[').trim_end_matches(']');
        let is_header = line.starts_with('[') && line.ends_with(']') && is_name(header);
        is_header
            || line
                .split_once('=')
                .is_some_and(|(name, _)| is_name(name.trim()))
    })
}

/// Checks a file; `None` if it can't be used at all.
pub(super) fn check(text: &str, findings: &mut Findings) -> Option<Config> {
    let config = match Config::parse(text) {
        Ok(config) => config,
        Err(mistake) => {
            let fix = "write the field as envoy/hookgate.toml has it; unknown fields are refused, \
                       so that a misspelt one can't be overlooked";
            findings.add(
                Code::UpstreamConfig,
                place(&mistake),
                &mistake.to_string(),
                fix,
            );
            return None;
        }
    };
    let at = |path: &str| place(&Mistake::of_field(text, path, String::new()));
    if let Some(log) = &config.log {
        for (asked, capability, field) in [
            (
                !config.destinations.is_empty(),
                Capability::Deliveries,
                "destinations[0].name",
            ),
            (
                config.retention.keep.is_some(),
                Capability::Retention,
                "retention.keep",
            ),
        ] {
            if let (true, Err(error)) = (asked, log.require(capability)) {
                let fix = "another log, or without it";
                findings.add(Code::LogIncapable, at(field), &error.to_string(), fix);
            }
        }
    }
    // What can't be read here is for the server to say.
    if let Some(gate) = config.gate.as_deref()
        && let Ok(gate) = super::gate(gate)
        && let Err(unheld) = hold::check(&gate, config.log.as_ref(), config.destinations.len())
    {
        findings.add(
            Code::HeldByNobody,
            at("gate"),
            &unheld.to_string(),
            "[[destinations]] beside `sqlite:PATH` or `nats://HOST:PORT`, or `secret_suspect` false",
        );
    }
    for (index, destination) in config.destinations.iter().enumerate() {
        let field = |name: &str| at(&format!("destinations[{index}].{name}"));
        judge(destination, &field, findings);
    }
    if let Some(keep) = config.retention.keep {
        let tried = config
            .destinations
            .iter()
            .map(|one| one.retry.give_up_after);
        let longest = tried.max_by_key(|after: &GiveUpAfter| after.value());
        if let Some(longest) = longest.filter(|longest| longest.value() > keep.value()) {
            findings.add(
                Code::KeepTooShort,
                at("retention.keep"),
                &format!("events are kept for {keep}, and deliveries tried for {longest}"),
                &format!("keep = \"{longest}\", or more"),
            );
        }
    }
    Some(config)
}

fn judge(destination: &Destination, at: &impl Fn(&str) -> Position, findings: &mut Findings) {
    let name = &destination.name;
    let urls = [
        ("url", Some(&destination.url)),
        ("secondary", destination.secondary.as_ref()),
    ];
    for (field, url) in urls {
        let Some(Url::Here(target)) = url else {
            continue;
        };
        if let Some(scheme) = in_clear(target) {
            findings.add(
                Code::DestinationInClear,
                at(field),
                &format!("`{name}` gets its events over {scheme}"),
                "https://…, or a proxy with TLS on this machine",
            );
        }
    }
    let is_http =
        !matches!(&destination.url, Url::Here(target) if !matches!(target, Target::Http(_)));
    if destination.secrets.is_empty() && is_http {
        findings.add(
            Code::DeliveriesUnsigned,
            at("url"),
            &format!("`{name}` has no secrets"),
            "secrets = [\"ORDERS_SECRET\"], the name of a variable that holds whsec_… ",
        );
    }
}

/// Names the scheme of an address that leaves this machine unencrypted.
fn in_clear(target: &Target) -> Option<&'static str> {
    let url = match target {
        Target::Http(url) | Target::Amqp(url) | Target::Nats(url) => url,
        Target::Kafka(address) => {
            let servers = address.servers();
            let mut hosts = servers.split(',').map(|server| {
                let host = server.rsplit_once(':');
                host.map_or(server, |(host, _)| host)
            });
            return (!hosts.all(is_local)).then_some("Kafka, which is spoken in clear only");
        }
    };
    match url.scheme() {
        _ if url.host_str().is_some_and(is_local) => None,
        "http" => Some("http"),
        "amqp" => Some("AMQP without TLS"),
        "nats" => Some("NATS without TLS, unless the server asks for it"),
        _ => None,
    }
}

fn is_local(host: &str) -> bool {
    matches!(host, "localhost" | "[::1]") || host.starts_with("127.")
}

const fn place(mistake: &Mistake) -> Position {
    Position {
        line: mistake.at.line,
        column: mistake.at.column,
    }
}
