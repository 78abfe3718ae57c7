//! A stolen secret: what a stranger signs waits for a person, and nobody else's does.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use anyhow::{Context, Result};
use hookgate_host_tests::client::{self, Delivery, Http1};
use hookgate_host_tests::envoy::{Envoy, Setup};
use hookgate_host_tests::event::{Event, PLATFORM};
use hookgate_host_tests::prometheus::Exposition;
use hookgate_host_tests::script::Script;
use hookgate_host_tests::upstream::Upstream;
use hookgate_host_tests::wait;
use serde_json::{Value, json};

use crate::anomalies::{Sender, fresh, gate, learnt};

/// Where the thief sends from: never seen in the week that was learnt.
const THIEF: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 66, 6, 1));

/// Enough of a network that was never seen for a verdict.
const BEFORE: usize = 6;

/// A gate that has learnt a week, a real upstream that delivers to one destination,
/// and what is usual on its way.
struct Scene {
    envoy: Envoy,
    upstream: Upstream,
    orders: Script,
    _usual: Sender,
}

impl Scene {
    async fn open(protect: &Value) -> Result<Self> {
        let state = tokio::task::spawn_blocking(learnt).await?;
        let orders = Script::start([]).await?;
        let configuration = format!(
            "[[destinations]]\nname = \"orders\"\nurl = \"http://{}/\"\nfrom = \"beginning\"\n",
            orders.address()
        );
        let upstream = Upstream::configured(None, tempfile::tempdir()?, &configuration).await?;
        for part in state {
            let keep =
                Delivery::put("/v1/watch/state?gate=edge", part).header("x-hookgate-watch", "1")?;
            let kept = client::send(upstream.address(), keep).await?;
            assert_eq!(kept.status, 204, "{:?}", kept.body);
        }
        let gate = gate(&json!({"protect": protect}));
        let envoy = Setup::shipped()
            .gate(gate)
            .start(upstream.address())
            .await?;
        let usual = Sender::start(envoy.address(), Duration::from_millis(50), fresh);
        let scene = Self {
            envoy,
            upstream,
            orders,
            _usual: usual,
        };
        scene
            .expect("hookgate_watch", ("result", "restored"), 1)
            .await?;
        scene
            .expect("hookgate_watch", ("result", "ticked"), 10)
            .await?;
        Ok(scene)
    }

    async fn count(&self, name: &str, label: (&str, &str)) -> Result<u64> {
        let page = self.envoy.admin().page("/stats/prometheus").await?;
        Exposition::parse(&page)?.sum(name, &[label])
    }

    /// Waits until a statistic is at least this.
    async fn expect(&self, name: &str, label: (&str, &str), least: u64) -> Result<()> {
        let what = format!("{name}{label:?} of {least}");
        wait::until(&what, wait::PATIENCE, async || {
            let found = self.count(name, label).await?;
            Ok((found >= least).then_some(()))
        })
        .await
        .with_context(|| self.envoy.output().unwrap_or_default())
    }

    async fn held(&self) -> Result<u64> {
        self.count("hookgate_protected", ("action", "hold")).await
    }

    /// The thief sends an event; returns its ID.
    async fn steal(&self) -> Result<String> {
        let event = Event::fresh_of_type("payout.paid")?;
        let mut connection = Http1::connect_from(THIEF, self.envoy.address()).await?;
        let answer = connection.send(PLATFORM.deliver(&event)?).await?;
        assert_eq!(answer.status, 200, "what is held is stored");
        Ok(event.id)
    }

    /// Somebody known sends an event; returns its ID.
    async fn send(&self, delivery: impl Fn(Delivery) -> Result<Delivery>) -> Result<String> {
        let event = Event::fresh_of_type("payout.paid")?;
        let answer = self
            .envoy
            .send(delivery(PLATFORM.deliver(&event)?)?)
            .await?;
        assert_eq!(answer.status, 200);
        Ok(event.id)
    }

