//! A VM that traps, wherever it does: its worker is closed for a moment, nothing
//! hangs and nothing passes.

use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};
use hookgate_host_tests::artefact;
use hookgate_host_tests::client::{Delivery, Http1};
use hookgate_host_tests::envoy::{Envoy, Setup};
use hookgate_host_tests::event::{Event, PLATFORM};
use hookgate_host_tests::prometheus::Exposition;
use hookgate_host_tests::raw::{self, Head};
use hookgate_host_tests::script::{Act, Script};
use hookgate_host_tests::wait;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use crate::{assert_stored, on_script};

const HEADER: &str = "x-hookgate-test-trap";

/// How long one worker may be closed.
const CLOSED: Duration = Duration::from_millis(500);

/// How long anything may take that doesn't hang.
const SOON: Duration = Duration::from_secs(10);

/// How often a worker may be closed for longer, as by a machine that is busy;
/// what makes the door slow to come back does so each time.
const TRIES: usize = 3;

fn setup() -> Result<Setup> {
    Ok(Setup::shipped().module(artefact::trap_module()?).workers(1))
}

fn trapping(place: &str) -> Result<Delivery> {
    PLATFORM.deliver(&Event::fresh()?)?.header(HEADER, place)
}

/// Delivers fresh events, one after the other on connections of their own,
/// until one is stored; each other is refused with 503.
async fn until_stored(envoy: &Envoy) -> Result<()> {
    loop {
        let answer = timeout(SOON, envoy.send(PLATFORM.deliver(&Event::fresh()?)?)).await??;
        match answer.status {
            200 => return Ok(()),
            503 => sleep(Duration::from_millis(5)).await,
            _ => anyhow::bail!("{answer:?}"),
        }
    }
}

