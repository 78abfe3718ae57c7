//! Whatever a host calls in whatever order: every delivery is counted once.

use alloc::{collections::BTreeMap, format, string::String, vec::Vec};

use super::{NOW, SECRET};
use crate::{
    config::Config,
    delivery::{Arrival, Count, Delivery, Entropy, Origin, Step},
    gate::Gate,
    outcome::Outcome,
    protection::{Protection, Suspect},
    request::RequestHead,
    secret::SigningSecret,
    shared::memory::Memory,
    signature::sign,
    time::Timestamp,
};

const DELIVERIES: u64 = 5_000;

const GATE: &str = r#"{
    "endpoints": [
        {"name": "plain", "path": "/plain", "secrets": [{"name": "only", "env": "S"}],
         "max_body_bytes": 400},
        {"name": "choosy", "path": "/choosy", "secrets": [{"name": "only", "env": "S", "connect": true}],
         "policy": {"types": {"deny": ["b.*"]}, "synchronous": {"types": ["c.*"], "route": "decider"},
                    "accounts": {"known": ["acct_1"], "unknown": "refuse"}},
         "quotas": {"accounts": {"rate": 1, "per_seconds": 60, "burst": 2, "exceeded": "refuse"}}},
        {"name": "fenced", "path": "/fenced", "secrets": [{"name": "only", "env": "S"}],
         "policy": {"source_ranges": ["192.0.2.0/24"]}},
        {"name": "closed", "path": "/closed", "secrets": [{"name": "only", "env": "NONE"}]}
    ],
    "dedup": {"max_entries": 1},
    "quotas": {"sources": {"rate": 1000, "burst": 300}},
    "pass_unknown_paths": PASS
}"#;

/// A small generator (xorshift64): the same numbers in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::try_from(self.below(all.len() as u64)).unwrap()]
    }
}

