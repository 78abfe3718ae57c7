//! Requests whose framing means one thing to one parser and another to the
//! next: one comes in, at most one goes out, and that one is whole and verified.

use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use hookgate_host_tests::envoy::{Envoy, Setup};
use hookgate_host_tests::event::{CONNECT, Event, PLATFORM};
use hookgate_host_tests::frames::{self, End};
use hookgate_host_tests::raw::{self, Head};
use hookgate_host_tests::script::{Received, Script};

use crate::on_script;

/// When a connection that stays open has said all: many times what an answer
/// takes.
const QUIET: Duration = Duration::from_secs(2);

/// A second request, as it may lie in the body of a first.
const HIDDEN: &str = "POST /v1/events HTTP/1.1\r\nhost: door.test\r\nce-id: evt_hidden\r\n\
                      ce-source: /hookgate/stripe\r\ncontent-length: 0\r\n\r\n";

/// A door, and everything genuine that was sent to it.
struct Door {
    envoy: Envoy,
    script: Script,
}

impl Door {
    async fn open() -> Result<Self> {
        // What is refused here would use up the quota of its sender.
        let setup = Setup::shipped().edit(
            r#""rate": 60, "per_seconds": 60, "burst": 100"#,
            r#""rate": 1000000"#,
        );
        let (envoy, script) = on_script(setup, []).await?;
        Ok(Self { envoy, script })
    }

    /// Sends bytes; returns the statuses of all answers, and checks what the
    /// upstream got for it.
    async fn send(&self, what: &str, event: &Event, bytes: &[u8]) -> Result<Vec<u16>> {
        let address = self.envoy.address();
        let answers = raw::exchange_until_quiet(address, bytes, QUIET).await?;
        let text = String::from_utf8_lossy(&answers);
        let statuses: Vec<u16> = text
            .split("HTTP/1.1 ")
            .skip(1)
            .filter_map(|answer| answer.get(..3)?.parse().ok())
            .filter(|status| *status != 100)
            .collect();
        self.check(what, event)?;
        Ok(statuses)
    }

    /// What has reached the upstream is this event at most, once, as signed.
    fn check(&self, what: &str, event: &Event) -> Result<()> {
        let received = self.script.received();
        assert!(received.len() <= 1, "{what}: {received:?}");
        for one in received {
            assert_is(what, event, &one);
        }
        self.script.forget();
        Ok(())
    }
}

#[track_caller]
fn assert_is(what: &str, event: &Event, one: &Received) {
    assert_eq!(one.method, "POST", "{what}");
    assert_eq!(one.path, "/v1/events", "{what}");
    assert_eq!(one.body, event.payload, "{what}");
    for (name, expected) in [
        ("ce-id", event.id.as_str()),
        ("ce-source", "/hookgate/stripe"),
    ] {
        let values: Vec<_> = one.headers.get_all(name).iter().collect();
        assert_eq!(values, [expected], "{what}");
    }
    assert_eq!(one.headers.get_all("stripe-signature").iter().count(), 1);
}

fn signed(event: &Event) -> Result<Head> {
    let signature = PLATFORM.sign_at(&event.payload, SystemTime::now())?;
    let head = Head::new(&format!("POST {}", PLATFORM.path));
    Ok(head.header("stripe-signature", signature))
}

