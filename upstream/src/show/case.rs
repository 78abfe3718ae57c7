//! `hookgate review show`: the facts of one parked event.

use std::io::{self, Write};

use comfy_table::{Table, presets};
use serde_json::{Value, json};

use super::{ShowError, audit, json, parked, table};
use crate::{
    cli::ShowArgs,
    review::{Case, Desk, PastAttempt},
};

/// Most similar events that are named.
const SIMILAR_SHOWN: usize = 10;

/// Prints the facts, for each destination where the event is parked.
///
/// # Errors
/// [`ShowError`].
pub(crate) fn case(args: &ShowArgs) -> Result<(), ShowError> {
    let desk = Desk::open(&args.log.address()?)?;
    let mut cases = desk.cases(&args.id, args.source.as_ref())?;
    if let Some(only) = &args.destination {
        cases.retain(|case| case.parked.destination == *only);
    }
    if cases.is_empty() {
        return Err(ShowError::NotParked {
            // Bounded, because it is repeated.
            id: args.id.chars().take(255).collect(),
            at: args.destination.clone(),
        });
    }
    let mut out = io::BufWriter::new(io::stdout().lock());
    for case in &cases {
        if args.json {
            writeln!(out, "{}", in_json(case))?;
        } else {
            print(&mut out, case)?;
        }
    }
    Ok(out.flush()?)
}

fn in_json(case: &Case) -> Value {
    json!({
        "parked": parked::line(&case.parked),
        "webhookid": case.webhook_id,
        "approvals": case.approvals,
        "attempts": case.attempts.iter().map(attempt).collect::<Vec<_>>(),
        "similar": {
            "count": case.similar.len(),
            "ids": case.similar,
        },
        "decisions": case.decisions.iter().map(audit::line).collect::<Vec<_>>(),
        "event": case.parked.entry.as_ref().map(json::line),
        // `hookgate event --payload` has what is no text.
        "payload": case.payload.as_deref().and_then(|it| std::str::from_utf8(it).ok()),
    })
}

fn attempt(attempt: &PastAttempt) -> Value {
    json!({
        "number": attempt.number,
        "at": attempt.at.to_string(),
        "via": attempt.via,
        "outcome": attempt.outcome,
        "status": attempt.status,
        "latencyms": u64::try_from(attempt.latency.as_millis()).unwrap_or(u64::MAX),
        "answer": attempt.answer,
    })
}

fn print(out: &mut impl Write, case: &Case) -> io::Result<()> {
    let parked = &case.parked;
    writeln!(
        out,
        "Parked at {}: {}, {} made so far\n",
        parked.destination,
        parked.reason,
        counted(parked.attempts, "attempt")
    )?;
    let held_for = parked.entry.as_ref().and_then(|it| it.attributes.held_for);
    if let Some(held_for) = held_for {
        writeln!(out, "Held: {}\n", held_for.why())?;
    }
    writeln!(out, "{}\n", attempts(&case.attempts))?;
    writeln!(out, "{}", similar(case))?;
    for record in &case.decisions {
        writeln!(out, "{}", audit::sentence(record))?;
    }
    if case.approvals > 1 {
        writeln!(out, "{} people must approve.", case.approvals)?;
    }
    writeln!(out, "webhook-id {}\n", case.webhook_id)?;
    match (&parked.entry, &case.payload) {
        (Some(entry), Some(payload)) => {
            writeln!(out, "{}\n", table::event(entry).trim_fmt())?;
            out.write_all(payload)?;
            writeln!(out)
        }
        _ => writeln!(out, "The log doesn't have the event as it was appended."),
    }
}

fn attempts(attempts: &[PastAttempt]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_FULL_CONDENSED)
        .set_header(["attempt", "at", "via", "outcome", "status", "ms", "answer"]);
    for attempt in attempts {
        let status = attempt.status.map(|status| status.to_string());
        table.add_row([
            attempt.number.to_string(),
            attempt.at.to_string(),
            attempt.via.clone(),
            attempt.outcome.clone(),
            status.unwrap_or_else(|| "-".to_owned()),
            attempt.latency.as_millis().to_string(),
            // As sent, and so not to be trusted with a terminal.
            attempt.answer.escape_debug().to_string(),
        ]);
    }
    table
}

fn counted(count: u32, what: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {what}{ending}")
}

fn similar(case: &Case) -> String {
    if case.similar.is_empty() {
        return "No other of this type is parked there like it.".to_owned();
    }
    let ids = case.similar.iter().take(SIMILAR_SHOWN);
    let ids: Vec<&str> = ids.map(String::as_str).collect();
    let more = if case.similar.len() > SIMILAR_SHOWN {
        ", …"
    } else {
        ""
    };
    format!(
        "{} others of this type are parked there like it: {}{more}",
        case.similar.len(),
        ids.join(", ")
    )
}
