//! An endpoint's policy as JSON spells it.

#[cfg(feature = "schema")]
use alloc::string::ToString;
use alloc::{collections::BTreeSet, format, string::String, vec::Vec};

use serde::Deserialize;

use super::super::{
    ConfigError, MAX_ACCOUNTS, MAX_RANGES, MAX_ROUTES, MAX_TYPES,
    check::{count, name, patterns},
    decided::Decided,
};
#[cfg(feature = "schema")]
use super::pattern;
use crate::{
    event::is_name,
    policy::{
        Accounts, IpRange, Livemode, Otherwise, Policy, Synchronous, TypeRoute, Types, Unknown,
    },
    scheme::Scheme,
};

/// Which genuine events an endpoint wants, and where they go.
#[derive(Deserialize, Default)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Policy")
)]
#[serde(deny_unknown_fields, default, expecting = "a policy")]
pub(super) struct RawPolicy {
    /// Wants one of live and test mode. Both, if absent. For Stripe only: other
    /// schemes' events have none.
    livemode: Option<RawLivemode>,
    /// Wants some types of event. All, if absent.
    types: Option<RawTypes>,
    /// Knows some connected accounts. All, if absent. Not for schemes whose
    /// events have none.
    accounts: Option<RawAccounts>,
    /// Addresses from which deliveries may come, as a second fence: `a.b.c.d`,
    /// `a.b.c.d/n`, IPv6 alike. Others answer 403 `denied_source` before
    /// anything is read. From everywhere, if absent. Behind a proxy set
    /// `xff_num_trusted_hops` in Envoy.
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_RANGES)))]
    source_ranges: Vec<String>,
    /// Types for which the sender waits for a decision in the answer. Not for
    /// schemes that don't sign the type.
    synchronous: Option<RawSynchronous>,
    /// Routes by event type; the first match counts. Sets the header
    /// `x-hookgate-route`, by which Envoy's routes are chosen again. Not for
    /// schemes that don't sign the type.
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_ROUTES)))]
    routes: Vec<RawRoute>,
}

/// What happens to genuine events that are not wanted.
#[derive(Deserialize, Default, Clone, Copy)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema, serde::Serialize),
    schemars(rename = "Otherwise")
)]
#[serde(rename_all = "snake_case")]
enum RawOtherwise {
    /// 200 `ignored`, and the sender is done with it.
    #[default]
    Ignore,
    /// 403, a failure for the sender: Stripe sends again for three days, and
    /// disables an endpoint that goes on failing.
    Refuse,
}

/// What happens to events of unknown accounts.
#[derive(Deserialize, Default, Clone, Copy)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema, serde::Serialize),
    schemars(rename = "UnknownAccounts")
)]
#[serde(rename_all = "snake_case")]
enum RawUnknown {
    /// They are forwarded, and counted in `hookgate_unknown_account`.
    #[default]
    Count,
    /// 200 `ignored`.
    Ignore,
    /// 403 `denied_account`.
    Refuse,
}

/// Wants one of live and test mode.
#[derive(Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Livemode")
)]
#[serde(deny_unknown_fields, expecting = "a policy of livemode")]
struct RawLivemode {
    /// `true` wants live events, `false` test events. An event that doesn't
    /// say is neither.
    only: bool,
    /// What happens to others.
    #[serde(default)]
    otherwise: RawOtherwise,
}

/// Wants some types of event.
#[derive(Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Types")
)]
#[serde(deny_unknown_fields, expecting = "a policy of types")]
struct RawTypes {
    /// Wanted types, `*` for any characters; all, if empty. Not for schemes
    /// that don't sign the type: anybody could make an event fit.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_TYPES), inner(regex(pattern = pattern::TYPES))))]
    allow: Vec<String>,
    /// Unwanted types, even if they are allowed. Where the type isn't signed
    /// it keeps out honest senders only.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_TYPES), inner(regex(pattern = pattern::TYPES))))]
    deny: Vec<String>,
    /// What happens to others.
    #[serde(default)]
    otherwise: RawOtherwise,
}

/// Knows some connected accounts. Events of no account are not concerned.
#[derive(Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Accounts")
)]
#[serde(deny_unknown_fields, expecting = "a policy of accounts")]
struct RawAccounts {
    /// The known accounts, such as `acct_1032D82eZvKYlo2C`.
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_ACCOUNTS), inner(regex(pattern = pattern::ACCOUNT))))]
    known: Vec<String>,
    /// What happens to the events of others. `count` alone for schemes that
    /// don't sign the account.
    #[serde(default)]
    unknown: RawUnknown,
}

/// Types for which the sender waits for a decision: verified, then neither
/// reserved, deduplicated, charged nor answered by the gate.
#[derive(Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Synchronous")
)]
#[serde(deny_unknown_fields, expecting = "a policy of synchronous types")]
struct RawSynchronous {
    /// The types. If `synchronous` is absent, `["issuing_authorization.request"]`
    /// for Stripe and none for others.
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_TYPES), inner(regex(pattern = pattern::TYPES))))]
    types: Vec<String>,
    /// Value of `x-hookgate-route` for them; give Envoy a route with that
    /// header to the cluster that decides. Without it they answer 503
    /// `no_decider`.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = pattern::NAME)))]
    route: Option<String>,
}

