//! A watched keyring file: half written, mistyped, emptied, deleted.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use hookgate_host_tests::client::Delivery;
use hookgate_host_tests::envoy::Envoy;
use hookgate_host_tests::event::{CONNECT, Event, PLATFORM};
use hookgate_host_tests::wait;
use serde_json::json;

use super::{
    NEXT, expect_refused, expect_stored, expect_usable, keyring, keyring_count, keyring_of,
    shipped, signed_by, until_stored, usable, verified_by,
};
use crate::{assert_problem, on_script};

/// A part of a keyring that no log may show.
const CONTENT: &str = "whsec_tests_mistyped";

/// Delivers with the good secret, and only accepted, until one more keyring
/// had this result: a worker reads its keyring with each request.
async fn stored_until_one_more(envoy: &Envoy, result: &str) -> Result<()> {
    let before = keyring_count(envoy, "file", result).await?;
    let what = format!("one more keyring {result} than {before}");
    wait::until(&what, wait::PATIENCE, async || {
        expect_stored(envoy, PLATFORM.secret).await?;
        let now = keyring_count(envoy, "file", result).await?;
        Ok((now > before).then_some(()))
    })
    .await
}

#[tokio::test]
async fn a_file_that_does_not_parse_keeps_the_last_good_secrets() -> Result<()> {
    let (envoy, _script) = on_script(shipped().workers(1), []).await?;
    expect_stored(&envoy, PLATFORM.secret).await?;
    let good = keyring_of("b", CONTENT).to_string();
    let (half, _) = good.split_at(good.len() - 5);
    let twice = json!({"name": "b", "secret": CONTENT});
    for bad in [
        half.to_owned(),
        json!({"endpoints": {PLATFORM.name: [{"name": "b", "secrt": CONTENT}]}}).to_string(),
        json!({"endpoints": {}, "comment": CONTENT}).to_string(),
        keyring([twice.clone(), twice]).to_string(),
        keyring_of("b", "").to_string(),
        keyring([json!({"name": "b", "secret": CONTENT, "not_after": "soon"})]).to_string(),
        format!("{good}{}", " ".repeat(1_048_577)),
    ] {
        envoy.keyring().replace(&bad)?;
        let seen = stored_until_one_more(&envoy, "refused").await;
        seen.with_context(|| bad.chars().take(200).collect::<String>())?;
        expect_refused(&envoy, CONTENT, 400, "signature_mismatch").await?;
    }
    assert_eq!(keyring_count(&envoy, "file", "refused").await?, 7);
    let log = envoy.output()?;
    assert!(
        log.contains("keyring file: refused, the secrets before stay in use: endpoint `stripe`, secret 2: its name is that of an earlier one"),
        "{log}"
    );
    assert!(!log.contains(CONTENT), "{log}");

    envoy
        .keyring()
        .replace(&keyring_of("b", NEXT).to_string())?;
    until_stored(&envoy, NEXT, 400, "signature_mismatch").await?;
    expect_refused(&envoy, PLATFORM.secret, 400, "signature_mismatch").await?;
    assert_eq!(keyring_count(&envoy, "file", "loaded").await?, 2);
    Ok(())
}

#[tokio::test]
async fn a_file_that_is_emptied_or_deleted_keeps_the_last_good_secrets() -> Result<()> {
    let (envoy, _script) = on_script(shipped().workers(1), []).await?;
    expect_stored(&envoy, PLATFORM.secret).await?;
    envoy.keyring().replace("")?;
    stored_until_one_more(&envoy, "failed").await?;
    envoy
        .keyring()
        .replace(&keyring_of("b", NEXT).to_string())?;
    until_stored(&envoy, NEXT, 400, "signature_mismatch").await?;
    fs::remove_file(envoy.keyring().path())?;
    for _ in 0..20 {
        expect_stored(&envoy, NEXT).await?;
    }
    envoy
        .keyring()
        .replace(&keyring_of("c", PLATFORM.secret).to_string())?;
    until_stored(&envoy, PLATFORM.secret, 400, "signature_mismatch").await?;
    assert!(verified_by(&envoy, "c").await? > 0);
    Ok(())
}

