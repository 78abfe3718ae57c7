//! One HTTP stream: carries callbacks to a delivery and its steps to the host.

use hookgate_core::{
    delivery::{Arrival, Count, Delivery, Origin, Step},
    forward::Forward,
    reply::{CONTENT_TYPE, Reply},
    request::RequestHead,
    time::Timestamp,
};
use proxy_wasm::{
    hostcalls,
    traits::{Context, HttpContext},
    types::Action,
};

#[cfg(feature = "trap")]
use crate::trap;
use crate::{
    held::Place,
    host::{self, SharedData},
    root::Ready,
    watching::Seen,
};

/// Is what `response.code_details` says of an answer that the upstream gave.
const VIA_UPSTREAM: &[u8] = b"via_upstream";

/// Stands in the access log until a forwarded delivery is settled.
const FORWARDED: &str = "forwarded";

/// Drives the delivery of one HTTP stream.
pub(crate) struct Stream {
    ready: Ready,
    context: u32,
    delivery: Delivery,
    /// Held headers of which no body has come yet.
    waiting: Option<Place>,
    /// What the watch counts of it, if there is one.
    seen_by_watch: Option<Seen>,
    /// Bytes of the body that Envoy holds, and that the delivery has seen.
    buffered: usize,
    seen: usize,
    #[cfg(feature = "trap")]
    trap: Option<trap::Place>,
}

impl Stream {
    pub(crate) fn new(ready: Ready, context: u32) -> Self {
        let is_watched = ready.watching.is_some();
        Self {
            ready,
            context,
            seen_by_watch: is_watched.then(Seen::default),
            delivery: Delivery::default(),
            waiting: None,
            buffered: 0,
            seen: 0,
            #[cfg(feature = "trap")]
            trap: None,
        }
    }

    /// Decides, with what the delivery has not seen of the body.
    fn end_of_body(&mut self) -> Action {
        let now = host::now();
        if let Some(seen) = &mut self.seen_by_watch {
            seen.closed();
        }
        let is_whole = self.seen == 0;
        let fresh = self.unseen();
        match self.delivery.body(&fresh, now, &mut SharedData) {
            Step::Hold if is_whole => self.end(&fresh, now),
            Step::Hold => self.end(&self.body(0, self.seen), now),
            step => self.take(step),
        }
    }

    /// Reads what the delivery has not seen of the body; it is to see it now.
    fn unseen(&mut self) -> Vec<u8> {
        let fresh = self.body(self.seen, self.buffered.saturating_sub(self.seen));
        self.seen += fresh.len();
        fresh
    }

    fn body(&self, start: usize, bytes: usize) -> Vec<u8> {
        self.get_http_request_body(start, bytes).unwrap_or_default()
    }

    fn end(&mut self, payload: &[u8], now: Timestamp) -> Action {
        let entropy = host::entropy();
        let step = self.delivery.end(payload, now, entropy, &mut SharedData);
        if let Some(identified) = self.delivery.identified() {
            self.log_as("hookgate_event_id", &identified.event_id);
            self.log_as("hookgate_event_type", &identified.event_type);
            self.log_as("hookgate_secret", &identified.secret);
            self.log_as("hookgate_trace_id", identified.trace.trace_id());
            if let Some(account) = &identified.account {
                self.log_as("hookgate_account", account);
            }
        }
        self.take(step)
    }

    /// Leaves those that wait for a body; `false` if a tick has answered meanwhile.
    fn leave(&mut self) -> bool {
        if let Some(place) = self.waiting.take_if(|place| !place.is_refused()) {
            place.leave();
        }
        self.waiting.is_none()
    }

    fn take(&mut self, step: Step) -> Action {
        self.note();
        match step {
            Step::Hold => Action::Pause,
            Step::Pass { remove } => {
                self.remove(&remove);
                Action::Continue
            }
            Step::Reply(answer) => {
                reply(&answer);
                Action::Pause
            }
            Step::Forward(forward) => {
                self.forward(&forward);
                Action::Continue
            }
        }
    }

    fn forward(&self, forward: &Forward) {
        self.remove(&forward.remove);
        // Envoy chooses the route again once a header has changed.
        for (name, value) in &forward.set {
            self.set_http_request_header(name, Some(value));
        }
        self.log_as("hookgate_outcome", FORWARDED);
    }

    fn remove(&self, names: &[String]) {
        for name in names {
            self.set_http_request_header(name, None);
        }
    }

    /// Counts what the delivery gave, and logs its outcome once there is one.
    fn note(&mut self) {
        let endpoint = self.delivery.endpoint().map(|endpoint| endpoint.index);
        let counts = self.delivery.take_counts();
        if let Some(seen) = &self.seen_by_watch {
            seen.count(&counts, self.delivery.identified());
        }
        let has_ended = counts.iter().any(|count| matches!(count, Count::Ended(_)));
        self.ready.counters.count(endpoint, counts);
        if let (Some(outcome), true) = (self.delivery.outcome(), has_ended) {
            self.log_as("hookgate_outcome", outcome.reason());
        }
    }

