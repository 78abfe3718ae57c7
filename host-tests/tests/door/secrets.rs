//! Signing secrets that change while the door is open: where they come from,
//! what a rotation costs, and what a bad keyring doesn't.

mod environment;
mod file;
mod http;
mod kv2;
mod rotation;
mod scope;

use std::time::SystemTime;

use anyhow::{Context, Result};
use hookgate_core::secret::SigningSecret;
use hookgate_core::signature;
use hookgate_core::time::Timestamp;
use hookgate_host_tests::client::Delivery;
use hookgate_host_tests::envoy::{Envoy, Setup};
use hookgate_host_tests::event::{Event, PLATFORM};
use hookgate_host_tests::wait;
use serde_json::{Value, json};

use crate::{assert_problem, assert_stored};

/// A secret that is in nobody's keyring at the start.
const NEXT: &str = "whsec_tests_next_2Zx7Lm4c";

/// Starts from the shipped configuration without its quota for failures: a
/// test asks often whether a secret is known yet.
fn shipped() -> Setup {
    let quota = r#""quotas": {"sources": {"rate": 60, "per_seconds": 60, "burst": 100}},"#;
    Setup::shipped().edit(quota, "")
}

/// Makes a keyring with these secrets of the platform's endpoint.
fn keyring(secrets: impl Into<Value>) -> Value {
    json!({"endpoints": {PLATFORM.name: secrets.into()}})
}

/// Makes a keyring with one secret of the platform's endpoint.
pub(crate) fn keyring_of(name: &str, secret: &str) -> Value {
    keyring([json!({"name": name, "secret": secret})])
}

/// Makes the delivery of `event` that each of `secrets` has signed now, as
/// Stripe signs while a rolled secret is still valid.
pub(crate) fn signed_by(secrets: &[impl AsRef<str>], event: &Event) -> Result<Delivery> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let now = Timestamp::from_unix_seconds(now.as_secs());
    let mut header = format!("t={}", now.unix_millis() / 1000);
    for secret in secrets {
        let secret = SigningSecret::new("sender", secret.as_ref().as_bytes())?;
        let signature = signature::sign(&secret, now, &event.payload);
        let (_, signature) = signature.split_once(',').context("no signature")?;
        header = format!("{header},{signature}");
    }
    PLATFORM.deliver_signed(event, &header)
}

/// Delivers a fresh event that `secret` has signed and expects it stored.
async fn expect_stored(envoy: &Envoy, secret: &str) -> Result<()> {
    let delivery = signed_by(&[secret], &Event::fresh()?)?;
    assert_stored(&envoy.send(delivery).await?);
    Ok(())
}

/// Delivers a fresh event that `secret` has signed and expects it refused.
async fn expect_refused(envoy: &Envoy, secret: &str, status: u16, code: &str) -> Result<()> {
    let delivery = signed_by(&[secret], &Event::fresh()?)?;
    assert_problem(&envoy.send(delivery).await?, status, code);
    Ok(())
}

/// Delivers fresh events that `secret` has signed until one is stored; those
/// before must be refused like this.
async fn until_stored(envoy: &Envoy, secret: &str, status: u16, code: &str) -> Result<()> {
    let what = "the secret that came last";
    wait::until(what, wait::PATIENCE, async || {
        let delivery = signed_by(&[secret], &Event::fresh()?)?;
        let answer = envoy.send(delivery).await?;
        if answer.status != 200 {
            assert_problem(&answer, status, code);
            return Ok(None);
        }
        assert_stored(&answer);
        Ok(Some(()))
    })
    .await
}

/// Returns how often a keyring had this result.
async fn keyring_count(envoy: &Envoy, keyring: &str, result: &str) -> Result<u64> {
    let stat = format!("wasmcustom.hookgate_keyring.keyring.{keyring}.result.{result}");
    envoy.admin().sum(|name| name == stat).await
}

/// Returns how many deliveries a secret of the platform's endpoint verified.
async fn verified_by(envoy: &Envoy, secret: &str) -> Result<u64> {
    let stat = format!(
        "wasmcustom.hookgate_verified.endpoint.{}.scheme.stripe.secret.{secret}",
        PLATFORM.name
    );
    envoy.admin().sum(|name| name == stat).await
}

/// Returns how many secrets the gauge says that the endpoint can use.
async fn usable(envoy: &Envoy) -> Result<Option<u64>> {
    let stat = format!("wasmcustom.hookgate_secrets.endpoint.{}", PLATFORM.name);
    let page = envoy.admin().page("/stats").await?;
    let mut lines = page.lines().filter_map(|line| line.split_once(": "));
    let shown = lines.find(|(name, _)| *name == stat);
    Ok(shown.map(|(_, value)| value.parse()).transpose()?)
}

/// Waits until the gauge says that the endpoint can use `count` secrets.
async fn expect_usable(envoy: &Envoy, count: u64) -> Result<()> {
    let what = format!("{count} usable secrets");
    wait::until(&what, wait::PATIENCE, async || {
        Ok((usable(envoy).await? == Some(count)).then_some(()))
    })
    .await
}
