mod callbacks;
mod conservation;
mod hold;
mod quota;
mod settlement;

use alloc::{format, string::String, vec, vec::Vec};

use super::{Arrival, Delivery, Entropy, Origin, Step};
use crate::{
    config::Config,
    forward::Forward,
    gate::{Endpoint, Gate},
    outcome::Outcome,
    reply::{Code, Reply},
    request::RequestHead,
    secret::SigningSecret,
    shared::memory::Memory,
    signature::sign,
    time::Timestamp,
};

const NOW: Timestamp = Timestamp::from_unix_millis(1_760_000_000_250);
const SECRET: &[u8] = b"whsec_fixture";

fn gate_with(more: &str, environment: impl FnMut(&str) -> Option<Vec<u8>>) -> Gate {
    let json = format!(
        r#"{{"endpoints": [
            {{"name": "stripe", "path": "/hooks", "max_body_bytes": 400,
              "secrets": [{{"name": "old", "env": "OLD"}}, {{"name": "new", "env": "NEW"}}]}},
            {{"name": "connect", "path": "/hooks/connect", "secrets": [{{"name": "only", "env": "NEW"}}]}}
        ]{more}}}"#
    );
    Gate::load(Config::from_json(json.as_bytes()).unwrap(), environment).unwrap()
}

fn gate() -> Gate {
    gate_with("", |variable| {
        Some(if variable == "NEW" {
            SECRET.into()
        } else {
            b"whsec_other".into()
        })
    })
}

fn payload(id: &str) -> Vec<u8> {
    format!(
        r#"{{"id": "{id}", "object": "event", "type": "invoice.paid", "created": 1759999990,
            "livemode": false, "account": "acct_1"}}"#
    )
    .into_bytes()
}

/// A genuine request, to be spoilt by the tests.
struct Request {
    headers: Vec<(String, Vec<u8>)>,
    payload: Vec<u8>,
}

impl Request {
    fn new(payload: Vec<u8>) -> Self {
        let secret = SigningSecret::new("new", SECRET).unwrap();
        let headers = [
            (":method", "POST".into()),
            (":path", "/hooks".into()),
            ("content-length", format!("{}", payload.len())),
            ("stripe-signature", sign(&secret, NOW, &payload)),
        ];
        Self {
            headers: headers
                .map(|(name, value)| (name.into(), value.into_bytes()))
                .into(),
            payload,
        }
    }

    fn with(mut self, name: &str, value: &[u8]) -> Self {
        self.headers.retain(|(key, _)| key != name);
        self.also(name, value)
    }

    fn also(mut self, name: &str, value: &[u8]) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(key, _)| key != name);
        self
    }

    fn send(&self, gate: &Gate, store: &mut Memory, token: u8) -> (Delivery, Step) {
        self.send_at(gate, store, token, NOW)
    }

    fn send_at(
        &self,
        gate: &Gate,
        store: &mut Memory,
        token: u8,
        now: Timestamp,
    ) -> (Delivery, Step) {
        let mut delivery = Delivery::default();
        let mut step = delivery.headers(gate, self.arrival(now), store);
        for chunk in self.payload.chunks(7) {
            if step == Step::Hold {
                step = delivery.body(chunk, now, store);
            }
        }
        if step == Step::Hold {
            step = delivery.end(&self.payload, now, Some(Entropy([token; 32])), store);
        }
        (delivery, step)
    }

    fn arrival(&self, now: Timestamp) -> Arrival<'_> {
        Arrival {
            head: RequestHead(&self.headers),
            source: Some([198, 51, 100, 7].into()),
            now,
        }
    }

    fn refusal(&self, gate: &Gate) -> Code {
        let mut store = Memory::default();
        let (delivery, step) = self.send(gate, &mut store, 1);
        assert!(
            store.buckets.is_empty(),
            "a refused request wrote dedup state"
        );
        let Step::Reply(reply) = step else {
            panic!("not refused: {step:?}");
        };
        assert_eq!(delivery.outcome().and_then(Outcome::code), Some(reply.code));
        reply.code
    }
}

