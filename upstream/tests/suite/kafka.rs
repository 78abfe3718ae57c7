//! What only Kafka can get wrong.
//!
//! The broker is tansu, which keeps everything in memory: these tests show that
//! the protocol is spoken rightly. What survives a broker's crash is Kafka's own
//! promise, and not shown here.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    console::Client,
    delivery::{Connection, Delivery, payload},
    harness::{PATIENCE, Server, Starting, events, failure, hookgate, output, refusal, until},
    load::{Load, assert_kept},
    tansu::Tansu,
};

const TOPIC: &str = "hookgate";

fn log(tansu: &Tansu) -> String {
    tansu.address(TOPIC)
}

fn ids(log: &str) -> Vec<String> {
    let id = |event: &Value| event["id"].as_str().unwrap().to_owned();
    events(log).iter().map(id).collect()
}

#[test]
fn makes_a_topic_that_keeps_everything() {
    let tansu = Tansu::start();
    let server = Server::start(&log(&tansu), &["--max-body-bytes", "1000000"]);
    let settings = tansu.settings(TOPIC);
    for (name, value) in [
        ("cleanup.policy", "delete"),
        ("retention.ms", "-1"),
        ("retention.bytes", "-1"),
        ("max.message.bytes", "1016384"),
        ("unclean.leader.election.enable", "false"),
        ("message.timestamp.type", "LogAppendTime"),
        // The one replica that one broker allows.
        ("flush.messages", "1"),
    ] {
        assert_eq!(
            settings.get(name).map(String::as_str),
            Some(value),
            "{name}"
        );
    }
    drop(server);
    // Its own topic is as it should be; larger events would not fit.
    Server::start(&log(&tansu), &["--max-body-bytes", "1000000"]);
    let message = refusal(&log(&tansu), &["--max-body-bytes", "1000001"]);
    assert!(
        message.contains("max.message.bytes: found `1016384`, expected at least 1016385"),
        "{message}"
    );
}

#[test]
fn refuses_a_topic_that_would_forget() {
    let tansu = Tansu::start();
    let mut settings = vec![
        ("cleanup.policy", "delete"),
        ("retention.bytes", "-1"),
        ("max.message.bytes", "5000000"),
        ("unclean.leader.election.enable", "false"),
        ("flush.messages", "1"),
    ];
    settings.push(("retention.ms", "2505600000"));
    tansu.make_topic(TOPIC, 1, &settings);
    let message = refusal(&log(&tansu), &[]);
    assert!(
        message.contains("retention.ms: found `2505600000`, expected -1 (for ever) or at least"),
        "{message}"
    );
    let mend = "--alter --entity-type topics --entity-name hookgate --add-config retention.ms=-1";
    assert!(message.trim_end().ends_with(mend), "{message}");

    // The shortest memory that is long enough.
    settings.pop();
    settings.push(("retention.ms", "2592000000"));
    tansu.make_topic("mended", 1, &settings);
    let server = Server::start(&tansu.address("mended"), &[]);
    assert_eq!(Delivery::new("evt_1").send(&server).outcome().1, "stored");
}

#[test]
fn refuses_settings_that_nobody_vouches_for() {
    let tansu = Tansu::start();
    tansu.make_topic(TOPIC, 1, &[]);
    let message = refusal(&log(&tansu), &[]);
    for name in ["cleanup.policy", "retention.ms", "flush.messages"] {
        assert!(
            message.contains(&format!("{name}: found nothing")),
            "{message}"
        );
    }
}

#[test]
fn refuses_a_topic_of_several_partitions() {
    let tansu = Tansu::start();
    tansu.make_topic(TOPIC, 3, &[]);
    let message = refusal(&log(&tansu), &[]);
    assert!(
        message.contains("has 3 partitions, expected 1"),
        "{message}"
    );
    let message = failure(hookgate().args(["events", "--log", &log(&tansu)]));
    assert!(
        message.contains("has 3 partitions, expected 1"),
        "{message}"
    );
}

#[test]
fn says_when_there_is_no_topic() {
    let tansu = Tansu::start();
    let message = failure(hookgate().args(["events", "--log", &log(&tansu)]));
    assert!(
        message.contains("there is no topic `hookgate`"),
        "{message}"
    );
    // Looking for it hasn't made it.
    let message = failure(hookgate().args(["events", "--log", &log(&tansu)]));
    assert!(
        message.contains("there is no topic `hookgate`"),
        "{message}"
    );
}

