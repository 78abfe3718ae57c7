//! What only JetStream can get wrong.

use std::{fs, time::Duration};

use async_nats::jetstream::stream::{DiscardPolicy, StorageType};

use crate::{
    delivery::{Delivery, payload},
    harness::{Server, events, failure, hookgate, refusal, until},
    nats_server::Nats,
    receiver::{Reaction, Receiver},
};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[test]
fn never_answers_a_full_store_as_a_duplicate() {
    let nats = Nats::start();
    nats.set_stream(|config| config.max_bytes = 20_000);
    let server = Server::start(&nats.address(), &[]);
    let large = |id: &str| Delivery::with_payload(id, payload(id, 6_000));
    assert_eq!(large("evt_1").send(&server).outcome().1, "stored");
    assert_eq!(large("evt_2").send(&server).outcome().1, "stored");
    for _ in 0..3 {
        let answer = large("evt_3").send(&server);
        assert_eq!(answer.outcome(), (503, "unavailable", None));
        assert_eq!(answer.header("retry-after"), Some("5"));
    }
    // A duplicate is one all the same.
    let again = large("evt_1").send(&server);
    assert_eq!(again.outcome(), (200, "duplicate", Some(1)));

    nats.set_stream(|config| config.max_bytes = 100_000);
    let retry = large("evt_3").send(&server);
    assert_eq!(retry.outcome(), (200, "stored", Some(3)));
    assert_eq!(events(&nats.address()).len(), 3);
}

#[test]
fn refuses_a_stream_that_would_forget_or_overwrite() {
    let nats = Nats::start();
    nats.set_stream(|config| {
        config.discard = DiscardPolicy::Old;
        config.discard_new_per_subject = false;
        config.max_age = 29 * DAY;
    });
    let message = refusal(&nats.address(), &[]);
    let mend = format!(
        "nats --server {} stream edit HOOKGATE --discard=new --discard-per-subject --max-age=0s",
        nats.address()
    );
    assert!(message.contains(&mend), "{message}");

    // What the command does.
    nats.set_stream(|config| {
        config.discard = DiscardPolicy::New;
        config.discard_new_per_subject = true;
        config.max_age = Duration::ZERO;
    });
    let server = Server::start(&nats.address(), &[]);
    assert_eq!(Delivery::new("evt_1").send(&server).outcome().1, "stored");
}

#[test]
fn refuses_a_stream_in_memory() {
    let nats = Nats::start();
    nats.set_stream(|config| config.storage = StorageType::Memory);
    let message = refusal(&nats.address(), &[]);
    assert!(
        message.contains("storage: found `memory`, expected file"),
        "{message}"
    );
    assert!(message.contains("stream rm HOOKGATE"), "{message}");
}

#[test]
fn refuses_a_server_that_takes_smaller_messages_than_the_door() {
    let nats = Nats::start_with("");
    let message = refusal(&nats.address(), &[]);
    assert!(message.contains("set `max_payload: 2113536`"), "{message}");
    Server::start(&nats.address(), &["--max-body-bytes", "1000000"]);
}

#[test]
fn refuses_a_wrong_login_at_once() {
    let nats =
        Nats::start_with("max_payload: 4MB\nauthorization { user: gate, password: hunter2 }");
    let address = nats.address().replace("nats://", "nats://gate:wrong@");
    let message = refusal(&address, &[]);
    let shown = format!("can't connect to the NATS server at {}", nats.address());
    assert!(message.contains(&shown), "{message}");
    assert!(!message.contains("waiting"), "{message}");
    assert!(
        message.contains("HOOKGATE_LOG=nats://USER:PASSWORD@"),
        "{message}"
    );
    let message = failure(hookgate().args(["events", "--log", &address]));
    assert!(
        message.contains("HOOKGATE_LOG=nats://USER:PASSWORD@"),
        "{message}"
    );
}

#[test]
fn answers_503_while_the_server_is_away_and_recovers() {
    let mut nats = Nats::start();
    let server = Server::start(&nats.address(), &[]);
    assert_eq!(Delivery::new("evt_1").send(&server).outcome().1, "stored");
    nats.kill();
    until("readiness is gone", || {
        (server.probe("/readyz") == 503).then_some(())
    });
    assert_eq!(server.probe("/healthz"), 200);
    let answer = Delivery::new("evt_2").send(&server);
    assert_eq!(answer.outcome(), (503, "unavailable", None));

    nats.restart();
    until("readiness is back", || {
        (server.probe("/readyz") == 200).then_some(())
    });
    let retry = Delivery::new("evt_2").send(&server);
    assert_eq!(retry.outcome(), (200, "stored", Some(2)));
    let again = Delivery::new("evt_1").send(&server);
    assert_eq!(again.outcome(), (200, "duplicate", Some(1)));
}

#[test]
fn answers_503_while_the_server_hangs_and_recovers() {
    let nats = Nats::start();
    let server = Server::start(&nats.address(), &[]);
    nats.freeze();
    assert_eq!(server.probe("/readyz"), 503);
    let answer = Delivery::new("evt_1").send(&server);
    assert_eq!(answer.outcome(), (503, "unavailable", None));
    nats.thaw();
    until("readiness is back", || {
        (server.probe("/readyz") == 200).then_some(())
    });
    // It may have been stored after all: then it is a duplicate, and once.
    let retry = Delivery::new("evt_1").send(&server);
    assert_eq!(retry.status, 200, "{retry:?}");
    assert_eq!(events(&nats.address()).len(), 1);
}

#[test]
fn says_when_there_is_no_stream() {
    let nats = Nats::start();
    let message = failure(hookgate().args(["events", "--log", &nats.address()]));
    assert!(
        message.contains("there is no stream `HOOKGATE`"),
        "{message}"
    );
}

#[test]
fn shows_the_user_of_its_address_to_the_server() {
    let user = "authorization { user: gate, password: \"p@ss, word\" }\nmax_payload: 4MB";
    let nats = Nats::start_with(user);
    let receiver = Receiver::start(|_, _| Reaction::Status(200));
    let folder = tempfile::tempdir().unwrap();
    let configuration = folder.path().join("hookgate.toml");
    let text = format!(
        "[[destinations]]\nname = \"orders\"\nurl = \"{}\"\n",
        receiver.url()
    );
    fs::write(&configuration, text).unwrap();
    let with_user = |user: &str| nats.address().replace("//", &format!("//{user}@"));
    let serve = |user: &str| {
        let mut command = hookgate();
        command
            .args(["serve", "--config"])
            .arg(&configuration)
            .env("HOOKGATE_LOG", with_user(user));
        command
    };

    let server = Server::spawn(serve("gate:p%40ss%2C%20word"));
    assert_eq!(Delivery::new("evt_1").send(&server).outcome().1, "stored");
    receiver.until_got(1);
    assert!(!server.stderr().contains("p%40ss"), "{}", server.stderr());
    let wrong = failure(serve("gate:hunter2").args(["--listen", "127.0.0.1:0"]));
    assert!(wrong.contains("authorization violation"), "{wrong}");
    assert!(!wrong.contains("hunter2"), "{wrong}");
}