    /// Waits until the destination has an event; returns what it said of being held.
    async fn until_delivered(&self, id: &str) -> Result<Option<String>> {
        wait::until("the event at its destination", wait::PATIENCE, async || {
            let got = self.orders.received().into_iter();
            let mut got = got.filter(|it| it.header("ce-id") == Some(id));
            Ok(got
                .next()
                .map(|it| it.header("ce-heldfor").map(str::to_owned)))
        })
        .await
        .with_context(|| self.upstream.output().unwrap_or_default())
    }

    /// Lists what waits for a person.
    async fn parked(&self) -> Result<Vec<Value>> {
        let listed = self
            .upstream
            .log()
            .run(&["review", "list", "--json"])
            .await?;
        let lines = listed.split(|byte| *byte == b'\n');
        let lines = lines.filter(|line| !line.is_empty());
        Ok(lines
            .map(serde_json::from_slice)
            .collect::<Result<_, _>>()?)
    }
}

#[tokio::test]
async fn what_a_stolen_secret_signs_waits_for_a_person_and_nothing_genuine_does() -> Result<()> {
    let scene = Scene::open(&json!({"secret_suspect": true})).await?;
    let mut before = Vec::new();
    for _ in 0..BEFORE {
        before.push(scene.steal().await?);
    }
    scene
        .expect("hookgate_anomaly_verdicts", ("kind", "secret_suspect"), 1)
        .await?;
    // Each worker obeys from its next look on.
    let mut stolen = Vec::new();
    wait::until("events that are held", wait::PATIENCE, async || {
        stolen.push(scene.steal().await?);
        Ok((scene.held().await? >= 5).then_some(()))
    })
    .await?;
    // Whoever is known is delivered meanwhile, whatever it says of itself in headers.
    for _ in 0..20 {
        let id = scene.send(Ok).await?;
        assert_eq!(scene.until_delivered(&id).await?, None);
        let marked = |delivery: Delivery| delivery.header("ce-heldfor", "secret_suspect");
        let id = scene.send(marked).await?;
        assert_eq!(scene.until_delivered(&id).await?, None);
    }
    // What came before the verdict went through.
    for id in &before {
        assert_eq!(scene.until_delivered(id).await?, None);
    }
    let held = scene.held().await?;
    let parked = scene.parked().await?;
    let of_thief = |it: &Value| stolen.iter().any(|id| it["id"] == id.as_str());
    assert!(parked.iter().all(of_thief), "{parked:?}");
    assert!(parked.iter().all(|it| it["reason"] == "held"), "{parked:?}");
    assert_eq!(u64::try_from(parked.len())?, held);
    let received = scene.orders.received();
    let is_parked = |id: &str| parked.iter().any(|it| it["id"] == id);
    let delivered = received.iter().filter_map(|it| it.header("ce-id"));
    assert_eq!(delivered.filter(|id| is_parked(id)).count(), 0);
    let one = parked.first().and_then(|it| it["id"].as_str());
    let one = one.context("one is held")?;
    let because = ["--reason", "ours: a new address", "--by", "ada"];
    let approve = [&["review", "approve", one][..], &because].concat();
    scene.upstream.log().run(&approve).await?;
    let said = scene.until_delivered(one).await?;
    assert_eq!(said.as_deref(), Some("secret_suspect"));
    assert_eq!(u64::try_from(scene.parked().await?.len())?, held - 1);
    Ok(())
}

#[tokio::test]
async fn a_stranger_is_told_and_nothing_held_where_nobody_asked_for_it() -> Result<()> {
    let scene = Scene::open(&json!({"cascade": true})).await?;
    for _ in 0..BEFORE {
        scene.steal().await?;
    }
    scene
        .expect("hookgate_anomaly_verdicts", ("kind", "secret_suspect"), 1)
        .await?;
    let ticked = scene.count("hookgate_watch", ("result", "ticked")).await?;
    scene
        .expect("hookgate_watch", ("result", "ticked"), ticked + 3)
        .await?;
    let id = scene.steal().await?;
    assert_eq!(scene.until_delivered(&id).await?, None);
    assert_eq!(scene.held().await?, 0);
    assert_eq!(scene.parked().await?, Vec::<Value>::new());
    Ok(())
}