/// Genuine deliveries in framings of which parsers think differently: each is
/// refused, or arrives as it was signed.
#[tokio::test]
async fn framing_that_parsers_read_differently_is_refused_whole() -> Result<()> {
    let door = Door::open().await?;
    let hidden = HIDDEN.as_bytes();
    let refused: &[(&str, &[(&str, &str)])] = &[
        (
            "a length and chunks",
            &[("content-length", "L"), ("transfer-encoding", "chunked")],
        ),
        (
            "chunks and a length",
            &[("transfer-encoding", "chunked"), ("content-length", "L")],
        ),
        (
            "two lengths",
            &[("content-length", "L"), ("content-length", "0")],
        ),
        (
            "two lengths, the wrong one first",
            &[("content-length", "0"), ("content-length", "L")],
        ),
        ("two lengths in one", &[("content-length", "L, 0")]),
        ("a signed length", &[("content-length", "+L")]),
        ("a negative length", &[("content-length", "-1")]),
        ("a length in hex", &[("content-length", "0x10")]),
        ("a length with a space in it", &[("content-length", "1 0")]),
        (
            "a length beyond numbers",
            &[("content-length", "99999999999999999999999999")],
        ),
        ("an unknown coding", &[("transfer-encoding", "xchunked")]),
        (
            "chunks and something else",
            &[("transfer-encoding", "chunked, identity")],
        ),
        (
            "something else and chunks",
            &[("transfer-encoding", "gzip, chunked")],
        ),
        (
            "chunks twice",
            &[
                ("transfer-encoding", "chunked"),
                ("transfer-encoding", "identity"),
            ],
        ),
        (
            "a coding behind a vertical tab",
            &[("transfer-encoding", "\x0bchunked")],
        ),
        (
            "a space before the colon",
            &[("transfer-encoding ", "chunked"), ("content-length", "L")],
        ),
        (
            "a coding with an underscore",
            &[("transfer_encoding", "chunked"), ("content-length", "L")],
        ),
    ];
    for (what, framing) in refused {
        let event = Event::fresh()?;
        let length = event.payload.len().to_string();
        let mut head = signed(&event)?;
        for (name, value) in *framing {
            head = head.header(name, value.replace('L', &length));
        }
        let body = [&event.payload[..], b"\r\n0\r\n\r\n", hidden].concat();
        let statuses = door.send(what, &event, &head.body(&body)).await?;
        let first = statuses
            .first()
            .with_context(|| format!("{what}: no answer"))?;
        assert!((400..=501).contains(first), "{what}: {statuses:?}");
        assert!(
            statuses.iter().all(|status| *status >= 400),
            "{what}: {statuses:?}"
        );
    }
    Ok(())
}

/// Chunks that are malformed end the request, whatever came before.
#[tokio::test]
async fn malformed_chunks_never_end_as_a_request() -> Result<()> {
    let door = Door::open().await?;
    for (what, size, end) in [
        ("a size beyond numbers", "fffffffffffffffff", "0\r\n\r\n"),
        ("a negative size", "-1", "0\r\n\r\n"),
        ("a size with a prefix", "0x10", "0\r\n\r\n"),
        ("a size that is too small", "10", "0\r\n\r\n"),
        ("a size that is too large", "7fffffff", "0\r\n\r\n"),
        ("an end without its line", "SIZE", "0\r\nx"),
        ("no end", "SIZE", ""),
    ] {
        let event = Event::fresh()?;
        let size = size.replace("SIZE", &format!("{:x}", event.payload.len()));
        let mut body = format!("{size}\r\n").into_bytes();
        body.extend_from_slice(&event.payload);
        body.extend_from_slice(format!("\r\n{end}").as_bytes());
        let request = signed(&event)?
            .header("transfer-encoding", "chunked")
            .body(&body);
        let mut stream = tokio::net::TcpStream::connect(door.envoy.address()).await?;
        let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, &request).await;
        // Nothing more will come.
        let _ = tokio::io::AsyncWriteExt::shutdown(&mut stream).await;
        let answer = raw::read_to_end(&mut stream).await?;
        if let Ok(answer) = raw::parse(&answer) {
            assert!(answer.status >= 400, "{what}: {answer:?}");
        }
        door.check(what, &event)?;
    }
    Ok(())
}

