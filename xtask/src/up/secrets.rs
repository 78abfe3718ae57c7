//! The signing secrets that `up` hands to Envoy and the upstream.

use std::env;
use std::process::Command;

/// The environment variable of each endpoint's secret, with what `up` uses where it is unset.
const VARIABLES: [(&str, &str); 2] = [
    ("STRIPE_WEBHOOK_SECRET", "whsec_hookgate_dev"),
    (
        "STRIPE_CONNECT_WEBHOOK_SECRET",
        "whsec_hookgate_dev_connect",
    ),
];

/// Which of the secrets are development secrets; the operator's own are never read.
#[derive(Debug)]
pub(crate) struct Secrets {
    development: Vec<(&'static str, &'static str)>,
}

impl Secrets {
    /// Looks which variables are set.
    pub(crate) fn from_environment() -> Self {
        let development = VARIABLES
            .into_iter()
            .filter(|(variable, _)| env::var_os(variable).is_none_or(|value| value.is_empty()))
            .collect();
        Self { development }
    }

    /// Sets the development secrets for a child; those of the operator it inherits.
    pub(crate) fn give<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.envs(self.development.iter().copied())
    }

    /// Returns the variables that hold a development secret, with that secret, which is public.
    pub(crate) fn development(&self) -> &[(&'static str, &'static str)] {
        &self.development
    }
}