/// Sends what traps; the sender hears 5xx or loses its connection.
async fn trap(envoy: &Envoy, place: &str) -> Result<()> {
    let answer = timeout(SOON, envoy.send(trapping(place)?)).await;
    if let Ok(answer) = answer.with_context(|| format!("{place} hangs"))? {
        let was_answered_before = matches!(place, "log" | "tick") && answer.status == 200;
        ensure!(
            was_answered_before || answer.status >= 500,
            "{place}: {answer:?}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn kill_of_a_vm_wherever_it_traps_closes_its_worker_for_half_a_second_at_most() -> Result<()>
{
    for place in ["headers", "body", "answer", "log", "memory"] {
        let (envoy, _script) = on_script(setup()?, []).await?;
        until_stored(&envoy).await?;
        let mut closed = Duration::MAX;
        for _ in 0..TRIES {
            trap(&envoy, place).await?;
            let start = Instant::now();
            until_stored(&envoy).await?;
            closed = start.elapsed();
            eprintln!("a trap in {place}: closed for {closed:.1?}");
            if closed <= CLOSED {
                break;
            }
        }
        assert!(closed <= CLOSED, "{place}: {closed:?}");
        assert!(envoy.admin().vm_reloads().await? > 0, "{place}");
    }
    Ok(())
}

#[tokio::test]
async fn kill_of_a_vm_on_a_tick_closes_its_worker_for_half_a_second_at_most() -> Result<()> {
    let (envoy, _script) = on_script(setup()?, []).await?;
    let mut closed = None;
    for _ in 0..TRIES {
        closed = closed_by_a_tick(&envoy).await?;
        eprintln!("a trap on a tick: closed for {closed:.1?}");
        if closed <= Some(CLOSED) {
            break;
        }
    }
    assert!(closed <= Some(CLOSED), "{closed:?}");
    // Also where it was reloaded by the request that found it gone.
    assert!(envoy.admin().vm_reloads().await? > 0);
    Ok(())
}

/// Traps on a tick; returns for how long the worker was closed, if anybody saw it.
async fn closed_by_a_tick(envoy: &Envoy) -> Result<Option<Duration>> {
    trap(envoy, "tick").await?;
    let (mut closed_at, start) = (None, Instant::now());
    while start.elapsed() < SOON {
        let answer = timeout(SOON, envoy.send(PLATFORM.deliver(&Event::fresh()?)?)).await??;
        match (answer.status, closed_at) {
            (503, None) => closed_at = Some(Instant::now()),
            (200, Some(at)) => return Ok(Some(at.elapsed())),
            (200 | 503, _) => {}
            _ => anyhow::bail!("{answer:?}"),
        }
    }
    Ok(None)
}

#[tokio::test]
async fn kill_of_a_vm_again_and_again_never_closes_its_worker_for_longer() -> Result<()> {
    const TIMES: usize = 20;
    let (envoy, script) = on_script(setup()?, []).await?;
    let mut closed = Vec::new();
    for _ in 0..TIMES {
        trap(&envoy, "headers").await?;
        // A forger tries to get in meanwhile.
        let forged = envoy.send(PLATFORM.forge(&Event::fresh()?)?).await?;
        assert!(matches!(forged.status, 400 | 503), "{forged:?}");
        let start = Instant::now();
        until_stored(&envoy).await?;
        closed.push(start.elapsed());
    }
    eprintln!("{TIMES} traps in a row: closed for {closed:.1?}");
    // A busy machine is late now and then. Whoever waits longer after each trap
    // waits too long after all of the last.
    let late = closed.iter().filter(|closed| **closed > CLOSED).count();
    assert!(late <= TIMES / 2, "{closed:?}");
    let last = closed.iter().rev().take(TRIES).min();
    assert!(last <= Some(&CLOSED), "{closed:?}");
    script.expect_received(TIMES).await?;
    Ok(())
}

/// What a VM held when it trapped is its own no more: none of it passes,
/// genuine or not, and none of it waits for long.
#[tokio::test]
async fn kill_of_a_vm_passes_nothing_that_it_held() -> Result<()> {
    let (envoy, script) = on_script(setup()?, []).await?;
    let mut held = Vec::new();
    for number in 0..20 {
        let event = Event::fresh()?;
        // Every second one is forged.
        let signed = if number % 2 == 0 {
            &event.payload[..]
        } else {
            b"x"
        };
        let signature = PLATFORM.sign_at(signed, SystemTime::now())?;
        let request = Head::new(&format!("POST {}", PLATFORM.path))
            .header("stripe-signature", signature)
            .sized_body(&event.payload);
        let (part, rest) = request.split_at(request.len() - 1 - number);
        let mut stream = TcpStream::connect(envoy.address()).await?;
        stream.write_all(part).await?;
        held.push((stream, rest.to_vec()));
    }
    wait::until("all to be held", wait::PATIENCE, async || {
        let page = envoy.admin().page("/stats/prometheus").await?;
        let open = Exposition::parse(&page)?.sum("hookgate_open", &[])?;
        Ok((open == u64::try_from(held.len())?).then_some(()))
    })
    .await?;
    trap(&envoy, "headers").await?;
    for (stream, rest) in &mut held {
        // Whoever is cut off is not sent to any more.
        let _ = stream.write_all(rest).await;
    }
    for (mut stream, _) in held {
        let answer = timeout(SOON, raw::read_to_end(&mut stream)).await;
        let answer = answer.context("a held request hangs")??;
        if !answer.is_empty() {
            assert_eq!(raw::parse(&answer)?.status, 503);
        }
    }
    until_stored(&envoy).await?;
    script.expect_received(1).await?;
    assert_eq!(envoy.admin().forwarded().await?, 1);
    Ok(())
}

/// A delivery that the upstream has already is in doubt; the sender hears no
/// 2xx that nobody has remembered, or one that is true.
#[tokio::test]
async fn kill_of_a_vm_while_the_upstream_decides_loses_nothing() -> Result<()> {
    let setup = setup()?.lease_and_timeout(5, 3);
    let (envoy, script) = on_script(setup, [Act::Silence]).await?;
    let event = Event::fresh()?;
    let waiting = envoy.send(PLATFORM.deliver(&event)?);
    let trapped = async {
        script.expect_received(1).await?;
        trap(&envoy, "headers").await
    };
    let (answer, trapped) = tokio::join!(timeout(SOON, waiting), trapped);
    trapped?;
    if let Ok(answer) = answer.context("it hangs")? {
        assert!(answer.status >= 500, "{answer:?}");
    }
    let start = Instant::now();
    loop {
        let again = envoy.send(PLATFORM.deliver(&event)?).await?;
        match again.status {
            200 => break assert_stored(&again),
            409 | 503 => ensure!(start.elapsed() < SOON, "{again:?}"),
            _ => anyhow::bail!("{again:?}"),
        }
        sleep(Duration::from_millis(50)).await;
    }
    script.expect_received(2).await?;
    Ok(())
}

/// One worker's VM traps, and the connections of the other notice nothing.
#[tokio::test]
async fn kill_of_a_vm_closes_no_other_worker() -> Result<()> {
    let script = Script::start([]).await?;
    let envoy = setup()?.workers(2).start(script.address()).await?;
    let mut connections = Vec::new();
    for _ in 0..16 {
        connections.push(Http1::connect(envoy.address()).await?);
    }
    trap(&envoy, "headers").await?;
    let (mut stored, mut refused) = (0, 0);
    for connection in &mut connections {
        let answer = connection.send(PLATFORM.deliver(&Event::fresh()?)?).await?;
        match answer.status {
            200 => stored += 1,
            503 => refused += 1,
            _ => anyhow::bail!("{answer:?}"),
        }
    }
    eprintln!("{stored} connections served while {refused} were refused");
    assert!(stored > 0);
    Ok(())
}
