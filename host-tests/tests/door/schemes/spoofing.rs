//! Headers that no signature covers: whoever carries a delivery can write them.
//! That can repeat an event, and never suppress one.

use std::collections::BTreeSet;

use anyhow::Result;
use hookgate_core::scheme::Scheme;
use hookgate_host_tests::envoy::{Envoy, Setup};
use hookgate_host_tests::script::Script;
use hookgate_host_tests::upstream::Upstream;

use super::{Sender, gate, keyring};
use crate::{assert_problem, assert_stored, on_script};

const GITHUB: [(&str, &str); 2] = [("x-github-event", "push"), ("x-github-delivery", "one")];
const SHOPIFY: [(&str, &str); 4] = [
    ("x-shopify-topic", "orders/create"),
    ("x-shopify-shop-domain", "shop-1.myshopify.com"),
    ("x-shopify-event-id", "one"),
    ("x-shopify-webhook-id", "one"),
];

/// Two payloads of one sender.
const CAPTURED: &str = r#"{"event":"captured"}"#;
const VICTIM: &str = r#"{"event":"victim"}"#;

/// Every way to change one of the headers: another value, an empty one, none.
fn spoofed<'a>(headers: &[(&'a str, &'a str)]) -> Vec<Vec<(&'a str, &'a str)>> {
    let mut spoofed = Vec::new();
    for position in 0..headers.len() {
        let changed = |value: Option<&'a str>| {
            let all = headers.iter().enumerate();
            all.filter_map(|(index, &(name, original))| match value {
                _ if index != position => Some((name, original)),
                Some(value) => Some((name, value)),
                None => None,
            })
            .collect()
        };
        spoofed.push(changed(Some("spoofed")));
        // Without a type a delivery is no event.
        if position > 0 {
            spoofed.push(changed(None));
        }
    }
    spoofed
}

async fn start() -> Result<(Envoy, Script)> {
    let setup = Setup::shipped().gate(gate()).keyring(keyring());
    on_script(setup, []).await
}

#[tokio::test]
async fn a_spoofed_header_repeats_an_event() -> Result<()> {
    let (envoy, script) = start().await?;
    let mut stored = 0;
    for (scheme, headers) in [(Scheme::Github, &GITHUB[..]), (Scheme::Shopify, &SHOPIFY)] {
        let sender = Sender::of(scheme);
        let spoofed = spoofed(headers);
        for headers in [headers.to_vec()].iter().chain(&spoofed) {
            let delivery = sender.deliver(headers, CAPTURED)?;
            assert_stored(&envoy.send(delivery.clone()).await?);
            assert_problem(&envoy.send(delivery).await?, 200, "duplicate");
            stored += 1;
        }
        // What was genuine stays a duplicate.
        let genuine = sender.deliver(headers, CAPTURED)?;
        assert_problem(&envoy.send(genuine).await?, 200, "duplicate");
    }
    let received = script.expect_received(stored).await?;
    let ids: BTreeSet<_> = received.iter().map(|one| one.header("ce-id")).collect();
    assert_eq!(ids.len(), stored);
    let all_marked = received
        .iter()
        .all(|one| one.header("ce-unsigned") == Some("type account"));
    assert!(all_marked);
    Ok(())
}

#[tokio::test]
async fn a_spoofed_header_suppresses_nothing() -> Result<()> {
    let (envoy, script) = start().await?;
    for (scheme, headers) in [(Scheme::Github, &GITHUB[..]), (Scheme::Shopify, &SHOPIFY)] {
        let sender = Sender::of(scheme);
        script.forget();
        // A captured delivery under the names of one that is still to come.
        assert_stored(&envoy.send(sender.deliver(headers, CAPTURED)?).await?);
        assert_stored(&envoy.send(sender.deliver(headers, VICTIM)?).await?);
        script.expect_received(2).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_header_that_comes_twice_is_refused() -> Result<()> {
    let (envoy, script) = start().await?;
    for (scheme, headers) in [(Scheme::Github, &GITHUB[..]), (Scheme::Shopify, &SHOPIFY)] {
        for (name, _) in headers {
            let delivery = Sender::of(scheme.clone()).deliver(headers, CAPTURED)?;
            let answer = envoy.send(delivery.header(name, "second")?).await?;
            assert_problem(&answer, 400, "signature_malformed");
        }
    }
    script.expect_received(0).await?;
    Ok(())
}

#[tokio::test]
async fn the_log_suppresses_nothing_either() -> Result<()> {
    let upstream = Upstream::sqlite_behind(&gate(), &keyring()).await?;
    let sender = Sender::of(Scheme::Github);
    let spoofed = [("x-github-event", "push"), ("x-github-delivery", "two")];
    for (code, sequences) in [("stored", [1, 2, 3]), ("duplicate", [1, 2, 3])] {
        let setup = Setup::shipped().gate(gate()).keyring(keyring());
        let envoy = setup.start(upstream.address()).await?;
        let deliveries = [
            sender.deliver(&GITHUB, CAPTURED)?,
            sender.deliver(&spoofed, CAPTURED)?,
            sender.deliver(&spoofed, VICTIM)?,
        ];
        for (delivery, sequence) in deliveries.into_iter().zip(sequences) {
            let answer = envoy.send(delivery).await?;
            let seen = (answer.code(), answer.sequence());
            assert_eq!(seen, (code.to_owned(), Some(sequence)), "{answer:?}");
        }
    }
    assert_eq!(upstream.log().entries().await?.len(), 3);
    Ok(())
}
