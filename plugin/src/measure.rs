//! What counting for the watch costs, measured where it runs, for a bench. Never in a
//! shipped module.

use std::{hint::black_box, net::IpAddr};

use hookgate_core::{
    delivery::{Count, Identified},
    outcome::Outcome,
    request::RequestHead,
    trace::TraceParent,
};
use log::info;
use proxy_wasm::hostcalls;

use crate::{host, root::Ready, watching::Seen};

/// Asks for it.
const HEADER: &str = "x-hookgate-test-measure";

/// Deliveries that are counted.
const DELIVERIES: u32 = 1_000_000;

/// As many kinds of events as a platform's: 10 types of 50 accounts.
const TYPES: u32 = 10;
const ACCOUNTS: u32 = 50;

/// Counts deliveries as a stream does that is accepted, if a request asks for it, and
/// logs how long that took.
pub(crate) fn asked(RequestHead(headers): RequestHead<'_>, ready: &Ready) {
    if !headers.iter().any(|(name, _)| name == HEADER) {
        return;
    }
    let mut endpoints = ready.gate.endpoints();
    let signers = endpoints.next().map(|it| it.signers(host::now()));
    let Some(signer) = signers.and_then(|it| it.first().cloned()) else {
        return;
    };
    let received = [Count::Received];
    let forwarded = [
        Count::PayloadBytes(2_048),
        Count::SignatureAgeSeconds(1),
        Count::Verified { signer },
        Count::Forwarded,
    ];
    let ended = [Count::UpstreamMillis(7), Count::Ended(Outcome::Committed)];
    let identified: Vec<Identified> = (0..TYPES * ACCOUNTS)
        .map(|number| Identified {
            event_id: format!("evt_{number:024}"),
            event_type: format!("customer.subscription.type_{}", number % TYPES),
            account: Some(format!("acct_{:016}", number / TYPES)),
            api_version: Some("2025-09-30.clover".to_owned()),
            secret: "stripe".to_owned(),
            trace: TraceParent::new(1, 1),
        })
        .collect();
    let began = hostcalls::get_current_time();
    for (number, identified) in (0..DELIVERIES).zip(identified.iter().cycle()) {
        let mut seen = Seen::default();
        let [_, _, _, last] = number.to_le_bytes();
        seen.came_from(Some(IpAddr::from([54, 187, last, 1])));
        seen.count(black_box(&received), None);
        seen.opened();
        seen.brought(2_048);
        seen.closed();
        seen.count(black_box(&forwarded), Some(black_box(identified)));
        seen.answered(200);
        seen.count(black_box(&ended), Some(black_box(identified)));
    }
    if let (Ok(began), Ok(ended)) = (began, hostcalls::get_current_time()) {
        let took = ended.duration_since(began).unwrap_or_default();
        let each = took.as_nanos() / u128::from(DELIVERIES);
        info!("measured: counting a delivery takes {each} ns");
    }
}
