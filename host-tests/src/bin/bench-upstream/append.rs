//! Appends on SQLite, beside the disk that they wait for.

use std::time::Duration;

use anyhow::Result;
use hookgate_host_tests::event::PLATFORM;
use hookgate_host_tests::load::{self, Pace};
use hookgate_host_tests::measure::{fdatasync, folder, median, milliseconds};
use hookgate_host_tests::upstream::Upstream;

use crate::{rounds, row, table};

const CONNECTIONS: usize = 64;
const EVENT_BYTES: usize = 2_048;
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(3);
/// No machine in sight appends as many in one round.
const EVENTS_PER_ROUND: usize = 90_000;
const CALM_RATE: u32 = 1_000;
const CALM_SECONDS: u32 = 10;

/// Measures the disk and the log in turns, so that both meet the same weather.
pub(crate) async fn measure() -> Result<()> {
    let (mut disk, mut appends, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let (mut disk_p99, mut p50, mut p99) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let mut upstream = Upstream::sqlite_in(folder()?).await?;
        let syncs = fdatasync(&upstream.folder().join("disk"), EVENT_BYTES, ROUND)?;
        let requests = load::forwarded(PLATFORM, EVENTS_PER_ROUND, EVENT_BYTES)?;
        let pace = Pace::AsFastAsPossible(ROUND);
        let burst = load::run(upstream.address(), CONNECTIONS, requests, pace).await?;
        let requests = load::forwarded(
            PLATFORM,
            usize::try_from(CALM_RATE * CALM_SECONDS)?,
            EVENT_BYTES,
        )?;
        let pace = Pace::Every(Duration::from_secs(1) / CALM_RATE);
        let calm = load::run(upstream.address(), CONNECTIONS, requests, pace).await?;
        upstream.discard_output();
        disk.push(syncs.rate);
        disk_p99.push(milliseconds(syncs.p99));
        appends.push(burst.rate());
        ratios.push(burst.rate() / syncs.rate);
        p50.push(milliseconds(calm.percentile(50)));
        p99.push(milliseconds(calm.percentile(99)));
    }
    for (what, values) in [
        ("fdatasync/s", &disk),
        ("fdatasync p99 ms", &disk_p99),
        ("appends/s", &appends),
        ("appends ÷ fdatasync", &ratios),
        ("p50 ms at 1,000/s", &p50),
        ("p99 ms at 1,000/s", &p99),
    ] {
        rounds(what, values);
    }
    table("SQLite, 2 kB events, medians of 5 rounds:");
    row(
        "`fdatasync` of 2 kB appends, one after the other",
        &format!("{:.0}/s, p99 {:.1} ms", median(&disk), median(&disk_p99)),
    );
    row(
        &format!("appends, {CONNECTIONS} connections"),
        &format!("{:.0}/s", median(&appends)),
    );
    row(
        "appends ÷ `fdatasync` of the same round",
        &format!("{:.1}", median(&ratios)),
    );
    row(
        &format!("appends at {CALM_RATE}/s"),
        &format!("p50 {:.1} ms, p99 {:.1} ms", median(&p50), median(&p99)),
    );
    Ok(())
}
