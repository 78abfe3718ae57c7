//! What Envoy does with a configuration that isn't as shipped.

use anyhow::{Context, Result};
use hookgate_host_tests::envoy::Setup;
use hookgate_host_tests::event::{CONNECT, Event, PLATFORM};
use hookgate_host_tests::script::Script;

use crate::{assert_problem, assert_stored, on_script};

#[tokio::test]
async fn an_endpoint_without_its_secret_is_closed_and_the_other_open() -> Result<()> {
    let setup = Setup::shipped().without_secret(CONNECT);
    let (envoy, script) = on_script(setup, []).await?;
    let event = Event::fresh()?;
    let unsigned = CONNECT.forge(&event)?;
    for delivery in [CONNECT.deliver(&event)?, unsigned] {
        assert_problem(&envoy.send(delivery).await?, 503, "unavailable");
    }
    script.expect_received(0).await?;
    envoy
        .admin()
        .expect_deliveries(CONNECT.name, "unavailable", 2)
        .await?;
    assert_stored(&envoy.send(PLATFORM.deliver(&event)?).await?);
    Ok(())
}

#[tokio::test]
async fn a_bad_value_ends_envoy_with_path_found_and_expected() -> Result<()> {
    let lease_below_timeout = Setup::shipped().lease_and_timeout(5, 10);
    let error = refusal(lease_below_timeout).await?;
    assert!(
        error.contains("upstream_timeout_seconds: found `10`, expected"),
        "{error}"
    );
    Ok(())
}

#[tokio::test]
async fn an_unknown_field_ends_envoy_with_its_path() -> Result<()> {
    let misspelt = Setup::shipped().edit(r#""retention_seconds""#, r#""retention_secs""#);
    let error = refusal(misspelt).await?;
    assert!(
        error.contains("dedup.retention_secs: unknown field"),
        "{error}"
    );
    Ok(())
}

#[tokio::test]
async fn a_secret_in_the_wrong_field_is_not_shown() -> Result<()> {
    let pasted = format!(
        r#""secrets": [{{"name": "primary", "env": "{}"}}]"#,
        CONNECT.secret
    );
    let setup = Setup::shipped().edit(r#""keyring": "file""#, &pasted);
    let error = refusal(setup).await?;
    let secret = CONNECT.secret.strip_prefix("whsec_").context("no prefix")?;
    assert!(error.contains("configuration refused"), "{error}");
    assert!(!error.contains(secret), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_refused_update_leaves_the_old_configuration_serving() -> Result<()> {
    let (envoy, _script) = on_script(Setup::shipped().updatable(), []).await?;
    let admin = envoy.admin();
    let serves = async || {
        let event = Event::fresh()?;
        assert_stored(&envoy.send(PLATFORM.deliver(&event)?).await?);
        anyhow::Ok(())
    };
    serves().await?;
    let good = r#""retention_seconds": 259200"#;
    let mut before = good;
    for (refused, (bad, error)) in (1..).zip([
        (
            r#""retention_secs": 259200"#,
            "dedup.retention_secs: unknown field",
        ),
        (
            r#""retention_seconds": 1"#,
            "dedup.retention_seconds: found `1`, expected",
        ),
        (
            r#""retention_seconds": "3 days""#,
            "dedup.retention_seconds: invalid type",
        ),
    ]) {
        envoy.update_listeners(before, bad)?;
        admin
            .expect_listener_updates("update_rejected", refused)
            .await?;
        let output = envoy.output()?;
        assert!(output.contains(error), "{output}");
        serves().await?;
        before = bad;
    }
    let taken = r#""retention_seconds": 172800"#;
    envoy.update_listeners(before, taken)?;
    admin.expect_listener_updates("update_success", 2).await?;
    serves().await
}

/// Starts an Envoy that has to end, and returns what it said.
async fn refusal(setup: Setup) -> Result<String> {
    let script = Script::start([]).await?;
    let refused = setup.start(script.address()).await;
    let error = refused.err().context("Envoy took the configuration")?;
    Ok(format!("{error:#}"))
}
