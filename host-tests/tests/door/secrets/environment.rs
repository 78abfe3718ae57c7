//! Secrets of Envoy's environment: the simplest source, without rotation.

use anyhow::Result;
use hookgate_host_tests::envoy::Setup;
use hookgate_host_tests::event::{CONNECT, PLATFORM};
use serde_json::{Value, json};

use super::{NEXT, expect_refused, expect_stored, expect_usable, keyring_of, verified_by};
use crate::on_script;

/// Configures this endpoint, with two secrets in the environment of which Envoy
/// hands one on.
fn setup(endpoint: Value) -> Setup {
    let keyring = |name: &Value| json!({"name": name, "filter_state": "hookgate.secrets"});
    let keyrings: Vec<Value> = endpoint.get("keyring").map(keyring).into_iter().collect();
    Setup::shipped()
        .gate(json!({"endpoints": [endpoint], "keyrings": keyrings}))
        .variable("HOOKGATE_TEST_GIVEN", PLATFORM.secret)
        .variable("HOOKGATE_TEST_KEPT", CONNECT.secret)
        .edit(
            "                  vm_id: hookgate\n",
            "                  vm_id: hookgate\n                  \
             environment_variables: {host_env_keys: [HOOKGATE_TEST_GIVEN]}\n",
        )
}

#[tokio::test]
async fn a_secret_of_the_environment_verifies() -> Result<()> {
    let setup = setup(json!({
        "name": PLATFORM.name, "path": PLATFORM.path,
        "secrets": [
            {"name": "given", "env": "HOOKGATE_TEST_GIVEN"},
            {"name": "kept", "env": "HOOKGATE_TEST_KEPT"},
        ],
    }));
    let (envoy, _script) = on_script(setup, []).await?;
    expect_stored(&envoy, PLATFORM.secret).await?;
    expect_refused(&envoy, CONNECT.secret, 400, "signature_mismatch").await?;
    assert_eq!(verified_by(&envoy, "given").await?, 1);
    expect_usable(&envoy, 1).await?;
    let log = envoy.output()?;
    assert!(
        log.contains("endpoint stripe: secret kept is not there"),
        "{log}"
    );
    for text in [log, envoy.admin().page("/config_dump").await?] {
        assert!(!text.contains(PLATFORM.secret) && !text.contains(CONNECT.secret));
    }
    Ok(())
}

#[tokio::test]
async fn an_endpoint_can_have_secrets_of_both_sources() -> Result<()> {
    let setup = setup(json!({
        "name": PLATFORM.name, "path": PLATFORM.path, "keyring": "file",
        "secrets": [{"name": "given", "env": "HOOKGATE_TEST_GIVEN"}],
    }));
    let setup = setup.keyring(keyring_of("next", NEXT).to_string());
    let (envoy, _script) = on_script(setup, []).await?;
    expect_stored(&envoy, PLATFORM.secret).await?;
    expect_stored(&envoy, NEXT).await?;
    expect_refused(&envoy, CONNECT.secret, 400, "signature_mismatch").await?;
    assert_eq!(verified_by(&envoy, "given").await?, 1);
    assert_eq!(verified_by(&envoy, "next").await?, 1);
    expect_usable(&envoy, 2).await
}

#[tokio::test]
async fn an_endpoint_without_its_variable_is_closed() -> Result<()> {
    let setup = setup(json!({
        "name": PLATFORM.name, "path": PLATFORM.path,
        "secrets": [{"name": "kept", "env": "HOOKGATE_TEST_KEPT"}],
    }));
    let (envoy, script) = on_script(setup, []).await?;
    expect_refused(&envoy, CONNECT.secret, 503, "unavailable").await?;
    script.expect_received(0).await?;
    expect_usable(&envoy, 0).await
}
