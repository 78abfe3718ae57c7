//! A gate that has learnt what is usual, and who sends to it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use bytes::Bytes;
use hookgate_host_tests::client::{self, Http1};
use hookgate_host_tests::envoy::{Envoy, Setup};
use hookgate_host_tests::event::{Event, PLATFORM};
use hookgate_host_tests::keeper::Keeper;
use hookgate_host_tests::payload;
use hookgate_host_tests::prometheus::Exposition;
use hookgate_host_tests::wait;
use hookgate_watch::parts;
use hookgate_watch::source::Network;
use hookgate_watch::stranger::Signed;
use hookgate_watch::time::Time;
use hookgate_watch::upstream::Answer;
use hookgate_watch::watch::Watch;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::interval;

const TICK: Duration = Duration::from_millis(200);

/// What is usual: events a tick, of each of these types.
const USUAL: u64 = 2;
const TYPES: [&str; 2] = ["invoice.paid", "payout.paid"];

/// Ticks of eight days.
const LEARNT: u64 = 69_120;

/// Verdicts of somebody who means harm.
const ATTACKS: [&str; 3] = ["forged_signatures", "slow_loris", "secret_suspect"];

pub(crate) fn gate(more: &Value) -> Value {
    let mut watch = json!({"gate": "edge", "tick_milliseconds": 200,
        "upstream": {"cluster": "upstream"}});
    if let (Some(watch), Some(more)) = (watch.as_object_mut(), more.as_object()) {
        watch.extend(more.clone());
    }
    // Far more failures than any of these tests sends to see a verdict.
    let sources = json!({"rate": 1, "per_seconds": 3600, "burst": 2000, "exceeded": "refuse"});
    let is_tightened = watch.pointer("/protect/forged_signatures").is_some();
    let quotas = if is_tightened {
        json!({"sources": sources})
    } else {
        json!({})
    };
    json!({
        "quotas": quotas,
        "endpoints": [{"name": "stripe", "path": "/webhooks/stripe", "keyring": "file"}],
        "keyrings": [{"name": "file", "filter_state": "hookgate.secrets"}],
        "watch": watch,
    })
}

/// Returns what a watch has learnt of eight days that end about now.
pub(crate) fn learnt() -> Vec<Bytes> {
    static LEARNT_ONCE: OnceLock<Vec<Bytes>> = OnceLock::new();
    let state = LEARNT_ONCE.get_or_init(|| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let turn = now.unwrap_or_default().as_millis() / TICK.as_millis();
        let turn = u64::try_from(turn).unwrap_or_default();
        let time = |turn: u64| Time::from_unix_seconds(turn * 10);
        let mut watch = Watch::new(time(turn - LEARNT));
        let mut chance = 7_u64;
        for turn in turn - LEARNT + 1..=turn {
            for type_name in TYPES {
                // 0 to 4 events, 2 on average.
                chance = chance
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                let events = u32::try_from((chance >> 33) % (2 * USUAL + 1)).unwrap_or_default();
                let signed = Signed {
                    network: Network::of(IpAddr::V4(Ipv4Addr::LOCALHOST)),
                    api_version: None,
                    type_name,
                    account: None,
                };
                watch.delivered_many(&signed, events, 0);
                // From 10 ms to 1.3 s: a machine that is busy is no upstream in trouble.
                for number in 0..events {
                    let doublings = (chance >> (40 + 4 * number)) % 8;
                    let millis = 10_u32 << doublings;
                    watch.answered(Answer::Answered, f64::from(millis) / 1_000.0);
                }
            }
            watch.held_open(2, 10_000.0);
            watch.tick(time(turn));
        }
        let parts = parts::all(1, &watch);
        parts.into_iter().map(Bytes::from).collect()
    });
    state.clone()
}

/// A gate that has learnt what is usual, and gets it.
pub(super) struct Door {
    pub(super) envoy: Envoy,
    pub(super) keeper: Keeper,
    pub(super) usual: Sender,
}

impl Door {
    pub(super) async fn open(setup: Setup, more: &Value) -> Result<Self> {
        let state = tokio::task::spawn_blocking(learnt).await?;
        let keeper = Keeper::start().await?;
        let envoy = setup.gate(gate(more)).start(keeper.address()).await?;
        let usual = Sender::start(envoy.address(), Duration::from_millis(50), fresh);
        // What was learnt comes when what is usual does.
        wait::until("usual deliveries", wait::PATIENCE, async || {
            Ok((usual.sent() > 5).then_some(()))
        })
        .await?;
        keeper.kept().state = Some(state);
        let door = Self {
            envoy,
            keeper,
            usual,
        };
        door.expect("hookgate_watch", &[("result", "restored")], 1)
            .await?;
        let ticked = door
            .count("hookgate_watch", &[("result", "ticked")])
            .await?;
        door.expect("hookgate_watch", &[("result", "ticked")], ticked + 10)
            .await?;
        Ok(door)
    }

