//! Whatever the host calls, and in whichever order, the gate stays closed.

use super::{NOW, Request, code, forwarded, gate, payload};
use crate::{
    delivery::{Delivery, Entropy, Step},
    outcome::{Outcome, Stage},
    reply::Code,
    shared::memory::Memory,
};

#[test]
fn called_out_of_order_the_gate_is_closed() {
    let mut store = Memory::default();
    assert_eq!(
        code(&Delivery::default().body(b"x", NOW, &mut Memory::default())),
        Code::Unavailable
    );
    let early = Delivery::default().end(b"", NOW, None, &mut store);
    assert_eq!(code(&early), Code::Unavailable);

    let request = Request::new(payload("evt_1"));
    let (mut delivery, step) = request.send(&gate(), &mut store, 1);
    forwarded(step);
    let again = delivery.end(&request.payload, NOW, Some(Entropy([1; 32])), &mut store);
    assert_eq!(code(&again), Code::Unavailable);
}

#[test]
fn holds_what_still_comes_after_an_answer() {
    let request = Request::new(payload("evt_1")).with(":path", b"/nowhere");
    let (mut delivery, step) = request.send(&gate(), &mut Memory::default(), 1);
    assert_eq!(code(&step), Code::EndpointUnknown);
    assert_eq!(delivery.body(b"x", NOW, &mut Memory::default()), Step::Hold);
    assert_eq!(
        delivery.end(b"x", NOW, None, &mut Memory::default()),
        Step::Hold
    );
}

#[test]
fn a_stream_that_ends_early_is_aborted() {
    let gate = gate();
    let request = Request::new(payload("evt_1"));
    let mut delivery = Delivery::default();
    delivery.headers(&gate, request.arrival(NOW), &mut Memory::default());
    delivery.closed(NOW, &mut Memory::default());
    assert_eq!(
        delivery.outcome(),
        Some(Outcome::Aborted(Stage::Unverified))
    );
}

#[test]
fn names_every_verified_event_and_no_other() {
    let (gate, mut store) = (gate(), Memory::default());
    let request = Request::new(payload("evt_1"));
    request.send(&gate, &mut store, 1);
    let (repeated, step) = request.send(&gate, &mut store, 2);
    assert_eq!(code(&step), Code::InProgress);
    assert_eq!(repeated.identified().unwrap().event_id, "evt_1");

    let forged = request.with("stripe-signature", b"t=1760000000,v1=0");
    let (forged, step) = forged.send(&gate, &mut store, 3);
    assert_eq!(code(&step), Code::SignatureMismatch);
    assert_eq!(forged.identified(), None);
}

#[test]
fn decides_nothing_on_other_bytes_than_were_hashed() {
    let (gate, request, mut store) = (gate(), Request::new(payload("evt_1")), Memory::default());
    for payload in [&b""[..], &request.payload[1..]] {
        let mut delivery = Delivery::default();
        delivery.headers(&gate, request.arrival(NOW), &mut Memory::default());
        delivery.body(&request.payload, NOW, &mut Memory::default());
        let step = delivery.end(payload, NOW, Some(Entropy([1; 32])), &mut store);
        assert_eq!(code(&step), Code::Unavailable);
    }
}

#[test]
fn bytes_may_wait_while_they_are_few_and_not_too_many() {
    let (gate, mut store) = (gate(), Memory::default());
    for (path, most) in [("/hooks", 400), ("/hooks/connect", 65_535)] {
        let request = Request::new(payload("evt_1")).with(":path", path.as_bytes());
        let mut delivery = Delivery::default();
        assert!(!delivery.lets_wait(0));
        delivery.headers(&gate, request.arrival(NOW), &mut store);
        assert!(delivery.lets_wait(most) && !delivery.lets_wait(most + 1));
        // What was read counts for the payload's limit, and waits no longer.
        delivery.body(b"{", NOW, &mut store);
        let left = if most == 400 { 399 } else { most };
        assert!(delivery.lets_wait(left) && !delivery.lets_wait(left + 1));
    }
}
