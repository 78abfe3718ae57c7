//! Events and senders that an endpoint doesn't want.

use anyhow::Result;
use hookgate_host_tests::envoy::{Envoy, Setup};
use hookgate_host_tests::event::{Endpoint, PLATFORM};
use hookgate_host_tests::keyring;
use hookgate_host_tests::script::Script;
use hookgate_host_tests::wait;
use serde_json::{Value, json};

use super::{event, gate};
use crate::{assert_problem, assert_stored, on_script};

const LIVE: Endpoint = endpoint("/live", "live");
const LIVE_ONLY: Endpoint = endpoint("/live-only", "live-only");
const TEST_MODE: Endpoint = endpoint("/test-mode", "test-mode");
const TYPES: Endpoint = endpoint("/types", "types");
const TYPES_ONLY: Endpoint = endpoint("/types-only", "types-only");
const COUNTED: Endpoint = endpoint("/counted", "counted");
const KNOWN: Endpoint = endpoint("/known", "known");
const KNOWN_ONLY: Endpoint = endpoint("/known-only", "known-only");
const FENCED: Endpoint = endpoint("/fenced", "fenced");
const LOCAL: Endpoint = endpoint("/local", "local");

const ALL: [Endpoint; 10] = [
    LIVE, LIVE_ONLY, TEST_MODE, TYPES, TYPES_ONLY, COUNTED, KNOWN, KNOWN_ONLY, FENCED, LOCAL,
];

const fn endpoint(path: &'static str, name: &'static str) -> Endpoint {
    Endpoint {
        path,
        name,
        ..PLATFORM
    }
}

fn policy(name: &str) -> Value {
    let types = |otherwise: &str| {
        json!({"types": {
            "allow": ["invoice.*", "*.created"],
            "deny": ["*.deleted"],
            "otherwise": otherwise,
        }})
    };
    let accounts = |unknown: &str| json!({"accounts": {"known": ["acct_1"], "unknown": unknown}});
    match name {
        "live" => json!({"livemode": {"only": true, "otherwise": "ignore"}}),
        "live-only" => json!({"livemode": {"only": true, "otherwise": "refuse"}}),
        "test-mode" => json!({"livemode": {"only": false}}),
        "types" => types("ignore"),
        "types-only" => types("refuse"),
        "counted" => accounts("count"),
        "known" => accounts("ignore"),
        "known-only" => accounts("refuse"),
        "fenced" => json!({"source_ranges": ["198.51.100.0/24", "2001:db8::/32"]}),
        _ => json!({"source_ranges": ["2001:db8::/32", "127.0.0.0/8"]}),
    }
}

async fn start() -> Result<(Envoy, Script)> {
    on_script(setup(), []).await
}

fn setup() -> Setup {
    let endpoints = ALL.map(|Endpoint { path, name, .. }| {
        json!({"name": name, "path": path, "keyring": "file", "policy": policy(name)})
    });
    Setup::shipped()
        .gate(gate(&endpoints))
        .keyring(keyring::of(&ALL))
}

/// Sends each event twice: what isn't wanted is never remembered.
async fn expect(cases: &[(Endpoint, Value, &str, &str)]) -> Result<(Envoy, Script)> {
    let (envoy, script) = start().await?;
    for (endpoint, fields, code, _) in cases {
        let event = event(fields.clone())?;
        for again in [false, true] {
            let answer = envoy.send(endpoint.deliver(&event)?).await?;
            match *code {
                "stored" if again => assert_problem(&answer, 200, "duplicate"),
                "stored" => assert_stored(&answer),
                "ignored" => assert_problem(&answer, 200, "ignored"),
                denied => assert_problem(&answer, 403, denied),
            }
        }
    }
    let of = |endpoint: &Endpoint, reason: &str| {
        let same = cases
            .iter()
            .filter(|case| case.0 == *endpoint && case.3 == reason);
        u64::try_from(same.count())
    };
    for (endpoint, _, code, reason) in cases {
        let each = if *code == "stored" { 1 } else { 2 };
        let count = each * of(endpoint, reason)?;
        let admin = envoy.admin();
        admin
            .expect_deliveries(endpoint.name, reason, count)
            .await?;
    }
    let stored = cases.iter().filter(|case| case.2 == "stored").count();
    script.expect_received(stored).await?;
    Ok((envoy, script))
}