/// The client asks again after a lost answer, and the broker knows its numbers.
#[test]
fn an_event_whose_confirmation_got_lost_is_stored_once() {
    let (tansu, link) = Tansu::behind_a_link();
    let server = Server::start(&log(&tansu), &[]);
    let answer = Delivery::new("evt_1").send(&server);
    assert_eq!(answer.outcome(), (200, "stored", Some(1)));

    link.lose_a_confirmation();
    let answer = Delivery::new("evt_2").send(&server);
    assert!(link.has_lost_it());
    // tansu says that it has it and not where, and a made-up place isn't told.
    assert_eq!(answer.outcome(), (200, "stored", None));

    let answer = Delivery::new("evt_3").send(&server);
    assert_eq!(answer.outcome(), (200, "stored", Some(3)));
    assert_eq!(ids(&log(&tansu)), ["evt_1", "evt_2", "evt_3"]);
}

/// Whole batches are asked for again here, of which tansu says no place either.
#[test]
fn no_answer_names_a_wrong_place_when_confirmations_get_lost() {
    let (tansu, link) = Tansu::behind_a_link();
    let server = Server::start(&log(&tansu), &[]);
    let load = Load::start(&server, "load", 64);
    for _ in 0..10 {
        link.lose_a_confirmation();
        until("it got lost", || link.has_lost_it().then_some(()));
        let answered = load.answered();
        until("the load goes on", || {
            (load.answered() > answered + 64).then_some(())
        });
    }
    let promises = load.finish();
    let unnamed = promises.values().filter(|sequence| sequence.is_none());
    assert!(unnamed.count() > 10, "no batch was of several events");
    assert_kept(&promises, &events(&log(&tansu)));
}

#[test]
fn an_event_that_was_given_up_is_not_sent_later() {
    let (tansu, link) = Tansu::behind_a_link();
    let server = Server::start(&log(&tansu), &[]);
    assert_eq!(Delivery::new("evt_1").send(&server).outcome().1, "stored");

    link.cut();
    let start = Instant::now();
    let answer = Delivery::new("evt_2").send(&server);
    assert_eq!(answer.outcome(), (503, "unavailable", None));
    // Before the gate's upstream timeout ends.
    assert!(start.elapsed() < Duration::from_secs(9));
    assert_eq!(server.probe("/readyz"), 503);
    assert_eq!(server.probe("/healthz"), 200);

    link.mend();
    until("readiness is back", || {
        (server.probe("/readyz") == 200).then_some(())
    });
    // Records keep their order: what was left would come before it.
    let answer = Delivery::new("evt_3").send(&server);
    assert_eq!(answer.outcome(), (200, "stored", Some(2)));
    assert_eq!(ids(&log(&tansu)), ["evt_1", "evt_3"]);
}

#[test]
fn a_broker_that_is_away_at_start_is_waited_for() {
    let (tansu, link) = Tansu::behind_a_link();
    link.cut();
    let starting = Starting::start(&log(&tansu), &[]);
    let address = starting.until_waiting();
    let mut connection = Connection::open(address).unwrap();
    let answer = connection.send(&Delivery::new("evt_1")).unwrap();
    assert_eq!(answer.outcome(), (503, "unavailable", None));
    let line = format!(
        "waiting for the log: no Kafka broker answers at {}",
        log(&tansu)
    );
    until("it has said so", || {
        starting.stderr().contains(&line).then_some(())
    });
    link.mend();
    let server = starting.until_served(PATIENCE);
    let answer = Delivery::new("evt_1").send(&server);
    assert_eq!(answer.outcome(), (200, "stored", Some(1)));
}

#[test]
fn answers_503_while_the_broker_hangs_and_recovers() {
    let tansu = Tansu::start();
    let server = Server::start(&log(&tansu), &[]);
    assert_eq!(Delivery::new("evt_1").send(&server).outcome().1, "stored");
    tansu.freeze();
    assert_eq!(server.probe("/readyz"), 503);
    let start = Instant::now();
    let answer = Delivery::new("evt_2").send(&server);
    assert_eq!(answer.outcome(), (503, "unavailable", None));
    // Before the gate's upstream timeout ends.
    assert!(start.elapsed() < Duration::from_secs(9));
    tansu.thaw();
    until("readiness is back", || {
        (server.probe("/readyz") == 200).then_some(())
    });
    let answer = Delivery::new("evt_3").send(&server);
    assert_eq!(answer.outcome().1, "stored");
    // What the broker had before it hung may be there too.
    let ids = ids(&log(&tansu));
    assert!(
        ["evt_1", "evt_3"]
            .iter()
            .all(|id| ids.contains(&(*id).to_owned())),
        "{ids:?}"
    );
}

#[test]
fn goes_on_with_a_broker_that_forgot_its_producers() {
    let mut tansu = Tansu::start();
    let server = Server::start(&log(&tansu), &[]);
    assert_eq!(Delivery::new("evt_1").send(&server).outcome().1, "stored");
    let settings = tansu.settings(TOPIC);
    tansu.kill();
    until("readiness is gone", || {
        (server.probe("/readyz") == 503).then_some(())
    });
    tansu.restart();
    // It forgot the topic too, which is not made anew behind anybody's back.
    let answer = Delivery::new("evt_2").send(&server);
    assert_eq!(answer.outcome(), (503, "unavailable", None));
    assert_eq!(server.probe("/readyz"), 503);
    let settings: Vec<(&str, &str)> = settings
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    tansu.make_topic(TOPIC, 1, &settings);
    until("readiness is back", || {
        (server.probe("/readyz") == 200).then_some(())
    });
    let answer = Delivery::new("evt_3").send(&server);
    assert_eq!(answer.outcome(), (200, "stored", Some(1)));
}

