//! Who is charged for what, and what over a quota happens.

mod events;
mod protection;
mod senders;

use alloc::{format, string::String, vec::Vec};

use super::{NOW, Request, SECRET, code, forwarded, payload};
use crate::{
    config::{Config, Exceeded},
    delivery::{Count, Delivery, Origin},
    gate::Gate,
    outcome::QuotaKind,
    shared::memory::Memory,
};

/// One in an hour, and `burst` at once.
fn limit(burst: u32) -> String {
    format!(r#"{{"rate": 1, "per_seconds": 3600, "burst": {burst}, "exceeded": "refuse"}}"#)
}

/// Makes a gate with these quotas at one of its two endpoints, and of its own.
fn gate(endpoint: &str, own: &str) -> Gate {
    let secrets = r#""secrets": [{"name": "new", "env": "NEW"}]"#;
    let json = format!(
        r#"{{"endpoints": [
            {{"name": "stripe", "path": "/hooks", "max_body_bytes": 400, "quotas": {{{endpoint}}}, {secrets}}},
            {{"name": "connect", "path": "/hooks/connect", {secrets}}}
        ], "quotas": {{{own}}}}}"#
    );
    let config = Config::from_json(json.as_bytes()).unwrap();
    Gate::load(config, |_| Some(SECRET.into())).unwrap()
}

fn event(id: &str, r#type: &str, account: &str) -> Request {
    let payload =
        format!(r#"{{"id": "{id}", "object": "event", "type": "{type}", "account": "{account}"}}"#);
    Request::new(payload.into_bytes())
}

fn fresh(number: u32) -> Request {
    Request::new(payload(&format!("evt_{number}")))
}

/// A request of the right form that nobody with a secret signed.
fn forgery() -> Request {
    fresh(0).with(
        "stripe-signature",
        format!("t=1760000000,v1={:064}", 0).as_bytes(),
    )
}

/// Sends and has the upstream store it.
fn store_it(request: &Request, gate: &Gate, memory: &mut Memory) {
    let (mut delivery, step) = request.send(gate, memory, 1);
    forwarded(step);
    delivery.answered(200, Origin::Upstream, NOW, memory);
}

fn exceeded(delivery: &mut Delivery) -> Vec<(QuotaKind, Exceeded)> {
    let counts = delivery.take_counts().into_iter();
    counts
        .filter_map(|count| match count {
            Count::QuotaExceeded { quota, exceeded } => Some((quota, exceeded)),
            _ => None,
        })
        .collect()
}
