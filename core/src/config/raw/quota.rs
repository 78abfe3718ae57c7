//! Quotas as JSON spells them.

#[cfg(feature = "schema")]
use alloc::string::ToString;
use alloc::{format, string::String, vec::Vec};
use core::{num::NonZeroU32, time::Duration};

use serde::Deserialize;

use super::super::{
    BURST, ConfigError, EndpointQuotas, Exceeded, GateQuotas, MAX_KEYS, MAX_ROUTES, MAX_TYPES,
    PER_SECONDS, Quota, RATE, TypeQuota,
    check::{bounded, count, patterns},
    decided::Decided,
};
#[cfg(feature = "schema")]
use super::pattern;
use crate::{quota::Limit, scheme::Scheme};

/// Default of `quotas.max_keys`.
pub const DEFAULT_MAX_KEYS: u64 = 65_536;

/// Quotas that are not of one endpoint.
#[derive(Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "GateQuotas")
)]
#[serde(deny_unknown_fields, default, expecting = "the gate's quotas")]
pub(super) struct RawGateQuotas {
    /// Failures of one sender at one endpoint: refused deliveries are charged
    /// to the address they came from (IPv6 by its /64), genuine ones never.
    /// Over it the sender answers 429 before anything is read. Behind a proxy
    /// set `xff_num_trusted_hops` in Envoy, or all senders count as one.
    sources: Option<RawLimit>,
    /// Fresh events of all endpoints together.
    overall: Option<RawLimit>,
    /// How many keys (addresses, accounts, types) are told apart, at about 20
    /// bytes of memory each. With more, those closest to their full quota are
    /// forgotten.
    #[cfg_attr(feature = "schema", schemars(range(min = *MAX_KEYS.start(), max = *MAX_KEYS.end())))]
    max_keys: u64,
}

impl Default for RawGateQuotas {
    fn default() -> Self {
        Self {
            sources: None,
            overall: None,
            max_keys: DEFAULT_MAX_KEYS,
        }
    }
}

/// Quotas for an endpoint's fresh events. Duplicates are not charged.
#[derive(Deserialize, Default)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "EndpointQuotas")
)]
#[serde(deny_unknown_fields, default, expecting = "the endpoint's quotas")]
pub(super) struct RawEndpointQuotas {
    /// All fresh events of the endpoint.
    endpoint: Option<RawLimit>,
    /// Each connected account's. Counts only, unless `exceeded` says `refuse`:
    /// to Stripe a 429 is a failing endpoint. Never refuses where the scheme
    /// doesn't sign the account: anybody could use up another's.
    accounts: Option<RawLimit>,
    /// Each event type's; the first entry that matches a type counts. Where the
    /// scheme doesn't sign the type, `exceeded` has to be `count`.
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_ROUTES)))]
    types: Vec<RawTypeQuota>,
}

/// A quota for each of some types.
#[derive(Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "TypeQuota")
)]
#[serde(deny_unknown_fields, expecting = "a quota of types")]
struct RawTypeQuota {
    /// The types, `*` for any characters. Each type has a quota of its own.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = MAX_TYPES), inner(regex(pattern = pattern::TYPES))))]
    types: Vec<String>,
    /// The quota.
    limit: RawLimit,
}

/// A quota: `rate` in each `per_seconds`, and `burst` at once.
#[derive(Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Limit")
)]
#[serde(
    deny_unknown_fields,
    expecting = "a quota with rate, per_seconds and burst"
)]
struct RawLimit {
    /// How many in each `per_seconds`, in the long run.
    #[cfg_attr(feature = "schema", schemars(range(min = *RATE.start(), max = *RATE.end())))]
    rate: u64,
    /// The time in which `rate` comes back, in seconds.
    #[serde(default = "one_second")]
    #[cfg_attr(feature = "schema", schemars(range(min = *PER_SECONDS.start(), max = *PER_SECONDS.end())))]
    per_seconds: u64,
    /// How many at once, after a rest; `rate` if absent. At least what comes back
    /// in a millisecond and, above 50 a second, two more: the clock counts those.
    #[cfg_attr(feature = "schema", schemars(range(min = *BURST.start(), max = *BURST.end())))]
    burst: Option<u64>,
    /// What happens over it: `count` in `hookgate_quota_exceeded` alone, or
    /// also `refuse` with 429. Accounts count if absent, all others refuse.
    exceeded: Option<RawExceeded>,
}

