//! What a search by ID takes with a million events in the log.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use async_nats::jetstream;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hookgate_host_tests::artefact;
use hookgate_host_tests::measure::{milliseconds, percentile};
use tokio::process::Command;
use tokio::time::sleep;

use crate::growth::{EVENT_BYTES, LARGE};
use crate::store::{Kind, Store};
use crate::{row, table};

const SEARCHES: usize = 50;
const ROUNDS: usize = 5;

/// How long nats-server keeps what it read in memory, and more.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(15);

/// Measures both logs.
pub(crate) async fn measure() -> Result<()> {
    for kind in [Kind::Sqlite, Kind::Nats] {
        let large = Store::filled(kind, LARGE, EVENT_BYTES).await?;
        table(&format!(
            "{}, a million events of {EVENT_BYTES} bytes:",
            kind.name()
        ));
        search(&large).await?;
    }
    Ok(())
}

/// Searches as a person does, beside a command that does nothing; on NATS also
/// beside a bare request for one message.
pub(crate) async fn search(store: &Store) -> Result<()> {
    let log = store.upstream.log().url();
    let bare = match &store.nats {
        Some(nats) => {
            let context = jetstream::new(async_nats::connect(nats.url()).await?);
            Some(context.get_stream("HOOKGATE").await?)
        }
        None => None,
    };
    let (mut searches, mut nothing, mut messages) = (Vec::new(), Vec::new(), Vec::new());
    // Far from each other, and none of them searched before.
    let step = (store.ids.len() / SEARCHES).max(2);
    for ids in store.ids.chunks_exact(step) {
        let [found, asked, ..] = ids else { continue };
        searches.push(time(&["event", found, "--json", "--log", log]).await?);
        nothing.push(time(&["--version"]).await?);
        if let Some(stream) = &bare {
            let subject = format!("hookgate.event.stripe.{}", URL_SAFE_NO_PAD.encode(asked));
            let start = Instant::now();
            stream.get_last_raw_message_by_subject(&subject).await?;
            messages.push(start.elapsed());
        }
    }
    let what = format!(
        "`hookgate event ID` at a million, {} searches",
        searches.len()
    );
    for (what, mut times) in [
        (what.as_str(), searches),
        ("`hookgate --version`, in turns with it", nothing),
        (
            "one message of another ID, over an open connection of `async-nats`, in turns with it",
            messages,
        ),
    ] {
        times.sort_unstable();
        if !times.is_empty() {
            let [p50, p99] = [50, 99].map(|percent| milliseconds(percentile(&times, percent)));
            row(what, &format!("p50 {p50:.1} ms, p99 {p99:.1} ms"));
        }
    }
    let mut each = Vec::new();
    for round in 0..ROUNDS {
        sleep(FORGOTTEN_AFTER).await;
        each.push(over_one_connection(&store.ids, step, round, log).await?);
    }
    each.sort_unstable();
    let median = milliseconds(percentile(&each, 50));
    row(
        &format!(
            "each of {SEARCHES} searches by one command, without its start, median of {ROUNDS} rounds"
        ),
        &format!("{median:.1} ms"),
    );
    Ok(())
}

/// Returns what a search takes whose connection is open: many by one command, less
/// what one takes by another. All are far from each other and new.
async fn over_one_connection(
    ids: &[String],
    step: usize,
    round: usize,
    log: &str,
) -> Result<Duration> {
    let of = |offset: usize| ids.iter().skip(offset).step_by(step).map(String::as_str);
    let options = ["event", "--json", "--log", log];
    let many: Vec<&str> = options.into_iter().chain(of(10 + 2 * round)).collect();
    let one: Vec<&str> = (options.into_iter())
        .chain(of(11 + 2 * round).take(1))
        .collect();
    let (many_took, one_took) = (time(&many).await?, time(&one).await?);
    let others = u32::try_from(many.len().saturating_sub(one.len()))?;
    Ok(many_took.saturating_sub(one_took) / others)
}

async fn time(arguments: &[&str]) -> Result<Duration> {
    let mut command = Command::new(artefact::hookgate()?);
    command.args(arguments);
    let start = Instant::now();
    let output = command.output().await?;
    let took = start.elapsed();
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{arguments:?}: {error}");
    Ok(took)
}
