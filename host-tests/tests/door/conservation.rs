//! What is counted: each name as it is listed, and each request once.

mod gate;
mod load;
mod passing;
mod trap;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use anyhow::Result;
use hookgate_core::metric::{self, Family, Kind};
use hookgate_core::outcome::{Outcome, Stage};
use hookgate_host_tests::client::{Answer, Delivery};
use hookgate_host_tests::envoy::Envoy;
use hookgate_host_tests::prometheus::Exposition;
use hookgate_host_tests::wait;

/// An Envoy, with a client's own count of what it has sent there.
struct Door {
    envoy: Envoy,
    sent: Mutex<BTreeMap<&'static str, u64>>,
}

impl Door {
    fn new(envoy: Envoy) -> Self {
        Self {
            envoy,
            sent: Mutex::default(),
        }
    }

    /// Counts one request to the endpoint of this name; `_` for none.
    fn count(&self, endpoint: &'static str) {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        *sent.entry(endpoint).or_default() += 1;
    }

    async fn send(&self, endpoint: &'static str, delivery: Delivery) -> Result<Answer> {
        self.count(endpoint);
        self.envoy.send(delivery).await
    }

    fn sent(&self) -> BTreeMap<&'static str, u64> {
        let sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.clone()
    }

    async fn read(&self) -> Result<Exposition> {
        Exposition::parse(&self.envoy.admin().page("/stats/prometheus").await?)
    }

    /// Waits until exactly so many deliveries are open in a stage.
    async fn expect_open(&self, stage: Stage, count: u64) -> Result<Exposition> {
        let what = format!("{count} open {}", stage.as_str());
        wait::until(&what, wait::PATIENCE, async || {
            let read = self.read().await?;
            Ok((open(&read, stage)? == count).then_some(read))
        })
        .await
    }

    /// Waits until nothing is open, and asserts every equation for every
    /// endpoint, with what the client has sent.
    async fn assert_conserved(&self) -> Result<Exposition> {
        self.expect_open(Stage::Unverified, 0).await?;
        self.expect_open(Stage::Forwarded, 0).await?;
        let read = self.read().await?;
        let received = read.values(metric::RECEIVED.name, "endpoint");
        for endpoint in &received {
            let sent = self.sent().get(endpoint.as_str()).copied();
            let labels = [("endpoint", endpoint.as_str())];
            let received = read.sum(metric::RECEIVED.name, &labels)?;
            assert_eq!(received, sent.unwrap_or_default(), "{endpoint}");
            for side in sides(&read, &labels)? {
                assert_eq!(side.left, side.right, "{} at {endpoint}", side.name);
            }
        }
        for stage in [Stage::Unverified, Stage::Forwarded] {
            assert_eq!(lost(&read, stage)?, 0);
        }
        Ok(read)
    }
}

/// The sides of one equation, without what is open or lost.
struct Sides {
    name: &'static str,
    left: u64,
    right: u64,
}

/// Adds up both sides of the three equations, where the labels are these.
fn sides(read: &Exposition, labels: &[(&str, &str)]) -> Result<[Sides; 3]> {
    let ended = |outcomes: &[&str], reason: Option<&str>| -> Result<u64> {
        let mut sum = 0;
        for outcome in outcomes {
            let mut wanted = labels.to_vec();
            wanted.push(("outcome", outcome));
            wanted.extend(reason.map(|reason| ("reason", reason)));
            sum += read.sum(metric::DELIVERIES.name, &wanted)?;
        }
        Ok(sum)
    };
    let [received, verified, forwarded] =
        [metric::RECEIVED, metric::VERIFIED, metric::FORWARDED].map(|f| read.sum(f.name, labels));
    let (received, verified, forwarded) = (received?, verified?, forwarded?);
    let answered = [
        "duplicate",
        "in_progress",
        "limited",
        "ignored",
        "denied",
        "unavailable",
    ];
    let settled = ["committed", "released", "in_doubt", "passed_through"];
    Ok([
        Sides {
            name: "received",
            left: received,
            right: verified
                + ended(&["refused", "passed"], None)?
                + ended(&["aborted"], Some("unverified"))?,
        },
        Sides {
            name: "verified",
            left: verified,
            right: forwarded + ended(&answered, None)? + ended(&["aborted"], Some("verified"))?,
        },
        Sides {
            name: "forwarded",
            left: forwarded,
            right: ended(&settled, None)?,
        },
    ])
}

