//! Quotas: who is charged for what.
//!
//! Before verification only the sender's address is known, so failures are
//! charged to it and to nothing else: a flood of forgeries uses up its own
//! senders' quotas and nobody else's. It is kept for each endpoint apart, so
//! that a wrong secret at one endpoint doesn't close the others to the same
//! sender. After verification fresh events are charged to what they are.
//!
//! Quotas keep load off, they don't guard: with a failing store nothing is
//! charged, and the other checks stand.

use alloc::{string::ToString, vec::Vec};
use core::{net::IpAddr, time::Duration};

use super::Count;
use crate::{
    config::{self, Exceeded},
    event::Event,
    gate::{Endpoint, Gate, Settings},
    outcome::QuotaKind,
    policy,
    quota::{Cost, Key, Quotas, Standing, Verdict},
    reply::Reply,
    shared::SharedStore,
    time::Timestamp,
};

/// Stands for the endpoint of unknown paths; no endpoint's name has it.
const NO_ENDPOINT: &str = "_";

/// Charges the failures of one sender at one endpoint; knows whether it is worth
/// writing down that it has verified.
#[derive(Clone)]
pub(super) struct Sender {
    failures: Account,
    wants_vouching: bool,
    cost: Cost,
}

/// Is what a failure gave, or would give.
#[derive(Clone, Copy)]
pub(super) struct Charged {
    /// How long to wait, if there was none left.
    pub(super) wait: Option<Duration>,
    /// Whether a verdict of the watch made it cost more.
    pub(super) is_tightened: bool,
}

/// Is what a quota is kept for.
#[derive(Clone, Copy)]
struct Account {
    kind: QuotaKind,
    quota: config::Quota,
    quotas: Quotas,
    key: Key,
}

impl Sender {
    /// Finds the sender's quota; `None` if none is kept or the address is
    /// unknown.
    pub(super) fn of(
        gate: &Gate,
        endpoint: Option<&Endpoint>,
        address: Option<IpAddr>,
    ) -> Option<Self> {
        let kind = QuotaKind::Source;
        let address = address?;
        let network = policy::sender(address).to_string();
        let endpoint = endpoint.map_or(NO_ENDPOINT, |endpoint| &endpoint.config.name);
        let failures = Account {
            kind,
            quota: gate.settings.limits.sources?,
            quotas: gate.settings.quotas,
            key: Key::new(kind.as_str(), &[endpoint.as_bytes(), network.as_bytes()]),
        };
        Some(Self {
            failures,
            wants_vouching: false,
            cost: gate.protector.cost(address),
        })
    }

    /// Charges one failure; says how long to wait if there was none left, and
    /// whether a verdict of the watch made it cost more.
    pub(super) fn charge(&self, now: Timestamp, store: &mut impl SharedStore) -> Charged {
        let Account {
            quota, quotas, key, ..
        } = &self.failures;
        self.judged(quotas.charge_many(store, *key, quota.limit, self.cost, now))
    }

    /// Returns how long to wait until there is a failure left; `None`: now.
    /// A sender that has verified within a day is always heard: whoever sends
    /// through the same addresses (any other customer of the same provider)
    /// could otherwise have it refused. What it fails is charged all the same.
    pub(super) fn peek(&mut self, now: Timestamp, store: &mut impl SharedStore) -> Charged {
        let Account {
            quota, quotas, key, ..
        } = &self.failures;
        let standing = quotas.peek(store, *key, quota.limit, self.cost, now);
        self.wants_vouching = standing.wants_vouching;
        let mut judged = self.judged(standing);
        judged.wait = judged.wait.filter(|_| !standing.is_vouched);
        judged
    }

    fn judged(&self, standing: Standing) -> Charged {
        Charged {
            wait: wait(standing.verdict),
            is_tightened: self.cost != Cost::ONE && !standing.is_vouched,
        }
    }

    /// Remembers that the sender has verified, if that isn't known for long yet.
    pub(super) fn vouch(&self, now: Timestamp, store: &mut impl SharedStore) {
        if self.wants_vouching {
            self.failures.quotas.vouch(store, self.failures.key, now);
        }
    }

    pub(super) const fn count(&self) -> Count {
        self.failures.count()
    }

    /// Returns the answer, if the quota refuses.
    pub(super) fn refusal(&self, wait: Duration) -> Option<Reply> {
        self.failures.refusal(wait)
    }
}

/// Says which quota refused an event, and with what answer.
pub(super) struct Refusal {
    pub(super) quota: QuotaKind,
    pub(super) reply: Reply,
}

/// Charges a fresh event to all that it belongs to, the narrowest first.
///
/// # Errors
/// [`Refusal`] of the first that refuses; then nothing stays charged.
pub(super) fn charge_event(
    settings: &Settings,
    endpoint: &config::Endpoint,
    event: &Event,
    now: Timestamp,
    store: &mut impl SharedStore,
    counts: &mut Vec<Count>,
) -> Result<(), Refusal> {
    let mut charged: Vec<Account> = Vec::new();
    for account in accounts(settings, endpoint, event) {
        let Some(wait) = account.charge(now, store) else {
            charged.push(account);
            continue;
        };
        counts.push(account.count());
        if let Some(reply) = account.refusal(wait) {
            for other in &charged {
                other.refund(now, store);
            }
            return Err(Refusal {
                quota: account.kind,
                reply,
            });
        }
    }
    Ok(())
}

fn accounts(settings: &Settings, endpoint: &config::Endpoint, event: &Event) -> Vec<Account> {
    let quotas = &endpoint.quotas;
    let name = endpoint.name.as_bytes();
    let kept_for = |kind: QuotaKind, quota: config::Quota, parts: &[&[u8]]| Account {
        kind,
        quota,
        quotas: settings.quotas,
        key: Key::new(kind.as_str(), parts),
    };
    let of_type = quotas
        .types
        .iter()
        .find(|entry| policy::matches_any(&entry.types, &event.type_name));
    let by_account = quotas.accounts.zip(event.account.as_deref());
    let by_account =
        by_account.map(|(q, id)| kept_for(QuotaKind::Account, q, &[name, id.as_bytes()]));
    let by_type = of_type.map(|entry| {
        let parts = [name, event.type_name.as_bytes()];
        kept_for(QuotaKind::Type, entry.quota, &parts)
    });
    let by_endpoint = quotas
        .endpoint
        .map(|quota| kept_for(QuotaKind::Endpoint, quota, &[name]));
    let overall = settings
        .limits
        .overall
        .map(|quota| kept_for(QuotaKind::Overall, quota, &[]));
    [by_account, by_type, by_endpoint, overall]
        .into_iter()
        .flatten()
        .collect()
}

impl Account {
    fn charge(&self, now: Timestamp, store: &mut impl SharedStore) -> Option<Duration> {
        wait(self.quotas.charge(store, self.key, self.quota.limit, now))
    }

    fn refund(&self, now: Timestamp, store: &mut impl SharedStore) {
        self.quotas.refund(store, self.key, self.quota.limit, now);
    }

    const fn count(&self) -> Count {
        Count::QuotaExceeded {
            quota: self.kind,
            exceeded: self.quota.exceeded,
        }
    }

    fn refusal(&self, wait: Duration) -> Option<Reply> {
        let refuses = self.quota.exceeded == Exceeded::Refuse;
        refuses.then(|| Reply::limited(self.kind, self.quota.limit, wait))
    }
}

const fn wait(verdict: Verdict) -> Option<Duration> {
    match verdict {
        Verdict::Exceeded { retry_after } => Some(retry_after),
        Verdict::Within | Verdict::Failed => None,
    }
}