/// Heads that some parsers mend: never to another meaning.
#[tokio::test]
async fn heads_that_parsers_mend_are_refused_or_mean_what_they_say() -> Result<()> {
    let door = Door::open().await?;
    for (what, from, to) in [
        (
            "a folded header",
            "connection: close",
            "x-a: b\r\n ce-id: evt_hidden",
        ),
        (
            "a folded signature",
            "stripe-signature: ",
            "stripe-signature:\r\n ",
        ),
        (
            "a header folded with a tab",
            "connection: close",
            "x-a:\r\n\tb",
        ),
        (
            "a bare line feed between headers",
            "\r\nconnection",
            "\nconnection",
        ),
        ("bare line feeds throughout", "\r\n", "\n"),
        (
            "a bare carriage return in a value",
            "door.test",
            "door.test\rce-id: evt_hidden",
        ),
        (
            "a bare carriage return before a name",
            "connection: close",
            "\rce-id: evt_hidden",
        ),
        ("a zero byte in a value", "door.test", "door.test\0.evil"),
        ("a zero byte in a name", "connection", "conn\0ection"),
        (
            "a space before the first header",
            "host: door.test",
            " ce-id: evt_hidden\r\nhost: door.test",
        ),
        (
            "a space before a colon",
            "connection: close",
            "ce-id : evt_hidden",
        ),
        ("a header without a colon", "connection: close", "ce-id"),
        (
            "a header without a name",
            "connection: close",
            ": evt_hidden",
        ),
        (
            "two hosts",
            "host: door.test",
            "host: door.test\r\nhost: evil.test",
        ),
        ("no host", "host: door.test\r\n", ""),
        ("two spaces in the first line", " HTTP/1.1", "  HTTP/1.1"),
        ("HTTP/1.0", "HTTP/1.1", "HTTP/1.0"),
        ("HTTP/0.9", " HTTP/1.1", ""),
        ("HTTP/2.0", "HTTP/1.1", "HTTP/2.0"),
        ("a version of no kind", "HTTP/1.1", "HTTP/1.1x"),
        ("a lower-case method", "POST ", "post "),
        ("an empty line first", "POST ", "\r\nPOST "),
        (
            "an upgrade",
            "connection: close",
            "connection: upgrade\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__",
        ),
        (
            "headers named as hop by hop",
            "connection: close",
            "connection: close, stripe-signature, ce-id",
        ),
    ] {
        let event = Event::fresh()?;
        let request = signed(&event)?.sized_body(&event.payload);
        let (head, body) = split(&request)?;
        assert!(head.contains(from), "{what}: no `{from}` in {head}");
        let replaced = if from == "\r\n" {
            head.replace(from, to)
        } else {
            head.replacen(from, to, 1)
        };
        let mut bytes = replaced.into_bytes();
        bytes.extend_from_slice(body);
        bytes.extend_from_slice(HIDDEN.as_bytes());
        let statuses = door.send(what, &event, &bytes).await?;
        eprintln!("{what}: {statuses:?}");
        let mut later = statuses.iter().skip(1);
        assert!(later.all(|status| *status >= 400), "{what}: {statuses:?}");
    }
    Ok(())
}

/// Splits a request behind its head.
fn split(request: &[u8]) -> Result<(String, &[u8])> {
    let end = request.windows(4).position(|four| four == b"\r\n\r\n");
    let (head, body) = request.split_at(end.context("no end of the head")? + 4);
    Ok((String::from_utf8(head.to_vec())?, body))
}

/// Trailers, written by hand: what they hold is no header, and no request.
#[tokio::test]
async fn trailers_by_hand_change_nothing_of_what_is_forwarded() -> Result<()> {
    let door = Door::open().await?;
    for trailers in [
        "ce-id: evt_hidden\r\n",
        "stripe-signature: t=1,v1=00\r\n",
        "content-length: 0\r\n",
        "transfer-encoding: chunked\r\n",
        "host: evil.test\r\n",
        "authorization: Bearer smuggled\r\n",
        "x-envoy-upstream-rq-timeout-ms: 1\r\n",
        "ce_id: evt_hidden\r\n",
    ] {
        for genuine in [true, false] {
            let event = Event::fresh()?;
            let sent = if genuine {
                event.payload.clone()
            } else {
                Event::fresh()?.payload
            };
            let chunks = signed(&event)?.chunked_body(&sent, 64);
            let end = chunks.len() - 2;
            let request = [
                chunks.get(..end).context("short")?,
                trailers.as_bytes(),
                b"\r\n",
            ];
            let statuses = door.send(trailers, &event, &request.concat()).await?;
            let allowed: &[u16] = if genuine { &[200, 400] } else { &[400] };
            let first = statuses.first().context(trailers)?;
            assert!(allowed.contains(first), "{trailers}: {statuses:?}");
        }
    }
    // So many that no header map holds them.
    let event = Event::fresh()?;
    let chunks = signed(&event)?.chunked_body(&event.payload, 64);
    let many = "x-a: b\r\n".repeat(50_000);
    let end = chunks.len() - 2;
    let request = [
        chunks.get(..end).context("short")?,
        many.as_bytes(),
        b"\r\n",
    ]
    .concat();
    let statuses = door.send("many trailers", &event, &request).await?;
    assert!(statuses.iter().all(|status| *status >= 400), "{statuses:?}");
    Ok(())
}

