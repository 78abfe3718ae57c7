//! What the gate may ask of Envoy: enough, and nothing that could be left out.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};
use hookgate_core::capability;
use hookgate_core::config::Config;
use hookgate_host_tests::artefact;
use hookgate_host_tests::bootstrap::Bootstrap;
use hookgate_host_tests::client::{Answer, Delivery, Http1, Http2};
use hookgate_host_tests::envoy::{Envoy, Setup};
use hookgate_host_tests::event::{CONNECT, Event, PLATFORM};
use hookgate_host_tests::prometheus::Exposition;
use hookgate_host_tests::raw::Head;
use hookgate_host_tests::script::{Act, Script};
use hookgate_host_tests::vault::Vault;
use hookgate_host_tests::{keyring, wait};
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{Instant, sleep, timeout};

/// How many Envoys run side by side.
const AT_ONCE: usize = 3;

/// How long an observation may take that comes at once where all is well.
const SOON: Duration = Duration::from_secs(8);

/// What only a VM that trapped shows, and only after its lease.
const AFTER_A_TRAP: &str = "proxy_get_metric";

/// What only memory shows: contexts that nobody deletes.
const IN_MEMORY: &str = "proxy_on_delete";

/// A lease of 20 s, the ticks until somebody looks, and as much again.
const BURIAL: Duration = Duration::from_secs(45);

#[test]
fn the_files_allow_what_the_gate_needs_and_nothing_else() -> Result<()> {
    for (file, bootstrap) in [
        ("envoy.yaml", Bootstrap::shipped()?),
        (
            "complete.yaml",
            Bootstrap::complete(&["gate-configuration"])?,
        ),
    ] {
        let allowed: BTreeSet<&str> = bootstrap.capabilities().into_iter().collect();
        let configuration = bootstrap.gate_configuration()?;
        let config = Config::from_json(configuration.as_bytes())?;
        let needed: BTreeSet<&str> = capability::needed(&config).into_iter().collect();
        assert_eq!(allowed, needed, "{file}");
    }
    Ok(())
}

#[tokio::test]
async fn the_shipped_capabilities_are_enough() -> Result<()> {
    at_last(|| everything_works(Setup::shipped())).await
}

/// Tries once more: a busy machine is late now and then, and what is missing is
/// missed each time.
async fn at_last<F: Future<Output = Result<()>>>(works: impl Fn() -> F) -> Result<()> {
    match works().await {
        Ok(()) => Ok(()),
        Err(error) => {
            eprintln!("once more after: {error:#}");
            works().await
        }
    }
}

/// Takes each entry out of the shipped file's list in turn.
#[tokio::test]
async fn without_any_one_of_the_shipped_capabilities_something_fails() -> Result<()> {
    let shipped = Bootstrap::shipped()?;
    let names = shipped.capabilities().into_iter();
    let names: Vec<String> = names
        .filter(|name| ![AFTER_A_TRAP, IN_MEMORY].contains(name))
        .map(str::to_owned)
        .collect();
    assert!(names.len() > 20, "{names:?}");
    let works: fn(Setup) -> Works = |setup| Box::pin(everything_works(setup));
    LocalSet::new()
        .run_until(each_is_missed(names, works, Setup::shipped))
        .await
}

/// The same for what only the complete file allows.
#[tokio::test]
async fn without_any_one_of_the_further_capabilities_of_the_complete_file_something_fails()
-> Result<()> {
    let blocks = ["gate-configuration", "routing-by-type", "http-keyring"];
    let shipped = Bootstrap::shipped()?;
    let complete = Bootstrap::complete(&blocks)?;
    let names = complete.capabilities().into_iter();
    let names: Vec<String> = names
        .filter(|name| !shipped.capabilities().contains(name))
        .map(str::to_owned)
        .collect();
    assert_eq!(names.len(), 2, "{names:?}");
    at_last(|| everything_further_works(Setup::complete(&blocks))).await?;
    let works: fn(Setup) -> Works = |setup| Box::pin(everything_further_works(setup));
    LocalSet::new()
        .run_until(each_is_missed(names, works, || Setup::complete(&blocks)))
        .await
}

fn without(setup: Setup, name: &str) -> Setup {
    setup.edit(&format!("{}{name}: {{}}\n", " ".repeat(22)), "")
}

type Works = std::pin::Pin<Box<dyn Future<Output = Result<()>>>>;

