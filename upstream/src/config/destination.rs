//! A destination as the file spells it.

use std::{
    collections::BTreeSet,
    fmt, fs, io,
    path::{Path, PathBuf},
};

use hookgate_core::{
    identity::Source,
    policy::TypePattern,
    scheme::Scheme,
    secret::{SecretError, SigningSecret},
};
use serde::{Deserialize, Deserializer, de};

use super::{
    place::{Place, PlaceError, Plain, SecretPlace, holds_credentials, text_or_place},
    setting::{
        After, Attempts, Concurrency, CoolDown, Factor, GiveUpAfter, Initial, Jitter, Longest,
        LongestCoolDown, ProbeInitial, ProbeLongest, Rate, Timeout,
    },
    value,
};
use crate::{
    deliver::{
        destination::{self, Filter, Order, Target, TargetError},
        health::Breaking,
        retry::RetryPolicy,
    },
    log::Start,
};

/// Most secrets of one destination.
const MAX_SECRETS: usize = 8;

/// Describes a destination.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(crate) struct Destination {
    /// What it is called, here and in metrics.
    #[serde(deserialize_with = "name")]
    pub(crate) name: String,
    /// Where events go.
    pub(crate) url: Url,
    /// Where they go while that is unavailable.
    pub(crate) secondary: Option<Url>,
    /// What deliveries are signed with.
    #[serde(default)]
    pub(crate) secrets: Vec<SecretPlace>,
    /// Where in the log it begins, the first time that it is seen.
    #[serde(default = "now", deserialize_with = "start")]
    pub(crate) from: Start,
    /// Deliveries under way at once.
    #[serde(default)]
    pub(crate) concurrency: Concurrency,
    /// Attempts in a second.
    pub(crate) rate: Option<Rate>,
    /// How long an answer may take.
    #[serde(default)]
    pub(crate) timeout: Timeout,
    /// A file with the certificates that HTTP targets may have.
    pub(crate) ca_file: Option<PathBuf>,
    /// What HTTP targets are reached through.
    pub(crate) proxy: Option<Url>,
    /// What may not overtake what.
    #[serde(default)]
    pub(crate) order: Order,
    /// Which events it wants.
    #[serde(default)]
    filter: FilterTable,
    /// How it is tried again.
    #[serde(default)]
    pub(crate) retry: Retry,
    /// When it counts as away.
    #[serde(default)]
    pub(crate) breaker: Breaker,
}

/// Says how a destination is tried again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table")]
pub(crate) struct Retry {
    /// Time from the first attempt to the second.
    pub(crate) initial: Initial,
    /// How much longer each wait is than the one before.
    pub(crate) factor: Factor,
    /// The longest wait.
    pub(crate) longest: Longest,
    /// How much of a wait is left to chance.
    pub(crate) jitter: Jitter,
    /// Attempts after which an event is given up.
    pub(crate) attempts: Option<Attempts>,
    /// Time after which an event is given up.
    pub(crate) give_up_after: GiveUpAfter,
    /// Rest after 429 without `Retry-After`.
    pub(crate) cool_down: CoolDown,
    /// The longest rest that it may ask for.
    pub(crate) longest_cool_down: LongestCoolDown,
}

/// Says when a target counts as away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table")]
pub(crate) struct Breaker {
    /// Unanswered attempts in a row.
    pub(crate) after: After,
    /// Time to the first probe.
    pub(crate) initial: ProbeInitial,
    /// The longest time between probes.
    pub(crate) longest: ProbeLongest,
}

impl Breaker {
    fn breaking(self) -> Breaking {
        Breaking {
            after: self.after.as_count(),
            initial: self.initial.value(),
            longest: self.longest.value(),
        }
    }
}

