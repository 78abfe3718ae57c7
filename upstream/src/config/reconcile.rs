//! Reconciliation as the file spells it.

use std::path::PathBuf;

use hookgate_core::{identity::Source, policy::TypePattern};
use reqwest::Url;
use serde::{Deserialize, Deserializer, de};

use super::{
    destination,
    place::SecretPlace,
    setting::{Every, RequestsPerSecond},
};

/// Says how events are compared with Stripe's list of them.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(crate) struct Reconcile {
    /// What requests show to be let in.
    pub(crate) api_key: SecretPlace,
    /// Whose events, beside the platform's own; `None`: of all connected accounts.
    #[serde(default, deserialize_with = "accounts")]
    pub(crate) accounts: Option<Vec<String>>,
    /// Requests in a second.
    #[serde(default)]
    pub(crate) requests_per_second: RequestsPerSecond,
    /// How often a server compares.
    #[serde(default)]
    pub(crate) every: Every,
    /// Where it is kept how far comparison came.
    pub(crate) state: Option<PathBuf>,
    /// Where Stripe is.
    #[serde(default)]
    pub(crate) api: Api,
    /// What is to come, and from where.
    #[serde(default)]
    pub(crate) sources: Vec<Subscription>,
}

/// Says what is to come at one source.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(crate) struct Subscription {
    /// The source.
    #[serde(deserialize_with = "source")]
    pub(crate) source: Source,
    /// Whose events.
    pub(crate) of: Of,
    /// The gate's endpoint that they come through.
    pub(crate) endpoint: Option<String>,
    /// Which types.
    #[serde(default, deserialize_with = "destination::types")]
    pub(crate) types: Vec<TypePattern>,
    /// Stripe's webhook endpoint that says which.
    pub(crate) webhook_endpoint: Option<String>,
}

/// Tells a platform's own events from those of its connected accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Of {
    /// Of the account that the API key is of.
    Platform,
    /// Of connected accounts.
    Connected,
}

/// Says where Stripe's API is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Api(pub(crate) Url);

/// Where it is for everybody.
pub(super) const DEFAULT_API: &str = "https://api.stripe.com/";

impl Default for Api {
    fn default() -> Self {
        #[expect(clippy::unwrap_used, reason = "a constant, which the tests read")]
        Self(DEFAULT_API.parse().unwrap())
    }
}

impl<'de> Deserialize<'de> for Api {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let url = Url::parse(&text).ok().filter(|url| {
            let host = url.host_str().unwrap_or_default();
            let is_local = matches!(host, "localhost" | "[::1]") || host.starts_with("127.");
            let is_safe = url.scheme() == "https" || url.scheme() == "http" && is_local;
            is_safe && url.username().is_empty() && url.password().is_none()
        });
        // Whoever hears the key can read every event of the platform.
        url.map(Self).ok_or_else(|| {
            de::Error::custom(
                "found another address, expected `https://…`, or `http://` on this machine",
            )
        })
    }
}

impl Reconcile {
    /// Checks what is of more than one field.
    ///
    /// # Errors
    /// The field and what is wrong with it.
    pub(super) fn check(&self) -> Result<(), (String, String)> {
        if self.sources.is_empty() {
            let problem = "found none, expected a `[[reconcile.sources]]` for each webhook \
                           endpoint whose events can be missing";
            return Err(("sources".to_owned(), problem.to_owned()));
        }
        for (index, subscription) in self.sources.iter().enumerate() {
            let at = |field: &str, problem: &str| {
                Err((format!("sources[{index}].{field}"), problem.to_owned()))
            };
            match (
                &subscription.webhook_endpoint,
                subscription.types.is_empty(),
            ) {
                (None, true) => {
                    return at(
                        "source",
                        "found neither `types` nor `webhook_endpoint`, expected one of them: what \
                         was never meant to come would count as missing",
                    );
                }
                (Some(_), false) => {
                    return at(
                        "webhook_endpoint",
                        "found it beside `types`, expected one of them",
                    );
                }
                (Some(id), true) if !is_webhook_endpoint(id) => {
                    return at(
                        "webhook_endpoint",
                        "found another text, expected the ID of a webhook endpoint, such as \
                         `we_1Mr5jULkdIwHu7ix1ibLTM0x`",
                    );
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Tells whether a text can be a part of a path.
fn is_webhook_endpoint(id: &str) -> bool {
    let rest = id.strip_prefix("we_").unwrap_or_default();
    (1..=255).contains(&rest.len()) && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn source<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Source, D::Error> {
    let text = String::deserialize(deserializer)?;
    Source::new(&text).map_err(de::Error::custom)
}

fn accounts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    destination::accounts(deserializer).map(Some)
}
