//! `hookgate tail`: what the log takes, as it takes it.

use std::io::{self, Write as _};

use tokio::{
    io::{Interest, unix::AsyncFd},
    signal::unix::{SignalKind, signal},
};

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
    let address = args.log.address()?;
    let mut follower = Follower::open(&address, args.from).await?;
    // Nothing may come for hours. Whoever closed stderr doesn't want to know.
    let _ = writeln!(
        io::stderr(),
        "hookgate: following {address} from {}; Ctrl-C ends it",
        args.from
    );
    let mut unread = std::pin::pin!(unread());
    loop {
        let entries = tokio::select! {
            entries = follower.next() => entries?,
            _ = interrupt.recv() => return Ok(()),
            _ = terminate.recv() => return Ok(()),
            () = &mut unread => return Ok(()),
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

/// Waits until nobody reads stdout any more, so that `hookgate tail | head -1`
/// ends with its `head` and not with the next event. A file never says so.
#[expect(
    deprecated,
    reason = "what replaces it is unsafe, for descriptors that may be closed: stdout stays open"
)]
async fn unread() {
    if let Ok(stdout) = AsyncFd::with_interest(io::stdout(), Interest::ERROR)
        && stdout.ready(Interest::ERROR).await.is_ok()
    {
        return;
    }
    std::future::pending().await
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
