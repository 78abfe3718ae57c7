//! What was said, for people and for programs.

use std::io::{self, Write};

use comfy_table::{CellAlignment, Table, presets};
use hookgate_core::time::Timestamp;
use serde_json::json;

use super::Replayed;

/// Prints tables.
///
/// # Errors
/// If the output can't be written.
pub(super) fn table(out: &mut impl Write, replayed: &Replayed, forecast: bool) -> io::Result<()> {
    if replayed.samples.is_empty() {
        return writeln!(out, "There is no history to replay yet.");
    }
    if replayed.said.is_empty() {
        writeln!(out, "Nothing would have been said.")?;
    } else {
        let mut table = Table::new();
        table
            .load_style(presets::UTF8_FULL_CONDENSED)
            .set_header(["time", "cause", "about", "score", "evidence"]);
        for said in &replayed.said {
            table.add_row([
                time(said.at),
                said.cause.to_owned(),
                said.subject.clone().unwrap_or_else(|| "all".to_owned()),
                format!("{:.2}", said.score),
                said.evidence.clone(),
            ]);
        }
        writeln!(out, "{table}")?;
    }
    if forecast {
        forecasts(out, replayed)?;
    }
    Ok(())
}

fn forecasts(out: &mut impl Write, replayed: &Replayed) -> io::Result<()> {
    let known = replayed.forecasts.iter();
    let known: Vec<_> = known.filter(|(_, hours)| !hours.is_empty()).collect();
    if known.is_empty() {
        return writeln!(
            out,
            "No forecast: it needs a week of counts, at least one in half an hour."
        );
    }
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_header([
        "type",
        "hour from",
        "expected",
        "19 of 20 within",
    ]);
    if let Some(column) = table.column_mut(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    for (name, hours) in known {
        for hour in hours {
            table.add_row([
                name.clone(),
                time(hour.from.as_unix_seconds()),
                format!("{:.1}", hour.events),
                format!("{:.0} to {:.0}", hour.low.floor(), hour.high.ceil()),
            ]);
        }
    }
    writeln!(out, "{table}")
}

/// Prints one JSON object a line.
///
/// # Errors
/// If the output can't be written.
pub(super) fn json(out: &mut impl Write, replayed: &Replayed, forecast: bool) -> io::Result<()> {
    for said in &replayed.said {
        let object = json!({
            "at": time(said.at),
            "cause": said.cause,
            "subject": said.subject,
            "score": said.score,
            "evidence": said.evidence,
            "action": said.action,
        });
        writeln!(out, "{object}")?;
    }
    let forecasts = replayed.forecasts.iter().filter(|_| forecast);
    for (name, hours) in forecasts {
        for hour in hours {
            let object = json!({
                "forecast": name,
                "from": time(hour.from.as_unix_seconds()),
                "expected": hour.events,
                "low": hour.low,
                "high": hour.high,
            });
            writeln!(out, "{object}")?;
        }
    }
    Ok(())
}

fn time(second: u64) -> String {
    Timestamp::from_unix_seconds(second).to_string()
}
