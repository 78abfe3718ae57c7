//! What a gate's watch keeps here: its state, and what it said.

use std::{
    fs,
    sync::{
        Barrier,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use hookgate_watch::{
    parts::{self, Head, MAX_PART_BYTES},
    time::Time,
    watch::Watch,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    delivery::Delivery,
    harness::{PATIENCE, Server, events},
    rabbit_server::RabbitLog,
};

const TOKEN: &str = "one-0123456789abcdef0123456789abcdef";

on_both_logs! {
    a_state_is_given_back_after_kill_9
    a_state_is_whole_or_the_one_before
    of_two_that_save_at_once_one_is_kept
    what_was_saved_once_is_there_whoever_saves
    what_began_before_and_never_ended_goes_with_the_next_save
    a_verdict_is_kept_once_and_counted_once
}

/// A request as a gate's watch makes it, until it is changed.
struct Ask<'a> {
    server: &'a Server,
    headers: Vec<(&'a str, String)>,
}

/// Says that a gate asks, with its token.
fn gate(server: &Server) -> Ask<'_> {
    let headers = vec![
        ("x-hookgate-watch", "1".to_owned()),
        ("authorization", format!("Bearer {TOKEN}")),
    ];
    Ask { server, headers }
}

impl<'a> Ask<'a> {
    fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(header, _)| *header != name);
        self
    }

    fn send(&self, method: &str, path: &str, body: &[u8]) -> (u16, Vec<u8>) {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .timeout_global(Some(PATIENCE))
            .build()
            .into();
        let url = format!("http://{}{path}", self.server.address);
        let mut request = ureq::http::Request::builder().method(method).uri(url);
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let mut answer = agent.run(request.body(body).unwrap()).unwrap();
        let bytes = answer
            .body_mut()
            .with_config()
            .limit(u64::MAX)
            .read_to_vec();
        (answer.status().as_u16(), bytes.unwrap())
    }

    /// The status, and the code of the problem.
    fn refused(&self, method: &str, path: &str, body: &[u8]) -> (u16, String) {
        let (status, body) = self.send(method, path, body);
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        (status, body["code"].as_str().unwrap_or_default().to_owned())
    }

    fn told(&self, since: &str) -> Value {
        let (status, body) = self.send("GET", &format!("/v1/watch/verdicts?since={since}"), b"");
        assert_eq!(status, 200);
        serde_json::from_slice(&body).unwrap()
    }
}

fn start(log: &str, folder: &TempDir) -> Server {
    let file = folder.path().join("tokens");
    fs::write(&file, TOKEN).unwrap();
    Server::start(log, &["--gate-token-file", file.to_str().unwrap()])
}

const STATE: &str = "/v1/watch/state?gate=edge";

/// The parts that a watch saves which has learnt of three types: five.
fn saved(save: u64) -> Vec<Vec<u8>> {
    let mut watch = Watch::new(Time::from_unix_seconds(1_760_000_000));
    for name in ["charge.refunded", "invoice.paid", "payout.paid"] {
        watch.came(name, None, save);
    }
    parts::all(save, &watch)
}

/// Saves parts; the status of the last one.
fn put(server: &Server, parts: &[Vec<u8>]) -> u16 {
    let mut last = 0;
    for part in parts {
        last = gate(server).send("PUT", STATE, part).0;
    }
    last
}

/// All parts of what was saved last, as a gate asks for them; `None` if there is nothing.
fn given(server: &Server) -> Option<Vec<Vec<u8>>> {
    let (mut path, mut parts) = (STATE.to_owned(), Vec::new());
    loop {
        let (status, part) = gate(server).send("GET", &path, b"");
        if status == 404 {
            assert_eq!(parts, [] as [Vec<u8>; 0]);
            return None;
        }
        assert_eq!(status, 200);
        let head = Head::of(&part).unwrap();
        path = format!("{STATE}&save={:016x}&part={}", head.save, head.number + 1);
        parts.push(part);
        if head.is_last {
            return Some(parts);
        }
    }
}

