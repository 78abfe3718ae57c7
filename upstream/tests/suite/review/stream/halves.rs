//! What a kill leaves half carried out, set up as the kill would leave it.

use std::{collections::BTreeSet, time::Duration};

use async_nats::{HeaderMap, jetstream};

use crate::{
    destinations::{Place, append, destination, parked},
    harness::until,
    nats_server::Nats,
    receiver::{Reaction, Receiver},
    review::{Scene, decide, waiting::Waiting},
};

const CARRIED: &str = "hookgate.retry.carried";

/// Where a stream has the newest message of a subject.
async fn place_of(context: &jetstream::Context, stream: &str, subject: &str) -> Option<u64> {
    let stream = context.get_stream(stream).await.unwrap();
    let message = stream.get_last_raw_message_by_subject(subject).await;
    message.ok().map(|message| message.sequence)
}

#[test]
fn an_event_whose_stay_in_review_ended_and_no_more_is_delivered() {
    let nats = Nats::start();
    let Scene {
        orders,
        place,
        server,
    } = Scene::start(&nats.address(), 2);
    server.stop();
    orders.mend();
    let decided = decide(&place.log, "ada", &["review", "approve", "--all"]);
    assert_eq!(decided.counts(), [("released", 2)].into());
    // The server had removed the first one and made nothing due.
    nats.ask(async |context| {
        let subject = "hookgate.review.orders.1";
        let ended = place_of(&context, "HOOKGATE_REVIEW", subject).await;
        let review = context.get_stream("HOOKGATE_REVIEW").await.unwrap();
        review.delete_message(ended.unwrap()).await.unwrap();
    });
    let _server = place.start();
    orders.receiver.until_got(4);
    until("it is done", || Waiting::is_quiet(&place.log).then_some(()));
    assert_eq!(orders.receiver.got().len(), 4);
}

#[test]
fn a_request_that_is_parked_already_is_not_parked_again() {
    let nats = Nats::start();
    let log = nats.address();
    let receiver = Receiver::start(|_, _| Reaction::Status(200));
    let text = destination("orders", &receiver.url(), "") + "[review]\napprovals = 2\n";
    let place = Place::new(&log, &text);
    let server = place.start();
    append(&server, 1);
    until("it is delivered", || Waiting::is_quiet(&log).then_some(()));
    let redeliver = ["redeliver", "evt_n00000", "--destination", "orders"];
    let decided = decide(&log, "ada", &redeliver);
    assert_eq!(decided.counts(), [("approved", 1)].into());
    let stay = || {
        nats.ask(async |context| {
            place_of(&context, "HOOKGATE_REVIEW", "hookgate.review.orders.1").await
        })
    };
    let first = until("the request is parked", stay);
    until("it is done", || Waiting::is_quiet(&log).then_some(()));
    server.stop();
    // The server had parked it, and didn't come to write down how far it was.
    nats.ask(async |context| {
        let written = place_of(&context, "HOOKGATE_RETRY", CARRIED).await;
        let retry = context.get_stream("HOOKGATE_RETRY").await.unwrap();
        retry.delete_message(written.unwrap()).await.unwrap();
    });
    let _server = place.start();
    until("it is carried out", || {
        nats.ask(async |context| place_of(&context, "HOOKGATE_RETRY", CARRIED).await)
    });
    assert_eq!(stay(), Some(first));
    assert_eq!(parked(&place).len(), 1);
    let decided = decide(&log, "ben", &["review", "approve", "--all"]);
    assert_eq!(decided.counts(), [("released", 1)].into());
    receiver.until_got(2);
}

#[test]
fn an_event_that_is_parked_and_not_acknowledged_stays_in_review_as_it_is() {
    let nats = Nats::start();
    let receiver = Receiver::start(|_, _| Reaction::Status(400));
    let text = destination("orders", &receiver.url(), "from = \"beginning\"");
    let place = Place::new(&nats.address(), &text);
    let server = place.start();
    append(&server, 1);
    let stay = || {
        nats.ask(async |context| {
            place_of(&context, "HOOKGATE_REVIEW", "hookgate.review.orders.1").await
        })
    };
    let first = until("it is parked", stay);
    server.stop();
    // The server had parked it, and didn't come to acknowledge it.
    nats.ask(async |context| {
        let log = context.get_stream("HOOKGATE").await.unwrap();
        log.delete_consumer("hookgate-orders").await.unwrap();
    });
    let _server = place.start();
    receiver.until_got(2);
    until("it is done", || Waiting::is_quiet(&place.log).then_some(()));
    assert_eq!(stay(), Some(first));
}

/// Otherwise a kill between them would make jobs twice, or none.
#[test]
fn jobs_and_the_place_in_the_trail_are_stored_as_one() {
    let nats = Nats::start();
    // Then it is left alone, and what is due stays in its stream.
    let receiver = Receiver::start(|got, _| match got.id() {
        "evt_n00002" => Reaction::RetryAfter(600),
        _ => Reaction::Status(400),
    });
    let place = Place::new(&nats.address(), &destination("orders", &receiver.url(), ""));
    let server = place.start();
    append(&server, 3);
    until("two are parked", || {
        (parked(&place).len() == 2).then_some(())
    });
    receiver.until_got(3);
    let decided = decide(&place.log, "ada", &["review", "approve", "--all"]);
    assert_eq!(decided.counts(), [("released", 2)].into());
    let subjects = [
        "hookgate.retry.orders.1",
        "hookgate.retry.orders.2",
        CARRIED,
    ];
    let batches = until("it is carried out", || {
        nats.ask(async |context| {
            let retry = context.get_stream("HOOKGATE_RETRY").await.unwrap();
            let mut batches = BTreeSet::new();
            for subject in subjects {
                let message = retry.get_last_raw_message_by_subject(subject).await.ok()?;
                batches.insert(message.headers.get("Nats-Batch-Id")?.to_string());
            }
            Some(batches)
        })
    });
    assert_eq!(batches.len(), 1, "{batches:?}");
}

/// Makes an event due as servers do that carry a decision out.
fn let_go(nats: &Nats, attempts: u32) {
    nats.ask(async |context| {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("hookgate-sequence", 1),
            ("hookgate-attempts", attempts),
            ("hookgate-spent", attempts),
            ("hookgate-first-at", 1),
            ("hookgate-decision", attempts),
        ] {
            headers.insert(name, value.to_string());
        }
        let subject = "hookgate.retry.orders.1";
        let published = context.publish_with_headers(subject, headers, "".into());
        published.await.unwrap().await.unwrap();
    });
}

#[test]
fn what_is_let_go_while_its_last_attempt_is_settled_is_not_lost() {
    let nats = Nats::start();
    let receiver = Receiver::start(|_, before| match before {
        1 => Reaction::Slow(Duration::from_secs(3)),
        _ => Reaction::Status(200),
    });
    let place = Place::new(
        &nats.address(),
        &destination("orders", &receiver.url(), "timeout = \"20s\""),
    );
    let server = place.start();
    append(&server, 1);
    until("it is delivered", || {
        Waiting::is_quiet(&place.log).then_some(())
    });
    let_go(&nats, 1);
    receiver.until_got(2);
    // The server is at it, and asks for more.
    let_go(&nats, 2);
    let got = receiver.until_got(3);
    let attempts: Vec<u32> = got.iter().map(|it| it.attempt()).collect();
    assert_eq!(attempts, [1, 2, 3]);
    until("it is done", || Waiting::is_quiet(&place.log).then_some(()));
    assert_eq!(receiver.got().len(), 3);
}
