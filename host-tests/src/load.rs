//! A lean load generator: requests are ready as bytes before the clock starts.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};
use hookgate_core::time::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::event::{Endpoint, Event};
use crate::{client, raw};

/// How fast, and for which deliveries, the load is made.
#[derive(Debug, Clone, Copy)]
pub enum Pace {
    /// Each connection sends its next request when it has its answer, until
    /// this much time has gone.
    AsFastAsPossible(Duration),
    /// One request is due every so often, whatever the answers do; latency
    /// counts from when a request was due.
    Every(Duration),
}

/// What a run has shown.
#[derive(Debug, Default)]
pub struct Report {
    /// From the first request to the last answer.
    pub elapsed: Duration,
    /// The latency of every answer, sorted.
    pub latencies: Vec<Duration>,
}

impl Report {
    /// Returns the answers per second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        let answers = u32::try_from(self.latencies.len()).unwrap_or(u32::MAX);
        f64::from(answers) / self.elapsed.as_secs_f64()
    }

    /// Returns the latency that `percent` of the answers did not exceed.
    #[must_use]
    pub fn percentile(&self, percent: usize) -> Duration {
        let rank = (self.latencies.len() * percent).div_ceil(100).max(1);
        self.latencies.get(rank - 1).copied().unwrap_or_default()
    }
}

/// Makes the deliveries of `count` fresh events of `size` bytes, as Stripe
/// sends them to the door.
///
/// # Errors
/// `size` is smaller than the smallest event.
pub fn deliveries(endpoint: Endpoint, count: usize, size: usize) -> Result<Vec<Vec<u8>>> {
    requests(count, size, |event| {
        let signature = endpoint.sign_at(&event.payload, SystemTime::now())?;
        Ok(format!(
            "POST {} HTTP/1.1\r\nhost: door.test\r\nstripe-signature: {signature}\r\n",
            endpoint.path
        ))
    })
}

/// Makes the requests that the gate would forward for `count` fresh events of
/// `size` bytes.
///
/// # Errors
/// `size` is smaller than the smallest event.
pub fn forwarded(endpoint: Endpoint, count: usize, size: usize) -> Result<Vec<Vec<u8>>> {
    requests(count, size, |event| {
        let now = SystemTime::now();
        let seconds = now.duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
        Ok(format!(
            "POST /v1/events HTTP/1.1\r\nhost: upstream.test\r\nstripe-signature: {}\r\n\
             ce-specversion: 1.0\r\nce-id: {}\r\nce-type: payment_intent.succeeded\r\n\
             ce-source: /hookgate/{name}\r\nce-time: 2025-10-01T06:26:40Z\r\n\
             ce-livemode: false\r\nce-endpoint: {name}\r\nce-secretname: primary\r\n\
             ce-signedat: {at}\r\nce-receivedat: {at}\r\n\
             traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n",
            endpoint.sign_at(&event.payload, now)?,
            event.id,
            name = endpoint.name,
            at = Timestamp::from_unix_seconds(seconds),
        ))
    })
}

fn requests(
    count: usize,
    size: usize,
    head: impl Fn(&Event) -> Result<String>,
) -> Result<Vec<Vec<u8>>> {
    (0..count)
        .map(|_| {
            let event = Event::fresh_of_size(size)?;
            let length = event.payload.len();
            let mut request =
                format!("{}content-length: {length}\r\n\r\n", head(&event)?).into_bytes();
            request.extend_from_slice(&event.payload);
            Ok(request)
        })
        .collect()
}

/// Sends `requests`, each once, over `connections` that are kept alive.
///
/// # Errors
/// An answer other than 200 `stored`.
pub async fn run(
    address: SocketAddr,
    connections: usize,
    requests: Vec<Vec<u8>>,
    pace: Pace,
) -> Result<Report> {
    let source = Ipv4Addr::LOCALHOST.into();
    run_from(source, address, connections, requests, pace).await
}