fn verdict(id: &str, kind: &str, at: &str) -> Vec<u8> {
    let verdict = json!({
        "specversion": "1.0", "id": id, "source": "/hookgate/gates/edge",
        "type": "hookgate.anomaly.v1", "time": at, "datacontenttype": "application/json",
        "data": {"gate": "edge", "kind": kind, "score": 0.5, "subject": null, "began": at,
            "evidence": "invalid signatures 41/s against 0.050/s usual"},
    });
    verdict.to_string().into_bytes()
}

fn a_state_is_given_back_after_kill_9(log: &str) {
    let folder = tempfile::tempdir().unwrap();
    let server = start(log, &folder);
    let unknown = (404, "state_unknown".to_owned());
    assert_eq!(gate(&server).refused("GET", STATE, b""), unknown);
    for save in [1, u64::MAX, 3] {
        assert_eq!(put(&server, &saved(save)), 204);
    }
    // Another gate's is another one.
    let other = "/v1/watch/state?gate=other";
    assert_eq!(gate(&server).refused("GET", other, b""), unknown);
    server.kill_9();
    let server = start(log, &folder);
    assert!(given(&server) == Some(saved(3)), "another state");
    // What had its place is gone.
    for save in ["0000000000000001", "ffffffffffffffff"] {
        let path = format!("{STATE}&save={save}&part=1");
        assert_eq!(gate(&server).refused("GET", &path, b""), unknown);
    }
    // Nothing of it is an event.
    assert_eq!(events(log), Vec::<Value>::new());
}

fn a_state_is_whole_or_the_one_before(log: &str) {
    let folder = tempfile::tempdir().unwrap();
    let server = start(log, &folder);
    let (first, second) = (saved(1), saved(2));
    // Its end without its beginning is none, nor is its beginning without its end.
    let incomplete = (409, "state_incomplete".to_owned());
    assert_eq!(gate(&server).refused("PUT", STATE, &first[4]), incomplete);
    assert_eq!(put(&server, &first[..4]), 204);
    assert!(given(&server).is_none());
    // Nor is one with a gap.
    let gap = saved(9);
    assert_eq!(put(&server, &[&gap[..1], &gap[2..]].concat()), 409);
    assert!(given(&server).is_none());
    assert_eq!(put(&server, &first), 204);
    assert_eq!(put(&server, &second[..4]), 204);
    assert!(given(&server) == Some(first), "another state");
    server.kill_9();
    let server = start(log, &folder);
    // It goes on where it was, also if a part comes twice.
    assert_eq!(put(&server, &second[3..]), 204);
    assert!(given(&server) == Some(second), "another state");
}

/// The lease of whoever looks may end while it saves.
fn of_two_that_save_at_once_one_is_kept(log: &str) {
    let folder = tempfile::tempdir().unwrap();
    let server = start(log, &folder);
    let (first, second) = (saved(1), saved(2));
    put(&server, &first[..2]);
    put(&server, &second[..4]);
    put(&server, &first[2..]);
    let between = given(&server);
    let kept = put(&server, &second[4..]);
    // Whichever was kept is whole, and who hears 204 is the one.
    let after = given(&server);
    if kept == 204 {
        assert!(after == Some(second), "another state");
    } else {
        assert!(after == Some(first) && after == between, "another state");
    }
}