impl Retry {
    fn policy(self) -> RetryPolicy {
        RetryPolicy {
            initial: self.initial.value(),
            factor: self.factor.value(),
            longest: self.longest.value(),
            jitter: self.jitter.value(),
            attempts: self.attempts.map(|most| most.as_count().get()),
            give_up_after: self.give_up_after.value(),
            cool_down: self.cool_down.value(),
            longest_cool_down: self.longest_cool_down.value(),
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table")]
struct FilterTable {
    #[serde(deserialize_with = "sources")]
    sources: Vec<Source>,
    #[serde(deserialize_with = "types")]
    types: Vec<TypePattern>,
    #[serde(deserialize_with = "accounts")]
    accounts: Vec<String>,
    livemode: Option<bool>,
}

impl Destination {
    /// Returns which events it wants.
    pub(crate) fn filter(&self) -> Filter {
        let wanted = self.filter.clone();
        Filter {
            sources: wanted.sources,
            types: wanted.types,
            accounts: wanted.accounts.into_iter().collect(),
            livemode: wanted.livemode,
        }
    }

    /// Reads what stands elsewhere, and makes what delivery works with.
    ///
    /// # Errors
    /// [`LoadError`].
    pub(crate) fn load(&self) -> Result<destination::Destination, LoadError> {
        let refused = |field| {
            move |error| LoadError {
                name: self.name.clone(),
                field,
                error,
            }
        };
        let url = |field, url: &Url| url.load().map_err(FieldError::from).map_err(refused(field));
        let secrets = self.secrets.iter().map(signing_secret);
        Ok(destination::Destination {
            name: self.name.clone(),
            primary: url("url", &self.url)?,
            secondary: match &self.secondary {
                Some(secondary) => Some(url("secondary", secondary)?),
                None => None,
            },
            secrets: secrets
                .collect::<Result<_, _>>()
                .map_err(refused("secrets"))?,
            filter: self.filter(),
            from: self.from,
            concurrency: self.concurrency.as_size(),
            rate: self.rate.map(Rate::as_count),
            timeout: self.timeout.value(),
            authorities: match &self.ca_file {
                Some(path) => Some(authorities(path).map_err(refused("ca_file"))?),
                None => None,
            },
            proxy: match &self.proxy {
                Some(proxy) => Some(proxy_url(url("proxy", proxy)?).map_err(refused("proxy"))?),
                None => None,
            },
            order: self.order,
            retry: self.retry.policy(),
            breaking: self.breaker.breaking(),
        })
    }

    /// Checks what is of more than one field.
    ///
    /// # Errors
    /// The field and what is wrong with it.
    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        if self.secrets.len() > MAX_SECRETS {
            let found = self.secrets.len();
            let problem = format!("found {found} secrets, expected at most {MAX_SECRETS}");
            return Err(("secrets", problem));
        }
        if let Some(Url::Here(target)) = &self.proxy
            && !matches!(target, Target::Http(_))
        {
            return Err(("proxy", format!("found another address, {PROXY}")));
        }
        let no_use = |field, of: &str| {
            let problem = format!("found it without {of}, expected both");
            Err((field, problem))
        };
        if self.proxy.is_some() && !self.may_go_to(|scheme| scheme.starts_with("http")) {
            return no_use("proxy", "an address `http(s)://…`");
        }
        if self.ca_file.is_some() && !self.may_go_to(|scheme| scheme == "https") {
            return no_use("ca_file", "an address `https://…`");
        }
        let Retry {
            initial, longest, ..
        } = self.retry;
        if initial.value() > longest.value() {
            let problem = format!("found `{initial}`, expected at most `longest`, `{longest}`");
            return Err(("retry.initial", problem));
        }
        let Breaker {
            initial, longest, ..
        } = self.breaker;
        if initial.value() > longest.value() {
            let problem = format!("found `{initial}`, expected at most `longest`, `{longest}`");
            return Err(("breaker.initial", problem));
        }
        Ok(())
    }
}

impl Destination {
    /// Tells whether an address may have such a scheme; one that stands
    /// elsewhere may have any.
    fn may_go_to(&self, is_wanted: impl Fn(&str) -> bool) -> bool {
        let urls = [Some(&self.url), self.secondary.as_ref()];
        urls.into_iter().flatten().any(|url| match url {
            Url::Here(Target::Http(url)) => is_wanted(url.scheme()),
            Url::Here(_) => false,
            Url::At(_) => true,
        })
    }
}

/// Finds the first destination whose name an earlier one has.
pub(super) fn repeated(destinations: &[Destination]) -> Option<usize> {
    let mut names = BTreeSet::new();
    destinations
        .iter()
        .position(|destination| !names.insert(&destination.name))
}

/// Says where events go: an address, or where the address is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Url {
    /// It stands in the file, and holds no credentials.
    Here(Target),
    /// It is elsewhere.
    At(Place),
}

impl Url {
    fn load(&self) -> Result<Target, UrlError> {
        match self {
            Self::Here(target) => Ok(target.clone()),
            Self::At(place) => place.read()?.parse().map_err(|error| UrlError::Target {
                place: place.clone(),
                error,
            }),
        }
    }
}

impl Plain for Url {
    const EXPECTED: &str = "an address, or `{ env = \"VARIABLE\" }`";

