//! A log with as many events as wanted, filled by the way that events take.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use hookgate_host_tests::event::PLATFORM;
use hookgate_host_tests::load::{self, Pace};
use hookgate_host_tests::measure::folder;
use hookgate_host_tests::nats::{Nats, Syncing};
use hookgate_host_tests::upstream::Upstream;
use hookgate_host_tests::wait;

use hookgate_host_tests::sink::Sink;

const CONNECTIONS: usize = 64;

/// As many requests as are made at once, beside the memory that they take.
const CHUNK: usize = 20_000;

/// Of how many events one ID is kept.
const KEPT: usize = 10_000;

/// Where a log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite,
    Nats,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Nats => "NATS",
        }
    }
}

/// What events cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    /// Events in a second.
    pub(crate) rate: f64,
    /// Microseconds that the upstream, and its broker if there is one, had a
    /// processor for each: what others do on the machine hardly changes it.
    pub(crate) micros: f64,
}

/// A running upstream and what its log has.
pub(crate) struct Store {
    pub(crate) upstream: Upstream,
    pub(crate) nats: Option<Nats>,
    /// How many events there are.
    pub(crate) count: usize,
    /// Some of their IDs.
    pub(crate) ids: Vec<String>,
    event_bytes: usize,
    /// How many destinations there were, each under its own name.
    destinations: usize,
}

impl Store {
    pub(crate) async fn filled(kind: Kind, count: usize, event_bytes: usize) -> Result<Self> {
        let mut nats = match kind {
            Kind::Sqlite => None,
            // What is measured here is not how long filling takes.
            Kind::Nats => Some(Nats::start_in(folder()?, Syncing::Seldom).await?),
        };
        if let Some(nats) = &mut nats {
            nats.discard_output();
        }
        let mut upstream = Upstream::configured(nats.as_ref(), folder()?, "").await?;
        upstream.discard_output();
        let mut store = Self {
            upstream,
            nats,
            count: 0,
            ids: Vec::new(),
            event_bytes,
            destinations: 0,
        };
        let start = Instant::now();
        while store.count < count {
            let chunk = CHUNK.min(count - store.count);
            store.append(chunk).await?;
        }
        eprintln!("{}: {count} events in {:.0?}", kind.name(), start.elapsed());
        Ok(store)
    }

    /// Lets NATS sync as it is shipped, from now on.
    pub(crate) async fn sync_always(&mut self) -> Result<()> {
        if let Some(nats) = &mut self.nats {
            nats.restart_syncing(Syncing::Always).await?;
            nats.discard_output();
            self.upstream.reconfigure("").await?;
            self.upstream.discard_output();
        }
        Ok(())
    }

    /// Returns how long upstream and broker have had a processor.
    fn cpu_time(&self) -> Result<Duration> {
        let broker = self.nats.as_ref().map(Nats::cpu_time).transpose()?;
        Ok(self.upstream.cpu_time()? + broker.unwrap_or_default())
    }

    /// Appends so many as fast as it goes.
    pub(crate) async fn append(&mut self, count: usize) -> Result<Cost> {
        let requests = load::forwarded(PLATFORM, count, self.event_bytes)?;
        for request in requests.iter().step_by(KEPT) {
            let text = String::from_utf8_lossy(request);
            let id = text.lines().find_map(|line| line.strip_prefix("ce-id: "));
            self.ids.push(id.context("no ID")?.to_owned());
        }
        let address = self.upstream.address();
        // All are due at once.
        let pace = Pace::Every(Duration::ZERO);
        let before = self.cpu_time()?;
        let report = load::run(address, CONNECTIONS, requests, pace).await?;
        self.count += count;
        Ok(Cost {
            rate: report.rate(),
            micros: micros_each(self.cpu_time()? - before, count)?,
        })
    }

    /// Delivers the newest events to a new destination.
    pub(crate) async fn deliver(&mut self, newest: usize) -> Result<Cost> {
        let sink = Sink::start().await?;
        let first = self.count - newest + 1;
        self.destinations += 1;
        let configuration = format!(
            "[[destinations]]\nname = \"sink-{}\"\nurl = \"{}\"\nfrom = {first}\n",
            self.destinations,
            sink.url()
        );
        self.upstream.reconfigure(&configuration).await?;
        self.upstream.discard_output();
        let (start, before) = (Instant::now(), self.cpu_time()?);
        wait::until("every delivery", wait::A_LONG_TIME, async || {
            Ok((sink.got() >= newest).then_some(()))
        })
        .await?;
        let cost = Cost {
            rate: f64::from(u32::try_from(newest)?) / start.elapsed().as_secs_f64(),
            micros: micros_each(self.cpu_time()? - before, newest)?,
        };
        self.upstream.until_delivered().await?;
        self.upstream.reconfigure("").await?;
        self.upstream.discard_output();
        Ok(cost)
    }
}

fn micros_each(time: Duration, count: usize) -> Result<f64> {
    Ok(time.as_secs_f64() * 1e6 / f64::from(u32::try_from(count)?))
}
