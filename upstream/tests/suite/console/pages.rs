//! What pages say.

use std::net::TcpListener;

use super::{Client, Scene};
use crate::{
    contract::Backend as _,
    delivery::Delivery,
    destinations::{Place, append, destination},
    harness::{Starting, until},
    nats_server::Nats,
    receiver::{Reaction, Receiver},
};

#[test]
fn from_late_payments_to_the_parked_events_of_the_failing_destination() {
    late_payments(&Scene::start(3));
}

#[test]
fn from_late_payments_to_the_parked_events_of_the_failing_destination_on_nats() {
    late_payments(&Scene::on_nats(3));
}

fn late_payments(scene: &Scene) {
    let client = scene.client();
    until("the overview says so", || {
        let page = client.get("/");
        let says = page.body.contains("failing") && page.body.contains("3 parked");
        says.then_some(())
    });
    let page = client.get("/");
    page.says(200, "refused 422");
    page.says(200, "href=\"/destination?name=orders\"");
    let page = client.get("/destination?name=orders");
    page.says(200, "Parked here");
    page.says(200, "unknown currency");
    assert!(!page.body.contains("None among the last"), "{}", page.body);
    for id in ["evt_n00000", "evt_n00001", "evt_n00002"] {
        page.says(200, &format!("href=\"/event?id={id}&amp;source=stripe\""));
    }
    let page = client.get("/event?id=evt_n00001&source=stripe");
    for step in [
        "Happened at the sender",
        "Signed for delivery",
        "Received and verified by the gate",
        "Stored, durable",
        "Attempt 1 at",
        "waits for a person",
    ] {
        page.says(200, step);
    }
    client
        .get("/destination?name=nowhere")
        .says(404, "no destination");
    client.get("/event?id=evt_none").says(404, "no event");
    client.get("/nothing").says(404, "no page");
}

/// What failed there is not among the last thousand attempts of all.
#[test]
fn a_destination_beside_a_busy_one_says_what_it_waits_for_and_why() {
    let slow = Receiver::start(|_, _| Reaction::Says(500, "the ledger is locked"));
    let types = "[destinations.filter]\ntypes = [\"payout.*\"]";
    let slow = format!(
        "[[destinations]]\nname = \"ledger\"\nurl = \"{}\"\n{types}\n\
         [destinations.retry]\ninitial = \"10m\"\n",
        slow.url()
    );
    let scene = Scene::with(0, &(slow + super::OPERATORS));
    let late = Delivery::saying("evt_late", "payout.paid", None, None);
    assert_eq!(late.send(&scene.server).outcome().1, "stored");
    let client = scene.client();
    let waits = || client.get("/destination?name=ledger").body;
    until("it waits for another attempt", || {
        waits()
            .contains("Waiting for another attempt")
            .then_some(())
    });
    append(&scene.server, 1_100);
    until("the busy one is done with them", || {
        (scene.parked() == 1_101).then_some(())
    });
    let page = client.get("/destination?name=ledger");
    page.says(200, "None among the last thousand attempts.");
    page.says(200, "href=\"/event?id=evt_late&amp;source=stripe\"");
    page.says(200, "the ledger is locked");
    page.says(200, "failed 500");
    page.says(200, "data-label=\"Attempts\">1</td>");
    page.says(200, "data-label=\"Next\">in ");
    // The reason stands on the overview too.
    client.get("/").says(200, "the ledger is locked");
}

#[test]
fn a_destination_that_takes_events_again_is_not_called_failing() {
    let scene = Scene::start(2);
    let ada = scene.client().bearer(super::ADA);
    until("it is failing", || {
        ada.get("/").body.contains("failing</span>").then_some(())
    });
    scene.mend();
    let fields = [
        ("items", "orders:1"),
        ("decision", "approve"),
        ("reason", "mended"),
        ("batch", "batch_1"),
    ];
    ada.post("/review/decide", &fields).says(200, "Done.");
    until("it has one parked and takes the other", || {
        let says = |page: &str| ada.get(page).body.contains("events parked</span>");
        (says("/") && says("/destination?name=orders")).then_some(())
    });
}

