//! Looking for events.

use std::{
    num::NonZeroUsize,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Extension,
    extract::State,
    http::{
        StatusCode, Uri,
        header::{HeaderValue, LOCATION},
    },
    response::{IntoResponse as _, Response},
};
use hookgate_core::{identity::Source, policy::TypePattern};

use super::ROWS;
use crate::{
    clock,
    console::{
        Console,
        access::Caller,
        answer::{self, Problem},
        form::{Fields, address},
        page,
        pool::wait,
    },
    deliver::destination::is_account,
    log::{Found, LogAddress, Sought},
};

/// How long a search may look through the log for one page.
const BUDGET: Duration = Duration::from_millis(25);

/// As [`BUDGET`], where each event comes whole over a network.
const BROKER_BUDGET: Duration = Duration::from_secs(2);

/// Digits of a trace ID.
const TRACE_DIGITS: usize = 32;

/// Shows the events that are looked for; one that is named by its ID at once.
pub(in crate::console) async fn search(
    State(console): State<Arc<Console>>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
) -> Result<Response, Problem> {
    let fields = Fields::of_text(uri.query().unwrap_or_default().as_bytes());
    let before: Option<u64> = fields
        .parsed("before", |text| text.parse().ok())
        .map_err(|_| Problem::Malformed("This is no page of a search.".to_owned()))?;
    let sought = match Asked::of(&fields)? {
        Asked::Id(id) => return Ok(by_id(&id)),
        Asked::Others(sought) => sought,
    };
    let log = console.log.clone();
    let look = move |runtime: &tokio::runtime::Handle| {
        let budget = match log.address() {
            LogAddress::Sqlite(_) | LogAddress::Nats(_) => BUDGET,
            _ => BROKER_BUDGET,
        };
        let until = Instant::now() + budget;
        let limit = NonZeroUsize::MIN.saturating_add(ROWS - 1);
        let found = wait(runtime, async {
            let reader = log.reader().await?;
            reader.backwards(before, &sought, limit, until).await
        });
        Ok::<_, Problem>(found??)
    };
    let found: Found = console.pool.run(look).await??;
    let page = page::search(&caller, &fields, &found, clock::now());
    Ok(answer::found(page))
}

/// Says what is looked for.
enum Asked {
    /// One event.
    Id(String),
    /// Events that have something in common.
    Others(Sought),
}

impl Asked {
    /// Takes the fields of their names; `q` is whatever somebody has at hand.
    fn of(fields: &Fields) -> Result<Self, Problem> {
        let mut sought = Sought::default();
        let expected = |what: &str| Problem::Malformed(format!("Expected {what}."));
        if let Some(id) = fields.get("id") {
            return Ok(Self::Id(id.to_owned()));
        }
        if let Some(text) = fields.get("q") {
            match Meant::by(text) {
                Meant::Account => sought.account = Some(text.to_owned()),
                Meant::Trace => sought.trace_id = trace_id(text),
                Meant::Type => {
                    sought.type_name = Some(TypePattern::new(text).ok_or_else(|| expected(TYPE))?);
                }
                Meant::Id => return Ok(Self::Id(text.to_owned())),
            }
        }
        if let Some(text) = fields.get("type") {
            sought.type_name = Some(TypePattern::new(text).ok_or_else(|| expected(TYPE))?);
        }
        if let Some(text) = fields.get("account") {
            let account = is_account(text).then(|| text.to_owned());
            sought.account = Some(account.ok_or_else(|| expected("an account, such as acct_1"))?);
        }
        if let Some(text) = fields.get("trace") {
            let trace_id = trace_id(text).ok_or_else(|| expected("a trace: 32 hex digits"))?;
            sought.trace_id = Some(trace_id);
        }
        if let Some(text) = fields.get("source") {
            let source = Source::new(text).map_err(|_| expected("a source: a-z, 0-9 and -"))?;
            sought.source = Some(source);
        }
        Ok(Self::Others(sought))
    }
}

/// Says what a text is taken for whose field doesn't say it. Its form is a guess:
/// other senders have types without a dot, and accounts with one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::console) enum Meant {
    /// An event's ID.
    Id,
    /// A type, or several.
    Type,
    /// An account.
    Account,
    /// A trace ID.
    Trace,
}

impl Meant {
    /// Guesses.
    pub(in crate::console) fn by(text: &str) -> Self {
        if text.starts_with("acct_") && is_account(text) {
            Self::Account
        } else if trace_id(text).is_some() {
            Self::Trace
        } else if text.contains(['.', '*']) && !text.starts_with("evt_") {
            Self::Type
        } else {
            Self::Id
        }
    }

    /// Tells whether a text could be one.
    pub(in crate::console) fn can_be(self, text: &str) -> bool {
        match self {
            Self::Id => !text.is_empty() && !text.contains('*'),
            Self::Type => TypePattern::new(text).is_some(),
            Self::Account => is_account(text),
            Self::Trace => trace_id(text).is_some(),
        }
    }
}

const TYPE: &str = "an event type, * for any characters, such as invoice.*";

/// Reads a trace ID, also as part of a `traceparent`.
fn trace_id(text: &str) -> Option<String> {
    let text = text.to_ascii_lowercase();
    let mut parts = text.split('-');
    let digits = match (parts.next(), parts.next()) {
        (Some(whole), None) => whole,
        (Some("00"), Some(trace)) => trace,
        _ => return None,
    };
    let is_one = digits.len() == TRACE_DIGITS && digits.bytes().all(|it| it.is_ascii_hexdigit());
    is_one.then(|| digits.to_owned())
}

fn by_id(id: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    // Percent-encoded, and so a header's value whatever was asked for.
    if let Ok(to) = HeaderValue::from_str(&address("/event", &[("id", Some(id))])) {
        response.headers_mut().insert(LOCATION, to);
    }
    response
}
