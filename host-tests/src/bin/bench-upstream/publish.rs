//! Appends on NATS, beside what its own client publishes with the same
//! acknowledgements, into the same stream.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use async_nats::HeaderMap;
use async_nats::jetstream::{self, Context as JetStream};
use bytes::Bytes;
use hookgate_host_tests::event::{PLATFORM, fresh_id};
use hookgate_host_tests::load::{self, Pace};
use hookgate_host_tests::measure::{folder, median};
use hookgate_host_tests::nats::{Nats, Syncing};
use hookgate_host_tests::upstream::Upstream;

use tokio::task::JoinSet;

use crate::{rounds, row, table};

const CONNECTIONS: usize = 64;
const EVENT_BYTES: usize = 2_048;
const SLICES: usize = 20;
const SLICE: Duration = Duration::from_secs(1);
/// No machine in sight takes as many in one slice.
const EVENTS_PER_SLICE: usize = 40_000;

/// Measures both in turns, in short slices: the disk changes by the second.
pub(crate) async fn measure() -> Result<()> {
    for (syncing, title) in [
        (
            Syncing::Always,
            "NATS that syncs before it acknowledges, as shipped",
        ),
        (Syncing::Seldom, "NATS that syncs every two minutes"),
    ] {
        let mut nats = Nats::start_in(folder()?, syncing).await?;
        let mut upstream = Upstream::nats(&nats).await?;
        // One that is stored as the upstream stores it, to publish its like.
        append(&upstream, 1, Pace::Every(Duration::ZERO)).await?;
        let client = jetstream::new(async_nats::connect(nats.url()).await?);
        let like = client.get_stream("HOOKGATE").await?;
        let like = like.get_raw_message(1).await?;
        let pace = Pace::AsFastAsPossible(SLICE);
        let (mut plain, mut ours, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for slice in 0..SLICES {
            let (alone, through) = if slice % 2 == 0 {
                let alone = publish(&client, &like.headers, &like.payload).await?;
                (alone, append(&upstream, EVENTS_PER_SLICE, pace).await?)
            } else {
                let through = append(&upstream, EVENTS_PER_SLICE, pace).await?;
                let alone = publish(&client, &like.headers, &like.payload).await?;
                (alone, through)
            };
            plain.push(alone);
            ours.push(through);
            ratios.push(through / alone);
        }
        upstream.discard_output();
        nats.discard_output();
        rounds("async-nats/s", &plain);
        rounds("appends/s", &ours);
        rounds("appends ÷ async-nats", &ratios);
        let sum = |rates: &[f64]| rates.iter().sum::<f64>();
        table(&format!(
            "{title}, 2 kB events, {SLICES} slices of {} s each:",
            SLICE.as_secs()
        ));
        row(
            &format!(
                "`async-nats` alone, {CONNECTIONS} publishes waiting for their acknowledgement"
            ),
            &format!("{:.0}/s", median(&plain)),
        );
        row(
            &format!("appends, {CONNECTIONS} connections"),
            &format!("{:.0}/s", median(&ours)),
        );
        row(
            "appends ÷ `async-nats`: median of the slices, and all together",
            &format!("{:.2}, {:.2}", median(&ratios), sum(&ours) / sum(&plain)),
        );
    }
    Ok(())
}

async fn append(upstream: &Upstream, count: usize, pace: Pace) -> Result<f64> {
    let requests = load::forwarded(PLATFORM, count, EVENT_BYTES)?;
    let report = load::run(upstream.address(), CONNECTIONS, requests, pace).await?;
    Ok(report.rate())
}

/// Publishes as the upstream does, and does nothing else.
async fn publish(client: &JetStream, headers: &HeaderMap, payload: &Bytes) -> Result<f64> {
    let published = Arc::new(AtomicU32::new(0));
    let start = Instant::now();
    let mut publishers = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (client, headers, payload) = (client.clone(), headers.clone(), payload.clone());
        let published = Arc::clone(&published);
        publishers.spawn(async move {
            while start.elapsed() < SLICE {
                let subject = format!("hookgate.event.bench.{}", fresh_id());
                let sent = client.publish_with_headers(subject, headers.clone(), payload.clone());
                sent.await?.await.context("not acknowledged")?;
                published.fetch_add(1, Ordering::Relaxed);
            }
            anyhow::Ok(())
        });
    }
    while let Some(publisher) = publishers.join_next().await {
        publisher??;
    }
    let published = published.load(Ordering::Relaxed);
    Ok(f64::from(published) / start.elapsed().as_secs_f64())
}
