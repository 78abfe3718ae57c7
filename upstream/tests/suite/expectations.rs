//! What should have followed an event, and what destinations report.

mod long;

use std::{
    fs,
    process::Command,
    thread,
    time::{Duration, UNIX_EPOCH},
};

use hookgate_core::time::Timestamp;
use serde_json::{Value, json};

use crate::{
    console::{Client, Reply, send},
    contract::Backend as _,
    contract::Sqlite,
    delivery::{Delivery, seconds_from_now},
    destinations::destination,
    harness::{Server, failure, hookgate, output, refusal, until},
    receiver::{Reaction, Receiver},
};

const TOKEN: &str = "orders-0123456789abcdef0123456789abcdef";
const REPORTERS: &str =
    "[[expectations.reporters]]\ndestination = \"orders\"\ntoken = \"OUTCOMES_ORDERS\"\n";

/// A server that takes events of any age, because it verifies none.
fn serve(log: &str, config: &str, folder: &tempfile::TempDir) -> Server {
    let file = folder.path().join("hookgate.toml");
    fs::write(&file, config).unwrap();
    let mut command = hookgate();
    command
        .args(["serve", "--log", log, "--config"])
        .arg(file)
        .env("OUTCOMES_ORDERS", TOKEN)
        .env_remove("STRIPE_WEBHOOK_SECRET")
        .env_remove("STRIPE_CONNECT_WEBHOOK_SECRET");
    Server::spawn(command)
}

fn report(server: &Server, token: &str, body: &str) -> Reply {
    let head = format!(
        "POST /v1/outcomes HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {token}\r\n",
        server.address
    );
    send(server.address, &head, body)
}

/// An event of an object that the gate saw at a time.
fn event_of(id: &str, type_name: &str, object: &str, at: Timestamp) -> Delivery {
    let payload = json!({"id": id, "object": "event", "type": type_name, "created": 1_760_000_000,
        "account": "acct_1", "livemode": false, "data": {"object": {"id": object}}});
    Delivery::with_payload(id, payload.to_string().into_bytes())
        .with("ce-type", type_name)
        .signed("whsec_any", at, at)
}

/// Sends one that the gate saw so many seconds ago.
fn event(server: &Server, id: &str, type_name: &str, object: &str, ago: i64) {
    let delivery = event_of(id, type_name, object, seconds_from_now(-ago));
    let answer = delivery.send(server);
    assert_eq!(answer.outcome().1, "stored", "{}", server.stderr());
}

