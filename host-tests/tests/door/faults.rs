//! An upstream that fails: whatever it did not confirm is forwarded again.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use hookgate_host_tests::envoy::{Envoy, Setup};
use hookgate_host_tests::event::{Event, PLATFORM};
use hookgate_host_tests::raw;
use hookgate_host_tests::script::Act;
use hookgate_host_tests::upstream::Upstream;
use hookgate_host_tests::wait;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::{assert_problem, assert_stored, on_script, on_sqlite};

/// A lease and a time-out that a test can wait for.
fn hurried() -> Setup {
    Setup::shipped().lease_and_timeout(5, 3)
}

#[tokio::test]
async fn an_answer_other_than_2xx_is_passed_on_and_not_remembered() -> Result<()> {
    let statuses = [
        300, 301, 302, 304, 400, 401, 404, 408, 409, 410, 413, 422, 429, 500, 502, 503, 504,
    ];
    let (envoy, script) = on_script(Setup::shipped(), []).await?;
    for (count, status) in (0..).zip(statuses) {
        let event = Event::fresh()?;
        script.push(Act::Status(status));
        let answer = envoy.send(PLATFORM.deliver(&event)?).await?;
        assert_eq!(answer.status, status);
        let retry_after = matches!(status, 429 | 503).then_some("1");
        assert_eq!(answer.header("retry-after"), retry_after, "{status}");
        // The outcome is known, so nobody has to wait for the lease.
        assert_stored(&envoy.send(PLATFORM.deliver(&event)?).await?);
        script.expect_received(2 * (count + 1)).await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_informational_answer_is_no_confirmation() -> Result<()> {
    let nothing = "content-length: 0\r\n\r\n";
    let failed = format!("HTTP/1.1 503 Service Unavailable\r\n{nothing}");
    for first in [
        format!("HTTP/1.1 100 Continue\r\n\r\n{failed}"),
        format!("HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n{failed}"),
        "HTTP/1.1 100 Continue\r\n\r\n".to_owned(),
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n".to_owned(),
    ] {
        let stored = format!("HTTP/1.1 200 OK\r\n{nothing}");
        let upstream = TcpListener::bind("127.0.0.1:0").await?;
        let envoy = hurried().start(upstream.local_addr()?).await?;
        let server = tokio::spawn(answer_in_turn(upstream, vec![first.clone(), stored]));
        let event = Event::fresh()?;
        let answer = envoy.send(PLATFORM.deliver(&event)?).await?;
        assert!(
            !(200..300).contains(&answer.status),
            "{first:?}: {answer:?}"
        );
        let again = deliver_until_forwarded(&envoy, &event).await?;
        assert_eq!(again, (200, String::new()), "{first:?}");
        server.abort();
    }
    Ok(())
}

#[tokio::test]
async fn after_a_reset_the_delivery_is_forwarded_again() -> Result<()> {
    forwarded_again_after(Act::Reset).await
}

#[tokio::test]
async fn after_a_timeout_the_delivery_is_forwarded_again() -> Result<()> {
    forwarded_again_after(Act::Silence).await
}

async fn forwarded_again_after(act: Act) -> Result<()> {
    let (envoy, script) = on_script(hurried(), [act]).await?;
    let event = Event::fresh()?;
    let failed = envoy.send(PLATFORM.deliver(&event)?).await?;
    assert_problem(&failed, failed.status, "unavailable");
    assert!(matches!(failed.status, 503 | 504), "{failed:?}");
    let again = deliver_until_forwarded(&envoy, &event).await?;
    assert_eq!(again, (200, "stored".to_owned()));
    script.expect_received(2).await?;
    envoy
        .admin()
        .expect_deliveries("stripe", "in_doubt", 1)
        .await
}

#[tokio::test]
async fn after_the_client_left_the_delivery_is_forwarded_again() -> Result<()> {
    let told = Arc::new(Notify::new());
    let held = Act::HoldThen(Arc::clone(&told), 200);
    let (envoy, script) = on_script(hurried(), [held]).await?;
    let event = Event::fresh()?;

    let signature = PLATFORM.sign_at(&event.payload, std::time::SystemTime::now())?;
    let request = raw::Head::new(&format!("POST {}", PLATFORM.path))
        .header("stripe-signature", signature)
        .sized_body(&event.payload);
    let mut client = TcpStream::connect(envoy.address()).await?;
    client.write_all(&request).await?;
    script.expect_received(1).await?;
    drop(client);
    told.notify_one();

    let again = deliver_until_forwarded(&envoy, &event).await?;
    assert_eq!(again, (200, "stored".to_owned()));
    script.expect_received(2).await?;
    Ok(())
}

#[tokio::test]
async fn an_answer_of_one_byte_a_second_ends_within_its_deadline() -> Result<()> {
    let (envoy, _script) = on_script(hurried(), [Act::Trickle]).await?;
    let delivery = PLATFORM.deliver(&Event::fresh()?)?;
    // The sender has its status or a broken answer, but never waits for long.
    let _ = timeout(Duration::from_secs(10), envoy.send(delivery)).await?;
    let other = PLATFORM.deliver(&Event::fresh()?)?;
    assert_stored(&envoy.send(other).await?);
    Ok(())
}

#[tokio::test]
async fn an_upstream_that_is_away_closes_the_door_but_not_for_duplicates() -> Result<()> {
    let (envoy, mut upstream) = on_sqlite().await?;
    let (known, new) = (Event::fresh()?, Event::fresh()?);
    assert_stored(&envoy.send(PLATFORM.deliver(&known)?).await?);
    upstream.kill().await?;

    assert_problem(
        &envoy.send(PLATFORM.deliver(&known)?).await?,
        200,
        "duplicate",
    );
    assert_problem(
        &envoy.send(PLATFORM.deliver(&new)?).await?,
        503,
        "unavailable",
    );

    upstream.restart().await?;
    assert_stored(&envoy.send(PLATFORM.deliver(&new)?).await?);
    assert_eq!(upstream.log().entries().await?.len(), 2);
    Ok(())
}

#[tokio::test]
async fn a_door_that_opens_before_its_upstream_is_closed_until_then() -> Result<()> {
    let mut upstream = Upstream::sqlite().await?;
    upstream.kill().await?;
    let envoy = Setup::shipped().start(upstream.address()).await?;
    let event = Event::fresh()?;
    assert_problem(
        &envoy.send(PLATFORM.deliver(&event)?).await?,
        503,
        "unavailable",
    );
    upstream.restart().await?;
    assert_stored(&envoy.send(PLATFORM.deliver(&event)?).await?);
    Ok(())
}

/// Delivers `event`, freshly signed, until no lease holds it any more, and
/// returns the status and code of the first other answer.
async fn deliver_until_forwarded(envoy: &Envoy, event: &Event) -> Result<(u16, String)> {
    wait::until("the lease to run out", wait::PATIENCE, async || {
        let answer = envoy.send(PLATFORM.deliver(event)?).await?;
        if answer.code() == "duplicate" {
            bail!("what was never confirmed is called a duplicate");
        }
        if answer.status == 409 {
            assert_problem(&answer, 409, "in_progress");
            return Ok(None);
        }
        Ok(Some((answer.status, answer.code())))
    })
    .await
}

/// Answers one connection after the other with these bytes, then closes it.
async fn answer_in_turn(listener: TcpListener, answers: Vec<String>) -> Result<()> {
    for answer in answers {
        let (mut stream, _) = listener.accept().await?;
        let mut request = Vec::new();
        // The fixture's last line ends the request.
        while !request.ends_with(b"}\n") {
            if stream.read_buf(&mut request).await? == 0 {
                bail!("the request ends early");
            }
        }
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await?;
    }
    Ok(())
}
