//! Which events a destination gets: from where on, and of which kind.

use super::{Place, append, destination, distinct, ids};
use crate::{
    delivery::Delivery,
    harness::{CONNECT_SECRET, Server, events, until},
    receiver::{Reaction, Receiver},
};

on_both_logs! {
    a_destination_begins_where_it_is_told_and_stays_there
    a_destination_gets_what_its_filter_chooses
    one_event_in_many_is_found
    a_destination_s_settings_may_change
}

fn store(server: &Server, delivery: &Delivery) {
    assert_eq!(delivery.send(server).outcome().1, "stored");
}

fn a_destination_begins_where_it_is_told_and_stays_there(log: &str) {
    let receivers = [(); 6].map(|()| Receiver::start(|_, _| Reaction::Status(200)));
    let [all, third, fourth, now, beyond, later] = &receivers;
    let place = Place::new(log, "");
    let server = place.start();
    append(&server, 3);
    until("another millisecond has begun", || {
        let stored = events(log);
        let [.., third] = &stored[..] else {
            return None;
        };
        store(&server, &Delivery::new(&format!("evt_m{}", stored.len())));
        (events(log).last()?["storedat"] != third["storedat"]).then_some(())
    });
    let stored = events(log);
    let last = stored.last().unwrap();
    let time = last["storedat"].as_str().unwrap();
    let count = stored.len();
    drop(server);
    let text = destination("all", &all.url(), "from = \"beginning\"")
        + &destination("third", &third.url(), "from = 3")
        + &destination("fourth", &fourth.url(), &format!("from = \"{time}\""))
        + &destination("now", &now.url(), "")
        + &destination("beyond", &beyond.url(), "from = 1000000")
        + &destination("later", &later.url(), "from = \"2999-01-01T00:00:00Z\"");
    place.configure(&text);
    let mut server = place.start();
    assert_eq!(distinct(&all.until_got(count)), count);
    let from_third = third.until_got(count - 2);
    assert_eq!(ids(&from_third).iter().min(), Some(&"evt_m3"));
    assert!(ids(&from_third).contains(&"evt_n00002"));
    assert_eq!(ids(&fourth.until_got(1)), [last["id"].as_str().unwrap()]);
    store(&server, &Delivery::new("evt_next"));
    assert_eq!(ids(&now.until_got(1)), ["evt_next"]);
    let counts = [count + 1, count - 1, 2, 1, 1, 1];
    for (receiver, count) in receivers.iter().zip(counts) {
        receiver.until_got(count);
    }
    server.terminate();
    assert!(server.wait().success());
    // Its place is its own now, whatever is configured.
    place.configure(&text.replace("from = ", "#").replace("url", "from = 1\nurl"));
    let server = place.start();
    store(&server, &Delivery::new("evt_last"));
    for (receiver, count) in receivers.iter().zip(counts) {
        let got = receiver.until_got(count + 1);
        assert_eq!(got.last().unwrap().id(), "evt_last");
        assert_eq!(got.len(), count + 1);
    }
}

fn a_destination_gets_what_its_filter_chooses(log: &str) {
    let chosen = [
        (
            "sources = [\"stripe-connect\"]",
            &["evt_connect", "evt_every"][..],
        ),
        (
            "types = [\"payout.*\", \"refund.updated\"]",
            &["evt_payout", "evt_every"],
        ),
        (
            "accounts = [\"acct_2\", \"acct_3\"]",
            &["evt_account", "evt_every"],
        ),
        ("livemode = true", &["evt_live", "evt_every"]),
        (
            "livemode = false",
            &[
                "evt_plain",
                "evt_payout",
                "evt_connect",
                "evt_account",
                "evt_platform",
            ],
        ),
        // All of them must be met.
        (
            "livemode = true\nsources = [\"stripe-connect\"]",
            &["evt_every"],
        ),
    ];
    let destinations = chosen.map(|(filter, expected)| {
        let receiver = Receiver::start(|_, _| Reaction::Status(200));
        (receiver, filter, expected)
    });
    let text = destinations.iter().enumerate();
    let text = text.map(|(number, (receiver, filter, _))| {
        let name = format!("number-{number}");
        destination(&name, &receiver.url(), "concurrency = 1")
            + &format!("[destinations.filter]\n{filter}\n")
    });
    let place = Place::new(log, &text.collect::<String>());
    let server = place.start();
    let (test, live) = (Some(false), Some(true));
    let one = Some("acct_1");
    let connect = |delivery: Delivery| delivery.of_source("stripe-connect", CONNECT_SECRET);
    for delivery in [
        Delivery::saying("evt_plain", "invoice.paid", one, test),
        Delivery::saying("evt_payout", "payout.paid", one, test),
        connect(Delivery::saying("evt_connect", "invoice.paid", one, test)),
        Delivery::saying("evt_account", "invoice.paid", Some("acct_2"), test),
        // Of the platform itself, and of a sender that doesn't say its mode.
        Delivery::saying("evt_platform", "invoice.paid", None, test),
        Delivery::saying("evt_silent", "invoice.paid", one, None),
        Delivery::saying("evt_live", "invoice.paid", one, live),
        connect(Delivery::saying(
            "evt_every",
            "refund.updated",
            Some("acct_3"),
            live,
        )),
    ] {
        store(&server, &delivery);
    }
    for (receiver, filter, expected) in &destinations {
        // One at a time, and so in the order of the log.
        assert_eq!(
            ids(&receiver.until_got(expected.len())),
            *expected,
            "{filter}"
        );
    }
}

fn one_event_in_many_is_found(log: &str) {
    let receiver = Receiver::start(|_, _| Reaction::Status(200));
    let text = destination("orders", &receiver.url(), "")
        + "[destinations.filter]\nsources = [\"stripe-connect\"]\n";
    let place = Place::new(log, &text);
    let server = place.start();
    append(&server, 600);
    let it = Delivery::new("evt_it").of_source("stripe-connect", CONNECT_SECRET);
    store(&server, &it);
    assert_eq!(ids(&receiver.until_got(1)), ["evt_it"]);
}

fn a_destination_s_settings_may_change(log: &str) {
    let receiver = Receiver::start(|_, _| Reaction::Status(200));
    let with = |more: &str, source: &str| {
        destination("orders", &receiver.url(), more)
            + &format!("[destinations.filter]\nsources = [\"{source}\"]\n")
    };
    let place = Place::new(log, &with("timeout = \"10s\"", "stripe"));
    let server = place.start();
    store(&server, &Delivery::new("evt_1"));
    receiver.until_got(1);
    // Not killed: what is delivered then is known to be.
    server.stop();
    place.configure(&with("timeout = \"2s\"\nconcurrency = 1", "stripe-connect"));
    let server = place.start();
    store(&server, &Delivery::new("evt_2"));
    let connect = Delivery::new("evt_3").of_source("stripe-connect", CONNECT_SECRET);
    store(&server, &connect);
    assert_eq!(ids(&receiver.until_got(2)), ["evt_1", "evt_3"]);
}
