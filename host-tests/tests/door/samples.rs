//! Every payload of the corpus through the door, signed by Stripe's own SDK.

use std::collections::BTreeMap;

use anyhow::Result;
use hookgate_host_tests::client::{Answer, Http1};
use hookgate_host_tests::corpus::{self, Sample};
use hookgate_host_tests::envoy::{Envoy, Setup};
use hookgate_host_tests::event::{CONNECT, Endpoint, PLATFORM};
use hookgate_host_tests::log::{Entry, Log};
use hookgate_host_tests::nats::Nats;
use hookgate_host_tests::sdk;
use hookgate_host_tests::upstream::Upstream;
use sha2::{Digest, Sha256};

use crate::{assert_problem, assert_stored, on_sqlite};

/// On a broker the bytes take the same way; this many show it.
const SELECTION: usize = 60;

#[tokio::test]
async fn every_sample_is_stored_once_and_unchanged_on_sqlite() -> Result<()> {
    let (envoy, upstream) = on_sqlite().await?;
    stored_once_and_unchanged(&envoy, upstream.log(), &corpus::samples()?).await
}

#[tokio::test]
async fn a_selection_of_samples_is_stored_once_and_unchanged_on_nats() -> Result<()> {
    let nats = Nats::start().await?;
    let upstream = Upstream::nats(&nats).await?;
    let envoy = Setup::shipped().start(upstream.address()).await?;
    let samples = corpus::samples()?;
    let step = (samples.len() / SELECTION).max(1);
    let selection: Vec<Sample> = samples.into_iter().step_by(step).collect();
    stored_once_and_unchanged(&envoy, upstream.log(), &selection).await
}

#[tokio::test]
async fn one_id_signed_at_both_endpoints_is_stored_once_for_each_source() -> Result<()> {
    let (envoy, upstream) = on_sqlite().await?;
    let samples = corpus::samples()?;
    let mut selection: Vec<Sample> = samples.into_iter().filter(|s| !s.is_test_event()).collect();
    selection.truncate(5);
    assert!(selection.len() >= 4, "too few samples to show anything");
    for endpoint in [PLATFORM, CONNECT] {
        for answer in deliver(&envoy, endpoint, &selection).await? {
            assert_stored(&answer);
        }
    }
    let entries = upstream.log().entries().await?;
    for sample in &selection {
        let mut sources: Vec<&str> = entries
            .iter()
            .filter(|entry| entry.id == sample.event.id)
            .map(|entry| entry.source.as_str())
            .collect();
        sources.sort_unstable();
        assert_eq!(sources, ["stripe", "stripe-connect"]);
    }
    Ok(())
}

async fn stored_once_and_unchanged(envoy: &Envoy, log: &Log, samples: &[Sample]) -> Result<()> {
    for (sample, answer) in samples.iter().zip(deliver(envoy, PLATFORM, samples).await?) {
        assert_eq!(answer.code(), "stored", "{}", sample.file.display());
        assert_stored(&answer);
    }
    let first = log.entries().await?;
    assert_eq!(hashes(first.iter()), sent(samples.iter()));
    for sample in samples.iter().filter(|s| !s.is_test_event()) {
        let id = &sample.event.id;
        let entry = first.iter().find(|entry| &entry.id == id);
        let sha256 = entry.map(|entry| entry.sha256.as_str());
        assert_eq!(
            sha256,
            Some(sha256_hex(&sample.event.payload).as_str()),
            "{id}"
        );
    }

    let forwarded = envoy.admin().forwarded().await?;
    let mut test_events = 0;
    for (sample, answer) in samples.iter().zip(deliver(envoy, PLATFORM, samples).await?) {
        if sample.is_test_event() {
            test_events += 1;
            assert_stored(&answer);
        } else {
            assert_problem(&answer, 200, "duplicate");
        }
    }
    assert_eq!(envoy.admin().forwarded().await?, forwarded + test_events);

    let both = log.entries().await?;
    let again = samples.iter().filter(|sample| sample.is_test_event());
    assert_eq!(hashes(both.iter()), sent(samples.iter().chain(again)));
    Ok(())
}

/// Delivers every sample, signed by the SDK now, over one connection.
async fn deliver(envoy: &Envoy, endpoint: Endpoint, samples: &[Sample]) -> Result<Vec<Answer>> {
    let payloads = samples.iter().map(|sample| sample.event.payload.as_ref());
    let signatures = sdk::sign(endpoint, payloads).await?;
    let mut connection = Http1::connect(envoy.address()).await?;
    let mut answers = Vec::new();
    for (sample, signature) in samples.iter().zip(signatures) {
        let delivery = endpoint.deliver_signed(&sample.event, &signature)?;
        answers.push(connection.send(delivery).await?);
    }
    Ok(answers)
}

/// Counts the log's entries by hash: test events get an ID of the log's own,
/// so that the hash alone tells them.
fn hashes<'a>(entries: impl Iterator<Item = &'a Entry>) -> BTreeMap<String, usize> {
    count(entries.map(|entry| entry.sha256.clone()))
}

fn sent<'a>(samples: impl Iterator<Item = &'a Sample>) -> BTreeMap<String, usize> {
    count(samples.map(|sample| sha256_hex(&sample.event.payload)))
}

fn count(hashes: impl Iterator<Item = String>) -> BTreeMap<String, usize> {
    hashes.fold(BTreeMap::new(), |mut counts, hash| {
        *counts.entry(hash).or_default() += 1;
        counts
    })
}

fn sha256_hex(payload: &[u8]) -> String {
    hex::encode(Sha256::digest(payload))
}
