//! The signing secrets of the upstream, bound to sources.
//!
//! A secret speaks for its own source only: whoever holds one endpoint's
//! secret must not be able to write events of another. Values come from the
//! environment, never from arguments, which every user of a machine can read.

use std::{collections::BTreeMap, env, str::FromStr};

use hookgate_core::{
    identity::Source,
    keyring::{Scope, Signer, Validity},
    secret::{SecretError, SigningSecret},
};

/// Where the sources of the shipped gate have their secrets.
const DEFAULTS: [&str; 2] = [
    "stripe=STRIPE_WEBHOOK_SECRET",
    "stripe-connect=STRIPE_CONNECT_WEBHOOK_SECRET",
];

/// Binds a source to the environment variable of one of its secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Binding {
    source: Source,
    variable: String,
}

/// Says that a text binds nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BindingError {
    /// No `=`.
    #[error("expected SOURCE=VARIABLE, the name of an environment variable that holds the secret")]
    Form,
    /// What follows `=` names no variable. It may be a secret and isn't repeated.
    #[error("after `=` {0}")]
    Variable(#[from] VariableError),
    /// What precedes `=` names no source.
    #[error("expected a source of 1 to 64 of the characters a-z, 0-9 and - before `=`")]
    Source,
}

impl FromStr for Binding {
    type Err = BindingError;

    fn from_str(text: &str) -> Result<Self, BindingError> {
        let (source, variable) = text.split_once('=').ok_or(BindingError::Form)?;
        Ok(Self {
            source: Source::new(source).map_err(|_| BindingError::Source)?,
            variable: variable_name(variable)?.to_owned(),
        })
    }
}

/// Says that a text names no variable. It may be a secret and isn't repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected the name of an environment variable that holds the secret, of the characters A-Z, 0-9 and _: not the secret itself, arguments are visible to every user of this machine"
)]
pub(crate) struct VariableError;

/// Takes the name of a variable, `[A-Z_][A-Z0-9_]*`. Secrets, which are of
/// mixed case, are not of this form: a name may be shown.
///
/// # Errors
/// [`VariableError`].
pub(crate) fn variable_name(text: &str) -> Result<&str, VariableError> {
    let named = |byte: u8| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'_');
    let starts = !text.starts_with(|first: char| first.is_ascii_digit());
    (starts && !text.is_empty() && text.bytes().all(named))
        .then_some(text)
        .ok_or(VariableError)
}

/// Holds the secrets of every source that has any.
#[derive(Debug, Default)]
pub(crate) struct Secrets {
    by_source: BTreeMap<Source, Vec<Signer>>,
}

/// Says why the secrets can't be loaded; names the variable, never its value.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SecretsError {
    /// A variable that was asked for isn't set.
    #[error(
        "found no environment variable `{variable}`, expected the signing secret of the source `{origin}`"
    )]
    Unset {
        /// Its name.
        variable: String,
        /// Whose secret it was to hold.
        origin: Source,
    },
    /// The variable's value isn't text.
    #[error("the environment variable `{variable}` is not UTF-8, expected a signing secret")]
    NotText {
        /// Its name.
        variable: String,
    },
    /// The variable's value can't be a secret.
    #[error("the environment variable `{variable}`: {error}")]
    Invalid {
        /// Its name.
        variable: String,
        /// Why.
        error: SecretError,
    },
}

impl Secrets {
    /// Loads the secrets that were asked for, all of them; if none was asked
    /// for, those of the shipped gate's sources whose variables are set.
    ///
    /// # Errors
    /// [`SecretsError`].
    pub(crate) fn load(bindings: &[Binding]) -> Result<Self, SecretsError> {
        let environment = |variable: &str| match env::var(variable) {
            Ok(value) => Ok(Some(value)),
            Err(env::VarError::NotPresent) => Ok(None),
            Err(env::VarError::NotUnicode(_)) => Err(SecretsError::NotText {
                variable: variable.to_owned(),
            }),
        };
        Self::load_from(bindings, environment)
    }

