//! How exact a quota is at the edge of its burst, over four workers.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use hookgate_host_tests::client::{self, Http1};
use hookgate_host_tests::event::{Event, PLATFORM};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{with_endpoint, with_quotas};
use crate::on_script;

const BURST: u32 = 500;
const RATE: u32 = 50;
const SPAN: Duration = Duration::from_secs(4);

/// How long a machine may take to get to the edge.
const LONGEST: Duration = Duration::from_secs(60);

/// What came through, and the time from the first request to the last answer.
struct Through {
    count: u32,
    refused: u32,
    elapsed: Duration,
}

impl Through {
    /// Asserts at most 5 % more or less than the quota says.
    #[track_caller]
    fn assert_exact(&self) {
        let count = f64::from(self.count);
        let expected = f64::from(BURST) + f64::from(RATE) * self.elapsed.as_secs_f64();
        eprintln!(
            "{count} of {expected:.1} ({:+.2} %), {} refused",
            (count / expected - 1.0) * 100.0,
            self.refused
        );
        assert!(
            (count / expected - 1.0).abs() <= 0.05,
            "{count} of {expected}"
        );
        // Else the quota was never at its edge.
        assert!(self.refused > BURST, "{}", self.refused);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoints_quota_is_exact_over_four_workers() -> Result<()> {
    let quota = format!(r#""quotas": {{"endpoint": {{"rate": {RATE}, "burst": {BURST}}}}}"#);
    let (mut envoy, script) = on_script(with_endpoint(&quota).workers(4), []).await?;
    let through = rush(envoy.address(), 16, genuine).await?;
    through.assert_exact();
    assert_eq!(script.count(), usize::try_from(through.count)?);
    envoy.discard_output();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_quota_of_a_senders_failures_is_exact_over_four_workers() -> Result<()> {
    let quotas = format!(r#"{{"sources": {{"rate": {RATE}, "burst": {BURST}}}}}"#);
    let (mut envoy, script) = on_script(with_quotas(&quotas).workers(4), []).await?;
    rush(envoy.address(), 8, forged).await?.assert_exact();
    assert_eq!(script.count(), 0);
    envoy.discard_output();
    Ok(())
}

/// Sends without a pause over so many connections, and counts what `send` says
/// came through.
async fn rush<F>(
    address: SocketAddr,
    connections: usize,
    send: impl Fn(SocketAddr, Option<Http1>) -> F,
) -> Result<Through>
where
    F: Future<Output = Result<(bool, Option<Http1>)>> + Send + 'static,
{
    let start = Instant::now();
    let mut through = Through {
        count: 0,
        refused: 0,
        elapsed: Duration::ZERO,
    };
    let mut senders = JoinSet::new();
    for _ in 0..connections {
        senders.spawn(send(address, None));
    }
    while let Some(sent) = senders.join_next().await {
        let (came_through, connection) = sent??;
        through.count += u32::from(came_through);
        through.refused += u32::from(!came_through);
        let so_far = start.elapsed();
        let is_at_the_edge = through.refused > BURST || so_far > LONGEST;
        if so_far < SPAN || !is_at_the_edge {
            senders.spawn(send(address, connection));
        }
    }
    through.elapsed = start.elapsed();
    Ok(through)
}

async fn genuine(address: SocketAddr, kept: Option<Http1>) -> Result<(bool, Option<Http1>)> {
    let mut connection = match kept {
        Some(connection) => connection,
        None => Http1::connect(address).await?,
    };
    let answer = connection.send(PLATFORM.deliver(&Event::fresh()?)?).await?;
    assert!(matches!(answer.status, 200 | 429), "{answer:?}");
    Ok((answer.status == 200, Some(connection)))
}

/// A refusal before the body ends its connection.
async fn forged(address: SocketAddr, _: Option<Http1>) -> Result<(bool, Option<Http1>)> {
    let answer = client::send(address, PLATFORM.forge(&Event::fresh()?)?).await?;
    assert!(matches!(answer.status, 400 | 429), "{answer:?}");
    Ok((answer.status == 400, None))
}
