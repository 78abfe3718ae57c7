//! A genuine delivery of each scheme: what the upstream is told, and that it is
//! told once.

use std::time::Duration;

use anyhow::{Context, Result};
use hookgate_core::scheme::Scheme;
use hookgate_host_tests::envoy::Setup;
use hookgate_host_tests::event::fresh_id;
use hookgate_host_tests::log::Entry;
use hookgate_host_tests::upstream::Upstream;

use super::{Sender, gate, keyring};
use crate::{assert_problem, assert_stored, on_script};

/// A delivery as one sender makes it, and what the gate makes of it.
struct Genuine {
    sender: Sender,
    headers: Vec<(&'static str, String)>,
    payload: String,
    /// The event's ID; `None` for a digest.
    id: Option<String>,
    r#type: &'static str,
    account: Option<&'static str>,
}

impl Genuine {
    fn all() -> Vec<Self> {
        let id = fresh_id().replace("evt_", "");
        let genuine = |scheme, headers, payload| Self {
            sender: Sender::of(scheme),
            headers,
            payload,
            id: None,
            r#type: "webhook",
            account: None,
        };
        vec![
            Self {
                id: Some(format!("evt_{id}")),
                r#type: "invoice.paid",
                account: Some("acct_1"),
                ..genuine(
                    Scheme::Stripe,
                    vec![],
                    format!(
                        r#"{{"id":"evt_{id}","object":"event","type":"invoice.paid","account":"acct_1"}}"#
                    ),
                )
            },
            Self {
                id: Some(format!("msg_{id}")),
                r#type: "user.created",
                ..genuine(
                    Scheme::StandardWebhooks,
                    vec![("webhook-id", format!("msg_{id}"))],
                    r#"{"type":"user.created","data":{}}"#.into(),
                )
            },
            Self {
                r#type: "push",
                ..genuine(
                    Scheme::Github,
                    vec![
                        ("x-github-event", "push".into()),
                        ("x-github-delivery", id.clone()),
                    ],
                    r#"{"ref":"refs/heads/main"}"#.into(),
                )
            },
            Self {
                r#type: "orders/create",
                account: Some("shop-1.myshopify.com"),
                ..genuine(
                    Scheme::Shopify,
                    vec![
                        ("x-shopify-topic", "orders/create".into()),
                        ("x-shopify-shop-domain", "shop-1.myshopify.com".into()),
                        ("x-shopify-event-id", id.clone()),
                        ("x-shopify-webhook-id", id.clone()),
                    ],
                    r#"{"id":820982911946154508}"#.into(),
                )
            },
            Self {
                id: Some(format!("Ev{id}")),
                r#type: "app_mention",
                account: Some("T1"),
                ..genuine(
                    Scheme::Slack,
                    vec![],
                    format!(
                        r#"{{"type":"event_callback","event_id":"Ev{id}","team_id":"T1","event":{{"type":"app_mention"}}}}"#
                    ),
                )
            },
        ]
    }

    fn headers(&self) -> Vec<(&str, &str)> {
        let headers = self.headers.iter();
        headers
            .map(|(name, value)| (*name, value.as_str()))
            .collect()
    }

    /// Asserts an ID of the event's own, or one like a digest.
    fn assert_id(&self, found: &str) {
        match &self.id {
            Some(id) => assert_eq!(found, id),
            None => {
                let is_hex = found.bytes().all(|byte| byte.is_ascii_hexdigit());
                assert!(found.len() == 64 && is_hex, "{found}");
            }
        }
    }

    /// Returns what has to be said of attributes that no signature covers.
    fn unsigned(&self) -> Option<&'static str> {
        let is_unsigned = matches!(self.sender.scheme, Scheme::Github | Scheme::Shopify);
        is_unsigned.then_some("type account")
    }

    fn signs_time(&self) -> bool {
        self.unsigned().is_none()
    }
}

