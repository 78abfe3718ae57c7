//! When a secret may verify, what it may sign, and where it is seen.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use hookgate_core::time::Timestamp;
use hookgate_host_tests::event::{CONNECT, Event, PLATFORM};
use hookgate_host_tests::script::Received;
use hookgate_host_tests::wait;
use serde_json::json;

use super::{
    NEXT, expect_refused, expect_stored, expect_usable, keyring, keyring_of, shipped, signed_by,
    until_stored, verified_by,
};
use crate::{assert_problem, assert_stored, on_script};

/// Returns the time `seconds` from now as a keyring spells it.
fn in_seconds(seconds: i64) -> Result<String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let then = now.checked_add_signed(seconds).context("before 1970")?;
    Ok(Timestamp::from_unix_seconds(then).to_string())
}

#[tokio::test]
async fn a_secret_verifies_from_not_before_until_not_after() -> Result<()> {
    let secret = |name: &str, secret: &str, field: &str, at: String| json!({"name": name, "secret": secret, field: at});
    let (hour_ago, hour_ahead) = (in_seconds(-3600)?, in_seconds(3600)?);
    let text = keyring([
        secret("past", "whsec_tests_past", "not_after", hour_ago.clone()),
        secret(
            "ending",
            "whsec_tests_ending",
            "not_after",
            hour_ahead.clone(),
        ),
        secret("begun", "whsec_tests_begun", "not_before", hour_ago),
        secret("future", "whsec_tests_future", "not_before", hour_ahead),
    ]);
    let (envoy, _script) = on_script(shipped().keyring(text.to_string()), []).await?;
    for open in ["whsec_tests_ending", "whsec_tests_begun"] {
        expect_stored(&envoy, open).await?;
    }
    for closed in ["whsec_tests_past", "whsec_tests_future"] {
        expect_refused(&envoy, closed, 400, "signature_mismatch").await?;
    }
    expect_usable(&envoy, 2).await
}

/// No new file comes: time alone opens and closes.
#[tokio::test]
async fn a_secret_comes_and_goes_by_the_clock() -> Result<()> {
    let (envoy, _script) = on_script(shipped(), []).await?;
    expect_stored(&envoy, PLATFORM.secret).await?;
    let change = in_seconds(12)?;
    let text = keyring([
        json!({"name": "old", "secret": PLATFORM.secret, "not_after": change}),
        json!({"name": "new", "secret": NEXT, "not_before": change}),
    ]);
    envoy.keyring().replace(&text.to_string())?;
    wait::until("the new keyring", wait::PATIENCE, async || {
        expect_stored(&envoy, PLATFORM.secret).await?;
        Ok((verified_by(&envoy, "old").await? > 0).then_some(()))
    })
    .await?;
    expect_usable(&envoy, 1).await?;
    until_stored(&envoy, NEXT, 400, "signature_mismatch").await?;
    expect_refused(&envoy, PLATFORM.secret, 400, "signature_mismatch").await?;
    expect_usable(&envoy, 1).await
}

#[tokio::test]
async fn a_secret_signs_only_what_it_declares() -> Result<()> {
    let secret = |name: &str, field: &str, value: bool| json!({"name": name, "secret": format!("whsec_tests_{name}"), field: value});
    let text = keyring([
        secret("live", "livemode", true),
        secret("test", "livemode", false),
        secret("connect", "connect", true),
        secret("own", "connect", false),
    ]);
    let (envoy, script) = on_script(shipped().keyring(text.to_string()), []).await?;
    // Of test mode, and of live mode and a connected account.
    let (own, connected) = (Event::fresh, || Event::fresh_of_account("acct_1"));
    for (signer, event) in [
        ("test", own()?),
        ("live", connected()?),
        ("own", own()?),
        ("connect", connected()?),
    ] {
        let delivery = signed_by(&[format!("whsec_tests_{signer}")], &event)?;
        assert_stored(&envoy.send(delivery).await?);
    }
    for (signer, event) in [
        ("live", own()?),
        ("test", connected()?),
        ("own", connected()?),
        ("connect", own()?),
    ] {
        let delivery = signed_by(&[format!("whsec_tests_{signer}")], &event)?;
        assert_problem(&envoy.send(delivery).await?, 400, "secret_scope");
        let line = envoy.access_log(&event.id).await?;
        assert_eq!(line.get("outcome"), Some(&"secret_scope".into()), "{line}");
        assert_eq!(line.get("secret"), Some(&signer.into()), "{line}");
    }
    script.expect_received(4).await?;
    let denied =
        "wasmcustom.hookgate_deliveries.endpoint.stripe.outcome.denied.reason.secret_scope";
    assert_eq!(envoy.admin().sum(|name| name == denied).await?, 4);
    Ok(())
}