/// What HTTP/2 knows better than HTTP/1: a length beside frames, names, and
/// which fields are whose.
#[tokio::test]
async fn http2_requests_that_no_library_sends_are_refused_or_mean_what_they_say() -> Result<()> {
    type Fields = Vec<(Vec<u8>, Vec<u8>)>;
    /// What it is, the fields that are added, and whether it may arrive.
    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], bool);
    let door = Door::open().await?;
    let field = |name: &str, value: &str| (name.as_bytes().to_vec(), value.as_bytes().to_vec());
    let genuine = |event: &Event| -> Result<Fields> {
        let signature = PLATFORM.sign_at(&event.payload, SystemTime::now())?;
        Ok(vec![
            field(":method", "POST"),
            field(":scheme", "http"),
            field(":path", PLATFORM.path),
            field(":authority", "door.test"),
            field("stripe-signature", &signature),
        ])
    };
    let added: &[Case<'_>] = &[
        ("nothing odd", &[], true),
        (
            "a length that is too small",
            &[("content-length", "5")],
            false,
        ),
        (
            "a length that is too large",
            &[("content-length", "99999")],
            false,
        ),
        (
            "two lengths",
            &[("content-length", "5"), ("content-length", "6")],
            false,
        ),
        ("chunks", &[("transfer-encoding", "chunked")], false),
        ("a connection header", &[("connection", "close")], false),
        ("an upper-case name", &[("CE-ID", "evt_hidden")], false),
        ("a name with a space", &[("ce-id ", "evt_hidden")], false),
        ("a name with a colon", &[("ce-id:x", "evt_hidden")], false),
        (
            "a line break in a value",
            &[("x-a", "b\r\nce-id: evt_hidden")],
            false,
        ),
        (
            "a line break in a name",
            &[("x-a\r\nce-id", "evt_hidden")],
            false,
        ),
        ("a zero byte in a value", &[("x-a", "b\0c")], false),
        ("an empty name", &[("", "x")], false),
        ("a second path", &[(":path", CONNECT.path)], false),
        ("a second method", &[(":method", "GET")], false),
        ("an unknown pseudo header", &[(":evil", "x")], false),
        ("a status in a request", &[(":status", "200")], false),
        ("an underscore", &[("ce_id", "evt_hidden")], false),
        ("another host", &[("host", "evil.test")], true),
        ("a TE that isn't trailers", &[("te", "gzip")], true),
        (
            "the gate's own headers",
            &[("ce-id", "evt_hidden"), ("x-hookgate-route", "x")],
            true,
        ),
    ];
    for (what, more, may_pass) in added {
        let event = Event::fresh()?;
        let mut fields = genuine(&event)?;
        fields.extend(more.iter().map(|(name, value)| field(name, value)));
        let fields: Vec<(&[u8], &[u8])> = fields
            .iter()
            .map(|(name, value)| (name.as_slice(), value.as_slice()))
            .collect();
        let request = [
            frames::headers(1, &fields, false),
            frames::data(1, &event.payload, true),
        ];
        let end = frames::exchange(door.envoy.address(), &request.concat()).await?;
        eprintln!("{what}: {end:?}");
        door.check(what, &event)?;
        let is_refused = match end {
            End::Reset => true,
            End::Status(status) => status >= 400,
        };
        assert!(is_refused || *may_pass, "{what}: {end:?}");
    }
    let control = Event::fresh()?;
    let fields = genuine(&control)?;
    let fields: Vec<(&[u8], &[u8])> = fields.iter().map(|(n, v)| (&n[..], &v[..])).collect();
    let trailers: &[(&str, &str)] = &[(":path", CONNECT.path), ("transfer-encoding", "chunked")];
    for trailer in trailers {
        let request = [
            frames::headers(1, &fields, false),
            frames::data(1, &control.payload, false),
            frames::headers(1, &[(trailer.0.as_bytes(), trailer.1.as_bytes())], true),
        ];
        let end = frames::exchange(door.envoy.address(), &request.concat()).await?;
        assert_eq!(end, End::Reset, "{trailer:?}");
        door.check("trailers", &control)?;
    }
    Ok(())
}