async fn each_is_missed(
    names: Vec<String>,
    works: fn(Setup) -> Works,
    setup: impl Fn() -> Setup,
) -> Result<()> {
    let mut waiting = names.into_iter();
    let mut running = JoinSet::new();
    let mut unmissed = Vec::new();
    loop {
        while running.len() < AT_ONCE
            && let Some(name) = waiting.next()
        {
            let without = without(setup(), &name);
            running.spawn_local(async move { (works(without).await, name) });
        }
        let Some(ended) = running.join_next().await else {
            break;
        };
        let (outcome, name) = ended?;
        match outcome {
            Ok(()) => unmissed.push(name),
            // What a missing capability is noticed by.
            Err(error) => {
                let error = format!("{error:#}").replace('\n', " ");
                eprintln!(
                    "without {name}: {}",
                    error.chars().take(160).collect::<String>()
                );
            }
        }
    }
    assert_eq!(unmissed, Vec::<String>::new(), "nobody misses them");
    Ok(())
}

/// Does all that the shipped configuration promises, with and without the
/// setting whose lack a tick finds.
async fn everything_works(setup: Setup) -> Result<()> {
    let unset = "                allow_on_headers_stop_iteration: true\n";
    let (script, unshown) = (
        Script::start([Act::Status(503)]).await?,
        setup.clone().workers(1).edit(unset, ""),
    );
    let mut envoy = setup.workers(1).start(script.address()).await?;
    envoy.discard_output();
    deliveries_work(&envoy, &script).await?;
    statistics_work(&envoy).await?;
    let log = envoy.output()?;
    ensure!(
        log.contains("keyring file: loaded"),
        "no line of the gate's"
    );

    let mut envoy = unshown.start(script.address()).await?;
    envoy.discard_output();
    let delivery = PLATFORM.deliver(&Event::fresh()?)?;
    let answer = timeout(SOON, envoy.send(delivery)).await??;
    ensure!(answer.status == 503, "{answer:?}");
    Ok(())
}

async fn deliveries_work(envoy: &Envoy, script: &Script) -> Result<()> {
    // The first fails at the upstream and is not remembered.
    let event = Event::fresh()?;
    for expected in ["503 ", "200 stored", "200 duplicate"] {
        expect(expected, envoy.send(PLATFORM.deliver(&event)?).await?)?;
    }
    let mut http2 = Http2::connect(envoy.address()).await?;
    let forged = PLATFORM.forge(&Event::fresh()?)?.trailer("x-a", "b")?;
    expect("400 signature_mismatch", http2.send(forged).await?)?;
    let genuine = PLATFORM
        .deliver(&Event::fresh()?)?
        .header("ce-subject", "smuggled")?
        .trailer("ce-subject", "smuggled")?;
    expect("200 stored", http2.send(genuine).await?)?;

    let received = script.received();
    ensure!(received.len() == 3, "{} forwarded", received.len());
    let last = received.last().context("nothing")?;
    ensure!(last.header("ce-source") == Some("/hookgate/stripe"));
    ensure!(last.header("ce-subject").is_none(), "{last:?}");
    ensure!(last.trailers.is_none(), "{last:?}");
    timeout(SOON, envoy.access_log_of(&event.id, "duplicate")).await??;

    let mut gone = TcpStream::connect(envoy.address()).await?;
    let event = Event::fresh()?;
    let signature = PLATFORM.sign_at(&event.payload, SystemTime::now())?;
    let request = Head::new(&format!("POST {}", PLATFORM.path))
        .header("stripe-signature", signature)
        .sized_body(&event.payload);
    gone.write_all(request.get(..request.len() - 1).context("short")?)
        .await?;
    shown(envoy, "hookgate_open", &[], 1).await
}

async fn statistics_work(envoy: &Envoy) -> Result<()> {
    let stripe = ("endpoint", "stripe");
    let (aborted, stored) = (("reason", "unverified"), ("reason", "stored"));
    for (family, labels, value) in [
        ("hookgate_received", &[stripe][..], 6),
        ("hookgate_payload_bytes_count", &[stripe], 5),
        // A gauge that a tick writes once a keyring was read.
        ("hookgate_secrets", &[stripe], 1),
        // Of the sender that has left.
        ("hookgate_open", &[], 0),
        ("hookgate_deliveries", &[stripe, aborted], 1),
        ("hookgate_deliveries", &[stripe, stored], 2),
    ] {
        shown(envoy, family, labels, value).await?;
    }
    Ok(())
}

/// Waits until a family's samples with these labels add up to this.
async fn shown(envoy: &Envoy, family: &str, labels: &[(&str, &str)], value: u64) -> Result<()> {
    let what = format!("{family}{labels:?} {value}");
    wait::until(&what, SOON, async || {
        let page = envoy.admin().page("/stats/prometheus").await?;
        let read = Exposition::parse(&page)?;
        let is_there = read.kinds.contains_key(family) || family.ends_with("_count");
        Ok((is_there && read.sum(family, labels)? == value).then_some(()))
    })
    .await
}