#[tokio::test]
async fn each_scheme_is_stored_with_its_attributes_and_a_repeat_is_a_duplicate() -> Result<()> {
    let setup = Setup::shipped().gate(gate()).keyring(keyring());
    let (envoy, script) = on_script(setup, []).await?;
    for genuine in Genuine::all() {
        let (sender, payload) = (&genuine.sender, &genuine.payload);
        let endpoint = sender.endpoint();
        script.forget();
        let delivery = sender.deliver(&genuine.headers(), payload)?;
        assert_stored(&envoy.send(delivery.clone()).await?);
        assert_problem(&envoy.send(delivery).await?, 200, "duplicate");
        // A sender signs each attempt with its time.
        let earlier = Duration::from_secs(7);
        let retry = sender.deliver_aged(earlier, &genuine.headers(), payload)?;
        assert_problem(&envoy.send(retry).await?, 200, "duplicate");

        let received = script.expect_received(1).await?.remove(0);
        assert_eq!(received.body, payload.as_bytes(), "{endpoint}");
        genuine.assert_id(received.header("ce-id").context("no ce-id")?);
        let source = format!("/hookgate/{endpoint}");
        for (name, value) in [
            ("ce-type", Some(genuine.r#type)),
            ("ce-account", genuine.account),
            ("ce-source", Some(source.as_str())),
            ("ce-endpoint", Some(endpoint.as_str())),
            ("ce-secretname", Some("primary")),
            ("ce-unsigned", genuine.unsigned()),
        ] {
            assert_eq!(received.header(name), value, "{endpoint}: {name}");
        }
        let signed_at = received.header("ce-signedat");
        assert_eq!(signed_at.is_some(), genuine.signs_time(), "{endpoint}");

        let admin = envoy.admin();
        admin.expect_deliveries(&endpoint, "stored", 1).await?;
        admin.expect_deliveries(&endpoint, "duplicate", 2).await?;
    }
    Ok(())
}

#[tokio::test]
async fn forged_deliveries_of_each_scheme_are_refused() -> Result<()> {
    let setup = Setup::shipped().gate(gate()).keyring(keyring());
    let (envoy, script) = on_script(setup, []).await?;
    for genuine in Genuine::all() {
        let sender = &genuine.sender;
        let header = sender.scheme.signature_header();
        let deliver = |payload: &str| sender.deliver(&genuine.headers(), payload);
        let unsigned = deliver(&genuine.payload)?.without(header);
        let other = deliver(&genuine.payload.replace('}', " }"))?;
        let stolen = other.with_body(genuine.payload.clone());
        for (delivery, code) in [
            (unsigned, "signature_missing"),
            (stolen, "signature_mismatch"),
        ] {
            assert_problem(&envoy.send(delivery).await?, 400, code);
        }
        if genuine.signs_time() {
            let old = Duration::from_secs(302);
            let stale = sender.deliver_aged(old, &genuine.headers(), &genuine.payload)?;
            let answer = envoy.send(stale).await?;
            assert_problem(&answer, 400, "timestamp_out_of_tolerance");
        }
    }
    script.expect_received(0).await?;
    Ok(())
}

#[tokio::test]
async fn the_log_has_each_scheme_once_though_the_gate_forgets() -> Result<()> {
    let upstream = Upstream::sqlite_behind(&gate(), &keyring()).await?;
    let all = Genuine::all();
    for code in ["stored", "duplicate"] {
        // A new Envoy remembers nothing: only the log can know.
        let setup = Setup::shipped().gate(gate()).keyring(keyring());
        let envoy = setup.start(upstream.address()).await?;
        for (genuine, sequence) in all.iter().zip(1..) {
            let delivery = genuine
                .sender
                .deliver(&genuine.headers(), &genuine.payload)?;
            let answer = envoy.send(delivery).await?;
            let seen = (answer.status, answer.code(), answer.sequence());
            assert_eq!(seen, (200, code.to_owned(), Some(sequence)), "{answer:?}");
        }
    }
    let entries = upstream.log().entries().await?;
    assert_eq!(entries.len(), all.len());
    for (genuine, entry) in all.iter().zip(&entries) {
        let Entry {
            source,
            id,
            r#type,
            account,
            unsigned,
            signedat,
            ..
        } = entry;
        genuine.assert_id(id);
        assert_eq!(*source, genuine.sender.endpoint());
        assert_eq!(r#type, genuine.r#type);
        assert_eq!(account.as_deref(), genuine.account);
        assert_eq!(unsigned.as_deref(), genuine.unsigned());
        assert_eq!(signedat.is_some(), genuine.signs_time());
        let payload = upstream.log().payload(id, source).await?;
        assert_eq!(payload, genuine.payload.as_bytes());
    }
    Ok(())
}