#[test]
fn the_queue_is_shown_a_page_at_a_time_and_by_a_filter() {
    let scene = Scene::start(120);
    let other = Delivery::saying("evt_other", "charge.failed", Some("acct_2"), None);
    assert_eq!(other.send(&scene.server).outcome().1, "stored");
    until("all are parked", || (scene.parked() == 121).then_some(()));
    let client = scene.client();
    let (mut address, mut ids) = ("/review".to_owned(), Vec::new());
    loop {
        let page = client.get(&address);
        assert_eq!(page.status, 200);
        let shown = page.body.split("href=\"/event?id=").skip(1);
        let before = ids.len();
        ids.extend(shown.map(|rest| rest.split('&').next().unwrap().to_owned()));
        assert!(ids.len() - before <= 50);
        let Some((_, next)) = page.body.split_once("href=\"/review?after=") else {
            break;
        };
        address = format!("/review?after={}", next.split('"').next().unwrap());
    }
    assert_eq!(ids.len(), 121);
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 121);
    for filter in ["type=charge.*", "account=acct_2", "id=evt_other"] {
        let page = client.get(&format!("/review?{filter}"));
        page.says(200, "evt_other");
        assert!(!page.body.contains("evt_n0"), "{filter}: {}", page.body);
    }
    client
        .get("/review?type=%00")
        .says(400, "`type`: expected an event type");
    client
        .get("/review?account=a%20b")
        .says(400, "`account`: expected");
    for after in ["x", "7"] {
        client
            .get(&format!("/review?after={after}"))
            .says(400, "no page of the queue");
    }
    // When it was tried last.
    let after = page_of("evt_other", &client);
    let (_, at) = after
        .split_once("data-label=\"Last attempt\"><time datetime=\"")
        .unwrap();
    let at = at.split('"').next().unwrap();
    client
        .get(&format!("/review?since={at}"))
        .says(200, "evt_other");
    let before = client.get(&format!("/review?until={at}&type=charge.*"));
    before.says(200, "Nothing is parked that this filter chooses.");
    client
        .get("/review?since=yesterday")
        .says(400, "`since`: expected a time");
    client
        .get("/review?destination=a.b")
        .says(400, "`destination`: expected a destination");
}

#[test]
fn an_event_that_came_held_says_why() {
    for scene in [Scene::start(1), Scene::on_nats(1)] {
        let held = Delivery::new("evt_held").with("ce-heldfor", "secret_suspect");
        assert_eq!(held.send(&scene.server).outcome().1, "stored");
        until("both are parked", || (scene.parked() == 2).then_some(()));
        let client = scene.client();
        let why = "genuinely signed, by a stranger to the gate's watch";
        let page = client.get("/event?id=evt_held&source=stripe");
        page.says(200, why);
        page.says(200, "waits for a person");
        let other = client.get("/event?id=evt_n00000&source=stripe").body;
        assert!(!other.contains(why), "{other}");
        let queue = client.get("/review?parked_for=held");
        queue.says(200, "href=\"/event?id=evt_held&amp;source=stripe\"");
        assert!(!queue.body.contains("evt_n00000"), "{}", queue.body);
    }
}

/// The queue with one event.
fn page_of(id: &str, client: &Client) -> String {
    client.get(&format!("/review?id={id}")).body
}

#[test]
fn events_are_found_by_id_type_account_and_trace() {
    let scene = Scene::start(60);
    let trace = "00-11111111111111111111111111111111-b7ad6b7169203331-01";
    let other = Delivery::saying("evt_other", "charge.failed", Some("acct_2"), None);
    let other = other.with("traceparent", trace);
    assert_eq!(other.send(&scene.server).outcome().1, "stored");
    let client = scene.client();
    let found = client.get("/search?q=evt_other");
    assert_eq!(found.status, 303);
    assert_eq!(found.header("location"), Some("/event?id=evt_other"));
    for query in [
        "q=charge.*",
        "q=acct_2",
        "q=11111111111111111111111111111111",
        &format!("q={trace}"),
        "type=charge.failed",
        "account=acct_2",
        "trace=11111111111111111111111111111111",
    ] {
        let page = client.get(&format!("/search?{query}"));
        page.says(200, "evt_other");
        assert!(!page.body.contains("evt_n0"), "{query}: {}", page.body);
        page.says(200, "to the beginning of the log");
    }
    // The newest first, and older ones behind a link.
    let page = client.get("/search?type=invoice.*");
    page.says(200, "evt_n00059");
    assert!(!page.body.contains("evt_n00009"), "{}", page.body);
    let (_, next) = page.body.split_once("before=").unwrap();
    let before = next.split('"').next().unwrap();
    let page = client.get(&format!("/search?type=invoice.*&before={before}"));
    for number in 0..10 {
        page.says(200, &format!("evt_n0000{number}"));
    }
    assert!(!page.body.contains("evt_n00010"), "{}", page.body);
    for query in [
        "type=%00",
        "account=a%20b",
        "trace=x",
        "source=X",
        "before=x",
    ] {
        assert_eq!(
            client.get(&format!("/search?{query}")).status,
            400,
            "{query}"
        );
    }
}

