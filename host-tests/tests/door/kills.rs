//! The upstream, or its broker, killed with SIGKILL while it takes events and
//! delivers them: nothing that was acknowledged is lost, nothing is stored twice,
//! every delivery goes on, and has one effect.

use std::collections::BTreeSet;
use std::env;
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use hookgate_host_tests::client;
use hookgate_host_tests::consumer::{self, Consumer};
use hookgate_host_tests::envoy::Setup;
use hookgate_host_tests::event::{Event, PLATFORM};
use hookgate_host_tests::nats::Nats;
use hookgate_host_tests::upstream::Upstream;
use hookgate_host_tests::wait;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

const SENDERS: usize = 16;

/// How many kills: three here, fifty in `cargo xtask soak`.
fn rounds() -> u32 {
    if env::var_os("HOOKGATE_SOAK").is_some() {
        50
    } else {
        3
    }
}

#[tokio::test]
async fn kill_of_the_upstream_on_sqlite_loses_and_repeats_nothing() -> Result<()> {
    survives_kills(None, Victim::Upstream).await
}

#[tokio::test]
async fn kill_of_the_upstream_on_nats_loses_and_repeats_nothing() -> Result<()> {
    survives_kills(Some(Nats::start().await?), Victim::Upstream).await
}

#[tokio::test]
async fn kill_of_the_broker_loses_and_repeats_nothing() -> Result<()> {
    survives_kills(Some(Nats::start().await?), Victim::Broker).await
}

/// What is killed.
#[derive(Debug, Clone, Copy)]
enum Victim {
    Upstream,
    Broker,
}

async fn survives_kills(mut nats: Option<Nats>, victim: Victim) -> Result<()> {
    let consumer = Consumer::start().await?;
    let secret_file = consumer.secret_file();
    let mut upstream = Upstream::delivering(nats.as_ref(), &consumer.url(), &secret_file).await?;
    let envoy = Setup::shipped().start(upstream.address()).await?;
    let history = Arc::new(History::default());
    let mut senders = JoinSet::new();
    for _ in 0..SENDERS {
        senders.spawn(send_until_stopped(envoy.address(), Arc::clone(&history)));
    }
    for round in 0..rounds() {
        // Each kill strikes while events come in and deliveries go out.
        let before = history.acknowledged().len();
        consumer.more_effects(20).await?;
        // The last kill may have left each sender's event in doubt for a lease.
        wait::until(
            "deliveries before the kill",
            wait::A_LONG_TIME,
            async || Ok((history.acknowledged().len() >= before + 50).then_some(())),
        )
        .await?;
        sleep(a_moment()).await;
        let acknowledged = match victim {
            Victim::Upstream => {
                upstream.kill().await?;
                let acknowledged = history.acknowledged();
                upstream.restart().await?;
                acknowledged
            }
            Victim::Broker => {
                let nats = nats.as_mut().context("no broker")?;
                nats.kill().await?;
                let acknowledged = history.acknowledged();
                nats.restart().await?;
                acknowledged
            }
        };
        let logged = logged(&upstream).await?;
        let lost: Vec<&String> = acknowledged.difference(&logged).collect();
        assert_eq!(lost, Vec::<&String>::new(), "lost in round {round}");
    }
    history.stopped.store(true, Ordering::Relaxed);
    while let Some(sender) = senders.join_next().await {
        sender??;
    }
    // Every sender has retried its last event until it was acknowledged.
    let acknowledged = history.acknowledged();
    assert_eq!(acknowledged, logged(&upstream).await?);
    let failures = history.failures.load(Ordering::Relaxed);
    assert!(failures > 0, "no delivery met a dead process");
    let expected = consumer::amount()? * i64::try_from(acknowledged.len())?;
    consumer.until_credited(expected).await?;
    upstream.until_delivered().await?;
    assert_eq!(consumer.credited().await?, expected, "one effect of each");
    eprintln!(
        "{} kills: {} events acknowledged, logged once and delivered with one effect each, \
         {failures} deliveries refused",
        rounds(),
        acknowledged.len()
    );
    Ok(())
}

/// Some time of up to a tenth of a second, another each time.
fn a_moment() -> Duration {
    Duration::from_micros(RandomState::new().hash_one(()) % 100_000)
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
        timeout(wait::A_LONG_TIME, retries)
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
