//! How a forwarded delivery settles.

use super::{NOW, Request, code, forwarded, gate, payload, retry_after};
use crate::{
    delivery::{Delivery, Origin, Step},
    outcome::Outcome,
    reply::Code,
    shared::memory::Memory,
    time::Timestamp,
};

#[test]
fn answers_a_duplicate_only_after_the_upstream_confirmed() {
    let (gate, mut store) = (gate(), Memory::default());
    let request = Request::new(payload("evt_1"));
    let (mut first, step) = request.send(&gate, &mut store, 1);
    forwarded(step);

    let (_, second) = request.send(&gate, &mut store, 2);
    let Step::Reply(reply) = second else {
        panic!("{second:?}")
    };
    assert_eq!(reply.code, Code::InProgress);
    assert!(matches!(retry_after(&reply), Some(29..=31)), "{reply:?}");

    first.answered(200, Origin::Upstream, NOW, &mut store);
    assert_eq!(first.outcome(), Some(Outcome::Committed));
    let (_, third) = request.send(&gate, &mut store, 3);
    assert_eq!(code(&third), Code::Duplicate);
    first.closed(NOW, &mut store);
    assert_eq!(code(&request.send(&gate, &mut store, 4).1), Code::Duplicate);
}

#[test]
fn forwards_again_whatever_else_the_upstream_did() {
    let (gate, mut store) = (gate(), Memory::default());
    let request = Request::new(payload("evt_1"));
    for (status, origin, outcome) in [
        (503, Origin::Upstream, Outcome::Released),
        (429, Origin::Upstream, Outcome::Released),
        (400, Origin::Upstream, Outcome::Released),
        (302, Origin::Upstream, Outcome::Released),
        (199, Origin::Upstream, Outcome::Released),
        (0, Origin::Upstream, Outcome::Released),
        // A local reply of the host's, whatever it says.
        (200, Origin::Host, Outcome::InDoubt),
        (504, Origin::Host, Outcome::InDoubt),
        // It refused the request instead of forwarding it.
        (429, Origin::Host, Outcome::Released),
    ] {
        let (mut delivery, step) = request.send(&gate, &mut store, 1);
        forwarded(step);
        delivery.answered(status, origin, NOW, &mut store);
        assert_eq!(delivery.outcome(), Some(outcome), "{status} {origin:?}");
    }
    let (mut gone, step) = request.send(&gate, &mut store, 1);
    forwarded(step);
    gone.closed(NOW, &mut store);
    assert_eq!(gone.outcome(), Some(Outcome::InDoubt));
    forwarded(request.send(&gate, &mut store, 1).1);
}

#[test]
fn a_delivery_lost_with_its_worker_is_forwarded_after_the_lease() {
    let (gate, mut store) = (gate(), Memory::default());
    let request = Request::new(payload("evt_1"));
    drop(request.send(&gate, &mut store, 1));
    let after = |seconds: u64| Timestamp::from_unix_millis(NOW.unix_millis() + seconds * 1_000);
    let (_, step) = request.send_at(&gate, &mut store, 2, after(30));
    assert_eq!(code(&step), Code::InProgress);
    forwarded(request.send_at(&gate, &mut store, 2, after(31)).1);
}

#[test]
fn a_late_answer_neither_forgets_nor_frees_the_next_delivery() {
    let (gate, mut store) = (gate(), Memory::default());
    let request = Request::new(payload("evt_1"));
    let later = Timestamp::from_unix_millis(NOW.unix_millis() + 31_000);
    let (mut late, _) = request.send(&gate, &mut store, 1);
    let (_next, step) = request.send_at(&gate, &mut store, 2, later);
    forwarded(step);
    late.answered(503, Origin::Upstream, later, &mut store);
    assert_eq!(
        code(&request.send_at(&gate, &mut store, 3, later).1),
        Code::InProgress
    );
}

#[test]
fn no_answer_of_the_hosts_own_says_stored() {
    let (gate, mut store) = (gate(), Memory::default());
    let grpc = |id| Request::new(payload(id)).also("content-type", b"application/grpc+json");

    let forged = grpc("evt_1").with("stripe-signature", b"t=1760000000,v1=0");
    let (mut delivery, _) = forged.send(&gate, &mut store, 1);
    assert!(delivery.awaits_answer());
    assert_eq!(
        delivery.answered(200, Origin::Host, NOW, &mut store),
        Some(400)
    );

    let (mut delivery, step) = grpc("evt_2").send(&gate, &mut store, 1);
    forwarded(step);
    assert_eq!(
        delivery.answered(200, Origin::Host, NOW, &mut store),
        Some(503)
    );
    forwarded(grpc("evt_2").send(&gate, &mut store, 1).1);

    let (mut delivery, step) = grpc("evt_3").send(&gate, &mut store, 1);
    forwarded(step);
    assert_eq!(
        delivery.answered(200, Origin::Upstream, NOW, &mut store),
        None
    );
    let (mut duplicate, _) = grpc("evt_3").send(&gate, &mut store, 1);
    assert_eq!(duplicate.answered(200, Origin::Host, NOW, &mut store), None);

    // Cut off by the host while it waits for its body.
    let mut slow = Delivery::default();
    slow.headers(&gate, grpc("evt_4").arrival(NOW), &mut Memory::default());
    assert!(slow.awaits_answer());
    assert_eq!(slow.answered(200, Origin::Host, NOW, &mut store), Some(503));
    assert_eq!(slow.answered(408, Origin::Host, NOW, &mut store), None);
}

#[test]
fn looks_at_no_answer_that_cannot_be_wrong() {
    let refused = Request::new(payload("evt_1")).without("stripe-signature");
    let (delivery, _) = refused.send(&gate(), &mut Memory::default(), 1);
    assert!(!delivery.awaits_answer());
}
