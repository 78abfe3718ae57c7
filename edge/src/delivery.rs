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
    pub fn headers(&mut self, head_bytes: usize, source: Option<String>, now: f64) -> String {
        let headers = input::with(head_bytes, 0, |head, _| input::headers(head));
        self.tell(Verb::Headers {
            headers,
            source: source.and_then(|text| text.parse().ok()),
            now: timestamp(now),
        });
        self.go(0)
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