fn closed(gate: &Gate) -> usize {
    let is_closed = |endpoint: &&Endpoint| endpoint.signers(NOW).is_empty();
    gate.endpoints().filter(is_closed).count()
}

fn retry_after(reply: &Reply) -> Option<u64> {
    let (_, seconds) = reply
        .headers
        .iter()
        .find(|(name, _)| *name == "retry-after")?;
    seconds.parse().ok()
}

fn forwarded(step: Step) -> Forward {
    match step {
        Step::Forward(forward) => forward,
        other => panic!("not forwarded: {other:?}"),
    }
}

fn code(step: &Step) -> Code {
    match step {
        Step::Reply(reply) => reply.code,
        other => panic!("not answered: {other:?}"),
    }
}

#[test]
fn forwards_a_genuine_delivery_with_its_attributes() {
    let (gate, mut store) = (gate(), Memory::default());
    let (delivery, step) = Request::new(payload("evt_1")).send(&gate, &mut store, 0xab);
    let forward = forwarded(step);
    let expected = [
        ("ce-specversion", "1.0"),
        ("ce-id", "evt_1"),
        ("ce-type", "invoice.paid"),
        ("ce-source", "/hookgate/stripe"),
        ("ce-time", "2025-10-09T08:53:10Z"),
        ("ce-account", "acct_1"),
        ("ce-livemode", "false"),
        ("ce-endpoint", "stripe"),
        ("ce-secretname", "new"),
        ("ce-signedat", "2025-10-09T08:53:20Z"),
        ("ce-receivedat", "2025-10-09T08:53:20.250Z"),
        (
            "traceparent",
            "00-abababababababababababababababab-abababababababab-01",
        ),
        ("x-envoy-upstream-rq-timeout-ms", "10000"),
    ];
    assert_eq!(
        forward.set,
        expected.map(|(name, value)| (name, value.into()))
    );
    assert_eq!(forward.remove, Vec::<String>::new());
    let identified = delivery.identified().unwrap();
    assert_eq!(
        (identified.event_id.as_str(), identified.event_type.as_str()),
        ("evt_1", "invoice.paid")
    );
    assert!(delivery.is_forwarded());
    assert_eq!(delivery.outcome(), None);
}

#[test]
fn leaves_out_attributes_that_the_payload_does_not_say() {
    let payload = br#"{"id": "evt_1", "object": "event", "type": "a"}"#;
    let (_, step) = Request::new(payload.into()).send(&gate(), &mut Memory::default(), 1);
    let set = forwarded(step).set;
    for absent in ["ce-time", "ce-account", "ce-livemode"] {
        assert!(set.iter().all(|(name, _)| *name != absent), "{absent}");
    }
}

#[test]
fn strips_what_only_the_gate_may_say() {
    let request = Request::new(payload("evt_1"))
        .also("ce-id", b"evt_evil")
        .also("CE-Subject", b"x")
        .also("ce-heldfor", b"secret_suspect")
        .also("x-hookgate-token", b"x")
        .also("x-hookgate-token", b"y")
        .also("tracestate", b"a=b")
        .also("authorization", b"Bearer x")
        .also("Authorization", b"Bearer y")
        .also(
            "traceparent",
            b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        )
        .also("x-envoy-upstream-rq-timeout-alt-response", b"1")
        .also("cea", b"kept")
        .also("x-hookgate", b"kept");
    let (_, step) = request.send(&gate(), &mut Memory::default(), 1);
    assert_eq!(
        forwarded(step).remove,
        [
            "Authorization",
            "CE-Subject",
            "authorization",
            "ce-heldfor",
            "ce-id",
            "traceparent",
            "tracestate",
            "x-envoy-upstream-rq-timeout-alt-response",
            "x-hookgate-token"
        ]
    );
}

