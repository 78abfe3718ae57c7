//! The setting without which Envoy keeps the body from the gate: missing, the
//! door is closed and says why; there, no slow sender is taken for it.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};
use hookgate_host_tests::client::{Answer, Delivery, Http1, Http2};
use hookgate_host_tests::envoy::{Envoy, Setup};
use hookgate_host_tests::event::{Event, PLATFORM};
use hookgate_host_tests::raw::{self, Head};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep};

use crate::{assert_problem, assert_stored, on_script};

const SETTING: &str = "allow_on_headers_stop_iteration";

/// Looks over two and a half seconds, and a machine under load; a hang would end
/// with the time-out of 30 s.
const AT_ONCE: Duration = Duration::from_secs(5);

fn without_setting() -> Setup {
    Setup::shipped().edit(&format!("                {SETTING}: true\n"), "")
}

/// Sends over HTTP/1.1 and HTTP/2.
async fn over_both(envoy: &Envoy, delivery: impl Fn() -> Result<Delivery>) -> Result<[Answer; 2]> {
    let start = Instant::now();
    let mut http1 = Http1::connect(envoy.address()).await?;
    let mut http2 = Http2::connect(envoy.address()).await?;
    let answers = [
        http1.send(delivery()?).await?,
        http2.send(delivery()?).await?,
    ];
    ensure!(start.elapsed() < 2 * AT_ONCE, "{:?}", start.elapsed());
    Ok(answers)
}

#[tokio::test]
async fn without_the_setting_the_door_is_closed_and_says_why() -> Result<()> {
    let (envoy, script) = on_script(without_setting(), []).await?;
    for answer in over_both(&envoy, || PLATFORM.deliver(&Event::fresh()?)).await? {
        assert_problem(&answer, 503, "unavailable");
    }
    for answer in over_both(&envoy, || PLATFORM.forge(&Event::fresh()?)).await? {
        assert_problem(&answer, 503, "unavailable");
    }
    // Neither needs the body.
    for answer in over_both(&envoy, || Ok(Delivery::post(PLATFORM.path, "x"))).await? {
        assert_problem(&answer, 400, "signature_missing");
    }
    let empty = |signature| Delivery::post(PLATFORM.path, "").header("stripe-signature", signature);
    let signed = || empty(PLATFORM.sign_at(b"other", SystemTime::now())?);
    for answer in over_both(&envoy, signed).await? {
        assert_problem(&answer, 400, "signature_mismatch");
    }
    let admin = envoy.admin();
    admin.expect_deliveries("stripe", "unavailable", 4).await?;
    script.expect_received(0).await?;
    assert_eq!(admin.forwarded().await?, 0);
    assert_eq!(admin.vm_reloads().await?, 0);
    let log = envoy.output()?;
    let lines: Vec<&str> = log.lines().filter(|line| line.contains(SETTING)).collect();
    assert!(!lines.is_empty(), "{log}");
    // Once for each worker, not for each request.
    assert!(lines.len() <= 2, "{lines:?}");
    Ok(())
}

#[tokio::test]
async fn without_the_setting_a_body_in_parts_and_one_with_trailers_are_answered() -> Result<()> {
    let (envoy, script) = on_script(without_setting(), []).await?;
    let event = Event::fresh()?;
    let signature = PLATFORM.sign_at(&event.payload, SystemTime::now())?;
    let head =
        || Head::new(&format!("POST {}", PLATFORM.path)).header("stripe-signature", &signature);
    let chunked = head().chunked_body(&event.payload, 16);
    // All but its end: the sender still waits to send more.
    let unfinished = chunked.get(..chunked.len() - 8).context("too short")?;
    for request in [chunked.as_slice(), unfinished] {
        let mut stream = TcpStream::connect(envoy.address()).await?;
        stream.write_all(request).await?;
        let answer = raw::parse(&raw::read_to_end(&mut stream).await?)?;
        assert_problem(&answer, 503, "unavailable");
    }
    let with_trailer = || PLATFORM.deliver(&event)?.trailer("x-anything", "trailing");
    for answer in over_both(&envoy, with_trailer).await? {
        assert_problem(&answer, 503, "unavailable");
    }
    script.expect_received(0).await?;
    Ok(())
}

