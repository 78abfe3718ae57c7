//! What is counted, by the names of [`hookgate_core::metric`].

use std::{cell::RefCell, collections::HashMap};

use hookgate_core::{
    config::Exceeded,
    delivery::Count,
    gate::Gate,
    metric::{self, Family, Kind},
    outcome::{Outcome, QuotaKind, Stage},
};
use proxy_wasm::{
    hostcalls,
    types::{MetricType, Status},
};

use crate::vm;

/// Stands for requests to paths of no endpoint; no endpoint's name has it.
const NO_ENDPOINT: &str = "_";

/// Most secrets of an endpoint that get a counter of their own in one VM's
/// life: names are never freed, and keyrings bring new ones for years.
const MAX_SECRET_NAMES: usize = 256;

/// Stands for the secrets beyond.
const OTHER_SECRET: &str = "_";

/// Holds a gate's statistics.
pub(crate) struct Counters {
    endpoints: Vec<Endpoint>,
    without_endpoint: Endpoint,
    open: vm::Open,
}

/// Holds the statistics of one endpoint.
struct Endpoint {
    name: String,
    scheme: &'static str,
    received: u32,
    forwarded: u32,
    deliveries: Vec<(Outcome, u32)>,
    unknown_account: u32,
    payload_bytes: u32,
    signature_age_seconds: u32,
    upstream_milliseconds: u32,
    verified: RefCell<HashMap<String, u32>>,
}

impl Counters {
    /// Defines the statistics of a gate, so that each is there at 0 before its
    /// first count: an alert sees no increase from nothing. Those of a secret
    /// begin with the first delivery that it verifies.
    pub(crate) fn define(gate: &Gate) -> Result<Self, Status> {
        for stage in [Stage::Unverified, Stage::Forwarded] {
            define(&metric::LOST, &[stage.as_str()])?;
        }
        for keyring in gate.keyrings() {
            for result in ["loaded", "refused", "failed"] {
                define(&metric::KEYRING, &[&keyring.name, result])?;
            }
        }
        let endpoint = |endpoint: &hookgate_core::gate::Endpoint| {
            let name = &endpoint.config.name;
            for (quota, exceeded) in gate.quotas_of(endpoint) {
                define(
                    &metric::QUOTA_EXCEEDED,
                    &quota_labels(name, quota, exceeded),
                )?;
            }
            Endpoint::define(name, endpoint.config.scheme.as_str())
        };
        Ok(Self {
            endpoints: gate.endpoints().map(endpoint).collect::<Result<_, _>>()?,
            without_endpoint: Endpoint::define(NO_ENDPOINT, NO_ENDPOINT)?,
            open: vm::Open::define()?,
        })
    }

    /// Counts what a delivery gave; `endpoint` is its position in the gate.
    pub(crate) fn count(&self, endpoint: Option<usize>, counts: Vec<Count>) {
        let endpoint = endpoint
            .and_then(|index| self.endpoints.get(index))
            .unwrap_or(&self.without_endpoint);
        self.open.count(&counts);
        for count in counts {
            endpoint.count(count);
        }
    }
}

impl Endpoint {
    fn define(name: &str, scheme: &'static str) -> Result<Self, Status> {
        let own = |family| define(family, &[name]);
        Ok(Self {
            received: own(&metric::RECEIVED)?,
            forwarded: own(&metric::FORWARDED)?,
            unknown_account: own(&metric::UNKNOWN_ACCOUNT)?,
            payload_bytes: own(&metric::PAYLOAD_BYTES)?,
            signature_age_seconds: own(&metric::SIGNATURE_AGE_SECONDS)?,
            upstream_milliseconds: own(&metric::UPSTREAM_MILLISECONDS)?,
            deliveries: Outcome::all()
                .map(|outcome| {
                    let labels = [name, outcome.as_str(), outcome.reason()];
                    Ok((outcome, define(&metric::DELIVERIES, &labels)?))
                })
                .collect::<Result<_, Status>>()?,
            verified: RefCell::default(),
            name: name.to_owned(),
            scheme,
        })
    }

    fn count(&self, count: Count) {
        match count {
            Count::Received => add(self.received),
            Count::Verified { signer } => self.count_verified(signer.secret.name()),
            Count::Forwarded => add(self.forwarded),
            Count::Ended(outcome) => {
                let mut deliveries = self.deliveries.iter();
                if let Some((_, id)) = deliveries.find(|(counted, _)| *counted == outcome) {
                    add(*id);
                }
            }
            Count::QuotaExceeded { quota, exceeded } => {
                let labels = quota_labels(&self.name, quota, exceeded);
                add_by_name(&metric::QUOTA_EXCEEDED, &labels);
            }
            Count::Protected(action) => add_by_name(&metric::PROTECTED, &[action.as_str()]),
            Count::UnknownAccount => add(self.unknown_account),
            Count::PayloadBytes(bytes) => record(self.payload_bytes, bytes),
            Count::SignatureAgeSeconds(seconds) => record(self.signature_age_seconds, seconds),
            Count::UpstreamMillis(millis) => record(self.upstream_milliseconds, millis),
        }
    }

    fn count_verified(&self, secret: &str) {
        let mut verified = self.verified.borrow_mut();
        if let Some(id) = verified.get(secret) {
            return add(*id);
        }
        let name = if verified.len() < MAX_SECRET_NAMES {
            secret
        } else {
            OTHER_SECRET
        };
        if let Ok(id) = define(&metric::VERIFIED, &[&self.name, self.scheme, name]) {
            if name == secret {
                verified.insert(secret.to_owned(), id);
            }
            add(id);
        }
    }
}

const fn quota_labels(endpoint: &str, quota: QuotaKind, exceeded: Exceeded) -> [&str; 3] {
    let action = match exceeded {
        Exceeded::Count => "count",
        Exceeded::Refuse => "refuse",
    };
    [endpoint, quota.as_str(), action]
}

/// Defines a statistic; the host returns the same ID for the same name.
pub(crate) fn define(family: &Family, labels: &[&str]) -> Result<u32, Status> {
    let kind = match family.kind {
        Kind::Counter => MetricType::Counter,
        Kind::Gauge => MetricType::Gauge,
        Kind::Histogram => MetricType::Histogram,
    };
    hostcalls::define_metric(kind, &family.statistic(labels))
}

/// Counts one of a statistic that is counted too rarely to keep its ID.
pub(crate) fn add_by_name(family: &Family, labels: &[&str]) {
    if let Ok(id) = define(family, labels) {
        add(id);
    }
}

fn add(id: u32) {
    // Fails only for an ID that the host doesn't know.
    _ = hostcalls::increment_metric(id, 1);
}

fn record(id: u32, value: u64) {
    _ = hostcalls::record_metric(id, value);
}
