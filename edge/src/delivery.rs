//! One delivery, over a store that takes its time.

use std::{net::IpAddr, rc::Rc};

use hookgate_core::{
    delivery::{self, Arrival, Entropy, Origin},
    gate,
    request::RequestHead,
    time::Timestamp,
};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::{
    answer::{self, Ended, Next},
    gate::{Gate, timestamp},
    input,
    journal::{Asked, Journal},
};

const NO_ADDRESS: &str = "address: expected the text of one IP address, such as 192.0.2.1";

/// Drives one delivery. Each verb answers what to do next, in JSON; after
/// `load` and `store` comes `loaded`, `stored` or `failed`, and `go`.
#[wasm_bindgen]
pub struct Delivery {
    gate: Rc<gate::Gate>,
    delivery: delivery::Delivery,
    verb: Verb,
    journal: Journal,
    asked: Option<Asked>,
}

/// Is what the delivery was told last.
enum Verb {
    Headers {
        headers: Vec<(String, Vec<u8>)>,
        source: Option<IpAddr>,
        now: Timestamp,
    },
    Body {
        now: Timestamp,
    },
    End {
        now: Timestamp,
        entropy: Option<Entropy>,
    },
    Answered {
        status: u16,
        origin: Origin,
        now: Timestamp,
    },
    Closed {
        now: Timestamp,
    },
}

#[wasm_bindgen]
impl Delivery {
    /// Begins a delivery at a gate.
    #[wasm_bindgen(constructor)]
    #[must_use]
    pub fn new(gate: &Gate) -> Self {
        Self {
            gate: Rc::clone(&gate.gate),
            delivery: delivery::Delivery::default(),
            verb: Verb::Closed {
                now: timestamp(0.0),
            },
            journal: Journal::default(),
            asked: None,
        }
    }

    /// Judges the headers in the input, with `:method` and `:path` among them.
    ///
    /// # Errors
    /// If the source is no IP address: a quota or a range would not see it.
    pub fn headers(
        &mut self,
        head_bytes: usize,
        source: Option<String>,
        now: f64,
    ) -> Result<String, String> {
        let headers = input::with(head_bytes, 0, |head, _| input::headers(head));
        let source = source.map(|text| text.parse()).transpose();
        let source = source.map_err(|_| NO_ADDRESS.to_owned())?;
        self.tell(Verb::Headers {
            headers,
            source,
            now: timestamp(now),
        });
        Ok(self.go(0))
    }

    /// Takes the chunk of the payload that is in the input.
    pub fn body(&mut self, chunk_bytes: usize, now: f64) -> String {
        self.tell(Verb::Body {
            now: timestamp(now),
        });
        self.go(chunk_bytes)
    }

    /// Decides; the whole payload is in the input.
    pub fn end(&mut self, payload_bytes: usize, now: f64, entropy: &[u8]) -> String {
        self.tell(Verb::End {
            now: timestamp(now),
            entropy: entropy.try_into().ok().map(Entropy),
        });
        self.go(payload_bytes)
    }

    /// Settles by the upstream's answer, or by what the host answers without one.
    pub fn answered(&mut self, status: u16, by_upstream: bool, now: f64) -> String {
        self.tell(Verb::Answered {
            status,
            origin: if by_upstream {
                Origin::Upstream
            } else {
                Origin::Host
            },
            now: timestamp(now),
        });
        self.go(0)
    }

    /// Ends the delivery, whatever its state.
    pub fn closed(&mut self, now: f64) -> String {
        self.tell(Verb::Closed {
            now: timestamp(now),
        });
        self.go(0)
    }

    /// Returns the bytes that are to be stored.
    #[must_use]
    pub fn value(&self) -> Vec<u8> {
        let asked = self.asked.as_ref();
        asked.map(|asked| asked.value.clone()).unwrap_or_default()
    }

    /// Takes a bucket's bytes with a number for their version; none: it isn't
    /// there.
    pub fn loaded(&mut self, bytes: Vec<u8>, version: Option<u32>) {
        self.asked = None;
        self.journal.loaded(bytes, version);
    }

