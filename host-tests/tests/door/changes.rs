//! What is exchanged under load, Envoy in the end: nothing genuine is refused for it,
//! and each event is stored once.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use hookgate_host_tests::artefact;
use hookgate_host_tests::client::{self, Delivery, Http1};
use hookgate_host_tests::envoy::{Envoy, Setup};
use hookgate_host_tests::event::{Event, PLATFORM};
use hookgate_host_tests::upstream::Upstream;
use hookgate_host_tests::wait;
use tokio::io::{copy, sink};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::RwLock;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::secrets::{keyring_of, signed_by};

const SENDERS: usize = 16;

/// Deliveries over one connection, unless it ends before.
const DELIVERIES_PER_CONNECTION: usize = 50;

/// Between two deliveries of a sender.
const PAUSE: Duration = Duration::from_millis(10);

/// Between two changes.
const PERIOD: Duration = Duration::from_secs(2);

/// Allowed for a new keyring to reach every worker.
const REFRESH: Duration = Duration::from_millis(1_500);

/// How long what is replaced goes on with its connections.
const DRAIN_SECONDS: u32 = 2;

/// Events under way when Envoy is killed.
const UNDER_WAY: usize = 1_000;

/// How many of these are sent at a time.
const AT_ONCE: usize = 50;

/// How many changes: 4, and 15 in `cargo xtask soak`.
fn rounds() -> u32 {
    if env::var_os("HOOKGATE_SOAK").is_some() {
        15
    } else {
        4
    }
}

fn secret(number: u32) -> String {
    format!("whsec_tests_changed_{number}_7Hk2")
}

