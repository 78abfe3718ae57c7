//! Events of a stranger, which wait for a person at the upstream.

use alloc::{format, string::String, vec, vec::Vec};

use super::{NOW, Request, SECRET, code, forwarded, gate, gate_with};
use crate::{
    delivery::{Count, Delivery, Entropy, Origin, Step},
    protection::{Action, Protection, Suspect},
    reply::Code,
    shared::memory::Memory,
};

/// Where the tests' requests come from.
const HERE: &str = "198.51.100.0/24";

fn suspect(network: &str) -> Suspect {
    Suspect {
        network: network.parse().unwrap(),
        api_version: None,
        type_name: None,
        account: None,
    }
}

fn of(suspects: Vec<Suspect>) -> Protection {
    Protection {
        suspects,
        ..Protection::default()
    }
}

fn saying(id: &str, more: &str) -> Request {
    let payload = format!(r#"{{"id": "{id}", "object": "event", "type": "a.b"{more}}}"#);
    Request::new(payload.into_bytes())
}

/// Returns for what a forwarded event is held, and how often that was counted.
fn held(delivery: &mut Delivery, step: Step) -> (Vec<String>, usize) {
    let set = forwarded(step).set.into_iter();
    let values = set.filter(|(name, _)| *name == "ce-heldfor");
    let counts = delivery.take_counts().into_iter();
    let counts = counts.filter(|count| matches!(count, Count::Protected(Action::Hold)));
    (values.map(|(_, value)| value).collect(), counts.count())
}

fn marked() -> (Vec<String>, usize) {
    (vec!["secret_suspect".into()], 1)
}

#[test]
fn events_of_a_suspects_network_are_held_while_it_is_one_and_counted() {
    let (gate, mut memory) = (gate(), Memory::default());
    let mut number = 0;
    let mut send = |protection: Protection| {
        gate.protect(protection);
        number += 1;
        let (mut delivery, step) =
            saying(&format!("evt_{number}"), "").send(&gate, &mut memory, number);
        held(&mut delivery, step)
    };
    assert_eq!(send(Protection::default()), (vec![], 0));
    assert_eq!(send(of(vec![suspect("198.51.99.0/24")])), (vec![], 0));
    let others = [suspect("2001:db8::/48"), suspect(HERE)];
    assert_eq!(send(of(others.into())), marked());
    assert_eq!(send(Protection::default()), (vec![], 0));
}

#[test]
fn of_a_known_network_only_what_says_all_that_is_new_is_held() {
    let (gate, mut memory) = (gate(), Memory::default());
    gate.protect(of(vec![
        Suspect {
            api_version: Some("2031-01-01".into()),
            account: Some("acct_2".into()),
            ..suspect(HERE)
        },
        Suspect {
            type_name: Some("c.d".into()),
            account: Some("acct_3".into()),
            ..suspect(HERE)
        },
        // All of another network is none of this one.
        suspect("198.51.99.0/24"),
    ]));
    let (version, account) = (
        r#", "api_version": "2031-01-01""#,
        r#", "account": "acct_2""#,
    );
    let known = r#", "account": "acct_1", "api_version": "2025-09-30""#;
    for (number, (more, expected)) in [
        ("", (vec![], 0)),
        (known, (vec![], 0)),
        (version, (vec![], 0)),
        (account, (vec![], 0)),
        (r#", "account": "acct_3""#, (vec![], 0)),
        (&format!("{version}{account}"), marked()),
    ]
    .into_iter()
    .enumerate()
    {
        let request = saying(&format!("evt_{number}"), more);
        let token = u8::try_from(number).unwrap();
        let (mut delivery, step) = request.send(&gate, &mut memory, token);
        assert_eq!(held(&mut delivery, step), expected, "{more}");
    }
}

#[test]
fn only_what_is_genuine_and_fresh_counts_as_held() {
    let (gate, mut memory) = (gate(), Memory::default());
    gate.protect(of(vec![suspect(HERE)]));
    let request = saying("evt_1", "");
    let forged = saying("evt_2", "").with("stripe-signature", b"t=1760000000,v1=00");
    let (mut first, step) = request.send(&gate, &mut memory, 1);
    assert_eq!(held(&mut first, step), marked());
    first.answered(200, Origin::Upstream, NOW, &mut memory);
    for (request, expected) in [
        (request, Code::Duplicate),
        (forged, Code::SignatureMismatch),
    ] {
        let (mut delivery, step) = request.send(&gate, &mut memory, 2);
        assert_eq!(code(&step), expected);
        let counts = delivery.take_counts();
        let is_hold = |count: &Count| matches!(count, Count::Protected(Action::Hold));
        assert!(!counts.iter().any(is_hold), "{counts:?}");
    }
}

#[test]
fn what_waits_for_a_decision_is_not_held() {
    let gate = gate_with("", |_| Some(SECRET.into()));
    let with_decider = r#"{"endpoints": [{"name": "stripe", "path": "/hooks",
        "secrets": [{"name": "new", "env": "NEW"}],
        "policy": {"synchronous": {"types": ["a.b"], "route": "decider"}}}]}"#;
    let config = crate::config::Config::from_json(with_decider.as_bytes()).unwrap();
    let decided = crate::gate::Gate::load(config, |_| Some(SECRET.into())).unwrap();
    for (gate, expected) in [(&gate, marked()), (&decided, (vec![], 0))] {
        gate.protect(of(vec![suspect(HERE)]));
        let (mut delivery, step) = saying("evt_1", "").send(gate, &mut Memory::default(), 1);
        assert_eq!(held(&mut delivery, step), expected);
    }
}

#[test]
fn whose_address_is_unknown_is_nobodys_suspect() {
    let (gate, mut memory) = (gate(), Memory::default());
    gate.protect(of(vec![suspect("0.0.0.0/0"), suspect("::/0")]));
    for source in [None, Some([198, 51, 100, 7].into())] {
        let id = format!("evt_{}", source.is_some());
        let request = saying(&id, "");
        let mut arrival = request.arrival(NOW);
        arrival.source = source;
        let mut delivery = Delivery::default();
        delivery.headers(&gate, arrival, &mut memory);
        delivery.body(&request.payload, NOW, &mut memory);
        let step = delivery.end(&request.payload, NOW, Some(Entropy([7; 32])), &mut memory);
        let expected = if source.is_some() {
            marked()
        } else {
            (vec![], 0)
        };
        assert_eq!(held(&mut delivery, step), expected);
    }
}