#[test]
fn keeps_a_trusted_trace_only_if_it_is_one() {
    let trusting = gate_with(r#", "trust_traceparent": true"#, |_| Some(SECRET.into()));
    let own = "00-01010101010101010101010101010101-0101010101010101-01";
    let theirs = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    for (sent, used) in [(theirs, theirs), ("00-junk", own), ("\u{ff}", own)] {
        let request = Request::new(payload("evt_1")).also("traceparent", sent.as_bytes());
        let (delivery, step) = request.send(&trusting, &mut Memory::default(), 1);
        forwarded(step);
        assert_eq!(delivery.identified().unwrap().trace.as_str(), used);
    }
}

#[test]
fn refuses_by_the_table() {
    let good = || Request::new(payload("evt_1"));
    let other = SigningSecret::new("x", b"whsec_stranger").unwrap();
    let forged = sign(&other, NOW, &payload("evt_1"));
    let stale = sign(&other, Timestamp::from_unix_seconds(1_759_999_000), b"");
    for (request, code) in [
        (good().with(":path", b"/hook"), Code::EndpointUnknown),
        (good().with(":path", b"/hooks/"), Code::EndpointUnknown),
        (good().with(":path", b"/HOOKS"), Code::EndpointUnknown),
        (good().with(":path", b"\xff"), Code::EndpointUnknown),
        (good().without(":path"), Code::EndpointUnknown),
        (good().with(":method", b"GET"), Code::MethodNotAllowed),
        (good().with(":method", b"post"), Code::MethodNotAllowed),
        (good().with("content-length", b"401"), Code::PayloadTooLarge),
        (good().without("stripe-signature"), Code::SignatureMissing),
        (good().with("stripe-signature", b""), Code::SignatureMissing),
        (
            good().with("stripe-signature", b"\xff"),
            Code::SignatureMalformed,
        ),
        (
            good().also("stripe-signature", b"t=1,v1=0"),
            Code::SignatureMalformed,
        ),
        (
            good().also("Stripe-Signature", b"t=1,v1=0"),
            Code::SignatureMalformed,
        ),
        (
            good().with("stripe-signature", stale.as_bytes()),
            Code::TimestampOutOfTolerance,
        ),
        (
            good().with("stripe-signature", forged.as_bytes()),
            Code::SignatureMismatch,
        ),
        (Request::new(b"{}".into()), Code::PayloadInvalid),
        (Request::new(Vec::new()), Code::PayloadInvalid),
    ] {
        assert_eq!(request.refusal(&gate()), code);
    }
}

#[test]
fn refuses_a_payload_over_the_limit_however_it_announces_itself() {
    let request = Request::new(vec![b' '; 401]);
    assert_eq!(request.refusal(&gate()), Code::PayloadTooLarge);
    let unannounced = request.without("content-length");
    assert_eq!(unannounced.refusal(&gate()), Code::PayloadTooLarge);
    let lying = unannounced.with("content-length", b"1");
    assert_eq!(lying.refusal(&gate()), Code::PayloadTooLarge);
    let at_the_limit = Request::new(vec![b' '; 400]);
    assert_eq!(at_the_limit.refusal(&gate()), Code::PayloadInvalid);
}

#[test]
fn finds_the_endpoint_whatever_the_query() {
    let request = Request::new(payload("evt_1")).with(":path", b"/hooks/connect?a=/hooks");
    let (delivery, step) = request.send(&gate(), &mut Memory::default(), 1);
    assert!(
        forwarded(step)
            .set
            .contains(&("ce-source", "/hookgate/connect".into()))
    );
    assert_eq!(delivery.endpoint().unwrap().index, 1);
}

#[test]
fn an_endpoint_without_a_secret_is_closed() {
    let gate = gate_with("", |_| None);
    assert_eq!(closed(&gate), 2);
    assert_eq!(
        Request::new(payload("evt_1")).refusal(&gate),
        Code::Unavailable
    );
}

#[test]
fn names_each_secret_that_is_not_there() {
    let gate = gate_with("", |variable| (variable == "NEW").then(|| SECRET.into()));
    let missing: Vec<_> = gate
        .missing_secrets()
        .map(|(endpoint, secret)| (endpoint.config.name.as_str(), secret.name.as_str()))
        .collect();
    assert_eq!(missing, [("stripe", "old")]);
    assert_eq!(closed(&gate), 0);
}

#[test]
fn without_random_bits_the_gate_is_closed() {
    let (gate, request, mut store) = (gate(), Request::new(payload("evt_1")), Memory::default());
    let mut delivery = Delivery::default();
    delivery.headers(&gate, request.arrival(NOW), &mut Memory::default());
    delivery.body(&request.payload, NOW, &mut Memory::default());
    let step = delivery.end(&request.payload, NOW, None, &mut store);
    assert_eq!(code(&step), Code::Unavailable);
}

#[test]
fn with_a_failing_store_the_gate_is_closed() {
    let mut store = Memory {
        fails: true,
        ..Memory::default()
    };
    let (_, step) = Request::new(payload("evt_1")).send(&gate(), &mut store, 1);
    assert_eq!(code(&step), Code::Unavailable);
}

#[test]
fn stores_one_id_once_per_source() {
    let (gate, mut store) = (gate(), Memory::default());
    for path in [&b"/hooks"[..], b"/hooks/connect"] {
        let request = Request::new(payload("evt_1")).with(":path", path);
        let (mut delivery, step) = request.send(&gate, &mut store, 1);
        forwarded(step);
        delivery.answered(200, Origin::Upstream, NOW, &mut store);
        assert_eq!(code(&request.send(&gate, &mut store, 1).1), Code::Duplicate);
    }
}

#[test]
fn a_test_event_is_never_a_duplicate() {
    let (gate, mut store) = (gate(), Memory::default());
    let request = Request::new(payload("evt_00000000000000"));
    for (token, id) in [
        (1, "evt_00000000000000.0101010101010101"),
        (2, "evt_00000000000000.0202020202020202"),
    ] {
        let (mut delivery, step) = request.send(&gate, &mut store, token);
        let forward = forwarded(step);
        assert_eq!(delivery.identified().unwrap().event_id, id);
        assert!(forward.set.contains(&("ce-id", id.into())));
        delivery.answered(200, Origin::Upstream, NOW, &mut store);
        assert_eq!(delivery.outcome(), Some(Outcome::Committed));
    }
    assert!(store.buckets.is_empty(), "and takes no room from real ones");
}

#[test]
fn a_forgery_leaves_no_trace_for_the_genuine_one() {
    let (gate, mut store) = (gate(), Memory::default());
    let forged = Request {
        payload: payload("evt_2"),
        ..Request::new(payload("evt_1"))
    };
    assert_eq!(
        code(&forged.send(&gate, &mut store, 1).1),
        Code::SignatureMismatch
    );
    forwarded(Request::new(payload("evt_2")).send(&gate, &mut store, 1).1);
}

#[test]
fn never_answers_for_a_decision() {
    let payload = br#"{"id": "evt_1", "object": "event", "type": "issuing_authorization.request"}"#;
    assert_eq!(
        Request::new(payload.into()).refusal(&gate()),
        Code::NoDecider
    );
}

#[test]
fn passes_unknown_paths_only_where_told_to() {
    let gate = gate_with(r#", "pass_unknown_paths": true"#, |_| Some(SECRET.into()));
    let request = Request::new(payload("evt_1"))
        .with(":path", b"/health")
        .also("authorization", b"for whoever is behind")
        .also("ce-id", b"x");
    let mut delivery = Delivery::default();
    let step = delivery.headers(&gate, request.arrival(NOW), &mut Memory::default());
    assert_eq!(
        step,
        Step::Pass {
            remove: vec!["ce-id".into()]
        }
    );
    assert_eq!(
        delivery.body(b"x", NOW, &mut Memory::default()),
        Step::Pass { remove: vec![] }
    );
    let end = delivery.end(b"x", NOW, None, &mut Memory::default());
    assert_eq!(end, Step::Pass { remove: vec![] });
    assert_eq!(delivery.outcome(), Some(Outcome::Passed));
    // Whoever is behind the gate there may have the host answer for it.
    let answered = delivery.answered(200, Origin::Host, NOW, &mut Memory::default());
    assert_eq!(answered, None);
}