#[tokio::test]
async fn an_endpoint_opens_and_closes_with_its_secret() -> Result<()> {
    let setup = shipped().without_secret(PLATFORM);
    let (envoy, script) = on_script(setup, []).await?;
    expect_refused(&envoy, PLATFORM.secret, 503, "unavailable").await?;
    expect_usable(&envoy, 0).await?;
    envoy
        .keyring()
        .replace(&keyring_of("a", PLATFORM.secret).to_string())?;
    until_stored(&envoy, PLATFORM.secret, 503, "unavailable").await?;
    expect_usable(&envoy, 1).await?;
    // The other endpoint's was taken away.
    // Whichever worker hears it: one may have the file a moment before another.
    wait::until("the other endpoint to close", wait::PATIENCE, async || {
        let answer = envoy.send(CONNECT.deliver(&Event::fresh()?)?).await?;
        if answer.status == 200 {
            return Ok(None);
        }
        assert_problem(&answer, 503, "unavailable");
        Ok(Some(()))
    })
    .await?;

    envoy.keyring().replace(r#"{"endpoints": {}}"#)?;
    wait::until("the endpoint to close", wait::PATIENCE, async || {
        let delivery = signed_by(&[PLATFORM.secret], &Event::fresh()?)?;
        Ok((envoy.send(delivery).await?.status == 503).then_some(()))
    })
    .await?;
    expect_usable(&envoy, 0).await?;
    let before = script.count();
    let unsigned = Delivery::post(PLATFORM.path, Event::fresh()?.payload);
    let answer = envoy.send(unsigned).await?;
    assert!(matches!(answer.status, 400 | 503), "{answer:?}");
    assert_eq!(script.count(), before);
    Ok(())
}

/// A worker reads the file with its requests: the others still hold the one
/// before, and they must not say so.
#[tokio::test]
async fn one_delivery_is_enough_to_show_how_many_secrets_there_are() -> Result<()> {
    let (envoy, _script) = on_script(shipped().workers(4), []).await?;
    wait::until("each worker's first keyring", wait::PATIENCE, async || {
        expect_stored(&envoy, PLATFORM.secret).await?;
        Ok((keyring_count(&envoy, "file", "loaded").await? == 4).then_some(()))
    })
    .await?;
    let secret = |name: &str, secret: &str| json!({"name": name, "secret": secret});
    let both = keyring([secret("a", PLATFORM.secret), secret("b", NEXT)]);
    envoy.keyring().replace(&both.to_string())?;
    stored_until_one_more(&envoy, "loaded").await?;
    expect_usable(&envoy, 2).await?;
    // Longer than any worker's tick.
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(2) {
        assert_eq!(usable(&envoy).await?, Some(2));
    }
    Ok(())
}

/// The sender names its own keyring wherever a client can name anything.
#[tokio::test]
async fn a_client_cannot_bring_its_own_keyring() -> Result<()> {
    let own = keyring_of("outsider", NEXT).to_string();
    // An empty file is no filter state at all: nothing of ours is in the way.
    for text in [String::new(), keyring_of("a", PLATFORM.secret).to_string()] {
        let setup = shipped().keyring(text.clone());
        let (envoy, script) = on_script(setup, []).await?;
        let delivery = signed_by(&[NEXT], &Event::fresh()?)?
            .header("hookgate.secrets", &own)?
            .header("hookgate-secrets", &own)?
            .header("x-hookgate-secrets", &own)?
            .header("x-envoy-filter-state", format!("hookgate.secrets={own}"))?
            .header("ce-secretname", "outsider")?
            .header("baggage", format!("hookgate.secrets={own}"))?;
        let answer = envoy.send(delivery).await?;
        if text.is_empty() {
            assert_problem(&answer, 503, "unavailable");
        } else {
            assert_problem(&answer, 400, "signature_mismatch");
        }
        script.expect_received(0).await?;
        assert_eq!(verified_by(&envoy, "outsider").await?, 0);
    }
    Ok(())
}
