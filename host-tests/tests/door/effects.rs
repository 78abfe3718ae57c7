//! One effect for each event, whatever is killed on its way: the sender's retries,
//! the gate, the log, the deliveries and the consumer's transaction together.

use std::env;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
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

const SENDERS: usize = 4;

/// How often each is killed: twice here, ten times in `cargo xtask soak`.
fn rounds() -> usize {
    if env::var_os("HOOKGATE_SOAK").is_some() {
        10
    } else {
        2
    }
}

#[tokio::test]
async fn kill_of_everything_in_turn_leaves_one_effect_per_event_on_sqlite() -> Result<()> {
    one_effect_per_event(None).await
}

#[tokio::test]
async fn kill_of_everything_in_turn_leaves_one_effect_per_event_on_nats() -> Result<()> {
    one_effect_per_event(Some(Nats::start().await?)).await
}

async fn one_effect_per_event(mut nats: Option<Nats>) -> Result<()> {
    let mut consumer = Consumer::start().await?;
    let secret_file = consumer.secret_file();
    let mut upstream = Upstream::delivering(nats.as_ref(), &consumer.url(), &secret_file).await?;
    let mut envoy = Setup::shipped().start(upstream.address()).await?;
    let door = Arc::new(RwLock::new(envoy.address()));
    let stopped = Arc::new(AtomicBool::new(false));
    let mut senders = JoinSet::new();
    for _ in 0..SENDERS {
        senders.spawn(send_until_stopped(Arc::clone(&door), Arc::clone(&stopped)));
    }
    for round in 0..rounds() {
        consumer.more_effects(20).await?;
        sleep(Duration::from_millis(u64::try_from(round)? * 13 % 70)).await;
        upstream.kill().await?;
        upstream.restart().await?;
        consumer.more_effects(20).await?;
        consumer.kill_and_restart().await?;
        consumer.more_effects(20).await?;
        // The old one is killed when the new one is there.
        envoy = Setup::shipped().start(upstream.address()).await?;
        *door.write().unwrap_or_else(PoisonError::into_inner) = envoy.address();
        if let Some(nats) = &mut nats {
            consumer.more_effects(20).await?;
            nats.kill().await?;
            nats.restart().await?;
        }
    }
    stopped.store(true, Ordering::Relaxed);
    let mut acknowledged = 0;
    while let Some(sender) = senders.join_next().await {
        acknowledged += sender??;
    }
    drop(envoy);
    let expected = consumer::amount()? * acknowledged;
    consumer.until_credited(expected).await?;
    upstream.until_delivered().await?;
    assert_eq!(
        consumer.credited().await?,
        expected,
        "{acknowledged} events"
    );
    let kills = rounds() * if nats.is_some() { 4 } else { 3 };
    eprintln!("{kills} kills: {acknowledged} events, one effect of each");
    Ok(())
}

/// Delivers fresh events, each again and again until it gets a 2xx, as Stripe
/// does; returns how many.
async fn send_until_stopped(
    door: Arc<RwLock<SocketAddr>>,
    stopped: Arc<AtomicBool>,
) -> Result<i64> {
    let mut acknowledged = 0;
    while !stopped.load(Ordering::Relaxed) {
        let event = Event::fresh()?;
        let retries = async {
            loop {
                let door = *door.read().unwrap_or_else(PoisonError::into_inner);
                // A killed gate answers nothing at all.
                match client::send(door, PLATFORM.deliver(&event)?).await {
                    Ok(answer) if answer.status == 200 => return anyhow::Ok(()),
                    Ok(_) | Err(_) => sleep(Duration::from_millis(20)).await,
                }
            }
        };
        timeout(wait::A_LONG_TIME, retries)
            .await
            .context("no 2xx for one event")??;
        acknowledged += 1;
    }
    Ok(acknowledged)
}
