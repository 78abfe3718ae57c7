//! Envoy's clock ten minutes off, stepping back and standing still: what is old
//! or early is judged by it, and nothing else changes.

use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use hookgate_host_tests::client::Delivery;
use hookgate_host_tests::clock::Clock;
use hookgate_host_tests::envoy::{Envoy, Setup};
use hookgate_host_tests::event::{CONNECT, Event, PLATFORM};
use hookgate_host_tests::script::{Act, Script};

use crate::assert_problem;

const TEN_MINUTES: i64 = 600;

/// Signs as of so many seconds from the machine's time.
fn signed(event: &Event, seconds: i64) -> Result<Delivery> {
    let shift = Duration::from_secs(seconds.unsigned_abs());
    let now = SystemTime::now();
    let at = if seconds < 0 {
        now.checked_sub(shift).context("time")?
    } else {
        now + shift
    };
    let signature = PLATFORM.sign_at(&event.payload, at)?;
    PLATFORM.deliver_signed(event, &signature)
}

/// What every clock has in common, with senders that have the same.
async fn all_else_is_as_ever(envoy: &Envoy, script: &Script, seconds: i64) -> Result<()> {
    let event = Event::fresh()?;
    let what = format!("{seconds} s off");
    script.push(Act::Status(503));
    for (status, code) in [(503, ""), (200, "stored"), (200, "duplicate")] {
        let answer = envoy.send(signed(&event, seconds)?).await?;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (status, code),
            "{what}"
        );
    }
    let forged = CONNECT.sign_at(&event.payload, SystemTime::now())?;
    let (t, v1) = forged.split_once(',').context("no signature")?;
    let at = t.strip_prefix("t=").context("no time")?.parse::<i64>()? + seconds;
    let forged = PLATFORM.deliver_signed(&event, &format!("t={at},{v1}"))?;
    assert_problem(&envoy.send(forged).await?, 400, "signature_mismatch");
    let unsigned = Delivery::post(PLATFORM.path, event.payload.clone());
    assert_problem(&envoy.send(unsigned).await?, 400, "signature_missing");
    Ok(())
}

#[tokio::test]
async fn load_of_a_clock_that_is_off_steps_and_stands_changes_verdicts_of_age_only() -> Result<()> {
    let clock = Clock::new()?;
    let script = Script::start([]).await?;
    let envoy = clock.of(Setup::shipped()).start(script.address()).await?;
    let first = Event::fresh()?;
    assert_eq!(envoy.send(signed(&first, 0)?).await?.code(), "stored");
    // Ahead, back to twenty minutes before, and right again.
    for seconds in [TEN_MINUTES, -TEN_MINUTES, 0] {
        clock.shift(seconds)?;
        if seconds != 0 {
            // The sender's own clock is right: its deliveries are too old or too early.
            let answer = envoy.send(signed(&Event::fresh()?, 0)?).await?;
            assert_problem(&answer, 400, "timestamp_out_of_tolerance");
        }
        all_else_is_as_ever(&envoy, &script, seconds).await?;
        // What was stored by another clock is a duplicate by this one.
        let again = envoy.send(signed(&first, seconds)?).await?;
        assert_eq!(again.code(), "duplicate", "{seconds} s off");
    }
    clock.freeze()?;
    for _ in 0..3 {
        all_else_is_as_ever(&envoy, &script, 0).await?;
    }
    assert_eq!(envoy.admin().vm_reloads().await?, 0);
    Ok(())
}
