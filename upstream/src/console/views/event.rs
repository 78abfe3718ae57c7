//! What the page of an event shows.

use std::sync::Arc;

use axum::{Extension, extract::State, http::Uri, response::Response};
use bytes::Bytes;
use hookgate_core::identity::Source;
use tokio::runtime::Handle;

use super::names;
use crate::{
    clock,
    console::{
        Console,
        access::Caller,
        answer::{self, Problem},
        form::Fields,
        page,
        pool::wait,
    },
    log::{Entry, LogAddress, Reader},
    review::{Board, Desk, Life, Record},
};

/// Holds an event's life.
#[derive(Debug)]
pub(in crate::console) struct Event {
    /// The event.
    pub(in crate::console) entry: Entry,
    /// Its payload.
    pub(in crate::console) payload: Bytes,
    /// Its life at each destination.
    pub(in crate::console) lives: Vec<Life>,
    /// What people decided about it, and who looked at it.
    pub(in crate::console) records: Vec<Record>,
    /// Why less of it is known on this log; empty otherwise.
    pub(in crate::console) limit: String,
}

/// Shows one event's life.
pub(in crate::console) async fn event(
    State(console): State<Arc<Console>>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
) -> Result<Response, Problem> {
    let fields = Fields::of_text(uri.query().unwrap_or_default().as_bytes());
    let id = fields.get("id").unwrap_or_default().to_owned();
    let source = fields.parsed("source", |text| Source::new(text).ok());
    let source = source.map_err(|_| {
        Problem::Malformed("`source`: expected 1 to 64 of a-z, 0-9 and -".to_owned())
    })?;
    let log = console.log.clone();
    let events = (console.pool)
        .run(move |runtime| read(runtime, &log, &id, source.as_ref()))
        .await??;
    if events.is_empty() {
        let text = "The log has no event of this ID (and source).";
        return Err(Problem::Missing(text.to_owned()));
    }
    let names = names(&console);
    let page = page::event(&caller, &events, &names, console.approvals, clock::now());
    Ok(answer::found(page))
}

fn read(
    runtime: &Handle,
    log: &LogAddress,
    id: &str,
    source: Option<&Source>,
) -> Result<Vec<Event>, Problem> {
    let found = wait(runtime, async {
        Reader::open(log).await?.event(id, source).await
    })??;
    let mut events = Vec::new();
    for (entry, payload) in found {
        let mut event = Event {
            entry,
            payload,
            lives: Vec::new(),
            records: Vec::new(),
            limit: String::new(),
        };
        match log {
            LogAddress::Sqlite(path) => {
                if let Some(board) = Board::open(path)? {
                    event.lives = board.lives(event.entry.sequence)?;
                    let sequence = event.entry.sequence;
                    event.records = Desk::open(log)?.about(id)?;
                    event.records.retain(|record| record.sequence == sequence);
                }
            }
            other => {
                event.limit = match other.require(crate::log::Capability::Deliveries) {
                    Err(limit) => limit.to_string(),
                    Ok(()) => "This log keeps no attempts that can be looked up by event: the \
                               review queue shows what is parked."
                        .to_owned(),
                };
            }
        }
        events.push(event);
    }
    Ok(events)
}