    /// Makes a value available to the access log as
    /// `%FILTER_STATE(wasm.<name>:PLAIN)%`.
    fn log_as(&self, name: &str, value: &str) {
        self.set_property(vec![name], Some(value.as_bytes()));
    }
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _: usize, end_of_stream: bool) -> Action {
        // As bytes: the String form of these calls panics on what isn't UTF-8.
        let headers = self.get_http_request_headers_bytes();
        let head = RequestHead(&headers);
        #[cfg(feature = "trap")]
        {
            self.trap = trap::asked(head);
        }
        self.ready.keyrings.read(head);
        #[cfg(feature = "measure")]
        crate::measure::asked(head, &self.ready);
        let is_watched = self.seen_by_watch.is_some();
        let needs_source = is_watched || self.ready.gate.needs_source_address();
        let now = host::now();
        let source = needs_source.then(host::source_address).flatten();
        if let Some(seen) = &mut self.seen_by_watch {
            seen.came_from(source);
        }
        let arrival = Arrival { head, source, now };
        let step = self
            .delivery
            .headers(&self.ready.gate, arrival, &mut SharedData);
        if let Some(endpoint) = self.delivery.endpoint() {
            self.log_as("hookgate_endpoint", &endpoint.config.name);
        }
        match step {
            Step::Hold if end_of_stream => self.end(&[], now),
            step => {
                if step == Step::Hold {
                    self.waiting = self.ready.held.enter(self.context, head);
                    if let Some(seen) = &mut self.seen_by_watch {
                        seen.opened();
                    }
                }
                self.take(step)
            }
        }
    }

    // `buffered` counts everything held so far, and the last bytes may come in
    // a call of their own or with an end that brings none.
    fn on_http_request_body(&mut self, buffered: usize, end_of_stream: bool) -> Action {
        #[cfg(feature = "trap")]
        trap::at(self.trap, trap::Place::Body);
        if !self.leave() {
            return Action::Pause;
        }
        self.buffered = buffered;
        if let Some(seen) = &mut self.seen_by_watch {
            seen.brought(buffered);
        }
        if end_of_stream {
            return self.end_of_body();
        }
        if self.delivery.lets_wait(buffered.saturating_sub(self.seen)) {
            return Action::Pause;
        }
        let fresh = self.unseen();
        let step = self.delivery.body(&fresh, host::now(), &mut SharedData);
        self.take(step)
    }

    // With trailers no body callback ever says that the stream ends: this one
    // does. Its default would let the request through unverified.
    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        if !self.leave() {
            return Action::Pause;
        }
        let action = self.end_of_body();
        if self.delivery.is_forwarded() {
            // Nothing signs them, and a consumer may read them as headers.
            self.set_http_request_trailers(Vec::new());
        }
        action
    }

    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        #[cfg(feature = "trap")]
        trap::at(self.trap, trap::Place::Answer);
        if self.delivery.awaits_answer() {
            let details = self.get_property(vec!["response", "code_details"]);
            let origin = match details.as_deref() {
                Some(VIA_UPSTREAM) => Origin::Upstream,
                _ => Origin::Host,
            };
            let status = self.get_http_response_header_bytes(":status");
            let status = status.and_then(|text| str::from_utf8(&text).ok()?.parse().ok());
            let status = status.unwrap_or_default();
            if let Some(seen) = &mut self.seen_by_watch {
                seen.answered(status);
            }
            let instead = self
                .delivery
                .answered(status, origin, host::now(), &mut SharedData);
            if let Some(status) = instead {
                self.set_http_response_header(":status", Some(&status.to_string()));
            }
            self.note();
        }
        Action::Continue
    }

    // Comes for every stream of a live VM: disconnects and timeouts too. Never
    // answer from here: that ends Envoy.
    fn on_log(&mut self) {
        #[cfg(feature = "trap")]
        trap::at(self.trap, trap::Place::Log);
        if let Some(seen) = &mut self.seen_by_watch {
            seen.closed();
        }
        if self.waiting.as_ref().is_some_and(Place::is_refused) {
            self.delivery.fail();
        }
        // Most have ended long ago, and the clock costs.
        if self.delivery.outcome().is_none() {
            self.delivery.closed(host::now(), &mut SharedData);
        }
        self.note();
    }
}

/// Answers the request of the effective context.
pub(crate) fn reply(Reply { code, headers }: &Reply) {
    let mut all = vec![("content-type", CONTENT_TYPE)];
    all.extend(headers.iter().map(|(name, value)| (*name, value.as_str())));
    let body = code.problem_json();
    // Never an error: at anything but OK the library panics. A host says something
    // else to a second answer, which neither a delivery nor those that wait give.
    _ = hostcalls::send_http_response(code.status().into(), all, Some(body.as_bytes()));
}
