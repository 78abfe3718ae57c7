//! `hookgate review list`: what waits for a person.

use std::io::{self, Write as _};

use comfy_table::{Table, presets};
use serde::Serialize;

use super::ShowError;
use crate::{
    cli::ListArgs,
    deliver::schedule::{self, Parked},
};

/// A parked event in JSON.
#[derive(Serialize)]
pub(super) struct Line<'a> {
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
pub(crate) async fn parked(args: &ListArgs) -> Result<(), ShowError> {
    let selection = args.selection();
    let wanted = |parked: &Parked| selection.chooses_parked(parked);
    let destination = selection.destination.as_deref();
    let address = args.log.address()?;
    let found = schedule::parked(&address, destination, args.limit, wanted).await?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    if args.json {
        for parked in &found {
            serde_json::to_writer(&mut out, &line(parked)).map_err(io::Error::from)?;
            writeln!(out)?;
        }
    } else if found.is_empty() {
        let matching = if selection.is_all() {
            ""
        } else {
            " of this kind"
        };
        writeln!(out, "Nothing{matching} is parked.")?;
    } else {
        writeln!(out, "{}", table(&found))?;
    }
    Ok(out.flush()?)
}

pub(super) fn line(parked: &Parked) -> Line<'_> {
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