/// Two end a save at the same time, again and again, while somebody reads.
fn what_was_saved_once_is_there_whoever_saves(log: &str) {
    let folder = tempfile::tempdir().unwrap();
    let server = start(log, &folder);
    assert_eq!(put(&server, &saved(1)), 204);
    let (together, saving) = (Barrier::new(2), AtomicUsize::new(2));
    let saves = |from: u64| {
        for save in from..from + 30 {
            let parts = saved(save);
            put(&server, &parts[..4]);
            together.wait();
            put(&server, &parts[4..]);
            together.wait();
        }
        saving.fetch_sub(1, Ordering::SeqCst);
    };
    thread::scope(|scope| {
        scope.spawn(|| saves(100));
        scope.spawn(|| saves(200));
        while saving.load(Ordering::SeqCst) > 0 {
            assert_eq!(gate(&server).send("GET", STATE, b"").0, 200);
        }
    });
    let kept = given(&server).expect("it is gone");
    let save = Head::of(&kept[0]).unwrap().save;
    assert!(kept == saved(save), "another state");
}

fn what_began_before_and_never_ended_goes_with_the_next_save(log: &str) {
    let folder = tempfile::tempdir().unwrap();
    let server = start(log, &folder);
    let there = |save: u64, number: u32| {
        let path = format!("{STATE}&save={save:016x}&part={number}");
        gate(&server).send("GET", &path, b"").0
    };
    assert_eq!(put(&server, &saved(1)), 204);
    assert_eq!(put(&server, &saved(2)[..4]), 204);
    assert_eq!((there(1, 3), there(2, 0), there(2, 3)), (200, 200, 200));
    assert_eq!(put(&server, &saved(3)[..1]), 204);
    assert_eq!((there(1, 3), there(2, 0), there(2, 3)), (200, 404, 404));
    // And it doesn't go on.
    assert_eq!(put(&server, &saved(2)[4..]), 409);
    assert!(given(&server) == Some(saved(1)), "another state");
}

