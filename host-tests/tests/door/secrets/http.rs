//! A keyring behind an HTTP API: slow, silent, nonsensical or away.

use anyhow::Result;
use bytes::Bytes;
use hookgate_host_tests::envoy::{Envoy, Setup};
use hookgate_host_tests::event::{Event, PLATFORM};
use hookgate_host_tests::script::Script;
use hookgate_host_tests::wait;
use serde_json::{Value, json};

use super::kv2::{Manner, PATH, Source};
use super::{
    NEXT, expect_refused, expect_stored, expect_usable, keyring_count, keyring_of, until_stored,
    verified_by,
};
use crate::{assert_problem, on_script};

/// A part of a keyring that no log may show.
const CONTENT: &str = "whsec_tests_mistyped";

/// Makes the gate's configuration with a keyring behind this cluster, asked
/// for every second.
fn gate(cluster: &str) -> Value {
    json!({
        "endpoints": [{"name": PLATFORM.name, "path": PLATFORM.path, "keyring": "vault"}],
        "keyrings": [{"name": "vault", "http": {
            "cluster": cluster, "authority": "vault.test", "path": PATH,
            "refresh_seconds": 1, "timeout_seconds": 3,
        }}],
    })
}

/// Starts from the shipped configuration with the keyring at `source`.
pub(super) fn setup(source: &Source) -> Setup {
    Setup::shipped()
        .gate(gate("vault"))
        .edit("  clusters:\n", &source.cluster())
}

/// Starts an Envoy with one worker, so that every answer of the source is that
/// worker's, and waits until it has its secret.
async fn with_secret(source: &Source) -> Result<(Envoy, Script)> {
    let (envoy, script) = on_script(setup(source).workers(1), []).await?;
    until_stored(&envoy, PLATFORM.secret, 503, "unavailable").await?;
    Ok((envoy, script))
}

/// Waits until one more keyring had this result than `before`.
async fn one_more(envoy: &Envoy, result: &str, before: u64) -> Result<()> {
    let what = format!("one more keyring {result} than {before}");
    wait::until(&what, wait::PATIENCE, async || {
        let now = keyring_count(envoy, "vault", result).await?;
        Ok((now > before).then_some(()))
    })
    .await
}

/// Waits until the source was asked this many more times.
async fn more_questions(source: &Source, count: u64) -> Result<()> {
    let asked = source.asked();
    let what = format!("{count} more questions");
    wait::until(&what, wait::PATIENCE, async || {
        Ok((source.asked() >= asked + count).then_some(()))
    })
    .await
}

#[tokio::test]
async fn a_source_that_fails_keeps_the_last_good_secrets() -> Result<()> {
    let source = Source::start(Manner::Secret(keyring_of("a", PLATFORM.secret))).await?;
    let (envoy, _script) = with_secret(&source).await?;
    let deleted = json!({"data": {"data": null, "metadata": {"destroyed": true}}}).to_string();
    for manner in [
        Manner::Nonsense(500, Bytes::from(keyring_of("b", NEXT).to_string())),
        Manner::Nonsense(404, deleted.into()),
        Manner::Silence,
        Manner::Away,
    ] {
        let before = keyring_count(&envoy, "vault", "failed").await?;
        source.set(manner.clone());
        one_more(&envoy, "failed", before).await?;
        expect_stored(&envoy, PLATFORM.secret).await?;
        expect_refused(&envoy, NEXT, 400, "signature_mismatch").await?;
    }
    assert_eq!(keyring_count(&envoy, "vault", "refused").await?, 0);
    let failing = "keyring vault: its source doesn't answer 200; the secrets before stay in use";
    assert_eq!(envoy.output()?.matches(failing).count(), 1, "logged once");

    source.set(Manner::Secret(keyring_of("b", NEXT)));
    until_stored(&envoy, NEXT, 400, "signature_mismatch").await?;
    expect_refused(&envoy, PLATFORM.secret, 400, "signature_mismatch").await
}

#[tokio::test]
async fn an_answer_that_is_no_keyring_keeps_the_last_good_secrets() -> Result<()> {
    let source = Source::start(Manner::Secret(keyring_of("a", PLATFORM.secret))).await?;
    let (envoy, _script) = with_secret(&source).await?;
    let misspelt = json!({"endpoints": {PLATFORM.name: [{"name": "b", "secrt": CONTENT}]}});
    let half = format!(r#"{{"data":{{"data":{{"endpoints":{{"x":"{CONTENT}"#);
    // Good, but for its size.
    let mut huge = json!({"data": {"data": keyring_of("b", NEXT)}}).to_string();
    huge.push_str(&" ".repeat(2 * 1_048_576));
    for manner in [
        Manner::Nonsense(200, Bytes::new()),
        Manner::Nonsense(200, Bytes::from(format!("<html>{CONTENT}</html>"))),
        Manner::Nonsense(200, half.into()),
        Manner::Nonsense(200, Bytes::from(keyring_of("b", NEXT).to_string())),
        Manner::Nonsense(200, huge.into()),
        Manner::Secret(misspelt),
        Manner::Secret(keyring_of("B!", CONTENT)),
    ] {
        let before = keyring_count(&envoy, "vault", "refused").await?;
        source.set(manner);
        // Envoy's main thread asks too: of three answers one is the worker's.
        more_questions(&source, 3).await?;
        one_more(&envoy, "refused", before).await?;
        expect_stored(&envoy, PLATFORM.secret).await?;
        expect_refused(&envoy, NEXT, 400, "signature_mismatch").await?;
    }
    let log = envoy.output()?;
    assert!(
        log.contains("keyring vault: refused, the secrets before stay in use: line 1, column"),
        "{log}"
    );
    assert!(!log.contains(CONTENT), "{log}");

    source.set(Manner::Secret(keyring_of("b", NEXT)));
    until_stored(&envoy, NEXT, 400, "signature_mismatch").await
}

#[tokio::test]
async fn an_endpoint_is_closed_until_its_source_answers() -> Result<()> {
    let source = Source::start(Manner::Away).await?;
    let (envoy, script) = on_script(setup(&source), []).await?;
    expect_refused(&envoy, PLATFORM.secret, 503, "unavailable").await?;
    let unsigned = PLATFORM.forge(&Event::fresh()?)?;
    assert_problem(&envoy.send(unsigned).await?, 503, "unavailable");
    one_more(&envoy, "failed", 0).await?;
    script.expect_received(0).await?;

    source.set(Manner::Secret(keyring_of("a", PLATFORM.secret)));
    until_stored(&envoy, PLATFORM.secret, 503, "unavailable").await?;
    expect_usable(&envoy, 1).await?;
    assert!(verified_by(&envoy, "a").await? > 0);
    Ok(())
}

#[tokio::test]
async fn a_cluster_that_nobody_configured_is_a_source_that_fails() -> Result<()> {
    let setup = Setup::shipped().gate(gate("volt"));
    let (envoy, _script) = on_script(setup, []).await?;
    expect_refused(&envoy, PLATFORM.secret, 503, "unavailable").await?;
    one_more(&envoy, "failed", 0).await
}

#[tokio::test]
async fn a_keyring_that_stays_the_same_is_loaded_once() -> Result<()> {
    let source = Source::start(Manner::Secret(keyring_of("a", PLATFORM.secret))).await?;
    let (envoy, _script) = with_secret(&source).await?;
    more_questions(&source, 6).await?;
    // The worker's, and that of Envoy's main thread, which asks too.
    let loaded = keyring_count(&envoy, "vault", "loaded").await?;
    assert!((1..=2).contains(&loaded), "{loaded}");
    Ok(())
}