#[tokio::test]
async fn a_sender_whose_body_comes_late_is_not_taken_for_the_missing_setting() -> Result<()> {
    let (envoy, script) = on_script(Setup::shipped(), []).await?;
    let mut senders = tokio::task::JoinSet::new();
    // Nothing, a byte, or all but a byte of the body, and the rest four seconds
    // later: sixteen ticks, more than what refuses.
    for early in [Some(0), Some(1), None] {
        let event = Event::fresh()?;
        let signature = PLATFORM.sign_at(&event.payload, SystemTime::now())?;
        let request = Head::new(&format!("POST {}", PLATFORM.path))
            .header("stripe-signature", &signature)
            // Larger than the body: what counts is what came, not what is in the head.
            .header("x-filler", "x".repeat(8_000))
            .sized_body(&event.payload);
        let head = request.len() - event.payload.len();
        let split = early.map_or(request.len() - 1, |bytes| head + bytes);
        let address = envoy.address();
        senders.spawn(async move {
            let mut stream = TcpStream::connect(address).await?;
            let (first, rest) = request.split_at(split);
            stream.write_all(first).await?;
            sleep(Duration::from_secs(4)).await;
            stream.write_all(rest).await?;
            raw::parse(&raw::read_to_end(&mut stream).await?)
        });
    }
    while let Some(answer) = senders.join_next().await {
        assert_stored(&answer??);
    }
    script.expect_received(3).await?;
    assert!(!envoy.output()?.contains(SETTING));
    Ok(())
}

/// Keeps a body for as long as the request asks for, as a filter does that has it
/// looked at elsewhere: headers pass, and the body waits for a server that says nothing.
fn keeping_bodies(silent: SocketAddr) -> Setup {
    let keeper = r#"          - name: keeper
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua
              default_source_code:
                inline_string: |
                  function envoy_on_request(handle)
                    local wait = tonumber(handle:headers():get("x-keep-milliseconds"))
                    for _ in handle:bodyChunks() do
                      if wait then
                        handle:httpCall("silent", {[":method"] = "GET", [":path"] = "/", [":authority"] = "silent"}, nil, wait)
                        wait = nil
                      end
                    end
                  end
"#;
    let gate = "          - name: hookgate\n";
    let port = silent.port();
    let clusters = format!(
        "  clusters:\n  - {{name: silent, type: STATIC, load_assignment: {{cluster_name: silent, \
         endpoints: [{{lb_endpoints: [{{endpoint: {{address: {{socket_address: \
         {{address: 127.0.0.1, port_value: {port}}}}}}}}}]}}]}}}}\n"
    );
    Setup::shipped()
        .workers(1)
        .edit(gate, &format!("{keeper}{gate}"))
        .edit("  clusters:\n", &clusters)
}

#[tokio::test]
async fn a_filter_in_front_that_keeps_bodies_is_not_taken_for_the_missing_setting() -> Result<()> {
    // Takes connections and never reads from one.
    let silent = TcpListener::bind("127.0.0.1:0").await?;
    let setup = keeping_bodies(silent.local_addr()?);
    let (envoy, script) = on_script(setup, []).await?;
    // The first for less than what is judged; from then on the setting is proven.
    for kept in [Duration::from_millis(1_500), Duration::from_secs(4)] {
        let milliseconds = kept.as_millis().to_string();
        let delivery = PLATFORM.deliver(&Event::fresh()?)?;
        let start = Instant::now();
        let answer = envoy
            .send(delivery.header("x-keep-milliseconds", milliseconds)?)
            .await?;
        assert_stored(&answer);
        // The filter's clock is not ours.
        let took = start.elapsed();
        assert!(took + Duration::from_millis(100) > kept, "{took:?}");
    }
    script.expect_received(2).await?;
    assert!(!envoy.output()?.contains(SETTING));
    Ok(())
}
