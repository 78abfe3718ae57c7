//! One delivery, from its headers to its settlement.
//!
//! ```text
//! headers() ─► Hold ─► body()* ─► end() ─► Forward ─► answered() ─► settled
//!    └─► Reply │ Pass      └─► Reply  └─► Reply            └─ closed() ─► settled
//! ```
//! A host calls the verbs in this order and does what each one answers. Called
//! out of order they answer `unavailable`: the gate fails closed. What is to be
//! counted waits in [`Delivery::take_counts`].

mod admission;
mod charge;
mod count;
mod settlement;
mod verified;
mod wait;

use alloc::{boxed::Box, rc::Rc, string::String, vec::Vec};
use core::net::IpAddr;

use charge::{Charged, Sender};
pub use count::Count;
use settlement::Held;
pub use verified::Identified;
use verified::{Answer, Decision, Verified, Verifying};

use crate::{
    forward::{self, Forward},
    gate::{Endpoint, Gate},
    outcome::{Outcome, Stage},
    protection::Action,
    reply::{Code, Reply},
    request::RequestHead,
    shared::SharedStore,
    time::Timestamp,
    trace::TraceParent,
};

/// Tells a host what to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Hold everything back and call again with what comes.
    Hold,
    /// Not for this gate: let it pass, without the headers named here.
    Pass {
        /// Names of headers to remove.
        remove: Vec<String>,
    },
    /// Answer the sender, let nothing through.
    Reply(Reply),
    /// Let the held request through with these headers.
    Forward(Forward),
}

/// Holds what a host knows when a request's headers have come.
#[derive(Debug, Clone, Copy)]
pub struct Arrival<'a> {
    /// The headers.
    pub head: RequestHead<'a>,
    /// The peer's address; behind proxies the one that the host trusts. `None`
    /// if it is unknown: then no quota is kept for it, and it is in no range.
    pub source: Option<IpAddr>,
    /// The time.
    pub now: Timestamp,
}

/// Holds random bits for one delivery: 32 bytes of a good source.
#[derive(Debug, Clone, Copy)]
pub struct Entropy(pub [u8; 32]);

/// Says who made an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The upstream itself.
    Upstream,
    /// The host: a timeout, a reset, a local reply.
    Host,
}

/// Drives one delivery.
///
/// A host whose shared store takes its time clones one, lets the clone ask the
/// store, and calls again with the answer: nothing but what it is given decides.
#[derive(Clone, Default)]
pub struct Delivery {
    endpoint: Option<Rc<Endpoint>>,
    state: State,
    identified: Option<Identified>,
    counts: Vec<Count>,
    is_received: bool,
    calls_itself_grpc: bool,
}

#[derive(Clone, Default)]
enum State {
    #[default]
    New,
    Verifying(Box<Verifying>),
    Forwarded(Held),
    Ended(Outcome),
}

impl Delivery {
    /// Returns the endpoint, once the headers have named one.
    #[must_use]
    pub fn endpoint(&self) -> Option<&Endpoint> {
        self.endpoint.as_deref()
    }

    /// Returns what the event is called, once its payload is verified.
    #[must_use]
    pub const fn identified(&self) -> Option<&Identified> {
        self.identified.as_ref()
    }

    /// Returns how the delivery ended, if it has.
    #[must_use]
    pub const fn outcome(&self) -> Option<Outcome> {
        match self.state {
            State::Ended(outcome) => Some(outcome),
            _ => None,
        }
    }

    /// Returns what is to be counted since the last call.
    pub fn take_counts(&mut self) -> Vec<Count> {
        core::mem::take(&mut self.counts)
    }

    /// Tells whether the upstream has the delivery and has not answered yet.
    #[must_use]
    pub const fn is_forwarded(&self) -> bool {
        matches!(self.state, State::Forwarded(_))
    }

    /// Tells whether [`Self::answered`] has to see the answer: the upstream's,
    /// or one that the host may have turned into a 2xx.
    #[must_use]
    pub const fn awaits_answer(&self) -> bool {
        self.is_forwarded() || self.calls_itself_grpc
    }