    pub(super) async fn count(&self, name: &str, labels: &[(&str, &str)]) -> Result<u64> {
        let page = self.envoy.admin().page("/stats/prometheus").await?;
        Exposition::parse(&page)?.sum(name, labels)
    }

    /// Waits until a statistic is at least this.
    pub(super) async fn expect(
        &self,
        name: &str,
        labels: &[(&str, &str)],
        least: u64,
    ) -> Result<u64> {
        let what = format!("{name}{labels:?} of {least}");
        wait::until(&what, wait::PATIENCE, async || {
            let found = self.count(name, labels).await?;
            Ok((found >= least).then_some(found))
        })
        .await
        .with_context(|| self.envoy.output().unwrap_or_default())
    }

    /// Waits until a verdict shows in the statistics, in the log and at the upstream;
    /// returns its evidence.
    pub(super) async fn expect_verdict(&self, kind: &str) -> Result<String> {
        let labels = [("kind", kind)];
        self.expect("hookgate_anomaly_verdicts", &labels, 1).await?;
        let score = self.expect("hookgate_anomaly", &labels, 50).await?;
        assert!(score <= 100, "{score}");
        let event = wait::until("the verdict at the upstream", wait::PATIENCE, async || {
            let told = self.keeper.kept().told.clone();
            let mut told = told.into_iter();
            let found = told.find(|(path, event)| {
                path == "/v1/watch/verdicts" && event.pointer("/data/kind") == Some(&kind.into())
            });
            Ok(found.map(|(_, event)| event))
        })
        .await?;
        assert_eq!(event.pointer("/specversion"), Some(&"1.0".into()));
        assert_eq!(event.pointer("/data/gate"), Some(&"edge".into()));
        let evidence = event
            .pointer("/data/evidence")
            .and_then(Value::as_str)
            .context("evidence")?;
        let line = format!("anomaly kind={kind} ");
        let log = self.envoy.output()?;
        let lines: Vec<&str> = log.lines().filter(|it| it.contains(&line)).collect();
        assert!(lines.iter().any(|it| it.contains(evidence)), "{lines:?}");
        eprintln!("{kind}: {evidence}");
        Ok(evidence.to_owned())
    }

    /// Asserts that no verdict accuses anybody, but for one kind.
    pub(super) async fn assert_no_attack_but(&self, kind: &str) -> Result<()> {
        for attack in ATTACKS.into_iter().filter(|it| *it != kind) {
            let labels = [("kind", attack)];
            let found = self.count("hookgate_anomaly_verdicts", &labels).await?;
            assert_eq!(found, 0, "{attack} beside {kind}");
        }
        Ok(())
    }
}

/// Sends deliveries at a pace, until it is dropped.
pub(crate) struct Sender {
    task: JoinHandle<Result<()>>,
    sent: Arc<AtomicU64>,
}

pub(crate) type Make = fn(u64) -> Result<client::Delivery>;

impl Sender {
    pub(crate) fn start(address: SocketAddr, pause: Duration, make: Make) -> Self {
        let sent = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&sent);
        let task = tokio::spawn(async move {
            let mut pace = interval(pause);
            let mut connection = Http1::connect(address).await?;
            for number in 0.. {
                pace.tick().await;
                if connection.send(make(number)?).await.is_err() {
                    connection = Http1::connect(address).await?;
                }
                counter.store(number, Ordering::Relaxed);
            }
            Ok(())
        });
        Self { task, sent }
    }

    pub(super) fn stop(&self) {
        self.task.abort();
    }

    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.stop();
    }
}

pub(crate) fn fresh(number: u64) -> Result<client::Delivery> {
    let [one, other] = TYPES;
    let kind = if number.is_multiple_of(2) { one } else { other };
    PLATFORM.deliver(&Event::fresh_of_type(kind)?)
}

pub(super) fn forged(_: u64) -> Result<client::Delivery> {
    PLATFORM.forge(&Event::fresh()?)
}

pub(super) fn known(number: u64) -> Result<client::Delivery> {
    let ([known, _], id) = (TYPES, format!("evt_storm{}", number % 3));
    let Event { payload, .. } = Event::fresh_of_type(known)?;
    let payload = payload::with_id(&payload, &id)?.into();
    PLATFORM.deliver(&Event { id, payload })
}
