//! What senders can make Envoy hold.

use std::env;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use hookgate_host_tests::client::{Delivery, Http2};
use hookgate_host_tests::envoy::{Envoy, Setup};
use hookgate_host_tests::event::{Event, PLATFORM};
use hookgate_host_tests::load::{self, Pace};
use hookgate_host_tests::raw::Head;
use hookgate_host_tests::wait;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::on_script;

const EVENT_BYTES: usize = 1024;
const CONNECTIONS: usize = 16;
/// Signed at once, and delivered long before the signatures are too old.
const AT_ONCE: usize = 10_000;

/// What the README states, all told: entry, bucket, the host's map.
const BYTES_PER_ENTRY: u64 = 32;

/// Anybody can send a header of the right form and then a body without an end.
/// What all of them hold has a bound, and the small genuine ones go on.
#[tokio::test]
async fn a_flood_of_held_bodies_is_shed_while_genuine_deliveries_pass() -> Result<()> {
    const HEAP_BYTES: u64 = 120_000_000;
    const HELD_BYTES: usize = 1_500_000;
    let setup = Setup::shipped().edit(
        "max_heap_size_bytes: 1073741824",
        &format!("max_heap_size_bytes: {HEAP_BYTES}"),
    );
    // Both come from one address here, and what is cut off is charged to it.
    let setup = setup.edit(
        r#""rate": 60, "per_seconds": 60, "burst": 100"#,
        r#""rate": 1000000"#,
    );
    // What isn't shed at once goes with its time-out.
    let setup = setup.edit("request_timeout: 30s", "request_timeout: 5s");
    let (mut envoy, _script) = on_script(setup, []).await?;
    let body = vec![b'x'; HELD_BYTES];
    let signature = PLATFORM.sign_at(b"another body", SystemTime::now())?;
    let held = Delivery::post(PLATFORM.path, body)
        .header("stripe-signature", signature)?
        .unfinished();
    let mut flood = JoinSet::new();
    for _ in 0..3 {
        let connection = Http2::connect(envoy.address()).await?;
        for _ in 0..100 {
            let (mut connection, held) = (connection.clone(), held.clone());
            flood.spawn(async move { connection.send(held).await });
        }
    }

    let admin = envoy.admin();
    wait::until("shed streams", wait::PATIENCE, async || {
        let shed = "envoy.overload_actions.reset_high_memory_stream.count";
        let event = Event::fresh()?;
        let answer = envoy.send(PLATFORM.deliver(&event)?).await?;
        assert!(matches!(answer.status, 200 | 503), "{answer:?}");
        let is_shedding = admin.sum(|name| name == shed).await? > 0;
        Ok((is_shedding && answer.status == 200).then_some(()))
    })
    .await?;
    let allocated = allocated(&envoy).await?;
    assert!(allocated <= HEAP_BYTES, "{allocated}");
    envoy.discard_output();
    Ok(())
}

/// Fills a table to the number of entries that it is sized for. The full form
/// fills the shipped one.
#[tokio::test]
async fn load_a_full_table_costs_at_most_32_bytes_an_entry() -> Result<()> {
    let full_form = env::var_os("HOOKGATE_SOAK").is_some();
    let entries: usize = if full_form { 1_000_000 } else { 60_000 };
    let setup = Setup::shipped().edit(
        r#""max_entries": 1000000"#,
        &format!(r#""max_entries": {entries}"#),
    );
    let (mut envoy, script) = on_script(setup, []).await?;
    // What connections and statistics take for good, they take now.
    fill(&envoy, 20 * CONNECTIONS).await?;
    let before = allocated(&envoy).await?;

    for start in (0..entries).step_by(AT_ONCE) {
        fill(&envoy, AT_ONCE.min(entries - start)).await?;
        script.forget();
    }
    let after = allocated(&envoy).await?;
    envoy.discard_output();
    let per_entry = after.saturating_sub(before) / u64::try_from(entries)?;
    eprintln!("{per_entry} bytes an entry at {entries} entries");
    assert!(per_entry > 0 && per_entry <= BYTES_PER_ENTRY, "{per_entry}");
    Ok(())
}

async fn fill(envoy: &Envoy, entries: usize) -> Result<()> {
    let requests = load::deliveries(PLATFORM, entries, EVENT_BYTES)?;
    let pace = Pace::Every(Duration::ZERO);
    load::run(envoy.address(), CONNECTIONS, requests, pace).await?;
    Ok(())
}

/// Returns the bytes that Envoy's allocator has given out. Those of the
/// module's own memory are not among them; the table isn't in it.
async fn allocated(envoy: &Envoy) -> Result<u64> {
    let page: serde_json::Value = serde_json::from_str(&envoy.admin().page("/memory").await?)?;
    let allocated = page.get("allocated").and_then(|bytes| bytes.as_str());
    Ok(allocated.context("no figure at /memory")?.parse()?)
}

/// Every kind of bad input, round after round: once each has been seen, neither
/// Envoy nor the module's memory, which never shrinks, grows with more of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn load_of_every_kind_of_bad_input_leaves_memory_flat() -> Result<()> {
    /// What a machine's allocators may take more, for whatever comes at once.
    const SLACK: u64 = 6 << 20;
    let full_form = env::var_os("HOOKGATE_SOAK").is_some();
    let (warm, more) = if full_form { (20, 200) } else { (6, 18) };
    let quota = r#""quotas": {"sources": {"rate": 60, "per_seconds": 60, "burst": 100}},"#;
    let (mut envoy, script) = on_script(Setup::shipped().edit(quota, "").workers(1), []).await?;
    for _ in 0..warm {
        bad_inputs(&envoy).await?;
    }
    let mut is_flat = false;
    // An allocator that takes more does so once, and a leak each time.
    for _ in 0..2 {
        let (before, resident) = (allocated(&envoy).await?, envoy.resident_bytes()?);
        for _ in 0..more {
            bad_inputs(&envoy).await?;
        }
        let grown = allocated(&envoy).await?.saturating_sub(before);
        let resident = envoy.resident_bytes()?.saturating_sub(resident);
        eprintln!("{more} more rounds: {grown} bytes allocated, {resident} bytes resident more");
        is_flat = grown < SLACK && resident < SLACK;
        if is_flat {
            break;
        }
    }
    assert!(is_flat, "grows with each round");
    script.expect_received(0).await?;
    assert_eq!(envoy.admin().vm_reloads().await?, 0);
    envoy.discard_output();
    Ok(())
}