/// As [`run`], from another address of this machine.
///
/// # Errors
/// As [`run`].
pub async fn run_from(
    source: IpAddr,
    address: SocketAddr,
    connections: usize,
    requests: Vec<Vec<u8>>,
    pace: Pace,
) -> Result<Report> {
    let mut streams = Vec::new();
    for _ in 0..connections {
        let stream = client::connect_from(source, address).await?;
        stream.set_nodelay(true)?;
        streams.push(stream);
    }
    let requests = Arc::new(requests);
    let next = Arc::new(AtomicUsize::new(0));
    let start = Instant::now();
    let mut senders = JoinSet::new();
    for stream in streams {
        let sender = Sender {
            stream,
            requests: Arc::clone(&requests),
            next: Arc::clone(&next),
            start,
            pace,
        };
        senders.spawn(sender.run());
    }
    let mut report = Report::default();
    while let Some(latencies) = senders.join_next().await {
        report.latencies.extend(latencies??);
    }
    report.elapsed = start.elapsed();
    report.latencies.sort_unstable();
    Ok(report)
}

struct Sender {
    stream: TcpStream,
    requests: Arc<Vec<Vec<u8>>>,
    next: Arc<AtomicUsize>,
    start: Instant,
    pace: Pace,
}

impl Sender {
    async fn run(mut self) -> Result<Vec<Duration>> {
        let mut latencies = Vec::new();
        let mut answer = Vec::with_capacity(4096);
        while let Some(due) = self.next_due() {
            let (request, due) = due?;
            sleep_until(due).await;
            let request = self.requests.get(request).context("no such request")?;
            self.stream.write_all(request).await?;
            read_answer(&mut self.stream, &mut answer).await?;
            latencies.push(due.elapsed());
        }
        Ok(latencies)
    }

    /// Takes the next request and says when it is due; `None` ends the run.
    fn next_due(&self) -> Option<Result<(usize, Instant)>> {
        let now = Instant::now();
        if let Pace::AsFastAsPossible(limit) = self.pace
            && now >= self.start + limit
        {
            return None;
        }
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        match self.pace {
            Pace::AsFastAsPossible(_) if index >= self.requests.len() => {
                Some(Err(anyhow::anyhow!("too few requests for the time")))
            }
            Pace::AsFastAsPossible(_) => Some(Ok((index, now))),
            Pace::Every(_) if index >= self.requests.len() => None,
            Pace::Every(interval) => {
                let ticks = u32::try_from(index).unwrap_or(u32::MAX);
                Some(Ok((index, self.start + interval * ticks)))
            }
        }
    }
}

/// Reads one answer with a `content-length`, and nothing behind it.
async fn read_answer(stream: &mut TcpStream, answer: &mut Vec<u8>) -> Result<()> {
    answer.clear();
    loop {
        if stream.read_buf(answer).await? == 0 {
            bail!("the connection ended without an answer");
        }
        if let Some(expected) = raw::length(answer)
            && answer.len() >= expected
        {
            break;
        }
    }
    let text = String::from_utf8_lossy(answer);
    if !text.starts_with("HTTP/1.1 200 ") || !text.contains(r#""stored""#) {
        bail!("not stored: {text}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::PLATFORM;
    use crate::script::{Act, Script};

    const NO_TIME: Duration = Duration::ZERO;

    #[tokio::test]
    async fn sends_every_request_once() -> Result<()> {
        let script = Script::start([]).await?;
        let requests = deliveries(PLATFORM, 30, 2048)?;
        let report = run(script.address(), 4, requests, Pace::Every(NO_TIME)).await?;
        assert_eq!(report.latencies.len(), 30);
        assert!(report.percentile(50) <= report.percentile(99));
        let received = script.expect_received(30).await?;
        assert!(received.iter().all(|one| one.body.len() == 2048));
        Ok(())
    }

    #[tokio::test]
    async fn an_answer_other_than_stored_ends_the_run() -> Result<()> {
        let script = Script::start([Act::Status(503)]).await?;
        let requests = forwarded(PLATFORM, 3, 2048)?;
        let ended = run(script.address(), 1, requests, Pace::Every(NO_TIME)).await;
        assert!(ended.is_err_and(|error| error.to_string().starts_with("not stored")));
        Ok(())
    }

    #[test]
    fn percentiles_are_of_the_answers() {
        let report = Report {
            elapsed: Duration::from_secs(2),
            latencies: (1..=100).map(Duration::from_millis).collect(),
        };
        assert_eq!(report.percentile(50), Duration::from_millis(50));
        assert_eq!(report.percentile(99), Duration::from_millis(99));
        assert!((report.rate() - 50.0).abs() < 1e-9);
    }
}