    /// Judges the request's headers: all that can be refused without a body.
    ///
    /// A refusal is charged to its sender, and a sender with too many is
    /// refused here. Call again with [`Self::body`] and [`Self::end`] after
    /// `Hold`.
    pub fn headers(
        &mut self,
        gate: &Gate,
        arrival: Arrival<'_>,
        store: &mut impl SharedStore,
    ) -> Step {
        let Arrival { head, now, .. } = arrival;
        let untrusted = || {
            let names = head.0.iter().map(|(name, _)| name.as_str());
            forward::untrusted(names, gate.settings.trust_traceparent)
        };
        self.calls_itself_grpc = head.calls_itself_grpc();
        let path = head.only(":path").unwrap_or_default();
        self.endpoint = gate.endpoint(path);
        self.is_received = true;
        self.counts.push(Count::Received);
        let Some(endpoint) = self.endpoint.clone() else {
            if gate.settings.pass_unknown_paths {
                self.finish(Outcome::Passed);
                let mut remove = untrusted();
                // Whoever is behind the gate there knows its own clients.
                remove.retain(|name| !name.eq_ignore_ascii_case(forward::AUTHORIZATION));
                return Step::Pass { remove };
            }
            let sender = Sender::of(gate, None, arrival.source);
            return self.refuse(Code::EndpointUnknown, sender.as_ref(), now, store);
        };
        let mut sender = Sender::of(gate, Some(&endpoint), arrival.source);
        let signers = endpoint.signers(now);
        let admitted = admission::admit(&endpoint, &signers, arrival);
        let signed = match admitted {
            Ok(signed) => signed,
            Err(code) => return self.refuse(code, sender.as_ref(), now, store),
        };
        if let Some(reply) = self.exhausted(sender.as_mut(), now, store) {
            return self.reply(Outcome::Refused(Code::RateLimited), reply);
        }
        if gate.protector.sheds(now) {
            self.counts.push(Count::Protected(Action::Shed));
            let code = Code::Overloaded;
            return self.reply(Outcome::Refused(code), code);
        }
        let trace = head.only("traceparent").and_then(TraceParent::parse);
        self.state = State::Verifying(Box::new(Verifying {
            verifier: signed.verifier(signers.iter().map(|signer| &signer.secret)),
            signed,
            signers,
            endpoint,
            sender,
            received_at: now,
            body_bytes: 0,
            untrusted: untrusted(),
            trace: trace.filter(|_| gate.settings.trust_traceparent),
            suspicion: gate.protector.suspicion(arrival.source),
            settings: gate.settings,
        }));
        Step::Hold
    }

    /// Takes the next bytes of the payload.
    pub fn body(&mut self, chunk: &[u8], now: Timestamp, store: &mut impl SharedStore) -> Step {
        match &mut self.state {
            State::Verifying(held) => {
                let chunk_bytes = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
                held.body_bytes = held.body_bytes.saturating_add(chunk_bytes);
                if held.body_bytes > held.endpoint.config.max_body_bytes {
                    let sender = held.sender.take();
                    return self.refuse(Code::PayloadTooLarge, sender.as_ref(), now, store);
                }
                held.verifier.update(chunk);
                Step::Hold
            }
            State::Ended(outcome) => after_the_end(*outcome),
            State::New => self.out_of_order(Outcome::Refused(Code::Unavailable)),
            State::Forwarded(held) => {
                held.release(store);
                self.out_of_order(Outcome::InDoubt)
            }
        }
    }

    /// Decides, once the whole payload has been given to [`Self::body`].
    ///
    /// `payload` is the same bytes in one piece. Without entropy nothing can be
    /// reserved, so the gate is closed.
    pub fn end(
        &mut self,
        payload: &[u8],
        now: Timestamp,
        entropy: Option<Entropy>,
        store: &mut impl SharedStore,
    ) -> Step {
        match core::mem::take(&mut self.state) {
            State::Verifying(mut held) => {
                let sender = held.sender.take();
                self.counts.extend(held.measures());
                match held.verify(payload) {
                    Ok(verified) => {
                        if let Some(sender) = sender {
                            sender.vouch(now, store);
                        }
                        self.verified(verified, now, entropy, store)
                    }
                    Err(code) => self.refuse(code, sender.as_ref(), now, store),
                }
            }
            State::Ended(outcome) => {
                self.state = State::Ended(outcome);
                after_the_end(outcome)
            }
            State::New => self.out_of_order(Outcome::Refused(Code::Unavailable)),
            State::Forwarded(held) => {
                held.release(store);
                self.out_of_order(Outcome::InDoubt)
            }
        }
    }

