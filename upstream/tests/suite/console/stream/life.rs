//! What an event's page says of its next attempt beside a JetStream log.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    thread,
    time::Duration,
};

use async_nats::jetstream::consumer::PullConsumer;

use super::super::{ADA, Client, OPERATORS, Scene, serve};
use crate::{
    delivery::Delivery,
    destinations::{append, destination},
    harness::{Server, until},
    nats_server::{Nats, ask},
    receiver::{Reaction, Receiver},
};

const REFUSES: u8 = 0;
const HANGS: u8 = 1;
const TAKES: u8 = 2;

/// A destination that does as it is set.
fn receiver(mode: u8) -> (Receiver, Arc<AtomicU8>) {
    let mode = Arc::new(AtomicU8::new(mode));
    let set = Arc::clone(&mode);
    let receiver = Receiver::start(move |_, _| {
        while set.load(Ordering::Relaxed) == HANGS {
            thread::sleep(Duration::from_millis(1));
        }
        match set.load(Ordering::Relaxed) {
            TAKES => Reaction::Status(200),
            _ => Reaction::Status(422),
        }
    });
    (receiver, mode)
}

fn event(client: &Client, number: u64) -> String {
    client.get(&format!("/event?id=evt_n{number:05}")).body
}

/// The place up to which a destination was given events.
fn given(log: &str, name: &str) -> u64 {
    ask(log, async |context| {
        let stream = context.get_stream("HOOKGATE").await.unwrap();
        let name = format!("hookgate-{name}");
        let consumer: PullConsumer = stream.get_consumer(&name).await.unwrap();
        consumer.cached_info().delivered.stream_sequence
    })
}

#[test]
fn an_event_on_nats_says_what_it_waits_for_at_each_destination() {
    let (shut, mode) = receiver(HANGS);
    let failing = Receiver::start(|_, _| Reaction::Status(500));
    let retry = "[destinations.retry]\ninitial = \"10m\"\n";
    let more = format!(
        "[[destinations]]\nname = \"ledger\"\nurl = \"{0}\"\n{retry}\
         [[destinations]]\nname = \"shut\"\nurl = \"{1}\"\nconcurrency = 1\n\
         [[destinations]]\nname = \"picky\"\nurl = \"{1}\"\nconcurrency = 1\n\
         [destinations.filter]\ntypes = [\"payout.*\"]\n",
        failing.url(),
        shut.url(),
    );
    let scene = Scene::on_nats_with(9, &more);
    let client = scene.client();
    until("its first attempts were made", || {
        let page = event(&client, 0);
        let waits = page.contains("Next attempt at <strong>ledger</strong> in ");
        (waits && page.contains("waits for a person")).then_some(())
    });
    let page = event(&client, 0);
    assert!(
        page.contains("at <strong>orders</strong>: refused, waits for a person"),
        "{page}"
    );
    // The very time that the server has it scheduled for.
    let scheduled = ask(&scene.log, async |context| {
        let stream = context.get_stream("HOOKGATE_RETRY").await.unwrap();
        let subject = "hookgate.scheduled.ledger.1";
        let message = stream
            .get_last_raw_message_by_subject(subject)
            .await
            .unwrap();
        message.headers.get("Nats-Schedule").unwrap().to_string()
    });
    let at = scheduled.strip_prefix("@at ").unwrap();
    assert!(
        page.contains(&format!("<time datetime=\"{at}\">")),
        "{at}: {page}"
    );
    // Handed out; no server tells whether it is being tried.
    shut.until_got(1);
    let page = event(&client, 0);
    assert!(
        page.contains("<strong>shut</strong> was given it"),
        "{page}"
    );
    // It may still be given some, as many as it holds ready.
    let (next, last, given) = until("it is given no more", || {
        let given = given(&scene.log, "shut");
        let pages = (event(&client, given), event(&client, 8));
        (given == self::given(&scene.log, "shut")).then_some((pages.0, pages.1, given))
    });
    assert!((1..8).contains(&given), "{given}");
    assert!(
        next.contains("<strong>shut</strong> has not come to it yet: it is the next one"),
        "{next}"
    );
    let first = 9 - given - 1;
    let ahead = format!("<strong>shut</strong> has not come to it yet: at most {first} event");
    assert!(last.contains(&ahead), "{ahead}: {last}");

    // Nor is anything said of a destination whose filter passes the event by, though
    // it is as busy.
    for number in 0..8 {
        let payout = Delivery::saying(&format!("evt_p{number}"), "payout.paid", None, None);
        assert_eq!(payout.send(&scene.server).outcome().1, "stored");
    }
    let after = Delivery::saying("evt_after", "invoice.paid", None, None);
    assert_eq!(after.send(&scene.server).outcome().1, "stored");
    let payout = client.get("/event?id=evt_p7").body;
    let ahead = "<strong>picky</strong> has not come to it yet";
    assert!(payout.contains(ahead), "{payout}");
    let after = client.get("/event?id=evt_after").body;
    assert!(
        after.contains("<strong>shut</strong> has not come to it yet"),
        "{after}"
    );
    for page in [&page, &next, &last, &after] {
        assert!(!page.contains("picky"), "{page}");
    }

    mode.store(TAKES, Ordering::Relaxed);
    until("all are delivered there", || {
        (0..9)
            .all(|number| {
                let page = event(&client, number);
                page.contains("Attempt 1 at <strong>shut</strong>")
                    && !page.contains("<strong>shut</strong> was given it")
                    && !page.contains("<strong>shut</strong> has not come to it")
            })
            .then_some(())
    });
    assert!(!event(&client, 0).contains("Next attempt at <strong>shut</strong>"));
}

#[test]
fn what_was_let_go_on_nats_is_due_until_it_is_delivered() {
    let nats = Nats::start();
    let (orders, mode) = receiver(REFUSES);
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("hookgate.toml");
    let start = |name: &str| {
        let text = destination(name, &orders.url(), "") + OPERATORS;
        fs::write(&config, text).unwrap();
        let mut command = serve(&nats.address());
        command.arg("--config").arg(&config);
        Server::spawn(command)
    };
    let server = start("orders");
    let ada = Client::new(server.metrics()).bearer(ADA);
    append(&server, 2);
    until("they are parked", || {
        (0..2)
            .all(|number| event(&ada, number).contains("waits for a person"))
            .then_some(())
    });
    mode.store(HANGS, Ordering::Relaxed);
    let fields = [
        ("items", "orders:1"),
        ("decision", "approve"),
        ("reason", "mended"),
        ("batch", "batch_1"),
    ];
    ada.post("/review/decide", &fields).says(200, "Done.");
    // Decided, carried out, handed out: in none of these it waits for a person.
    let due = "Next attempt at <strong>orders</strong> now";
    until("it comes again", || {
        let page = event(&ada, 0);
        assert!(page.contains(due), "{page}");
        assert!(!page.contains("waits for a person"), "{page}");
        (orders.got().len() == 3).then_some(())
    });
    mode.store(TAKES, Ordering::Relaxed);
    until("it is delivered", || {
        let page = event(&ada, 0);
        (page.contains("Attempt 2 at") && !page.contains(due)).then_some(())
    });
    server.stop();

    // What is parked where nothing is delivered any more still waits.
    let server = start("others");
    let ada = Client::new(server.metrics()).bearer(ADA);
    let page = event(&ada, 1);
    assert!(
        page.contains("at <strong>orders</strong>: refused, waits for a person"),
        "{page}"
    );
    assert!(page.contains("Parked at orders"), "{page}");
}
