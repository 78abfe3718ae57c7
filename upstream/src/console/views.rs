//! What each page shows, read from the log, the schedule and the server.

mod event;
mod failing;
mod search;

use std::{path::Path, sync::Arc, time::Duration};

use axum::{
    Extension,
    extract::State,
    http::Uri,
    response::{Html, IntoResponse as _, Response},
};
use hookgate_core::{identity::Source, policy::TypePattern, time::Timestamp};
use tokio::runtime::Handle;

use self::failing::failing;
pub(super) use self::{
    event::{Event, event},
    failing::Failing,
    search::{Meant, search},
};
use super::{
    Console,
    access::Caller,
    answer::{self, Problem},
    flow::Came,
    form::Fields,
    page,
};
use crate::{
    clock,
    deliver::engine::Standing,
    expect::{Shown, View},
    log::{LogAddress, sqlite::SqliteReader},
    metrics::Snapshot,
    reconcile::{Report, Reports},
    review::{
        self, Board, Cursor, Desk, LatestFailure, QueuePage, ReviewError, Selection, TrailPage,
    },
};

/// Rows of a list.
pub(super) const ROWS: usize = 50;

/// What the overview shows.
#[derive(Debug)]
pub(super) struct Overview {
    /// Whether an event could be confirmed now.
    pub(super) is_ready: bool,
    /// What was counted.
    pub(super) counts: Snapshot,
    /// What came.
    pub(super) flow: Vec<Came>,
    /// How each destination is.
    pub(super) standings: Vec<Standing>,
    /// The newest failure of each destination; `None` while the log doesn't say.
    pub(super) failures: Option<Vec<LatestFailure>>,
    /// Events in the log, and those of the last day; where the log counts without
    /// gaps.
    pub(super) stored: Option<(u64, u64)>,
    /// What is expected, and what is told.
    pub(super) expected: Shown,
    /// The last comparison with Stripe; `None` where none is configured.
    pub(super) reconciled: Option<Option<Report>>,
    /// When a comparison found something missing, and how many events.
    pub(super) drift: Vec<(Timestamp, u64)>,
}

/// Shows health and flow at a glance.
pub(super) async fn overview(
    State(console): State<Arc<Console>>,
    Extension(caller): Extension<Caller>,
) -> Result<Response, Problem> {
    let overview = console.overview().await?;
    Ok(answer::found(page::overview(
        &caller,
        &overview,
        clock::now(),
    )))
}

/// The part of it that a script renews.
pub(super) async fn live(State(console): State<Arc<Console>>) -> Result<Response, Problem> {
    let overview = console.overview().await?;
    let part = page::live(&overview, clock::now());
    Ok(Html(part.into_string()).into_response())
}

impl Console {
    async fn overview(&self) -> Result<Overview, Problem> {
        let now = clock::now();
        let mut counts = self.metrics.snapshot();
        let standings = self.watched().iter().map(|it| it.standing(now)).collect();
        let flow = self.flow.of(std::mem::take(&mut counts.endpoints));
        let reports = self.reports();
        let is_ready = self.is_ready().await;
        // An overview of a log that is away doesn't wait for it.
        let failures = match is_ready {
            true => self.latest_failures().await.ok(),
            false => None,
        };
        let stored = match self.log.address() {
            LogAddress::Sqlite(path) => {
                let path = path.clone();
                Some(self.pool.run(move |_| stored(&path)).await??)
            }
            _ => None,
        };
        Ok(Overview {
            is_ready,
            counts,
            flow,
            standings,
            failures,
            stored,
            expected: self.expected().map(View::shown).unwrap_or_default(),
            drift: reports.map(Reports::drift).unwrap_or_default(),
            reconciled: reports.map(|reports| reports.newest().into_iter().next()),
        })
    }

    async fn latest_failures(&self) -> Result<Vec<LatestFailure>, Problem> {
        let (log, names) = (self.log.clone(), names(self));
        let read = move |runtime: &Handle| failing::latest(&log, runtime, &names);
        self.pool.run(read).await?
    }
}

/// Counts the events of a log in a file, and those of the last day.
fn stored(path: &Path) -> Result<(u64, u64), Problem> {
    let failed = |error: crate::log::sqlite::ReadError| Problem::Failed(error.to_string());
    let reader = SqliteReader::open(path).map_err(failed)?;
    // Sequences have no gaps, so that nothing has to be counted.
    let Some(span) = reader.span().map_err(failed)? else {
        return Ok((0, 0));
    };
    let since = page::earlier(clock::now(), Duration::from_hours(24));
    let first = reader.first_at(since).map_err(failed)?;
    let today = first.map_or(0, |first| span.last.saturating_sub(first) + 1);
    Ok((span.last.saturating_sub(span.first) + 1, today))
}

/// What the page of a destination shows.
#[derive(Debug)]
pub(super) struct Destination {
    /// How it is.
    pub(super) standing: Standing,
    /// What it has before it; `None` until that was looked at.
    pub(super) waiting: Option<crate::metrics::Waiting>,
    /// What fails there.
    pub(super) failing: Failing,
    /// What is parked there.
    pub(super) queue: QueuePage,
}