/// What happens over a quota.
#[derive(Deserialize, Clone, Copy)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Exceeded")
)]
#[serde(rename_all = "snake_case")]
enum RawExceeded {
    /// It is counted.
    Count,
    /// It is counted and answered 429 `rate_limited`.
    Refuse,
}

const fn one_second() -> u64 {
    1
}

impl RawGateQuotas {
    pub(super) fn check(&self, path: &str) -> Result<GateQuotas, ConfigError> {
        let at = |field: &str| format!("{path}.{field}");
        let max_keys = bounded(&at("max_keys"), self.max_keys, MAX_KEYS)?;
        Ok(GateQuotas {
            sources: optional(self.sources.as_ref(), &at("sources"), Exceeded::Refuse)?,
            overall: optional(self.overall.as_ref(), &at("overall"), Exceeded::Refuse)?,
            max_keys: u32::try_from(max_keys).unwrap_or(u32::MAX),
        })
    }
}

impl RawEndpointQuotas {
    pub(super) fn check(&self, path: &str, scheme: &Scheme) -> Result<EndpointQuotas, ConfigError> {
        let at = |field: &str| format!("{path}.{field}");
        count(&at("types"), self.types.len(), 0..=MAX_ROUTES)?;
        let of_types = |(index, quota): (usize, &RawTypeQuota)| {
            let path = format!("{path}.types[{index}]");
            let at_limit = format!("{path}.limit");
            let types = patterns(&format!("{path}.types"), &quota.types, 1..=MAX_TYPES)?;
            let quota = quota.limit.check(&at_limit, Exceeded::Refuse)?;
            refuses_by(Decided::Type, &at_limit, quota, scheme)?;
            Ok(TypeQuota { types, quota })
        };
        let accounts = optional(self.accounts.as_ref(), &at("accounts"), Exceeded::Count)?;
        if let Some(quota) = accounts {
            Decided::Account.exist(&at("accounts"), "a quota of accounts", scheme)?;
            refuses_by(Decided::Account, &at("accounts"), quota, scheme)?;
        }
        Ok(EndpointQuotas {
            endpoint: optional(self.endpoint.as_ref(), &at("endpoint"), Exceeded::Refuse)?,
            accounts,
            types: (self.types.iter().enumerate())
                .map(of_types)
                .collect::<Result<Vec<_>, ConfigError>>()?,
        })
    }
}

impl RawLimit {
    fn check(&self, path: &str, default: Exceeded) -> Result<Quota, ConfigError> {
        let at = |field: &str| format!("{path}.{field}");
        let rate = bounded(&at("rate"), self.rate, RATE)?;
        let per_seconds = bounded(&at("per_seconds"), self.per_seconds, PER_SECONDS)?;
        let burst = bounded(&at("burst"), self.burst.unwrap_or(self.rate), BURST)?;
        let number = |value| u32::try_from(value).ok().and_then(NonZeroU32::new);
        let per = Duration::from_secs(per_seconds);
        let numbers = number(rate).zip(number(burst));
        let limit = numbers.and_then(|(rate, burst)| Limit::new(rate, per, burst));
        let limit = limit.ok_or_else(|| {
            let least = number(rate).map_or(1, |rate| Limit::least_burst(rate, per));
            let expected = if burst < least {
                format!(
                    "at least {least}: the clock counts milliseconds, and less would miss the rate"
                )
            } else {
                "a burst that is full again within 366 days".into()
            };
            ConfigError::value(&at("burst"), burst, expected)
        })?;
        Ok(Quota {
            limit,
            exceeded: match self.exceeded {
                Some(RawExceeded::Count) => Exceeded::Count,
                Some(RawExceeded::Refuse) => Exceeded::Refuse,
                None => default,
            },
        })
    }
}

/// Checks that a quota which refuses counts by what is signed.
fn refuses_by(
    decided: Decided,
    path: &str,
    quota: Quota,
    scheme: &Scheme,
) -> Result<(), ConfigError> {
    match quota.exceeded {
        Exceeded::Count => Ok(()),
        Exceeded::Refuse => decided.rely(&format!("{path}.exceeded"), "refuse", scheme),
    }
}

fn optional(
    raw: Option<&RawLimit>,
    path: &str,
    default: Exceeded,
) -> Result<Option<Quota>, ConfigError> {
    raw.map(|limit| limit.check(path, default)).transpose()
}