/// What was counted, by the names in the equations.
#[derive(Default)]
struct Tally(BTreeMap<&'static str, u64>);

impl Tally {
    fn count(&mut self, name: &'static str) {
        *self.0.entry(name).or_default() += 1;
    }

    fn sum(&self, names: &[&str]) -> u64 {
        names.iter().filter_map(|name| self.0.get(name)).sum()
    }

    fn assert_conserved(&self) {
        let counted = &self.0;
        for (left, right) in [
            (
                "received",
                &["verified", "refused", "aborted", "passed"][..],
            ),
            (
                "verified",
                &[
                    "forwarded",
                    "duplicate",
                    "in_progress",
                    "limited",
                    "ignored",
                    "denied",
                    "unavailable",
                ],
            ),
            (
                "forwarded",
                &["committed", "released", "in_doubt", "passed_through"],
            ),
        ] {
            assert_eq!(self.sum(&[left]), self.sum(right), "{left}: {counted:?}");
        }
    }
}

#[test]
fn every_delivery_is_conserved_whatever_is_called() {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut seen = Tally::default();
    for pass in ["false", "true"] {
        let json = GATE.replace("PASS", pass);
        let gate = Gate::load(Config::from_json(json.as_bytes()).unwrap(), |variable| {
            (variable == "S").then(|| SECRET.into())
        })
        .unwrap();
        let (mut store, mut now) = (Memory::default(), NOW);
        let mut open = Vec::new();
        for _ in 0..DELIVERIES {
            now = Timestamp::from_unix_millis(now.unix_millis() + dice.below(2_000));
            if dice.below(100) == 0 {
                let all = "198.51.100.0/24".parse().unwrap();
                gate.protect(Protection {
                    tightened: (dice.below(3) == 0).then_some(all).into_iter().collect(),
                    sheds: dice.below(3) == 0,
                    suspects: (dice.below(3) == 0)
                        .then_some(Suspect {
                            network: all,
                            api_version: None,
                            type_name: None,
                            account: None,
                        })
                        .into_iter()
                        .collect(),
                });
            }
            open.push(deliver(&gate, &mut store, now, &mut dice));
            // Some stay open while others of the same event come.
            while open.len() > 40 {
                let mut delivery = open.remove(0);
                delivery.closed(now, &mut store);
                for name in tally(&delivery.take_counts()) {
                    seen.count(name);
                }
            }
        }
    }
    seen.assert_conserved();
    // A run that never gets somewhere says nothing about it.
    for outcome in Outcome::all().filter(|outcome| outcome.reason() != "verified") {
        let name = outcome.as_str();
        assert!(seen.sum(&[name]) > 0, "no {name}: {:?}", seen.0);
    }
}

/// Calls the verbs of one delivery, mostly in order and often not to its end.
fn deliver(gate: &Gate, store: &mut Memory, now: Timestamp, dice: &mut Dice) -> Delivery {
    let (headers, payload) = request(now, dice);
    let mut delivery = Delivery::default();
    let mut calls: Vec<u64> = (0..4).collect();
    for _ in 0..dice.below(3) {
        let at = dice.below(calls.len() as u64);
        // Headers come once: no host has two requests in one stream.
        calls.insert(usize::try_from(at).unwrap(), 1 + dice.below(5));
    }
    if dice.below(3) == 0 {
        calls.truncate(usize::try_from(dice.below(4)).unwrap());
    }
    store.fails = dice.below(50) == 0;
    let mut step = Step::Hold;
    for call in calls {
        match call {
            0 => {
                let arrival = Arrival {
                    head: RequestHead(&headers),
                    source: Some([198, 51, 100, 7].into()),
                    now,
                };
                step = delivery.headers(gate, arrival, store);
            }
            1 if step == Step::Hold => step = delivery.body(&payload, now, store),
            2 if step == Step::Hold => {
                let entropy = (dice.below(50) > 0).then(|| {
                    let token = dice.below(u64::MAX).to_le_bytes();
                    Entropy([token, token, token, token].concat().try_into().unwrap())
                });
                step = delivery.end(&payload, now, entropy, store);
            }
            3 => {
                let status = dice.one_of(&[0, 200, 204, 302, 429, 503]);
                let origin = dice.one_of(&[Origin::Upstream, Origin::Host]);
                delivery.answered(status, origin, now, store);
            }
            // Out of order, as no host should.
            1 => _ = delivery.body(&payload, now, store),
            2 => _ = delivery.end(&payload, now, None, store),
            4 => delivery.fail(),
            _ => delivery.closed(now, store),
        }
    }
    delivery
}

fn request(now: Timestamp, dice: &mut Dice) -> (Vec<(String, Vec<u8>)>, Vec<u8>) {
    let paths = [
        "/plain", "/plain", "/choosy", "/choosy", "/fenced", "/closed", "/nowhere",
    ];
    let payload = if dice.below(20) == 0 {
        b"{}".to_vec()
    } else {
        format!(
            r#"{{"id": "evt_{}", "object": "event", "type": "{}"{}}}"#,
            dice.below(80),
            dice.one_of(&["a.x", "b.x", "c.x"]),
            dice.one_of(&["", r#", "account": "acct_1""#, r#", "account": "acct_2""#]),
        )
        .into_bytes()
    };
    let secret = dice.one_of(&[SECRET, SECRET, SECRET, b"whsec_stranger"]);
    let secret = SigningSecret::new("sender", secret).unwrap();
    let headers = [
        (
            ":method",
            dice.one_of(&["POST", "POST", "POST", "POST", "POST", "GET"])
                .into(),
        ),
        (":path", dice.one_of(&paths).into()),
        ("stripe-signature", sign(&secret, now, &payload)),
    ];
    let headers = headers.map(|(name, value): (&str, String)| (name.into(), value.into_bytes()));
    (headers.into(), payload)
}

/// Returns the names of what one delivery counted, which has to be conserved
/// for this one alone.
fn tally(counts: &[Count]) -> Vec<&'static str> {
    let named = counts.iter().filter_map(|count| match count {
        Count::Received => Some("received"),
        Count::Verified { .. } => Some("verified"),
        Count::Forwarded => Some("forwarded"),
        Count::Ended(outcome) => Some(outcome.as_str()),
        _ => None,
    });
    let names: Vec<_> = named.collect();
    let mut tally = Tally::default();
    for name in &names {
        tally.count(name);
    }
    tally.assert_conserved();
    assert!(tally.sum(&["received"]) <= 1, "{names:?}");
    let ended = counts.iter().filter(|c| matches!(c, Count::Ended(_)));
    assert_eq!(tally.sum(&["received"]), ended.count() as u64, "{names:?}");
    names
}