    fn from_text(text: &str) -> Result<Self, String> {
        let target: Target = text
            .parse()
            .map_err(|error: TargetError| format!("found another text, {error}"))?;
        if holds_credentials(text) {
            return Err(IN_CLEAR.to_owned());
        }
        Ok(Self::Here(target))
    }

    fn from_place(place: Place) -> Self {
        Self::At(place)
    }
}

const IN_CLEAR: &str = "found credentials, expected none in this file: put the whole address into \
                        an environment variable and write `{ env = \"VARIABLE\" }`";

impl<'de> Deserialize<'de> for Url {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text_or_place(deserializer)
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Here(target) => write!(f, "{target}"),
            Self::At(place) => write!(f, "the address in {place}"),
        }
    }
}

/// Says why a destination can't be used; shows no address and no secret.
#[derive(Debug, thiserror::Error)]
#[error("destination `{name}`, {field}: {error}")]
pub(crate) struct LoadError {
    name: String,
    field: &'static str,
    error: FieldError,
}

#[derive(Debug, thiserror::Error)]
enum FieldError {
    #[error(transparent)]
    Url(#[from] UrlError),
    #[error("found another address, {PROXY}")]
    Proxy,
    #[error("can't read `{}`: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("found no certificate in `{}`, expected PEM", path.display())]
    Certificates { path: PathBuf },
    #[error(transparent)]
    Place(#[from] PlaceError),
    #[error("{place}: {error}")]
    Secret { place: Place, error: SecretError },
}

#[derive(Debug, thiserror::Error)]
enum UrlError {
    #[error(transparent)]
    Place(#[from] PlaceError),
    #[error("{place}: {error}")]
    Target { place: Place, error: TargetError },
}

const PROXY: &str = "expected `http(s)://HOST:PORT`";

fn proxy_url(target: Target) -> Result<reqwest::Url, FieldError> {
    match target {
        Target::Http(url) => Ok(url),
        _ => Err(FieldError::Proxy),
    }
}

fn authorities(path: &Path) -> Result<Vec<reqwest::Certificate>, FieldError> {
    let pem = fs::read(path).map_err(|source| FieldError::Read {
        path: path.into(),
        source,
    })?;
    match reqwest::Certificate::from_pem_bundle(&pem) {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(FieldError::Certificates { path: path.into() }),
    }
}

fn signing_secret(SecretPlace(place): &SecretPlace) -> Result<SigningSecret, FieldError> {
    let text = place.read()?;
    let secret = Scheme::StandardWebhooks.secret("destination", text.as_bytes());
    secret.map_err(|error| FieldError::Secret {
        place: place.clone(),
        error,
    })
}

const fn now() -> Start {
    Start::Now
}

fn start<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Start, D::Error> {
    value::text_or_number(deserializer)
}

pub(super) fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    // The same form as a source's, for the same reason: it stands in subjects.
    match Source::new(&text) {
        Ok(name) => Ok(name.as_str().to_owned()),
        Err(_) => Err(de::Error::custom(
            "found another text, expected 1 to 64 of the characters a-z, 0-9 and -",
        )),
    }
}

fn sources<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Source>, D::Error> {
    value::list(
        deserializer,
        |text| Source::new(text).ok(),
        "sources of 1 to 64 of the characters a-z, 0-9 and -",
    )
}

/// Reads the IDs of connected accounts.
///
/// # Errors
/// Those of the file's parser.
pub(super) fn accounts<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<String>, D::Error> {
    value::list(
        deserializer,
        |text| destination::is_account(text).then(|| text.to_owned()),
        "the IDs of connected accounts, such as `acct_1032D82eZvKYlo2C`",
    )
}

/// Reads patterns of event types.
///
/// # Errors
/// Those of the file's parser.
pub(super) fn types<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<TypePattern>, D::Error> {
    value::list(
        deserializer,
        TypePattern::new,
        "event types, `*` for any characters, such as `invoice.*`",
    )
}
