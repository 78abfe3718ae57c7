//! Which events are to come, and where: what was never meant to come is not
//! missing.

use std::{collections::BTreeMap, path::Path};

use hookgate_core::{
    event::Event,
    identity::Source,
    policy::{Policy, Synchronous, TypePattern},
    scheme::Scheme,
};

use super::account::Account;
use crate::{
    check::{self, GateError},
    config::{self, Of},
};

/// Says what is to come at one source.
#[derive(Debug)]
pub(crate) struct Subscription {
    /// The source.
    pub(crate) source: Source,
    /// The gate's endpoint.
    pub(crate) endpoint: String,
    of: Of,
    types: Types,
    policy: Policy,
}

/// Says which types an endpoint gets.
#[derive(Debug)]
enum Types {
    /// As the configuration lists them.
    Listed(Vec<TypePattern>),
    /// As this webhook endpoint of Stripe's does.
    Of(String),
}

/// Holds what webhook endpoints of Stripe's say, by their IDs.
pub(crate) type Enabled = BTreeMap<String, Vec<TypePattern>>;

/// Says why a configuration names no sources that could be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WantedError {
    /// The gate's configuration can't be read.
    #[error(transparent)]
    Gate(#[from] GateError),
    /// The gate has no such endpoint.
    #[error(
        "reconcile.sources[{index}]: the gate has no endpoint `{endpoint}` with the source `{source_name}` whose events Stripe sends"
    )]
    Endpoint {
        /// In the list.
        index: usize,
        /// By name.
        endpoint: String,
        /// As configured.
        source_name: Source,
    },
}

impl Subscription {
    /// Reads the sources of a configuration, each with the policy of its
    /// endpoint in the gate's.
    ///
    /// # Errors
    /// [`WantedError`].
    pub(crate) fn all(
        table: &config::Reconcile,
        gate: Option<&Path>,
    ) -> Result<Vec<Self>, WantedError> {
        let gate = gate.map(check::gate).transpose()?;
        let sources = table.sources.iter().enumerate();
        sources
            .map(|(index, it)| {
                let endpoint = it.endpoint.clone();
                let endpoint = endpoint.unwrap_or_else(|| it.source.as_str().to_owned());
                let policy = match &gate {
                    None => Policy::default(),
                    Some(gate) => {
                        let of_gate = gate.endpoints.iter().find(|found| {
                            found.name == endpoint
                                && found.source == it.source
                                && found.scheme == Scheme::Stripe
                        });
                        let of_gate = of_gate.ok_or_else(|| WantedError::Endpoint {
                            index,
                            endpoint: endpoint.clone(),
                            source_name: it.source.clone(),
                        })?;
                        of_gate.policy.clone()
                    }
                };
                Ok(Self {
                    source: it.source.clone(),
                    endpoint,
                    of: it.of,
                    types: match &it.webhook_endpoint {
                        Some(id) => Types::Of(id.clone()),
                        None => Types::Listed(it.types.clone()),
                    },
                    policy,
                })
            })
            .collect()
    }

    /// Returns the webhook endpoint of Stripe's that has to be asked.
    pub(crate) fn webhook_endpoint(&self) -> Option<&str> {
        match &self.types {
            Types::Listed(_) => None,
            Types::Of(id) => Some(id),
        }
    }

    /// Tells whether it is of an account's events at all.
    pub(crate) fn concerns(&self, account: &Account) -> bool {
        match self.of {
            Of::Platform => *account == Account::Platform,
            Of::Connected => *account != Account::Platform,
        }
    }

    /// Tells whether an event was to come here and to be stored.
    pub(crate) fn wants(&self, account: &Account, event: &Event, enabled: &Enabled) -> bool {
        let types = match &self.types {
            Types::Listed(types) => types,
            Types::Of(id) => match enabled.get(id) {
                Some(types) => types,
                None => return false,
            },
        };
        let awaits = |types: &Synchronous| types.awaits(event);
        self.concerns(account)
            && types.iter().any(|pattern| pattern.matches(&event.type_name))
            // Test events of the Dashboard all have one ID.
            && !event.is_test_id()
            // What waits for a decision is answered and never stored.
            && !awaits(&Synchronous::of(&Scheme::Stripe))
            && !awaits(&self.policy.synchronous)
            && self.policy.judge(event).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use hookgate_core::{
        event::Event,
        policy::{Livemode, Otherwise, Policy, TypePattern},
    };

    use super::{Account, Enabled, Of, Source, Subscription, Types};

    fn event(type_name: &str) -> Event {
        let payload = format!(
            r#"{{"id": "evt_1", "object": "event", "type": "{type_name}", "livemode": true}}"#
        );
        Event::from_payload(payload.as_bytes()).unwrap()
    }

    fn subscription(of: Of, types: Types) -> Subscription {
        Subscription {
            source: Source::new("stripe").unwrap(),
            endpoint: "stripe".to_owned(),
            of,
            types,
            policy: Policy::default(),
        }
    }

    fn listed(of: Of, types: &[&str]) -> Subscription {
        let types = types.iter().map(|text| TypePattern::new(text).unwrap());
        subscription(of, Types::Listed(types.collect()))
    }

    #[test]
    fn wants_what_is_subscribed_to_and_nothing_else() {
        let connected = Account::Connected("acct_1".to_owned());
        let all = listed(Of::Platform, &["*"]);
        let invoices = listed(Of::Connected, &["invoice.*", "payout.paid"]);
        for (wanted, subscription, account, type_name) in [
            (true, &all, &Account::Platform, "invoice.paid"),
            (false, &all, &connected, "invoice.paid"),
            // Stripe waits for the answer: never stored.
            (
                false,
                &all,
                &Account::Platform,
                "issuing_authorization.request",
            ),
            (true, &invoices, &connected, "payout.paid"),
            (false, &invoices, &connected, "payout.failed"),
            (false, &invoices, &Account::Platform, "invoice.paid"),
        ] {
            let found = subscription.wants(account, &event(type_name), &Enabled::new());
            assert_eq!(found, wanted, "{account} {type_name}");
        }
    }

    #[test]
    fn wants_what_the_webhook_endpoint_says() {
        let subscription = subscription(Of::Platform, Types::Of("we_1".to_owned()));
        let wants = |enabled: &Enabled| {
            subscription.wants(&Account::Platform, &event("invoice.paid"), enabled)
        };
        assert!(!wants(&Enabled::new()));
        for (pattern, wanted) in [
            ("*", true),
            ("invoice.paid", true),
            ("charge.failed", false),
        ] {
            let types = vec![TypePattern::new(pattern).unwrap()];
            let enabled = Enabled::from([("we_1".to_owned(), types)]);
            assert_eq!(wants(&enabled), wanted, "{pattern}");
        }
    }

    #[test]
    fn wants_nothing_that_the_gates_policy_drops() {
        for otherwise in [Otherwise::Ignore, Otherwise::Refuse] {
            let mut subscription = listed(Of::Platform, &["*"]);
            subscription.policy.livemode = Some(Livemode {
                only: false,
                otherwise,
            });
            let event = event("invoice.paid");
            assert!(!subscription.wants(&Account::Platform, &event, &Enabled::new()));
        }
    }

    #[test]
    fn ignores_test_events_of_the_dashboard() {
        let zeros = Event {
            id: "evt_00000000000000".to_owned(),
            ..event("invoice.paid")
        };
        let all = listed(Of::Platform, &["*"]);
        assert!(!all.wants(&Account::Platform, &zeros, &Enabled::new()));
    }
}