#[test]
fn a_damaged_event_is_not_served() {
    let tansu = Tansu::start();
    let log = log(&tansu);
    let server = Server::start(&log, &[]);
    Delivery::new("evt_1").send(&server);
    let first = &tansu.records(TOPIC)[0];
    let mut damaged = first.payload().to_vec();
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    tansu.produce(TOPIC, "evt_1", first.headers(), &damaged);
    tansu.produce(TOPIC, "evt_1", Default::default(), first.payload());
    Delivery::new("evt_2").send(&server);

    for (from, place) in [("1", "event 2 of the log"), ("3", "event 3 of the log")] {
        let message = failure(hookgate().args(["export", "--log", &log, "--from", from]));
        assert!(message.contains(place), "{message}");
    }
    // What is whole is served all the same.
    for id in ["evt_1", "evt_2"] {
        let found = output(hookgate().args(["event", id, "--payload", "--log", &log]));
        assert_eq!(found, payload(id, 100));
    }
}

#[test]
fn an_empty_topic_has_no_events() {
    let tansu = Tansu::start();
    let log = log(&tansu);
    let _server = Server::start(&log, &[]);
    assert_eq!(ids(&log), [""; 0]);
    let exported = output(hookgate().args(["export", "--log", &log]));
    assert_eq!(exported, b"");
}

/// The end is where it was when the command began.
#[test]
fn a_listing_ends_while_events_keep_coming() {
    let tansu = Tansu::start();
    let log = log(&tansu);
    let server = Server::start(&log, &[]);
    let load = Load::start(&server, "load", 8);
    until("the load is under way", || {
        (load.answered() > 200).then_some(())
    });
    let listed = ids(&log);
    assert!(listed.len() > 200, "{}", listed.len());
    assert!(load.answered() > listed.len() / 2);
    load.finish();
}

/// A running `hookgate tail --json`; killed when dropped.
struct Tail {
    child: Child,
    lines: mpsc::Receiver<Value>,
}

impl Tail {
    fn start(log: &str, from: &str) -> Self {
        let mut command = hookgate();
        command.args(["tail", "--json", "--log", log, "--from", from]);
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in stdout.lines() {
                let line = serde_json::from_str(&line.unwrap()).unwrap();
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    fn next(&self) -> (u64, String) {
        let event = self.lines.recv_timeout(PATIENCE).unwrap();
        let id = event["id"].as_str().unwrap().to_owned();
        (event["sequence"].as_u64().unwrap(), id)
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_tail_goes_on_from_its_place_over_a_cut() {
    let (tansu, link) = Tansu::behind_a_link();
    let log = log(&tansu);
    let server = Server::start(&log, &[]);
    let send = |number: u64| {
        let id = format!("evt_{number}");
        assert_eq!(Delivery::new(&id).send(&server).outcome().1, "stored");
        (number, id)
    };
    let sent: Vec<_> = (1..=3).map(send).collect();
    let (all, third) = (Tail::start(&log, "beginning"), Tail::start(&log, "3"));
    for event in &sent {
        assert_eq!(all.next(), *event);
    }
    assert_eq!(third.next(), sent[2]);
    let fourth = send(4);
    assert_eq!(all.next(), fourth);
    assert_eq!(third.next(), fourth);

    link.cut();
    // For longer than a command waits that is to end.
    for _ in 0..2 {
        let message = failure(hookgate().args(["events", "--log", &log]));
        assert!(message.contains("no Kafka broker answers"), "{message}");
    }
    link.mend();
    until("readiness is back", || {
        (server.probe("/readyz") == 200).then_some(())
    });
    let fifth = send(5);
    assert_eq!(all.next(), fifth);
    assert_eq!(third.next(), fifth);
}

#[test]
fn a_page_about_a_topic_that_is_lost_says_so_and_the_server_goes_on() {
    let mut tansu = Tansu::start();
    let mut server = Server::start(&log(&tansu), &[]);
    assert_eq!(Delivery::new("evt_1").send(&server).outcome().1, "stored");
    let client = Client::new(server.metrics());
    client.get("/search?type=*").says(200, "evt_1");
    tansu.kill();
    tansu.restart();
    for _ in 0..5 {
        let page = client.get("/search?type=*");
        page.says(500, "there is no topic");
    }
    assert_eq!(server.ended(), None);
    assert_eq!(server.probe("/readyz"), 503);
}
