//! What a configuration does, in a few lines.

use std::io::{self, Write};

use comfy_table::{Table, presets};
use hookgate_core::config::{Config, Endpoint};

/// Memory of one entry of the dedup table.
const ENTRY_BYTES: u64 = 32;

/// Writes what each gate does.
///
/// # Errors
/// Those of `out`.
pub(super) fn write(out: &mut impl Write, configs: &[Config]) -> io::Result<()> {
    for config in configs {
        writeln!(out, "{}", endpoints(&config.endpoints))?;
        let dedup = &config.dedup;
        writeln!(
            out,
            "dedup     {} entries ({} MiB), kept {} h; a delivery may take {} s (lease)",
            dedup.max_entries,
            mebibytes(u64::from(dedup.max_entries) * ENTRY_BYTES),
            dedup.retention.as_secs() / 3_600,
            dedup.lease.as_secs(),
        )?;
        writeln!(
            out,
            "upstream  answers within {} s",
            config.upstream_timeout.as_secs()
        )?;
        let others = if config.pass_unknown_paths {
            "pass unverified"
        } else {
            "404 endpoint_unknown"
        };
        writeln!(out, "other paths  {others}\n")?;
    }
    Ok(())
}

fn endpoints(endpoints: &[Endpoint]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_header([
        "endpoint",
        "path",
        "source",
        "secrets",
        "tolerance",
        "largest payload",
    ]);
    for endpoint in endpoints {
        let secrets: Vec<String> = endpoint
            .secrets
            .iter()
            .map(|secret| format!("{} (env {})", secret.name, secret.env))
            .collect();
        table.add_row([
            endpoint.name.clone(),
            endpoint.path.clone(),
            endpoint.source.to_string(),
            secrets.join("\n"),
            format!(
                "-{} s +{} s",
                endpoint.tolerance.past.as_secs(),
                endpoint.tolerance.future.as_secs()
            ),
            format!("{} MiB", mebibytes(endpoint.max_body_bytes)),
        ]);
    }
    table
}

fn mebibytes(bytes: u64) -> u64 {
    bytes.div_ceil(1_048_576)
}