    /// Takes whether the bucket still had its version, and is written.
    pub fn stored(&mut self, written: bool) {
        self.asked = None;
        self.journal.stored(written);
    }

    /// Takes that the store failed.
    pub fn failed(&mut self) {
        if let Some(asked) = self.asked.take() {
            self.journal.failed(&asked.next);
        }
    }

    /// Does the verb, as far as the store has answered. The chunk or payload is
    /// in the input again: another delivery may have used it meanwhile.
    pub fn go(&mut self, input_bytes: usize) -> String {
        let mut delivery = self.delivery.clone();
        self.journal.rewind();
        let next = self.attempt(&mut delivery, input_bytes);
        if let Some(asked) = self.journal.take_asked() {
            let asked = self.asked.insert(asked);
            return answer::json(&asked.next);
        }
        self.delivery = delivery;
        // What a host counts, it counts by `ended`.
        _ = self.delivery.take_counts();
        answer::json(&next)
    }

    /// Says how the delivery ended and what it was about, in JSON.
    #[must_use]
    pub fn ended(&self) -> String {
        answer::json(&Ended::of(&self.delivery))
    }
}

impl Delivery {
    fn tell(&mut self, verb: Verb) {
        self.verb = verb;
        self.journal = Journal::default();
        self.asked = None;
    }

    fn attempt(&mut self, delivery: &mut delivery::Delivery, input_bytes: usize) -> Next {
        let Self { gate, journal, .. } = self;
        match &self.verb {
            Verb::Headers {
                headers,
                source,
                now,
            } => {
                let arrival = Arrival {
                    head: RequestHead(headers),
                    source: *source,
                    now: *now,
                };
                Next::after(delivery.headers(gate, arrival, journal))
            }
            Verb::Body { now } => Next::after(input::with(0, input_bytes, |_, chunk| {
                delivery.body(chunk, *now, journal)
            })),
            Verb::End { now, entropy } => Next::after(input::with(0, input_bytes, |_, payload| {
                delivery.end(payload, *now, *entropy, journal)
            })),
            Verb::Answered {
                status,
                origin,
                now,
            } => Next::Settled {
                instead: delivery.answered(*status, *origin, *now, journal),
            },
            Verb::Closed { now } => {
                delivery.closed(*now, journal);
                Next::Settled { instead: None }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use hookgate_core::{
        request::RequestHead, scheme::Scheme, secret::SigningSecret, time::Timestamp,
    };

    use super::Delivery;
    use crate::{gate::Gate, input::with_input};

    const NOW: f64 = 1_760_000_000_000.0;
    const PAYLOAD: &[u8] = br#"{"id":"evt_1","object":"event","type":"a.b"}"#;

    /// A store with a version for each write, which others write to in between.
    #[derive(Default)]
    struct Store {
        buckets: HashMap<String, (Vec<u8>, u32)>,
        rivals: u32,
        asked: Vec<String>,
    }

    fn gate() -> Gate {
        let config = r#"{"endpoints": [{"name": "a", "path": "/", "keyring": "edge"}],
            "keyrings": [{"name": "edge", "filter_state": "edge"}],
            "quotas": {"overall": {"rate": 9, "per_seconds": 60}}}"#;
        let keyring = r#"{"endpoints": {"a": [{"name": "one", "secret": "whsec_a"}]}}"#;
        Gate::new(config, keyring.to_owned()).unwrap()
    }

    fn field<'a>(answer: &'a serde_json::Value, name: &str) -> &'a str {
        answer
            .get(name)
            .and_then(|it| it.as_str())
            .unwrap_or_default()
    }

