//! One delivery beside what the model says of it.

use std::collections::BTreeSet;

use hookgate_core::delivery::{Arrival, Count, Delivery, Entropy, Origin, Step};
use hookgate_core::event::Event;
use hookgate_core::forward::Forward;
use hookgate_core::outcome::Outcome;
use hookgate_core::reply::Code;
use hookgate_core::request::RequestHead;
use hookgate_core::time::Timestamp;

use super::gate::Endpoint;
use super::model::{self, Head, Identity, Model, Whole};
use super::request::Request;
use super::store::Store;

/// Drives a delivery and knows in which state it has to be.
pub(super) struct Sent {
    delivery: Delivery,
    request: Request,
    received: Timestamp,
    /// Bytes of the payload that the delivery has seen.
    seen: usize,
    state: State,
    counts: Vec<Count>,
    was_forwarded: bool,
}

enum State {
    Verifying(Endpoint),
    Forwarded(Forwarded),
    Ended,
}

/// Is what a forwarded delivery has to settle.
#[derive(Clone)]
struct Forwarded {
    /// `None` where there is nothing to settle.
    identity: Option<Identity>,
    since: Timestamp,
    is_decision: bool,
}

impl Sent {
    /// Hands the headers over.
    pub(super) fn new(
        model: &mut Model,
        store: &mut Store,
        request: Request,
        now: Timestamp,
    ) -> Self {
        let mut delivery = Delivery::default();
        let arrival = Arrival {
            head: RequestHead(&request.headers),
            source: request.source,
            now,
        };
        let before = store.dedup();
        let step = delivery.headers(&model.setup.gate, arrival, store);
        assert_eq!(store.dedup(), before, "unverified, and remembered");
        let mut sent = Self {
            delivery,
            request,
            received: now,
            seen: 0,
            state: State::Ended,
            counts: Vec::new(),
            was_forwarded: false,
        };
        match (model.head(&sent.request, now), step) {
            (Head::Hold(endpoint), Step::Hold) => sent.state = State::Verifying(endpoint),
            (Head::Hold(_), Step::Reply(reply)) => {
                assert_eq!(reply.code, Code::RateLimited);
                assert!(sent.may_be_limited(model));
            }
            (Head::Pass, Step::Pass { remove }) => {
                let own = sent
                    .spoofed()
                    .filter(|name| !name.eq_ignore_ascii_case("authorization"));
                assert_eq!(
                    remove.iter().map(String::as_str).collect::<BTreeSet<_>>(),
                    own.collect()
                );
            }
            (Head::Reply(code), step) => sent.assert_refused(model, code, step),
            (_, step) => panic!("{step:?}"),
        }
        sent.take_counts();
        sent
    }

    /// Hands at most so many of the payload's next bytes over.
    pub(super) fn body(
        &mut self,
        model: &mut Model,
        store: &mut Store,
        most: usize,
        now: Timestamp,
    ) {
        let rest = &self.request.payload[self.seen..];
        let chunk = rest[..most.min(rest.len())].to_vec();
        let before = store.dedup();
        let reliable = store.is_reliable();
        let step = self.delivery.body(&chunk, now, store);
        match self.state {
            State::Verifying(endpoint) => {
                self.seen += chunk.len();
                if self.seen > endpoint.max_body_bytes {
                    self.assert_refused(model, Code::PayloadTooLarge, step);
                    self.state = State::Ended;
                } else {
                    assert_eq!(step, Step::Hold);
                }
                assert_eq!(store.dedup(), before, "unverified, and remembered");
            }
            _ => self.out_of_order(model, step, reliable),
        }
        self.take_counts();
    }

