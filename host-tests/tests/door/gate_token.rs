//! Past the door: what doesn't come through Envoy shows no token, and what does
//! shows Envoy's alone.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use hookgate_host_tests::client::{Http1, Http2};
use hookgate_host_tests::envoy::{Envoy, Setup};
use hookgate_host_tests::event::{Event, PLATFORM};
use hookgate_host_tests::gate_token::{TOKEN, accept};
use hookgate_host_tests::load::{self, Pace};
use hookgate_host_tests::raw;
use hookgate_host_tests::upstream::Upstream;
use hookgate_host_tests::wait;
use tempfile::TempDir;
use tokio::runtime::Builder;
use tokio::time::sleep;

use crate::{assert_stored, on_script};

const EVENT_BYTES: usize = 2048;

/// An upstream that takes events from who has a token, and an Envoy that has it.
struct Guarded {
    envoy: Envoy,
    upstream: Upstream,
    folder: TempDir,
}

impl Guarded {
    async fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let tokens = folder.path().join("tokens");
        accept(&tokens, &[TOKEN])?;
        let upstream = Upstream::sqlite_for(&tokens).await?;
        let envoy = Setup::shipped().start(upstream.address()).await?;
        Ok(Self {
            envoy,
            upstream,
            folder,
        })
    }

    fn tokens(&self) -> PathBuf {
        self.folder.path().join("tokens")
    }

    /// Puts other tokens in the file, and waits until the upstream has them.
    async fn accept(&self, tokens: &[&str]) -> Result<()> {
        let line = format!("tokens={}", tokens.len());
        let taken = |text: String| text.matches(&line).count();
        let before = taken(self.upstream.output()?);
        accept(&self.tokens(), tokens)?;
        wait::until(&line, wait::PATIENCE, async || {
            Ok((taken(self.upstream.output()?) > before).then_some(()))
        })
        .await
    }

    /// Gives Envoy another token, and waits until it has it.
    async fn show(&self, token: &str) -> Result<()> {
        let updates = async || {
            let admin = self.envoy.admin();
            admin
                .sum(|stat| stat == "sds.gate-token.update_success")
                .await
        };
        let before = updates().await?;
        self.envoy.gate_token().replace(token)?;
        wait::until("Envoy's new token", wait::PATIENCE, async || {
            Ok((updates().await? > before).then_some(()))
        })
        .await?;
        // Nothing says when the last of its workers has it: a moment later.
        sleep(Duration::from_millis(500)).await;
        Ok(())
    }
}

#[tokio::test]
async fn past_the_door_nothing_is_stored_however_genuine() -> Result<()> {
    let guarded = Guarded::start().await?;
    let event = Event::fresh()?;
    assert_stored(&guarded.envoy.send(PLATFORM.deliver(&event)?).await?);
    // Byte for byte what the gate would have sent, but for the token.
    let requests = load::forwarded(PLATFORM, 3, EVENT_BYTES)?;
    for (stored, request) in (1..).zip(requests) {
        let head =
            String::from_utf8_lossy(&request).replacen("\r\n", "\r\nconnection: close\r\n", 1);
        for shown in [
            "",
            "authorization: Bearer tests-of-somebody-else-0123456789abcdef\r\n",
        ] {
            let request = head.replacen("\r\n", &format!("\r\n{shown}"), 1);
            let answer = raw::send(guarded.upstream.address(), request.as_bytes()).await?;
            let seen = (answer.status, answer.code());
            assert_eq!(seen, (401, "gate_token_invalid".to_owned()), "{answer:?}");
        }
        assert_eq!(guarded.upstream.log().entries().await?.len(), stored);
        // Whoever has the token may bring it: the signature is genuine.
        let admitted = head.replacen("\r\n", &format!("\r\nauthorization: Bearer {TOKEN}\r\n"), 1);
        assert_stored(&raw::send(guarded.upstream.address(), admitted.as_bytes()).await?);
    }
    Ok(())
}

#[tokio::test]
async fn what_a_client_shows_for_authorization_never_reaches_the_upstream() -> Result<()> {
    let (envoy, script) = on_script(Setup::shipped(), []).await?;
    let own = format!("Bearer {TOKEN}");
    let clients: [&[&[u8]]; 5] = [
        &[],
        &[b"Bearer smuggled"],
        &[b"Bearer smuggled", b"Basic c211Z2dsZWQ="],
        &[b""],
        &[b"\xff\xfe"],
    ];
    let mut count = 0;
    for shown in clients {
        for http2 in [false, true] {
            let mut delivery = PLATFORM.deliver(&Event::fresh()?)?;
            for value in shown {
                delivery = delivery.header("Authorization", value)?;
            }
            let answer = if http2 {
                Http2::connect(envoy.address())
                    .await?
                    .send(delivery)
                    .await?
            } else {
                Http1::connect(envoy.address())
                    .await?
                    .send(delivery)
                    .await?
            };
            assert_stored(&answer);
            count += 1;
            let received = script.expect_received(count).await?;
            let last = received.last().context("nothing")?;
            let values: Vec<_> = last.headers.get_all("authorization").iter().collect();
            assert_eq!(values, [own.as_str()], "{shown:?}");
        }
    }
    Ok(())
}

