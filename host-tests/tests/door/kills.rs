//! The upstream, or its broker, killed with SIGKILL under load: nothing that was
//! acknowledged is lost, nothing is stored twice.

use std::collections::BTreeSet;
use std::env;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use hookgate_host_tests::client;
use hookgate_host_tests::envoy::Setup;
use hookgate_host_tests::event::{Event, PLATFORM};
use hookgate_host_tests::nats::Nats;
use hookgate_host_tests::upstream::Upstream;
use hookgate_host_tests::wait;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

const SENDERS: usize = 16;

/// Longer than a lease: who waits this long for a 2xx never gets one.
const A_LONG_TIME: Duration = Duration::from_secs(90);

/// How many kills: three here, twenty in `cargo xtask soak`.
fn rounds() -> u32 {
    if env::var_os("HOOKGATE_SOAK").is_some() {
        20
    } else {
        3
    }
}

#[tokio::test]
async fn kill_of_the_upstream_on_sqlite_loses_and_repeats_nothing() -> Result<()> {
    let mut upstream = Upstream::sqlite().await?;
    survives_kills(&mut upstream, Victim::Upstream).await
}

#[tokio::test]
async fn kill_of_the_upstream_on_nats_loses_and_repeats_nothing() -> Result<()> {
    let nats = Nats::start().await?;
    let mut upstream = Upstream::nats(&nats).await?;
    survives_kills(&mut upstream, Victim::Upstream).await
}

#[tokio::test]
async fn kill_of_the_broker_loses_and_repeats_nothing() -> Result<()> {
    let nats = Nats::start().await?;
    let mut upstream = Upstream::nats(&nats).await?;
    survives_kills(&mut upstream, Victim::Broker(Box::new(nats))).await
}

/// What is killed.
enum Victim {
    Upstream,
    Broker(Box<Nats>),
}

async fn survives_kills(upstream: &mut Upstream, mut victim: Victim) -> Result<()> {
    let envoy = Setup::shipped().start(upstream.address()).await?;
    let history = Arc::new(History::default());
    let mut senders = JoinSet::new();
    for _ in 0..SENDERS {
        senders.spawn(send_until_stopped(envoy.address(), Arc::clone(&history)));
    }
    for round in 0..rounds() {
        // Each kill strikes under load, at another point of it.
        let before = history.acknowledged().len();
        wait::until("deliveries before the kill", wait::PATIENCE, async || {
            Ok((history.acknowledged().len() >= before + 50).then_some(()))
        })
        .await?;
        sleep(Duration::from_millis(u64::from(round) * 7 % 60)).await;
        let acknowledged = match &mut victim {
            Victim::Upstream => {
                upstream.kill().await?;
                let acknowledged = history.acknowledged();
                upstream.restart().await?;
                acknowledged
            }
            Victim::Broker(nats) => {
                nats.kill().await?;
                let acknowledged = history.acknowledged();
                nats.restart().await?;
                acknowledged
            }
        };
        let logged = logged(upstream).await?;
        let lost: Vec<&String> = acknowledged.difference(&logged).collect();
        assert_eq!(lost, Vec::<&String>::new(), "lost in round {round}");
    }
    history.stopped.store(true, Ordering::Relaxed);
    while let Some(sender) = senders.join_next().await {
        sender??;
    }
    // Every sender has retried its last event until it was acknowledged.
    let acknowledged = history.acknowledged();
    assert_eq!(acknowledged, logged(upstream).await?);
    let failures = history.failures.load(Ordering::Relaxed);
    assert!(failures > 0, "no delivery met a dead process");
    eprintln!(
        "{} kills: {} events acknowledged and logged once, {failures} deliveries refused",
        rounds(),
        acknowledged.len()
    );
    Ok(())
}

/// Reads the IDs of the log, which fails if one is there twice.
async fn logged(upstream: &Upstream) -> Result<BTreeSet<String>> {
    let entries = upstream.log().entries().await?;
    Ok(entries.into_iter().map(|entry| entry.id).collect())
}

/// Delivers fresh events, each again and again until it gets a 2xx, as Stripe
/// does.
async fn send_until_stopped(door: SocketAddr, history: Arc<History>) -> Result<()> {
    while !history.stopped.load(Ordering::Relaxed) {
        let event = Event::fresh()?;
        let retries = async {
            while client::send(door, PLATFORM.deliver(&event)?).await?.status != 200 {
                history.failures.fetch_add(1, Ordering::Relaxed);
            }
            anyhow::Ok(())
        };
        timeout(A_LONG_TIME, retries)
            .await
            .context("no 2xx for one event")??;
        history.acknowledge(event.id);
    }
    Ok(())
}

/// What the senders have seen.
#[derive(Debug, Default)]
struct History {
    acknowledged: Mutex<BTreeSet<String>>,
    failures: AtomicU32,
    stopped: AtomicBool,
}

impl History {
    fn acknowledge(&self, id: String) {
        let mut all = self
            .acknowledged
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        all.insert(id);
    }

    fn acknowledged(&self) -> BTreeSet<String> {
        self.acknowledged
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
