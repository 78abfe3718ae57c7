//! Genuine deliveries while somebody forges at full speed.

use std::env;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use hookgate_host_tests::client;
use hookgate_host_tests::envoy::Setup;
use hookgate_host_tests::event::PLATFORM;
use hookgate_host_tests::load::{self, Pace, Report};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::on_script;

const FORGER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
const STRIPE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 3));
/// Half of them send bodies and connect again for each, as the door closes
/// them; half send none and go on at once.
const FORGERS: usize = 8;
const SENDERS: usize = 8;
const PER_SECOND: u32 = 100;
const EVENT_BYTES: usize = 2048;
const ROUNDS: usize = 3;
/// A p99 that is never too long: of the full form, which runs alone, and of the
/// short one, which runs beside other tests.
const ENOUGH: [Duration; 2] = [Duration::from_millis(10), Duration::from_millis(50)];

/// What a forger was told.
#[derive(Debug, Default)]
struct Told {
    mismatch: u64,
    limited: u64,
}

/// The full form floods for a minute in each round.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn load_a_flood_of_forgeries_slows_no_genuine_sender() -> Result<()> {
    let runs_alone = env::var_os("HOOKGATE_SOAK").is_some();
    let (calm, flood) = if runs_alone {
        (Duration::from_secs(20), Duration::from_secs(60))
    } else {
        (Duration::from_secs(3), Duration::from_secs(4))
    };
    let (mut envoy, _script) = on_script(Setup::shipped(), []).await?;
    let address = envoy.address();
    genuine(address, Duration::from_secs(1)).await?;

    let (mut calm_p99, mut flood_p99) = (Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        let quiet = genuine(address, calm).await?;
        let forgers = start_flood(address, flood);
        let busy = genuine(address, flood).await?;
        let told = forgers.join().map_err(|_| anyhow::anyhow!("a panic"))??;
        eprintln!(
            "round {round}: genuine p50 {:.1?} p99 {:.1?} calm, p50 {:.1?} p99 {:.1?} in a flood \
             of {} forgeries/s ({} mismatches)",
            quiet.percentile(50),
            quiet.percentile(99),
            busy.percentile(50),
            busy.percentile(99),
            (told.mismatch + told.limited) / flood.as_secs(),
            told.mismatch
        );
        // Only so many were worth an HMAC: the burst, and what comes back.
        assert!(told.mismatch <= 100 + 1 + 2 * flood.as_secs(), "{told:?}");
        assert!(told.limited > 100 * flood.as_secs(), "{told:?}");
        calm_p99.push(quiet.percentile(99));
        flood_p99.push(busy.percentile(99));
    }
    // Others' load comes and goes; a flood that slows does so in every round.
    let (calm_p99, seen, enough) = if runs_alone {
        (median(calm_p99)?, median(flood_p99)?, ENOUGH[0])
    } else {
        let (calm, flood) = (calm_p99.into_iter().max(), flood_p99.into_iter().min());
        (
            calm.context("no round")?,
            flood.context("no round")?,
            ENOUGH[1],
        )
    };
    let allowed = enough.max(2 * calm_p99);
    eprintln!("p99 in the flood {seen:.1?}, allowed {allowed:.1?}");
    assert!(seen < allowed, "{seen:?} is not below {allowed:?}");
    envoy.discard_output();
    Ok(())
}

/// Delivers fresh events for so long; any answer but `stored` is an error.
async fn genuine(address: SocketAddr, span: Duration) -> Result<Report> {
    let count = usize::try_from(span.as_secs())? * usize::try_from(PER_SECOND)?;
    let requests = load::deliveries(PLATFORM, count, EVENT_BYTES)?;
    let pace = Pace::Every(Duration::from_secs(1) / PER_SECOND);
    load::run_from(STRIPE, address, SENDERS, requests, pace).await
}

/// Forges on a thread of its own: the genuine sender's clock must not wait.
fn start_flood(address: SocketAddr, span: Duration) -> JoinHandle<Result<Told>> {
    thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let end = Instant::now() + span;
            let mut forgers = JoinSet::new();
            for number in 0..FORGERS {
                let body: &[u8] = if number % 2 == 0 { &[b'x'; 1024] } else { b"" };
                forgers.spawn(forge(address, body, end));
            }
            let mut all = Told::default();
            while let Some(told) = forgers.join_next().await {
                let told = told??;
                all.mismatch += told.mismatch;
                all.limited += told.limited;
            }
            Ok(all)
        })
    })
}

async fn forge(address: SocketAddr, body: &[u8], end: Instant) -> Result<Told> {
    let mut told = Told::default();
    let mut kept: Option<TcpStream> = None;
    let mut answer = Vec::with_capacity(4096);
    while Instant::now() < end {
        let mut stream = match kept.take() {
            Some(stream) => stream,
            None => {
                let stream = client::connect_from(FORGER, address).await?;
                stream.set_nodelay(true)?;
                // No port stays taken.
                stream.set_zero_linger()?;
                stream
            }
        };
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let head = format!(
            "POST {} HTTP/1.1\r\nhost: door.test\r\nstripe-signature: t={seconds},v1={:064}\r\n\
             content-length: {}\r\n\r\n",
            PLATFORM.path,
            0,
            body.len()
        );
        let mut request = head.into_bytes();
        request.extend_from_slice(body);
        answer.clear();
        if stream.write_all(&request).await.is_err() {
            continue;
        }
        while !answer.ends_with(b"}") {
            // A refusal before the body may close while the body is written.
            match stream.read_buf(&mut answer).await {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            }
        }
        let text = String::from_utf8_lossy(&answer);
        match text.get(..12) {
            Some("HTTP/1.1 400") => told.mismatch += 1,
            Some("HTTP/1.1 429") => told.limited += 1,
            None => continue,
            Some(_) => bail!("{text}"),
        }
        if !text.contains("connection: close") {
            kept = Some(stream);
        }
    }
    Ok(told)
}

fn median(mut values: Vec<Duration>) -> Result<Duration> {
    values.sort_unstable();
    values.get(values.len() / 2).copied().context("no round")
}