/// A route for some types.
#[derive(Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Route")
)]
#[serde(deny_unknown_fields, expecting = "a route by types")]
struct RawRoute {
    /// The types, `*` for any characters.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = MAX_TYPES), inner(regex(pattern = pattern::TYPES))))]
    types: Vec<String>,
    /// Value of `x-hookgate-route` for them.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = pattern::NAME)))]
    route: String,
}

impl From<RawOtherwise> for Otherwise {
    fn from(raw: RawOtherwise) -> Self {
        match raw {
            RawOtherwise::Ignore => Self::Ignore,
            RawOtherwise::Refuse => Self::Refuse,
        }
    }
}

impl RawPolicy {
    pub(super) fn check(self, path: &str, scheme: &Scheme) -> Result<Policy, ConfigError> {
        let at = |field: &str| format!("{path}.{field}");
        if let Some(livemode) = &self.livemode {
            let found = if livemode.only { "live" } else { "test" };
            Decided::Mode.rely(&at("livemode"), found, scheme)?;
        }
        let types = self.types.map(|types| types.check(&at("types"), scheme));
        let accounts = self
            .accounts
            .map(|accounts| accounts.check(&at("accounts"), scheme));
        let synchronous = match self.synchronous {
            Some(synchronous) => synchronous.check(&at("synchronous"), scheme)?,
            None => Synchronous::of(scheme),
        };
        count(
            &at("source_ranges"),
            self.source_ranges.len(),
            0..=MAX_RANGES,
        )?;
        decided_by_type(&at("routes"), self.routes.len(), scheme)?;
        count(&at("routes"), self.routes.len(), 0..=MAX_ROUTES)?;
        Ok(Policy {
            livemode: self.livemode.map(|livemode| Livemode {
                only: livemode.only,
                otherwise: livemode.otherwise.into(),
            }),
            types: types.transpose()?.unwrap_or_default(),
            accounts: accounts.transpose()?,
            source_ranges: self
                .source_ranges
                .iter()
                .enumerate()
                .map(|(index, text)| range(&format!("{path}.source_ranges[{index}]"), text))
                .collect::<Result<_, _>>()?,
            synchronous,
            routes: self
                .routes
                .into_iter()
                .enumerate()
                .map(|(index, route)| route.check(&format!("{path}.routes[{index}]")))
                .collect::<Result<_, _>>()?,
        })
    }
}

impl RawTypes {
    fn check(&self, path: &str, scheme: &Scheme) -> Result<Types, ConfigError> {
        let allow = format!("{path}.allow");
        decided_by_type(&allow, self.allow.len(), scheme)?;
        Ok(Types {
            allow: patterns(&allow, &self.allow, 0..=MAX_TYPES)?,
            deny: patterns(&format!("{path}.deny"), &self.deny, 0..=MAX_TYPES)?,
            otherwise: self.otherwise.into(),
        })
    }
}

impl RawAccounts {
    fn check(self, path: &str, scheme: &Scheme) -> Result<Accounts, ConfigError> {
        Decided::Account.exist(path, "a policy of accounts", scheme)?;
        let at = format!("{path}.known");
        count(&at, self.known.len(), 0..=MAX_ACCOUNTS)?;
        let unknown = match self.unknown {
            RawUnknown::Count => Unknown::Count,
            RawUnknown::Ignore => Unknown::Otherwise(Otherwise::Ignore),
            RawUnknown::Refuse => Unknown::Otherwise(Otherwise::Refuse),
        };
        if unknown != Unknown::Count {
            let path = format!("{path}.unknown");
            Decided::Account.rely(&path, "an allow-list", scheme)?;
        }
        for (index, account) in self.known.iter().enumerate() {
            if !is_name(account) {
                let expected = "an account ID, [A-Za-z0-9_.:/-]{1,255}";
                return Err(ConfigError::text(
                    &format!("{at}[{index}]"),
                    account,
                    expected,
                ));
            }
        }
        // Not collected, as in `metric::words`.
        let mut known = BTreeSet::new();
        known.extend(self.known);
        Ok(Accounts { known, unknown })
    }
}

impl RawSynchronous {
    fn check(self, path: &str, scheme: &Scheme) -> Result<Synchronous, ConfigError> {
        let types = format!("{path}.types");
        decided_by_type(&types, self.types.len(), scheme)?;
        if let Some(route) = &self.route {
            name(&format!("{path}.route"), route)?;
        }
        Ok(Synchronous {
            types: patterns(&types, &self.types, 0..=MAX_TYPES)?,
            route: self.route,
        })
    }
}

impl RawRoute {
    fn check(self, path: &str) -> Result<TypeRoute, ConfigError> {
        name(&format!("{path}.route"), &self.route)?;
        Ok(TypeRoute {
            types: patterns(&format!("{path}.types"), &self.types, 1..=MAX_TYPES)?,
            route: self.route,
        })
    }
}

/// Checks that a list of types decides by signed ones.
fn decided_by_type(path: &str, entries: usize, scheme: &Scheme) -> Result<(), ConfigError> {
    if entries == 0 {
        return Ok(());
    }
    Decided::Type.rely(path, &format!("{entries} entries"), scheme)
}

fn range(path: &str, text: &str) -> Result<IpRange, ConfigError> {
    text.parse().map_err(|_| {
        let expected = "an address or a range such as `198.51.100.0/24` or `2001:db8::/32`";
        ConfigError::text(path, text, expected)
    })
}