/// A client's own token must not even be compared: the genuine one, sent by a
/// client without a signature, opens nothing.
#[tokio::test]
async fn a_token_that_a_client_has_opens_no_door() -> Result<()> {
    let (envoy, script) = on_script(Setup::shipped(), []).await?;
    let forged = PLATFORM
        .forge(&Event::fresh()?)?
        .header("authorization", format!("Bearer {TOKEN}"))?;
    assert_eq!(envoy.send(forged).await?.code(), "signature_mismatch");
    script.expect_received(0).await.map(drop)
}

#[tokio::test]
async fn no_gate_token_shows_in_any_log_statistic_or_dump() -> Result<()> {
    let guarded = Guarded::start().await?;
    let event = Event::fresh()?;
    assert_stored(&guarded.envoy.send(PLATFORM.deliver(&event)?).await?);
    guarded.envoy.access_log(&event.id).await?;
    let mut shown = vec![
        ("Envoy's log", guarded.envoy.output()?),
        ("the upstream's log", guarded.upstream.output()?),
    ];
    for page in ["/config_dump", "/stats", "/clusters", "/server_info"] {
        shown.push((page, guarded.envoy.admin().page(page).await?));
    }
    for (place, text) in shown {
        assert!(!text.is_empty(), "nothing at {place}");
        assert!(!text.contains(TOKEN), "the token shows at {place}");
    }
    Ok(())
}

/// A resource that can't be used, or none at all, changes nothing.
#[tokio::test]
async fn a_token_file_that_does_not_parse_keeps_the_last_good_token() -> Result<()> {
    let guarded = Guarded::start().await?;
    let file = guarded.envoy.gate_token().folder().join("token.yaml");
    for nonsense in ["", "nonsense", "resources: []"] {
        let next = file.with_extension("next");
        fs::write(&next, nonsense)?;
        fs::rename(&next, &file)?;
        for _ in 0..5 {
            let answer = guarded
                .envoy
                .send(PLATFORM.deliver(&Event::fresh()?)?)
                .await?;
            assert_stored(&answer);
        }
    }
    fs::remove_file(&file)?;
    let answer = guarded
        .envoy
        .send(PLATFORM.deliver(&Event::fresh()?)?)
        .await?;
    assert_stored(&answer);
    Ok(())
}

/// First the upstream takes both, then Envoy shows the new one, then the
/// upstream takes the new one alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn load_of_an_exchange_of_tokens_refuses_nothing_genuine() -> Result<()> {
    const TIMES: usize = 3;
    let mut guarded = Guarded::start().await?;
    let is_over = Arc::new(AtomicBool::new(false));
    let sender = start_load(guarded.envoy.address(), Arc::clone(&is_over));
    let mut old = TOKEN.to_owned();
    for number in 0..TIMES {
        let new = format!("tests-exchanged-{number}-0123456789abcdef0123456789");
        guarded.accept(&[&old, &new]).await?;
        guarded.show(&new).await?;
        guarded.accept(&[&new]).await?;
        old = new;
    }
    is_over.store(true, Ordering::Relaxed);
    let delivered = sender.join().map_err(|_| anyhow::anyhow!("a panic"))??;
    eprintln!("{delivered} deliveries during {TIMES} exchanges");
    // Nothing stands in the way of the first any more but the token.
    guarded.show(TOKEN).await?;
    // A worker may have it a moment later than Envoy says so.
    wait::until(
        "the first token to be refused",
        wait::PATIENCE,
        async || {
            let delivery = PLATFORM.deliver(&Event::fresh()?)?;
            let answer = guarded.envoy.send(delivery).await?;
            ensure!(matches!(answer.status, 200 | 401), "{answer:?}");
            Ok((answer.status == 401).then_some(()))
        },
    )
    .await?;
    guarded.envoy.discard_output();
    guarded.upstream.discard_output();
    Ok(())
}

/// Delivers at a pace on a thread of its own until it is over; any answer but
/// `stored` is an error.
fn start_load(address: SocketAddr, is_over: Arc<AtomicBool>) -> thread::JoinHandle<Result<usize>> {
    /// In one go, over connections of their own.
    const EVENTS: usize = 200;
    thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let mut delivered = 0;
        while !is_over.load(Ordering::Relaxed) {
            let requests = load::deliveries(PLATFORM, EVENTS, EVENT_BYTES)?;
            let pace = Pace::Every(Duration::from_millis(5));
            let report = runtime.block_on(load::run(address, 8, requests, pace))?;
            delivered += report.latencies.len();
        }
        Ok(delivered)
    })
}