/// Sends each kind some times, over connections that are kept and new ones.
async fn bad_inputs(envoy: &Envoy) -> Result<()> {
    const EACH: usize = 20;
    let large = vec![b'x'; 1_500_000];
    let over = vec![b'x'; 2_200_000];
    let deep = format!(r#"{{"id": "evt_1", "data": {}"#, "[".repeat(500_000));
    let wide = format!(
        r#"{{"id": "evt_1", {}"object": "event", "type": "a.b"}}"#,
        (0..100_000)
            .map(|n| format!("\"k{n}\": 0, "))
            .collect::<String>()
    );
    let signed = |payload: &[u8]| -> Result<Delivery> {
        let signature = PLATFORM.sign_at(payload, SystemTime::now())?;
        Delivery::post(PLATFORM.path, payload.to_vec()).header("stripe-signature", signature)
    };
    let forged = |body: &[u8]| signed(b"another body").map(|it| it.with_body(body.to_vec()));
    let mut small = Vec::new();
    for number in 0..EACH {
        let event = Event::fresh()?;
        let signatures = ",v1=00".repeat(8_000);
        small.extend([
            PLATFORM.forge(&event)?,
            PLATFORM.deliver_aged(&event, Duration::from_secs(900))?,
            Delivery::post(PLATFORM.path, "x"),
            Delivery::get(&format!("/nowhere/{number}")),
            Delivery::post(PLATFORM.path, "x").header("stripe-signature", "\u{ff}")?,
            Delivery::post(PLATFORM.path, "x")
                .header("stripe-signature", format!("t=1{signatures}"))?,
            forged(&event.payload)?.header("ce-id", "x".repeat(30_000))?,
            forged(&event.payload)?.trailer("x-a", "b")?,
            signed(b"{}")?,
        ]);
    }
    let mut connection = Http2::connect(envoy.address()).await?;
    for delivery in small {
        let answer = connection.send(delivery).await?;
        assert!((400..500).contains(&answer.status), "{answer:?}");
    }
    for payload in [deep.as_bytes(), wide.as_bytes()] {
        let answer = envoy.send(signed(payload)?).await?;
        assert_eq!(answer.code(), "payload_invalid");
    }
    assert_eq!(envoy.send(forged(&large)?).await?.status, 400);
    let refused = envoy.send(signed(&over)?).await;
    assert!(refused.map_or(true, |answer| answer.status == 413));
    // Cut off by their senders, in headers and in bodies.
    for part in [30, 200, 100_000] {
        let request = Head::new(&format!("POST {}", PLATFORM.path))
            .header(
                "stripe-signature",
                PLATFORM.sign_at(b"x", SystemTime::now())?,
            )
            .sized_body(&large);
        let mut stream = TcpStream::connect(envoy.address()).await?;
        stream
            .write_all(request.get(..part).context("short")?)
            .await?;
        stream.set_zero_linger()?;
    }
    Ok(())
}
