//! Requests: genuine ones, spoilt ones, and what nobody would send.

use std::net::IpAddr;

use hookgate_core::time::Timestamp;

use super::gate::KEYS;
use crate::input::Input;
use crate::signature;

/// Holds the headers and the payload of one request.
pub(super) struct Request {
    pub(super) headers: Vec<(String, Vec<u8>)>,
    pub(super) payload: Vec<u8>,
    pub(super) source: Option<IpAddr>,
}

/// Headers that only the gate may write, in the spellings of a client.
const SPOOFED: [&str; 8] = [
    "ce-id",
    "CE-Type",
    "x-hookgate-route",
    "X-Hookgate-Token",
    "x-envoy-upstream-rq-timeout-alt-response",
    "traceparent",
    "Tracestate",
    "authorization",
];

impl Request {
    pub(super) fn of(input: &mut Input<'_>, now: Timestamp) -> Self {
        let paths = [
            "/plain",
            "/choosy",
            "/limited",
            "/timed",
            "/fenced",
            "/closed",
            "/plain?x=/y",
            "/plain/",
            "/nowhere",
        ];
        let path = input.one_of(&paths);
        let source = input.one_of(&[
            Some([192, 0, 2, 7].into()),
            Some([198, 51, 100, 7].into()),
            None,
        ]);
        let payload = payload(input);
        let mut headers: Vec<(String, Vec<u8>)> = Vec::new();
        let mut add = |name: &str, value: &[u8]| headers.push((name.into(), value.into()));
        add(":path", path.as_bytes());
        add(
            ":method",
            input
                .one_of(&["POST", "POST", "POST", "POST", "GET", "post"])
                .as_bytes(),
        );
        match input.below(8) {
            0 => {}
            1 => add("content-length", b"99999999"),
            2 => add("content-length", b"-1"),
            _ => add("content-length", payload.len().to_string().as_bytes()),
        }
        // The sender's own key most often, or nothing is ever accepted.
        let own = usize::from(path == "/choosy");
        let key = KEYS[input.one_of(&[own, own, own, 0, 1, 2])];
        let ages = [
            0, 0, 0, 0, 9, 10, 11, 299, 300, 301, -19, -20, -21, -300, -301,
        ];
        let at = now
            .unix_seconds()
            .saturating_add_signed(-input.one_of(&ages));
        let name = input.one_of(&["stripe-signature", "Stripe-Signature"]);
        match input.below(12) {
            0 => {}
            1 => add(name, b""),
            2 => add(name, input.piece()),
            3 => {
                let value = signature::genuine(key, at, &payload);
                add(name, value.as_bytes());
                add("stripe-signature", value.as_bytes());
            }
            4 => add(name, signature::genuine(key, at, b"another").as_bytes()),
            5 => {
                let forged = signature::genuine(KEYS[2], at, &payload);
                let genuine = signature::genuine(key, at, &payload);
                let (_, genuine) = genuine.split_once(',').expect("two items");
                add(name, format!("{forged}, {genuine}").as_bytes());
            }
            _ => add(name, signature::genuine(key, at, &payload).as_bytes()),
        }
        for _ in 0..input.below(4) {
            add(input.one_of(&SPOOFED), b"spoofed");
        }
        if input.once_in(16) {
            add("content-type", b"application/grpc");
        }
        Self {
            headers,
            payload,
            source,
        }
    }

    /// Returns a header's values.
    pub(super) fn all(&self, wanted: &str) -> Vec<&[u8]> {
        let headers = self.headers.iter();
        let values = headers.filter(|(name, _)| name.to_lowercase() == wanted);
        values.map(|(_, value)| value.as_slice()).collect()
    }
}

fn payload(input: &mut Input<'_>) -> Vec<u8> {
    if input.once_in(8) {
        return input.piece().to_vec();
    }
    let id = input.one_of(&["evt_1", "evt_2", "evt_3", "evt_4", "evt_00000000000000"]);
    let types = [
        "a.x",
        "b.x",
        "c.x",
        "issuing_authorization.request",
        "no type",
    ];
    let type_name = input.one_of(&types);
    let account = input.one_of(&[
        r#""account": "acct_1""#,
        r#""context": "acct_1""#,
        r#""account": "acct_2""#,
        r#""account": null"#,
    ]);
    let livemode = input.one_of(&["false", "true", "null"]);
    let form = input.one_of(&["event", "event", "event", "v2.core.event", "charge"]);
    let more = input.one_of(&["", r#", "created": 1799999999"#, r#", "id": "evt_9""#]);
    format!(
        r#"{{"id": "{id}", "type": "{type_name}", "object": "{form}", "livemode": {livemode}, {account}{more}}}"#
    )
    .into_bytes()
}