#[test]
fn what_is_taken_for_something_else_is_a_link_away() {
    let scene = Scene::start(0);
    let push = Delivery::saying("evt_push", "push", Some("shop.myshopify.com"), None);
    assert_eq!(push.send(&scene.server).outcome().1, "stored");
    let client = scene.client();
    let follow = |address: &str, status: u16, link: &str| {
        let page = client.get(address);
        page.says(status, &format!("href=\"{link}\""));
        client.get(link).says(200, "evt_push");
    };
    let found = client.get("/search?q=push");
    assert_eq!(found.header("location"), Some("/event?id=push"));
    follow("/event?id=push", 404, "/search?type=push");
    let page = client.get("/event?id=push");
    page.says(404, "href=\"/search?account=push\"");
    page.says(404, "<a href=\"/search\">To the search</a>");
    let shop = "/search?q=shop.myshopify.com";
    client.get(shop).says(200, "It was taken for a type.");
    follow(shop, 200, "/search?account=shop.myshopify.com");
    // What was found needs no other meaning.
    let page = client.get("/search?q=pu*h");
    page.says(200, "evt_push");
    assert!(!page.body.contains("taken for"), "{}", page.body);
    let page = client.get("/event?id=%3Cscript%3E");
    assert!(!page.body.contains("<script>"), "{}", page.body);
}

#[test]
fn while_the_log_is_away_the_console_says_so() {
    // Nobody listens there once it is dropped.
    let away = TcpListener::bind("127.0.0.1:0").unwrap();
    let log = format!("nats://{}", away.local_addr().unwrap());
    drop(away);
    let mut server = Starting::start(&log, &[]);
    server.until_waiting();
    let stderr = server.stderr();
    let (_, rest) = stderr.split_once("the console is at http://").unwrap();
    let address = rest.split('/').next().unwrap().parse().unwrap();
    Client::new(address)
        .get("/")
        .says(503, "The server waits for its log");
    assert!(server.stop().success());
}

#[test]
fn on_a_stream_pages_show_what_there_is_and_say_what_there_is_not() {
    let nats = Nats::new();
    let orders = Receiver::start(|_, _| Reaction::Status(422));
    let place = Place::new(&nats.address(), &destination("orders", &orders.url(), ""));
    let server = place.start();
    assert_eq!(Delivery::new("evt_1").send(&server).outcome().1, "stored");
    let client = Client::new(server.metrics());
    until("it is parked", || {
        client.get("/review").body.contains("evt_1").then_some(())
    });
    client.get("/").says(200, "orders");
    client.get("/event?id=evt_1").says(200, "Stored, durable");
    client.get("/search?type=invoice.*").says(200, "evt_1");
    client.get("/destination?name=orders").says(200, "evt_1");
    client
        .get("/audit")
        .says(200, "Nobody has decided anything");
}

#[test]
fn a_trail_that_was_changed_is_not_shown_as_sound() {
    let scene = Scene::start(3);
    let ada = scene.client().bearer(super::ADA);
    for sequence in 1..=3 {
        let fields = [
            ("items", &format!("orders:{sequence}")[..]),
            ("decision", "discard"),
            ("reason", "a test of ours"),
            ("batch", &format!("batch_{sequence}")),
        ];
        ada.post("/review/decide", &fields)
            .says(200, "1 is discarded.");
    }
    ada.get("/audit").says(200, "batch_3");
    ada.get("/audit")
        .says(200, "it is what somebody said of themselves");
    let path = format!("{}.deliveries", scene.log.strip_prefix("sqlite:").unwrap());
    let file = rusqlite::Connection::open(path).unwrap();
    file.execute_batch(
        "DROP TRIGGER audit_update; UPDATE audit SET reason = 'nothing' WHERE number = 2;",
    )
    .unwrap();
    ada.get("/audit")
        .says(500, "record 2 is not what was written");
}
