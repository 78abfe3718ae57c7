//! `hookgate events`, `event`, `tail`, `review list`, `review show`, `watch flags` and `audit`:
//! what there is to see.

mod audit;
mod case;
mod flags;
mod json;
mod parked;
mod table;
mod tail;

use std::io::{self, Write as _};

use bytes::Bytes;
use hookgate_core::identity::Source;

use crate::{
    cli::{ArgumentError, EventArgs, EventsArgs},
    deliver::schedule,
    expect::StoreError,
    log::{Entry, LogAddress, Query, ReadError, Reader},
    review::ReviewError,
};

pub(crate) use self::{audit::audit, case::case, flags::flags, parked::parked, tail::tail};

/// Says why there is nothing to show.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ShowError {
    /// An argument is not of its form.
    #[error(transparent)]
    Argument(#[from] ArgumentError),
    /// The log can't be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The schedule of deliveries can't be read.
    #[error(transparent)]
    Schedule(#[from] schedule::ReadError),
    /// What is parked can't be looked at.
    #[error(transparent)]
    Review(#[from] ReviewError),
    /// Signals can't be listened to.
    #[error("can't listen to signals: {0}")]
    Signal(io::Error),
    /// The log has no such events.
    #[error("the log has no event `{}`{}", ids.join("`, `"), of_source(source_name.as_ref()))]
    Unknown {
        /// The IDs asked for.
        ids: Vec<String>,
        /// The source asked for.
        source_name: Option<Source>,
    },
    /// The event isn't parked.
    #[error("`{id}` is not parked{}", at.as_ref().map_or_else(String::new, |at| format!(" at `{at}`")))]
    NotParked {
        /// The ID asked for.
        id: String,
        /// The destination asked for.
        at: Option<String>,
    },
    /// One payload was asked for and there are several.
    #[error("the log has this event from several sources ({sources}): choose one with --source")]
    Ambiguous {
        /// Their names.
        sources: String,
    },
    /// The payload was removed on purpose.
    #[error("the payload of this event was redacted: `hookgate verify-log` says when and why")]
    Redacted,
    /// What was found can't be read.
    #[error(transparent)]
    Flags(#[from] StoreError),
    /// What is found of the log is kept nowhere.
    #[error(
        "what a server finds of the log at {log} is kept nowhere: of a `nats:` log name a file as `state` of [expectations] in the configuration, and start `hookgate serve` with it; of logs but `sqlite:` and `nats:` nothing is learnt"
    )]
    Unkept {
        /// Which log.
        log: LogAddress,
    },
    /// The output can't be written.
    #[error("can't print: {0}")]
    Print(#[from] io::Error),
}

/// Prints the newest events.
///
/// # Errors
/// [`ShowError`].
pub(crate) async fn events(args: &EventsArgs) -> Result<(), ShowError> {
    let reader = Reader::open(&args.log.address()?).await?;
    let query = Query {
        limit: args.limit,
        source: args.source.clone(),
        type_name: args.type_name.clone(),
    };
    let entries = reader.events(&query).await?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    if args.json {
        for entry in &entries {
            json::write(&mut out, entry)?;
        }
    } else if entries.is_empty() {
        let filtered = args.source.is_some() || args.type_name.is_some();
        let matching = if filtered { " of this kind" } else { "" };
        writeln!(out, "The log has no events{matching} yet.")?;
    } else {
        writeln!(out, "{}", table::events(&entries))?;
    }
    Ok(out.flush()?)
}

/// Prints events, those that there are in the order of their IDs.
///
/// # Errors
/// [`ShowError`], among others [`ShowError::Unknown`].
pub(crate) async fn event(args: &EventArgs) -> Result<(), ShowError> {
    let reader = Reader::open(&args.log.address()?).await?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut unknown = Vec::new();
    for id in &args.ids {
        let found = reader.event(id, args.source.as_ref()).await?;
        if found.is_empty() {
            // Bounded, because it is repeated.
            unknown.push(id.chars().take(255).collect());
        } else if args.payload {
            out.write_all(only(&found)?)?;
        } else {
            write(&mut out, &found, args.json)?;
        }
    }
    out.flush()?;
    if unknown.is_empty() {
        return Ok(());
    }
    Err(ShowError::Unknown {
        ids: unknown,
        source_name: args.source.clone(),
    })
}

fn write(out: &mut impl io::Write, found: &[(Entry, Bytes)], as_json: bool) -> io::Result<()> {
    for (entry, payload) in found {
        if as_json {
            json::write(out, entry)?;
        } else {
            writeln!(out, "{}\n", table::event(entry).trim_fmt())?;
            out.write_all(payload)?;
            writeln!(out)?;
        }
    }
    Ok(())
}

fn only(found: &[(Entry, Bytes)]) -> Result<&Bytes, ShowError> {
    match found {
        [(entry, _)] if entry.redacted => Err(ShowError::Redacted),
        [(_, payload)] => Ok(payload),
        several => {
            let sources: Vec<&str> = several
                .iter()
                .map(|(entry, _)| entry.attributes.source.as_str())
                .collect();
            Err(ShowError::Ambiguous {
                sources: sources.join(", "),
            })
        }
    }
}

fn of_source(source: Option<&Source>) -> String {
    source.map_or_else(String::new, |source| format!(" of the source `{source}`"))
}