    /// Settles a forwarded delivery by the answer's status, and returns the
    /// status to give the sender instead, if this one is not true.
    ///
    /// Only a 2xx that the upstream itself gave commits the identity. A host
    /// can make one too: it refuses a request that calls itself gRPC with 200
    /// and a `grpc-status`.
    pub fn answered(
        &mut self,
        status: u16,
        origin: Origin,
        now: Timestamp,
        store: &mut impl SharedStore,
    ) -> Option<u16> {
        if let State::Forwarded(held) = self.state {
            self.counts.push(held.took(now));
            let outcome = held.answered(status, origin, now, store);
            self.finish(outcome);
        }
        let is_success = (200..300).contains(&status);
        let truth = match self.state {
            _ if !is_success || origin == Origin::Upstream => status,
            State::Ended(Outcome::Passed) => status,
            State::Ended(outcome) => outcome.code().unwrap_or(Code::Unavailable).status(),
            _ => Code::Unavailable.status(),
        };
        (truth != status).then_some(truth)
    }

    /// Ends a delivery that the host could not carry on and has answered
    /// `unavailable`: nobody is charged for it.
    pub fn fail(&mut self) {
        if matches!(self.state, State::Verifying(_)) {
            self.finish(Outcome::Refused(Code::Unavailable));
        }
    }

    /// Ends a delivery whose stream is gone, whatever its state.
    pub fn closed(&mut self, now: Timestamp, store: &mut impl SharedStore) {
        match &self.state {
            State::Forwarded(held) => {
                held.release(store);
                self.finish(Outcome::InDoubt);
            }
            State::Verifying(held) => {
                // Whoever holds streams open without end is charged too.
                let charged = held.sender.as_ref();
                let charged = charged.map(|sender| sender.charge(now, store));
                self.count_tightened(charged);
                self.finish(Outcome::Aborted(Stage::Unverified));
            }
            State::New => self.finish(Outcome::Aborted(Stage::Unverified)),
            State::Ended(_) => {}
        }
    }

    fn verified(
        &mut self,
        verified: Verified<'_>,
        now: Timestamp,
        entropy: Option<Entropy>,
        store: &mut impl SharedStore,
    ) -> Step {
        self.counts.push(Count::Verified {
            signer: Rc::clone(verified.signer()),
        });
        let Decision {
            identified,
            counts,
            end,
        } = verified.decide(now, entropy, store);
        self.identified = identified;
        self.counts.extend(counts);
        match end {
            Ok((forward, held)) => {
                self.counts.push(Count::Forwarded);
                self.state = State::Forwarded(held);
                Step::Forward(forward)
            }
            Err(Answer { outcome, reply }) => self.reply(outcome, reply),
        }
    }

    /// Refuses an unverified delivery and charges its sender.
    fn refuse(
        &mut self,
        code: Code,
        sender: Option<&Sender>,
        now: Timestamp,
        store: &mut impl SharedStore,
    ) -> Step {
        let sender = sender.filter(|_| code != Code::Unavailable);
        let charged = sender.map(|sender| sender.charge(now, store));
        self.count_tightened(charged);
        if let Some(wait) = charged.and_then(|charged| charged.wait)
            && let Some(reply) = self.over(sender, wait)
        {
            return self.reply(Outcome::Refused(Code::RateLimited), reply);
        }
        self.reply(Outcome::Refused(code), code)
    }

    /// Returns the answer to a sender that has no failures left.
    fn exhausted(
        &mut self,
        sender: Option<&mut Sender>,
        now: Timestamp,
        store: &mut impl SharedStore,
    ) -> Option<Reply> {
        let sender = sender?;
        let charged = sender.peek(now, store);
        let wait = charged.wait?;
        self.count_tightened(Some(charged));
        self.over(Some(sender), wait)
    }

    fn count_tightened(&mut self, charged: Option<Charged>) {
        if charged.is_some_and(|charged| charged.is_tightened) {
            self.counts.push(Count::Protected(Action::Tighten));
        }
    }

    /// Counts a sender over its quota; returns the answer if it is refused.
    fn over(&mut self, sender: Option<&Sender>, wait: core::time::Duration) -> Option<Reply> {
        let sender = sender?;
        self.counts.push(sender.count());
        sender.refusal(wait)
    }

    /// Fails closed where a host calls what is not next.
    fn out_of_order(&mut self, outcome: Outcome) -> Step {
        self.reply(outcome, Code::Unavailable)
    }

    fn reply(&mut self, outcome: Outcome, reply: impl Into<Reply>) -> Step {
        self.finish(outcome);
        Step::Reply(reply.into())
    }

    fn finish(&mut self, outcome: Outcome) {
        if self.is_received {
            self.counts.push(Count::Ended(outcome));
        }
        self.state = State::Ended(outcome);
    }
}

/// Says what to do with what still comes after the end.
const fn after_the_end(outcome: Outcome) -> Step {
    match outcome {
        Outcome::Passed => Step::Pass { remove: Vec::new() },
        _ => Step::Hold,
    }
}

#[cfg(test)]
mod tests;