#[tokio::test]
async fn the_secret_that_verified_is_counted_logged_and_forwarded() -> Result<()> {
    let text = keyring([
        json!({"name": "2026-11", "secret": PLATFORM.secret}),
        json!({"name": "2026-12", "secret": NEXT}),
    ]);
    let (envoy, script) = on_script(shipped().keyring(text.to_string()), []).await?;
    let mut names = Vec::new();
    for (secrets, name) in [
        (vec![PLATFORM.secret], "2026-11"),
        (vec![NEXT], "2026-12"),
        (vec![CONNECT.secret, NEXT], "2026-12"),
    ] {
        let event = Event::fresh()?;
        assert_stored(&envoy.send(signed_by(&secrets, &event)?).await?);
        let line = envoy.access_log(&event.id).await?;
        assert_eq!(line.get("secret"), Some(&name.into()), "{line}");
        names.push(name);
    }
    let received = script.expect_received(3).await?;
    let forwarded = received
        .iter()
        .map(|one: &Received| one.header("ce-secretname"));
    assert_eq!(
        forwarded.collect::<Vec<_>>(),
        names.into_iter().map(Some).collect::<Vec<_>>()
    );
    assert_eq!(verified_by(&envoy, "2026-11").await?, 1);
    assert_eq!(verified_by(&envoy, "2026-12").await?, 2);
    expect_usable(&envoy, 2).await?;
    let page = envoy.admin().page("/stats/prometheus").await?;
    let line = r#"hookgate_verified{endpoint="stripe",scheme="stripe",secret="2026-12"} 2"#;
    assert!(page.lines().any(|shown| shown == line), "{page}");
    Ok(())
}

#[tokio::test]
async fn no_secret_of_a_rotation_shows_in_any_dump_statistic_or_log() -> Result<()> {
    // One: a worker whose first keyring is the broken one would be closed.
    let setup = shipped().workers(1).log_level("info");
    let (envoy, _script) = on_script(setup, []).await?;
    expect_stored(&envoy, PLATFORM.secret).await?;
    envoy
        .keyring()
        .replace(&keyring_of("b", NEXT).to_string())?;
    until_stored(&envoy, NEXT, 400, "signature_mismatch").await?;
    envoy
        .keyring()
        .replace(&format!("{} x", keyring_of("c", CONNECT.secret)))?;
    let event = Event::fresh()?;
    assert_stored(&envoy.send(signed_by(&[NEXT], &event)?).await?);
    envoy.access_log(&event.id).await?;
    let mut shown = vec![("the log", envoy.output()?)];
    for page in [
        "/config_dump?include_eds",
        "/stats",
        "/server_info",
        "/clusters",
    ] {
        shown.push((page, envoy.admin().page(page).await?));
    }
    for (place, text) in shown {
        assert!(!text.is_empty(), "nothing at {place}");
        for secret in [PLATFORM.secret, NEXT, CONNECT.secret] {
            let (_, plain) = secret.split_once('_').context("no prefix")?;
            assert!(!text.contains(plain), "a secret shows at {place}");
        }
    }
    Ok(())
}
