//! What an append, a delivery, a search and waiting cost with a million events
//! in the log, beside a log with a thousand.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use anyhow::Result;
use hookgate_host_tests::measure::median;
use hookgate_host_tests::wait;
use tokio::time::sleep;

use crate::search::search;
use crate::store::{Cost, Kind, Store};
use crate::{rounds, row, table};

const SMALL: usize = 1_000;
pub(crate) const LARGE: usize = 1_000_000;
const ROUNDS: usize = 7;
/// Few enough that a thousand events stay few.
const EVENTS: usize = 8_000;
/// The fixture and little more, so that a million fit on a disk.
pub(crate) const EVENT_BYTES: usize = 640;
/// How long a million events wait while memory is watched.
const WAITING: Duration = Duration::from_secs(60);

/// Measures both logs.
pub(crate) async fn measure() -> Result<()> {
    for kind in [Kind::Sqlite, Kind::Nats] {
        let mut large = Store::filled(kind, LARGE, EVENT_BYTES).await?;
        large.sync_always().await?;
        table(&format!(
            "{}, a thousand and a million events of {EVENT_BYTES} bytes, medians of {ROUNDS} rounds:",
            kind.name()
        ));
        cost(kind, &mut large).await?;
        search(&large).await?;
        memory(&mut large).await?;
    }
    Ok(())
}

async fn cost(kind: Kind, large: &mut Store) -> Result<()> {
    let (mut appends, mut deliveries) = (Pairs::default(), Pairs::default());
    for round in 0..ROUNDS {
        let mut small = Store::filled(kind, SMALL, EVENT_BYTES).await?;
        small.sync_always().await?;
        // Whoever comes second finds the processor warm.
        if round % 2 == 0 {
            appends.small.push(small.append(EVENTS).await?);
            appends.large.push(large.append(EVENTS).await?);
            deliveries.small.push(small.deliver(EVENTS).await?);
            deliveries.large.push(large.deliver(EVENTS).await?);
        } else {
            appends.large.push(large.append(EVENTS).await?);
            appends.small.push(small.append(EVENTS).await?);
            deliveries.large.push(large.deliver(EVENTS).await?);
            deliveries.small.push(small.deliver(EVENTS).await?);
        }
    }
    appends.show("append");
    deliveries.show("delivery");
    Ok(())
}

/// What the rounds gave.
#[derive(Debug, Default)]
struct Pairs {
    small: Vec<Cost>,
    large: Vec<Cost>,
}

impl Pairs {
    fn show(&self, what: &str) {
        let all = |costs: &[Cost], of: fn(&Cost) -> f64| costs.iter().map(of).collect::<Vec<_>>();
        let ratios: Vec<f64> = self
            .small
            .iter()
            .zip(&self.large)
            .map(|(small, large)| large.micros / small.micros)
            .collect();
        for (size, costs) in [("thousand", &self.small), ("million", &self.large)] {
            let (rates, micros) = (all(costs, |it| it.rate), all(costs, |it| it.micros));
            rounds(&format!("{what}: rate/s at a {size}"), &rates);
            rounds(&format!("{what}: CPU µs each at a {size}"), &micros);
            row(
                &format!("{what} at a {size}"),
                &format!(
                    "{:.0}/s, {:.0} µs of CPU each",
                    median(&rates),
                    median(&micros)
                ),
            );
        }
        rounds(
            &format!("{what}: cost at a million ÷ at a thousand"),
            &ratios,
        );
        row(
            &format!("{what}: CPU at a million ÷ at a thousand, of the same round"),
            &format!("{:.2}", median(&ratios)),
        );
    }
}

/// Lets everything wait for a destination that is away.
async fn memory(store: &mut Store) -> Result<()> {
    // Nobody listens there once it is dropped.
    let away = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let configuration = format!(
        "[[destinations]]\nname = \"away\"\nurl = \"http://{away}/\"\nfrom = \"beginning\"\n"
    );
    store.upstream.reconfigure(&configuration).await?;
    store.upstream.discard_output();
    let waiting = wait::until("undelivered events", wait::A_LONG_TIME, async || {
        let undelivered = store.upstream.undelivered().await?;
        Ok(undelivered.filter(|count| *count > 0))
    })
    .await?;
    let mut most: f64 = 0.0;
    let start = Instant::now();
    while start.elapsed() < WAITING {
        most = most.max(store.upstream.memory()?.resident);
        sleep(Duration::from_millis(500)).await;
    }
    store.append(EVENTS).await?;
    let memory = store.upstream.memory()?;
    row(
        &format!(
            "memory of `hookgate serve` with {waiting} undelivered: most in {} s, after {EVENTS} appends, peak",
            WAITING.as_secs()
        ),
        &format!("{most:.0}, {:.0}, {:.0} MiB", memory.resident, memory.peak),
    );
    Ok(())
}
