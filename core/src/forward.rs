//! What goes with a verified payload to the upstream.
//!
//! CloudEvents 1.0 in HTTP's binary content mode: the payload stays untouched,
//! the attributes are headers. Source:
//! <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md>.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use crate::{
    event::Event, gate::Endpoint, protection::HELD_FOR_HEADER, time::Timestamp, trace::TraceParent,
};

/// Prefixes of header names that no client may set: the gate's own, and those
/// by which a client that Envoy takes for internal would steer its router (to
/// answer a timeout with 204, for one).
const OWN_PREFIXES: [&str; 3] = ["ce-", "x-hookgate-", "x-envoy-"];

/// Header by which the host shows the upstream who it is. A sender has nothing
/// to say in it, and the upstream may believe what it says.
pub(crate) const AUTHORIZATION: &str = "authorization";

/// Headers of a client's trace context.
const TRACE_CONTEXT: [&str; 2] = ["traceparent", "tracestate"];

/// Chooses among Envoy's routes for one path.
pub const ROUTE_HEADER: &str = "x-hookgate-route";

/// Tells Envoy how long the upstream may take, in milliseconds.
pub const TIMEOUT_HEADER: &str = "x-envoy-upstream-rq-timeout-ms";

/// Says how to change the request before it goes to the upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forward {
    /// Names of headers to remove.
    pub remove: Vec<String>,
    /// Headers to set, replacing any of the same name.
    pub set: Vec<(&'static str, String)>,
}

/// Lists the client's headers that must not reach the upstream.
pub(crate) fn untrusted<'a>(
    names: impl Iterator<Item = &'a str>,
    trust_traceparent: bool,
) -> Vec<String> {
    let mut untrusted: Vec<String> = names
        .filter(|name| is_ours(name) || (is_of_trace(name) && !trust_traceparent))
        .map(ToString::to_string)
        .collect();
    untrusted.sort_unstable();
    untrusted.dedup();
    untrusted
}

/// Tells whether a header is the gate's own to write, whatever is trusted.
pub(crate) fn is_own(name: &str) -> bool {
    is_ours(name) || is_of_trace(name)
}

fn is_ours(name: &str) -> bool {
    let mut prefixes = OWN_PREFIXES.iter();
    name.eq_ignore_ascii_case(AUTHORIZATION)
        || prefixes.any(|prefix| starts_with_ignoring_case(name, prefix))
}

fn is_of_trace(name: &str) -> bool {
    let mut headers = TRACE_CONTEXT.iter();
    headers.any(|header| name.eq_ignore_ascii_case(header))
}

/// Holds what the headers of one forwarded delivery are made of.
pub(crate) struct Directions<'a> {
    pub(crate) attributes: Attributes<'a>,
    pub(crate) trace: &'a TraceParent,
    pub(crate) route: Option<&'a str>,
    /// For which verdict the event is to wait for a person.
    pub(crate) held_for: Option<&'static str>,
    pub(crate) upstream_timeout_millis: Option<u128>,
}

impl Directions<'_> {
    /// Returns the headers to set.
    pub(crate) fn headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = self.attributes.headers();
        headers.push(("traceparent", self.trace.as_str().into()));
        headers.extend(self.route.map(|route| (ROUTE_HEADER, route.into())));
        headers.extend(
            self.held_for
                .map(|verdict| (HELD_FOR_HEADER, verdict.into())),
        );
        let timeout = self.upstream_timeout_millis;
        headers.extend(timeout.map(|millis| (TIMEOUT_HEADER, millis.to_string())));
        headers
    }
}

/// Holds what the CloudEvents attributes of one event are made of.
#[derive(Debug, Clone, Copy)]
pub struct Attributes<'a> {
    /// The endpoint that it came to.
    pub endpoint: &'a Endpoint,
    /// Name of the secret that signed.
    pub secret_name: &'a str,
    /// The event.
    pub event: &'a Event,
    /// The ID under which the delivery is stored.
    pub delivery_id: &'a str,
    /// When the sender signed, where the scheme signs a time.
    pub signed_at: Option<Timestamp>,
    /// When the delivery came.
    pub received_at: Timestamp,
}

impl Attributes<'_> {
    /// Returns the attributes as headers, each named `ce-` and its name.
    #[must_use]
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        let config = &self.endpoint.config;
        let mut headers = Vec::with_capacity(16);
        headers.push(("ce-specversion", "1.0".into()));
        headers.push(("ce-id", self.delivery_id.into()));
        headers.push(("ce-type", self.event.type_name.clone()));
        headers.push(("ce-source", format!("/hookgate/{}", config.source)));
        headers.extend(self.event.created.map(|at| ("ce-time", at.to_string())));
        headers.extend(self.event.account.clone().map(|id| ("ce-account", id)));
        headers.extend(
            self.event
                .livemode
                .map(|live| ("ce-livemode", live.to_string())),
        );
        headers.push(("ce-endpoint", config.name.clone()));
        headers.push(("ce-secretname", self.secret_name.into()));
        headers.extend(self.signed_at.map(|at| ("ce-signedat", at.to_string())));
        headers.push(("ce-receivedat", self.received_at.to_string()));
        if self.event.unsigned_attributes {
            headers.push(("ce-unsigned", "type account".into()));
        }
        headers
    }
}

fn starts_with_ignoring_case(name: &str, prefix: &str) -> bool {
    name.get(..prefix.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}