    /// Says that the payload has come; all of it is shown, whatever was handed over.
    pub(super) fn end(
        &mut self,
        model: &mut Model,
        store: &mut Store,
        entropy: Option<Entropy>,
        now: Timestamp,
    ) {
        let payload = self.request.payload.clone();
        let (before, reliable) = (store.dedup(), store.is_reliable());
        let State::Verifying(endpoint) = self.state else {
            let step = self.delivery.end(&payload, now, entropy, store);
            self.out_of_order(model, step, reliable);
            return self.take_counts();
        };
        let (received, has_entropy) = (self.received, entropy.is_some());
        let whole = if self.seen == payload.len() {
            model.whole(&self.request, &endpoint, received, now, has_entropy, store)
        } else {
            Whole::Refused(Code::Unavailable)
        };
        let step = self.delivery.end(&payload, now, entropy, store);
        self.state = State::Ended;
        match (whole, step) {
            (Whole::Refused(code), step) => {
                self.assert_refused(model, code, step);
                assert_eq!(store.dedup(), before, "unverified, and remembered");
            }
            (Whole::Forwarded(event, _), Step::Forward(forward)) => {
                self.assert_forwarded(&endpoint, &event, &forward);
                let holds = model.hold(&endpoint, &event, now);
                self.was_forwarded = true;
                self.state = State::Forwarded(Forwarded {
                    identity: holds.then(|| (endpoint.name, event.id.clone())),
                    since: now,
                    is_decision: model::is_decision(&endpoint, &event),
                });
            }
            (Whole::Answered(codes) | Whole::Forwarded(_, codes), Step::Reply(reply)) => {
                assert!(
                    codes.contains(&reply.code),
                    "{:?}, expected {codes:?}",
                    reply.code
                );
            }
            (whole, step) => panic!("{step:?}, expected {whole:?}"),
        }
        self.take_counts();
    }

    /// Hands an answer over: an upstream's only where one can have seen the request.
    pub(super) fn answered(
        &mut self,
        model: &mut Model,
        store: &mut Store,
        status: u16,
        origin: Origin,
        now: Timestamp,
    ) {
        let is_behind = matches!(self.state, State::Forwarded(_));
        let origin = if is_behind || self.passed() {
            origin
        } else {
            Origin::Host
        };
        let reliable = store.is_reliable();
        let instead = self.delivery.answered(status, origin, now, store);
        let told = instead.unwrap_or(status);
        let is_success = |status| (200..300).contains(&status);
        if is_success(told) {
            let of_the_gate = [Some(Code::Duplicate), Some(Code::Ignored)];
            let code = self.delivery.outcome().and_then(Outcome::code);
            let is_true =
                origin == Origin::Upstream || self.passed() || of_the_gate.contains(&code);
            assert!(is_true, "{told} to {:?}", self.delivery.outcome());
        } else {
            assert!(is_success(status) || instead.is_none());
        }
        if let State::Forwarded(forwarded) = &self.state {
            let is_confirmed = is_success(status) && origin == Origin::Upstream;
            let expected = match origin {
                Origin::Upstream if forwarded.is_decision => Outcome::PassedThrough,
                Origin::Upstream if is_confirmed => Outcome::Committed,
                Origin::Host if !(400..500).contains(&status) => Outcome::InDoubt,
                _ => Outcome::Released,
            };
            assert_eq!(self.delivery.outcome(), Some(expected));
            if let Some(identity) = forwarded.identity.clone() {
                if is_confirmed {
                    model.stored(identity, now, reliable);
                } else {
                    model.release(&identity, forwarded.since, reliable);
                }
            }
            self.state = State::Ended;
        }
        self.take_counts();
    }

    /// Gives up, as a host that can't go on.
    pub(super) fn fail(&mut self) {
        self.delivery.fail();
        if let State::Verifying(_) = self.state {
            self.state = State::Ended;
            let unavailable = Some(Outcome::Refused(Code::Unavailable));
            assert_eq!(self.delivery.outcome(), unavailable);
        }
    }

    /// Ends the stream.
    pub(super) fn closed(&mut self, model: &mut Model, store: &mut Store, now: Timestamp) {
        let reliable = store.is_reliable();
        self.delivery.closed(now, store);
        self.settle(model, reliable);
        assert!(self.delivery.outcome().is_some());
        self.take_counts();
    }

    /// Returns how the delivery ended, counted once.
    pub(super) fn met(&self) -> [&'static str; 1] {
        let count = |is_it: fn(&Count) -> bool| self.counts.iter().filter(|one| is_it(one)).count();
        let ended: Vec<Outcome> = (self.counts.iter())
            .filter_map(|count| match count {
                Count::Ended(outcome) => Some(*outcome),
                _ => None,
            })
            .collect();
        assert_eq!(count(|one| matches!(one, Count::Received)), 1);
        assert_eq!(
            ended,
            self.delivery.outcome().into_iter().collect::<Vec<_>>()
        );
        let forwarded = count(|one| matches!(one, Count::Forwarded));
        assert_eq!(forwarded, usize::from(self.was_forwarded));
        assert!(count(|one| matches!(one, Count::Verified { .. })) >= forwarded);
        [ended[0].reason()]
    }