/// Does what the complete file's gate does beyond: a route by type, a keyring
/// from Vault.
async fn everything_further_works(setup: Setup) -> Result<()> {
    const TOKEN: &str = "hvs.tests";
    let ring: Value = serde_json::from_str(&keyring::of(&[CONNECT]))?;
    let vault = Vault::start(TOKEN, &ring).await?;
    let (upstream, payouts) = (Script::start([]).await?, Script::start([]).await?);
    let mut envoy = setup
        .workers(1)
        .cluster(8082, payouts.address())
        .cluster(8200, vault.address())
        .vault(TOKEN, vault.certificate()?)
        .start(upstream.address())
        .await?;
    envoy.discard_output();
    let payout = Event::fresh_of_type("payout.paid")?;
    expect("200 stored", envoy.send(PLATFORM.deliver(&payout)?).await?)?;
    ensure!((upstream.count(), payouts.count()) == (0, 1), "the route");
    wait::until("a secret from Vault", SOON, async || {
        let event = Event::fresh_of_account("acct_1TestSeller0002")?;
        let answer = envoy.send(CONNECT.deliver(&event)?).await?;
        Ok((answer.status == 200).then_some(()))
    })
    .await
}

fn expect(expected: &str, answer: Answer) -> Result<()> {
    let seen = format!("{} {}", answer.status, answer.code());
    ensure!(seen == expected, "{seen} instead of {expected}");
    Ok(())
}

/// A gauge is read by whoever counts what a trapped VM has left.
#[tokio::test]
async fn kill_of_a_vm_is_counted_by_no_gate_that_may_not_read_its_gauges() -> Result<()> {
    let (counted, uncounted) = tokio::join!(
        lost_by_a_trap(Setup::shipped()),
        lost_by_a_trap(without(Setup::shipped(), AFTER_A_TRAP)),
    );
    assert_eq!((counted?, uncounted?), (1, 0));
    Ok(())
}

/// Traps a VM that has one delivery open; returns what is lost after its lease.
async fn lost_by_a_trap(setup: Setup) -> Result<u64> {
    const TRAP: &str = "x-hookgate-test-trap";
    let script = Script::start([Act::Silence]).await?;
    let setup = setup.module(artefact::trap_module()?).workers(1);
    let envoy = setup.start(script.address()).await?;
    let held = envoy.send(PLATFORM.deliver(&Event::fresh()?)?);
    let trap = async {
        script.expect_received(1).await?;
        let trap = PLATFORM
            .deliver(&Event::fresh()?)?
            .header(TRAP, "headers")?;
        envoy.send(trap).await
    };
    let _ = tokio::join!(held, trap);
    let start = Instant::now();
    loop {
        // A VM that serves is one that ticks.
        drop(envoy.send(PLATFORM.forge(&Event::fresh()?)?).await);
        let page = envoy.admin().page("/stats/prometheus").await?;
        let lost = Exposition::parse(&page)?.sum("hookgate_lost", &[])?;
        if lost > 0 || start.elapsed() > BURIAL {
            return Ok(lost);
        }
        sleep(Duration::from_millis(500)).await;
    }
}

/// Without the callback each request's context stays in the module for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn load_of_a_gate_whose_contexts_are_never_deleted_grows() -> Result<()> {
    /// What a request may leave in an allocator, which takes more now and then.
    const LEFT: u64 = 128;
    let mut kept = growth(Setup::shipped()).await?;
    if kept >= LEFT {
        kept = growth(Setup::shipped()).await?;
    }
    let grown = growth(without(Setup::shipped(), IN_MEMORY)).await?;
    eprintln!("{kept} bytes a request, and {grown} if contexts stay");
    assert!(kept < LEFT, "{kept}");
    assert!(grown > kept + LEFT, "{grown}");
    Ok(())
}

/// Returns by how many bytes Envoy grows with each request.
async fn growth(setup: Setup) -> Result<u64> {
    const CONNECTIONS: usize = 8;
    const REQUESTS: usize = 5_000;
    let script = Script::start([]).await?;
    let mut envoy = setup.workers(1).start(script.address()).await?;
    envoy.discard_output();
    let rush = async || -> Result<()> {
        let mut senders = JoinSet::new();
        for _ in 0..CONNECTIONS {
            let mut connection = Http1::connect(envoy.address()).await?;
            senders.spawn(async move {
                for _ in 0..REQUESTS {
                    connection.send(Delivery::get(PLATFORM.path)).await?;
                }
                anyhow::Ok(())
            });
        }
        while let Some(ended) = senders.join_next().await {
            ended??;
        }
        Ok(())
    };
    rush().await?;
    let before = envoy.resident_bytes()?;
    rush().await?;
    let grown = envoy.resident_bytes()?.saturating_sub(before);
    Ok(grown / u64::try_from(CONNECTIONS * REQUESTS)?)
}
