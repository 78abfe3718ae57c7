//! What `hookgate check-config` says of a configuration is what Envoy makes of it.

use anyhow::Result;
use hookgate_host_tests::client::Answer;
use hookgate_host_tests::envoy::{Envoy, Setup};
use hookgate_host_tests::event::{Endpoint, Event, PLATFORM};
use hookgate_host_tests::{keyring, raw, wait};
use tokio::io::AsyncWriteExt;

use crate::{assert_problem, assert_stored, on_script};

const GATE: &str = "          - name: hookgate\n";

/// Signs with a secret that no file of the door's has.
const STRANGER: Endpoint = Endpoint {
    secret: "whsec_tests_stranger_6Rk1Wz9b",
    ..PLATFORM
};

async fn forged(envoy: &Envoy) -> Result<Answer> {
    envoy.send(PLATFORM.forge(&Event::fresh()?)?).await
}

#[tokio::test]
async fn a_gate_that_is_disabled_in_words_of_yaml_or_text_is_disabled() -> Result<()> {
    for word in ["yes", "On", "\"1\"", "'t'"] {
        let disabled = format!("{GATE}            disabled: {word}\n");
        let (envoy, _script) = on_script(Setup::shipped().edit(GATE, &disabled), []).await?;
        assert_stored(&forged(&envoy).await?);
    }
    for word in ["no", "\"0\"", "~"] {
        let enabled = format!("{GATE}            disabled: {word}\n");
        let (envoy, _script) = on_script(Setup::shipped().edit(GATE, &enabled), []).await?;
        assert_problem(&forged(&envoy).await?, 400, "signature_mismatch");
    }
    Ok(())
}

#[tokio::test]
async fn enums_are_read_by_number_and_in_any_case_and_fields_in_camel_case() -> Result<()> {
    for (policy, read) in [
        ("failure_policy: 3", "FAIL_OPEN"),
        ("failurePolicy: fail_open", "FAIL_OPEN"),
        ("failurePolicy: 0x2", "FAIL_CLOSED"),
    ] {
        let setup = Setup::shipped()
            .edit("failure_policy: FAIL_RELOAD", policy)
            .edit(
                "allow_on_headers_stop_iteration: true",
                "allowOnHeadersStopIteration: {value: yes}",
            );
        let (envoy, _script) = on_script(setup, []).await?;
        let dump = envoy.admin().page("/config_dump").await?;
        let line = format!("\"failure_policy\": \"{read}\"");
        assert!(dump.contains(&line), "{policy}");
        assert!(dump.contains("\"allow_on_headers_stop_iteration\": true"));
        let genuine = PLATFORM.deliver(&Event::fresh()?)?;
        assert_stored(&envoy.send(genuine).await?);
    }
    Ok(())
}

#[tokio::test]
async fn of_two_filters_that_set_the_keyring_the_last_counts_even_the_senders_own() -> Result<()> {
    let again = format!(
        r#"          - name: again
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.set_filter_state.v3.Config
              on_request_headers:
              - object_key: hookgate.secrets
                factory_key: envoy.string
                format_string: {{text_format_source: {{inline_string: "%REQ(x-keys)%"}}}}
{GATE}"#
    );
    let (envoy, _script) = on_script(Setup::shipped().edit(GATE, &again), []).await?;
    let keys = keyring::of(&[STRANGER]);
    let chosen = STRANGER.deliver(&Event::fresh()?)?.header("x-keys", keys)?;
    assert_stored(&envoy.send(chosen).await?);
    Ok(())
}

#[tokio::test]
async fn a_keyring_that_is_set_for_a_connection_counts_before_the_file() -> Result<()> {
    let door = "      - &door\n";
    let keys = keyring::of(&[STRANGER]);
    let early = format!(
        r#"      - name: early
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.set_filter_state.v3.Config
          on_new_connection:
          - object_key: hookgate.secrets
            factory_key: envoy.string
            format_string: {{text_format_source: {{inline_string: '{keys}'}}}}
{door}"#
    );
    let (envoy, _script) = on_script(Setup::shipped().edit(door, &early), []).await?;
    let event = Event::fresh()?;
    assert_stored(&envoy.send(STRANGER.deliver(&event)?).await?);
    let of_the_file = PLATFORM.deliver(&Event::fresh()?)?;
    assert_problem(&envoy.send(of_the_file).await?, 400, "signature_mismatch");
    Ok(())
}

#[tokio::test]
async fn with_the_proxy_protocol_whoever_connects_says_who_it_is() -> Result<()> {
    let chains = "    filter_chains:\n    - filters:\n      - &door\n";
    let announced = format!(
        "    listener_filters:\n    - name: proxied\n      typed_config: {{\"@type\": type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol}}\n{chains}"
    );
    let setup = Setup::shipped().edit(chains, &announced);
    let (envoy, _script) = on_script(setup, []).await?;
    let port = envoy.address().port();
    let request = format!(
        "PROXY TCP4 198.51.100.9 127.0.0.1 1111 {port}\r\nGET /nowhere HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
    );
    raw::exchange(envoy.address(), request.as_bytes()).await?;
    wait::until("the access log's line", wait::PATIENCE, async || {
        let named = "\"source_address\":\"198.51.100.9\"";
        Ok(envoy.output()?.contains(named).then_some(()))
    })
    .await
}

#[tokio::test]
async fn an_upgrade_with_filters_of_its_own_does_not_meet_the_gate() -> Result<()> {
    let codec = "          codec_type: AUTO\n";
    let upgrade = |filters: &str| {
        Setup::shipped().edit(
            codec,
            &format!("{codec}          upgrade_configs: [{{upgrade_type: websocket{filters}}}]\n"),
        )
    };
    let event = Event::fresh()?;
    let request = format!(
        "POST {} HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
        PLATFORM.path
    );
    let router = "{name: envoy.filters.http.router, typed_config: {\"@type\": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}";
    let own = format!(", filters: [{router}]");
    let (envoy, script) = on_script(upgrade(&own), []).await?;
    let mut stream = tokio::net::TcpStream::connect(envoy.address()).await?;
    stream.write_all(request.as_bytes()).await?;
    stream.write_all(&event.payload).await?;
    script.expect_received(1).await?;

    let (envoy, script) = on_script(upgrade(""), []).await?;
    let answer = raw::send(envoy.address(), request.as_bytes()).await?;
    assert_problem(&answer, 400, "signature_missing");
    script.expect_received(0).await?;
    Ok(())
}