    /// Answers what the delivery asks of the store; returns what it says in the end.
    fn settle(
        delivery: &mut Delivery,
        store: &mut Store,
        input: &[u8],
        first: &str,
    ) -> serde_json::Value {
        let mut answer: serde_json::Value = serde_json::from_str(first).unwrap();
        loop {
            let next = field(&answer, "next").to_owned();
            let key = field(&answer, "key").to_owned();
            match next.as_str() {
                "load" => {
                    let found = store.buckets.get(&key);
                    let (bytes, version) = found.cloned().unzip();
                    delivery.loaded(bytes.unwrap_or_default(), version);
                }
                "store" => {
                    if store.rivals > 0 {
                        store.rivals -= 1;
                        let bucket = store.buckets.entry(key.clone()).or_default();
                        bucket.1 += 1;
                    }
                    let current = store.buckets.get(&key).map(|(_, version)| *version);
                    let known = answer.get("version").and_then(serde_json::Value::as_i64);
                    let fits = known == Some(current.map_or(-1, i64::from));
                    if fits {
                        let version = current.unwrap_or_default() + 1;
                        store
                            .buckets
                            .insert(key.clone(), (delivery.value(), version));
                    }
                    delivery.stored(fits);
                }
                _ => return answer,
            }
            store.asked.push(format!("{next} {key}"));
            with_input(input);
            answer = serde_json::from_str(&delivery.go(input.len())).unwrap();
        }
    }

    /// Takes a genuine delivery to its end, and returns what the gate wants then.
    fn deliver(gate: &Gate, store: &mut Store) -> (Delivery, serde_json::Value) {
        let secret = SigningSecret::new("one", b"whsec_a").unwrap();
        let at = Timestamp::from_unix_seconds(1_760_000_000);
        let signed = Scheme::Stripe.sign(&secret, at, RequestHead(&[]), PAYLOAD);
        let signature = &signed.first().unwrap().1;
        let head = format!(":method\0POST\0:path\0/\0stripe-signature\0{signature}\0");
        let mut delivery = Delivery::new(gate);
        with_input(head.as_bytes());
        let held = delivery.headers(head.len(), None, NOW).unwrap();
        assert_eq!(held, r#"{"next":"hold"}"#);
        with_input(PAYLOAD);
        assert_eq!(delivery.body(PAYLOAD.len(), NOW), held);
        let first = delivery.end(PAYLOAD.len(), NOW, &[7; 32]);
        let next = settle(&mut delivery, store, PAYLOAD, &first);
        (delivery, next)
    }

    #[test]
    fn a_store_that_answers_later_changes_no_decision() {
        for rivals in 0..4 {
            let gate = gate();
            let mut store = Store {
                rivals,
                ..Store::default()
            };
            let (mut delivery, next) = deliver(&gate, &mut store);
            assert_eq!(field(&next, "next"), "forward", "{next}");
            let (_, rival) = deliver(&gate, &mut store);
            assert!(field(&rival, "body").contains("in_progress"), "{rival}");
            let first = delivery.answered(200, true, NOW);
            settle(&mut delivery, &mut store, &[], &first);
            assert!(delivery.ended().contains(r#""outcome":"committed""#));
            let (_, again) = deliver(&gate, &mut store);
            assert!(field(&again, "body").contains("duplicate"), "{again}");
        }
    }

    #[test]
    fn nothing_is_asked_of_the_store_twice_without_a_rival() {
        let mut store = Store::default();
        deliver(&gate(), &mut store);
        let places: Vec<_> = store.asked.iter().map(|it| it.split('.').next()).collect();
        assert_eq!(places.len(), 4, "{:?}", store.asked);
        let mut unique = store.asked.clone();
        unique.sort();
        unique.dedup();
        assert_eq!(unique.len(), 4, "reserve and charge, once each");
    }

    #[test]
    fn a_store_that_fails_closes_the_gate() {
        let mut delivery = Delivery::new(&gate());
        // Nothing was asked, so nothing can have failed.
        delivery.failed();
        let mut store = Store::default();
        let (mut delivery, _) = deliver(&gate(), &mut store);
        with_input(PAYLOAD);
        assert!(delivery.end(PAYLOAD.len(), NOW, &[7; 32]).contains("load"));
        delivery.failed();
        with_input(PAYLOAD);
        assert!(delivery.go(PAYLOAD.len()).contains("unavailable"));
    }
}
