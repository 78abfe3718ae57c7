//! A mixed load in which every delivery of the table ends at least once.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};
use hookgate_core::metric;
use hookgate_core::outcome::{Outcome, Stage};
use hookgate_core::reply::Code;
use hookgate_host_tests::client::Delivery;
use hookgate_host_tests::envoy::Setup;
use hookgate_host_tests::event::{Endpoint, Event};
use hookgate_host_tests::prometheus::Exposition;
use hookgate_host_tests::raw;
use hookgate_host_tests::script::{Act, Script};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::gate::{
    self, BY_ACCOUNT, BY_ENDPOINT, BY_TYPE, CLOSED, DECIDING, DENYING, FAILURES, FENCED, FRESH,
    IGNORING, LEAVING, PLAIN, REFUSING, SCOPED,
};
use super::{Door, assert_conserved_with_open, assert_names, assert_outcomes, passing};
use crate::assert_problem;

const SENDERS: usize = 8;
const ROUNDS: usize = 12;

/// Slots of the dedup table's one bucket.
const SLOTS: usize = 64;

/// What no client and no upstream can bring about here.
const UNREACHABLE: [(Outcome, &str); 2] = [
    (
        Outcome::Aborted(Stage::Verified),
        "a verified delivery is decided in the same call",
    ),
    (
        Outcome::Refused(Code::Overloaded),
        "nothing is shed without a cascade that lasts: anomalies.rs counts it",
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_name_shows_and_each_request_is_counted_once() -> Result<()> {
    let upstream = Script::start([]).await?;
    let setup = Setup::shipped()
        .workers(3)
        .gate(gate::configuration())
        .keyring(gate::keyring()?);
    let door = Arc::new(Door::new(setup.start(upstream.address()).await?));

    mixed(&door, &upstream).await?;
    refusals(&door).await?;
    policies(&door).await?;
    quotas(&door).await?;
    leave_unverified(&door).await?;
    fill_the_table(&door, &upstream).await?;
    door.assert_conserved().await?;
    use_up_everything(&door).await?;

    let read = door.assert_conserved().await?;
    assert_names(&read);
    assert_outcomes(&read);
    let passed = passing::counted().await?;
    let mut missing = BTreeSet::new();
    for outcome in Outcome::all() {
        if UNREACHABLE.iter().any(|(other, _)| *other == outcome) {
            continue;
        }
        if count_of(&read, outcome)? + count_of(&passed, outcome)? == 0 {
            missing.insert(format!("{} {}", outcome.as_str(), outcome.reason()));
        }
    }
    assert_eq!(missing, BTreeSet::new(), "never seen");
    Ok(())
}

/// Returns how many deliveries ended like this, at any endpoint.
pub(super) fn count_of(read: &Exposition, outcome: Outcome) -> Result<u64> {
    let labels = [("outcome", outcome.as_str()), ("reason", outcome.reason())];
    read.sum(metric::DELIVERIES.name, &labels)
}

/// Senders side by side: fresh events each twice at once, forgeries, clients
/// that leave without an answer, and an upstream that fails in each of its ways.
async fn mixed(door: &Arc<Door>, upstream: &Script) -> Result<()> {
    for act in [Act::Status(503), Act::Reset, Act::Silence, Act::Trickle] {
        for _ in 0..3 {
            upstream.push(act.clone());
            upstream.push(Act::Store);
        }
    }
    let mut senders = JoinSet::new();
    for _ in 0..SENDERS {
        let door = Arc::clone(door);
        senders.spawn(async move {
            for round in 0..ROUNDS {
                let event = Event::fresh()?;
                let twice = [PLAIN.deliver(&event)?, PLAIN.deliver(&event)?];
                let [first, second] = twice.map(|delivery| door.send(PLAIN.name, delivery));
                // An answer that was cut off is as good as any here.
                let _ = tokio::join!(first, second);
                let _ = door.send(PLAIN.name, PLAIN.deliver(&event)?).await;
                let forged = REFUSING.forge(&Event::fresh()?)?;
                door.send(REFUSING.name, forged).await?;
                if round % 4 == 0 {
                    let whole = head(PLAIN, &event)?.sized_body(&event.payload);
                    start(&door, PLAIN.name, &whole).await?;
                }
            }
            anyhow::Ok(())
        });
    }
    while let Some(sender) = senders.join_next().await {
        sender??;
    }
    // One of each that doesn't depend on who came first.
    let event = Event::fresh()?;
    for code in ["stored", "duplicate"] {
        let answer = door.send(PLAIN.name, PLAIN.deliver(&event)?).await?;
        assert_eq!(answer.code(), code);
    }
    Ok(())
}

async fn refusals(door: &Door) -> Result<()> {
    let now = SystemTime::now();
    let event = Event::fresh()?;
    let good = || LEAVING.deliver(&event);
    let old = LEAVING.deliver_aged(&event, Duration::from_secs(3600))?;
    let large = PLAIN.deliver(&Event::fresh_of_size(70_000)?)?;
    for (endpoint, delivery, status, code) in [
        (
            LEAVING,
            good()?.without("stripe-signature"),
            400,
            "signature_missing",
        ),
        (
            LEAVING,
            LEAVING.deliver_signed(&event, "x")?,
            400,
            "signature_malformed",
        ),
        (LEAVING, old, 400, "timestamp_out_of_tolerance"),
        (LEAVING, LEAVING.forge(&event)?, 400, "signature_mismatch"),
        (
            LEAVING,
            Delivery::get(LEAVING.path),
            405,
            "method_not_allowed",
        ),
        (PLAIN, large, 413, "payload_too_large"),
        (FENCED, FENCED.deliver(&event)?, 403, "denied_source"),
        (CLOSED, CLOSED.deliver(&event)?, 503, "unavailable"),
    ] {
        assert_problem(&door.send(endpoint.name, delivery).await?, status, code);
    }
    let unknown = Delivery::post("/c/unknown", event.payload.clone());
    assert_problem(&door.send("_", unknown).await?, 404, "endpoint_unknown");
    // A payload that doesn't say how large it is.
    let large = Event::fresh_of_size(70_000)?;
    let signature = PLAIN.sign_at(&large.payload, now)?;
    let chunked = raw::Head::new(&format!("POST {}", PLAIN.path))
        .header("stripe-signature", signature)
        .chunked_body(&large.payload, 8192);
    door.count(PLAIN.name);
    let answer = raw::send(door.envoy.address(), &chunked).await?;
    assert_problem(&answer, 413, "payload_too_large");
    // The forgeries before have used up this one's failures.
    for _ in 0..FAILURES {
        door.send(REFUSING.name, REFUSING.forge(&event)?).await?;
    }
    let answer = door.send(REFUSING.name, REFUSING.deliver(&event)?).await?;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (429, "rate_limited")
    );
    Ok(())
}

async fn policies(door: &Door) -> Result<()> {
    for (endpoint, status, codes) in [
        (IGNORING, 200, ["ignored", "ignored", "ignored"]),
        (
            DENYING,
            403,
            ["denied_livemode", "denied_type", "denied_account"],
        ),
    ] {
        let live = edited(
            Event::fresh()?,
            r#""livemode": false"#,
            r#""livemode": true"#,
        )?;
        let unwanted = Event::fresh_of_type("customer.created")?;
        let stranger = Event::fresh_of_account("acct_1Stranger")?;
        let stranger = edited(stranger, r#""livemode": true"#, r#""livemode": false"#)?;
        for (event, code) in [live, unwanted, stranger].iter().zip(codes) {
            let answer = door.send(endpoint.name, endpoint.deliver(event)?).await?;
            assert_problem(&answer, status, code);
        }
    }
    let empty = Event {
        id: String::new(),
        payload: "{}".into(),
    };
    let decision = Event::fresh_of_type("issuing_authorization.request")?;
    for (endpoint, event, status, code) in [
        (DENYING, &empty, 400, "payload_invalid"),
        (SCOPED, &Event::fresh()?, 400, "secret_scope"),
        (PLAIN, &decision, 503, "no_decider"),
    ] {
        let answer = door.send(endpoint.name, endpoint.deliver(event)?).await?;
        assert_problem(&answer, status, code);
    }
    let answer = door
        .send(DECIDING.name, DECIDING.deliver(&decision)?)
        .await?;
    assert_eq!(answer.status, 200);
    Ok(())
}

async fn quotas(door: &Door) -> Result<()> {
    let account = || Event::fresh_of_account("acct_1TestSeller0001");
    for (endpoint, first, second) in [
        (BY_ACCOUNT, account()?, account()?),
        (BY_TYPE, Event::fresh()?, Event::fresh()?),
        (BY_ENDPOINT, Event::fresh()?, Event::fresh()?),
    ] {
        let taken = door.send(endpoint.name, endpoint.deliver(&first)?).await?;
        assert_eq!(taken.status, 200, "{taken:?}");
        let limited = door.send(endpoint.name, endpoint.deliver(&second)?).await?;
        assert_eq!(
            (limited.status, limited.code().as_str()),
            (429, "rate_limited")
        );
    }
    Ok(())
}

/// Clients that leave after the headers, in the middle of the body, and before
/// its last byte; some have sent too little to be counted.
async fn leave_unverified(door: &Door) -> Result<()> {
    let event = Event::fresh()?;
    let whole = head(LEAVING, &event)?.sized_body(&event.payload);
    let body = event.payload.len();
    let mut held = Vec::new();
    for missing in [body, body / 2, 1, body, body / 2, 1] {
        let part = whole.get(..whole.len() - missing).context("too short")?;
        held.push(start(door, LEAVING.name, part).await?);
    }
    let mut uncounted = Vec::new();
    for part in [
        &b""[..],
        b"POST /c/lea",
        b"POST /c/leaving HTTP/1.1\r\nhost: x\r\n",
    ] {
        let mut stream = TcpStream::connect(door.envoy.address()).await?;
        stream.write_all(part).await?;
        uncounted.push(stream);
    }
    let read = door
        .expect_open(Stage::Unverified, held.len().try_into()?)
        .await?;
    assert_conserved_with_open(&read)
}

/// As many deliveries under way as the table has room for: the next is
/// unavailable, another of a held event is in progress; then some senders leave.
async fn fill_the_table(door: &Arc<Door>, upstream: &Script) -> Result<()> {
    // What was left behind before is settled, so all the room is there.
    door.assert_conserved().await?;
    upstream.forget();
    let told: Vec<_> = (0..SLOTS).map(|_| Arc::new(Notify::new())).collect();
    for told in &told {
        upstream.push(Act::HoldThen(Arc::clone(told), 200));
    }
    let events = (0..SLOTS)
        .map(|_| Event::fresh())
        .collect::<Result<Vec<_>>>()?;
    let mut senders = JoinSet::new();
    let mut leaving = Vec::new();
    for (count, event) in events.iter().enumerate() {
        if count % 8 == 0 {
            let whole = head(PLAIN, event)?.sized_body(&event.payload);
            leaving.push(start(door, PLAIN.name, &whole).await?);
        } else {
            let (door, delivery) = (Arc::clone(door), PLAIN.deliver(event)?);
            senders.spawn(async move { door.send(PLAIN.name, delivery).await });
        }
    }
    upstream.expect_received(SLOTS).await?;
    let read = door
        .expect_open(Stage::Forwarded, SLOTS.try_into()?)
        .await?;
    assert_conserved_with_open(&read)?;
    let held = events.first().context("no event")?;
    for (event, status, code) in [
        (&Event::fresh()?, 503, "unavailable"),
        (held, 409, "in_progress"),
    ] {
        let answer = door.send(PLAIN.name, PLAIN.deliver(event)?).await?;
        assert_problem(&answer, status, code);
    }
    drop(leaving);
    let stayed = u64::try_from(senders.len())?;
    door.expect_open(Stage::Forwarded, stayed).await?;
    told.iter().for_each(|told| told.notify_one());
    while let Some(answer) = senders.join_next().await {
        assert_eq!(answer??.status, 200);
    }
    Ok(())
}

/// Fresh events until the overall quota refuses one.
async fn use_up_everything(door: &Door) -> Result<()> {
    for _ in 0..=FRESH {
        let delivery = PLAIN.deliver(&Event::fresh()?)?;
        let answer = door.send(PLAIN.name, delivery).await?;
        if answer.status == 429 {
            return Ok(());
        }
    }
    bail!("{FRESH} events more than the overall quota passed");
}

/// Sends the start of a request and keeps the connection; it is counted if
/// its headers are whole.
async fn start(door: &Door, endpoint: &'static str, part: &[u8]) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(door.envoy.address()).await?;
    stream.write_all(part).await?;
    door.count(endpoint);
    Ok(stream)
}

fn head(endpoint: Endpoint, event: &Event) -> Result<raw::Head> {
    let signature = endpoint.sign_at(&event.payload, SystemTime::now())?;
    let line = format!("POST {}", endpoint.path);
    Ok(raw::Head::new(&line).header("stripe-signature", signature))
}

fn edited(event: Event, from: &str, to: &str) -> Result<Event> {
    let text = str::from_utf8(&event.payload)?;
    if !text.contains(from) {
        bail!("no {from} in the fixture");
    }
    Ok(Event {
        payload: text.replace(from, to).into(),
        id: event.id,
    })
}
