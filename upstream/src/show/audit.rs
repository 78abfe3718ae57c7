//! `hookgate audit`: who decided what.

use std::io::{self, Write as _};

use serde::Serialize;
use serde_json::{Value, json};

use super::ShowError;
use crate::{
    cli::AuditArgs,
    review::{Action, Desk, Record},
};

/// Verifies the trail and prints its newest records that are asked for.
///
/// # Errors
/// [`ShowError`].
pub(crate) fn audit(args: &AuditArgs) -> Result<(), ShowError> {
    let trail = Desk::open(&args.log.address()?)?.trail(args.noted)?;
    let newest = trail.records.last().map(|(_, link)| *link);
    let mut chosen: Vec<_> = trail
        .records
        .iter()
        .rev()
        .filter(|(record, _)| is_wanted(args, record))
        .take(args.limit.get())
        .collect();
    chosen.reverse();
    let mut out = io::BufWriter::new(io::stdout().lock());
    for (record, link) in chosen {
        if args.json {
            let linked = Linked {
                line: line(record),
                link: link.to_string(),
            };
            serde_json::to_writer(&mut out, &linked).map_err(io::Error::from)?;
            writeln!(out)?;
        } else {
            writeln!(out, "{}", sentence(record))?;
        }
    }
    if !args.json {
        match newest {
            Some(link) => writeln!(
                out,
                "The trail is sound: {} records, newest link {link}",
                link.sequence
            )?,
            None => writeln!(out, "Nobody has decided anything yet.")?,
        }
    }
    Ok(out.flush()?)
}

fn is_wanted(args: &AuditArgs, record: &Record) -> bool {
    let is = |only: &Option<String>, value: &str| only.as_ref().is_none_or(|only| only == value);
    is(&args.event, &record.id)
        && is(&args.destination, &record.destination)
        && is(&args.by, &record.name)
        && is(&args.batch, &record.batch)
}

/// A record in JSON, with the link that speaks for it and all before it.
#[derive(Serialize)]
struct Linked {
    #[serde(flatten)]
    line: Value,
    link: String,
}

/// Says a record in JSON.
pub(super) fn line(record: &Record) -> Value {
    json!({
        "number": record.number,
        "at": record.at.to_string(),
        "action": record.action.as_str(),
        "by": record.name,
        "reason": record.reason,
        "destination": record.destination,
        "target": record.target,
        "sequence": record.sequence,
        "source": record.source,
        "id": record.id,
        "batch": record.batch,
    })
}

/// Says a record in a line.
pub(super) fn sentence(record: &Record) -> String {
    let Record { number, at, .. } = record;
    let (by, reason) = (record.name.escape_debug(), record.reason.escape_debug());
    let event = match record.id.as_str() {
        "" => format!("event {}", record.sequence),
        id => id.escape_debug().to_string(),
    };
    let target = record.target.as_deref().unwrap_or_default();
    let what = match record.action {
        Action::Approved => format!("approved of {event} to {target}"),
        Action::Released if target == record.destination => format!("let {event} go to {target}"),
        Action::Released => format!(
            "let {event} go to {target} instead of {}",
            record.destination
        ),
        Action::Discarded => format!("discarded {event} for {}", record.destination),
        Action::Looked => format!("looked at the payload of {event}"),
    };
    format!("{number} {at} {by} {what}: {reason} ({})", record.batch)
}
