//! `hookgate tail`: what the log takes, as it takes it.

use std::io::{self, Write as _};

use tokio::signal::unix::{SignalKind, signal};

use super::{ShowError, json};
use crate::{
    cli::TailArgs,
    deliver::destination::Filter,
    log::{Entry, Follower},
};

/// Prints events until it is interrupted.
///
/// # Errors
/// [`ShowError`].
pub(crate) async fn tail(args: &TailArgs) -> Result<(), ShowError> {
    let filter = Filter {
        sources: args.sources.clone(),
        types: args.types.clone(),
        accounts: args.accounts.iter().cloned().collect(),
        livemode: args.livemode,
    };
    let mut interrupt = signal(SignalKind::interrupt()).map_err(ShowError::Signal)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(ShowError::Signal)?;
    let mut follower = Follower::open(&args.log.address()?, args.from).await?;
    loop {
        let entries = tokio::select! {
            entries = follower.next() => entries?,
            _ = interrupt.recv() => return Ok(()),
            _ = terminate.recv() => return Ok(()),
        };
        let mut out = io::BufWriter::new(io::stdout().lock());
        for entry in entries.iter().filter(|e| filter.matches(&e.attributes)) {
            if args.json {
                json::write(&mut out, entry)?;
            } else {
                line(&mut out, entry)?;
            }
        }
        // Whoever reads us waits for it.
        out.flush()?;
    }
}

fn line(out: &mut impl io::Write, entry: &Entry) -> io::Result<()> {
    let attributes = &entry.attributes;
    writeln!(
        out,
        "{}  {}  {}  {}  {}  {}",
        entry.sequence,
        entry.stored_at,
        attributes.source,
        attributes.id,
        attributes.type_name,
        attributes.account.as_deref().unwrap_or("-"),
    )
}