fn flags(log: &str, more: &[&str]) -> Vec<Value> {
    let mut command = hookgate();
    command
        .args(["watch", "flags", "--json", "--log", log])
        .args(more);
    let lines = String::from_utf8(output(&mut command)).unwrap();
    let lines = lines.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn in_review(log: &str) -> Vec<Value> {
    let mut command = hookgate();
    command.args([
        "review",
        "list",
        "--json",
        "--parked-for",
        "overdue",
        "--log",
        log,
    ]);
    let lines = String::from_utf8(output(&mut command)).unwrap();
    let lines = lines.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Nine days of payments, more of them by day, and of payouts of which the last are late.
pub(crate) fn history(log: &str) {
    const MINUTE: i64 = 60;
    let folder = tempfile::tempdir().unwrap();
    let config = format!(
        "[expectations]\nstate = \"{}\"\n",
        folder.path().join("x").display()
    );
    let server = serve(log, &config, &folder);
    let mut events = Vec::new();
    for slot in 0..9 * 72_i64 {
        let ago = (9 * 1_440 - slot * 20) * MINUTE;
        let by_day = i64::from((24..60).contains(&(slot % 72)));
        for number in 0..=by_day {
            let object = format!("pi_h{slot}_{number}");
            events.push((ago, "payment_intent.created", object.clone()));
            events.push((ago - 20 - slot % 9, "payment_intent.succeeded", object));
        }
        if slot % 5 == 0 {
            let object = format!("po_h{slot}");
            events.push((ago, "payout.created", object.clone()));
            if slot != 580 {
                events.push((ago - 90 * MINUTE, "payout.paid", object));
            }
        }
    }
    events.retain(|(ago, ..)| *ago > 0);
    events.sort_by_key(|(ago, ..)| -ago);
    for (number, (ago, type_name, object)) in events.iter().enumerate() {
        event(
            &server,
            &format!("evt_h{number:05}"),
            type_name,
            object,
            *ago,
        );
    }
    server.stop();
}

/// 120 payouts within ten days; that of number 117 is never paid.
fn payouts(server: &Server) {
    const HOUR: i64 = 3_600;
    for number in 0..120_i64 {
        let ago = (240 - 2 * number) * HOUR;
        let object = format!("po_{number}");
        event(
            server,
            &format!("evt_c{number}"),
            "payout.created",
            &object,
            ago,
        );
        if number != 117 {
            let paid = ago - HOUR - number % 7 * 60;
            event(
                server,
                &format!("evt_p{number}"),
                "payout.paid",
                &object,
                paid,
            );
        }
    }
}

fn a_payout_that_is_never_paid_is_told_and_waits_for_a_person(log: &str) {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    // Read as it was stored in one go, whose end nobody waits for.
    let first = format!(
        "[expectations]\nstate = \"{}\"\n",
        folder.path().join("first").display()
    );
    let server = serve(log, &first, &folder);
    payouts(&server);
    server.stop();
    let orders = Receiver::start(|_, _| Reaction::Status(200));
    let config = format!(
        "{}[expectations]\nstate = \"{}\"\n",
        destination("orders", &orders.url(), ""),
        state.display()
    );
    let server = serve(log, &config, &folder);
    let config = folder.path().join("hookgate.toml");
    let config = ["--config", config.to_str().unwrap()];
    let told = until("it is told, and parked", || {
        let told = flags(log, &config).pop()?;
        (!told["review"].is_null()).then_some(told)
    });
    assert_eq!(told["kind"], "overdue_successor");
    assert_eq!(told["event"]["id"], "evt_c117");
    assert_eq!(told["review"], "orders");
    assert_eq!(told["similar"].as_array().unwrap().len(), 3);
    let evidence = told["evidence"].as_str().unwrap();
    assert!(
        evidence.contains("followed 118 of 118 such events"),
        "{evidence}"
    );
    let parked = in_review(log);
    assert_eq!(parked.len(), 1, "{parked:?}");
    assert_eq!(
        (&parked[0]["id"], &parked[0]["reason"]),
        (&json!("evt_c117"), &json!("overdue"))
    );

    let client = Client::new(server.metrics());
    let page = client.get("/");
    page.says(200, "overdue successor");
    page.says(200, "href=\"/event?id=evt_c117&amp;source=stripe\"");
    page.says(200, "class=\"plot\"");
    let page = server.scrape();
    let counted = r#"hookgate_flags_total{kind="overdue_successor",type="payout.created"}"#;
    assert_eq!(page.value(counted), Some(1.0));
    let judged = page.value("hookgate_judged_timestamp_seconds").unwrap();
    let now = UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
    assert!((now - judged).abs() < 60.0, "{judged}, and it is {now}");

    // Nothing of it is told, or parked, again.
    server.stop();
    let text = fs::read_to_string(folder.path().join("hookgate.toml")).unwrap();
    let server = serve(log, &text, &folder);
    until("the log is read again", || {
        (server.scrape().value("hookgate_expecting") > Some(0.0)).then_some(())
    });
    event(&server, "evt_late", "payout.paid", "po_117", 0);
    until("it came after all", || {
        let told = flags(log, &config);
        (!told[0]["came"].is_null()).then_some(())
    });
    assert_eq!(flags(log, &config).len(), 1);
    assert_eq!(
        flags(log, &[&config[..], &["--open"]].concat()),
        [Value::Null; 0]
    );
    assert_eq!(in_review(log).len(), 1);
}

/// A service that reads the log by itself: its time counts from when an event came.
fn what_a_service_never_reports_as_done_is_told(log: &str) {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state").display().to_string();
    let config = format!("{REPORTERS}[expectations]\nstate = \"{state}\"\n");
    let server = serve(log, &config, &folder);
    let charge = |id: &str, ago| event(&server, id, "charge.succeeded", &format!("ch_{id}"), ago);
    let is_done = |id: &str| {
        let done = json!({"source": "stripe", "id": id, "result": "completed"});
        report(&server, TOKEN, &done.to_string()).says(200, "recorded");
    };
    // It takes ten minutes.
    for number in 1..=120 {
        let id = format!("evt_{number}");
        charge(&id, 600);
        is_done(&id);
    }
    let config = folder.path().join("hookgate.toml");
    let config = ["--config", config.to_str().unwrap()];
    let told = || flags(log, &config);
    // Once that is learnt, an hour is too long.
    let mut never = 0;
    let flag = until("it is told", || {
        never += 1;
        charge(&format!("evt_never{never}"), 3_600);
        thread::sleep(Duration::from_secs(1));
        told()
            .into_iter()
            .find(|it| it["kind"] == "overdue_completion")
    });
    let id = flag["event"]["id"].as_str().unwrap();
    assert!(id.starts_with("evt_never"), "{flag}");
    assert_eq!(flag["expected"], "orders", "{flag}");
    // Late is not never.
    is_done(id);
    until("it came after all", || {
        let flag = told().into_iter().find(|it| it["event"]["id"] == id)?;
        (!flag["came"].is_null()).then_some(())
    });
}

on_both_logs! {
    a_payout_that_is_never_paid_is_told_and_waits_for_a_person
    what_a_service_never_reports_as_done_is_told
}

#[test]
fn an_outcome_is_taken_from_its_destination_once_and_nothing_else_is() {
    let (backend, folder) = (Sqlite::new(), tempfile::tempdir().unwrap());
    let log = backend.address();
    let server = serve(&log, REPORTERS, &folder);
    let done = r#"{"source": "stripe", "id": "evt_1", "result": "completed"}"#;
    let failed = r#"{"source": "stripe", "id": "evt_1", "result": "failed", "reason": "no"}"#;
    report(&server, TOKEN, done).says(200, r#"{"status":"recorded"}"#);
    report(&server, TOKEN, done).says(200, r#"{"status":"duplicate"}"#);
    report(&server, TOKEN, failed).says(409, "outcome_contradicts");
    report(&server, &TOKEN.replace('0', "1"), done).says(401, "outcome_token_invalid");
    let long = "x".repeat(501);
    for wrong in [
        "",
        "[]",
        r#"{"source": "stripe", "id": "evt_1"}"#,
        r#"{"source": "Stripe", "id": "evt_1", "result": "completed"}"#,
        r#"{"source": "stripe", "id": "", "result": "completed"}"#,
        r#"{"source": "stripe", "id": "evt_1", "result": "done"}"#,
        r#"{"source": "stripe", "id": "evt_1", "result": "completed", "reason": "why"}"#,
        r#"{"source": "stripe", "id": "evt_1", "result": "completed", "more": 1}"#,
        &format!(r#"{{"source": "s", "id": "e", "result": "failed", "reason": "{long}"}}"#),
    ] {
        report(&server, TOKEN, wrong).says(400, "outcome_invalid");
    }
    report(&server, TOKEN, &" ".repeat(5_000)).says(413, "payload_too_large");
    assert_eq!(server.probe("/v1/outcomes"), 405);
    // It is kept over a crash.
    server.kill_9();
    let server = serve(&log, REPORTERS, &folder);
    report(&server, TOKEN, done).says(200, r#"{"status":"duplicate"}"#);
}

#[test]
fn without_a_reporter_nobody_reports_and_a_token_is_of_one_alone() {
    let (backend, folder) = (Sqlite::new(), tempfile::tempdir().unwrap());
    let server = serve(&backend.address(), "", &folder);
    report(&server, TOKEN, "{}").says(401, "outcome_token_invalid");
    let start = |config: &str| {
        let file = folder.path().join("other.toml");
        fs::write(&file, config).unwrap();
        let mut command: Command = hookgate();
        command
            .args(["serve", "--log", "sqlite:/nowhere/x.db", "--config"])
            .arg(file);
        command.env("OUTCOMES_ORDERS", TOKEN).env("SHORT", "short");
        failure(&mut command)
    };
    let twice = REPORTERS.to_owned() + &REPORTERS.replace("\"orders\"", "\"ledger\"");
    let said = start(&twice);
    assert!(
        said.contains("`ledger` has the token of an earlier reporter"),
        "{said}"
    );
    assert!(!said.contains(TOKEN), "{said}");
    let said = start(&(REPORTERS.to_owned() + REPORTERS));
    assert!(
        said.contains("found a destination that an earlier reporter has"),
        "{said}"
    );
    let said = start(&REPORTERS.replace("OUTCOMES_ORDERS", "SHORT"));
    assert!(
        said.contains("holds no token: expected 32 to 512"),
        "{said}"
    );
}

#[test]
fn a_file_of_something_else_is_not_taken_for_what_was_learnt() {
    let (backend, folder) = (Sqlite::new(), tempfile::tempdir().unwrap());
    let file = folder.path().join("hookgate.toml");
    let state = folder.path().join("state");
    fs::write(
        &state,
        "not a database, but text that is long enough to be read as one",
    )
    .unwrap();
    let text = format!("[expectations]\nstate = \"{}\"\n", state.display());
    fs::write(&file, text).unwrap();
    let said = refusal(&backend.address(), &["--config", file.to_str().unwrap()]);
    assert!(said.contains("file is not a database"), "{said}");
}

#[test]
fn a_log_of_which_nothing_was_found_says_so() {
    let (backend, folder) = (Sqlite::new(), tempfile::tempdir().unwrap());
    let log = backend.address();
    drop(serve(&log, "", &folder));
    let mut command = hookgate();
    let said = output(command.args(["watch", "flags", "--log", &log]));
    let expected = "Nothing was found that is not as expected.\n";
    assert_eq!(String::from_utf8(said).unwrap(), expected);
    let elsewhere = ["watch", "flags", "--log", "kafka://127.0.0.1:1/t"];
    let said = failure(hookgate().args(elsewhere));
    assert!(
        said.contains("name a file as `state` of [expectations]"),
        "{said}"
    );
}
