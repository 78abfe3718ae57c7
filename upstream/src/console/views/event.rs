//! What the page of an event shows.

use std::sync::Arc;

use axum::{
    Extension,
    extract::State,
    http::{StatusCode, Uri},
    response::Response,
};
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
    log::{Capability, Entry, LogAddress, Reader},
    review::{Board, Desk, Life, Record, ReviewError, Waits},
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
    let (names, approvals) = (names(&console), console.approvals);
    // A payload may take long to write, too.
    let show = move |runtime: &Handle| {
        let events = read(runtime, &log, &id, source.as_ref(), &names)?;
        if events.is_empty() {
            let page = page::no_event(&caller, &id);
            return Ok(answer::page(StatusCode::NOT_FOUND, page));
        }
        let page = page::event(&caller, &events, &names, approvals, clock::now());
        Ok::<_, Problem>(answer::found(page))
    };
    console.pool.run(show).await?
}

fn read(
    runtime: &Handle,
    log: &LogAddress,
    id: &str,
    source: Option<&Source>,
    names: &[String],
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
            LogAddress::Nats(_) => life_on_a_stream(log, &mut event, names)?,
            other => {
                let limit = other.require(Capability::Deliveries).err();
                event.limit = limit.map_or_else(String::new, |limit| limit.to_string());
            }
        }
        events.push(event);
    }
    Ok(events)
}

/// Adds what a stream tells of one event: each attempt, where it is parked, and
/// what people decided.
fn life_on_a_stream(log: &LogAddress, event: &mut Event, names: &[String]) -> Result<(), Problem> {
    let desk = match Desk::open(log) {
        // Nothing was delivered yet.
        Err(ReviewError::NotServed) => return Ok(()),
        desk => desk?,
    };
    let (attributes, sequence) = (&event.entry.attributes, event.entry.sequence);
    let cases = desk.cases(&attributes.id, Some(&attributes.source))?;
    for name in names {
        let attempts = desk.attempts(name, sequence)?;
        let parked = cases.iter().map(|case| &case.parked);
        let parked = { parked }.find(|it| it.destination == *name && it.sequence == sequence);
        if attempts.is_empty() && parked.is_none() {
            continue;
        }
        event.lives.push(Life {
            destination: name.clone(),
            waits: parked.map_or(Waits::Not, |it| Waits::ForPerson {
                reason: it.reason.clone(),
            }),
            attempts,
            is_ahead: false,
        });
    }
    event.records = desk.about(&attributes.id)?;
    event.records.retain(|record| record.sequence == sequence);
    Ok(())
}
