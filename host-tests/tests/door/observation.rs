//! What an operator sees, and what nobody may see.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use hookgate_host_tests::admin::Admin;
use hookgate_host_tests::artefact::{self, Runtime};
use hookgate_host_tests::client::Delivery;
use hookgate_host_tests::envoy::Setup;
use hookgate_host_tests::event::{CONNECT, Event, PLATFORM, fresh_id};
use hookgate_host_tests::gate_token::TOKEN;
use hookgate_host_tests::loopback;
use hookgate_host_tests::process::Process;
use hookgate_host_tests::upstream::Upstream;
use hookgate_host_tests::wait;

use crate::{assert_problem, assert_stored, on_script, on_sqlite};

#[tokio::test]
async fn the_access_log_names_event_outcome_and_trace() -> Result<()> {
    let (envoy, upstream) = on_sqlite().await?;
    let event = Event::fresh()?;
    assert_stored(&envoy.send(PLATFORM.deliver(&event)?).await?);

    let line = envoy.access_log(&event.id).await?;
    let text = |name: &str| line.get(name).and_then(|v| v.as_str()).unwrap_or_default();
    assert_eq!(text("event_type"), "payment_intent.succeeded");
    assert_eq!(text("outcome"), "stored");
    assert_eq!(line.get("status").and_then(|v| v.as_u64()), Some(200));

    let entries = upstream.log().entries().await?;
    let entry = entries.first().context("nothing in the log")?;
    let traceparent = entry.traceparent.as_deref().context("no traceparent")?;
    let parts: Vec<&str> = traceparent.split('-').collect();
    let [version, trace_id, parent_id, _flags] = parts.as_slice() else {
        anyhow::bail!("`{traceparent}` is no traceparent");
    };
    assert_eq!((*version, trace_id.len(), parent_id.len()), ("00", 32, 16));
    assert!(!trace_id.bytes().all(|digit| digit == b'0'));
    assert_eq!(text("trace_id"), *trace_id);
    Ok(())
}

#[tokio::test]
async fn the_access_log_names_the_event_of_a_duplicate_too() -> Result<()> {
    let (envoy, _upstream) = on_sqlite().await?;
    let id = fresh_id();
    let first = envoy.send(CONNECT.deliver(&Event::with_id(&id)?)?).await?;
    assert_stored(&first);
    // At the other endpoint it is another event; then it is a repeat.
    assert_stored(&envoy.send(PLATFORM.deliver(&Event::with_id(&id)?)?).await?);
    let again = envoy.send(PLATFORM.deliver(&Event::with_id(&id)?)?).await?;
    assert_problem(&again, 200, "duplicate");
    let line = envoy.access_log_of(&id, "duplicate").await?;
    assert_eq!(
        line.get("event_type").and_then(|v| v.as_str()),
        Some("payment_intent.succeeded")
    );
    let trace_id = line.get("trace_id").and_then(|v| v.as_str());
    assert_eq!(trace_id.map(str::len), Some(32));
    Ok(())
}

#[tokio::test]
async fn outcomes_are_labels_for_prometheus() -> Result<()> {
    let (envoy, _upstream) = on_sqlite().await?;
    let event = Event::fresh()?;
    assert_stored(&envoy.send(CONNECT.deliver(&event)?).await?);
    envoy
        .admin()
        .expect_deliveries("stripe-connect", "stored", 1)
        .await?;
    let page = envoy.admin().page("/stats/prometheus").await?;
    let line =
        r#"hookgate_deliveries{endpoint="stripe-connect",outcome="committed",reason="stored"} 1"#;
    assert!(page.lines().any(|shown| shown == line), "{page}");
    Ok(())
}

#[tokio::test]
async fn no_secret_shows_in_any_log_statistic_or_dump() -> Result<()> {
    let upstream = Upstream::sqlite().await?;
    let envoy = Setup::shipped()
        .log_level("debug")
        .start(upstream.address())
        .await?;
    let event = Event::fresh()?;
    assert_stored(&envoy.send(PLATFORM.deliver(&event)?).await?);
    assert_stored(&envoy.send(CONNECT.deliver(&event)?).await?);
    assert_problem(
        &envoy.send(PLATFORM.forge(&event)?).await?,
        400,
        "signature_mismatch",
    );
    envoy.send(Delivery::get(PLATFORM.path)).await?;
    envoy.access_log(&event.id).await?;

    let mut shown = vec![
        ("Envoy's log", envoy.output()?),
        ("the upstream's log", upstream.output()?),
    ];
    for page in [
        "/config_dump",
        "/stats",
        "/server_info",
        "/clusters",
        "/stats/prometheus",
    ] {
        shown.push((page, envoy.admin().page(page).await?));
    }
    for (place, text) in shown {
        assert!(!text.is_empty(), "nothing at {place}");
        for secret in [PLATFORM.secret, CONNECT.secret, TOKEN] {
            assert!(!text.contains(secret), "a secret shows at {place}");
        }
    }
    Ok(())
}

/// The sidecar of `envoy/kubernetes.yaml`: Prometheus reaches it, and through it
/// the counters of the door's Envoy, but nothing else of its admin page.
#[tokio::test]
async fn load_of_a_pods_metrics_shows_the_counters_and_nothing_else() -> Result<()> {
    let (envoy, _script) = on_script(Setup::shipped(), []).await?;
    let event = Event::fresh()?;
    assert_stored(&envoy.send(PLATFORM.deliver(&event)?).await?);
    let manifest = std::fs::read_to_string(artefact::root().join("envoy/kubernetes.yaml"))?;
    let (_, rest) = manifest
        .split_once("        - --config-yaml\n        - |\n")
        .context("no config")?;
    let (config, _) = rest
        .split_once("        securityContext")
        .context("no end")?;
    let own = SocketAddr::from((loopback::own(), 9902));
    let config = config
        .replace(
            "address: 0.0.0.0, port_value: 9902",
            &format!("address: {}, port_value: {}", own.ip(), own.port()),
        )
        .replace(
            "port_value: 9901",
            &format!("port_value: {}", envoy.admin().address().port()),
        );
    let Runtime::Native(binary) = artefact::envoy()? else {
        anyhow::bail!("made for an Envoy of this machine");
    };
    let folder = tempfile::tempdir()?;
    let mut command = tokio::process::Command::new(binary);
    command.args(["--use-dynamic-base-id", "--config-yaml", &config]);
    let mut sidecar = Process::spawn("sidecar", command, folder.path())?;
    let shown = Admin::new(own);
    let page = wait::until("the metrics page", wait::PATIENCE, async || {
        sidecar.ensure_running()?;
        Ok(shown.page("/stats/prometheus").await.ok())
    })
    .await?;
    assert!(
        page.contains(r#"hookgate_received{endpoint="stripe"} 1"#),
        "{page}"
    );
    for hidden in [
        "/",
        "/config_dump",
        "/quitquitquit",
        "/stats/prometheus/../../config_dump",
    ] {
        assert!(shown.page(hidden).await.is_err(), "{hidden}");
    }
    Ok(())
}
