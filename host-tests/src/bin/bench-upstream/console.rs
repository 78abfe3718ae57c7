//! How long pages of the console take with a million events in the log, all of
//! them delivered to one destination, and some thousands parked at another.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use hookgate_host_tests::client::{Delivery, Http1};
use hookgate_host_tests::measure::{milliseconds, percentile};
use hookgate_host_tests::sink::Sink;
use hookgate_host_tests::wait;

use crate::store::{Kind, Store};
use crate::{row, table};

const EVENTS: usize = 1_000_000;
/// Small enough that a million fit on a disk.
const EVENT_BYTES: usize = 640;
const PARKED: usize = 5_000;
const ROUNDS: usize = 100;
/// On a machine that does other things as well.
const DELIVERED_WITHIN: Duration = Duration::from_secs(1_200);
/// How long a page may take.
const WANTED: Duration = Duration::from_millis(50);

/// Fills a log of each kind, delivers it, and asks for each page.
pub(crate) async fn measure() -> Result<()> {
    for kind in [Kind::Sqlite, Kind::Nats] {
        measure_on(kind).await?;
    }
    Ok(())
}

async fn measure_on(kind: Kind) -> Result<()> {
    let mut store = Store::filled(kind, EVENTS, EVENT_BYTES).await?;
    let sink = Sink::start().await?;
    // An address that answers 404, which parks at once.
    let nowhere = store.upstream.address();
    let configuration = format!(
        "[[destinations]]\nname = \"orders\"\nurl = \"{}\"\nfrom = \"beginning\"\n\
         [[destinations]]\nname = \"refusing\"\nurl = \"http://{nowhere}/nothing\"\nfrom = {}\n",
        sink.url(),
        EVENTS - PARKED + 1
    );
    // The address is the one from before.
    store.upstream.reconfigure(&configuration).await?;
    store.upstream.discard_output();
    wait::until("every delivery", DELIVERED_WITHIN, async || {
        Ok((sink.got() >= EVENTS).then_some(()))
    })
    .await?;
    store.upstream.until_delivered().await?;
    let id = store.ids.get(store.ids.len() / 2).context("no event")?;
    let pages = [
        ("overview", "/".to_owned()),
        ("what renews it", "/live".to_owned()),
        (
            "destination, with its parked events",
            "/destination?name=refusing".to_owned(),
        ),
        (
            "destination that has all",
            "/destination?name=orders".to_owned(),
        ),
        ("review queue", "/review".to_owned()),
        (
            "review queue, a filter that chooses nothing",
            "/review?type=nothing.*".to_owned(),
        ),
        ("event", format!("/event?id={id}")),
        (
            "search by a type that is frequent",
            "/search?type=*".to_owned(),
        ),
        (
            "search by an account that there isn't",
            "/search?account=acct_none".to_owned(),
        ),
        (
            "search by a trace that there isn't",
            format!("/search?trace={}", "1".repeat(32)),
        ),
        ("reconciliation", "/reconciliation".to_owned()),
        ("audit", "/audit".to_owned()),
    ];
    table(&format!(
        "Pages of the console, {}, {EVENTS} events of {EVENT_BYTES} bytes delivered, {PARKED} parked, \
         {ROUNDS} times each in turns (wanted: at most {} ms):",
        kind.name(),
        WANTED.as_millis()
    ));
    let mut http = Http1::connect(store.upstream.pages()?).await?;
    let mut times = vec![Vec::new(); pages.len()];
    for _ in 0..ROUNDS {
        for ((name, path), times) in pages.iter().zip(&mut times) {
            let start = Instant::now();
            let answer = http.send(Delivery::get(path)).await?;
            times.push(start.elapsed());
            ensure!(answer.status == 200, "{name}: {}", answer.status);
        }
    }
    for ((name, _), mut times) in pages.iter().zip(times) {
        times.sort_unstable();
        let [p50, p99] = [50, 99].map(|percent| milliseconds(percentile(&times, percent)));
        row(name, &format!("p50 {p50:.1} ms, p99 {p99:.1} ms"));
    }
    Ok(())
}
