//! Quotas: who is held back, for how long, and who is not.

mod address;
mod edge;
mod flood;
mod keys;

use std::time::Duration;

use anyhow::{Context, Result};
use hookgate_host_tests::client::Answer;
use hookgate_host_tests::envoy::Setup;
use hookgate_host_tests::event::{CONNECT, Event, PLATFORM};
use tokio::time::sleep;

use crate::{assert_problem, assert_stored, on_script};

/// The line of the shipped configuration with the quotas of the gate.
const SHIPPED: &str = r#""quotas": {"sources": {"rate": 60, "per_seconds": 60, "burst": 100}}"#;

/// Starts from the shipped configuration with other quotas of the gate.
fn with_quotas(quotas: &str) -> Setup {
    Setup::shipped().edit(SHIPPED, &format!(r#""quotas": {quotas}"#))
}

/// Starts from the shipped configuration with more said of the platform's
/// endpoint.
fn with_endpoint(more: &str) -> Setup {
    let endpoint = r#""path": "/webhooks/stripe", "keyring": "file""#;
    Setup::shipped().edit(endpoint, &format!("{endpoint}, {more}"))
}

/// Asserts a refusal for a spent quota of this kind, and returns the seconds
/// that it tells to wait.
#[track_caller]
fn assert_limited(answer: &Answer, policy: &str, kind: &str) -> Result<u64> {
    assert_problem(answer, 429, "rate_limited");
    let seconds = answer.header("retry-after").context("no retry-after")?;
    assert_eq!(answer.header("ratelimit-policy"), Some(policy));
    let state = format!("\"{kind}\";r=0;t={seconds}");
    assert_eq!(answer.header("ratelimit"), Some(state.as_str()));
    Ok(seconds.parse()?)
}

#[tokio::test]
async fn a_limited_event_is_stored_when_it_comes_after_the_time_told() -> Result<()> {
    let quota = r#""quotas": {"endpoint": {"rate": 1, "per_seconds": 8, "burst": 2}}"#;
    let (envoy, script) = on_script(with_endpoint(quota), []).await?;
    for _ in 0..2 {
        assert_stored(&envoy.send(PLATFORM.deliver(&Event::fresh()?)?).await?);
    }
    let late = Event::fresh()?;
    let answer = envoy.send(PLATFORM.deliver(&late)?).await?;
    let wait = assert_limited(&answer, r#""endpoint";q=2;w=16"#, "endpoint")?;
    assert!((1..=8).contains(&wait), "{wait}");
    assert_eq!(script.count(), 2);
    envoy.access_log_of(&late.id, "endpoint").await?;

    sleep(Duration::from_secs(wait)).await;
    assert_stored(&envoy.send(PLATFORM.deliver(&late)?).await?);
    assert_problem(
        &envoy.send(PLATFORM.deliver(&late)?).await?,
        200,
        "duplicate",
    );
    script.expect_received(3).await?;
    let admin = envoy.admin();
    admin.expect_deliveries("stripe", "endpoint", 1).await?;
    let counted = "wasmcustom.hookgate_quota_exceeded.endpoint.stripe.quota.endpoint.action.refuse";
    assert_eq!(admin.sum(|name| name == counted).await?, 1);
    Ok(())
}

#[tokio::test]
async fn an_account_over_its_quota_is_counted_and_others_are_not_touched() -> Result<()> {
    let quota = r#""quotas": {"accounts": {"rate": 1, "per_seconds": 3600, "burst": 1}}"#;
    let (envoy, script) = on_script(with_endpoint(quota), []).await?;
    for account in ["acct_busy", "acct_busy", "acct_busy", "acct_calm"] {
        let event = Event::fresh_of_account(account)?;
        assert_stored(&envoy.send(PLATFORM.deliver(&event)?).await?);
    }
    script.expect_received(4).await?;
    let counted = "wasmcustom.hookgate_quota_exceeded.endpoint.stripe.quota.account.action.count";
    assert_eq!(envoy.admin().sum(|name| name == counted).await?, 2);
    Ok(())
}

#[tokio::test]
async fn each_type_has_its_own_quota() -> Result<()> {
    let quota = concat!(
        r#""quotas": {"types": [{"types": ["invoice.*"], "#,
        r#""limit": {"rate": 1, "per_seconds": 60, "burst": 1}}]}"#
    );
    let (envoy, script) = on_script(with_endpoint(quota), []).await?;
    // There before it counts, so that an alert sees its first increase.
    let labels = [
        r#"action="refuse""#,
        r#"endpoint="stripe""#,
        r#"quota="type""#,
    ];
    let shown = async || {
        let page = envoy.admin().page("/stats/prometheus").await?;
        let is_it = |line: &&str| {
            line.starts_with("hookgate_quota_exceeded{")
                && labels.iter().all(|label| line.contains(label))
        };
        let line = page.lines().find(is_it);
        anyhow::Ok(line.and_then(|line| Some(line.rsplit_once(' ')?.1.to_owned())))
    };
    assert_eq!(shown().await?.as_deref(), Some("0"));
    let deliver = async |r#type| {
        let event = Event::fresh_of_type(r#type)?;
        anyhow::Ok(envoy.send(PLATFORM.deliver(&event)?).await?)
    };
    for r#type in ["invoice.paid", "invoice.sent", "payout.paid", "payout.paid"] {
        assert_stored(&deliver(r#type).await?);
    }
    assert_limited(
        &deliver("invoice.paid").await?,
        r#""type";q=1;w=60"#,
        "type",
    )?;
    assert_eq!(shown().await?.as_deref(), Some("1"));
    script.expect_received(4).await?;
    Ok(())
}

#[tokio::test]
async fn the_overall_quota_is_one_for_all_endpoints() -> Result<()> {
    let overall = r#"{"overall": {"rate": 1, "per_seconds": 60, "burst": 2}}"#;
    let (envoy, script) = on_script(with_quotas(overall), []).await?;
    for endpoint in [PLATFORM, CONNECT] {
        let event = Event::fresh_of_account("acct_1")?;
        assert_stored(&envoy.send(endpoint.deliver(&event)?).await?);
    }
    let answer = envoy.send(PLATFORM.deliver(&Event::fresh()?)?).await?;
    assert_limited(&answer, r#""overall";q=2;w=120"#, "overall")?;
    script.expect_received(2).await?;
    Ok(())
}

/// A provider sends for all its customers from the same addresses, and anybody
/// may become one and name somebody else's door.
#[tokio::test]
async fn forgeries_from_the_senders_own_address_refuse_nothing_genuine() -> Result<()> {
    let sources = r#"{"sources": {"rate": 1, "per_seconds": 60, "burst": 5}}"#;
    let (envoy, script) = on_script(with_quotas(sources), []).await?;
    assert_stored(&envoy.send(PLATFORM.deliver(&Event::fresh()?)?).await?);
    for number in 0..20 {
        let forged = envoy.send(PLATFORM.forge(&Event::fresh()?)?).await?;
        assert_eq!(
            forged.status,
            if number < 5 { 400 } else { 429 },
            "{number}"
        );
        assert_stored(&envoy.send(PLATFORM.deliver(&Event::fresh()?)?).await?);
    }
    script.expect_received(21).await?;
    Ok(())
}
