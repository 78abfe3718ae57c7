//! What `up` prints once everything runs.

use std::io::{self, Write};
use std::path::Path;

use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;

use super::delivery::{Row, Way};
use super::ports::Ports;

/// Prints the table of the deliveries.
///
/// # Errors
/// If standard output is closed.
pub(crate) fn deliveries(rows: &[Row]) -> io::Result<()> {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header([
        "delivery",
        "status",
        "code",
        "event ID",
        "sequence in the log",
    ]);
    for row in rows {
        table.add_row([
            row.case,
            &row.status.to_string(),
            &row.code,
            &row.event_id,
            &sequences(&row.sequences),
        ]);
    }
    let mut out = io::stdout().lock();
    writeln!(out, "\n{table}")
}

/// Prints where everything is and how to send an event of one's own.
///
/// # Errors
/// If standard output is closed.
pub(crate) fn addresses(way: &Way<'_>, ports: &Ports, data: &Path) -> io::Result<()> {
    let hookgate = way.hookgate.display();
    let mut out = io::stdout().lock();
    writeln!(out, "door          {} (and {}/connect)", way.door, way.door)?;
    writeln!(
        out,
        "door, TLS     {} (trust {})",
        way.door_tls,
        way.authority.display()
    )?;
    writeln!(out, "Envoy admin   http://127.0.0.1:{}", ports.admin)?;
    writeln!(out, "upstream      http://127.0.0.1:{}", ports.upstream)?;
    writeln!(
        out,
        "its metrics   http://127.0.0.1:{}/metrics",
        ports.metrics
    )?;
    writeln!(out, "its console   http://127.0.0.1:{}/", ports.metrics)?;
    writeln!(
        out,
        "its doctor    http://127.0.0.1:{}/doctor",
        ports.metrics
    )?;
    writeln!(out, "log           {}", way.log)?;
    let keyring = way.keyring.file().display();
    writeln!(
        out,
        "keyring       {keyring} (watched: rename a new one over it to rotate)"
    )?;
    writeln!(out, "server logs   {}", data.join("run").display())?;
    let assignment: String = way
        .secrets
        .development()
        .filter(|secret| secret.variable == "STRIPE_WEBHOOK_SECRET")
        .map(|secret| format!("{}={} ", secret.variable, secret.value))
        .collect();
    writeln!(
        out,
        "\nSend your own:\n  {assignment}{hookgate} send {}",
        way.door
    )?;
    writeln!(out, "See the log:\n  {hookgate} events --log {}", way.log)
}

fn sequences(sequences: &[u64]) -> String {
    if sequences.is_empty() {
        return "not in the log".to_owned();
    }
    sequences
        .iter()
        .map(u64::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}
