//! Measures the log's append rate and the door end to end, on this machine.
//!
//! `cargo xtask bench` builds what this needs and runs it; it prints Markdown
//! for the README.

use std::time::Duration;

use anyhow::Result;
use hookgate_host_tests::envoy::Setup;
use hookgate_host_tests::event::PLATFORM;
use hookgate_host_tests::load::{self, Pace, Report};
use hookgate_host_tests::measure::{self, folder, machine, median, milliseconds};
use hookgate_host_tests::upstream::Upstream;

const CONNECTIONS: usize = 64;
const EVENT_BYTES: usize = 2048;
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(3);
/// No machine in sight appends as many in one round.
const EVENTS_PER_ROUND: usize = 90_000;
const CALM_RATE: u32 = 500;
const CALM_SECONDS: u32 = 10;

// One thread: what the sender takes, Envoy and the upstream don't have.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let (disk, append) = append_rates().await?;
    let (burst, calm) = end_to_end().await?;
    println!("{}\n", machine()?);
    println!("| what | figure |\n|---|---|");
    println!("| `fdatasync` of 2 kB appends, one after the other | {disk:.0}/s |");
    println!("| appends on SQLite, {CONNECTIONS} connections, 2 kB events | {append:.0}/s |");
    println!("| appends ÷ `fdatasync` | {:.1} |", append / disk);
    println!(
        "| end to end through Envoy, {CONNECTIONS} connections, 2 kB events | {:.0}/s |",
        burst.rate()
    );
    println!(
        "| end to end at {CALM_RATE}/s | p50 {:.1} ms, p99 {:.1} ms |",
        milliseconds(calm.percentile(50)),
        milliseconds(calm.percentile(99))
    );
    Ok(())
}

/// Measures the disk and the log in turns, so that both meet the same weather,
/// and returns the median of each.
async fn append_rates() -> Result<(f64, f64)> {
    let (mut disk, mut append) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let mut upstream = Upstream::sqlite_in(folder()?).await?;
        let file = upstream.folder().join("fdatasync");
        disk.push(measure::fdatasync(&file, EVENT_BYTES, ROUND)?.rate);
        let requests = load::forwarded(PLATFORM, EVENTS_PER_ROUND, EVENT_BYTES)?;
        let pace = Pace::AsFastAsPossible(ROUND);
        let report = load::run(upstream.address(), CONNECTIONS, requests, pace).await?;
        append.push(report.rate());
        upstream.discard_output();
    }
    eprintln!("fdatasync/s by round: {disk:.0?}\nappends/s by round: {append:.0?}");
    Ok((median(&disk), median(&append)))
}

async fn end_to_end() -> Result<(Report, Report)> {
    let mut upstream = Upstream::sqlite_in(folder()?).await?;
    let mut envoy = Setup::shipped().start(upstream.address()).await?;
    let requests = load::deliveries(PLATFORM, EVENTS_PER_ROUND, EVENT_BYTES)?;
    let pace = Pace::AsFastAsPossible(2 * ROUND);
    let burst = load::run(envoy.address(), CONNECTIONS, requests, pace).await?;

    let count = usize::try_from(CALM_RATE * CALM_SECONDS)?;
    let requests = load::deliveries(PLATFORM, count, EVENT_BYTES)?;
    let pace = Pace::Every(Duration::from_secs(1) / CALM_RATE);
    let calm = load::run(envoy.address(), CONNECTIONS, requests, pace).await?;
    upstream.discard_output();
    envoy.discard_output();
    Ok((burst, calm))
}
