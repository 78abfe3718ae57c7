//! What a configuration does, in a few lines.

mod policy;
mod quota;
mod upstream;

use std::io::{self, Write};

use hookgate_core::config::{Config, Endpoint, Keyring, KeyringSource};

use crate::config;

/// Memory of one entry of the dedup table.
const ENTRY_BYTES: u64 = 32;

/// Writes what each gate does.
///
/// # Errors
/// Those of `out`.
pub(super) fn write(out: &mut impl Write, configs: &[Config]) -> io::Result<()> {
    for config in configs {
        for endpoint in &config.endpoints {
            writeln!(out, "POST {} ({})", endpoint.path, endpoint.name)?;
            for (name, text) in about_endpoint(endpoint, &config.keyrings) {
                writeln!(out, "  {name:<9} {text}")?;
            }
        }
        for (name, text) in about_gate(config) {
            writeln!(out, "{name:<11} {text}")?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// Writes what an upstream does, if there is one.
///
/// # Errors
/// Those of `out`.
pub(super) fn write_upstream(
    out: &mut impl Write,
    upstream: Option<&config::Config>,
) -> io::Result<()> {
    let Some(upstream) = upstream else {
        return Ok(());
    };
    for (name, text) in upstream::about(upstream) {
        writeln!(out, "{name:<14} {text}")?;
    }
    writeln!(out)
}

fn about_endpoint(endpoint: &Endpoint, keyrings: &[Keyring]) -> Vec<(&'static str, String)> {
    let scheme = &endpoint.scheme;
    let age = if scheme.signs_time() {
        let tolerance = &endpoint.tolerance;
        format!(
            "at most {} s old and {} s ahead",
            tolerance.past.as_secs(),
            tolerance.future.as_secs()
        )
    } else {
        "no signed time: a replay passes once the event is forgotten".to_owned()
    };
    let mut lines = vec![
        ("signed", format!("{}, {age}", scheme.as_str())),
        ("source", endpoint.source.to_string()),
        (
            "payload",
            format!("up to {}", bytes(endpoint.max_body_bytes)),
        ),
    ];
    let keyring = endpoint.keyring.and_then(|index| keyrings.get(index));
    lines.extend(keyring.map(|keyring| ("secrets", about_keyring(keyring))));
    lines.extend(endpoint.secrets.iter().map(|secret| {
        let text = format!(
            "`{}` from the environment variable {}",
            secret.name, secret.env
        );
        ("secrets", text)
    }));
    lines.extend(policy::about(&endpoint.policy));
    lines.extend(quota::of_endpoint(&endpoint.quotas));
    if !scheme.signs_attributes() {
        lines.push((
            "unsigned",
            "type and account: a carrier could change them".to_owned(),
        ));
    }
    lines
}

fn about_keyring(keyring: &Keyring) -> String {
    let name = &keyring.name;
    match &keyring.source {
        KeyringSource::FilterState(key) => {
            format!("keyring `{name}` from the filter state `{key}`, read with each request")
        }
        KeyringSource::Http(source) => format!(
            "keyring `{name}` from {} of the cluster `{}`, asked for every {} s",
            source.path,
            source.cluster,
            source.refresh.as_secs()
        ),
    }
}

fn about_gate(config: &Config) -> Vec<(&'static str, String)> {
    let dedup = &config.dedup;
    let entries = u64::from(dedup.max_entries);
    let mut lines = quota::of_gate(&config.quotas);
    lines.push((
        "dedup",
        format!(
            "{entries} entries ({}), each kept for {}; a delivery holds its event for at most {} s",
            bytes(entries * ENTRY_BYTES),
            hours(dedup.retention.as_secs()),
            dedup.lease.as_secs()
        ),
    ));
    let timeout = config.upstream_timeout.as_secs();
    lines.push(("upstream", format!("answers within {timeout} s")));
    let others = if config.pass_unknown_paths {
        "pass unverified"
    } else {
        "404 endpoint_unknown"
    };
    lines.push(("other paths", others.to_owned()));
    if let Some(watch) = &config.watch {
        let kept = match &watch.upstream {
            Some(upstream) => format!("kept by the cluster `{}`", upstream.cluster),
            None => "forgotten at each restart".to_owned(),
        };
        let mut told = String::from("metrics and log");
        if let Some(alert) = &watch.alert {
            told = format!(
                "{told}, and `{}` of the cluster `{}`",
                alert.path, alert.cluster
            );
        }
        let text = format!("verdicts to {told}; what is learnt is {kept}");
        lines.push(("watch", text));
        let protect = watch.protect;
        lines.extend(
            [
                (
                    protect.forged_signatures,
                    "tightens the quota of who forges",
                ),
                (protect.cascade, "sheds deliveries during a cascade"),
                (
                    protect.secret_suspect,
                    "marks what a stranger signs, to be held at the upstream",
                ),
            ]
            .into_iter()
            .filter(|(is_on, _)| *is_on)
            .map(|(_, does)| ("protects", does.to_owned())),
        );
    }
    lines
}

fn bytes(bytes: u64) -> String {
    match bytes {
        0..10_240 => format!("{bytes} B"),
        10_240..1_048_576 => format!("{} KiB", bytes.div_ceil(1_024)),
        _ => format!("{} MiB", bytes.div_ceil(1_048_576)),
    }
}

fn hours(seconds: u64) -> String {
    match seconds {
        0..7_200 => format!("{seconds} s"),
        _ => format!("{} h", seconds / 3_600),
    }
}
