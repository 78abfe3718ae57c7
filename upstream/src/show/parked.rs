//! `hookgate parked`: what automation gave up on.

use std::io::{self, Write as _};

use comfy_table::{Table, presets};
use serde::Serialize;

use super::ShowError;
use crate::{
    cli::ParkedArgs,
    deliver::schedule::{self, Parked},
};

#[derive(Serialize)]
struct Line<'a> {
    destination: &'a str,
    sequence: u64,
    /// What is known of the event; nothing once retention has removed it.
    source: Option<&'a str>,
    id: Option<&'a str>,
    r#type: Option<&'a str>,
    account: Option<&'a str>,
    reason: &'a str,
    attempts: u32,
    lastat: String,
    status: Option<u16>,
    answer: &'a str,
}

/// Prints what is parked, the oldest event first.
///
/// # Errors
/// [`ShowError`].
pub(crate) async fn parked(args: &ParkedArgs) -> Result<(), ShowError> {
    let wanted = |parked: &Parked| is_wanted(args, parked);
    let destination = args.destination.as_deref();
    let address = args.log.address()?;
    let found = schedule::parked(&address, destination, args.limit, wanted).await?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    if args.json {
        for parked in &found {
            serde_json::to_writer(&mut out, &line(parked)).map_err(io::Error::from)?;
            writeln!(out)?;
        }
    } else if found.is_empty() {
        let filtered = args.destination.is_some()
            || args.reason.is_some()
            || args.source.is_some()
            || args.type_name.is_some();
        let matching = if filtered { " of this kind" } else { "" };
        writeln!(out, "Nothing{matching} is parked.")?;
    } else {
        writeln!(out, "{}", table(&found))?;
    }
    Ok(out.flush()?)
}

fn is_wanted(args: &ParkedArgs, parked: &Parked) -> bool {
    let event = parked.entry.as_ref().map(|entry| &entry.attributes);
    let of_reason = args
        .reason
        .is_none_or(|only| only.as_str() == parked.reason);
    let of_source = args
        .source
        .as_ref()
        .is_none_or(|only| event.is_some_and(|event| event.source == *only));
    let of_type = args
        .type_name
        .as_ref()
        .is_none_or(|only| event.is_some_and(|event| only.matches(&event.type_name)));
    of_reason && of_source && of_type
}

fn line(parked: &Parked) -> Line<'_> {
    let event = parked.entry.as_ref().map(|entry| &entry.attributes);
    Line {
        destination: &parked.destination,
        sequence: parked.sequence,
        source: event.map(|event| event.source.as_str()),
        id: event.map(|event| event.id.as_str()),
        r#type: event.map(|event| event.type_name.as_str()),
        account: event.and_then(|event| event.account.as_deref()),
        reason: &parked.reason,
        attempts: parked.attempts,
        lastat: parked.last_at.to_string(),
        status: parked.status,
        answer: &parked.answer,
    }
}

/// Most characters of an answer in a table.
const ANSWER_WIDTH: usize = 60;

fn table(found: &[Parked]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_header([
        "destination",
        "seq",
        "event ID",
        "type",
        "reason",
        "attempts",
        "last",
        "status",
        "answer",
    ]);
    for parked in found {
        let line = line(parked);
        // As sent, and so not to be trusted with a terminal.
        let answer = line.answer.chars().take(ANSWER_WIDTH).collect::<String>();
        table.add_row([
            line.destination.to_owned(),
            line.sequence.to_string(),
            line.id.unwrap_or("(removed)").to_owned(),
            line.r#type.unwrap_or("-").to_owned(),
            line.reason.to_owned(),
            line.attempts.to_string(),
            line.lastat.clone(),
            line.status
                .map_or_else(|| "-".to_owned(), |status| status.to_string()),
            answer.escape_debug().to_string(),
        ]);
    }
    table
}
