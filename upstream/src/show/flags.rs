//! `hookgate watch flags`: what a server found in its log.

use std::io::{self, Write};

use comfy_table::{Table, presets};

use super::ShowError;
use crate::{
    cli::FlagsArgs,
    expect::{Store, Told, state_of},
    log::{LogAddress, sqlite::SqliteReader},
};

/// Flags that are looked at: all that are kept.
const ALL: usize = 20_000;

/// Prints flags, the newest first.
///
/// # Errors
/// [`ShowError`].
pub(crate) fn flags(args: &FlagsArgs) -> Result<(), ShowError> {
    let log = args.log.address()?;
    let config = args.log.config().map_err(crate::cli::ArgumentError::from)?;
    let state = state_of(&config.expectations, &log);
    let state = state.ok_or_else(|| ShowError::Unkept { log: log.clone() })?;
    if let LogAddress::Sqlite(path) = &log {
        SqliteReader::open(path).map_err(crate::log::ReadError::from)?;
    }
    let store = Store::open_to_read(&state)?;
    let told = store.map(|store| store.newest(ALL)).transpose()?;
    let told = told.unwrap_or_default().into_iter();
    let chosen = told.filter(|told| is_wanted(args, told));
    let chosen: Vec<Told> = chosen.take(args.limit.get()).collect();
    let mut out = io::BufWriter::new(io::stdout().lock());
    if args.json {
        for told in &chosen {
            serde_json::to_writer(&mut out, told).map_err(io::Error::from)?;
            writeln!(out)?;
        }
    } else {
        table(&mut out, &chosen)?;
    }
    Ok(out.flush()?)
}

fn is_wanted(args: &FlagsArgs, told: &Told) -> bool {
    (args.kinds.is_empty() || args.kinds.contains(&told.kind))
        && (args.types.is_empty() || args.types.iter().any(|it| it.matches(&told.type_name)))
        && (!args.open || told.is_overdue() && told.came.is_none())
}

fn table(out: &mut impl Write, told: &[Told]) -> io::Result<()> {
    if told.is_empty() {
        return writeln!(out, "Nothing was found that is not as expected.");
    }
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_FULL_CONDENSED)
        .set_header(["found", "what", "type", "event", "why", "chance", "since"]);
    for told in told {
        let about = match &*told.type_name {
            "" => "all",
            name => name,
        };
        let event = told.event.as_ref();
        let since = match (&told.came, &told.review) {
            (Some(came), _) => format!("came {came}"),
            (None, Some(destination)) => format!("waits in review at {destination}"),
            (None, None) => String::new(),
        };
        let similar = match told.similar.as_slice() {
            [] => String::new(),
            similar => format!("; similar: {}", similar.join(", ")),
        };
        table.add_row([
            told.at.to_string(),
            told.kind.clone(),
            about.to_owned(),
            event.map_or_else(String::new, |event| event.id.clone()),
            format!("{}{similar}", told.evidence),
            chance(told.probability),
            since,
        ]);
    }
    writeln!(out, "{table}")
}

fn chance(probability: f64) -> String {
    if probability >= 0.01 {
        format!("{:.0} %", probability * 100.0)
    } else {
        format!("1 in {:.0}", 1.0 / probability.max(1e-9))
    }
}