#[tokio::test]
async fn the_other_mode_is_ignored_or_refused() -> Result<()> {
    let live = || json!({"type": "invoice.paid", "livemode": true});
    let test = || json!({"type": "invoice.paid", "livemode": false});
    let neither = || json!({"type": "invoice.paid"});
    // Stripe waits for a decision on it: "ignored" would read as one.
    let awaited = json!({"type": "issuing_authorization.request", "livemode": false});
    expect(&[
        (LIVE, live(), "stored", "stored"),
        (LIVE, test(), "ignored", "livemode"),
        (LIVE, neither(), "ignored", "livemode"),
        (LIVE, awaited, "denied_livemode", "denied_livemode"),
        (LIVE_ONLY, live(), "stored", "stored"),
        (LIVE_ONLY, test(), "denied_livemode", "denied_livemode"),
        (LIVE_ONLY, neither(), "denied_livemode", "denied_livemode"),
        (TEST_MODE, test(), "stored", "stored"),
        (TEST_MODE, live(), "ignored", "livemode"),
    ])
    .await?;
    Ok(())
}

#[tokio::test]
async fn other_types_are_ignored_or_refused() -> Result<()> {
    let of = |r#type: &str| json!({ "type": r#type });
    expect(&[
        (TYPES, of("invoice.paid"), "stored", "stored"),
        (TYPES, of("customer.created"), "stored", "stored"),
        (TYPES, of("invoice.deleted"), "ignored", "type"),
        (TYPES, of("customer.updated"), "ignored", "type"),
        (TYPES, of("xinvoice.paid"), "ignored", "type"),
        (TYPES, of("invoice"), "ignored", "type"),
        (TYPES_ONLY, of("invoice.paid"), "stored", "stored"),
        (
            TYPES_ONLY,
            of("invoice.deleted"),
            "denied_type",
            "denied_type",
        ),
        (TYPES_ONLY, of("payout.paid"), "denied_type", "denied_type"),
    ])
    .await?;
    Ok(())
}

#[tokio::test]
async fn unknown_accounts_are_counted_ignored_or_refused() -> Result<()> {
    let of = |account: &str| json!({"type": "invoice.paid", "account": account});
    let own = || json!({"type": "invoice.paid"});
    let (envoy, _script) = expect(&[
        (COUNTED, of("acct_1"), "stored", "stored"),
        (COUNTED, of("acct_2"), "stored", "stored"),
        (COUNTED, own(), "stored", "stored"),
        (KNOWN, of("acct_1"), "stored", "stored"),
        (KNOWN, of("acct_2"), "ignored", "account"),
        (KNOWN, own(), "stored", "stored"),
        (KNOWN_ONLY, of("acct_1"), "stored", "stored"),
        (KNOWN_ONLY, of("acct_2"), "denied_account", "denied_account"),
        (
            KNOWN_ONLY,
            of("acct_10"),
            "denied_account",
            "denied_account",
        ),
        (KNOWN_ONLY, own(), "stored", "stored"),
    ])
    .await?;
    for (endpoint, count) in [(COUNTED, 2), (KNOWN, 2), (KNOWN_ONLY, 4)] {
        let stat = format!(
            "wasmcustom.hookgate_unknown_account.endpoint.{}",
            endpoint.name
        );
        wait::until(&stat, wait::PATIENCE, async || {
            let now = envoy.admin().sum(|name| name == stat).await?;
            Ok((now == count).then_some(()))
        })
        .await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_stranger_to_the_ranges_is_refused_whatever_it_signs_or_says() -> Result<()> {
    let (envoy, script) = start().await?;
    let event = event(json!({"type": "invoice.paid"}))?;
    let genuine = FENCED.deliver(&event)?;
    let disguised = genuine
        .clone()
        .header("x-forwarded-for", "198.51.100.7")?
        .header("x-real-ip", "198.51.100.7")?;
    for delivery in [genuine, disguised, FENCED.forge(&event)?] {
        assert_problem(&envoy.send(delivery).await?, 403, "denied_source");
    }
    let admin = envoy.admin();
    admin
        .expect_deliveries("fenced", "denied_source", 3)
        .await?;
    assert_stored(&envoy.send(LOCAL.deliver(&event)?).await?);
    script.expect_received(1).await?;
    Ok(())
}

#[tokio::test]
async fn behind_a_trusted_proxy_the_ranges_hold_for_who_it_names() -> Result<()> {
    let trusting = setup().edit(
        "use_remote_address: true",
        "use_remote_address: true\n          xff_num_trusted_hops: 1",
    );
    let (envoy, script) = on_script(trusting, []).await?;
    for (named, is_inside) in [
        ("198.51.100.7", true),
        ("2001:db8::7", true),
        ("203.0.113.7", false),
        ("198.51.100.7, 203.0.113.7", false),
        ("203.0.113.7, 198.51.100.7", true),
    ] {
        let event = event(json!({"type": "invoice.paid"}))?;
        let delivery = FENCED.deliver(&event)?.header("x-forwarded-for", named)?;
        let answer = envoy.send(delivery).await?;
        if is_inside {
            assert_stored(&answer);
        } else {
            assert_problem(&answer, 403, "denied_source");
        }
    }
    script.expect_received(3).await?;
    Ok(())
}
