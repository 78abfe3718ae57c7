//! The signing secrets that `up` works with: the operator's own, or public ones.

use std::env;
use std::fmt;
use std::process::Command;

use anyhow::{Context, Result};

/// The environment variable of each endpoint's secret, with what `up` uses where it is unset.
const ENDPOINTS: [Endpoint; 2] = [
    Endpoint {
        name: "stripe",
        variable: "STRIPE_WEBHOOK_SECRET",
        development: "whsec_hookgate_dev",
    },
    Endpoint {
        name: "stripe-connect",
        variable: "STRIPE_CONNECT_WEBHOOK_SECRET",
        development: "whsec_hookgate_dev_connect",
    },
];

struct Endpoint {
    name: &'static str,
    variable: &'static str,
    development: &'static str,
}

/// The secret of each endpoint.
#[derive(Debug)]
pub(crate) struct Secrets(Vec<Secret>);

/// One endpoint's secret; never shown, unless it is a public one.
pub(crate) struct Secret {
    /// The endpoint's name.
    pub(crate) endpoint: &'static str,
    /// The variable that `hookgate send` reads it from.
    pub(crate) variable: &'static str,
    /// The secret.
    pub(crate) value: String,
    /// Whether it is a development secret, which anybody can know.
    pub(crate) public: bool,
}

impl Secrets {
    /// Takes each secret from its variable, or the development secret where that is unset.
    ///
    /// # Errors
    /// If a variable isn't text; the message doesn't show it.
    pub(crate) fn from_environment() -> Result<Self> {
        ENDPOINTS
            .into_iter()
            .map(|endpoint| {
                let own = env::var_os(endpoint.variable).filter(|value| !value.is_empty());
                let public = own.is_none();
                let value = own.map_or_else(
                    || Ok(endpoint.development.to_owned()),
                    |value| {
                        let text = value.into_string().ok();
                        text.with_context(|| format!("{} isn't UTF-8", endpoint.variable))
                    },
                )?;
                Ok(Secret {
                    endpoint: endpoint.name,
                    variable: endpoint.variable,
                    value,
                    public,
                })
            })
            .collect::<Result<_>>()
            .map(Self)
    }

    /// Returns each endpoint's secret.
    pub(crate) fn all(&self) -> &[Secret] {
        &self.0
    }

    /// Sets the variables for a child that signs.
    pub(crate) fn give<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.envs(self.0.iter().map(|secret| (secret.variable, &secret.value)))
    }

    /// Keeps the variables from a child that has the keyring instead.
    pub(crate) fn withhold<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        for secret in &self.0 {
            command.env_remove(secret.variable);
        }
        command
    }

    /// Returns the secrets that are public.
    pub(crate) fn development(&self) -> impl Iterator<Item = &Secret> {
        self.0.iter().filter(|secret| secret.public)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret")
            .field("endpoint", &self.endpoint)
            .field("variable", &self.variable)
            .field("public", &self.public)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
impl Secrets {
    /// Returns an operator's own secret for the endpoint `stripe`.
    pub(crate) fn own(value: &str) -> Self {
        Self(vec![Secret {
            endpoint: "stripe",
            variable: "STRIPE_WEBHOOK_SECRET",
            value: value.to_owned(),
            public: false,
        }])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn does_not_show_a_secret() {
        let shown = format!("{:?}", Secrets::own("whsec_own"));
        assert!(shown.contains("STRIPE_WEBHOOK_SECRET"), "{shown}");
        assert!(!shown.contains("whsec_own"), "{shown}");
    }
}