fn a_verdict_is_kept_once_and_counted_once(log: &str) {
    let folder = tempfile::tempdir().unwrap();
    let server = start(log, &folder);
    let path = "/v1/watch/verdicts";
    let old = verdict("edge.1", "forged_signatures", "2026-01-01T00:00:00Z");
    let new = verdict("edge.2", "of_a_later_version", "2026-01-02T00:00:00Z");
    for body in [&old, &old, &new] {
        assert_eq!(gate(&server).send("POST", path, body).0, 204);
    }
    server.scrape().assert(&[
        (r#"hookgate_verdicts_total{kind="forged_signatures"}"#, 1.0),
        (r#"hookgate_verdicts_total{kind="other"}"#, 1.0),
        (r#"hookgate_verdicts_total{kind="slow_loris"}"#, 0.0),
    ]);
    server.kill_9();
    let server = start(log, &folder);
    let read = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap();
    let both = json!([read(&old), read(&new)]);
    assert_eq!(gate(&server).told("2026-01-01T00:00:00Z"), both);
    let last = json!([read(&new)]);
    assert_eq!(gate(&server).told("2026-01-01T00:00:01Z"), last);
}

#[test]
fn nobody_but_the_gate_says_or_learns_anything() {
    let folder = tempfile::tempdir().unwrap();
    let log = format!("sqlite:{}", folder.path().join("log.db").display());
    let server = start(&log, &folder);
    let said = verdict("edge.1", "slow_loris", "2026-01-01T00:00:00Z");
    let (state, path) = (saved(1).swap_remove(0), STATE);
    for (method, path, body) in [
        ("PUT", path, state.as_slice()),
        ("GET", path, b""),
        ("POST", "/v1/watch/verdicts", &said),
        ("GET", "/v1/watch/verdicts?since=2026-01-01T00:00:00Z", b""),
    ] {
        let ask = gate(&server).without("authorization");
        let expected = (401, "gate_token_invalid".to_owned());
        assert_eq!(ask.refused(method, path, body), expected);
        // What the gate takes from every client that it lets through.
        let ask = gate(&server).without("x-hookgate-watch");
        let expected = (403, "not_the_gate".to_owned());
        assert_eq!(ask.refused(method, path, body), expected);
    }
    assert_eq!(gate(&server).send("GET", path, b"").0, 404);
    assert_eq!(gate(&server).told("2026-01-01T00:00:00Z"), json!([]));
}

#[test]
fn what_is_no_state_and_no_verdict_is_refused_precisely() {
    let folder = tempfile::tempdir().unwrap();
    let log = format!("sqlite:{}", folder.path().join("log.db").display());
    let server = start(&log, &folder);
    let (states, verdicts) = (STATE, "/v1/watch/verdicts");
    let mut damaged = saved(1).swap_remove(0);
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    let cut = &damaged[..100];
    let whole = Watch::new(Time::from_unix_seconds(0)).save();
    let large = vec![b'x'; MAX_PART_BYTES + 1];
    let mut foreign = verdict("edge.1", "slow_loris", "2026-01-01T00:00:00Z");
    foreign.truncate(50);
    for (method, path, body, status, code) in [
        ("PUT", states, b"".as_slice(), 400, "state_invalid"),
        ("PUT", states, b"{}", 400, "state_invalid"),
        ("PUT", states, damaged.as_slice(), 400, "state_invalid"),
        ("PUT", states, cut, 400, "state_invalid"),
        ("PUT", states, whole.as_slice(), 400, "state_invalid"),
        ("PUT", states, large.as_slice(), 413, "payload_too_large"),
        ("POST", verdicts, b"{}", 400, "verdict_invalid"),
        ("POST", verdicts, foreign.as_slice(), 400, "verdict_invalid"),
        ("POST", verdicts, &large[..20_000], 413, "payload_too_large"),
        ("PUT", "/v1/watch/state", b"", 400, "gate_name_invalid"),
        (
            "GET",
            "/v1/watch/state?gate=",
            b"",
            400,
            "gate_name_invalid",
        ),
        (
            "GET",
            "/v1/watch/state?gate=a/b",
            b"",
            400,
            "gate_name_invalid",
        ),
        (
            "GET",
            "/v1/watch/state?gate=edge&part=1",
            b"",
            400,
            "state_part_invalid",
        ),
        (
            "GET",
            "/v1/watch/state?gate=edge&save=1&part=130",
            b"",
            400,
            "state_part_invalid",
        ),
        (
            "GET",
            "/v1/watch/state?gate=edge&save=edge&part=1",
            b"",
            400,
            "state_part_invalid",
        ),
        ("GET", verdicts, b"", 400, "since_invalid"),
        (
            "GET",
            "/v1/watch/verdicts?since=now",
            b"",
            400,
            "since_invalid",
        ),
        ("DELETE", states, b"", 405, "method_not_allowed"),
    ] {
        let expected = (status, code.to_owned());
        let found = gate(&server).refused(method, path, body);
        assert_eq!(found, expected, "{method} {path}");
    }
    assert_eq!(gate(&server).send("GET", states, b"").0, 404);
    // None of it has harmed the door.
    let delivery = Delivery::new("evt_1").and("authorization", &format!("Bearer {TOKEN}"));
    assert_eq!(delivery.send(&server).status, 200);
}

#[test]
fn a_log_beside_which_nothing_is_kept_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(&RabbitLog::shared().address(), &folder);
    // Nor does the server read it, which is nothing to alert about.
    let judged = server.scrape().value("hookgate_judged_timestamp_seconds");
    assert_eq!(judged, Some(0.0));
    let said = verdict("edge.1", "slow_loris", "2026-01-01T00:00:00Z");
    for (method, path, body) in [
        ("GET", "/v1/watch/state?gate=edge", b"".as_slice()),
        ("POST", "/v1/watch/verdicts", &said),
    ] {
        let (status, answer) = gate(&server).send(method, path, body);
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!((status, &answer["code"]), (501, &json!("watch_not_kept")));
        let detail = answer["detail"].as_str().unwrap();
        assert!(
            detail.contains("`sqlite:PATH` or `nats://HOST:PORT`"),
            "{detail}"
        );
    }
}