fn keyring(number: u32) -> String {
    keyring_of(&format!("changed-{number}"), &secret(number)).to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn load_of_a_changing_module_listener_and_secret_refuses_nothing_genuine() -> Result<()> {
    let upstream = Upstream::sqlite().await?;
    let setup = Setup::shipped().keyring(keyring(0)).updatable();
    let setup = setup.drain_seconds(DRAIN_SECONDS);
    let envoy = setup.start(upstream.address()).await?;
    let load = Load::new([envoy.address()], 0);
    let senders = load.start();
    let modules = [artefact::module()?, another_module(&envoy)?];
    let module = |round: u32| {
        let module = &modules[if round.is_multiple_of(2) { 0 } else { 1 }];
        module.display().to_string()
    };
    let retention = |round: u32| format!(r#""retention_seconds": {}"#, 259_200 - round);
    let admin = envoy.admin();
    let updates = |count| admin.expect_listener_updates("update_success", count);
    for round in 1..=rounds() {
        let begun = Instant::now();
        load.sign_with([round - 1, round]).await;
        envoy.keyring().replace(&keyring(round))?;
        sleep(REFRESH).await;
        load.sign_with([round]).await;
        // Another module in another configuration: a listener of its own.
        envoy.update_listeners(&retention(round - 1), &retention(round))?;
        updates(2 * u64::from(round)).await?;
        envoy.update_listeners(&module(round - 1), &module(round))?;
        updates(2 * u64::from(round) + 1).await?;
        sleep_until(begun + PERIOD).await;
    }
    assert_eq!(envoy.admin().vm_reloads().await?, 0);
    load.end(senders, &upstream).await
}

/// Writes the module once more, with a section that means nothing: to Envoy another.
fn another_module(envoy: &Envoy) -> Result<PathBuf> {
    let mut module = fs::read(artefact::module()?)?;
    // A custom section: its number, its length, and its name with that one's length.
    module.extend_from_slice(b"\x00\x06\x05other");
    let path = envoy.folder().join("other.wasm");
    fs::write(&path, module)?;
    Ok(path)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn load_of_hot_restarts_refuses_nothing_genuine() -> Result<()> {
    let upstream = Upstream::sqlite().await?;
    let setup = Setup::shipped().drain_seconds(DRAIN_SECONDS);
    let mut envoy = setup.start(upstream.address()).await?;
    let load = Load::new([envoy.address()], 0);
    load.sign_with([]).await;
    let senders = load.start();
    for _ in 0..rounds() / 2 {
        sleep(PERIOD).await;
        envoy.hot_restart().await?;
        // The one before is gone: what is stored now is the successor's.
        let before = load.count();
        load.reaches(before + 50).await?;
        assert!(envoy.admin().forwarded().await? > 0);
    }
    load.end(senders, &upstream).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn load_of_a_draining_envoy_beside_another_refuses_nothing_genuine() -> Result<()> {
    let upstream = Upstream::sqlite().await?;
    let setup = || Setup::shipped().drain_seconds(DRAIN_SECONDS);
    let draining = setup().start(upstream.address()).await?;
    let staying = setup().start(upstream.address()).await?;
    let load = Load::new([draining.address(), staying.address()], 0);
    load.sign_with([]).await;
    let senders = load.start();
    load.reaches(100).await?;
    assert!(draining.admin().forwarded().await? > 0);
    let drain = Delivery::post("/drain_listeners?graceful", "");
    let answer = client::send(draining.admin().address(), drain).await?;
    assert_eq!(answer.status, 200, "{answer:?}");
    sleep(Duration::from_secs(u64::from(DRAIN_SECONDS) + 1)).await;
    drop(draining);
    let before = load.count();
    load.reaches(before + 100).await?;
    load.end(senders, &upstream).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_of_envoy_with_a_thousand_events_under_way_loses_and_repeats_nothing() -> Result<()> {
    let upstream = Upstream::sqlite().await?;
    let relay = Relay::start(upstream.address()).await?;
    // None may be given up before the last is under way.
    let setup = Setup::shipped().lease_and_timeout(120, 60);
    let envoy = setup.start(relay.address).await?;
    let mut first = JoinSet::new();
    let mut events = Vec::new();
    // No more at once than a listener keeps until they are accepted.
    while events.len() < UNDER_WAY {
        for _ in 0..AT_ONCE {
            let event = Event::fresh()?;
            let delivery = PLATFORM.deliver(&event)?;
            let door = envoy.address();
            first.spawn(async move { client::send(door, delivery).await });
            events.push(event);
        }
        wait::until("each is under way", wait::PATIENCE, async || {
            let count = relay.count.load(Ordering::Relaxed);
            Ok((count == events.len()).then_some(()))
        })
        .await?;
    }
    // Half of them are stored, and nobody was told so.
    wait::until("a half that is stored", wait::A_LONG_TIME, async || {
        let stored = logged(&upstream).await?.len();
        Ok((stored == UNDER_WAY / 2).then_some(()))
    })
    .await?;
    drop(envoy);
    while let Some(answer) = first.join_next().await {
        let answer = answer?;
        assert!(answer.is_err(), "answered by nobody: {answer:?}");
    }
    let envoy = Setup::shipped().start(upstream.address()).await?;
    let mut connection = Http1::connect(envoy.address()).await?;
    let (mut stored, mut duplicates) = (0, 0);
    for event in &events {
        let answer = connection.send(PLATFORM.deliver(event)?).await?;
        assert_eq!(answer.status, 200, "{answer:?}");
        match answer.code().as_str() {
            "stored" => stored += 1,
            "duplicate" => duplicates += 1,
            _ => panic!("{answer:?}"),
        }
    }
    assert_eq!((stored, duplicates), (UNDER_WAY / 2, UNDER_WAY / 2));
    let all: BTreeSet<String> = events.into_iter().map(|event| event.id).collect();
    assert_eq!(logged(&upstream).await?, all);
    Ok(())
}

/// Stands between Envoy and the upstream and gives no answer back. Every other
/// request stays with it.
struct Relay {
    address: SocketAddr,
    /// How many connections brought a request.
    count: Arc<AtomicUsize>,
}

impl Relay {
    async fn start(upstream: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        tokio::spawn(async move {
            while let Ok((mut from, _)) = listener.accept().await {
                let counted = Arc::clone(&counted);
                tokio::spawn(async move {
                    // Envoy may open one that it then doesn't need.
                    if from.peek(&mut [0]).await? == 0 {
                        return Ok(0);
                    }
                    if counted.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) {
                        let mut to = TcpStream::connect(upstream).await?;
                        copy(&mut from, &mut to).await
                    } else {
                        copy(&mut from, &mut sink()).await
                    }
                });
            }
        });
        Ok(Self { address, count })
    }
}

/// Reads the IDs of the log, which fails if one is there twice.
async fn logged(upstream: &Upstream) -> Result<BTreeSet<String>> {
    let entries = upstream.log().entries().await?;
    let count = entries.len();
    let ids: BTreeSet<String> = entries.into_iter().map(|entry| entry.id).collect();
    ensure!(ids.len() == count, "an event is stored twice");
    Ok(ids)
}

/// What the senders share.
struct Load {
    doors: Vec<SocketAddr>,
    /// Held to read while a delivery is under way: who changes it knows that nothing
    /// signed before is still to come.
    signers: RwLock<Vec<String>>,
    acknowledged: Mutex<BTreeSet<String>>,
    /// Deliveries whose connection ended without an answer.
    cut: AtomicU64,
    stopped: AtomicBool,
}

impl Load {
    fn new(doors: impl Into<Vec<SocketAddr>>, signer: u32) -> Arc<Self> {
        Arc::new(Self {
            doors: doors.into(),
            signers: RwLock::new(vec![PLATFORM.secret.to_owned(), secret(signer)]),
            acknowledged: Mutex::default(),
            cut: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
        })
    }

    /// Lets the senders sign with these, and with what the upstream knows.
    async fn sign_with<const N: usize>(&self, numbers: [u32; N]) {
        let signers = [PLATFORM.secret.to_owned()].into_iter();
        *self.signers.write().await = signers.chain(numbers.map(secret)).collect();
    }

    fn start(self: &Arc<Self>) -> JoinSet<Result<()>> {
        let senders = (0..SENDERS).map(|number| send_until_stopped(Arc::clone(self), number));
        senders.collect()
    }

    fn door(&self, turn: usize) -> Result<SocketAddr> {
        let mut doors = self.doors.iter().cycle().skip(turn % self.doors.len());
        doors.next().copied().context("no door")
    }

    fn count(&self) -> usize {
        let all = self.acknowledged.lock();
        all.unwrap_or_else(PoisonError::into_inner).len()
    }

    async fn reaches(&self, count: usize) -> Result<()> {
        wait::until("more deliveries", wait::PATIENCE, async || {
            Ok((self.count() >= count).then_some(()))
        })
        .await
    }

    /// Stops the senders; what they were told is stored is what is stored.
    async fn end(&self, mut senders: JoinSet<Result<()>>, upstream: &Upstream) -> Result<()> {
        // However slow the machine is, that many are a load. Why there are fewer, the
        // senders say.
        let _ = self.reaches(501).await;
        self.stopped.store(true, Ordering::Relaxed);
        while let Some(sender) = senders.join_next().await {
            sender??;
        }
        let all = self.acknowledged.lock();
        let all = all.unwrap_or_else(PoisonError::into_inner).clone();
        assert!(all.len() > 500, "{} are no load", all.len());
        assert_eq!(logged(upstream).await?, all);
        let cut = self.cut.load(Ordering::Relaxed);
        eprintln!(
            "{} events, each stored once and none refused; {cut} connections ended without an answer",
            all.len()
        );
        Ok(())
    }
}

/// Delivers fresh events, each until it gets a 2xx, and fails at any refusal.
async fn send_until_stopped(load: Arc<Load>, number: usize) -> Result<()> {
    let mut door = number;
    let mut connection = None;
    let mut left = 0;
    while !load.stopped.load(Ordering::Relaxed) {
        let event = Event::fresh()?;
        let delivered = async {
            let mut is_retry = false;
            loop {
                let open = match connection.take().filter(|_| left > 0) {
                    Some(open) => Ok(open),
                    None => {
                        left = DELIVERIES_PER_CONNECTION;
                        door += 1;
                        Http1::connect(load.door(door)?).await
                    }
                };
                // Nobody listens where Envoy has drained: the other one does.
                let Ok(mut open) = open else {
                    sleep(PAUSE).await;
                    continue;
                };
                left -= 1;
                let signers = load.signers.read().await;
                let Ok(answer) = open.send(signed_by(&signers, &event)?).await else {
                    load.cut.fetch_add(1, Ordering::Relaxed);
                    is_retry = true;
                    continue;
                };
                drop(signers);
                // The copy before may be under way behind a connection that ended.
                if is_retry && answer.status == 409 {
                    sleep(PAUSE).await;
                    connection = Some(open);
                    continue;
                }
                let is_stored = answer.code() == "stored";
                let is_known = is_retry && answer.code() == "duplicate";
                ensure!(
                    answer.status == 200 && (is_stored || is_known),
                    "{answer:?}"
                );
                connection = Some(open);
                return Ok(());
            }
        };
        let delivered = timeout(wait::A_LONG_TIME, delivered).await;
        delivered.context("no 2xx for one event")??;
        let all = load.acknowledged.lock();
        all.unwrap_or_else(PoisonError::into_inner).insert(event.id);
        sleep(PAUSE).await;
    }
    Ok(())
}