    fn load_from(
        bindings: &[Binding],
        environment: impl Fn(&str) -> Result<Option<String>, SecretsError>,
    ) -> Result<Self, SecretsError> {
        let defaults: Vec<Binding> = DEFAULTS.iter().flat_map(|text| text.parse()).collect();
        let (bindings, optional) = match bindings {
            [] => (defaults.as_slice(), true),
            asked_for => (asked_for, false),
        };
        let mut by_source = BTreeMap::<Source, Vec<Signer>>::new();
        for Binding { source, variable } in bindings {
            let Some(value) = environment(variable)? else {
                if optional {
                    continue;
                }
                return Err(SecretsError::Unset {
                    variable: variable.clone(),
                    origin: source.clone(),
                });
            };
            let secret = SigningSecret::new(variable, value.as_bytes()).map_err(|error| {
                SecretsError::Invalid {
                    variable: variable.clone(),
                    error,
                }
            })?;
            // No window and no scope: it may sign whatever its source sends.
            by_source.entry(source.clone()).or_default().push(Signer {
                secret,
                validity: Validity::default(),
                scope: Scope::default(),
            });
        }
        Ok(Self { by_source })
    }

    /// Tells whether there is no secret at all, so that nothing can be verified.
    pub(crate) fn is_empty(&self) -> bool {
        self.by_source.is_empty()
    }

    /// Returns the secrets of a source; none if it has none.
    pub(crate) fn of(&self, source: &Source) -> &[Signer] {
        self.by_source.get(source).map_or(&[], Vec::as_slice)
    }

    /// Returns the sources that have secrets.
    pub(crate) fn sources(&self) -> impl Iterator<Item = &Source> {
        self.by_source.keys()
    }
}

#[cfg(test)]
mod tests {
    use super::{Binding, BindingError, Secrets, SecretsError, VariableError};
    use hookgate_core::{identity::Source, secret::SecretError};

    fn load(bindings: &[&str], variables: &[(&str, &str)]) -> Result<Secrets, SecretsError> {
        let bindings: Vec<Binding> = bindings.iter().map(|text| text.parse().unwrap()).collect();
        Secrets::load_from(&bindings, |wanted| {
            let found = variables.iter().find(|(name, _)| *name == wanted);
            Ok(found.map(|(_, value)| (*value).to_owned()))
        })
    }

    fn names(secrets: &Secrets, source: &str) -> Vec<String> {
        let secrets = secrets.of(&Source::new(source).unwrap());
        secrets.iter().map(|s| s.secret.name().to_owned()).collect()
    }

    #[test]
    fn takes_those_of_the_shipped_gate_that_are_set() {
        let secrets = load(&[], &[("STRIPE_WEBHOOK_SECRET", "whsec_a")]).unwrap();
        assert_eq!(names(&secrets, "stripe"), ["STRIPE_WEBHOOK_SECRET"]);
        assert_eq!(names(&secrets, "stripe-connect"), [""; 0]);
        assert!(load(&[], &[]).unwrap().is_empty());
    }

    #[test]
    fn takes_several_secrets_of_one_source() {
        let variables = [("OLD", "whsec_a"), ("NEW", "whsec_b")];
        let secrets = load(&["a=OLD", "a=NEW"], &variables).unwrap();
        assert_eq!(names(&secrets, "a"), ["OLD", "NEW"]);
    }

    #[test]
    fn refuses_variables_that_are_unset_or_hold_no_secret() {
        let error = load(&["a=OLD"], &[]).unwrap_err();
        let unset = SecretsError::Unset {
            variable: "OLD".to_owned(),
            origin: Source::new("a").unwrap(),
        };
        assert_eq!(error, unset);
        let error = load(&[], &[("STRIPE_WEBHOOK_SECRET", "")]).unwrap_err();
        let empty = SecretsError::Invalid {
            variable: "STRIPE_WEBHOOK_SECRET".to_owned(),
            error: SecretError::Empty,
        };
        assert_eq!(error, empty);
    }

    #[test]
    fn refuses_texts_that_bind_nothing() {
        for (text, error) in [
            ("stripe", BindingError::Form),
            ("stripe=", BindingError::Variable(VariableError)),
            ("stripe=A B", BindingError::Variable(VariableError)),
            ("stripe=1A", BindingError::Variable(VariableError)),
            ("stripe=TOPSECRETx", BindingError::Variable(VariableError)),
            ("stripe=whsec_a", BindingError::Variable(VariableError)),
            ("=A", BindingError::Source),
            ("Stripe=A", BindingError::Source),
        ] {
            assert_eq!(text.parse::<Binding>().unwrap_err(), error, "{text}");
        }
    }
}
