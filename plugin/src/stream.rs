//! One HTTP stream: carries callbacks to a delivery and its steps to the host.

use std::rc::Rc;

use hookgate_core::{
    delivery::{Delivery, Origin, Step},
    forward::Forward,
    gate::Gate,
    reply::{CONTENT_TYPE, Reply},
    request::RequestHead,
};
use proxy_wasm::{
    traits::{Context, HttpContext},
    types::Action,
};

use crate::{counters::Counters, host};

/// Is what `response.code_details` says of an answer that the upstream gave.
const VIA_UPSTREAM: &[u8] = b"via_upstream";

/// Stands in the access log until a forwarded delivery is settled.
const FORWARDED: &str = "forwarded";

/// Drives the delivery of one HTTP stream.
pub(crate) struct Stream {
    gate: Rc<Gate>,
    counters: Rc<Counters>,
    delivery: Delivery,
    store: host::SharedData,
    /// Bytes of the body that the delivery has seen.
    seen: usize,
    counted: bool,
}

impl Stream {
    pub(crate) fn new(gate: Rc<Gate>, counters: Rc<Counters>) -> Self {
        Self {
            store: host::SharedData,
            gate,
            counters,
            delivery: Delivery::default(),
            seen: 0,
            counted: false,
        }
    }

    fn end(&mut self, payload: &[u8]) -> Action {
        let step = self
            .delivery
            .end(payload, host::now(), host::entropy(), &mut self.store);
        if let Some(identified) = self.delivery.identified() {
            self.log_as("hookgate_event_id", &identified.event_id);
            self.log_as("hookgate_event_type", &identified.event_type);
            self.log_as("hookgate_trace_id", identified.trace.trace_id());
        }
        self.take(step)
    }

    fn take(&mut self, step: Step) -> Action {
        self.note();
        match step {
            Step::Hold => Action::Pause,
            Step::Pass { remove } => {
                self.remove(&remove);
                Action::Continue
            }
            Step::Reply(reply) => {
                self.reply(reply);
                Action::Pause
            }
            Step::Forward(forward) => {
                self.forward(&forward);
                Action::Continue
            }
        }
    }

    fn reply(
        &self,
        Reply {
            code,
            retry_after_seconds,
        }: Reply,
    ) {
        let retry_after = retry_after_seconds.map(|seconds| seconds.to_string());
        let mut headers = vec![("content-type", CONTENT_TYPE)];
        headers.extend(
            retry_after
                .as_deref()
                .map(|seconds| ("retry-after", seconds)),
        );
        let body = code.problem_json();
        self.send_http_response(code.status().into(), headers, Some(body.as_bytes()));
    }

    fn forward(&self, forward: &Forward) {
        self.remove(&forward.remove);
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

    /// Counts and logs the delivery's outcome, as soon as there is one.
    fn note(&mut self) {
        if let (Some(outcome), false) = (self.delivery.outcome(), self.counted) {
            self.counted = true;
            let endpoint = self.delivery.endpoint().map(|endpoint| endpoint.index);
            self.counters.count(endpoint, outcome);
            self.log_as("hookgate_outcome", outcome.as_str());
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
        match self.delivery.headers(&self.gate, head, host::now()) {
            Step::Hold if end_of_stream => self.end(&[]),
            step => self.take(step),
        }
    }

    // `buffered` counts everything held so far, and the last bytes may come in
    // a call of their own or with an end that brings none.
    fn on_http_request_body(&mut self, buffered: usize, end_of_stream: bool) -> Action {
        let fresh = self.buffered_body(self.seen, buffered.saturating_sub(self.seen));
        let whole = self.seen == 0;
        self.seen += fresh.len();
        match self.delivery.body(&fresh) {
            Step::Hold if end_of_stream && whole => self.end(&fresh),
            Step::Hold if end_of_stream => self.end(&self.buffered_body(0, self.seen)),
            step => self.take(step),
        }
    }

    // With trailers no body callback ever says that the stream ends: this one
    // does. Its default would let the request through unverified.
    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        let action = self.end(&self.buffered_body(0, self.seen));
        if self.delivery.is_forwarded() {
            // Nothing signs them, and a consumer may read them as headers.
            self.set_http_request_trailers(Vec::new());
        }
        action
    }

    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        if self.delivery.awaits_answer() {
            let details = self.get_property(vec!["response", "code_details"]);
            let origin = match details.as_deref() {
                Some(VIA_UPSTREAM) => Origin::Upstream,
                _ => Origin::Host,
            };
            let status = self.get_http_response_header_bytes(":status");
            let status = status.and_then(|text| str::from_utf8(&text).ok()?.parse().ok());
            let status = status.unwrap_or_default();
            let instead = self
                .delivery
                .answered(status, origin, host::now(), &mut self.store);
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
        self.delivery.closed(&mut self.store);
        self.note();
    }
}

impl Stream {
    fn buffered_body(&self, start: usize, bytes: usize) -> Vec<u8> {
        self.get_http_request_body(start, bytes).unwrap_or_default()
    }
}