/// Asserts the equations over all endpoints, with what is open and lost:
/// neither has an endpoint.
#[track_caller]
fn assert_conserved_with_open(read: &Exposition) -> Result<()> {
    let pending = |stage| anyhow::Ok(open(read, stage)? + lost(read, stage)?);
    let pending = [pending(Stage::Unverified)?, 0, pending(Stage::Forwarded)?];
    for (side, pending) in sides(read, &[])?.into_iter().zip(pending) {
        assert_eq!(side.left, side.right + pending, "{}", side.name);
    }
    Ok(())
}

fn open(read: &Exposition, stage: Stage) -> Result<u64> {
    read.sum(metric::OPEN.name, &[("stage", stage.as_str())])
}

fn lost(read: &Exposition, stage: Stage) -> Result<u64> {
    read.sum(metric::LOST.name, &[("stage", stage.as_str())])
}

/// Asserts that every family shows with its kind and its labels, and no other.
#[track_caller]
fn assert_names(read: &Exposition) {
    let mut shown: BTreeSet<&str> = BTreeSet::new();
    for sample in &read.samples {
        if !sample.name.starts_with("hookgate_") {
            continue;
        }
        let family = Family::ALL.iter().find(|family| {
            let suffix = sample.name.strip_prefix(family.name);
            suffix.is_some_and(|suffix| suffixes(family.kind).contains(&suffix))
        });
        assert!(family.is_some(), "not listed: {sample:?}");
        let Some(family) = family else {
            continue;
        };
        let mut labels: BTreeSet<&str> = family.labels.iter().copied().collect();
        if sample.name.ends_with("_bucket") {
            labels.insert("le");
        }
        assert_eq!(sample.label_names(), labels, "{sample:?}");
        assert!(!sample.labels.values().any(|value| value.contains("..")));
        shown.insert(&sample.name);
    }
    for family in Family::ALL {
        let kind = format!("{:?}", family.kind).to_lowercase();
        assert_eq!(read.kinds.get(family.name), Some(&kind), "{}", family.name);
        for suffix in suffixes(family.kind) {
            let name = format!("{}{suffix}", family.name);
            assert!(shown.contains(name.as_str()), "{name} does not show");
        }
    }
}

/// Asserts that these outcomes are the ones that are counted at each endpoint.
#[track_caller]
fn assert_outcomes(read: &Exposition) {
    let listed: BTreeSet<(&str, &str)> = Outcome::all()
        .map(|outcome| (outcome.as_str(), outcome.reason()))
        .collect();
    let own =
        |sample: &&hookgate_host_tests::prometheus::Sample| sample.name == metric::DELIVERIES.name;
    let label = |labels: &BTreeMap<String, String>, name: &str| labels.get(name).cloned();
    let shown: BTreeSet<_> = (read.samples.iter().filter(own))
        .map(|sample| {
            let labels = &sample.labels;
            label(labels, "outcome")
                .zip(label(labels, "reason"))
                .unwrap_or_default()
        })
        .collect();
    let shown: BTreeSet<_> = shown
        .iter()
        .map(|(o, r)| (o.as_str(), r.as_str()))
        .collect();
    assert_eq!(shown, listed);
}

const fn suffixes(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Counter | Kind::Gauge => &[""],
        Kind::Histogram => &["_bucket", "_sum", "_count"],
    }
}