    fn take_counts(&mut self) {
        self.counts.extend(self.delivery.take_counts());
    }

    fn passed(&self) -> bool {
        self.delivery.outcome() == Some(Outcome::Passed)
    }

    fn may_be_limited(&self, model: &Model) -> bool {
        model.setup.limits_sources && self.request.source.is_some()
    }

    fn assert_refused(&self, model: &Model, code: Code, step: Step) {
        let Step::Reply(reply) = step else {
            panic!("{step:?}, expected {code:?}");
        };
        let is_limited = reply.code == Code::RateLimited && self.may_be_limited(model);
        assert!(
            reply.code == code || is_limited,
            "{:?}, expected {code:?}",
            reply.code
        );
        let outcome = Outcome::Refused(reply.code);
        assert_eq!(self.delivery.outcome(), Some(outcome));
    }

    /// Checks what is called out of order: closed, or what came too late.
    fn out_of_order(&mut self, model: &mut Model, step: Step, reliable: bool) {
        match step {
            Step::Reply(reply) => {
                assert_eq!(reply.code, Code::Unavailable);
                assert!(matches!(self.state, State::Forwarded(_)));
                assert_eq!(self.delivery.outcome(), Some(Outcome::InDoubt));
                self.settle(model, reliable);
            }
            Step::Hold => assert!(matches!(self.state, State::Ended) && !self.passed()),
            Step::Pass { remove } => assert!(self.passed() && remove.is_empty()),
            Step::Forward(_) => panic!("forwarded twice"),
        }
    }

    /// Gives back what is held.
    fn settle(&mut self, model: &mut Model, reliable: bool) {
        if let State::Forwarded(forwarded) = &self.state
            && let Some(identity) = &forwarded.identity
        {
            model.release(identity, forwarded.since, reliable);
        }
        self.state = State::Ended;
    }

    /// Lists the client's headers that only the gate may write.
    fn spoofed(&self) -> impl Iterator<Item = &str> {
        let names = self.request.headers.iter().map(|(name, _)| name.as_str());
        names.filter(|name| {
            let name = name.to_lowercase();
            let prefixes = ["ce-", "x-hookgate-", "x-envoy-"];
            let others = ["authorization", "traceparent", "tracestate"];
            prefixes.iter().any(|prefix| name.starts_with(prefix))
                || others.contains(&name.as_str())
        })
    }

    fn assert_forwarded(&self, endpoint: &Endpoint, event: &Event, forward: &Forward) {
        let Forward { remove, set } = forward;
        let removed: BTreeSet<&str> = remove.iter().map(String::as_str).collect();
        assert_eq!(removed, self.spoofed().collect());
        let value = |wanted: &str| {
            let mut values = set.iter().filter(|(name, _)| *name == wanted);
            let value = values.next().map(|(_, value)| value.as_str());
            assert_eq!(values.next(), None, "{wanted} comes twice");
            value
        };
        for (name, _) in set {
            let value = value(name).unwrap_or_default();
            let is_visible = value.chars().all(|c| c.is_ascii_graphic() || c == ' ');
            assert!(is_visible && !value.is_empty(), "{name}: {value:?}");
        }
        let id = value("ce-id").unwrap_or_default();
        assert!(event.has_delivery_id(id), "{id}");
        let identified = self.delivery.identified().expect("it is forwarded");
        assert_eq!(identified.event_id, id);
        let source = format!("/hookgate/{}", endpoint.name);
        let livemode = event.livemode.map(|mode| mode.to_string());
        for (name, expected) in [
            ("ce-source", Some(source.as_str())),
            ("ce-endpoint", Some(endpoint.name)),
            ("ce-type", Some(event.type_name.as_str())),
            ("ce-account", event.account.as_deref()),
            ("ce-livemode", livemode.as_deref()),
            ("ce-unsigned", None),
        ] {
            assert_eq!(value(name), expected, "{name}");
        }
        let secret = value("ce-secretname");
        let is_own = endpoint
            .secrets
            .iter()
            .any(|(name, _)| Some(*name) == secret);
        assert!(is_own, "{secret:?}");
        let is_decision = model::is_decision(endpoint, event);
        let route = is_decision.then_some("decider");
        assert_eq!(value("x-hookgate-route"), route);
        let is_timed = value("x-envoy-upstream-rq-timeout-ms").is_some();
        assert_eq!(is_timed, !is_decision);
    }
}