/// Shows one destination.
pub(super) async fn destination(
    State(console): State<Arc<Console>>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
) -> Result<Response, Problem> {
    let fields = Fields::of_text(uri.query().unwrap_or_default().as_bytes());
    let name = fields.get("name").unwrap_or_default().to_owned();
    let watched = console.watched().iter().find(|it| it.name() == name);
    let Some(watched) = watched else {
        let text = "The configuration of the server has no destination of this name.";
        return Err(Problem::Missing(text.to_owned()));
    };
    let waiting = console.metrics.snapshot().destinations.into_iter();
    let mut shown = Destination {
        standing: watched.standing(clock::now()),
        waiting: waiting.into_iter().find(|it| *it.name == *name),
        failing: Failing::default(),
        queue: QueuePage::default(),
    };
    let selection = Selection {
        destination: Some(name.clone()),
        ..Selection::default()
    };
    shown.queue = queue(&console, selection, None).await?;
    let log = console.log.clone();
    let read = move |runtime: &Handle| failing(&log, runtime, &name);
    shown.failing = console.pool.run(read).await??;
    let names = names(&console);
    let page = page::destination(&caller, &shown, &names, clock::now());
    Ok(answer::found(page))
}

/// Shows what waits for a person.
pub(super) async fn review(
    State(console): State<Arc<Console>>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
) -> Result<Response, Problem> {
    let fields = Fields::of_text(uri.query().unwrap_or_default().as_bytes());
    let selection = selection(&fields)?;
    let after = fields.parsed("after", |text| text.parse::<Cursor>().ok());
    let after =
        after.map_err(|_| Problem::Malformed("This is no page of the queue.".to_owned()))?;
    let queue = queue(&console, selection, after).await?;
    let names = names(&console);
    let page = page::review(&caller, &queue, &fields, &names, clock::now());
    Ok(answer::found(page))
}

async fn queue(
    console: &Console,
    selection: Selection,
    after: Option<Cursor>,
) -> Result<QueuePage, Problem> {
    let log = console.log.clone();
    let read =
        move |runtime: &Handle| review::queue(&log, runtime, &selection, after.as_ref(), ROWS);
    Ok(console.pool.run(read).await??)
}

fn names(console: &Console) -> Vec<String> {
    let names = console.watched().iter().map(|it| it.name().to_owned());
    names.collect()
}

/// Reads which parked events a form or an address chooses.
///
/// # Errors
/// [`Problem::Malformed`]: what is expected.
pub(super) fn selection(fields: &Fields) -> Result<Selection, Problem> {
    let of_form = |expected: &'static str| {
        move |name| Problem::Malformed(format!("`{name}`: expected {expected}"))
    };
    let source = fields.parsed("source", |text| Source::new(text).ok());
    let type_name = fields.parsed("type", TypePattern::new);
    let is_account = crate::deliver::destination::is_account;
    let account = fields.parsed("account", |text| is_account(text).then(|| text.to_owned()));
    let time = |name| {
        let time = fields.parsed(name, Timestamp::parse_rfc3339);
        time.map_err(of_form("a time, such as 2026-11-26T14:00:00Z"))
    };
    let destination = fields.parsed("destination", |text| {
        Source::new(text).is_ok().then(|| text.to_owned())
    });
    Ok(Selection {
        ids: fields.get("id").map(str::to_owned).into_iter().collect(),
        // Of a source's form, and part of a subject.
        destination: destination.map_err(of_form("a destination: 1 to 64 of a-z, 0-9 and -"))?,
        source: source.map_err(of_form("a source: 1 to 64 of a-z, 0-9 and -"))?,
        type_name: type_name.map_err(of_form(
            "an event type, * for any characters, such as invoice.*",
        ))?,
        account: account.map_err(of_form("a connected account's ID, such as acct_1"))?,
        reason: fields.get("parked_for").map(str::to_owned),
        since: time("since")?,
        until: time("until")?,
    })
}

/// Shows what comparisons with Stripe came to.
pub(super) async fn reconciliation(
    State(console): State<Arc<Console>>,
    Extension(caller): Extension<Caller>,
) -> Response {
    let reports = console.reports();
    let every = reports.map(crate::reconcile::Reports::every);
    let reports = reports.map(crate::reconcile::Reports::newest);
    answer::found(page::reconciliation(
        &caller,
        every,
        &reports.unwrap_or_default(),
    ))
}

/// Shows who decided what, and who looked at what.
pub(super) async fn audit(
    State(console): State<Arc<Console>>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
) -> Result<Response, Problem> {
    let fields = Fields::of_text(uri.query().unwrap_or_default().as_bytes());
    let before = fields.parsed("before", |text| text.parse().ok());
    let before =
        before.map_err(|_| Problem::Malformed("This is no page of the trail.".to_owned()))?;
    let log = console.log.clone();
    let read = move |runtime: &Handle| {
        if let LogAddress::Sqlite(path) = log.address()
            && Board::open(path)?.is_none()
        {
            return Ok(TrailPage::default());
        }
        match Desk::kept(&log, runtime) {
            Err(ReviewError::NotServed) => Ok(TrailPage::default()),
            desk => desk?.page(before, ROWS),
        }
    };
    let trail = console.pool.run(read).await??;
    Ok(answer::found(page::audit(&caller, &trail)))
}
